package importer

import (
	"math"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
)

// line is n points along x from start with a step.
func line(n int, start, step float64) (b Batch) {
	for i := range n {
		b.Positions = append(b.Positions, [3]float64{start + float64(i)*step, 0.1, 7})
	}
	return b
}

func cloud(t *testing.T, batches ...Batch) *Cloud {
	t.Helper()
	c := NewCloud(Options{}, 0)
	for _, b := range batches {
		if err := c.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Done(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCloudOrigin(t *testing.T) {
	for name, c := range map[string]struct {
		batch Batch
		x     float32 // of the origin
	}{
		"near":                {line(100, 0.3, 0.1), 0},
		"far":                 {line(100, 500_000.3, 0.1), 500_005.3},
		"far, but also large": {line(100, 500_000.3, 10_000), 0},
		"far, but exact":      {line(100, 500_000, 0.5), 0},
		"outliers":            {Batch{Positions: append(line(95, 500_000.3, 0.1).Positions, line(5, 0.1, 0).Positions...)}, 500_004.8},
	} {
		got := cloud(t, c.batch)
		if math.Abs(float64(got.Origin[0]-c.x)) > 0.3 || got.Origin[2] != 0 {
			t.Errorf("%s: origin %v, want %v", name, got.Origin, c.x)
		}
		for i, p := range got.Positions {
			want := c.batch.Positions[i][0]
			if x := float64(got.Origin[0]) + float64(p[0]); math.Abs(x-want) > 1e-7*max(want, float64(got.Origin[0])) {
				t.Fatalf("%s: point %d at %v, want %v", name, i, x, want)
			}
		}
	}
}

// TestCloudBatches: the result does not depend on how the points come.
func TestCloudBatches(t *testing.T) {
	all := line(150_000, 700_000.1, 0.01)
	want := cloud(t, Batch{Positions: slices.Clone(all.Positions)})
	for _, size := range []int{1000, firstPoints - 1, firstPoints, 100_000} {
		var parts []Batch
		for p := range slices.Chunk(all.Positions, size) {
			parts = append(parts, Batch{Positions: slices.Clone(p)})
		}
		if got := cloud(t, parts...); got.Origin != want.Origin || !slices.Equal(got.Positions, want.Positions) {
			t.Errorf("batches of %d: origin %v, want %v", size, got.Origin, want.Origin)
		}
	}
}

func TestCloudDropsWhatIsNowhere(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	c := cloud(t, Batch{
		Positions: [][3]float64{{nan, 0, 0}, {1, 2, 3}, {0, inf, 0}, {4, 5, 6}, {0, 0, -inf}},
		Normals:   []geom.Vec3{{1, 0, 0}, {0, 2, 0}, {}, {}, {}},
		Colors:    []geom.Vec4{{1}, {2}, {3}, {4}, {5}},
	})
	if !slices.Equal(c.Positions, []geom.Vec3{{1, 2, 3}, {4, 5, 6}}) || !slices.Equal(c.Normals, []geom.Vec3{{0, 1, 0}, {0, 1, 0}}) ||
		!slices.Equal(c.Colors, []geom.Vec4{{2}, {4}}) || c.Dropped != 3 {
		t.Errorf("%+v", c)
	}
}

func TestCloudStretch(t *testing.T) {
	gray := func(values ...float32) Batch {
		b := line(len(values), 0, 1)
		for _, v := range values {
			b.Colors = append(b.Colors, geom.Vec4{v, v, v, 1})
		}
		return b
	}
	many := make([]float32, 1000)
	for i := range many {
		many[i] = float32(i % 100)
	}
	many[3] = 1e9 // an outlier
	for name, c := range map[string]struct {
		in   []float32
		want []float32 // of the first points
	}{
		"from zero":       {[]float32{50, 100}, []float32{Linear(0.5), 1}},
		"below zero":      {[]float32{-100, 0, 100}, []float32{0, Linear(0.5), 1}},
		"not all numbers": {[]float32{float32(math.NaN()), 1, 2, float32(math.Inf(1))}, []float32{0, Linear(0.5), 1, 1}},
		"an outlier":      {many, []float32{0, Linear(1. / 99), Linear(2. / 99), 1}},
		"mostly zero":     {append(make([]float32, 999), 5), []float32{0}},
		"equal":           {[]float32{3, 3}, nil},
	} {
		got := cloud(t, gray(c.in...))
		got.Stretch()
		if (got.Colors == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, got.Colors)
		}
		for i, want := range c.want {
			if v := got.Colors[i]; math.Abs(float64(v[0]-want)) > 1e-4 || v[0] != v[2] || v[3] != 1 {
				t.Errorf("%s: colour %d is %v, want %v", name, i, v, want)
			}
		}
	}
}

func TestCloudFits(t *testing.T) {
	c := NewCloud(Options{MemoryBudget: 2800}, 0)
	colored := Batch{Colors: []geom.Vec4{}}
	if c.Fits(100, colored) != nil || c.Fits(101, colored) == nil || c.Fits(101, Batch{}) != nil || c.Fits(math.MaxInt64, Batch{}) == nil {
		t.Error("100 coloured points, and no more, fit into 2800 bytes")
	}
	if err := c.Append(line(1000, 0, 1)); err != nil {
		t.Errorf("before the origin is known: %v", err)
	}
	if err := c.Done(); err == nil {
		t.Error("1000 points fit into 2800 bytes")
	}
}

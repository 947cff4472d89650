package mesh

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// scan is n points on a wavy sheet of 1 by 1, each with its number as its colour.
func scan(n int) *scene.Primitive {
	r := rand.New(rand.NewPCG(1, 2))
	p := &scene.Primitive{IsPoints: true, Material: scene.DefaultMaterial()}
	for i := range n {
		x, y := r.Float32(), r.Float32()
		p.Positions = append(p.Positions, geom.Vec3{x, float32(0.1 * math.Sin(9*float64(x))), y})
		p.Colors = append(p.Colors, number(i))
	}
	return p
}

// number is a colour that packs to the bits of i.
func number(i int) (c geom.Vec4) {
	for k := range c {
		v := float32(i>>(8*k)&255) / 255
		if k < 3 {
			v *= v
		}
		c[k] = v
	}
	return c
}

type call struct {
	Group  Group
	Mesh   *Mesh
	Makers []int32
}

func buildPoints(t *testing.T, p *scene.Primitive, o HierarchyOptions) (calls []call) {
	t.Helper()
	if err := BuildPoints(t.Context(), p, o, func(g Group, m *Mesh, makers []int32) error {
		calls = append(calls, call{g, m, makers})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return calls
}

func TestPointsAreEachInOneCluster(t *testing.T) {
	const n = 100_000
	p := scan(n)
	p.Positions[n/2] = p.Positions[n/3] // equal points are two all the same
	seen := make([]bool, n)
	clusters := uint32(0)
	for i, c := range buildPoints(t, p, HierarchyOptions{}) {
		if c.Group.FirstCluster != clusters || int(c.Group.Clusters) != len(c.Mesh.Clusters) || len(c.Makers) != len(c.Mesh.Clusters) || c.Group.Clusters > groupClusters {
			t.Fatalf("group %d: %+v with %d clusters and %d makers, after %d", i, c.Group, len(c.Mesh.Clusters), len(c.Makers), clusters)
		}
		clusters += c.Group.Clusters
		for k, cl := range c.Mesh.Clusters {
			if cl.Vertices == 0 || cl.Vertices > MaxVertices || cl.Triangles != 0 || cl.FirstVertex%Lane != 0 || c.Makers[k] != -1 {
				t.Fatalf("group %d: cluster %+v, maker %d", i, cl, c.Makers[k])
			}
			if dist(c.Group.Center, cl.Center)+float64(cl.Radius) > float64(c.Group.Radius) {
				t.Errorf("group %d does not hold its cluster", i)
			}
			for v := int(cl.FirstVertex); v < int(cl.FirstVertex+cl.Vertices); v++ {
				id := c.Mesh.Detail[4*v+3]
				if seen[id] || c.Mesh.Position(v) != p.Positions[id] || math.Float32frombits(c.Mesh.Surface[4*v]) != p.Positions[id][0] {
					t.Fatalf("point %d: twice, or at %v instead of %v", id, c.Mesh.Position(v), p.Positions[id])
				}
				seen[id] = true
				if dist(cl.Center, p.Positions[id]) > float64(cl.Radius) {
					t.Errorf("point %d is outside of its cluster", id)
				}
			}
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Errorf("point %d is nowhere", i)
	}
}

// TestPointSpacing: levels come finest first with an error that doubles each time, and the points of all coarser levels
// are that far apart, without holes.
func TestPointSpacing(t *testing.T) {
	p := scan(200_000)
	calls := buildPoints(t, p, HierarchyOptions{})
	var levels []float32
	for i := len(calls) - 1; i >= 0; i-- {
		if e := calls[i].Group.Error; len(levels) == 0 || e != levels[len(levels)-1] {
			levels = append(levels, e)
		}
	}
	if len(levels) < 3 || !math.IsInf(float64(levels[0]), 1) {
		t.Fatalf("levels with the errors %v", levels)
	}
	for l := 2; l < len(levels); l++ {
		if levels[l] != levels[l-1]/2 {
			t.Errorf("error %v below %v", levels[l], levels[l-1])
		}
	}
	low := geom.Empty()
	for _, v := range p.Positions {
		low = low.Extend(v)
	}
	for _, e := range levels[1:] {
		// What is drawn at a tolerance just above e has one point in each cell of that size which has any.
		type cell [3]int
		at := func(v geom.Vec3) (c cell) {
			for k := range c {
				c[k] = int((v[k] - low.Min[k]) / e)
			}
			return c
		}
		drawn, all, count := map[cell]bool{}, map[cell]bool{}, 0
		for _, v := range p.Positions {
			all[at(v)] = true
		}
		for _, c := range calls {
			if c.Group.Error <= e {
				continue
			}
			for _, cl := range c.Mesh.Clusters {
				for v := cl.FirstVertex; v < cl.FirstVertex+cl.Vertices; v++ {
					drawn[at(c.Mesh.Position(int(v)))] = true
					count++
				}
			}
		}
		// Where cells meet, this rounds differently.
		if len(drawn) < len(all)*999/1000 || count > len(all)*1001/1000 {
			t.Errorf("spacing %v: %d points in %d of %d cells", e, count, len(drawn), len(all))
		}
	}
}

func TestPointsAreDeterministic(t *testing.T) {
	p := scan(50_000)
	one := buildPoints(t, p, HierarchyOptions{Threads: 1})
	if diff := cmp.Diff(one, buildPoints(t, p, HierarchyOptions{Threads: 3})); diff != "" {
		t.Error(diff)
	}
}

func TestPointsOddOnes(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		in   []geom.Vec3
		want int
	}{
		"none":          {nil, 0},
		"one":           {[]geom.Vec3{{1, 2, 3}}, 1},
		"equal":         {slices.Repeat([]geom.Vec3{{1, 2, 3}}, 20_000), 20_000},
		"not finite":    {[]geom.Vec3{{nan, 0, 0}, {0, 1, 0}, {0, 0, float32(math.Inf(-1))}, {0, math.MaxFloat32, 0}}, 1},
		"far apart":     {append(slices.Repeat([]geom.Vec3{{0, 0, 0}}, 10_000), geom.Vec3{1e30, 0, 0}), 10_001},
		"without width": {[]geom.Vec3{{0, 0, 0}, {0, 1, 0}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			paged, err := Resident(t.Context(), &scene.Primitive{IsPoints: true, Positions: c.in}, HierarchyOptions{})
			if err != nil || paged.Points() != int64(c.want) || paged.Triangles() != 0 || (len(paged.Nodes) == 0) != (c.want == 0) {
				t.Errorf("%d points, %d nodes, %v; want %d", paged.Points(), len(paged.Nodes), err, c.want)
			}
		})
	}
}

func TestPointsEnd(t *testing.T) {
	stop := errors.New("stop")
	if err := BuildPoints(t.Context(), scan(10), HierarchyOptions{}, func(Group, *Mesh, []int32) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the sink's error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := BuildPoints(ctx, scan(10), HierarchyOptions{}, func(Group, *Mesh, []int32) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	last := 0.0
	o := HierarchyOptions{Progress: func(done float64) {
		if done < last {
			t.Errorf("progress %v after %v", done, last)
		}
		last = done
	}}
	if buildPoints(t, scan(30_000), o); last != 1 {
		t.Errorf("progress ends at %v", last)
	}
}

func BenchmarkBuildPoints(b *testing.B) {
	const n = 2_000_000
	p := scan(n)
	for b.Loop() {
		if err := BuildPoints(b.Context(), p, HierarchyOptions{Threads: 1}, func(Group, *Mesh, []int32) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpt/s")
}

package draco

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"

	"golang.org/x/sync/errgroup"
)

const testMemory = 128 << 20

// A grid of 9 x 9 vertices over the unit square, its height 0.1 sin(8x), with normals, colours and integers.
const gridVertices, gridTriangles = 81, 128

var gridAttributes = []Attribute{{0, Float32, 3}, {1, Float32, 3}, {2, Uint8, 4}, {3, Uint16, 4}}

func newDecoder(tb testing.TB, instances int, memory int64) *Decoder {
	tb.Helper()
	d, err := New(context.Background(), instances, memory)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func free(int64) error { return nil }

func checkGrid(t *testing.T, m *Mesh) {
	t.Helper()
	if m.Vertices != gridVertices || len(m.Indices) != gridTriangles*12 || len(m.Attributes) != 4 {
		t.Fatalf("%d vertices, %d bytes of indices, %d attributes", m.Vertices, len(m.Indices), len(m.Attributes))
	}
	number := func(a, i int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(m.Attributes[a][4*i:])))
	}
	for v := range gridVertices {
		x, y, z := number(0, 3*v), number(0, 3*v+1), number(0, 3*v+2)
		column, row := math.Round(8*x), math.Round(8*y)
		if math.Abs(8*x-column)+math.Abs(8*y-row) > 2e-3 || math.Abs(z-0.1*math.Sin(column)) > 1e-4 {
			t.Errorf("vertex %d at %v %v %v", v, x, y, z)
		}
		if nz := number(1, 3*v+2); nz < 0.999 {
			t.Errorf("normal %d: %v", v, nz)
		}
		if c := m.Attributes[2][4*v:]; float64(c[0]) != 28*column || float64(c[1]) != 28*row || c[2] != 7 || c[3] != 255 {
			t.Errorf("colour %d: %v", v, c[:4])
		}
		if j := binary.LittleEndian.Uint16(m.Attributes[3][8*v:]); float64(j) != 7000*column {
			t.Errorf("integer %d: %d", v, j)
		}
	}
}

// TestDecode decodes both encodings of the grid many times, on few instances.
func TestDecode(t *testing.T) {
	d := newDecoder(t, 2, testMemory)
	var g errgroup.Group
	for range 4 {
		for _, name := range []string{"edgebreaker.drc", "sequential.drc"} {
			data := file(t, name)
			g.Go(func() error {
				m, err := d.Decode(context.Background(), data, gridAttributes, free)
				if err == nil {
					checkGrid(t, m)
				}
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestRefusals shows that an error of any kind leaves the decoder of use.
func TestRefusals(t *testing.T) {
	d := newDecoder(t, 1, testMemory)
	good := file(t, "edgebreaker.drc")
	full := errors.New("full")
	for name, c := range map[string]struct {
		data []byte
		want []Attribute
		take func(int64) error
	}{
		"nothing":      {nil, nil, free},
		"not Draco":    {[]byte("glTF, surely not Draco"), nil, free},
		"cut":          {good[:len(good)/2], nil, free},
		"no such":      {good, []Attribute{{9, Float32, 3}}, free},
		"components":   {good, []Attribute{{0, Float32, 2}}, free},
		"over budget":  {good, gridAttributes, func(int64) error { return full }},
		"a point only": {pointCloud(good), nil, free},
	} {
		if _, err := d.Decode(context.Background(), c.data, c.want, c.take); err == nil {
			t.Errorf("%s: no error", name)
		} else if name == "over budget" && !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		m, err := d.Decode(context.Background(), good, gridAttributes, free)
		if err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
		checkGrid(t, m)
	}
}

// pointCloud makes a mesh say that it is a point cloud.
func pointCloud(mesh []byte) []byte {
	p := append([]byte(nil), mesh...)
	p[7] = 0
	return p
}

func TestMemoryLimit(t *testing.T) {
	if _, err := New(context.Background(), 1, MinMemory-pageBytes); err == nil {
		t.Error("a decoder without room")
	}
	d := newDecoder(t, 1, MinMemory+1<<20)
	if _, err := d.Decode(context.Background(), file(t, "edgebreaker.drc"), nil, free); err != nil {
		t.Error(err)
	}
	if _, err := d.Decode(context.Background(), make([]byte, 32<<20), nil, free); !errors.Is(err, errGaveUp) {
		t.Errorf("32 MiB in 17 MiB: %v", err)
	}
}

func TestCancel(t *testing.T) {
	d := newDecoder(t, 1, testMemory)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Decode(ctx, file(t, "edgebreaker.drc"), nil, free); err == nil {
		t.Error("decoded after the end")
	}
	if _, err := d.Decode(context.Background(), file(t, "edgebreaker.drc"), nil, free); err != nil {
		t.Error(err)
	}
}

// FuzzDecode decodes anything: it ends, without panic, in an error or in sound indices.
func FuzzDecode(f *testing.F) {
	f.Add(file(f, "edgebreaker.drc"))
	f.Add(file(f, "sequential.drc"))
	f.Add(pointCloud(file(f, "sequential.drc")))
	d := newDecoder(f, 1, 32<<20)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := d.Decode(context.Background(), data, gridAttributes, free)
		if err != nil {
			return
		}
		for i := 0; i < len(m.Indices); i += 4 {
			if v := binary.LittleEndian.Uint32(m.Indices[i:]); int64(v) >= m.Vertices {
				t.Fatalf("index %d of %d vertices", v, m.Vertices)
			}
		}
		for i, a := range gridAttributes {
			if int64(len(m.Attributes[i])) != a.bytes()*m.Vertices {
				t.Fatalf("attribute %d has %d bytes", i, len(m.Attributes[i]))
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		d, err := New(context.Background(), 1, testMemory)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Decode(context.Background(), file(b, "edgebreaker.drc"), nil, free); err != nil {
			b.Fatal(err)
		}
		if err := d.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

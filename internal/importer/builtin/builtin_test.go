package builtin

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, uri string) *scene.Model {
	t.Helper()
	m, err := Open(context.Background(), uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOpenRefuses(t *testing.T) {
	for uri, code := range map[string]arr.Code{
		"builtin://teapot":                     arr.CodeNotFound,
		"builtin://":                           arr.CodeNotFound,
		"https://cube":                         arr.CodeBadRequest,
		"builtin://cube?triangles=5":           arr.CodeBadRequest,
		"builtin://spheres?triangles=x":        arr.CodeBadRequest,
		"builtin://spheres?triangles=-1":       arr.CodeBadRequest,
		"builtin://spheres?triangles=1e12":     arr.CodeBadRequest,
		"builtin://spheres?triangle=5":         arr.CodeBadRequest,
		"builtin://spheres?triangles=5&size=2": arr.CodeBadRequest,
	} {
		m, err := Open(context.Background(), uri, nil)
		if m != nil || arr.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", uri, err, code)
		}
		if code == arr.CodeNotFound && !strings.Contains(err.Error(), "builtin://spheres") {
			t.Errorf("%s: %v does not list the known models", uri, err)
		}
	}
}

func TestCube(t *testing.T) {
	m := open(t, "builtin://Cube")
	want := geom.AABB{Min: geom.Vec3{-0.5, -0.5, -0.5}, Max: geom.Vec3{0.5, 0.5, 0.5}}
	if m.Triangles != 12 || m.Bounds != want || len(m.Meshes[0].Primitives[0].Positions) != 24 {
		t.Errorf("%d triangles, bounds %v, %d vertices", m.Triangles, m.Bounds, len(m.Meshes[0].Primitives[0].Positions))
	}
	check(t, m)
}

func TestEngine(t *testing.T) {
	m := open(t, "builtin://engine")
	check(t, m)
	parts := 0
	for _, n := range m.Nodes {
		if n.Mesh >= 0 {
			parts++
		}
		if n.Name == "" {
			t.Error("a node has no name")
		}
	}
	t.Logf("%d triangles, %d parts, %d nodes, %d meshes, %d materials, %v",
		m.Triangles, parts, len(m.Nodes), len(m.Meshes), len(m.Materials), m.Bounds)
	if m.Triangles < 1_000_000 || parts < 200 || len(m.Materials) < 12 {
		t.Error("the sample is too small")
	}
}

func TestSameModelTwice(t *testing.T) {
	for _, name := range Names() {
		a, b := open(t, Scheme+name), open(t, Scheme+name)
		if !reflect.DeepEqual(a.Nodes, b.Nodes) || !reflect.DeepEqual(a.Materials, b.Materials) || len(a.Meshes) != len(b.Meshes) {
			t.Errorf("%s: two models differ", name)
			continue
		}
		for i := range a.Meshes {
			if !sameMesh(a.Meshes[i], b.Meshes[i]) {
				t.Errorf("%s: two models differ in mesh %s", name, a.Meshes[i].Name)
			}
		}
	}
}

// sameMesh is reflect.DeepEqual for what generated meshes have, a hundred times faster.
func sameMesh(a, b *scene.Mesh) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Primitives, b.Primitives, func(p, q scene.Primitive) bool {
		return slices.Equal(p.Positions, q.Positions) && slices.Equal(p.Normals, q.Normals) && slices.Equal(p.Indices, q.Indices) &&
			p.Material.Name == q.Material.Name
	})
}

func TestEngineProgressAndCancel(t *testing.T) {
	var last atomic.Uint64 // bits of the largest value: calls come from several goroutines
	if _, err := Open(context.Background(), "builtin://engine", func(done float64) {
		for old := last.Load(); math.Float64frombits(old) < done && !last.CompareAndSwap(old, math.Float64bits(done)); old = last.Load() {
		}
	}); err != nil || math.Float64frombits(last.Load()) != 1 {
		t.Errorf("%v, progress ended at %g", err, math.Float64frombits(last.Load()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, "builtin://engine", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestSpheres(t *testing.T) {
	m := open(t, "builtin://spheres")
	if len(m.Materials) != 35 || len(m.Meshes) != 35 {
		t.Errorf("%d materials, %d meshes", len(m.Materials), len(m.Meshes))
	}
	check(t, m)
}

func TestSpheresHaveAtLeastTheTrianglesAskedFor(t *testing.T) {
	for _, n := range []int64{1, 1_000_000, 5_000_000} {
		m := Grid(int(n))
		if m.Triangles < n || m.Triangles > n+1_000_000 {
			t.Errorf("Grid(%d) has %d triangles", n, m.Triangles)
		}
	}
}

// check holds what must be true of every generated model: a forest, closed outward-facing meshes, unit normals that
// agree with the faces.
func check(t *testing.T, m *scene.Model) {
	t.Helper()
	for i, n := range m.Nodes {
		for _, c := range n.Children {
			if m.Nodes[c].Parent != i {
				t.Errorf("node %d (%s) lists child %d, whose parent is %d", i, n.Name, c, m.Nodes[c].Parent)
			}
		}
	}
	for _, mesh := range m.Meshes {
		var volume float64
		closed := map[[2]geom.Vec3]int{}
		for _, p := range mesh.Primitives {
			for i := 0; i < len(p.Indices); i += 3 {
				a, b, c := p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]]
				volume += float64(a.Dot(b.Cross(c))) / 6
				face := b.Sub(a).Cross(c.Sub(a)).Normalize()
				for _, k := range p.Indices[i : i+3] {
					n := p.Normals[k]
					if math.Abs(float64(n.Len())-1) > 1e-3 || n.Dot(face) < 0.3 {
						t.Fatalf("mesh %s, triangle %d: normal %v against face normal %v", mesh.Name, i/3, n, face)
					}
				}
				for _, e := range [][2]geom.Vec3{{a, b}, {b, c}, {c, a}} {
					closed[e]++
					closed[[2]geom.Vec3{e[1], e[0]}]--
				}
			}
		}
		open := 0
		for _, n := range closed {
			if n != 0 {
				open++
			}
		}
		if open > 0 || volume <= 0 {
			t.Errorf("mesh %s: %d open edges, volume %g m3", mesh.Name, open/2, volume)
		}
	}
}

func BenchmarkEngine(b *testing.B) {
	for b.Loop() {
		open(b, "builtin://engine")
	}
}

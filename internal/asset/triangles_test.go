package asset

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/mesh"
)

// rotated turns a triangle to the least of its three forms: the codec keeps no more than that.
func rotated(t [3]uint8) [3]uint8 {
	least := t
	for range 2 {
		t = [3]uint8{t[1], t[2], t[0]}
		if slices.Compare(t[:], least[:]) < 0 {
			least = t
		}
	}
	return least
}

func sortedTriangles(tris []uint32, name func(uint8) uint8) [][3]uint8 {
	var out [][3]uint8
	for _, t := range tris {
		out = append(out, rotated([3]uint8{name(corner(t, 0)), name(corner(t, 1)), name(corner(t, 2))}))
	}
	slices.SortFunc(out, func(a, b [3]uint8) int { return slices.Compare(a[:], b[:]) })
	return out
}

// TestTriangles codes random and regular clusters and wants the same triangles back under the new names of the vertices.
func TestTriangles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var grid []uint32 // 8 x 8 quads
	for y := range uint32(8) {
		for x := range uint32(8) {
			v := y*9 + x
			grid = append(grid, v|(v+1)<<8|(v+10)<<16, v|(v+10)<<8|(v+9)<<16)
		}
	}
	clusters := []struct {
		tris     []uint32
		vertices int
	}{{grid, 81}, {nil, 5}, {[]uint32{0}, 1}}
	for range 200 {
		vertices := 1 + rng.IntN(mesh.MaxVertices)
		tris := make([]uint32, rng.IntN(mesh.MaxTriangles+1))
		for i := range tris {
			for k := range 3 {
				tris[i] |= uint32(rng.IntN(vertices)) << (8 * k)
			}
		}
		clusters = append(clusters, struct {
			tris     []uint32
			vertices int
		}{tris, vertices})
	}
	for i, c := range clusters {
		var e triangleEncoder
		order := slices.Clone(e.encode(c.tris, c.vertices))
		if len(order) != c.vertices || len(e.codes) != len(c.tris) {
			t.Fatalf("cluster %d: %d vertices and %d codes, want %d and %d", i, len(order), len(e.codes), c.vertices, len(c.tris))
		}
		got := make([]uint32, len(c.tris))
		rest, ok := decodeTriangles(got, e.codes, e.escapes, uint32(c.vertices))
		if !ok || len(rest) != 0 {
			t.Fatalf("cluster %d: ok %v with %d escapes left", i, ok, len(rest))
		}
		want := sortedTriangles(c.tris, func(v uint8) uint8 { return v })
		if back := sortedTriangles(got, func(v uint8) uint8 { return order[v] }); !slices.Equal(back, want) {
			t.Fatalf("cluster %d: got %v, want %v", i, back, want)
		}
		if i == 0 && len(e.escapes) > 64 {
			t.Errorf("a grid needs %d escapes", len(e.escapes))
		}
	}
}

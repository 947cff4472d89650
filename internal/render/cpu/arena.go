package cpu

import (
	"errors"
	"slices"

	"github.com/heliograph/heliograph/internal/mesh"
)

// errFull says that an arena's address space is used up.
var errFull = errors.New("cpu: no room for a page")

// arenaKind tells apart the pages that cannot share arrays.
type arenaKind struct{ detail, uv1 bool }

// bytes is what a page of so many vertices and triangles takes.
func (k arenaKind) bytes(vertices, triangles uint32) int64 {
	perVertex := int64(28) // Positions and Surface
	if k.detail {
		perVertex += 16
	}
	if k.uv1 {
		perVertex += 8
	}
	return int64(vertices)*perVertex + 4*int64(triangles)
}

// arena holds decoded pages in the layout that the kernels read, one beside the other in the same arrays, so that all
// clusters of a draw have the same base addresses.
type arena struct {
	kind      arenaKind
	positions block[float32]
	surface   block[uint32]
	detail    block[uint32]
	uv1       block[float32]
	triangles block[uint32]

	vertexSpace, triangleSpace space
}

// place is where a page lies in its arena.
type place struct{ vertex, triangle uint32 }

// maxArenaVertices keeps the kernels' 32-bit word indices from overflowing.
const maxArenaVertices = 1<<29 - 1<<16

// newArena reserves address space for about three times the budget, so that fragmentation is no concern.
func newArena(kind arenaKind, budget int64) (_ *arena, err error) {
	vertices := int(min((3*budget+512<<20)/28, maxArenaVertices)) &^ (mesh.Lane - 1)
	triangles := min(2*vertices, maxArenaVertices)
	a := &arena{kind: kind, vertexSpace: newSpace(vertices - mesh.MaxVertices - 1), triangleSpace: newSpace(triangles)}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.positions, err = reserve[float32](3 * vertices); err != nil {
		return nil, err
	}
	if a.surface, err = reserve[uint32](4 * vertices); err != nil {
		return nil, err
	}
	if a.triangles, err = reserve[uint32](triangles); err != nil {
		return nil, err
	}
	if kind.detail {
		if a.detail, err = reserve[uint32](4 * vertices); err != nil {
			return nil, err
		}
	}
	if kind.uv1 {
		if a.uv1, err = reserve[float32](2 * vertices); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// alloc finds room for a page.
func (a *arena) alloc(p *mesh.PageInfo) (s place, err error) {
	v, ok := a.vertexSpace.alloc(int(p.Vertices))
	if !ok {
		return s, errFull
	}
	t, ok := a.triangleSpace.alloc(int(p.Triangles))
	if !ok {
		a.vertexSpace.free(v, int(p.Vertices))
		return s, errFull
	}
	// A corner that its cluster lacks, in a damaged page, must still be in memory.
	vertices, triangles := a.vertexSpace.high+mesh.MaxVertices+1, a.triangleSpace.high
	err = errors.Join(a.positions.grow(3*vertices), a.surface.grow(4*vertices), a.detail.grow(4*vertices), a.uv1.grow(2*vertices),
		a.triangles.grow(triangles))
	if err != nil {
		a.vertexSpace.free(v, int(p.Vertices))
		a.triangleSpace.free(t, int(p.Triangles))
		return s, err
	}
	return place{uint32(v), uint32(t)}, nil
}

func (a *arena) free(s place, p *mesh.PageInfo) {
	a.vertexSpace.free(int(s.vertex), int(p.Vertices))
	a.triangleSpace.free(int(s.triangle), int(p.Triangles))
}

// forget frees a page and gives its memory back to the system.
func (a *arena) forget(s place, p *mesh.PageInfo) {
	a.free(s, p)
	v, n, t := int(s.vertex), int(s.vertex+p.Vertices), int(s.triangle)
	a.positions.forget(3*v, 3*n)
	a.surface.forget(4*v, 4*n)
	a.detail.forget(4*v, 4*n)
	a.uv1.forget(2*v, 2*n)
	a.triangles.forget(t, t+int(p.Triangles))
}

// page is the part of the arrays that s names, as ReadPage wants it.
func (a *arena) page(s place, p *mesh.PageInfo) mesh.Page {
	v, n := int(s.vertex), int(p.Vertices)
	d := mesh.Page{
		Positions: a.positions.all[3*v:][: 3*n : 3*n],
		Surface:   a.surface.all[4*v:][: 4*n : 4*n],
		Triangles: a.triangles.all[s.triangle:][:p.Triangles:p.Triangles],
	}
	if p.Detail {
		d.Detail = a.detail.all[4*v:][: 4*n : 4*n]
	}
	if p.UV1 {
		d.UV1 = a.uv1.all[2*v:][: 2*n : 2*n]
	}
	return d
}

func (a *arena) close() {
	a.positions.close()
	a.surface.close()
	a.detail.close()
	a.uv1.close()
	a.triangles.close()
}

// space hands out ranges of 0..size, first fit: what is used stays at the low end.
type space struct {
	gaps []gap // ascending, never adjacent; the last one reaches to the end
	high int   // nothing from here on was ever used
}

type gap struct{ from, to int }

func newSpace(size int) space { return space{gaps: []gap{{0, size}}} }

func (s *space) alloc(n int) (at int, ok bool) {
	if n == 0 {
		return 0, true
	}
	for i := range s.gaps {
		g := &s.gaps[i]
		if g.to-g.from < n {
			continue
		}
		at = g.from
		if g.from += n; g.from == g.to {
			s.gaps = slices.Delete(s.gaps, i, i+1)
		}
		s.high = max(s.high, at+n)
		return at, true
	}
	return 0, false
}

func (s *space) free(at, n int) {
	if n == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(s.gaps, at, func(g gap, at int) int { return g.from - at })
	s.gaps = slices.Insert(s.gaps, i, gap{at, at + n})
	if i+1 < len(s.gaps) && s.gaps[i+1].from == at+n {
		s.gaps[i].to = s.gaps[i+1].to
		s.gaps = slices.Delete(s.gaps, i+1, i+2)
	}
	if i > 0 && s.gaps[i-1].to == at {
		s.gaps[i-1].to = s.gaps[i].to
		s.gaps = slices.Delete(s.gaps, i, i+1)
	}
}

package asset

import (
	"math/bits"

	"github.com/heliograph/heliograph/internal/mesh"
)

// Triangles of a cluster are coded as a walk over its surface: each shares an edge with one of the last few where it can, and
// vertices are numbered by their first use, so that most triangles are one byte of few values. The idea is that of
// meshoptimizer's index codec (Kapoulkine, EXT_meshopt_compression appendix A); the codes are our own.
//
// A code byte is edge<<4 | corner.
//
//	edge 0-14: the edge that many places back in the list of edges; the triangle is (a, b, z) with z by corner:
//	     0 the next new vertex, 1-14 the vertex that many places back in the list of vertices, 15 the next escape byte
//	edge 15: no such edge. Bit k of corner says that vertex k is new; else it is the next escape byte.
//
// After a triangle (a, b, c), z being c, the edges (a, c) and (c, b) join the list of edges, and before them (b, a) if the
// triangle was coded with edge 15: edges are noted in the direction in which a neighbour has them. New and escaped vertices
// join the list of vertices. Both lists start anew in each cluster, filled with zeros.
const (
	edgeEscape = 15
	cornerMiss = 15
)

// history is what both sides of the codec remember.
type history struct {
	edges    [16][2]uint8
	vertices [16]uint8
	edge     uint8 // next place
	vertex   uint8
	next     uint8 // the next new vertex
}

func (h *history) pushEdge(a, b uint8) {
	h.edges[h.edge&15] = [2]uint8{a, b}
	h.edge++
}

func (h *history) pushVertex(v uint8) {
	h.vertices[h.vertex&15] = v
	h.vertex++
}

// triangleEncoder codes the triangles of one cluster after another.
type triangleEncoder struct {
	codes, escapes []byte

	h        history
	rename   [256]int16 // vertex as given -> as coded, -1 = not seen
	order    []uint8    // vertices as given, in coded order
	heads    [512]int16 // hash of directed edges -> place in links, which is 4 times the triangle plus the corner at its start
	links    [4 * mesh.MaxTriangles]int16
	emitted  [mesh.MaxTriangles]bool
	open     uint16 // the entries of h.edges that may have a triangle not coded yet; what is closed stays so
	vertices int
}

func edgeHash(a, b uint8) uint32 { return (uint32(a)*31 + uint32(b)*97) & 511 }

// corner is corner k of a packed triangle.
func corner(t uint32, k int) uint8 { return uint8(t >> (8 * k)) }

// turned are the corners of a packed triangle from corner k on.
func turned(t uint32, k int) (a, b, c uint8) {
	w := (uint64(t) | uint64(t)<<24) >> (8 * k)
	return uint8(w), uint8(w >> 8), uint8(w >> 16)
}

// encode appends a cluster's triangles and returns the order into which they bring its vertices.
func (e *triangleEncoder) encode(tris []uint32, vertices int) (order []uint8) {
	e.h, e.open = history{}, 0
	e.order, e.vertices = e.order[:0], vertices
	for i := range e.rename {
		e.rename[i] = -1
	}
	for i := range e.heads {
		e.heads[i] = -1
	}
	clear(e.emitted[:])
	for i := len(tris) - 1; i >= 0; i-- { // backwards, so that chains are in order
		for k := range 3 {
			a, b, _ := turned(tris[i], k)
			head := &e.heads[edgeHash(a, b)]
			e.links[4*i+k] = *head
			*head = int16(4*i + k)
		}
	}
	start := 0
	for range tris {
		if !e.neighbour(tris) {
			for e.emitted[start] {
				start++
			}
			e.restart(tris[start])
			e.emitted[start] = true
		}
	}
	for v := range vertices {
		if e.rename[v] < 0 {
			e.order = append(e.order, uint8(v))
		}
	}
	return e.order
}

// neighbour codes a triangle that has one of the edges of the list, if there is any.
func (e *triangleEncoder) neighbour(tris []uint32) bool {
	// The latest edge is the highest bit; the lowest is too far back to have a code.
	for recent := bits.RotateLeft16(e.open, -int(e.h.edge&15)); recent > 1; {
		back := uint8(bits.LeadingZeros16(recent))
		recent &^= 0x8000 >> back
		at := (e.h.edge - 1 - back) & 15
		edge := e.h.edges[at]
		a, b := e.order[edge[0]], e.order[edge[1]]
		for l := e.heads[edgeHash(a, b)]; l >= 0; l = e.links[l] {
			i := l / 4
			from, to, third := turned(tris[i], int(l%4))
			if e.emitted[i] || from != a || to != b {
				continue
			}
			e.emitted[i] = true
			code, z := e.third(third)
			e.codes = append(e.codes, back<<4|code)
			e.pushEdge(edge[0], z)
			e.pushEdge(z, edge[1])
			return true
		}
		e.open &^= 1 << at
	}
	return false
}

// pushEdge notes an edge; one of a triangle without area has no neighbour.
func (e *triangleEncoder) pushEdge(a, b uint8) {
	at := e.h.edge & 15
	e.h.pushEdge(a, b)
	e.open &^= 1 << at
	if a != b {
		e.open |= 1 << at
	}
}

// third codes the vertex opposite to a known edge.
func (e *triangleEncoder) third(v uint8) (code, coded uint8) {
	if e.rename[v] < 0 {
		return 0, e.fresh(v)
	}
	coded = uint8(e.rename[v])
	for back := range uint8(cornerMiss - 1) {
		if e.h.vertices[(e.h.vertex-1-back)&15] == coded {
			return back + 1, coded
		}
	}
	e.escapes = append(e.escapes, coded)
	e.h.pushVertex(coded)
	return cornerMiss, coded
}

func (e *triangleEncoder) fresh(v uint8) uint8 {
	coded := e.h.next
	e.h.next++
	e.rename[v] = int16(coded)
	e.order = append(e.order, v)
	e.h.pushVertex(coded)
	return coded
}

func (e *triangleEncoder) restart(t uint32) {
	code := uint8(edgeEscape << 4)
	var coded [3]uint8
	for k := range 3 {
		v := corner(t, k)
		if e.rename[v] < 0 {
			code |= 1 << k
			coded[k] = e.fresh(v)
			continue
		}
		coded[k] = uint8(e.rename[v])
		e.escapes = append(e.escapes, coded[k])
		e.h.pushVertex(coded[k])
	}
	e.codes = append(e.codes, code)
	e.pushEdge(coded[1], coded[0])
	e.pushEdge(coded[0], coded[2])
	e.pushEdge(coded[2], coded[1])
}

// decodeTriangles decodes a cluster of len(dst) triangles, one code each, and returns the escapes that are left. It fails if
// a corner is not below vertices, or if there are too few escapes.
func decodeTriangles(dst []uint32, codes, escapes []byte, vertices uint32) (rest []byte, ok bool) {
	var h history
	codes = codes[:len(dst)]
	var worst uint8
	for i, code := range codes {
		var a, b, c uint8
		if code < edgeEscape<<4 {
			edge := h.edges[(h.edge-1-code>>4)&15]
			a, b = edge[0], edge[1]
			switch k := code & 15; k {
			case 0:
				c = h.next
				h.next++
				h.pushVertex(c)
			case cornerMiss:
				if len(escapes) == 0 {
					return nil, false
				}
				c, escapes = escapes[0], escapes[1:]
				h.pushVertex(c)
			default:
				c = h.vertices[(h.vertex-k)&15]
			}
		} else {
			var v [3]uint8
			for k := range v {
				if code>>k&1 != 0 {
					v[k] = h.next
					h.next++
				} else {
					if len(escapes) == 0 {
						return nil, false
					}
					v[k], escapes = escapes[0], escapes[1:]
				}
				h.pushVertex(v[k])
			}
			a, b, c = v[0], v[1], v[2]
			h.pushEdge(b, a)
		}
		h.pushEdge(a, c)
		h.pushEdge(c, b)
		worst = max(worst, a, b, c)
		dst[i] = uint32(a) | uint32(b)<<8 | uint32(c)<<16
	}
	return escapes, len(dst) == 0 || uint32(worst) < vertices
}

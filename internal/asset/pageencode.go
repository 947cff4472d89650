package asset

import (
	"crypto/sha256"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
)

// pageGroup is a group on its way into a page.
type pageGroup struct {
	members      *mesh.Mesh
	makers       []int32
	frame        frame
	firstCluster int // of its members, in the table of all clusters
}

// encodedPage is a page ready to be written.
type encodedPage struct {
	stored   []byte
	raw      int // length before compression
	digest   [sha256.Size]byte
	clusters []mesh.Cluster // of all groups, with bounds that hold for the quantised vertices
}

// pageEncoder encodes pages; it is the memory for that.
type pageEncoder struct {
	huffman  huffman
	tris     triangleEncoder
	raw      []byte
	bases    [7][]uint32
	grids    [7][]uint32
	others   [8][]uint32
	decoded  [mesh.MaxVertices]geom.Vec3
	base     [7]uint32 // of the cluster before
	previous [8]uint32 // of each attribute, of the vertex before
	cuts     []int     // where the frames of compression begin
}

func (e *pageEncoder) encode(l layout, groups []pageGroup) encodedPage {
	e.tris.codes, e.tris.escapes = e.tris.codes[:0], e.tris.escapes[:0]
	e.base, e.previous = [7]uint32{}, [8]uint32{}
	for i, bits := range l.attributes() {
		e.previous[i] = startOf(bits)
	}
	for i := range e.bases {
		e.bases[i], e.grids[i] = e.bases[i][:0], e.grids[i][:0]
	}
	for i := range e.others {
		e.others[i] = e.others[i][:0]
	}
	var out encodedPage
	for _, g := range groups {
		for _, c := range g.members.Clusters {
			out.clusters = append(out.clusters, e.cluster(l, g, c))
		}
	}
	e.assemble(l)
	out.raw = len(e.raw)
	out.digest = sha256.Sum256(e.raw)
	out.stored = e.compress()
	return out
}

// cluster appends one cluster to the columns and returns it with the bounds of its quantised vertices.
func (e *pageEncoder) cluster(l layout, g pageGroup, c mesh.Cluster) mesh.Cluster {
	m := g.members
	tris := m.Triangles[c.FirstTriangle:][:c.Triangles]
	order := e.tris.encode(tris, int(c.Vertices))
	for i, col := range l.grids() {
		scale := math.Ldexp(1, -int(g.frame.exp(col)))
		last := uint32(0)
		for j, at := range order {
			v := c.FirstVertex + uint32(at)
			var x float32
			switch col.of {
			case hasUV0:
				x = math.Float32frombits(m.Detail[4*v+uint32(col.part)])
			case hasUV1:
				x = m.UV1[2*v+uint32(col.part)]
			default:
				x = math.Float32frombits(m.Surface[4*v+uint32(col.part)])
			}
			q := uint32(quantise(x, scale))
			if col.of == isPoints {
				e.decoded[at][col.part] = float32(int32(q)) * step(g.frame.position)
			}
			if j == 0 {
				e.bases[i] = append(e.bases[i], zigzag(q-e.base[i]))
				e.base[i] = q
			} else {
				e.grids[i] = append(e.grids[i], zigzag(q-last))
			}
			last = q
		}
	}
	e.attributes(l, m, c.FirstVertex, order)
	return rebound(c, e.decoded[:c.Vertices], tris)
}

// attributes appends the directions and colours of a cluster's vertices.
func (e *pageEncoder) attributes(l layout, m *mesh.Mesh, first uint32, order []uint8) {
	bits := l.attributes()
	for _, at := range order {
		v := 4 * (first + uint32(at))
		var values [8]uint32
		vs := values[:0]
		if l.has(hasNormals) {
			x, y, z := unpackNormal(m.Surface[v+3])
			a, b := toOct(x, y, z, normalBits)
			vs = append(vs, a, b)
		}
		if l.has(hasTangents) {
			a, b := tangentOct(m.Detail[v+2])
			vs = append(vs, a, b)
		}
		if l.has(hasColors) {
			c := m.Detail[v+3]
			vs = append(vs, c&0xff, c>>8&0xff, c>>16&0xff, c>>24)
		}
		for i, x := range vs {
			e.others[i] = append(e.others[i], zigzag(wrap(x-e.previous[i], bits[i])))
			e.previous[i] = x
		}
	}
}

// assemble builds the raw page from the columns.
func (e *pageEncoder) assemble(l layout) {
	n := len(l.grids())
	columns := append(append(append(make([][]uint32, 0, 22), e.bases[:n]...), e.grids[:n]...), e.others[:len(l.attributes())]...)
	e.raw = le.AppendUint32(e.raw[:0], uint32(len(e.tris.escapes)))
	for _, c := range columns {
		e.raw = append(e.raw, byte(planesOf(c)))
	}
	e.cuts = append(e.cuts[:0], 0)
	e.cut()
	e.raw = append(e.raw, e.tris.codes...)
	e.cut()
	e.raw = append(e.raw, e.tris.escapes...)
	for i, c := range columns {
		for p := range e.raw[4+i] {
			e.cut()
			at := len(e.raw)
			e.raw = slices.Grow(e.raw, len(c))[:at+len(c)]
			plane := e.raw[at:]
			for k, v := range c[:len(plane)] {
				plane[k] = byte(v >> (8 * p))
			}
		}
	}
	e.cuts = append(e.cuts, len(e.raw))
}

// leastFrame is the least number of bytes that are worth statistics of their own.
const leastFrame = 400

// cut begins a new frame of compression: bytes of different statistics compress better apart.
func (e *pageEncoder) cut() {
	if n := len(e.raw); n-e.cuts[len(e.cuts)-1] >= leastFrame {
		e.cuts = append(e.cuts, n)
	}
}

// compress returns the raw page as one or more frames of zstd (RFC 8878), or as it is where that is shorter.
func (e *pageEncoder) compress() []byte {
	stored := make([]byte, 0, len(e.raw))
	for i, at := range e.cuts[1:] {
		if at > e.cuts[i] {
			stored = e.huffman.frame(stored, e.raw[e.cuts[i]:at])
		}
	}
	if stored = pad(stored, len(e.raw)); len(stored) >= len(e.raw) {
		return append(stored[:0], e.raw...)
	}
	return stored
}

// rebound gives c the bounds of its decoded vertices.
func rebound(c mesh.Cluster, pos []geom.Vec3, tris []uint32) mesh.Cluster {
	box := geom.Empty()
	for _, v := range pos {
		box = box.Extend(v)
	}
	c.Center = box.Center()
	var r float64
	for k := range 3 {
		c.Half[k] = nextUp(max(box.Max[k]-c.Center[k], c.Center[k]-box.Min[k]))
	}
	for _, v := range pos {
		var s float64
		for k := range 3 {
			d := float64(v[k]) - float64(c.Center[k])
			s += d * d
		}
		r = max(r, math.Sqrt(s))
	}
	c.Radius = nextUp(float32(r))
	c.ConeAxis, c.ConeCutoff = recone(c, pos, tris)
	return c
}

func nextUp(x float32) float32 { return math.Nextafter32(x, math.MaxFloat32) }

// recone widens the cone of c until it holds the normals of the decoded triangles, around an axis that the table can hold.
func recone(c mesh.Cluster, pos []geom.Vec3, tris []uint32) (axis geom.Vec3, cutoff float32) {
	if !(c.ConeCutoff <= 1) {
		return geom.Vec3{}, noCone
	}
	u, v := axisOct(c.ConeAxis)
	axis = octAxis(u, v)
	least := 1.0
	for _, t := range tris {
		a, b, d := pos[corner(t, 0)], pos[corner(t, 1)], pos[corner(t, 2)]
		var e, f, n [3]float64
		for k := range 3 {
			e[k], f[k] = float64(b[k])-float64(a[k]), float64(d[k])-float64(a[k])
		}
		n[0], n[1], n[2] = e[1]*f[2]-e[2]*f[1], e[2]*f[0]-e[0]*f[2], e[0]*f[1]-e[1]*f[0]
		l := math.Sqrt(n[0]*n[0] + n[1]*n[1] + n[2]*n[2])
		if l > 0 && !math.IsInf(l, 0) {
			least = min(least, (n[0]*float64(axis[0])+n[1]*float64(axis[1])+n[2]*float64(axis[2]))/l)
		}
	}
	if !(least > 0.1) {
		return geom.Vec3{}, noCone
	}
	cutoff = float32(math.Sqrt(max(0, 1-least*least))) + 1e-4
	// Rounded up to what the table holds.
	return axis, unpackCutoff(packCutoff(cutoff))
}

// noCone is the cutoff of clusters whose normals spread too far to cull by.
const noCone = 2

// cutoffScale is the resolution of cutoffs in the table.
const cutoffScale = 1 << 14

func packCutoff(c float32) uint16 {
	return uint16(min(math.Ceil(float64(c)*cutoffScale), noCone*cutoffScale))
}
func unpackCutoff(c uint16) float32 { return float32(c) / cutoffScale }

// axisOct and octAxis are the form of a cone's axis in the table.
func axisOct(a geom.Vec3) (u, v uint16) {
	x, y := toOct(float64(a[0]), float64(a[1]), float64(a[2]), axisBits)
	return uint16(x), uint16(y)
}

func octAxis(u, v uint16) geom.Vec3 {
	x, y, z := fromOct(uint32(u), uint32(v), axisBits)
	s := unitScale(x, y, z, 1)
	return geom.Vec3{float32(x) * s, float32(y) * s, float32(z) * s}
}

package asset

import (
	"math"

	"github.com/heliograph/heliograph/internal/mesh"
)

// layout says which attributes the vertices of a geometry have. The geometries of one page have the same.
type layout uint8

const (
	hasNormals layout = 1 << iota
	hasUV0
	hasTangents
	hasColors
	hasUV1
	isPoints
	knownLayout layout = 1<<iota - 1
)

func (l layout) has(any layout) bool { return l&any != 0 }

// detail reports whether vertices have the words of Mesh.Detail.
func (l layout) detail() bool { return l.has(hasUV0 | hasTangents | hasColors) }

// Limits of a page. A page holds whole groups; one that holds several has at most targetRaw bytes before compression.
const (
	targetRaw       = 128 << 10
	maxRaw          = 4 << 20
	maxPageVertices = 32768 // with padding
	maxPageTris     = 32768
)

// frame is how the numbers of a geometry's vertices are scaled.
type frame struct{ position, uv0, uv1 int8 }

// pageCluster is what decoding needs to know of a cluster; it stands in the tables.
type pageCluster struct {
	vertices, triangles uint8
	frame               frame
}

// padded is a number of vertices with the padding of mesh.Lane.
func padded[T int | uint32](n T) T { return (n + mesh.Lane - 1) / mesh.Lane * mesh.Lane }

// A page before compression is: the number of escape bytes (u32), a byte for each column, the codes of all triangles, the
// escapes, and the columns. A column is a list of numbers: the low bytes of all, then the next ones, as many as its byte says
// (0 = all are 0). All numbers are differences from the one before, with the sign in the lowest bit. First come the columns of
// bases, then those of the other grid coordinates, then those of directions and colours.

// gridColumn is one coordinate of the vertices that is quantised to a grid.
type gridColumn struct {
	of   layout // isPoints stands for the positions
	part int
}

// grids lists the grid coordinates of a layout, in the order of their columns.
func (l layout) grids() []gridColumn {
	cols := make([]gridColumn, 0, 7)
	for k := range 3 {
		cols = append(cols, gridColumn{isPoints, k})
	}
	for _, of := range []layout{hasUV0, hasUV1} {
		if l.has(of) {
			cols = append(cols, gridColumn{of, 0}, gridColumn{of, 1})
		}
	}
	return cols
}

// exp is the exponent of the grid of a column.
func (f frame) exp(c gridColumn) int8 {
	switch c.of {
	case hasUV0:
		return f.uv0
	case hasUV1:
		return f.uv1
	}
	return f.position
}

// attributes lists the modulus, in bits, of each of the other columns.
func (l layout) attributes() []int {
	bits := make([]int, 0, 8)
	if l.has(hasNormals) {
		bits = append(bits, normalBits, normalBits)
	}
	if l.has(hasTangents) {
		bits = append(bits, tangentBits+1, tangentBits)
	}
	if l.has(hasColors) {
		bits = append(bits, colorBits, colorBits, colorBits, colorBits)
	}
	return bits
}

// startOf is the number that the first one of an attribute's column differs from: opaque white makes columns of colours
// without colour disappear.
func startOf(bits int) uint32 {
	if bits == colorBits {
		return 1<<colorBits - 1
	}
	return 0
}

// zigzag puts the sign of a difference into its lowest bit, so that small ones have few bytes.
func zigzag(d uint32) uint32   { return d<<1 ^ uint32(int32(d)>>31) }
func unzigzag(z uint32) uint32 { return z>>1 ^ -(z & 1) }

// wrap takes a difference modulo 2^bits to the number of least magnitude.
func wrap(d uint32, bits int) uint32 { return uint32(int32(d<<(32-bits)) >> (32 - bits)) }

// planesOf is how many bytes the greatest value has.
func planesOf(values []uint32) int {
	var all uint32
	for _, v := range values {
		all |= v
	}
	n := 0
	for ; all > 0; all >>= 8 {
		n++
	}
	return n
}

// pageDecoder is the memory that decoding a page takes.
type pageDecoder struct {
	clusters    []pageCluster
	stored, raw []byte
	widths      []byte
	rest        []byte // of the raw page
	columns     [3][]uint32
	bases       [7][]uint32
}

// column reads the next column, of n numbers, into memory of the decoder.
func (d *pageDecoder) column(memory *[]uint32, n int) []uint32 {
	if cap(*memory) < n {
		*memory = make([]uint32, max(n, 4096))
	}
	dst := (*memory)[:n]
	width := int(d.widths[0])
	src := d.rest[:n*width]
	d.widths, d.rest = d.widths[1:], d.rest[n*width:]
	switch width {
	case 0:
		clear(dst)
	case 1:
		for i := range dst {
			dst[i] = unzigzag(uint32(src[i]))
		}
	case 2:
		p0, p1 := src[:n], src[n:2*n]
		for i := range dst {
			dst[i] = unzigzag(uint32(p0[i]) | uint32(p1[i])<<8)
		}
	case 3:
		p0, p1, p2 := src[:n], src[n:2*n], src[2*n:3*n]
		for i := range dst {
			dst[i] = unzigzag(uint32(p0[i]) | uint32(p1[i])<<8 | uint32(p2[i])<<16)
		}
	default:
		p0, p1, p2, p3 := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		for i := range dst {
			dst[i] = unzigzag(uint32(p0[i]) | uint32(p1[i])<<8 | uint32(p2[i])<<16 | uint32(p3[i])<<24)
		}
	}
	return dst
}

// decode decodes the raw page of the given clusters to dst, whose slices are nil or as long as mesh.PageInfo tells.
func (d *pageDecoder) decode(raw []byte, l layout, clusters []pageCluster, dst mesh.Page) error {
	grids, attributes := l.grids(), l.attributes()
	columns := 2*len(grids) + len(attributes)
	if len(raw) < 4+columns {
		return damaged("a page of %d bytes", len(raw))
	}
	tris, verts := 0, 0
	for _, c := range clusters {
		tris += int(c.triangles)
		verts += int(c.vertices)
	}
	escapes := le.Uint32(raw)
	d.widths, d.rest = raw[4:4+columns], raw[4+columns:]
	want := int64(tris) + int64(escapes)
	for i, w := range d.widths {
		if w > 4 {
			return damaged("numbers of %d bytes in a page", w)
		}
		n := verts
		if i < len(grids) {
			n = len(clusters)
		} else if i < 2*len(grids) {
			n = verts - len(clusters)
		}
		want += int64(n) * int64(w)
	}
	if want != int64(len(d.rest)) {
		return damaged("a page has %d bytes of numbers, want %d", len(d.rest), want)
	}
	codes, escaped := d.rest[:tris], d.rest[tris:][:escapes]
	if !decodeClusters(dst.Triangles, codes, escaped, clusters) {
		return damaged("triangles of vertices that do not exist")
	}
	d.rest = d.rest[tris+int(escapes):]
	for i := range grids {
		d.column(&d.bases[i], len(clusters))
	}
	for i, c := range grids {
		values := d.column(&d.columns[0], verts-len(clusters))
		if !placeGrid(dst, c, clusters, d.bases[i], values) {
			return damaged("a coordinate far off its grid")
		}
	}
	d.attributes(l, clusters, verts, dst)
	return nil
}

// decodeClusters decodes the triangles of all clusters; dst is nil or has as many as there are codes.
func decodeClusters(dst []uint32, codes, escapes []byte, clusters []pageCluster) bool {
	if dst == nil {
		return true
	}
	for _, c := range clusters {
		n := int(c.triangles)
		var ok bool
		if escapes, ok = decodeTriangles(dst[:n], codes, escapes, uint32(c.vertices)); !ok {
			return false
		}
		dst, codes = dst[n:], codes[n:]
	}
	return len(escapes) == 0
}

// placeGrid sums up one grid coordinate and puts it where it belongs.
func placeGrid(dst mesh.Page, c gridColumn, clusters []pageCluster, bases, values []uint32) bool {
	var lane [mesh.MaxVertices + 1]float32
	var base, off uint32
	first := 0
	for i, cl := range clusters {
		base += bases[i]
		scale := step(cl.frame.exp(c))
		n := int(cl.vertices)
		v := base
		off |= v + maxGrid
		lane[0] = float32(int32(v)) * scale
		out := lane[1:n]
		for j, d := range values[:len(out)] {
			v += d
			off |= v + maxGrid
			out[j] = float32(int32(v)) * scale
		}
		values = values[len(out):]
		end := padded(n)
		for j := n; j < end; j++ {
			lane[j] = lane[n-1]
		}
		switch {
		case c.of == isPoints:
			if dst.Positions != nil {
				at := dst.Positions[3*first+c.part*mesh.Lane:]
				for j := 0; j < end; j += mesh.Lane {
					copy(at[3*j:], lane[j:j+mesh.Lane])
				}
			}
			scatter(dst.Surface, 4, first, c.part, lane[:end])
		case c.of == hasUV0:
			scatter(dst.Detail, 4, first, c.part, lane[:end])
		case dst.UV1 != nil:
			for j, x := range lane[:end] {
				dst.UV1[2*(first+j)+c.part] = x
			}
		}
		first += end
	}
	return off>>26 == 0 // within three times the grid: finite at any scale
}

// scatter puts the bits of values into a word of each vertex.
func scatter(dst []uint32, words, first, word int, values []float32) {
	if dst == nil {
		return
	}
	dst = dst[words*first+word:]
	for j, x := range values {
		dst[words*j] = math.Float32bits(x)
	}
}

// attributes decodes normals, tangents and colours, and fills the words that have none.
func (d *pageDecoder) attributes(l layout, clusters []pageCluster, verts int, dst mesh.Page) {
	if l.has(hasNormals) {
		u, v := d.column(&d.columns[0], verts), d.column(&d.columns[1], verts)
		if dst.Surface != nil {
			directions(dst.Surface[3:], clusters, u, v, normalBits, normalBits, packNormals)
		}
	} else if dst.Surface != nil {
		fill(dst.Surface[3:], 0)
	}
	if dst.Detail == nil {
		return
	}
	if !l.has(hasUV0) {
		fill(dst.Detail, 0)
		fill(dst.Detail[1:], 0)
	}
	if l.has(hasTangents) {
		u, v := d.column(&d.columns[0], verts), d.column(&d.columns[1], verts)
		directions(dst.Detail[2:], clusters, u, v, tangentBits+1, tangentBits, packTangents)
	} else {
		fill(dst.Detail[2:], 0)
	}
	fill(dst.Detail[3:], ^uint32(0))
	if l.has(hasColors) {
		fill(dst.Detail[3:], 0)
		for k := range 4 {
			channel(dst.Detail[3:], clusters, d.column(&d.columns[0], verts), 8*k)
		}
	}
}

// fill sets every fourth word.
func fill(dst []uint32, word uint32) {
	for i := 0; i < len(dst); i += 4 {
		dst[i] = word
	}
}

// directions sums up two columns and puts the packed direction into every fourth word.
func directions(dst []uint32, clusters []pageCluster, us, vs []uint32, bitsU, bitsV int, pack func(us, vs []uint32)) {
	sum := func(values []uint32, bits int) {
		var v uint32
		mask := uint32(1)<<bits - 1
		for i, d := range values {
			v = (v + d) & mask
			values[i] = v
		}
	}
	sum(us, bitsU)
	sum(vs, bitsV)
	pack(us, vs)
	at := 0
	for _, c := range clusters {
		n := int(c.vertices)
		for _, word := range us[:n] {
			dst[at] = word
			at += 4
		}
		for range padded(n) - n {
			dst[at] = us[n-1]
			at += 4
		}
		us = us[n:]
	}
}

// channel sums up one channel of the colours and adds it to every fourth word.
func channel(dst []uint32, clusters []pageCluster, values []uint32, shift int) {
	v := startOf(colorBits)
	at := 0
	for _, c := range clusters {
		n := int(c.vertices)
		for _, d := range values[:n] {
			v = (v + d) & (1<<colorBits - 1)
			dst[at] |= v << shift
			at += 4
		}
		for range padded(n) - n {
			dst[at] |= v << shift
			at += 4
		}
		values = values[n:]
	}
}

package meshopt

import (
	"encoding/binary"
	"fmt"
)

const (
	headerTriangles = 0xe1
	headerIndices   = 0xd1
	codeTable       = 16 // bytes at the end of triangles
	indicesTail     = 4  // padding at the end of indices
)

// output stores indices of 2 or 4 bytes.
type output struct {
	bytes []byte
	size  int
}

func (o *output) put(v uint32) {
	if o.size == 2 {
		binary.LittleEndian.PutUint16(o.bytes, uint16(v))
	} else {
		binary.LittleEndian.PutUint32(o.bytes, v)
	}
	o.bytes = o.bytes[o.size:]
}

// varint takes an unsigned LEB128 number of at most 32 bits.
func (r *reader) varint() (v uint32, ok bool) {
	for shift := 0; shift < 35; shift += 7 {
		b := r.take(1)
		if b == nil {
			return 0, false
		}
		v |= uint32(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return v, true
		}
	}
	return 0, false
}

func dezig(v uint32) uint32 { return v>>1 ^ -(v & 1) }

// vertexFIFO and edgeFIFO remember the latest 16 vertices and edges. Places not filled yet hold an index that no mesh has.
type vertexFIFO struct {
	ring [16]uint32
	next int
}

func (f *vertexFIFO) push(v uint32) {
	f.ring[f.next&15] = v
	f.next++
}

func (f *vertexFIFO) get(back byte) uint32 { return f.ring[(f.next-1-int(back))&15] }

type edgeFIFO struct {
	ring [16][2]uint32
	next int
}

func (f *edgeFIFO) push(a, b uint32) {
	f.ring[f.next&15] = [2]uint32{a, b}
	f.next++
}

func (f *edgeFIFO) get(back byte) (a, b uint32) {
	e := &f.ring[(f.next-1-int(back))&15]
	return e[0], e[1]
}

// corner decodes the vertices of triangles.
type corner struct {
	data       reader
	next, last uint32 // the lowest index not used yet, and the one that differences refer to
	vertices   vertexFIFO
	short      bool
}

// difference reads an index that is stored as a difference.
func (c *corner) difference() uint32 {
	v, ok := c.data.varint()
	c.short = c.short || !ok
	c.last += dezig(v)
	return c.last
}

func (c *corner) fresh() uint32 {
	c.next++
	return c.next - 1
}

// coded reads a vertex by a code of four bits: a new one, a recent one, or any (appendix A, mode 1).
func (c *corner) coded(code byte) uint32 {
	switch code {
	case 0:
		return c.fresh()
	case 15:
		return c.difference()
	}
	return c.vertices.get(code - 1)
}

// remember puts what coded returned into the FIFO, unless it came from there.
func (c *corner) remember(code byte, v uint32) {
	if code == 0 || code == 15 {
		c.vertices.push(v)
	}
}

// triangles decodes mode 1.
func triangles(dst output, src []byte, count int) error {
	if src[0] != headerTriangles {
		return fmt.Errorf("triangles begin with %#x, not %#x", src[0], headerTriangles)
	}
	n := count / 3
	if len(src) < 1+n+codeTable {
		return errShort
	}
	codes, table := src[1:1+n], src[len(src)-codeTable:]
	c := corner{data: reader{src[1+n : len(src)-codeTable]}}
	var edges edgeFIFO
	for i := range c.vertices.ring {
		c.vertices.ring[i] = ^uint32(0)
		edges.ring[i] = [2]uint32{^uint32(0), ^uint32(0)}
	}
	for _, code := range codes {
		var v0, v1, v2 uint32
		high, low := code>>4, code&15
		if high < 15 { // on the edge of a triangle before
			v0, v1 = edges.get(high)
			v2 = c.third(low)
		} else {
			v0, v1, v2 = c.apart(low, table)
			edges.push(v1, v0)
		}
		if c.short {
			return errShort
		}
		edges.push(v2, v1)
		edges.push(v0, v2)
		dst.put(v0)
		dst.put(v1)
		dst.put(v2)
	}
	if len(c.data.rest) > 0 {
		return errLong
	}
	return nil
}

// third decodes the vertex that makes a triangle of an edge.
func (c *corner) third(code byte) (v uint32) {
	switch code {
	case 0:
		v = c.fresh()
	case 13:
		c.last--
		v = c.last
	case 14:
		c.last++
		v = c.last
	case 15:
		v = c.difference()
	default:
		return c.vertices.get(code)
	}
	c.vertices.push(v)
	return v
}

// apart decodes a triangle that shares no recent edge. Its codes are in the table, or follow in the data.
func (c *corner) apart(code byte, table []byte) (v0, v1, v2 uint32) {
	var pair byte
	if code < 14 {
		pair = table[code]
	} else {
		b := c.data.take(1)
		if b == nil {
			c.short = true
			return 0, 0, 0
		}
		if pair = b[0]; pair == 0 {
			c.next = 0
		}
	}
	if code == 15 {
		v0 = c.difference()
	} else {
		v0 = c.fresh()
	}
	v1 = c.coded(pair >> 4)
	v2 = c.coded(pair & 15)
	c.vertices.push(v0)
	c.remember(pair>>4, v1)
	c.remember(pair&15, v2)
	return v0, v1, v2
}

// indices decodes mode 2: differences to either of two earlier indices.
func indices(dst output, src []byte, count int) error {
	if src[0] != headerIndices {
		return fmt.Errorf("indices begin with %#x, not %#x", src[0], headerIndices)
	}
	if len(src) < 1+indicesTail {
		return errShort
	}
	r := reader{src[1 : len(src)-indicesTail]}
	var last [2]uint32
	for range count {
		v, ok := r.varint()
		if !ok {
			return errShort
		}
		k := v & 1
		last[k] += dezig(v >> 1)
		dst.put(last[k])
	}
	if len(r.rest) > 0 {
		return errLong
	}
	return nil
}

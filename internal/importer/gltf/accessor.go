package gltf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
)

// Component types of glTF 2.0 section 3.6.2.2.
const (
	typeByte   = 5120
	typeUbyte  = 5121
	typeShort  = 5122
	typeUshort = 5123
	typeUint   = 5125
	typeFloat  = 5126
)

var componentBytes = map[integer]int64{typeByte: 1, typeUbyte: 1, typeShort: 2, typeUshort: 2, typeUint: 4, typeFloat: 4}

var components = map[string]int64{"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

// elementBytes is the size of one element; the columns of matrices are aligned to 4 bytes (section 3.6.2.4).
func elementBytes(typ string, componentType integer) int64 {
	size := components[typ] * componentBytes[componentType]
	switch {
	case typ == "MAT2" && size == 4:
		return 8
	case typ == "MAT3" && size == 9:
		return 12
	case typ == "MAT3" && size == 18:
		return 24
	}
	return size
}

// view is an accessor resolved to bytes: element i is data[i*stride : i*stride+size].
type view struct {
	data          []byte // nil = all zeros
	missing       bool   // the bytes lie in a buffer without data: sizes are right, but nothing can be read
	stride, size  int64
	count         int64
	componentType integer
	components    int64
	normalized    bool
	sparse        *sparseView
}

type sparseView struct {
	indices []int64 // ascending, each below count
	values  []byte
}

// span returns the length of a buffer view, and its bytes, which are nil when its buffer has no data of its own (as
// the fallback of a compressed one may have).
func (l *loader) span(index *integer, at string) (length int64, data []byte, err error) {
	if index == nil {
		return 0, nil, fail(at, "bufferView is missing")
	}
	i := *index
	if i < 0 || i >= integer(len(l.doc.BufferViews)) {
		return 0, nil, fail(at+"/bufferView", "there is no buffer view %d", i)
	}
	bv := &l.doc.BufferViews[i] // validate has checked it
	if data = bv.unpacked; data != nil {
		return int64(bv.ByteLength), data, nil
	}
	if data = l.buffers[*bv.Buffer]; data != nil {
		data = data[bv.ByteOffset : bv.ByteOffset+bv.ByteLength]
	}
	return int64(bv.ByteLength), data, nil
}

// bytesOf returns the bytes of a buffer view.
func (l *loader) bytesOf(index *integer, at string) ([]byte, error) {
	_, data, err := l.span(index, at)
	if err == nil && data == nil {
		err = errNoData(at)
	}
	return data, err
}

func errNoData(at string) error { return fail(at, "its bytes lie in a buffer without data") }

// view resolves accessor i, with all its sizes checked against the bytes that are really there.
func (l *loader) view(i integer) (*view, error) {
	at := fmt.Sprintf("/accessors/%d", i)
	if i < 0 || i >= integer(len(l.doc.Accessors)) {
		return nil, fail("", "there is no accessor %d", i)
	}
	a := &l.doc.Accessors[i]
	if a.at != "" {
		at = a.at
	}
	v := &view{count: int64(a.Count), componentType: a.ComponentType, normalized: a.Normalized}
	v.components = components[a.Type]
	v.size = elementBytes(a.Type, a.ComponentType)
	v.stride = v.size
	switch {
	case componentBytes[a.ComponentType] == 0:
		return nil, fail(at+"/componentType", "%d is not a component type", a.ComponentType)
	case v.components == 0:
		return nil, fail(at+"/type", "%q is not an element type", a.Type)
	case a.Count < 1:
		return nil, fail(at+"/count", "%d elements", a.Count)
	case a.ByteOffset < 0:
		return nil, fail(at+"/byteOffset", "%d is negative", a.ByteOffset)
	}
	switch {
	case a.unpacked != nil:
		v.data = a.unpacked
	case a.BufferView != nil:
		length, data, err := l.span(a.BufferView, at)
		if err != nil {
			return nil, err
		}
		if s := l.doc.BufferViews[*a.BufferView].ByteStride; s != nil {
			if *s < integer(v.size) {
				return nil, fail(fmt.Sprintf("/bufferViews/%d/byteStride", *a.BufferView), "%d is less than an element's %d bytes", *s, v.size)
			}
			v.stride = int64(*s)
		}
		if need := int64(a.ByteOffset) + v.stride*(v.count-1) + v.size; need > length {
			return nil, fail(at, "%d elements need %d bytes, buffer view %d has %d", v.count, need, *a.BufferView, length)
		}
		if data == nil {
			v.missing = true
		} else {
			v.data = data[a.ByteOffset:]
		}
	}
	if a.Sparse != nil {
		if err := l.sparse(v, a, at+"/sparse"); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// sparse reads the indices of a sparse accessor (section 3.6.2.3).
func (l *loader) sparse(v *view, a *accessor, at string) error {
	s := a.Sparse
	if s.Count < 1 || s.Count > a.Count {
		return fail(at+"/count", "%d of %d elements", s.Count, a.Count)
	}
	switch s.Indices.ComponentType {
	case typeUbyte, typeUshort, typeUint:
	default:
		return fail(at+"/indices/componentType", "%d is not an index type", s.Indices.ComponentType)
	}
	size, n := componentBytes[s.Indices.ComponentType], int64(s.Count)
	length, raw, err := l.span(s.Indices.BufferView, at+"/indices")
	if err != nil {
		return err
	}
	if o := int64(s.Indices.ByteOffset); o < 0 || o+n*size > length {
		return fail(at+"/indices", "%d indices at offset %d exceed the %d bytes of the buffer view", n, o, length)
	}
	length, values, err := l.span(s.Values.BufferView, at+"/values")
	if err != nil {
		return err
	}
	if o := int64(s.Values.ByteOffset); o < 0 || o+n*v.size > length {
		return fail(at+"/values", "%d values at offset %d exceed the %d bytes of the buffer view", n, o, length)
	}
	if raw == nil || values == nil {
		v.missing = true
		return nil
	}
	if err := l.take(8*n, at); err != nil {
		return err
	}
	v.sparse = &sparseView{indices: make([]int64, n), values: values[s.Values.ByteOffset:]}
	raw = raw[s.Indices.ByteOffset:]
	last := int64(-1)
	for i := range v.sparse.indices {
		x := int64(unsigned(raw, int64(i)*size, size))
		if x <= last || x >= v.count {
			return fail(at+"/indices", "index %d after %d, of %d elements", x, last, v.count)
		}
		v.sparse.indices[i], last = x, x
	}
	return nil
}

func unsigned(b []byte, at, size int64) uint32 {
	switch size {
	case 1:
		return uint32(b[at])
	case 2:
		return uint32(binary.LittleEndian.Uint16(b[at:]))
	}
	return binary.LittleEndian.Uint32(b[at:])
}

// vector is what attributes decode to.
type vector interface {
	geom.Vec2 | geom.Vec3 | geom.Vec4 | vec1
}

// vec1 is one component.
type vec1 [1]float32

// vectors decodes accessor i to float vectors: those of the elements in pick, or all for nil. Components that the
// accessor does not have keep the value of fill.
func vectors[V vector](l *loader, i integer, pick []uint32, at string, fill V, types ...string) ([]V, error) {
	v, err := l.view(i)
	if err != nil {
		return nil, err
	}
	typ, ok := l.doc.Accessors[i].Type, false
	for _, t := range types {
		ok = ok || t == typ
	}
	if !ok || v.componentType == typeUint {
		return nil, fail(at, "accessor %d has elements %s of type %d, expected %v", i, typ, v.componentType, types)
	}
	if v.missing {
		return nil, errNoData(fmt.Sprintf("/accessors/%d", i))
	}
	n := int(v.components)
	if pick != nil && v.sparse == nil && v.data != nil {
		if err := l.take(int64(len(pick))*int64(len(fill))*4, at); err != nil {
			return nil, err
		}
		out := slices.Repeat([]V{fill}, len(pick))
		for k, i := range pick {
			element(&out[k], v, v.data[int64(i)*v.stride:], n)
		}
		return out, nil
	}
	if err := l.take(v.count*int64(len(fill))*4, at); err != nil {
		return nil, err
	}
	out := slices.Repeat([]V{fill}, int(v.count))
	if v.data != nil {
		for i := range out {
			element(&out[i], v, v.data[int64(i)*v.stride:], n)
		}
	} else {
		for i := range out {
			element(&out[i], v, zeros[:], n)
		}
	}
	if v.sparse != nil {
		for k, i := range v.sparse.indices {
			element(&out[i], v, v.sparse.values[int64(k)*v.size:], n)
		}
	}
	if pick != nil {
		out = spread(out, pick)
	}
	return out, nil
}

var zeros [16]byte

// element converts the first n components at b (section 3.6.2.2 and, for normalized integers, 3.11).
func element[V vector](out *V, v *view, b []byte, n int) {
	switch v.componentType {
	case typeFloat:
		b = b[:4*n]
		for c := range n {
			(*out)[c] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*c:]))
		}
	case typeUbyte:
		for c := range n {
			(*out)[c] = scaled(float32(b[c]), 255, v.normalized)
		}
	case typeByte:
		for c := range n {
			(*out)[c] = scaled(float32(int8(b[c])), 127, v.normalized)
		}
	case typeUshort:
		for c := range n {
			(*out)[c] = scaled(float32(binary.LittleEndian.Uint16(b[2*c:])), 65535, v.normalized)
		}
	case typeShort:
		for c := range n {
			(*out)[c] = scaled(float32(int16(binary.LittleEndian.Uint16(b[2*c:]))), 32767, v.normalized)
		}
	}
}

func scaled(x, most float32, normalized bool) float32 {
	if !normalized {
		return x
	}
	return max(x/most, -1)
}

// indices decodes accessor i to vertex indices, all below vertices.
func (l *loader) indices(i, vertices integer, at string) ([]uint32, error) {
	v, err := l.view(i)
	if err != nil {
		return nil, err
	}
	switch v.componentType {
	case typeUbyte, typeUshort, typeUint:
	default:
		return nil, fail(at, "accessor %d has component type %d, which is not an index type", i, v.componentType)
	}
	if v.components != 1 {
		return nil, fail(at, "accessor %d is not SCALAR", i)
	}
	if v.missing {
		return nil, errNoData(fmt.Sprintf("/accessors/%d", i))
	}
	if err := l.take(4*v.count, at); err != nil {
		return nil, err
	}
	out := make([]uint32, v.count)
	if v.data != nil {
		for i := range out {
			out[i] = unsigned(v.data, int64(i)*v.stride, v.size)
		}
	}
	if v.sparse != nil {
		for k, i := range v.sparse.indices {
			out[i] = unsigned(v.sparse.values, int64(k)*v.size, v.size)
		}
	}
	for k, x := range out {
		if integer(x) >= vertices {
			return nil, fail(at, "index %d at position %d is not below the %d vertices", x, k, vertices)
		}
	}
	return out, nil
}

package fbx

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/heliograph/heliograph/internal/importer"
)

// node is one record of an FBX file: a name, values and nested records.
type node struct {
	name   string
	values []value
	nodes  []node
}

type kind uint8

const (
	kindInt kind = iota
	kindFloat
	kindString
	kindBytes
	kindArray
)

// value is one value of a record. It refers to the bytes of the file, and an array stays encoded until it is used.
type value struct {
	kind kind
	elem byte   // of an array and of one byte: the binary type letter; 't' for an array as text
	zip  bool   // an array is a zlib stream
	num  uint64 // the bits of an int64 or a float64, or the length of a binary array
	data []byte
}

const (
	nodeBytes  = 72 // that a node takes in memory
	valueBytes = 48
	maxDepth   = 48 // the deepest files that programs write nest 10 levels
)

// child is the first record of that name below n, nil = none. It may be called on nil.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.nodes {
		if n.nodes[i].name == name {
			return &n.nodes[i]
		}
	}
	return nil
}

func (n *node) value(i int) value {
	if n == nil || i >= len(n.values) {
		return value{}
	}
	return n.values[i]
}

// text is value i as a string, "" where it is none.
func (n *node) text(i int) string {
	if v := n.value(i); v.kind == kindString {
		return string(v.data)
	}
	return ""
}

// number is value i as a number, 0 where it is none.
func (n *node) number(i int) float64 {
	f, _ := n.value(i).float()
	return f
}

func (n *node) int(i int) int64 {
	v := n.value(i)
	switch v.kind {
	case kindInt:
		return int64(v.num)
	case kindFloat:
		return int64(math.Float64frombits(v.num))
	}
	return 0
}

func (v value) float() (float64, bool) {
	switch v.kind {
	case kindInt:
		return float64(int64(v.num)), true
	case kindFloat:
		return math.Float64frombits(v.num), true
	}
	return 0, false
}

// number is what arrays decode to.
type number interface {
	int32 | int64 | float32 | float64
}

// array decodes all numbers of a record: those of its array, or of its values. nil has none. The memory comes out of the
// budget for good, so that a file cannot name one array a thousand times.
func array[T number](f *file, n *node) ([]T, error) {
	if n == nil {
		return nil, nil
	}
	if a := n.child("a"); a != nil && len(n.values) <= 1 { // ASCII: *N { a: ... }
		n = a
	}
	if len(n.values) == 1 && n.values[0].kind == kindArray {
		out, err := decode[T](f, n.values[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		return out, nil
	}
	if err := f.budget.Take(8 * int64(len(n.values))); err != nil {
		return nil, err
	}
	out := make([]T, 0, len(n.values))
	for _, v := range n.values {
		switch v.kind {
		case kindInt:
			out = append(out, T(int64(v.num)))
		case kindFloat:
			out = append(out, T(math.Float64frombits(v.num)))
		case kindArray:
			more, err := decode[T](f, v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n.name, err)
			}
			out = append(out, more...)
		default:
			return nil, fmt.Errorf("%s: %.40q is not a number", n.name, v.data)
		}
	}
	return out, nil
}

func elemSize(elem byte) uint64 {
	switch elem {
	case 'd', 'l':
		return 8
	case 'f', 'i':
		return 4
	}
	return 1 // 'b', 'c'
}

func decode[T number](f *file, v value) ([]T, error) {
	if v.elem == 't' {
		return decodeText[T](f, v.data)
	}
	// Deflate makes at most 1032 bytes out of one, so that the length cannot lie by more.
	if v.zip && v.num*elemSize(v.elem) > 1032*uint64(len(v.data))+64 {
		return nil, errors.New("an array is longer than its data")
	}
	if err := f.budget.Take(8 * int64(v.num)); err != nil {
		return nil, err
	}
	out := make([]T, v.num)
	if !v.zip {
		convert(out, v.data, v.elem, f.order)
		return out, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(v.data))
	if err != nil {
		return nil, err
	}
	size := int(elemSize(v.elem))
	chunk := make([]byte, min(1<<16, size*len(out)))
	for rest := out; len(rest) > 0; {
		n := min(len(rest), len(chunk)/size)
		if _, err := io.ReadFull(z, chunk[:n*size]); err != nil {
			return nil, err
		}
		convert(rest[:n], chunk, v.elem, f.order)
		rest = rest[n:]
	}
	return out, nil
}

func convert[T number](out []T, b []byte, elem byte, order binary.ByteOrder) {
	switch elem {
	case 'd':
		for i := range out {
			out[i] = T(math.Float64frombits(order.Uint64(b[8*i:])))
		}
	case 'f':
		for i := range out {
			out[i] = T(math.Float32frombits(order.Uint32(b[4*i:])))
		}
	case 'l':
		for i := range out {
			out[i] = T(int64(order.Uint64(b[8*i:])))
		}
	case 'i':
		for i := range out {
			out[i] = T(int32(order.Uint32(b[4*i:])))
		}
	default:
		for i := range out {
			out[i] = T(b[i])
		}
	}
}

func decodeText[T number](f *file, text []byte) ([]T, error) {
	n := bytes.Count(text, []byte(",")) + 1
	if err := f.budget.Take(8 * int64(n)); err != nil {
		return nil, err
	}
	out := make([]T, 0, n)
	for p := (&ascii{b: text}); ; {
		p.skip()
		if p.i >= len(text) {
			return out, nil
		}
		if text[p.i] == ',' {
			p.i++
			continue
		}
		w := p.word()
		if len(w) == 0 {
			return nil, fmt.Errorf("%.20q is not a number", text[p.i:])
		}
		if v, ok := parseInt(w); ok {
			out = append(out, T(v))
			continue
		}
		v, err := parseFloat(w)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a number", w)
		}
		out = append(out, T(v))
	}
}

// parseInt reads an integer; ok is false for all else.
func parseInt(w []byte) (v int64, ok bool) {
	digits := w
	if len(w) > 0 && w[0] == '-' {
		digits = w[1:]
	}
	const safe = 18 // digits that fit
	if len(digits) == 0 || len(digits) > safe {
		v, err := strconv.ParseInt(string(w), 10, 64)
		return v, err == nil
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + int64(c-'0')
	}
	if len(digits) < len(w) {
		v = -v
	}
	return v, true
}

// parseFloat knows how Microsoft's C library writes what is not a number; its place is taken by 0.
func parseFloat(w []byte) (float64, error) {
	if i := bytes.IndexByte(w, '#'); i > 0 && (w[0] == '1' || w[0] == '-') {
		return 0, nil
	}
	v, err := strconv.ParseFloat(string(w), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, err
	}
	return v, nil
}

// spend takes the memory of parsed records out of the budget.
func spend(b *importer.Budget, nodes, values int) error {
	return b.Take(int64(nodes)*nodeBytes + int64(values)*valueBytes)
}

package fbx

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/importer"
)

// encoding is a way to write a binary file.
type encoding struct {
	version int
	order   binary.ByteOrder
	zip     bool
}

// encodeBinary writes a text file as a binary one, for tests of what both must mean.
func encodeBinary(tb testing.TB, text string, e encoding) []byte {
	tb.Helper()
	f, err := parseASCII([]byte(text), newBudget(1<<30))
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(magic + "\x1a")
	if e.order == binary.BigEndian {
		b.WriteByte(1)
	} else {
		b.WriteByte(0)
	}
	e.put(&b, uint32(e.version))
	for i := range f.root.nodes {
		e.node(tb, &b, f, &f.root.nodes[i])
	}
	b.Write(make([]byte, 25))
	return b.Bytes()
}

func newBudget(n int64) *importer.Budget {
	b := new(importer.Budget)
	b.Set(n)
	return b
}

func (e encoding) put(b *bytes.Buffer, v any) { _ = binary.Write(b, e.order, v) } // a buffer takes all

func (e encoding) node(tb testing.TB, b *bytes.Buffer, f *file, n *node) {
	tb.Helper()
	head := 13
	if e.version >= 7500 {
		head = 25
	}
	start := b.Len()
	b.Write(make([]byte, head))
	b.WriteString(n.name)
	values, nodes := n.values, n.nodes
	if a := n.child("a"); a != nil { // *N { a: ... } is one array
		values, nodes = a.values, nil
	}
	first, count := b.Len(), len(values)
	if array := arrays[n.name]; array != 0 {
		e.array(tb, b, f, n, array)
		count = 1
	} else {
		for _, v := range values {
			e.value(b, v, n.name == "Key")
		}
	}
	length := b.Len() - first
	for i := range nodes {
		e.node(tb, b, f, &nodes[i])
	}
	if len(nodes) > 0 {
		b.Write(make([]byte, head))
	}
	var h bytes.Buffer
	if e.version >= 7500 {
		e.put(&h, []uint64{uint64(b.Len()), uint64(count), uint64(length)})
	} else {
		e.put(&h, []uint32{uint32(b.Len()), uint32(count), uint32(length)})
	}
	h.WriteByte(byte(len(n.name)))
	copy(b.Bytes()[start:], h.Bytes())
}

// arrays are the records that hold arrays in binary files, with their types.
var arrays = map[string]byte{
	"Vertices": 'd', "PolygonVertexIndex": 'i', "Edges": 'i', "Normals": 'd', "NormalsIndex": 'i', "UV": 'd', "UVIndex": 'i', "Colors": 'd',
	"Materials": 'i', "Smoothing": 'i', "Indexes": 'i', "Weights": 'd', "Transform": 'd', "FullWeights": 'd', "KeyTime": 'l',
	"KeyValueFloat": 'f', "KeyAttrFlags": 'i', "KeyAttrDataFloat": 'f', "KeyAttrRefCount": 'i',
}

func (e encoding) array(tb testing.TB, b *bytes.Buffer, f *file, n *node, elem byte) {
	tb.Helper()
	v, err := array[float64](f, n)
	if err != nil {
		tb.Fatal(err)
	}
	var raw bytes.Buffer
	for _, x := range v {
		switch elem {
		case 'd':
			e.put(&raw, x)
		case 'f':
			e.put(&raw, float32(x))
		case 'i':
			e.put(&raw, int32(x))
		case 'l':
			e.put(&raw, int64(x))
		}
	}
	b.WriteByte(elem)
	packed := raw.Bytes()
	zipped := uint32(0)
	if e.zip {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(packed)
		_ = w.Close()
		packed, zipped = z.Bytes(), 1
	}
	e.put(b, []uint32{uint32(len(v)), zipped, uint32(len(packed))})
	b.Write(packed)
}

// value writes one value; the letters of a list of keys are bytes.
func (e encoding) value(b *bytes.Buffer, v value, letters bool) {
	switch v.kind {
	case kindInt:
		b.WriteByte('L')
		e.put(b, v.num)
	case kindFloat:
		b.WriteByte('D')
		e.put(b, v.num)
	case kindString:
		s := string(v.data)
		if letters {
			b.WriteByte('C')
			b.WriteByte(s[0])
			return
		}
		if class, name, ok := strings.Cut(s, "::"); ok {
			s = name + separator + class
		}
		b.WriteByte('S')
		e.put(b, uint32(len(s)))
		b.WriteString(s)
	default:
		panic("no value of text files")
	}
}

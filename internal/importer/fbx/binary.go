package fbx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/importer"
)

const magic = "Kaydara FBX Binary  \x00"

var errTruncated = errors.New("the file ends too early")

// binaryParser reads the records of a binary file.
type binaryParser struct {
	b      []byte
	order  binary.ByteOrder
	wide   bool // 64 bit offsets: since version 7500
	names  map[string]string
	budget *importer.Budget
}

// parseBinary reads a file: its magic, 0x1a, whether it is big-endian, a version, then records up to a null record.
// A file that ends before one is read as far as it goes, since the end holds nothing that is drawn.
func parseBinary(b []byte, budget *importer.Budget) (*file, error) {
	const header = len(magic) + 2 + 4
	if len(b) < header {
		return nil, errTruncated
	}
	p := &binaryParser{b: b, order: binary.LittleEndian, names: map[string]string{}, budget: budget}
	if b[len(magic)+1] == 1 {
		p.order = binary.BigEndian
	}
	f := &file{order: p.order, budget: budget, version: int(p.order.Uint32(b[header-4:])), binary: true}
	p.wide = f.version >= 7500
	for at := uint64(header); at < uint64(len(b)); {
		n, next, err := p.node(at, 0)
		if err != nil {
			return nil, err
		}
		if n.name == "" && len(n.nodes) == 0 {
			break
		}
		f.root.nodes = append(f.root.nodes, n)
		at = next
	}
	return f, nil
}

// node reads the record at an offset, and returns where the next one starts. A null record has no name.
func (p *binaryParser) node(at uint64, depth int) (n node, next uint64, err error) {
	if depth > maxDepth {
		return n, 0, fmt.Errorf("records are nested more than %d deep", maxDepth)
	}
	head, size := uint64(13), uint64(len(p.b))
	if p.wide {
		head = 25
	}
	if at > size || size-at < head {
		return n, 0, errTruncated
	}
	var end, values uint64
	if p.wide {
		end, values = p.order.Uint64(p.b[at:]), p.order.Uint64(p.b[at+8:])
	} else {
		end, values = uint64(p.order.Uint32(p.b[at:])), uint64(p.order.Uint32(p.b[at+4:]))
	}
	length := uint64(p.b[at+head-1])
	at += head
	if end == 0 && length == 0 {
		return n, at, nil
	}
	// Some files have records whose end is 0: after its values where it has some, else after a null record.
	limit := end
	if end == 0 {
		limit = size
	}
	if limit > size || limit < at || limit-at < length || values > limit-at {
		return n, 0, fmt.Errorf("a record at byte %d is longer than the file", at-head)
	}
	if err := spend(p.budget, 1, int(values)); err != nil {
		return n, 0, err
	}
	n.name = p.intern(p.b[at : at+length])
	at += length
	if values > 0 {
		n.values = make([]value, values)
	}
	for i := range n.values {
		if n.values[i], at, err = p.value(at, limit); err != nil {
			return n, 0, fmt.Errorf("%s: %w", n.name, err)
		}
	}
	if end == 0 && len(n.values) > 0 {
		return n, at, nil
	}
	for at < limit {
		child, after, err := p.node(at, depth+1)
		if err != nil {
			return n, 0, err
		}
		at = after
		if child.name == "" && len(child.nodes) == 0 && len(child.values) == 0 {
			break
		}
		n.nodes = append(n.nodes, child)
	}
	if end != 0 {
		at = end
	}
	return n, at, nil
}

func (p *binaryParser) intern(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	s := string(b)
	p.names[s] = s
	return s
}

// value reads one value that ends before limit.
func (p *binaryParser) value(at, limit uint64) (value, uint64, error) {
	has := func(n uint64) bool { return at <= limit && n <= limit-at }
	if !has(1) {
		return value{}, 0, errTruncated
	}
	letter := p.b[at]
	at++
	size := map[byte]uint64{'C': 1, 'B': 1, 'Z': 1, 'Y': 2, 'I': 4, 'F': 4, 'L': 8, 'D': 8, 'S': 4, 'R': 4,
		'f': 12, 'd': 12, 'l': 12, 'i': 12, 'b': 12, 'c': 12}[letter]
	if size == 0 {
		return value{}, 0, fmt.Errorf("there is no type of values %q", letter)
	}
	if !has(size) {
		return value{}, 0, errTruncated
	}
	b := p.b[at:]
	at += size
	switch letter {
	case 'C', 'B', 'Z':
		return value{elem: letter, num: uint64(b[0])}, at, nil
	case 'Y':
		return value{num: uint64(int16(p.order.Uint16(b)))}, at, nil
	case 'I':
		return value{num: uint64(int32(p.order.Uint32(b)))}, at, nil
	case 'L':
		return value{num: p.order.Uint64(b)}, at, nil
	case 'F':
		return value{kind: kindFloat, num: math.Float64bits(float64(math.Float32frombits(p.order.Uint32(b))))}, at, nil
	case 'D':
		return value{kind: kindFloat, num: p.order.Uint64(b)}, at, nil
	case 'S', 'R':
		n := uint64(p.order.Uint32(b))
		if !has(n) {
			return value{}, 0, errTruncated
		}
		v := value{kind: kindString, data: p.b[at : at+n]}
		if letter == 'R' {
			v.kind = kindBytes
		}
		return v, at + n, nil
	}
	count, encoding, n := uint64(p.order.Uint32(b)), p.order.Uint32(b[4:]), uint64(p.order.Uint32(b[8:]))
	if encoding > 1 {
		return value{}, 0, fmt.Errorf("there is no encoding %d of arrays", encoding)
	}
	if encoding == 0 {
		n = count * elemSize(letter)
	}
	if !has(n) {
		return value{}, 0, errTruncated
	}
	return value{kind: kindArray, elem: letter, zip: encoding == 1, num: count, data: p.b[at : at+n]}, at + n, nil
}

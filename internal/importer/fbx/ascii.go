package fbx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/importer"
)

// ascii reads the records of a text file: NAME: value, value, ... { records }. A list of values goes on in the next line
// after or before a comma, and a semicolon starts a comment.
type ascii struct {
	b      []byte
	i      int
	names  map[string]string
	budget *importer.Budget
}

func parseASCII(b []byte, budget *importer.Budget) (*file, error) {
	p := &ascii{b: bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), names: map[string]string{}, budget: budget}
	f := &file{order: binary.LittleEndian, budget: budget}
	var err error
	f.root.nodes, err = p.nodes(0)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(p.b[:min(p.i, len(p.b))], []byte("\n")), err)
	}
	return f, nil
}

// nodes reads records up to the bracket that closes them, at depth 0 up to the end of the file.
func (p *ascii) nodes(depth int) ([]node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("records are nested more than %d deep", maxDepth)
	}
	var out []node
	for {
		p.skip()
		switch {
		case p.i >= len(p.b) && depth == 0:
			return out, nil
		case p.i >= len(p.b):
			return nil, errTruncated
		case p.b[p.i] == '}':
			p.i++
			if depth > 0 {
				return out, nil
			}
			continue // one too many
		}
		w := p.word()
		p.skip()
		if len(w) == 0 || p.i >= len(p.b) || p.b[p.i] != ':' {
			return nil, fmt.Errorf("there should be a name with a colon at %.20q", p.b[min(p.i, len(p.b)):])
		}
		p.i++
		if err := spend(p.budget, 1, 0); err != nil {
			return nil, err
		}
		n := node{name: p.intern(w)}
		opened, err := p.values(&n)
		if err != nil {
			return nil, fmt.Errorf("%.40s: %w", n.name, err)
		}
		if opened {
			if n.nodes, err = p.nodes(depth + 1); err != nil {
				return nil, err
			}
		}
		out = append(out, n)
	}
}

func (p *ascii) intern(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	s := string(b)
	p.names[s] = s
	return s
}

// values reads the values of a record, and reports whether records follow in brackets.
func (p *ascii) values(n *node) (opened bool, err error) {
	for expected := true; ; { // a value may come
		p.blanks()
		ended := p.i >= len(p.b) || p.b[p.i] == '\n' || p.b[p.i] == ';'
		if ended {
			p.skip()
		}
		switch {
		case p.i >= len(p.b):
			return false, nil
		case p.b[p.i] == '{' && (!ended || len(n.values) > 0):
			p.i++
			return true, nil
		case p.b[p.i] == ',':
			p.i++
			p.skip()
			expected = true
			continue
		case p.b[p.i] == '}', !expected:
			return false, nil
		case ended && len(n.values) == 0 && !numeric(p.b[p.i]): // some programs write numbers from the next line on
			return false, nil
		}
		more, err := p.value(n)
		if !more || err != nil {
			return false, err
		}
		expected = false
	}
}

// longList is how many numbers make an array, which stays text until it is used.
const longList = 16

// value reads one value, or a list of numbers. It reports false at a word that is the name of the next record.
func (p *ascii) value(n *node) (ok bool, err error) {
	var v value
	switch p.b[p.i] {
	case '"':
		end := bytes.IndexByte(p.b[p.i+1:], '"')
		if end < 0 {
			return false, errTruncated
		}
		v = value{kind: kindString, data: p.b[p.i+1 : p.i+1+end]}
		if bytes.Contains(v.data, []byte("&quot;")) {
			v.data = bytes.ReplaceAll(v.data, []byte("&quot;"), []byte(`"`))
		}
		p.i += end + 2
	case '*': // the length of an array; it follows as the record a
		p.i++
		p.word()
		return true, nil
	default:
		start := p.i
		if count := p.numbers(); count > longList {
			v = value{kind: kindArray, elem: 't', data: p.b[start:p.i]}
			break
		}
		p.i = start
		w := p.word()
		if len(w) == 0 {
			return false, fmt.Errorf("%.20q is no value", p.b[p.i:])
		}
		if p.i < len(p.b) && p.b[p.i] == ':' {
			p.i = start
			return false, nil
		}
		if i, ok := parseInt(w); ok {
			v = value{num: uint64(i)}
		} else if f, err := parseFloat(w); err == nil {
			v = value{kind: kindFloat, num: math.Float64bits(f)}
		} else {
			v = value{kind: kindString, data: w}
		}
	}
	n.values = append(n.values, v)
	return true, spend(p.budget, 0, 1)
}

func numeric(c byte) bool { return c >= '0' && c <= '9' || c == '-' || c == '.' || c == '+' }

// numbers skips a list of numbers, and returns how many there are. It stops after the last one.
func (p *ascii) numbers() (count int) {
	for end := p.i; ; {
		w := p.word()
		if len(w) == 0 || !numeric(w[0]) {
			p.i = end
			return count
		}
		count, end = count+1, p.i
		if p.skip(); p.i >= len(p.b) || p.b[p.i] != ',' {
			p.i = end
			return count
		}
		p.i++
		p.skip()
	}
}

// skip skips white space and comments.
func (p *ascii) skip() {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == ';':
			for p.i < len(p.b) && p.b[p.i] != '\n' {
				p.i++
			}
		case c <= ' ':
			p.i++
		default:
			return
		}
	}
}

// blanks skips white space within a line.
func (p *ascii) blanks() {
	for p.i < len(p.b) && p.b[p.i] <= ' ' && p.b[p.i] != '\n' {
		p.i++
	}
}

// word reads a name, a number or an unquoted value.
func (p *ascii) word() []byte {
	start := p.i
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c <= ' ', c == ',', c == '{', c == '}', c == '"', c == ';', c == ':', c == '*':
			return p.b[start:p.i]
		}
		p.i++
	}
	return p.b[start:p.i]
}

package ply

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/heliograph/heliograph/internal/importer"
)

// scalar is a scalar type of the format.
type scalar uint8

const (
	int8s scalar = iota + 1
	uint8s
	int16s
	uint16s
	int32s
	uint32s
	float32s
	float64s
)

var scalars = map[string]scalar{
	"char": int8s, "uchar": uint8s, "short": int16s, "ushort": uint16s, "int": int32s, "uint": uint32s, "float": float32s, "double": float64s,
	"int8": int8s, "uint8": uint8s, "int16": int16s, "uint16": uint16s, "int32": int32s, "uint32": uint32s, "float32": float32s,
	"float64": float64s,
}

var scalarBytes = [...]int{int8s: 1, uint8s: 1, int16s: 2, uint16s: 2, int32s: 4, uint32s: 4, float32s: 4, float64s: 8}

type encoding uint8

const (
	ascii encoding = iota
	littleEndian
	bigEndian
)

func (e encoding) String() string {
	return [...]string{"ASCII", "binary little-endian", "binary big-endian"}[e]
}

var encodings = map[string]encoding{"ascii": ascii, "binary_little_endian": littleEndian, "binary_big_endian": bigEndian}

type element struct {
	name       string
	count      int64
	properties []property
}

type property struct {
	name   string
	length scalar // of a list; 0 = not a list
	value  scalar
}

func (e *element) has(names ...string) bool {
	for _, p := range e.properties {
		for _, n := range names {
			if p.name == n {
				return true
			}
		}
	}
	return false
}

type header struct {
	encoding encoding
	elements []element
	texture  string
}

// maxProperties bounds the header: more are a mistake, or a plan.
const maxProperties = 1000

func readHeader(in *importer.Stream) (*header, error) {
	h := &header{}
	format, total := false, 0
	for {
		line, err := in.NextLine()
		if err != nil {
			return nil, fmt.Errorf("line %d: the header does not end: %w", in.Line+1, err)
		}
		w := strings.Fields(string(line[:min(len(line), 1000)]))
		if in.Line == 1 {
			if len(w) != 1 || w[0] != "ply" {
				return nil, errors.New("line 1: the file does not begin with ply")
			}
			continue
		}
		if len(w) == 0 {
			continue
		}
		switch w[0] {
		case "end_header":
			if !format {
				return nil, fmt.Errorf("line %d: the header names no format", in.Line)
			}
			return h, nil
		case "format":
			if len(w) != 3 || w[2] != "1.0" {
				return nil, fmt.Errorf("line %d: %.60q is not version 1.0 of the format", in.Line, line)
			}
			if h.encoding, format = encodings[w[1]]; !format {
				return nil, fmt.Errorf("line %d: %.30q is not an encoding", in.Line, w[1])
			}
		case "comment":
			if len(w) > 2 && w[1] == "TextureFile" && h.texture == "" { // as MeshLab writes it
				_, name, _ := bytes.Cut(line, []byte("TextureFile"))
				h.texture = string(bytes.TrimSpace(name))
			}
		case "obj_info":
		case "element":
			if len(w) != 3 {
				return nil, fmt.Errorf("line %d: %.60q is not an element with its name and number", in.Line, line)
			}
			n, err := strconv.ParseInt(w[2], 10, 64)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("line %d: %.30q is not a number of elements", in.Line, w[2])
			}
			h.elements = append(h.elements, element{name: w[1], count: n})
		case "property":
			p, err := parseProperty(w)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", in.Line, err)
			}
			if total++; len(h.elements) == 0 || total > maxProperties {
				return nil, fmt.Errorf("line %d: a property without an element, or one of more than %d", in.Line, maxProperties)
			}
			e := &h.elements[len(h.elements)-1]
			e.properties = append(e.properties, p)
		default:
			return nil, fmt.Errorf("line %d: %.30q is not a word of a PLY header", in.Line, w[0])
		}
		if len(h.elements) > maxProperties {
			return nil, fmt.Errorf("line %d: more than %d elements", in.Line, maxProperties)
		}
	}
}

func parseProperty(w []string) (p property, err error) {
	types := w[1:]
	switch {
	case len(w) == 3:
	case len(w) == 5 && w[1] == "list":
		if p.length = scalars[w[2]]; p.length == 0 || p.length >= float32s {
			return p, fmt.Errorf("%.30q is not an integer type", w[2])
		}
		types = w[3:]
	default:
		return p, errors.New("a property has a type and a name")
	}
	if p.value = scalars[types[0]]; p.value == 0 {
		return p, fmt.Errorf("%.30q is not a type", types[0])
	}
	p.name = types[1]
	return p, nil
}

package e57

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// node is an element of the description. The methods work on nil: an element that is not there.
type node struct {
	name  string // of an extension: with a prefix
	attrs []xml.Attr
	value []byte
	kids  []*node
}

const (
	maxNodes = 1 << 20
	maxDepth = 64
	// namespace begins those of all versions of the standard; elements without one are taken as its own.
	namespace = "http://www.astm.org/COMMIT/E57/"
)

// parseXML builds the tree. Entities other than XML's own are errors to the decoder, so nothing expands.
func parseXML(b []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	top := &node{}
	stack := []*node{top}
	for n := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the description of the scans is not XML: %w", err)
		}
		up := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if n++; n > maxNodes || len(stack) > maxDepth {
				return nil, errors.New("the description of the scans has too many parts")
			}
			e := &node{name: t.Name.Local, attrs: t.Attr}
			if t.Name.Space != "" && !strings.HasPrefix(t.Name.Space, namespace) {
				e.name = "extension:" + e.name
			}
			up.kids = append(up.kids, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			up.value = append(up.value, t...)
		}
	}
	if len(top.kids) != 1 || top.kids[0].name != "e57Root" {
		return nil, errors.New("the description of the scans has no root")
	}
	return top.kids[0], nil
}

func (n *node) children() []*node {
	if n == nil {
		return nil
	}
	return n.kids
}

func (n *node) child(name string) *node {
	for _, k := range n.children() {
		if k.name == name {
			return k
		}
	}
	return nil
}

func (n *node) text(name string) string {
	if c := n.child(name); c != nil {
		return strings.TrimSpace(string(c.value))
	}
	return ""
}

// number returns the value of a child. One that is there but empty is 0, as the standard has it.
func (n *node) number(name string, otherwise float64) float64 {
	if n.child(name) == nil {
		return otherwise
	}
	s := n.text(name)
	if s == "" {
		return 0
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return otherwise
	}
	return x
}

func (n *node) attr(name string) string {
	if n != nil {
		for _, a := range n.attrs {
			if a.Name.Local == name {
				return a.Value
			}
		}
	}
	return ""
}

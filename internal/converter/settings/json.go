package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
)

// maxDepth is deeper than any value that settings can have.
const maxDepth = 16

// value is a JSON value that knows where it stands. v is nil, bool, json.Number, string, []value or []member.
type value struct {
	at int // byte offset
	v  any
}

type member struct {
	at    int
	key   string
	value value
}

// document is a file of settings while it is read. The first thing that is wrong with it stays in err.
type document struct {
	name string
	text []byte
	err  error
}

// parse reads the whole text as one JSON value.
func (d *document) parse() value {
	d.text = bytes.TrimPrefix(d.text, []byte("\xef\xbb\xbf")) // editors on Windows put it there
	dec := json.NewDecoder(bytes.NewReader(d.text))
	dec.UseNumber()
	v, err := d.next(dec, 0)
	if err == nil {
		at := d.skip(int(dec.InputOffset()))
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return v
		}
		d.fail(at, "there is something after the end of the JSON value")
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		d.fail(max(0, int(syntax.Offset)-1), "this is not JSON: %v", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		d.fail(len(d.text), "the JSON value does not end")
	default:
		d.fail(int(dec.InputOffset()), "this is not JSON: %v", err)
	}
	return value{}
}

// next reads one value. The decoder has checked the grammar of whatever it returns a token of.
func (d *document) next(dec *json.Decoder, depth int) (value, error) {
	at := d.skip(int(dec.InputOffset()))
	t, err := dec.Token()
	if err != nil {
		return value{}, err
	}
	if depth > maxDepth {
		d.fail(at, "values are nested too deeply")
		return value{}, d.err
	}
	switch t {
	case json.Delim('['):
		list := []value{}
		for dec.More() {
			v, err := d.next(dec, depth+1)
			if err != nil {
				return value{}, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return value{at, list}, err
	case json.Delim('{'):
		members := []member{}
		for dec.More() {
			m := member{at: d.skip(int(dec.InputOffset()))}
			key, err := dec.Token()
			if err != nil {
				return value{}, err
			}
			m.key = key.(string)
			if m.value, err = d.next(dec, depth+1); err != nil {
				return value{}, err
			}
			if slices.ContainsFunc(members, func(o member) bool { return o.key == m.key }) {
				d.fail(m.at, "%q is there twice", m.key)
				return value{}, d.err
			}
			members = append(members, m)
		}
		_, err = dec.Token()
		return value{at, members}, err
	}
	return value{at, t}, nil
}

// skip returns where the token after offset begins.
func (d *document) skip(offset int) int {
	for offset < len(d.text) && strings.IndexByte(" \t\r\n,:", d.text[offset]) >= 0 {
		offset++
	}
	return offset
}

// fail notes what is wrong at an offset, with line and column as editors count them.
func (d *document) fail(at int, format string, args ...any) {
	if d.err != nil {
		return
	}
	before := d.text[:min(at, len(d.text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:])))
	d.err = arr.Errorf(arr.CodeBadRequest, "%s, line %d, column %d: %s.", d.name, line, column, fmt.Sprintf(format, args...))
}

// key says what to do with the value of one key.
type key struct {
	name string
	read func(value)
}

// object calls the keys of an object; others are an error, as ARR's schemas have it.
func (d *document) object(v value, what string, keys []key) {
	members, ok := v.v.([]member)
	if !ok {
		d.fail(v.at, "%s must be an object, not %s", what, kind(v))
		return
	}
	for _, m := range members {
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == m.key })
		if i < 0 {
			d.unknown(m, keys)
			return
		}
		keys[i].read(m.value)
	}
}

func (d *document) unknown(m member, keys []key) {
	names := make([]string, len(keys))
	hint, near := "", 3
	for i, k := range keys {
		names[i] = k.name
		if n := distance(strings.ToLower(k.name), strings.ToLower(m.key)); n < near {
			hint, near = fmt.Sprintf(" (did you mean %q?)", k.name), n
		}
	}
	slices.Sort(names)
	d.fail(m.at, "there is no key %.100q%s; the keys are %s", m.key, hint, strings.Join(names, ", "))
}

// distance is the number of letters to insert, remove or replace between a and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j+1], row[j]) + 1
			if a[i] == b[j] {
				next = min(next, diagonal)
			} else {
				next = min(next, diagonal+1)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

func kind(v value) string {
	switch x := v.v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprintf("%v", x)
	case json.Number:
		return "the number " + x.String()
	case string:
		return fmt.Sprintf("the text %.100q", x)
	case []value:
		return "a list"
	}
	return "an object"
}

// The readers of single values: each returns what reads a key into a variable.

func (d *document) boolean(name string, to *bool) key {
	return key{name, func(v value) {
		b, ok := v.v.(bool)
		if !ok {
			d.fail(v.at, "%q must be true or false, not %s", name, kind(v))
		}
		*to = b
	}}
}

// optional is as boolean, for what is different from both if it is not there.
func (d *document) optional(name string, to **bool) key {
	var b bool
	k := d.boolean(name, &b)
	return key{name, func(v value) { k.read(v); *to = &b }}
}

func (d *document) str(name string, to *string) key {
	return key{name, func(v value) {
		s, ok := v.v.(string)
		if !ok {
			d.fail(v.at, "%q must be a text, not %s", name, kind(v))
		}
		*to = s
	}}
}

func (d *document) oneOf(name string, to *string, allowed ...string) key {
	return key{name, func(v value) { *to = d.choice(name, v, allowed) }}
}

func (d *document) choice(name string, v value, allowed []string) string {
	s, ok := v.v.(string)
	if !ok || !slices.Contains(allowed, s) {
		d.fail(v.at, "%q must be one of %s, not %s", name, strings.Join(allowed, ", "), kind(v))
	}
	return s
}

func (d *document) number(name string, to *float64) key {
	return key{name, func(v value) {
		n, ok := v.v.(json.Number)
		f, err := n.Float64()
		if !ok || err != nil {
			d.fail(v.at, "%q must be a number, not %s", name, kind(v))
		}
		*to = f
	}}
}

// within is a number between two others, as what a float32 is made of.
func (d *document) within(name string, to **float32, low, high float64) key {
	var f float64
	k := d.number(name, &f)
	return key{name, func(v value) {
		k.read(v)
		if f < low || f > high {
			d.fail(v.at, "%q must be between %g and %g, not %g", name, low, high, f)
		}
		x := float32(f)
		*to = &x
	}}
}

func (d *document) list(name string, v value) []value {
	l, ok := v.v.([]value)
	if !ok {
		d.fail(v.at, "%s must be a list, not %s", name, kind(v))
	}
	return l
}

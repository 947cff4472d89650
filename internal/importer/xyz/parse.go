package xyz

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
)

// parse reads all points of a block.
func (l *layout) parse(b block) (importer.Batch, error) {
	var out importer.Batch
	n := len(b.text)/l.lineBytes + 1
	out.Positions = make([][3]float64, 0, n)
	if l.colored || l.shaded {
		out.Colors = make([]geom.Vec4, 0, n)
	}
	if l.normals {
		out.Normals = make([]geom.Vec3, 0, n)
	}
	var v [roleNone + 1]float64
	line := b.line - 1
	for text := b.text; len(text) > 0; {
		var row []byte
		row, text = cutLine(text)
		line++
		if line == l.header || len(bytes.TrimSpace(row)) == 0 || trimComment(row) != nil {
			continue
		}
		ok, err := l.row(row, &v)
		if err != nil {
			return out, fmt.Errorf("line %d: %w", line, err)
		}
		if !ok {
			continue
		}
		out.Positions = append(out.Positions, [3]float64{v[roleX], v[roleY], v[roleZ]})
		switch {
		case l.colored:
			r, g, b := float32(v[roleR]), float32(v[roleG]), float32(v[roleB])
			if !(r >= 0 && r <= 65535 && g >= 0 && g <= 65535 && b >= 0 && b <= 65535) {
				return out, fmt.Errorf("line %d: %v %v %v is not a colour", line, v[roleR], v[roleG], v[roleB])
			}
			out.Colors = append(out.Colors, geom.Vec4{r, g, b, 1})
		case l.shaded:
			i := float32(v[roleI])
			out.Colors = append(out.Colors, geom.Vec4{i, i, i, 1})
		}
		if l.normals {
			out.Normals = append(out.Normals, geom.Vec3{float32(v[roleNX]), float32(v[roleNY]), float32(v[roleNZ])})
		}
	}
	return out, nil
}

// row reads a line into v; it reports false for a count.
func (l *layout) row(row []byte, v *[roleNone + 1]float64) (bool, error) {
	n, rest := 0, row
	for {
		var field []byte
		if field, rest = l.cut(rest); field == nil {
			break
		}
		x, ok := parseFloat(field)
		if !ok {
			return false, notNumber(field)
		}
		if n < len(l.roles) {
			v[l.roles[n]] = x
		}
		n++
	}
	if n != len(l.roles) {
		if l.counts && n == 1 && isCount(row) {
			return false, nil
		}
		return false, fmt.Errorf("it has %d columns, but the first points have %d", n, len(l.roles))
	}
	return true, nil
}

// cutLine cuts the first line without its end.
func cutLine(text []byte) (line, rest []byte) {
	i := bytes.IndexByte(text, '\n')
	if i < 0 {
		return text, nil
	}
	line, rest = text[:i], text[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

// trimComment returns what follows the mark of a comment, or nil for a line that is none.
func trimComment(row []byte) []byte {
	i := 0
	for i < len(row) && (row[i] == ' ' || row[i] == '\t') {
		i++
	}
	switch {
	case i < len(row) && row[i] == '#':
		return row[i+1:]
	case i+1 < len(row) && row[i] == '/' && row[i+1] == '/':
		return row[i+2:]
	}
	return nil
}

// cut cuts the first field of a line; it is nil after the last.
func (l *layout) cut(row []byte) (field, rest []byte) {
	if l.separator == ' ' {
		if field, rest = importer.Field(row); len(field) == 0 {
			return nil, nil
		}
		return field, rest
	}
	if row == nil {
		return nil, nil
	}
	if i := bytes.IndexByte(row, l.separator); i >= 0 {
		return bytes.TrimSpace(row[:i]), row[i+1:]
	}
	if field = bytes.TrimSpace(row); len(field) == 0 { // a separator at the end of the line
		return nil, nil
	}
	return field, nil
}

var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseFloat reads a number. One with up to 15 digits and no exponent is the quotient of two exact numbers, so the result
// is the nearest (Clinger, "How to Read Floating Point Numbers Accurately", 1990); the library does the others.
func parseFloat(b []byte) (float64, bool) {
	digits := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits = b[1:]
	}
	if n := len(digits); n > 0 && n < len(powers) {
		mantissa, decimals := uint64(0), -1 // -1 = no point yet
		for i, c := range digits {
			switch {
			case c >= '0' && c <= '9':
				mantissa = 10*mantissa + uint64(c-'0')
			case c == '.' && decimals < 0 && n > 1:
				decimals = n - 1 - i
			default:
				return slowFloat(b)
			}
		}
		x := float64(mantissa)
		if decimals > 0 {
			x /= powers[decimals]
		}
		if b[0] == '-' {
			x = -x
		}
		return x, true
	}
	return slowFloat(b)
}

// slowFloat also takes what overflows: that is infinite, which is no position.
func slowFloat(b []byte) (float64, bool) {
	if len(b) > maxNumber {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(b), 64)
	return x, err == nil || errors.Is(err, strconv.ErrRange)
}

// maxNumber is the longest number, in bytes.
const maxNumber = 400

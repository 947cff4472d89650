package xyz

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/importer"
)

// role is what a column holds.
type role uint8

const (
	roleX role = iota
	roleY
	roleZ
	roleR
	roleG
	roleB
	roleI
	roleNX
	roleNY
	roleNZ
	roleNone // and the number of the others
)

// layout says what the columns are.
type layout struct {
	roles                    []role
	has                      [roleNone + 1]bool
	separator                byte // ',' or ';', or ' ' for blanks and tabs
	header                   int  // number of the line of names or of the first count, 0 = none
	counts                   bool // a line may hold the number of points that follow
	lineBytes                int  // the mean of the first lines
	colored, shaded, normals bool // shaded by the intensity
}

const (
	maxColumns = 64
	sampleRows = 1000
)

// names of columns, in lower case and without what is not a letter.
var names = map[string]role{
	"x": roleX, "y": roleY, "z": roleZ, "r": roleR, "g": roleG, "b": roleB, "red": roleR, "green": roleG, "blue": roleB,
	"i": roleI, "intensity": roleI, "reflectance": roleI, "nx": roleNX, "ny": roleNY, "nz": roleNZ,
}

// detect finds the layout by the first lines.
func detect(first block, counts bool) (*layout, error) {
	l := &layout{counts: counts}
	var named []role
	var rows [][]float64
	line, bytesRead := first.line-1, 0
	for text := first.text; len(text) > 0 && len(rows) < sampleRows; {
		var row []byte
		row, text = cutLine(text)
		line++
		if t := trimComment(row); t != nil {
			if n := l.names(t); len(rows) == 0 && n != nil {
				named = n
			}
			continue
		}
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		if len(rows) == 0 {
			l.separator = separator(row)
			n, isNames := l.names(row), !l.number(row)
			switch {
			case isNames && n == nil:
				return nil, fmt.Errorf("line %d: %.60q is neither a point nor names of columns with x, y and z among them", line, row)
			case isNames:
				named, l.header = n, line
				continue
			case isCount(row) && (counts || l.header == 0 && named == nil):
				l.header = line
				continue
			}
		} else if l.counts && isCount(row) {
			continue
		}
		v, err := l.values(row)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if len(rows) > 0 && len(v) != len(rows[0]) {
			return nil, fmt.Errorf("line %d: it has %d columns, but the first points have %d", line, len(v), len(rows[0]))
		}
		rows, bytesRead = append(rows, v), bytesRead+len(row)+1
	}
	if len(rows) == 0 {
		return nil, importer.ErrNoPoints
	}
	l.lineBytes = max(1, bytesRead/len(rows))
	switch n := len(rows[0]); {
	case named != nil && len(named) != n:
		return nil, fmt.Errorf("there are %d names of columns, but the first points have %d columns", len(named), n)
	case named != nil:
		l.roles = named
	default:
		if l.roles = guess(rows); l.roles == nil {
			return nil, fmt.Errorf("line %d: %d columns; x y z, and optionally an intensity, red green blue, and a normal, are 3, 4, 6, 7, 9 or 10",
				line, n)
		}
	}
	for _, r := range l.roles {
		l.has[r] = true
	}
	l.colored = l.has[roleR] && l.has[roleG] && l.has[roleB]
	l.shaded = !l.colored && l.has[roleI]
	l.normals = l.has[roleNX] && l.has[roleNY] && l.has[roleNZ]
	return l, nil
}

// guess finds the roles of columns without names, or nil.
func guess(rows [][]float64) []role {
	xyz := []role{roleX, roleY, roleZ}
	rgb := []role{roleR, roleG, roleB}
	normal := []role{roleNX, roleNY, roleNZ}
	switch len(rows[0]) {
	case 3:
		return xyz
	case 4:
		return append(xyz, roleI)
	case 6:
		if unit(rows, 3) {
			return append(xyz, normal...)
		}
		return append(xyz, rgb...)
	case 7:
		if !bytesOnly(rows, 4) && bytesOnly(rows, 3) {
			return append(append(xyz, rgb...), roleI)
		}
		return append(append(xyz, roleI), rgb...)
	case 9:
		if unit(rows, 3) {
			return append(append(xyz, normal...), rgb...)
		}
		return append(append(xyz, rgb...), normal...)
	case 10:
		return append(append(append(xyz, roleI), rgb...), normal...)
	}
	return nil
}

// unit reports whether the three columns from k on are unit vectors, most of them.
func unit(rows [][]float64, k int) bool {
	n := 0
	for _, r := range rows {
		if l := math.Sqrt(r[k]*r[k] + r[k+1]*r[k+1] + r[k+2]*r[k+2]); math.Abs(l-1) < 0.02 {
			n++
		}
	}
	return n > len(rows)/2 && !bytesOnly(rows, k)
}

// bytesOnly reports whether the three columns from k on hold integers of 0..255 only.
func bytesOnly(rows [][]float64, k int) bool {
	for _, r := range rows {
		for _, x := range r[k : k+3] {
			if x < 0 || x > math.MaxUint8 || x != math.Trunc(x) {
				return false
			}
		}
	}
	return true
}

// names returns the roles of a line of names, or nil.
func (l *layout) names(row []byte) []role {
	words := strings.FieldsFunc(string(row[:min(len(row), 4096)]), func(r rune) bool { return strings.ContainsRune(" \t\r,;", r) })
	if len(words) > maxColumns {
		return nil
	}
	var roles []role
	for _, w := range words {
		w = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r
			}
			return -1
		}, strings.ToLower(w))
		r, ok := names[w]
		if !ok || slices.Contains(roles, r) {
			r = roleNone
		}
		roles = append(roles, r)
	}
	for _, r := range []role{roleX, roleY, roleZ} {
		if !slices.Contains(roles, r) {
			return nil
		}
	}
	return roles
}

// values reads all columns of a line.
func (l *layout) values(row []byte) ([]float64, error) {
	var v []float64
	for {
		var field []byte
		if field, row = l.cut(row); field == nil {
			return v, nil
		}
		x, ok := parseFloat(field)
		if !ok {
			return nil, notNumber(field)
		}
		if v = append(v, x); len(v) > maxColumns {
			return nil, fmt.Errorf("it has more than %d columns", maxColumns)
		}
	}
}

func notNumber(field []byte) error { return fmt.Errorf("%.30q is not a number", field) }

// number reports whether a line begins with a number.
func (l *layout) number(row []byte) bool {
	field, _ := l.cut(row)
	_, ok := parseFloat(field)
	return ok
}

// isCount reports whether a line is a number of points.
func isCount(row []byte) bool {
	row = bytes.TrimSpace(row)
	for _, c := range row {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(row) > 0
}

// separator is what separates the columns of a line.
func separator(row []byte) byte {
	for _, c := range []byte{';', ','} {
		if bytes.IndexByte(row, c) >= 0 {
			return c
		}
	}
	return ' '
}

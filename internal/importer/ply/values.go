package ply

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/heliograph/heliograph/internal/importer"
)

// values reads one scalar after the other.
type values struct {
	in       *importer.Stream
	encoding encoding
	row      []byte // what is left of the line of an ASCII file
}

var errEnd = errors.New("the file ends too early")

func (v *values) next(s scalar) (float64, error) {
	if v.encoding == ascii {
		return v.word()
	}
	size := scalarBytes[s]
	b, err := v.in.Peek(size)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errEnd
		}
		return 0, fmt.Errorf("byte %d: %w", v.in.Offset(), err)
	}
	x := decode(s, v.order(), b)
	_, err = v.in.Discard(size)
	return x, err
}

// decode reads the value that b begins with.
func decode(s scalar, order binary.ByteOrder, b []byte) float64 {
	switch s {
	case int8s:
		return float64(int8(b[0]))
	case uint8s:
		return float64(b[0])
	case int16s:
		return float64(int16(order.Uint16(b)))
	case uint16s:
		return float64(order.Uint16(b))
	case int32s:
		return float64(int32(order.Uint32(b)))
	case uint32s:
		return float64(order.Uint32(b))
	case float32s:
		return float64(math.Float32frombits(order.Uint32(b)))
	}
	return math.Float64frombits(order.Uint64(b))
}

func (v *values) order() binary.ByteOrder {
	if v.encoding == bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// word reads one number of an ASCII file. Line ends are blanks like others: some programs break long lists.
func (v *values) word() (float64, error) {
	for {
		var w []byte
		if w, v.row = importer.Field(v.row); len(w) > 0 {
			x, err := strconv.ParseFloat(string(w), 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				return 0, fmt.Errorf("line %d: %.30q is not a number", v.in.Line, w)
			}
			return x, nil
		}
		row, err := v.in.NextLine()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errEnd
			}
			return 0, fmt.Errorf("line %d: %w", v.in.Line+1, err)
		}
		v.row = row
	}
}

// length reads the length of a list. No memory follows from it: each value must be there.
func (v *values) length(s scalar) (int64, error) {
	x, err := v.next(s)
	if err != nil {
		return 0, err
	}
	if x < 0 || x != math.Trunc(x) || x > math.MaxUint32 {
		return 0, fmt.Errorf("%s: a list of %v values", v.place(), x)
	}
	return int64(x), nil
}

// place names where the last value was, in words.
func (v *values) place() string {
	if v.encoding == ascii {
		return fmt.Sprintf("line %d", v.in.Line)
	}
	return fmt.Sprintf("byte %d", v.in.Offset())
}

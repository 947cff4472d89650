// Package meshopt decodes the buffer views of EXT_meshopt_compression and KHR_meshopt_compression. It trusts no number
// in its input, allocates no more than the input can account for, and knows nothing of glTF.
package meshopt

import (
	"errors"
	"fmt"
)

// Mode is what a stream holds.
type Mode string

// The modes, as the extensions' JSON spells them.
const (
	Attributes Mode = "ATTRIBUTES" // elements of any kind
	Triangles  Mode = "TRIANGLES"  // indices of a triangle list
	Indices    Mode = "INDICES"    // indices of anything else
)

// Filter is what happens to attributes after they are decoded.
type Filter string

// The filters, as the extensions' JSON spells them; "" is None. Color is in KHR_meshopt_compression only.
const (
	None        Filter = "NONE"
	Octahedral  Filter = "OCTAHEDRAL"
	Quaternion  Filter = "QUATERNION"
	Exponential Filter = "EXPONENTIAL"
	Color       Filter = "COLOR"
)

// Layout describes the decoded bytes: Count elements of Stride bytes.
type Layout struct {
	Mode          Mode
	Filter        Filter
	Count, Stride int64
}

var (
	errShort = errors.New("the compressed data ends early")
	errLong  = errors.New("the compressed data goes on after its end")
)

// Size returns the number of decoded bytes, or what contradicts the extension, including a count that no stream of
// compressed bytes could hold: it never exceeds 1024 bytes for each byte of compressed.
func (l Layout) Size(compressed int) (int64, error) {
	n := int64(compressed)
	var most int64 // elements that so many bytes can hold
	switch l.Mode {
	case Attributes:
		if l.Stride < 4 || l.Stride > 256 || l.Stride%4 != 0 {
			return 0, fmt.Errorf("a stride of %d bytes is not a multiple of 4 from 4 to 256", l.Stride)
		}
		most = n / (l.Stride / 4) * blockElements(l.Stride) // a block of nothing but zeros takes its control bytes
	case Triangles:
		if l.Count%3 != 0 {
			return 0, fmt.Errorf("%d indices are no triangles", l.Count)
		}
		most = 3 * n
	case Indices:
		most = n
	default:
		return 0, fmt.Errorf("%.20q is not a mode", l.Mode)
	}
	if l.Mode != Attributes && l.Stride != 2 && l.Stride != 4 {
		return 0, fmt.Errorf("indices of %d bytes", l.Stride)
	}
	if err := l.checkFilter(); err != nil {
		return 0, err
	}
	if l.Count < 1 || l.Count > most {
		return 0, fmt.Errorf("%d elements cannot be in %d bytes", l.Count, n)
	}
	return l.Count * l.Stride, nil
}

func (l Layout) checkFilter() error {
	ok := true
	switch l.Filter {
	case "", None:
		return nil
	case Octahedral, Color:
		ok = l.Stride == 4 || l.Stride == 8
	case Quaternion:
		ok = l.Stride == 8
	case Exponential:
	default:
		return fmt.Errorf("%.20q is not a filter", l.Filter)
	}
	if !ok || l.Mode != Attributes {
		return fmt.Errorf("the filter %s does not suit %s of %d bytes", l.Filter, l.Mode, l.Stride)
	}
	return nil
}

// Decode returns the Size bytes that src holds.
func Decode(src []byte, l Layout) ([]byte, error) {
	size, err := l.Size(len(src))
	if err != nil {
		return nil, err
	}
	dst := make([]byte, size)
	switch l.Mode {
	case Attributes:
		if err = attributes(dst, src, int(l.Count), int(l.Stride)); err == nil {
			l.filter(dst)
		}
	case Triangles:
		err = triangles(output{dst, int(l.Stride)}, src, int(l.Count))
	case Indices:
		err = indices(output{dst, int(l.Stride)}, src, int(l.Count))
	}
	if err != nil {
		return nil, err
	}
	return dst, nil
}

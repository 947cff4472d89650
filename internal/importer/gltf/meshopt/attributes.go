package meshopt

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

const (
	headerV0 = 0xa0
	headerV1 = 0xa1 // KHR_meshopt_compression

	groupElements = 16
	maxElements   = 256
)

// blockElements is the number of elements in all blocks but the last (appendix A, mode 0).
func blockElements(stride int64) int64 { return min(8192/stride&^(groupElements-1), maxElements) }

// Ways a byte's deltas are stored in a block of version 1.
const (
	controlBits0   = iota // groups of 0, 1, 2 or 4 bits
	controlBits1          // groups of 1, 2, 4 or 8 bits
	controlZeros          // nothing stored: all zeros
	controlLiteral        // one byte each, without group headers
)

// groupBits lists the bits per delta that the two bits of a group's header stand for.
var groupBits = [...][4]int{controlBits0: {0, 1, 2, 4}, controlBits1: {1, 2, 4, 8}}

var groupBitsV0 = [4]int{0, 2, 4, 8}

// Ways the deltas of four bytes are applied: version 0 knows the first only.
const (
	channelBytes  = iota // zigzag differences of each byte
	channelShorts        // zigzag differences of each 16 bits
	channelXor           // bits that differ, of 32, rotated
)

// planes holds the deltas of four consecutive bytes of a block's elements.
type planes [4][maxElements]byte

// attributes decodes mode 0.
func attributes(dst, src []byte, count, stride int) error {
	var v1 bool
	tail, padded := stride, max(stride, 32)
	switch src[0] {
	case headerV0:
	case headerV1:
		v1 = true
		tail += stride / 4
		padded = max(tail, 24)
	default:
		return fmt.Errorf("attributes begin with %#x, not %#x or %#x", src[0], headerV0, headerV1)
	}
	if len(src) < 1+padded {
		return errShort
	}
	last := append([]byte(nil), src[len(src)-tail:][:stride]...) // deltas refer to the element before
	var channels []byte
	if v1 {
		channels = src[len(src)-tail+stride:]
	}
	r := reader{src[1 : len(src)-padded]}
	var p planes
	block := int(blockElements(int64(stride)))
	for ; count > 0; count -= block {
		n := min(count, block)
		var control []byte
		if v1 {
			control = r.take(stride / 4)
			if control == nil {
				return errShort
			}
		}
		for at := 0; at < stride; at += 4 {
			for k := range p {
				var ok bool
				if v1 {
					ok = r.planeV1(p[k][:], n, control[at/4]>>(2*k)&3)
				} else {
					ok = r.plane(p[k][:], n, &groupBitsV0)
				}
				if !ok {
					return errShort
				}
			}
			mode := byte(channelBytes)
			if v1 {
				mode = channels[at/4]
			}
			if !p.apply(dst[at:], last[at:at+4], n, stride, mode) {
				return fmt.Errorf("channel mode %d", mode)
			}
		}
		dst = dst[n*stride:]
	}
	if len(r.rest) > 0 {
		return errLong
	}
	return nil
}

// apply adds the deltas to the last element and those after it.
func (p *planes) apply(dst, last []byte, n, stride int, mode byte) bool {
	switch mode & 3 {
	case channelBytes:
		for k := range p {
			v := last[k]
			for i, d := range p[k][:n] {
				v += d>>1 ^ -(d & 1)
				dst[i*stride+k] = v
			}
			last[k] = v
		}
	case channelShorts:
		for k := 0; k < 4; k += 2 {
			v := binary.LittleEndian.Uint16(last[k:])
			for i := range n {
				d := uint16(p[k][i]) | uint16(p[k+1][i])<<8
				v += d>>1 ^ -(d & 1)
				binary.LittleEndian.PutUint16(dst[i*stride+k:], v)
			}
			binary.LittleEndian.PutUint16(last[k:], v)
		}
	case channelXor:
		v, turn := binary.LittleEndian.Uint32(last), -int(mode>>4)
		for i := range n {
			d := uint32(p[0][i]) | uint32(p[1][i])<<8 | uint32(p[2][i])<<16 | uint32(p[3][i])<<24
			v ^= bits.RotateLeft32(d, turn)
			binary.LittleEndian.PutUint32(dst[i*stride:], v)
		}
		binary.LittleEndian.PutUint32(last, v)
	default:
		return false
	}
	return true
}

// reader takes bytes from the front of what is left of a stream.
type reader struct{ rest []byte }

// take returns the next n bytes, or nil.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) planeV1(out []byte, n int, control byte) bool {
	switch control {
	case controlZeros:
		clear(out[:n])
		return true
	case controlLiteral:
		b := r.take(n)
		copy(out, b)
		return b != nil
	}
	return r.plane(out, n, &groupBits[control])
}

// plane reads one byte of each of n elements: headers of two bits for each group of 16, then the groups.
func (r *reader) plane(out []byte, n int, widths *[4]int) bool {
	groups := (n + groupElements - 1) / groupElements
	headers := r.take((groups + 3) / 4)
	if headers == nil {
		return false
	}
	for g := range groups {
		if !r.group((*[groupElements]byte)(out[g*groupElements:]), widths[headers[g/4]>>(2*(g%4))&3]) {
			return false
		}
	}
	return true
}

// group reads 16 deltas of so many bits. A delta of nothing but ones stands for a whole byte after the group.
func (r *reader) group(out *[groupElements]byte, width int) bool {
	switch width {
	case 0:
		clear(out[:])
		return true
	case 8:
		b := r.take(groupElements)
		copy(out[:], b)
		return b != nil
	}
	packed := r.take(2 * width)
	if packed == nil {
		return false
	}
	escape := byte(1)<<width - 1
	perByte := 8 / width
	escapes := 0
	for i := range out {
		shift := width * (i % perByte)
		if width > 1 {
			shift = 8 - width - shift // from the most significant bits; single bits go the other way
		}
		v := packed[i/perByte] >> shift & escape
		if v == escape {
			if escapes == len(r.rest) {
				return false
			}
			v = r.rest[escapes]
			escapes++
		}
		out[i] = v
	}
	r.rest = r.rest[escapes:]
	return true
}

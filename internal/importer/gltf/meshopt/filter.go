package meshopt

import (
	"encoding/binary"
	"math"
)

// The filters of appendix B. They compute in 32 bits, each product rounded on its own, so that every machine decodes
// the same, and the same as the authors' decoder.

func (l Layout) filter(dst []byte) {
	le := binary.LittleEndian
	switch {
	case l.Filter == Exponential:
		for ; len(dst) > 0; dst = dst[4:] {
			le.PutUint32(dst, exponential(int32(le.Uint32(dst))))
		}
	case l.Filter == "" || l.Filter == None:
	case l.Stride == 4:
		for ; len(dst) > 0; dst = dst[4:] {
			var v [4]int32
			for k := range v {
				v[k] = int32(int8(dst[k]))
			}
			l.four(&v, 8)
			for k := range v {
				dst[k] = byte(v[k])
			}
		}
	default:
		for ; len(dst) > 0; dst = dst[8:] {
			var v [4]int32
			for k := range v {
				v[k] = int32(int16(le.Uint16(dst[2*k:])))
			}
			l.four(&v, 16)
			for k := range v {
				le.PutUint16(dst[2*k:], uint16(v[k]))
			}
		}
	}
}

// four filters an element of four integers of so many bits.
func (l Layout) four(v *[4]int32, bits int) {
	switch l.Filter {
	case Octahedral:
		octahedral(v, float32(int32(1)<<(bits-1)-1))
	case Quaternion:
		quaternion(v)
	case Color:
		unsigned := int32(1)<<bits - 1
		color(v, v[0]&unsigned, v[3]&unsigned, float32(unsigned))
	}
}

// octahedral unfolds a unit vector whose third component is the 1 of the others' scale.
func octahedral(v *[4]int32, one float32) {
	x, y := float32(v[0]), float32(v[1])
	z := float32(v[2]) - abs(x) - abs(y)
	t := min(z, 0)
	x += toward(x, t)
	y += toward(y, t)
	length := sqrt(float32(x*x) + float32(y*y) + float32(z*z))
	if length == 0 {
		v[0], v[1], v[2] = 0, 0, 0
		return
	}
	s := one / length
	v[0], v[1], v[2] = round(x*s), round(y*s), round(z*s)
}

// toward returns t with the sign of x.
func toward(x, t float32) float32 {
	if x >= 0 {
		return t
	}
	return -t
}

// quaternion restores the largest component, whose place is in the low bits of the last one, as their scale is.
func quaternion(v *[4]int32) {
	most, one := v[3]&3, v[3]|3
	x, y, z := v[0], v[1], v[2]
	w := sqrt(float32(max(0, 2*int64(one)*int64(one)-int64(x*x)-int64(y*y)-int64(z*z))))
	s := float32(32767/math.Sqrt2) / float32(one)
	v[(most+1)&3] = round(float32(x) * s)
	v[(most+2)&3] = round(float32(y) * s)
	v[(most+3)&3] = round(float32(z) * s)
	v[most] = round(w * s)
}

// exponential returns the bits of a float made of 8 bits of exponent and 24 of mantissa.
func exponential(v int32) uint32 {
	power := math.Float32frombits(uint32(v>>24+127) << 23)
	return math.Float32bits(power * float32(v<<8>>8))
}

// color converts YCoCg to RGB. The highest bit set of alpha tells the scale of all.
func color(v *[4]int32, y, alpha int32, most float32) {
	scale := alpha
	for shift := 1; shift < 16; shift *= 2 {
		scale |= scale >> shift
	}
	if scale == 0 {
		*v = [4]int32{}
		return
	}
	co, cg := v[1], v[2]
	s := most / float32(scale)
	for k, c := range [4]int32{y + co - cg, y + cg, y - co - cg, alpha<<1&scale | alpha&1} {
		v[k] = int32(int64(float32(float32(c)*s) + 0.5)) // noise exceeds 32 bits
	}
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func round(x float32) int32 { return int32(math.RoundToEven(float64(x))) }

package asset

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

var le = binary.LittleEndian

// encoder appends little-endian values.
type encoder struct{ b []byte }

func (e *encoder) u8(v ...uint8)    { e.b = append(e.b, v...) }
func (e *encoder) u16(v uint16)     { e.b = le.AppendUint16(e.b, v) }
func (e *encoder) u64(v uint64)     { e.b = le.AppendUint64(e.b, v) }
func (e *encoder) vec3(v geom.Vec3) { e.f32(v[:]...) }

func (e *encoder) u32(vs ...uint32) {
	for _, v := range vs {
		e.b = le.AppendUint32(e.b, v)
	}
}

func (e *encoder) f32(vs ...float32) {
	for _, v := range vs {
		e.b = le.AppendUint32(e.b, math.Float32bits(v))
	}
}

func (e *encoder) box(b geom.AABB) {
	e.vec3(b.Min)
	e.vec3(b.Max)
}

func (e *encoder) bool(v bool) {
	if v {
		e.u8(1)
	} else {
		e.u8(0)
	}
}

// decoder takes little-endian values from the front of b. Whoever makes one knows that b is long enough: records have a
// fixed size, which is checked once for a whole table.
type decoder struct{ b []byte }

func (d *decoder) u8() uint8 {
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) u16() uint16 {
	v := le.Uint16(d.b)
	d.b = d.b[2:]
	return v
}

func (d *decoder) u32() uint32 {
	v := le.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

func (d *decoder) u64() uint64 {
	v := le.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) f32() float32 { return math.Float32frombits(d.u32()) }

func (d *decoder) floats(dst []float32) {
	for i := range dst {
		dst[i] = d.f32()
	}
}

func (d *decoder) vec3() (v geom.Vec3) {
	d.floats(v[:])
	return v
}

func (d *decoder) box() geom.AABB { return geom.AABB{Min: d.vec3(), Max: d.vec3()} }

// damaged is the error of a file that breaks the format.
func damaged(format string, args ...any) error {
	return fmt.Errorf("asset: damaged file: "+format, args...)
}

// finite reports whether all values are numbers.
func finite(vs ...float32) bool {
	for _, v := range vs {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return false
		}
	}
	return true
}

package cpu

import "math"

// The scalar twin and the C kernels agree to the last bit. Two habits make it so: every product that is added to
// something is rounded first (a conversion to float32 forbids the compiler to fuse, Go specification "Floating-point
// operators"; the kernels are built with -ffp-contract=off), and selections are spelled so that NaN takes a known side.

// mad is a*b+c, rounded twice.
func mad(a, b, c float32) float32 { return float32(a*b) + c }

func dot(a, b [3]float32) float32 {
	return float32(a[0]*b[0]) + float32(a[1]*b[1]) + float32(a[2]*b[2])
}

func cross(a, b [3]float32) [3]float32 {
	return [3]float32{
		float32(a[1]*b[2]) - float32(a[2]*b[1]),
		float32(a[2]*b[0]) - float32(a[0]*b[2]),
		float32(a[0]*b[1]) - float32(a[1]*b[0]),
	}
}

func scale(a [3]float32, s float32) [3]float32 { return [3]float32{a[0] * s, a[1] * s, a[2] * s} }

func sub(a, b [3]float32) [3]float32 { return [3]float32{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func floor(x float32) float32 { return float32(math.Floor(float64(x))) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// unit scales a to length 1; the zero vector stays.
func unit(a [3]float32) [3]float32 { return scale(a, 1/sqrt(maxf(dot(a, a), 1e-30))) }

// minf and maxf return b when either is NaN.
func minf(a, b float32) float32 {
	if a < b {
		return a
	}
	return b
}

func maxf(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}

// clampf maps NaN to lo.
func clampf(x, lo, hi float32) float32 { return minf(maxf(x, lo), hi) }

// roundMagic added to |x| < 2^22 leaves x, rounded to nearest even, in the low mantissa bits.
const roundMagic = 12582912 // 1.5 * 2^23

func roundInt(x float32) int32 {
	return int32(math.Float32bits(x+roundMagic)) - 0x4B400000
}

// srgbToLinear is IEC 61966-2-1's decoding by a minimax polynomial, error 2e-5.
func srgbToLinear(x float32) float32 {
	if x < 0.04045 {
		return x * (1 / 12.92)
	}
	p := mad(x, 0.059778601, -0.24116783)
	p = mad(x, p, 0.61138535)
	p = mad(x, p, 0.53886041)
	p = mad(x, p, 0.030153888)
	return mad(x, p, 0.0010105697)
}

// linearToSRGB is the encoding by a minimax polynomial in sqrt(x), error 4e-4 (a tenth of an 8-bit step).
func linearToSRGB(x float32) float32 {
	if x < 0.0031308 {
		return x * 12.92
	}
	s := sqrt(x)
	p := mad(s, 0.51715847, -1.6232897)
	p = mad(s, p, 2.0312385)
	p = mad(s, p, -1.4026056)
	p = mad(s, p, 1.5179305)
	return mad(s, p, -0.040108696)
}

// neutral is the Khronos PBR Neutral tone curve (Khronos 2024): identity for colours of base-colour brightness, except
// for the 4 % that a dielectric's reflection adds, and a soft shoulder above 0.8.
func neutral(c [3]float32) [3]float32 {
	const start = 0.76
	for k := range c {
		c[k] = clampf(c[k], 0, 1000)
	}
	x := minf(c[0], minf(c[1], c[2]))
	offset := float32(0.04)
	if x < 0.08 {
		offset = x - float32(float32(6.25*x)*x)
	}
	for k := range c {
		c[k] -= offset
	}
	peak := maxf(c[0], maxf(c[1], c[2]))
	if !(peak > start) {
		return c
	}
	top := 1 - 0.0576/(peak-0.52)
	fade := top / peak
	desaturate := 1 - 1/mad(0.15, peak-top, 1)
	for k := range c {
		v := c[k] * fade
		c[k] = mad(top-v, desaturate, v)
	}
	return c
}

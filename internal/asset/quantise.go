package asset

import (
	"math"
	"math/bits"

	"github.com/heliograph/heliograph/internal/geom"
)

// The grid of a quantity is the multiples of a power of two, 2^exp, zero among them: grids of different fineness share
// points, and every point is exact in float32 because its multiple is at most maxGrid.
const (
	maxGrid = 1 << 24
	minExp  = -126
	maxExp  = 102
)

// gridExp is the exponent of a grid that resolves extent into at least 2^bits steps, or as finely as float32 resolves the
// greatest coordinate.
func gridExp(extent, greatest float64, bits int) int8 {
	exp := minExp
	if extent > 0 {
		exp = math.Ilogb(extent) - bits
	}
	if greatest > 0 {
		exp = max(exp, math.Ilogb(greatest)-23)
	}
	return int8(min(max(exp, minExp), maxExp))
}

// positionExp is the exponent of the grid of positions in the box.
func positionExp(b geom.AABB, bits int) int8 {
	var extent, greatest float64
	for k := range 3 {
		if b.IsEmpty() {
			break
		}
		extent = max(extent, float64(b.Max[k])-float64(b.Min[k]))
		greatest = max(greatest, math.Abs(float64(b.Min[k])), math.Abs(float64(b.Max[k])))
	}
	return gridExp(extent, greatest, bits)
}

// uvBits resolves a texture, and the extent of the coordinates if that is less: a sixteenth of a texel of 4096.
const uvBits = 16

// uvGrid is the exponent of the grid of texture coordinates, and how many bytes their differences have at most.
func uvGrid(uv []geom.Vec2) (exp int8, width int) {
	lo, hi := geom.Vec2{math.MaxFloat32, math.MaxFloat32}, geom.Vec2{-math.MaxFloat32, -math.MaxFloat32}
	for _, v := range uv {
		for k, x := range v {
			if math.Abs(float64(x)) < 1e9 { // mesh takes others for 0
				lo[k], hi[k] = min(lo[k], x), max(hi[k], x)
			}
		}
	}
	var extent, greatest float64
	for k := range 2 {
		if lo[k] <= hi[k] {
			extent = max(extent, float64(hi[k])-float64(lo[k]))
			greatest = max(greatest, math.Abs(float64(lo[k])), math.Abs(float64(hi[k])))
		}
	}
	exp = gridExp(min(extent, 1), greatest, uvBits)
	return exp, differenceWidth(math.Ldexp(extent, -int(exp)))
}

// differenceWidth is how many bytes hold the difference, with its sign, of two numbers that are span steps apart at most.
func differenceWidth(span float64) int {
	return (bits.Len64(2*uint64(min(span+1, 2*maxGrid))) + 7) / 8
}

// quantise is the multiple of 2^exp nearest to x.
func quantise(x float32, scale float64) int32 {
	return int32(min(max(math.RoundToEven(float64(x)*scale), -maxGrid), maxGrid))
}

// step is 2^exp, for minExp <= exp <= maxExp.
func step(exp int8) float32 { return math.Float32frombits(uint32(int(exp)+127) << 23) }

// Directions are octahedral (Cigolle et al., "A Survey of Efficient Representations for Independent Unit Vectors", JCGT
// 2014): two integers of 0..2m with m the middle, so that the axes are exact. m = 2^(bits-1)-1.
const (
	normalBits  = 12 // greatest error 0.06 degrees
	tangentBits = 10 // 0.25 degrees; one further bit has the handedness
	axisBits    = 16 // of cones
	colorBits   = 8  // of each channel
)

// toOct maps a direction to the octahedron; directions without length are +Z.
func toOct(x, y, z float64, bits int) (u, v uint32) {
	m := float64(int(1)<<(bits-1) - 1)
	l := math.Abs(x) + math.Abs(y) + math.Abs(z)
	if !(l > 0) {
		return uint32(m), uint32(m)
	}
	px, py := x/l, y/l
	if z < 0 {
		px, py = math.Copysign(1-math.Abs(py), px), math.Copysign(1-math.Abs(px), py)
	}
	return uint32(math.Round(px*m) + m), uint32(math.Round(py*m) + m)
}

// fromOct is the direction, not of unit length, that two integers mean. It is exact.
func fromOct(u, v uint32, bits int) (x, y, z int32) {
	m := int32(1)<<(bits-1) - 1
	x, y = int32(u)-m, int32(v)-m
	z = m - abs(x) - abs(y)
	if z < 0 {
		// z is how far (x, y) lies beyond the edge of the upper half, along either axis.
		x, y = x+sign(x)*z, y+sign(y)*z
	}
	return x, y, z
}

func abs(x int32) int32 {
	s := x >> 31
	return (x ^ s) - s
}

// sign is -1 for negative numbers, else 1.
func sign(x int32) int32 { return x>>31 | 1 }

// unitScale is full divided by the length of a direction. No operation is fused with another, on any processor, so that
// pages decode to the same bits everywhere.
func unitScale(x, y, z int32, full float32) float32 {
	fx, fy, fz := float32(x), float32(y), float32(z)
	sum := float32(fx*fx) + float32(fy*fy)
	sum = float32(sum) + float32(fz*fz)
	return full / float32(math.Sqrt(float64(sum)))
}

// unpackNormal is the inverse of mesh's packing: fields x:11 y:11 z:10, each with the fields below as its fraction.
func unpackNormal(w uint32) (x, y, z float64) {
	const full = 1023 << 21
	return float64(int32(w<<21)) / full, float64(int32(w<<10)) / full, float64(int32(w)) / full
}

// packNormals replaces the first numbers of octahedral normals by mesh's packing (Mesh.Surface).
func packNormals(us, vs []uint32) {
	vs = vs[:len(us)]
	for i, u := range us {
		us[i] = packNormal(u, vs[i])
	}
}

func packNormal(u, v uint32) uint32 {
	x, y, z := fromOct(u, v, normalBits)
	s := unitScale(x, y, z, 1023)
	w := uint32(floor(float32(float32(x)*s)+0.5)) & 0x7ff
	w |= uint32(floor(float32(float32(y)*s)-float32(float32(w)*(1.0/(1<<11)))+0.5)) & 0x7ff << 11
	half := float32(s * 0.5)
	return w | uint32(min(floor(float32(float32(z)*half)-float32(float32(w)*(1.0/(1<<22)))+0.5), 511))<<22
}

// floor is the greatest integer not above x, for small x.
func floor(x float32) int32 { return int32(x+4096) - 4096 }

// tangentOct encodes a tangent of Mesh.Detail as two integers; the lowest bit of the first is set for negative handedness.
func tangentOct(w uint32) (u, v uint32) {
	field := func(shift int) float64 { return float64(int32(w<<shift) >> 22) }
	u, v = toOct(field(22), field(12), field(2), tangentBits)
	return u<<1 | w>>31, v
}

// packTangents replaces the first numbers of tangents by their word in Mesh.Detail.
func packTangents(us, vs []uint32) {
	for i, u := range us {
		us[i] = packTangent(u, vs[i])
	}
}

// packTangent is the inverse of tangentOct.
func packTangent(u, v uint32) uint32 {
	x, y, z := fromOct(u>>1, v, tangentBits)
	s := unitScale(x, y, z, 511)
	round := func(i int32) uint32 { return uint32(floor(float32(float32(i)*s)+0.5)) & 0x3ff }
	handed := uint32(1) << 30
	if u&1 != 0 {
		handed = 3 << 30
	}
	return round(x) | round(y)<<10 | round(z)<<20 | handed
}

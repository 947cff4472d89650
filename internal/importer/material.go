package importer

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// PlainMaterial is the material of a format or a part that has none: a light grey dielectric, seen from both sides,
// since such files say nothing of sides. White instead where vertices have colours.
func PlainMaterial(colored bool) *scene.Material {
	m := scene.DefaultMaterial()
	m.Metallic, m.Roughness, m.DoubleSided = 0, 0.6, true
	if !colored {
		m.BaseColor = geom.Vec4{0.6, 0.6, 0.6, 1}
	}
	return m
}

// Linear decodes one sRGB channel, 0..1 (IEC 61966-2-1).
func Linear(x float32) float32 {
	if x <= 0.04045 {
		return max(0, x/12.92)
	}
	return float32(math.Pow((float64(min(x, 1))+0.055)/1.055, 2.4))
}

// LinearTable decodes each value of an 8 bit sRGB channel.
func LinearTable() (t [256]float32) {
	for i := range t {
		t[i] = Linear(float32(i) / 255)
	}
	return t
}

// SRGB encodes a linear value of 0..1 as an 8 bit sRGB channel, the inverse of Linear.
func SRGB(x float64) uint8 {
	if x <= 0.0031308 {
		x *= 12.92
	} else {
		x = 1.055*math.Pow(x, 1/2.4) - 0.055
	}
	return uint8(max(0, min(1, x))*255 + 0.5)
}

// LinearRGB decodes an sRGB colour.
func LinearRGB(c geom.Vec3) geom.Vec3 { return geom.Vec3{Linear(c[0]), Linear(c[1]), Linear(c[2])} }

// Phong is the older model of a surface, with linear colours.
type Phong struct {
	Diffuse, Specular geom.Vec3
	Shininess         float32
}

// MetallicRoughness converts to what scene.Material has, by the formulas of Azure Remote Rendering ("Material mapping for
// model formats"), so that its users see what they know:
//
//	roughness = sqrt(2 / (shininess * luminance(S) + 2))
//	metallic  = the root of 0.04 m^2 + B m + (0.04 - bright(S)), clamped to 0..1, with
//	            B = bright(D) (1 - max(S)) / 0.96 + bright(S) - 0.08 and bright(c) = 0.299 r^2 + 0.587 g^2 + 0.114 b^2
//	            but 0 where bright(S) < 0.04, as KHR_materials_pbrSpecularGlossiness has it: black rubber is no metal
//	base      = lerp(D (1 - max(S)) / (0.96 max(1e-4, 1 - m)), (S - 0.04 (1 - m)) / max(1e-4, m), m^2)
func (p Phong) MetallicRoughness() (base geom.Vec3, metallic, roughness float32) {
	const dielectric = 0.04 // reflectance at normal incidence
	bright := func(c geom.Vec3) float64 {
		r, g, b := float64(c[0]), float64(c[1]), float64(c[2])
		return 0.299*r*r + 0.587*g*g + 0.114*b*b
	}
	d, s := p.Diffuse, p.Specular
	luminance := 0.2125*float64(s[0]) + 0.7154*float64(s[1]) + 0.0721*float64(s[2])
	roughness = float32(math.Sqrt(2 / (max(0, float64(p.Shininess))*luminance + 2)))
	rest := 1 - float64(max(s[0], s[1], s[2]))
	b := bright(d)*rest/(1-dielectric) + bright(s) - 2*dielectric
	c := dielectric - bright(s)
	m := 0.0
	if c <= 0 {
		m = max(0, min(1, (-b+math.Sqrt(max(0, b*b-4*dielectric*c)))/(2*dielectric)))
	}
	for k := range base {
		plain := float64(d[k]) * rest / ((1 - dielectric) * max(1e-4, 1-m))
		metal := (float64(s[k]) - dielectric*(1-m)) / max(1e-4, m)
		base[k] = float32(max(0, min(1, plain+(metal-plain)*m*m)))
	}
	return base, float32(m), roughness
}

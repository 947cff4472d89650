package gltf

import (
	"image"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// specularGlossiness is KHR_materials_pbrSpecularGlossiness.
type specularGlossiness struct {
	Diffuse    *[4]float32 `json:"diffuseFactor"`
	DiffuseTex *texInfo    `json:"diffuseTexture"`
	Specular   *[3]float32 `json:"specularFactor"`
	Glossiness *float32    `json:"glossinessFactor"`
	Tex        *texInfo    `json:"specularGlossinessTexture"` // sRGB specular, A glossiness
}

// dielectricSpecular is the reflectance of common non-metals at normal incidence.
const dielectricSpecular = 0.04

// perceivedBrightness weighs a linear colour as the converter of the extension's appendix does.
func perceivedBrightness(c geom.Vec3) float64 {
	return math.Sqrt(0.299*float64(c[0]*c[0]) + 0.587*float64(c[1]*c[1]) + 0.114*float64(c[2]*c[2]))
}

// metallicRoughness turns a linear diffuse and specular colour into base colour and metallic: the metallic for which a
// metallic-roughness material reflects as much of both (KHR_materials_pbrSpecularGlossiness, "Converting").
func metallicRoughness(diffuse, specular geom.Vec3) (base geom.Vec3, metallic float32) {
	strongest := max(specular[0], specular[1], specular[2])
	oneMinus := 1 - float64(strongest)
	d, s := perceivedBrightness(diffuse), perceivedBrightness(specular)
	var m float64
	if s >= dielectricSpecular {
		const a = dielectricSpecular
		b := d*oneMinus/(1-dielectricSpecular) + s - 2*dielectricSpecular
		c := dielectricSpecular - s
		m = max(0, min(1, (-b+math.Sqrt(max(0, b*b-4*a*c)))/(2*a)))
	}
	for k := range 3 {
		fromDiffuse := float64(diffuse[k]) * oneMinus / (1 - dielectricSpecular) / max(1-m, 1e-6)
		fromSpecular := (float64(specular[k]) - dielectricSpecular*(1-m)) / max(m, 1e-6)
		base[k] = float32(max(0, min(1, fromDiffuse+(fromSpecular-fromDiffuse)*m*m)))
	}
	return base, float32(m)
}

// glossy is a specular-glossiness material whose textures are converted once they are decoded.
type glossy struct {
	material             *scene.Material
	diffuse              geom.Vec4
	specular             geom.Vec3
	glossiness           float32
	diffuseTex, glossTex scene.TextureRef
}

func (l *loader) fillGlossy(p *plan, m *scene.Material, src *specularGlossiness, at string) error {
	g := &glossy{material: m, diffuse: geom.Vec4{1, 1, 1, 1}, specular: geom.Vec3{1, 1, 1}, glossiness: 1}
	if src.Diffuse != nil {
		g.diffuse = geom.Vec4{unit(src.Diffuse[0]), unit(src.Diffuse[1]), unit(src.Diffuse[2]), unit(src.Diffuse[3])}
	}
	if src.Specular != nil {
		g.specular = geom.Vec3{unit(src.Specular[0]), unit(src.Specular[1]), unit(src.Specular[2])}
	}
	set(&g.glossiness, src.Glossiness)
	g.glossiness = unit(g.glossiness)
	var err error
	if src.DiffuseTex != nil {
		if g.diffuseTex, err = l.texture(p, src.DiffuseTex, at+"/diffuseTexture"); err != nil {
			return err
		}
	}
	if src.Tex != nil {
		if g.glossTex, err = l.texture(p, src.Tex, at+"/specularGlossinessTexture"); err != nil {
			return err
		}
	}
	base, metallic := metallicRoughness(geom.Vec3{g.diffuse[0], g.diffuse[1], g.diffuse[2]}, g.specular)
	m.BaseColor, m.Metallic, m.Roughness = geom.Vec4{base[0], base[1], base[2], g.diffuse[3]}, metallic, 1-g.glossiness
	m.BaseColorTex = g.diffuseTex
	if g.glossTex.Texture != nil {
		p.glossy = append(p.glossy, g)
	}
	return nil
}

// convert replaces the textures of g by those of a metallic-roughness material, pixel by pixel.
func (l *loader) convert(g *glossy) error {
	gloss := g.glossTex.Texture.Image
	var diffuse *image.NRGBA
	if t := g.diffuseTex.Texture; t != nil {
		diffuse = t.Image
	}
	if gloss == nil {
		return nil
	}
	// Textures that lie differently on the surface cannot be combined by pixel: the diffuse one stays the base colour.
	apart := diffuse != nil && (g.diffuseTex.Matrix != g.glossTex.Matrix || g.diffuseTex.UV != g.glossTex.UV)
	if apart {
		diffuse = nil
	}
	linear := importer.LinearTable()
	size := gloss.Rect.Size()
	if diffuse != nil {
		size.X, size.Y = max(size.X, diffuse.Rect.Dx()), max(size.Y, diffuse.Rect.Dy())
	}
	if err := l.images.Take(8 * int64(size.X) * int64(size.Y)); err != nil {
		return err
	}
	base, orm := image.NewNRGBA(image.Rectangle{Max: size}), image.NewNRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			d, s, a := geom.Vec3{g.diffuse[0], g.diffuse[1], g.diffuse[2]}, g.specular, g.diffuse[3]
			if diffuse != nil {
				at := diffuse.NRGBAAt(x*diffuse.Rect.Dx()/size.X, y*diffuse.Rect.Dy()/size.Y)
				d = geom.Vec3{d[0] * linear[at.R], d[1] * linear[at.G], d[2] * linear[at.B]}
				a *= float32(at.A) / 255
			}
			at := gloss.NRGBAAt(x*gloss.Rect.Dx()/size.X, y*gloss.Rect.Dy()/size.Y)
			s = geom.Vec3{s[0] * linear[at.R], s[1] * linear[at.G], s[2] * linear[at.B]}
			color, metallic := metallicRoughness(d, s)
			to := base.Pix[base.PixOffset(x, y):]
			for k, c := range color {
				to[k] = importer.SRGB(float64(c))
			}
			to[3] = byte(a*255 + 0.5)
			to = orm.Pix[orm.PixOffset(x, y):]
			to[0], to[1], to[2], to[3] = 255, byte((1-g.glossiness*float32(at.A)/255)*255+0.5), byte(metallic*255+0.5), 255
		}
	}
	m, t := g.material, g.glossTex.Texture
	derived := func(name string, im *image.NRGBA) scene.TextureRef {
		ref := g.glossTex
		ref.Texture = &scene.Texture{Name: t.Name + " " + name, Image: im, WrapU: t.WrapU, WrapV: t.WrapV, Nearest: t.Nearest}
		return ref
	}
	m.MetalRough, m.Metallic, m.Roughness = derived("metallic roughness", orm), 1, 1
	if !apart {
		m.BaseColorTex, m.BaseColor = derived("base color", base), geom.Vec4{1, 1, 1, 1}
	}
	return nil
}

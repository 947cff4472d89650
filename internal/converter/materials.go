package converter

import (
	"fmt"
	"image"
	"math"
	"strings"

	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// gamma changes colours to what the settings say. Importers have decoded those of formats whose colours are in gamma space.
func gamma(m *scene.Model, s settings.Settings, ext string, points bool) {
	decoded := settings.GammaDefault(ext)
	convert := func(want *bool) func(float32) float32 {
		switch {
		case want == nil || *want == decoded:
			return nil
		case *want:
			return importer.Linear
		}
		return encoded
	}
	if f := convert(s.GammaVertex); f != nil {
		done := once{}
		primitives(m, func(p *scene.Primitive) {
			each(done, p.Colors, func(c *geom.Vec4) { c[0], c[1], c[2] = f(c[0]), f(c[1]), f(c[2]) })
		})
	}
	f := convert(s.GammaMaterial)
	if f == nil || points {
		return
	}
	vec := func(c *geom.Vec3) {
		top := max(1, c[0], c[1], c[2]) // lights are brighter than white
		*c = geom.Vec3{f(c[0]/top) * top, f(c[1]/top) * top, f(c[2]/top) * top}
	}
	for _, mat := range materials(m) {
		c := geom.Vec3{mat.BaseColor[0], mat.BaseColor[1], mat.BaseColor[2]}
		vec(&c)
		mat.BaseColor = geom.Vec4{c[0], c[1], c[2], mat.BaseColor[3]}
		vec(&mat.Emissive)
		if l := mat.Layers; l != nil {
			vec(&l.SpecularColor)
			vec(&l.SheenColor)
			vec(&l.AttenuationColor)
		}
	}
}

// encoded is the inverse of importer.Linear.
func encoded(x float32) float32 {
	if x <= 0.0031308 {
		return max(0, x*12.92)
	}
	return float32(1.055*math.Pow(float64(min(x, 1)), 1/2.4) - 0.055)
}

// sides gives opaque materials the sides that the settings say. The only format with a word about sides is glTF: what it
// says of single-sided models counts.
func sides(m *scene.Model, singleSided bool) {
	says := strings.HasPrefix(m.Source.Format, "glTF")
	for _, mat := range materials(m) {
		if mat.Alpha == scene.AlphaBlend || singleSided && says {
			continue
		}
		mat.DoubleSided = !singleSided
	}
}

// overrider applies material overrides.
type overrider struct {
	overrides settings.Overrides
	importer  bool // did what ignoreTextureMaps asks for, and knows better which map is which
	derived   map[derivation]*scene.Texture
}

// derivation is a texture of which one channel is 1.
type derivation struct {
	of      *scene.Texture
	channel int
}

// apply returns how many materials were overridden.
func (o *overrider) apply(m *scene.Model) int {
	n := 0
	plain := map[*scene.Material]bool{} // without vertex colours
	for _, mat := range materials(m) {
		e := o.overrides.Of(mat.Name)
		if e == nil {
			continue
		}
		n++
		o.factors(mat, e)
		if !o.importer {
			for _, name := range e.IgnoreTextureMaps {
				o.ignore(mat, name)
			}
		}
		if e.VertexColor != nil && !*e.VertexColor {
			plain[mat] = true
		}
	}
	primitives(m, func(p *scene.Primitive) {
		if plain[p.Material] {
			p.Colors = nil
		}
	})
	return n
}

func set[V any](to *V, from *V) {
	if from != nil {
		*to = *from
	}
}

func (o *overrider) factors(mat *scene.Material, e *settings.Override) {
	set(&mat.Unlit, e.Unlit)
	if e.Albedo != nil {
		copy(mat.BaseColor[:3], e.Albedo[:])
	}
	set(&mat.BaseColor[3], e.Alpha)
	set(&mat.Roughness, e.Roughness)
	set(&mat.Metallic, e.Metalness)
	set(&mat.NormalScale, e.NormalMapScale)
	set(&mat.AlphaCutoff, e.AlphaClipThreshold)
	set(&mat.DoubleSided, e.DoubleSided)
	set(&mat.WritesDepth, e.TransparencyWritesDepth)
	if e.AlphaClip != nil {
		switch {
		case *e.AlphaClip && mat.Alpha == scene.AlphaOpaque:
			mat.Alpha = scene.AlphaMask
		case !*e.AlphaClip && mat.Alpha == scene.AlphaMask:
			mat.Alpha = scene.AlphaOpaque
		}
	}
	if e.Transparent != nil {
		switch {
		case *e.Transparent:
			mat.Alpha = scene.AlphaBlend
		case mat.Alpha == scene.AlphaBlend && e.AlphaClip != nil && *e.AlphaClip:
			mat.Alpha = scene.AlphaMask
		case mat.Alpha == scene.AlphaBlend:
			mat.Alpha = scene.AlphaOpaque
		}
	}
	if e.TextureScale != nil || e.TextureOffset != nil {
		scale, offset := [2]float32{1, 1}, [2]float32{}
		set(&scale, e.TextureScale)
		set(&offset, e.TextureOffset)
		texturesOf(mat, func(r *scene.TextureRef) {
			for k := range 3 {
				r.Matrix[k] *= scale[0]
				r.Matrix[3+k] *= scale[1]
			}
			r.Matrix[2] += offset[0]
			r.Matrix[5] += offset[1]
		})
	}
}

// ignore removes a texture map by ARR's name of it. Maps of the older models of materials are where the importers put them:
// colour and opacity in the base colour, bumps in the normals.
func (o *overrider) ignore(mat *scene.Material, name string) {
	none := scene.TextureRef{}
	switch name {
	case "AlbedoMap", "DiffuseMap":
		mat.BaseColorTex = none
	case "OpacityMap":
		o.fill(&mat.BaseColorTex, 3)
	case "EmissiveMap":
		mat.EmissiveTex = none
	case "NormalMap", "BumpMap":
		mat.NormalTex = none
	case "OcclusionMap":
		mat.OcclusionTex = none
	case "MetallicRoughnessMap":
		mat.MetalRough = none
	case "RoughnessMap":
		o.fill(&mat.MetalRough, 1)
	case "MetalnessMap":
		o.fill(&mat.MetalRough, 2)
	case "SpecularMap":
		if mat.Layers != nil {
			mat.Layers.SpecularTex, mat.Layers.SpecularColorTex = none, none
		}
	}
}

// fill makes one channel of a texture 1, in a copy that all its users share.
func (o *overrider) fill(r *scene.TextureRef, channel int) {
	if r.Texture == nil || r.Texture.Image == nil {
		return
	}
	key := derivation{r.Texture, channel}
	made := o.derived[key]
	if made == nil {
		src := r.Texture.Image
		im := &image.NRGBA{Pix: append([]uint8(nil), src.Pix...), Stride: src.Stride, Rect: src.Rect}
		for y := range im.Rect.Dy() {
			row := im.Pix[y*im.Stride:][:4*im.Rect.Dx()]
			for x := channel; x < len(row); x += 4 {
				row[x] = 255
			}
		}
		t := *r.Texture
		t.Image = im
		made = &t
		if o.derived == nil {
			o.derived = map[derivation]*scene.Texture{}
		}
		o.derived[key] = made
	}
	r.Texture = made
}

// look is all of a material but its name.
type look struct {
	scene.Material
	layers scene.Layers
}

func lookOf(m *scene.Material) look {
	l := look{Material: *m}
	l.Name, l.Layers = "", nil
	if m.Layers != nil {
		l.layers = *m.Layers
	} else {
		l.layers = *scene.DefaultLayers()
	}
	return l
}

// deduplicate keeps one of all materials that share their look, the first.
func deduplicate(m *scene.Model) { merge(m, lookOf) }

func merge(m *scene.Model, by func(*scene.Material) look) {
	first := map[look]*scene.Material{}
	same := map[*scene.Material]*scene.Material{}
	for _, mat := range materials(m) {
		l := by(mat)
		if first[l] == nil {
			first[l] = mat
		}
		same[mat] = first[l]
	}
	replace(m, same)
}

// maxMaterials is ARR's limit (ARR, "Configure the model conversion", "deduplicateMaterials").
const maxMaterials = 65535

// limitMaterials merges materials that are ever less alike until there are few enough. What still exceeds the limit becomes
// a red material that says so.
func limitMaterials(m *scene.Model, limit int) []child.Note {
	before := len(materials(m))
	if before <= limit {
		return nil
	}
	for steps := float32(64); steps >= 4 && len(materials(m)) > limit; steps /= 2 {
		merge(m, func(mat *scene.Material) look { return coarse(mat, steps) })
	}
	note := child.Note{Code: child.CodeMaterialLimit, Title: "Too many materials", Details: []child.Detail{
		{Name: "materials", Value: fmt.Sprint(before)}, {Name: "limit", Value: fmt.Sprint(limit)},
	}}
	all := materials(m)
	if len(all) > limit {
		red := scene.DefaultMaterial()
		red.Name, red.BaseColor, red.Metallic, red.Unlit, red.DoubleSided = "Error", geom.Vec4{1, 0, 0, 1}, 0, true, true
		by := make(map[*scene.Material]*scene.Material, len(all))
		for i, mat := range all {
			if i >= limit-1 {
				by[mat] = red
				continue
			}
			by[mat] = mat
		}
		note.Details = append(note.Details, child.Detail{Name: "replaced by red", Value: fmt.Sprint(len(all) - limit + 1)})
		replace(m, by)
	}
	return []child.Note{note}
}

// coarse is a look with the factors that people see least of rounded.
func coarse(mat *scene.Material, steps float32) look {
	l := lookOf(mat)
	round := func(v ...*float32) {
		for _, x := range v {
			*x = float32(math.Round(float64(*x*steps))) / steps
		}
	}
	round(&l.BaseColor[0], &l.BaseColor[1], &l.BaseColor[2], &l.BaseColor[3], &l.Metallic, &l.Roughness)
	round(&l.Emissive[0], &l.Emissive[1], &l.Emissive[2], &l.NormalScale, &l.Occlusion, &l.AlphaCutoff)
	return l
}

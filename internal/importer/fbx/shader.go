package fbx

import (
	"image"
	"maps"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// FBX itself knows Lambert and Phong only. Maya and 3ds Max save their physically based materials as properties below "Maya|"
// and "3dsMax|": Maya Standard Surface and Arnold, Stingray PBS, 3ds Max Physical, PBR, glTF and OpenPBR materials. They
// have the same parameters under slightly different names.

type parameter uint8

const (
	baseColor parameter = iota
	baseWeight
	metalness
	roughness
	glossiness
	opacity
	transparency
	emissionColor
	emissionWeight
	normalMap
	bumpMap
	occlusion
	specularWeight
	specularColor
	ior
	coat
	coatRoughness
	coatNormal
	sheenColor
	sheenWeight
	sheenRoughness
	thickness
	attenuationColor
	attenuationDistance
	numParameters
)

// parameterNames are the names of a parameter's number or colour, and of its map, without case, underscores and the word map.
var parameterNames = [numParameters][]string{
	baseColor:           {"basecolor", "color"},
	baseWeight:          {"base", "baseweight"},
	metalness:           {"metalness", "metallic", "basemetalness"},
	roughness:           {"roughness", "specularroughness"},
	glossiness:          {"glossiness"},
	opacity:             {"opacity", "geometryopacity", "cutout", "alpha"},
	transparency:        {"transmission", "transmissionweight", "transparency"},
	emissionColor:       {"emissioncolor", "emitcolor", "emissive"},
	emissionWeight:      {"emission", "emissionweight", "emissiveintensity"},
	normalMap:           {"normal", "norm", "normalcamera", "geometrynormal"},
	bumpMap:             {"bump"},
	occlusion:           {"ambientocclusion", "ao"},
	specularWeight:      {"specular", "specularweight", "reflectivity"},
	specularColor:       {"specularcolor", "reflcolor"},
	ior:                 {"specularior", "transior", "indexofrefraction"},
	coat:                {"coat", "coatweight", "coating", "clearcoat"},
	coatRoughness:       {"coatroughness", "coatrough", "clearcoatroughness"},
	coatNormal:          {"clearcoatnormal", "geometrycoatnormal"},
	sheenColor:          {"sheencolor", "fuzzcolor"},
	sheenWeight:         {"sheen", "fuzzweight"},
	sheenRoughness:      {"sheenroughness", "fuzzroughness"},
	thickness:           {"volumethickness"},
	attenuationColor:    {"volumecolor"},
	attenuationDistance: {"volumedistance"},
}

// shader is a physically based material.
type shader struct {
	*surfaceMaterial
	values map[string][]float64 // by plain name
	maps   map[string]*object
	used   [numParameters]*mapped
	loaded [numParameters]bool
}

// plainName is the name of a parameter without what programs add to it; ok is false for what is none.
func plainName(property string) (name string, ok bool) {
	if !strings.HasPrefix(property, "Maya|") && !strings.HasPrefix(property, "3dsMax|") {
		return "", false
	}
	name = strings.ToLower(property[strings.LastIndexByte(property, '|')+1:])
	name = strings.ReplaceAll(name, "_", "")
	name = strings.TrimPrefix(name, "tex")
	return strings.TrimSuffix(name, "map"), true
}

// shader reads the parameters of a physically based material; nil = the material is none.
func (x *surfaceMaterial) shader() *shader {
	s := &shader{surfaceMaterial: x, values: map[string][]float64{}, maps: map[string]*object{}}
	for _, property := range slices.Sorted(maps.Keys(x.props.own)) {
		n := x.props.own[property]
		name, ok := plainName(property)
		if !ok {
			continue
		}
		var v []float64
		for i := first(n); i < len(n.values) && len(v) < 4; i++ {
			if f, ok := n.value(i).float(); ok && finite(f) {
				v = append(v, f)
			}
		}
		if len(v) > 0 { // a map has the name of its parameter, but no number
			s.values[name] = v
		}
	}
	for _, property := range slices.Sorted(maps.Keys(x.driven)) { // of two maps for one parameter always the same counts
		if name, ok := plainName(property); ok && !s.off(property, name) {
			s.maps[name] = x.driven[property]
		}
	}
	if _, ok := s.lookup(baseColor); !ok && s.texture(baseColor) == nil {
		return nil
	}
	return s
}

// off reports whether a map is switched off: by base_color_map_on in 3ds Max, by use_color_map in Stingray.
func (s *shader) off(property, name string) bool {
	if n := s.props.own[property+"_on"]; n != nil && n.number(first(n)) == 0 {
		return true
	}
	use := s.values["use"+name]
	return len(use) > 0 && use[0] == 0
}

func (s *shader) lookup(p parameter) ([]float64, bool) {
	for _, name := range parameterNames[p] {
		if v := s.values[name]; v != nil {
			return v, true
		}
	}
	return nil, false
}

// number is a parameter as a number from 0 to 1; of a colour it is the mean.
func (s *shader) number(p parameter, otherwise float64) float32 {
	return float32(max(0, min(1, s.value(p, otherwise))))
}

func (s *shader) value(p parameter, otherwise float64) float64 {
	v, ok := s.lookup(p)
	switch {
	case !ok:
		return otherwise
	case len(v) >= 3:
		return (v[0] + v[1] + v[2]) / 3
	}
	return v[0]
}

// color is a parameter as a colour; these are linear.
func (s *shader) color(p parameter, otherwise geom.Vec3) geom.Vec3 {
	v, ok := s.lookup(p)
	if !ok || len(v) < 3 {
		return otherwise
	}
	var c geom.Vec3
	for k := range c {
		c[k] = float32(max(0, min(1, v[k])))
	}
	return c
}

// texture loads the map of a parameter.
func (s *shader) texture(p parameter) *mapped {
	if s.loaded[p] {
		return s.used[p]
	}
	s.loaded[p] = true
	for _, name := range parameterNames[p] {
		if o := s.maps[name]; o != nil {
			if s.used[p] = s.load(o, s.name, s.uvSets); s.used[p] != nil {
				break
			}
		}
	}
	return s.used[p]
}

// place is the texture of a parameter without its alpha.
func (s *shader) place(p parameter) scene.TextureRef {
	t := s.texture(p)
	if t == nil {
		return scene.TextureRef{}
	}
	return s.ref(t, s.textures.Opaque(t.key, t.image))
}

func (s *shader) build(m *scene.Material) {
	white := geom.Vec3{1, 1, 1}
	color := s.texture(baseColor)
	base := s.color(baseColor, white)
	if color != nil {
		base = white
	}
	base = base.Mul(s.number(baseWeight, 1))
	m.BaseColor = geom.Vec4{base[0], base[1], base[2], 1}
	s.metalRough(m)
	s.alpha(m, color)
	weight := s.value(emissionWeight, 1)
	if t := s.texture(emissionColor); t != nil || s.texture(emissionWeight) != nil {
		m.EmissiveTex, m.Emissive = s.place(emissionColor), white
		if t == nil {
			m.EmissiveTex, m.Emissive = s.place(emissionWeight), s.color(emissionColor, white)
		} else {
			m.Emissive = white.Mul(float32(max(0, min(weight, 100))))
		}
	} else if c := s.color(emissionColor, geom.Vec3{}); weight > 0 {
		m.Emissive = c.Mul(float32(min(weight, 100)))
	}
	m.OcclusionTex = s.place(occlusion)
	scale := float32(1)
	if v := s.values["bumpmapamt"]; v != nil {
		scale = float32(v[0])
	}
	s.normals(m, s.texture(normalMap), s.texture(bumpMap), scale)
	if v := s.values["normal"]; m.NormalTex.Texture != nil && len(v) == 1 && v[0] > 0 {
		m.NormalScale = float32(v[0])
	}
	if v := s.values["doublesided"]; v != nil {
		m.DoubleSided = v[0] != 0
	}
	if v := s.values["unlit"]; v != nil {
		m.Unlit = v[0] != 0
	}
	s.layers(m)
}

// metalRough sets metalness and roughness, and packs their maps into one. One picture for both is packed already.
func (s *shader) metalRough(m *scene.Material) {
	metal, rough := s.texture(metalness), s.texture(roughness)
	inverted := false
	m.Metallic = s.number(metalness, 0)
	if _, ok := s.lookup(glossiness); ok || s.texture(glossiness) != nil {
		m.Roughness, inverted = 1-s.number(glossiness, 0.5), true
		rough = s.texture(glossiness)
	} else {
		m.Roughness = s.number(roughness, 0.5)
		if v := s.values["roughnessinv"]; v != nil && v[0] != 0 {
			m.Roughness, inverted = 1-m.Roughness, true
		}
	}
	if metal == nil && rough == nil {
		return
	}
	at := rough
	if at == nil {
		at = metal
	}
	if metal != nil && rough != nil && metal.image == rough.image && !inverted {
		if packed := s.textures.Opaque(at.key, at.image); packed != nil {
			m.MetalRough, m.Metallic, m.Roughness = s.ref(at, packed), 1, 1
		}
		return
	}
	constant := [4]uint8{0, uint8(255*m.Roughness + 0.5), uint8(255*m.Metallic + 0.5), 255}
	key := "metalness and roughness"
	var a, b *image.NRGBA
	if rough != nil {
		a, key = rough.image, key+" "+rough.key
	}
	if metal != nil {
		b, key = metal.image, key+" with "+metal.key
	}
	packed := s.textures.Combine(strings.Join([]string{key, string(constant[:])}, " "), a, b, func(x, y [4]uint8) [4]uint8 {
		p := constant
		if a != nil {
			if p[1] = x[0]; inverted {
				p[1] = 255 - x[0]
			}
		}
		if b != nil {
			p[2] = y[0]
		}
		return p
	})
	if packed != nil {
		m.MetalRough, m.Metallic, m.Roughness = s.ref(at, packed), 1, 1
	}
}

// alpha sets opacity and its mode. The glTF material of 3ds Max says which it is.
func (s *shader) alpha(m *scene.Material, color *mapped) {
	mode := 0.0
	if v := s.values["alphamode"]; v != nil {
		mode = v[0]
	}
	const opaque, mask, blend = 1, 2, 3
	alpha, t := s.value(opacity, 1), s.texture(opacity)
	if c, ok := s.lookup(baseColor); mode > opaque && ok && len(c) == 4 && t == nil {
		alpha = c[3]
	}
	if mode == opaque {
		alpha, t = 1, nil
	}
	if mode > opaque && t == nil && color != nil && !s.textures.IsOpaque(color.image) {
		t = color
	}
	s.opacity(m, alpha, t, false, color)
	switch mode {
	case mask:
		m.Alpha = scene.AlphaMask
		if v := s.values["alphacutoff"]; v != nil {
			m.AlphaCutoff = float32(max(0, min(1, v[0])))
		}
	case blend:
		m.Alpha = scene.AlphaBlend
	}
}

// layers sets what goes beyond metal and roughness.
func (s *shader) layers(m *scene.Material) {
	white, y := geom.Vec3{1, 1, 1}, scene.DefaultLayers()
	if s.enabled("clearcoat") && (s.number(coat, 0) > 0 || s.texture(coat) != nil) {
		y.Clearcoat, y.ClearcoatRoughness = s.number(coat, 0), s.number(coatRoughness, 0)
		y.ClearcoatTex, y.ClearcoatRoughTex, y.ClearcoatNormalTex = s.place(coat), s.packed(coatRoughness, 1), s.place(coatNormal)
		if y.ClearcoatTex.Texture != nil {
			y.Clearcoat = 1
		}
		if y.ClearcoatRoughTex.Texture != nil {
			y.ClearcoatRoughness = 1
		}
	}
	c := s.color(sheenColor, geom.Vec3{})
	if s.enabled("sheen") && s.number(sheenWeight, 1) > 0 && (c != geom.Vec3{} || s.texture(sheenColor) != nil) {
		y.SheenColorTex = s.place(sheenColor)
		if y.SheenColorTex.Texture != nil {
			c = white
		}
		y.SheenColor, y.SheenRoughness = c.Mul(s.number(sheenWeight, 1)), s.number(sheenRoughness, 0.3)
	}
	if s.enabled("specular") {
		y.Specular, y.SpecularColor = s.number(specularWeight, 1), s.color(specularColor, white)
		y.SpecularColorTex = s.place(specularColor)
	}
	if s.enabled("transmission") {
		y.Transmission, y.TransmissionTex = s.number(transparency, 0), s.place(transparency)
		if y.TransmissionTex.Texture != nil {
			y.Transmission = 1
		}
	}
	if n := s.value(ior, 1.5); n >= 1 && n <= 5 && s.enabled("indexofrefraction") {
		y.IOR = float32(n)
	}
	if s.enabled("volume") && y.Transmission > 0 {
		y.Thickness = float32(max(0, s.value(thickness, 0)) * s.unit)
		y.AttenuationColor = s.color(attenuationColor, white)
		y.AttenuationDistance = float32(max(0, s.value(attenuationDistance, 0)) * s.unit)
	}
	if *y != *scene.DefaultLayers() {
		m.Layers = y
	}
}

// enabled reports whether a group of parameters counts, which the glTF material of 3ds Max has switches for.
func (s *shader) enabled(group string) bool {
	v := s.values["enable"+group]
	return v == nil || v[0] != 0
}

// packed is a map of single numbers in the channel that glTF has for it.
func (s *shader) packed(p parameter, channel int) scene.TextureRef {
	t := s.texture(p)
	if t == nil {
		return scene.TextureRef{}
	}
	im := s.textures.Combine("channel "+t.key, t.image, nil, func(a, _ [4]uint8) [4]uint8 {
		out := [4]uint8{3: 255}
		out[channel] = a[0]
		return out
	})
	return s.ref(t, im)
}

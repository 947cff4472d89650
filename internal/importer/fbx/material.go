package fbx

import (
	"fmt"
	"image"
	"strings"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// surfaceMaterial is a material as one surface uses it.
type surfaceMaterial struct {
	*loader
	*object
	props  properties
	driven map[string]*object // textures by the property that they drive
	uvSets []string
}

// materialsOf returns what makes the material of each slot of a surface at a model, and a text that says which these are.
func (l *loader) materialsOf(m *placed, s *surface) (of func(slot int) *scene.Material, names string) {
	var list, textures []*object
	for o := range m.children("Material") {
		list = append(list, o)
	}
	if len(s.textures) > 0 {
		for o := range m.children("Texture") {
			textures = append(textures, o)
		}
	}
	var text strings.Builder
	for _, o := range list {
		fmt.Fprintf(&text, "%p ", o)
	}
	for _, o := range textures {
		fmt.Fprintf(&text, "%p ", o)
	}
	return func(slot int) *scene.Material {
		if len(list) == 0 && len(s.textures) == 0 {
			return l.plain(s.colored)
		}
		o, id := &object{class: "Material", name: m.name, node: &node{}}, m.object // textures without a material
		if len(list) > 0 {
			o = list[0]
			if slot < len(list) {
				o = list[slot]
			}
			id = o
		}
		used := map[string]*object{}
		for _, d := range o.down {
			if d.property != "" && (d.to.class == "Texture" || d.to.class == "LayeredTexture") && used[d.property] == nil {
				used[d.property] = d.to
			}
		}
		key := fmt.Sprintf("%p %q", id, s.uvSets)
		for _, t := range s.textures {
			if i, ok := t.bySlot[int32(slot)]; ok && i < len(textures) {
				used[t.property] = textures[i]
				key += fmt.Sprintf(" %s %p", t.property, textures[i])
			}
		}
		l.ignore(o.name, used)
		made := l.materials[key]
		if made == nil {
			x := &surfaceMaterial{loader: l, object: o, props: l.properties(o), driven: used, uvSets: s.uvSets}
			made = x.build()
			l.materials[key] = made
		}
		return made
	}, text.String()
}

func (l *loader) plain(colored bool) *scene.Material {
	key := fmt.Sprint("plain ", colored)
	if l.materials[key] == nil {
		l.materials[key] = importer.PlainMaterial(colored)
	}
	return l.materials[key]
}

// texture loads the texture of the first of some properties that has one.
func (x *surfaceMaterial) texture(properties ...string) *mapped {
	for _, p := range properties {
		if o := x.driven[p]; o != nil {
			if t := x.load(o, x.name, x.uvSets); t != nil {
				return t
			}
		}
	}
	return nil
}

func (x *surfaceMaterial) build() *scene.Material {
	m := importer.PlainMaterial(true)
	m.Name = x.name
	if s := x.shader(); s != nil {
		s.build(m)
		return m
	}
	x.phong(m)
	return m
}

// linear is a colour of the material times its factor.
func (x *surfaceMaterial) linear(color, factor string, otherwise vec3) geom.Vec3 {
	c := importer.LinearRGB(x.props.vector(color, otherwise).geom())
	return c.Mul(float32(max(0, x.props.number(factor, 1))))
}

// phong converts Lambert and Phong as ARR does (ARR, "Material mapping").
func (x *surfaceMaterial) phong(m *scene.Material) {
	p := importer.Phong{
		Diffuse:   x.linear("DiffuseColor", "DiffuseFactor", vec3{0.8, 0.8, 0.8}),
		Shininess: float32(x.props.number("ShininessExponent", x.props.number("Shininess", 20))),
	}
	model := x.node.child("ShadingModel").text(0)
	if model == "" {
		model = x.props.text("ShadingModel")
	}
	diffuse, specular := x.texture("DiffuseColor", "Diffuse"), (*mapped)(nil)
	if !strings.EqualFold(model, "lambert") {
		p.Specular = x.linear("SpecularColor", "SpecularFactor", vec3{})
		specular = x.texture("SpecularColor", "SpecularFactor")
	}
	base, metallic, roughness := p.MetallicRoughness()
	if diffuse == nil && x.opts.FBXAssumeMetallic != nil && !*x.opts.FBXAssumeMetallic && metallic > 0 && !grey(p.Diffuse) {
		base, metallic = p.Diffuse, 0
	}
	color := diffuse
	switch {
	case diffuse == nil && specular == nil:
	case specular == nil && darkSpecular(p.Specular):
		// The formulas leave the colours of the picture as they are, but for what is reflected.
		f := float32(max(0, x.props.number("DiffuseFactor", 1))) * (1 - max(p.Specular[0], p.Specular[1], p.Specular[2])) / 0.96
		base, metallic = geom.Vec3{f, f, f}, 0
	default:
		if c, metals := x.phongMaps(p, diffuse, specular); c != nil {
			color, m.MetalRough = c, metals
			base, metallic, roughness = geom.Vec3{1, 1, 1}, 1, 1
		}
	}
	unit := func(v float32) float32 { return max(0, min(1, v)) }
	m.Metallic, m.Roughness = unit(metallic), unit(roughness)
	m.BaseColor = geom.Vec4{unit(base[0]), unit(base[1]), unit(base[2]), 1}
	x.transparency(m, color)
	m.Emissive = x.linear("EmissiveColor", "EmissiveFactor", vec3{})
	if t := x.texture("EmissiveColor"); t != nil {
		m.EmissiveTex = x.ref(t, x.textures.Opaque(t.key, t.image))
		f := float32(max(0, x.props.number("EmissiveFactor", 1)))
		m.Emissive = geom.Vec3{f, f, f}
	}
	if t := x.texture("AmbientColor"); t != nil {
		m.OcclusionTex = x.ref(t, x.textures.Opaque(t.key, t.image))
	}
	x.normals(m, x.texture("NormalMap"), x.texture("Bump", "BumpFactor"), float32(x.props.number("BumpFactor", 1)))
}

// normals sets the normal map, or one that a bump map makes.
func (x *surfaceMaterial) normals(m *scene.Material, normal, bump *mapped, scale float32) {
	switch {
	case normal != nil:
		m.NormalTex = x.ref(normal, normal.image)
	case bump != nil:
		if !importer.Finite(scale) {
			scale = 1
		}
		var im *image.NRGBA
		im, m.NormalScale = x.textures.Bump(bump.key, bump.image, scale)
		m.NormalTex = x.ref(bump, im)
	}
}

// darkSpecular reports whether the formulas make no metal of any diffuse colour.
func darkSpecular(s geom.Vec3) bool {
	white := importer.Phong{Specular: s}
	_, metallic, _ := white.MetallicRoughness()
	return metallic == 0
}

func grey(c geom.Vec3) bool {
	return max(c[0], c[1], c[2])-min(c[0], c[1], c[2]) < 0.02
}

// phongMaps applies the formulas to each texel of the diffuse and specular textures, either of which may be nil. It returns
// the colours, and the texture of metalness and roughness.
func (x *surfaceMaterial) phongMaps(p importer.Phong, diffuse, specular *mapped) (color *mapped, metals scene.TextureRef) {
	var d, s *image.NRGBA
	at, key := diffuse, fmt.Sprint("phong ", p)
	if diffuse != nil {
		d, key = diffuse.image, key+" diffuse "+diffuse.key
	}
	if specular != nil {
		s, key = specular.image, key+" specular "+specular.key
	}
	if at == nil {
		at = specular
	}
	decode, encode := importer.LinearTable(), encodeTable()
	factor := float32(max(0, x.props.number("DiffuseFactor", 1)))
	shine := float32(max(0, x.props.number("SpecularFactor", 1)))
	key += fmt.Sprint(" ", factor, " ", shine)
	texel := func(a, b [4]uint8) (geom.Vec3, float32, float32) {
		q := p
		for k := range 3 {
			if d != nil {
				q.Diffuse[k] = decode[a[k]] * factor
			}
			if s != nil {
				q.Specular[k] = decode[b[k]] * shine
			}
		}
		return q.MetallicRoughness()
	}
	colors := x.textures.Combine("colours of "+key, d, s, func(a, b [4]uint8) [4]uint8 {
		c, _, _ := texel(a, b)
		out := [4]uint8{3: a[3]}
		for k, v := range c { // from 0 to 1
			out[k] = encode[int(v*encodeSteps+0.5)]
		}
		return out
	})
	packed := x.textures.Combine("metals of "+key, d, s, func(a, b [4]uint8) [4]uint8 {
		_, metallic, roughness := texel(a, b)
		return [4]uint8{0, uint8(255*min(1, roughness) + 0.5), uint8(255*metallic + 0.5), 255}
	})
	if colors == nil || packed == nil {
		return nil, metals
	}
	c := *at
	c.key, c.image = key, colors
	return &c, x.ref(at, packed)
}

// encodeSteps is so many that a step is less than one sRGB byte.
const encodeSteps = 1<<12 - 1

// encodeTable has the sRGB byte of each linear value from 0 to 1, in steps.
func encodeTable() *[encodeSteps + 1]uint8 {
	t := new([encodeSteps + 1]uint8)
	for i := range t {
		t[i] = importer.SRGB(float64(i) / encodeSteps)
	}
	return t
}

// transparency sets alpha: Opacity, else by TransparentColor, else by TransparencyFactor. SDKs since 2011 multiply the latter.
func (x *surfaceMaterial) transparency(m *scene.Material, color *mapped) {
	factor := x.props.number("TransparencyFactor", 1)
	var alpha float64
	if x.props.find("Opacity") != nil {
		alpha = x.props.number("Opacity", 1)
	} else if c, ok := x.props.lookupVector("TransparentColor"); ok {
		alpha = 1 - (c[0]+c[1]+c[2])/3*factor
	} else {
		alpha = 1 - x.props.number("TransparencyFactor", 0)
	}
	opacity := x.texture("TransparentColor", "TransparencyFactor", "Opacity")
	inverted := !strings.Contains(strings.ToLower(x.creator()), "max") // 3ds Max has white for opaque here, as nobody else
	if x.driven["TransparentColor"] == nil && x.driven["TransparencyFactor"] == nil {
		inverted = false
	}
	if opacity != nil {
		alpha = 1
	}
	x.opacity(m, alpha, opacity, inverted, color)
}

// opacity joins an opacity, a number or a picture, with the base colour of a material.
func (x *surfaceMaterial) opacity(m *scene.Material, alpha float64, opacity *mapped, inverted bool, color *mapped) {
	switch {
	case alpha >= 1:
	case alpha <= 0: // what some programs write for glass; nobody means a part that cannot be seen
		x.warnings.Add("Materials that are wholly transparent are shown opaque.")
	default:
		m.BaseColor[3], m.Alpha = float32(alpha), scene.AlphaBlend
	}
	if opacity == nil {
		if color != nil {
			m.BaseColorTex = x.ref(color, x.textures.Opaque(color.key, color.image))
		}
		return
	}
	at, base := opacity, (*image.NRGBA)(nil)
	key := fmt.Sprint("opacity ", inverted, " ", opacity.key)
	if color != nil {
		at, base, key = color, color.image, key+" of "+color.key
	}
	fromAlpha := !x.textures.IsOpaque(opacity.image)
	joined := x.textures.Combine(key, base, opacity.image, func(a, b [4]uint8) [4]uint8 {
		v := b[3]
		if !fromAlpha {
			if v = uint8((299*int(b[0]) + 587*int(b[1]) + 114*int(b[2])) / 1000); inverted {
				v = 255 - v
			}
		}
		return [4]uint8{a[0], a[1], a[2], v}
	})
	if joined == nil {
		return
	}
	m.BaseColorTex, m.Alpha = x.ref(at, joined), x.alphaMode(joined)
}

// alphaMode is how an image with an opacity is drawn: masked, which needs no sorting, unless more of it than the rims of leaves
// and grids lets half of the light through.
func (l *loader) alphaMode(im *image.NRGBA) scene.AlphaMode {
	mode, ok := l.modes[im]
	if ok {
		return mode
	}
	soft := 0
	for i := 3; i < len(im.Pix); i += 4 {
		if a := im.Pix[i]; a > 16 && a < 239 {
			soft++
		}
	}
	if mode = scene.AlphaMask; soft > len(im.Pix)/4/8 {
		mode = scene.AlphaBlend
	}
	l.modes[im] = mode
	return mode
}

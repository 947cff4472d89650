package fbx

import (
	"encoding/base64"
	"image"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// mapped is a texture as a material uses it.
type mapped struct {
	name  string
	key   string // of the image, for what is derived from it
	image *image.NRGBA
	at    scene.TextureRef // where it lies; Texture is set by ref
	clamp [2]bool
}

// textureKey is what makes a texture, so that materials share it.
type textureKey struct {
	image *image.NRGBA
	clamp [2]bool
}

// load loads the texture behind an object, nil = none.
func (l *loader) load(o *object, material string, uvSets []string) *mapped {
	if o = l.fileTexture(o, 0); o == nil {
		return nil
	}
	names := []string{o.node.child("RelativeFilename").text(0), o.node.child("FileName").text(0)}
	for v := range o.children("Video") {
		names = append(names, v.node.child("RelativeFilename").text(0), v.node.child("Filename").text(0), v.node.child("FileName").text(0))
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	if len(names) == 0 {
		return nil
	}
	for i := range names {
		names[i] = strings.ToValidUTF8(names[i], "\uFFFD")
	}
	t := &mapped{name: names[0], key: names[0]}
	if t.image = l.embedded(o, t.name); t.image == nil {
		t.image = l.textures.Load(material, names[0], names[1:]...)
	}
	if t.image == nil {
		return nil
	}
	p := l.properties(o)
	t.at.UV = min(1, max(0, slices.Index(uvSets, p.text("UVSet"))))
	t.at.Matrix = uvMatrix(p)
	t.clamp = [2]bool{p.int("WrapModeU", 0) == 1, p.int("WrapModeV", 0) == 1}
	return t
}

// embedded is the image that the file itself has of a texture, nil = none.
func (l *loader) embedded(o *object, name string) *image.NRGBA {
	im, ok := l.images[o]
	if ok {
		return im
	}
	for v := range o.children("Video") {
		if data := l.content(v.node.child("Content")); len(data) > 0 {
			im = l.textures.Embedded(name, data)
			break
		}
	}
	l.images[o] = im
	return im
}

// fileTexture finds the texture with a file at or below o: programs connect theirs through layers and other maps.
func (l *loader) fileTexture(o *object, depth int) *object {
	const deepest = 8
	if depth > deepest {
		return nil
	}
	if o.class == "Texture" && (o.node.child("FileName").text(0) != "" || o.node.child("RelativeFilename").text(0) != "") {
		return o
	}
	below := slices.Clone(o.down)
	if o.class == "LayeredTexture" {
		if len(below) > 1 {
			l.warnings.Add("Of layered textures only the lowest layer is kept.")
		}
		slices.Reverse(below)
	}
	for _, d := range below[:min(len(below), deepest)] {
		if d.to.class == "Texture" || d.to.class == "LayeredTexture" {
			if t := l.fileTexture(d.to, depth+1); t != nil {
				return t
			}
		}
	}
	return nil
}

// content is an embedded file: bytes, or base64 in ASCII, in any number of pieces.
func (l *loader) content(n *node) []byte {
	if n == nil {
		return nil
	}
	if len(n.values) == 1 && n.values[0].kind == kindBytes {
		return n.values[0].data
	}
	var out, text []byte
	for _, v := range n.values {
		if l.budget.Take(2*int64(len(v.data))) != nil {
			return nil
		}
		switch v.kind {
		case kindBytes:
			out = append(out, v.data...)
		case kindString:
			text = append(text, v.data...)
		}
	}
	if len(text) == 0 {
		return out
	}
	if whole, err := base64.StdEncoding.AppendDecode(nil, text); err == nil {
		return whole
	}
	for _, v := range n.values { // each piece was encoded on its own
		var err error
		if out, err = base64.StdEncoding.AppendDecode(out, v.data); err != nil {
			l.warnings.Add("An embedded file is not valid base64.")
			return nil
		}
	}
	return out
}

// uvMatrix is the inverse of a texture's transform, which moves the picture, for V down.
func uvMatrix(p properties) [6]float32 {
	pivot := p.vector("TextureRotationPivot", vec3{})
	m := translation(p.vector("Translation", vec3{}).add(pivot)).mul(euler(p.vector("Rotation", vec3{}), 0)).mul(translation(pivot.times(-1)))
	pivot = p.vector("TextureScalingPivot", vec3{})
	m = m.mul(translation(pivot)).mul(scaling(p.vector("Scaling", vec3{1, 1, 1}))).mul(translation(pivot.times(-1)))
	m, ok := m.inverse()
	out := [6]float32{
		float32(m[0]), float32(0 - m[3]), float32(m[9] + m[3]), // 0 - x is never -0
		float32(0 - m[1]), float32(m[4]), float32(1 - m[10] - m[4]),
	}
	if !ok || !importer.Finite(out[:]...) || out == ([6]float32{}) {
		return importer.NoTransform
	}
	return out
}

// ref places an image where a texture lies, nil = none.
func (l *loader) ref(t *mapped, im *image.NRGBA) scene.TextureRef {
	if t == nil || im == nil {
		return scene.TextureRef{}
	}
	key := textureKey{im, t.clamp}
	made := l.made[key]
	if made == nil {
		made = &scene.Texture{Name: t.name, Image: im}
		if t.clamp[0] {
			made.WrapU = scene.WrapClamp
		}
		if t.clamp[1] {
			made.WrapV = scene.WrapClamp
		}
		l.made[key] = made
	}
	at := t.at
	at.Texture = made
	return at
}

// textureLayer says which of a model's textures lies on its material slots, in version 6.
type textureLayer struct {
	property string
	bySlot   map[int32]int
}

// layersOfTextures are the properties of materials that the layers of version 6 stand for.
var layersOfTextures = map[string]string{
	"LayerElementTexture": "DiffuseColor", "LayerElementEmissive_Textures": "EmissiveColor", "LayerElementEmissiveTextures": "EmissiveColor",
	"LayerElementAmbientTextures": "AmbientColor", "LayerElementSpecularTextures": "SpecularColor",
	"LayerElementShininessTextures": "ShininessExponent", "LayerElementNormalMapTextures": "NormalMap", "LayerElementBumpTextures": "Bump",
	"LayerElementTransparentTextures": "TransparentColor", "LayerElementTransparencyFactorTextures": "TransparencyFactor",
}

// textureLayers reads the layers of textures of version 6. Where the polygons of a material have several textures, the first
// counts.
func (b *builder) textureLayers() ([]textureLayer, error) {
	var out []textureLayer
	if b.version >= ids {
		return nil, nil
	}
	for i := range b.node.nodes {
		n := &b.node.nodes[i]
		property := layersOfTextures[n.name]
		if property == "" || slices.ContainsFunc(out, func(t textureLayer) bool { return t.property == property }) {
			continue
		}
		y, err := b.layer(n, "TextureId", "", 1)
		if err != nil {
			return nil, err
		}
		if y == nil {
			continue
		}
		t := textureLayer{property, map[int32]int{}}
		for k, slot := range b.slots {
			if _, ok := t.bySlot[slot]; ok {
				continue
			}
			c := b.corner[3*k]
			if at := y.at(int(b.faces[k]), int(c), b.point(c)); at >= 0 && y.values[at] >= 0 {
				t.bySlot[slot] = int(y.values[at])
			}
		}
		out = append(out, t)
	}
	return out, nil
}

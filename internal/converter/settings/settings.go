// Package settings reads ConversionSettings.json and MaterialOverrides.json as Azure Remote Rendering has them (product
// features C3 and C4): strictly, since a setting with a typing error in it would do nothing and say nothing. It applies
// nothing.
package settings

import (
	"encoding/json"
)

// The names of the files, after the model's own name without its extension.
const (
	Suffix          = ".ConversionSettings.json"
	OverridesSuffix = ".MaterialOverrides.json"
	DeprecatedName  = "conversionSettings.json" // the whole name
)

// SceneGraphMode is what becomes of the hierarchy.
type SceneGraphMode string

// The modes.
const (
	None    SceneGraphMode = "none"    // one object
	Static  SceneGraphMode = "static"  // the hierarchy; no node gets another parent
	Dynamic SceneGraphMode = "dynamic" // the hierarchy
)

// Settings are the content of ConversionSettings.json. Default has the defaults.
type Settings struct {
	Scaling           float64
	RecenterToOrigin  bool
	SingleSided       bool   // opaqueMaterialDefaultSidedness
	MaterialOverride  string // deprecated: the name of the file with the overrides; "" = the usual one
	GammaMaterial     *bool  // gammaToLinearMaterial; nil = as the format has it
	GammaVertex       *bool  // gammaToLinearVertex; nil = as the format has it
	SceneGraphMode    SceneGraphMode
	CollisionMesh     bool
	Unlit             bool
	Deduplicate       bool
	FBXAssumeMetallic bool
	Axis              Axis
	Vertex            Vertex
	MetadataKeys      []string // exact, or the beginning of a key and an asterisk

	Raw json.RawMessage // as it was read; nil = defaults
}

// Axis says which source axis each axis of the result is: 1, 2, 3 for x, y, z, negative for the opposite direction.
type Axis [3]int

// Identity reports whether the axes stay what they are.
func (a Axis) Identity() bool { return a == Axis{1, 2, 3} }

// Vertex says how vertices are stored.
type Vertex struct {
	Position16                               bool // 16_16_16_16_FLOAT
	NoColor, NoNormal, NoTangent, NoTexture0 bool
	NoTexture1                               bool
}

// Default returns the settings of a model that has none.
func Default() Settings {
	return Settings{
		Scaling: 1, SceneGraphMode: Dynamic, CollisionMesh: true, Deduplicate: true, FBXAssumeMetallic: true, Axis: Axis{1, 2, 3},
	}
}

// maxScaling keeps coordinates far away from what a float32 can hold.
const maxScaling = 1e12

// Parse reads ConversionSettings.json. The error is an *arr.Error with line and column.
func Parse(name string, text []byte) (Settings, error) {
	s := Default()
	d := &document{name: name, text: text}
	mode, sidedness := string(s.SceneGraphMode), "DoubleSided"
	root := d.parse()
	if d.err != nil {
		return Settings{}, d.err
	}
	d.object(root, "the file", []key{
		{"$schema", func(value) {}}, // editors want it
		{"scaling", func(v value) {
			d.number("scaling", &s.Scaling).read(v)
			if !(s.Scaling >= 1/maxScaling && s.Scaling <= maxScaling) {
				d.fail(v.at, `"scaling" must be greater than 0 and at most %g`, maxScaling)
			}
		}},
		d.boolean("recenterToOrigin", &s.RecenterToOrigin),
		d.oneOf("opaqueMaterialDefaultSidedness", &sidedness, "SingleSided", "DoubleSided"),
		d.str("material-override", &s.MaterialOverride),
		d.optional("gammaToLinearMaterial", &s.GammaMaterial),
		d.optional("gammaToLinearVertex", &s.GammaVertex),
		d.oneOf("sceneGraphMode", &mode, string(None), string(Static), string(Dynamic)),
		d.boolean("generateCollisionMesh", &s.CollisionMesh),
		d.boolean("unlitMaterials", &s.Unlit),
		d.boolean("deduplicateMaterials", &s.Deduplicate),
		d.boolean("fbxAssumeMetallic", &s.FBXAssumeMetallic),
		{"axis", func(v value) { s.Axis = d.axis(v) }},
		{"vertex", func(v value) { s.Vertex = d.vertex(v) }},
		{"metadataKeys", func(v value) {
			for _, k := range d.list(`"metadataKeys"`, v) {
				var text string
				d.str("metadataKeys", &text).read(k)
				s.MetadataKeys = append(s.MetadataKeys, text)
			}
		}},
	})
	if d.err != nil {
		return Settings{}, d.err
	}
	s.SceneGraphMode, s.SingleSided = SceneGraphMode(mode), sidedness == "SingleSided"
	s.Raw = json.RawMessage(d.text)
	return s, nil
}

func (d *document) axis(v value) Axis {
	a := Axis{1, 2, 3}
	list := d.list(`"axis"`, v)
	if len(list) != 3 {
		d.fail(v.at, `"axis" must have three directions, such as ["+x", "+z", "-y"]`)
		return a
	}
	names := []string{"default", "+x", "-x", "+y", "-y", "+z", "-z"}
	var seen [4]bool
	for i, item := range list {
		switch name := d.choice("axis", item, names); {
		case d.err != nil:
			return a
		case name != "default":
			a[i] = int(name[1]-'x') + 1
			if name[0] == '-' {
				a[i] = -a[i]
			}
		}
		n := max(a[i], -a[i])
		if seen[n] {
			d.fail(item.at, `"axis" has the %c axis twice`, 'x'+rune(n)-1)
		}
		seen[n] = true
	}
	return a
}

// vertex reads the formats of vertices. Those of normals, tangents, colours and texture coordinates say only whether there
// are any: assets have one form of each, which is at least as good. binormal and color1 are never stored.
func (d *document) vertex(v value) Vertex {
	const none = "NONE"
	var out Vertex
	stream := func(name string, drop *bool, formats ...string) key {
		return key{name, func(v value) { *drop = d.choice(name, v, formats) == none }}
	}
	colors := []string{none, "8_8_8_8_UNSIGNED_NORMALIZED"}
	vectors := []string{"AUTO", none, "8_8_8_8_SIGNED_NORMALIZED", "16_16_16_16_FLOAT"}
	texcoords := []string{none, "32_32_FLOAT", "16_16_FLOAT"}
	var unused bool
	d.object(v, `"vertex"`, []key{
		{"position", func(v value) {
			out.Position16 = d.choice("position", v, []string{"32_32_32_FLOAT", "16_16_16_16_FLOAT"}) == "16_16_16_16_FLOAT"
		}},
		stream("color0", &out.NoColor, colors...),
		stream("color1", &unused, colors...),
		stream("normal", &out.NoNormal, vectors...),
		stream("tangent", &out.NoTangent, vectors...),
		stream("binormal", &unused, vectors...),
		stream("texcoord0", &out.NoTexture0, texcoords...),
		stream("texcoord1", &out.NoTexture1, texcoords...),
	})
	return out
}

// KeepsMetadata reports whether metadataKeys has the key.
func (s Settings) KeepsMetadata(key string) bool {
	for _, k := range s.MetadataKeys {
		if n := len(k) - 1; k == key || n >= 0 && k[n] == '*' && len(key) >= n && key[:n] == k[:n] {
			return true
		}
	}
	return false
}

// GammaDefault is what gammaToLinearMaterial and gammaToLinearVertex are for a model of this extension, in lower case: whether
// the format has its colours in the gamma space of sRGB. Of the formats that ARR knows this is what it says (product
// features C3).
func GammaDefault(ext string) bool { return ext != ".gltf" && ext != ".glb" }

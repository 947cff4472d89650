package settings

import (
	"regexp"
	"slices"
)

// TextureMaps are the names that ignoreTextureMaps may have.
var textureMaps = []string{
	"AlbedoMap", "EmissiveMap", "NormalMap", "OcclusionMap", "RoughnessMap", "MetalnessMap", "ReflectivityMap", "BumpMap", "OpacityMap",
	"DiffuseMap", "SpecularMap", "ShininessMap", "MetallicRoughnessMap", "SpecularGlossinessMap",
}

// Override is one entry of MaterialOverrides.json. What is nil stays as the model has it.
type Override struct {
	Name    string
	pattern *regexp.Regexp // nil = Name is the material's

	Unlit, Transparent, AlphaClip *bool
	VertexColor, DoubleSided      *bool
	TransparencyWritesDepth       *bool
	Albedo                        *[3]float32 // linear
	Alpha                         *float32
	Roughness, Metalness          *float32
	NormalMapScale                *float32
	AlphaClipThreshold            *float32
	TextureScale, TextureOffset   *[2]float32
	IgnoreTextureMaps             []string
}

// Overrides are the content of MaterialOverrides.json.
type Overrides []Override

// Of returns the entry for a material: that of its exact name, else the first whose pattern is all of the name; nil = none.
func (o Overrides) Of(material string) *Override {
	for i := range o {
		if o[i].pattern == nil && o[i].Name == material {
			return &o[i]
		}
	}
	for i := range o {
		if o[i].pattern != nil && o[i].pattern.MatchString(material) {
			return &o[i]
		}
	}
	return nil
}

// Ignores reports whether a texture of a material is to be left out.
func (o Overrides) Ignores(material, textureMap string) bool {
	e := o.Of(material)
	return e != nil && slices.Contains(e.IgnoreTextureMaps, textureMap)
}

// largest bounds numbers that have no natural bound.
const largest = 1e6

// ParseOverrides reads MaterialOverrides.json. The error is an *arr.Error with line and column.
func ParseOverrides(name string, text []byte) (Overrides, error) {
	d := &document{name: name, text: text}
	root := d.parse()
	if d.err != nil {
		return nil, d.err
	}
	out := Overrides{}
	exact := map[string]bool{}
	for _, v := range d.list("the file", root) {
		o := d.override(v)
		if d.err != nil {
			break
		}
		if o.pattern == nil {
			if exact[o.Name] {
				d.fail(v.at, "there are two entries for the material %.100q", o.Name)
			}
			exact[o.Name] = true
		}
		out = append(out, o)
	}
	return out, d.err
}

func (d *document) override(v value) Override {
	var o Override
	matching, named := "exact", -1
	d.object(v, "an entry", []key{
		{"name", func(v value) { d.str("name", &o.Name).read(v); named = v.at }},
		d.oneOf("nameMatching", &matching, "exact", "regex"),
		d.optional("unlit", &o.Unlit),
		{"albedoColor", func(v value) { d.color(v, &o) }},
		d.within("roughness", &o.Roughness, 0, 1),
		d.within("metalness", &o.Metalness, 0, 1),
		d.within("normalMapScale", &o.NormalMapScale, -largest, largest),
		d.optional("transparent", &o.Transparent),
		d.optional("alphaClipEnabled", &o.AlphaClip),
		d.within("alphaClipThreshold", &o.AlphaClipThreshold, 0, 1),
		d.optional("useVertexColor", &o.VertexColor),
		d.optional("isDoubleSided", &o.DoubleSided),
		d.optional("transparencyWritesDepth", &o.TransparencyWritesDepth),
		{"textureCoordinateScale", func(v value) { o.TextureScale = d.pair("textureCoordinateScale", v) }},
		{"textureCoordinateOffset", func(v value) { o.TextureOffset = d.pair("textureCoordinateOffset", v) }},
		{"ignoreTextureMaps", func(v value) {
			for _, m := range d.list(`"ignoreTextureMaps"`, v) {
				o.IgnoreTextureMaps = append(o.IgnoreTextureMaps, d.choice("ignoreTextureMaps", m, textureMaps))
			}
		}},
	})
	if named < 0 {
		d.fail(v.at, `an entry must have a "name"`)
		return o
	}
	if matching == "regex" {
		if _, err := regexp.Compile(o.Name); err != nil {
			d.fail(named, "the name is not a regular expression: %v", err)
			return o
		}
		o.pattern = regexp.MustCompile(`\A(?:` + o.Name + `)\z`)
	}
	return o
}

// color reads r, g and b, with or without a, or a alone.
func (d *document) color(v value, o *Override) {
	var c [4]*float32
	d.object(v, `"albedoColor"`, []key{
		d.within("r", &c[0], 0, 1), d.within("g", &c[1], 0, 1), d.within("b", &c[2], 0, 1), d.within("a", &c[3], 0, 1),
	})
	given := 0
	for _, x := range c[:3] {
		if x != nil {
			given++
		}
	}
	switch {
	case d.err != nil:
	case given == 3:
		o.Albedo, o.Alpha = &[3]float32{*c[0], *c[1], *c[2]}, c[3]
	case given == 0 && c[3] != nil:
		o.Alpha = c[3]
	default:
		d.fail(v.at, `"albedoColor" must have r, g and b, or a alone`)
	}
}

// pair reads {"x": 1, "y": 2} or [1, 2].
func (d *document) pair(name string, v value) *[2]float32 {
	var c [2]*float32
	x, y := d.within("x", &c[0], -largest, largest), d.within("y", &c[1], -largest, largest)
	if list, ok := v.v.([]value); ok && len(list) == 2 {
		x.read(list[0])
		y.read(list[1])
	} else {
		d.object(v, `"`+name+`"`, []key{x, y})
	}
	if c[0] == nil || c[1] == nil {
		d.fail(v.at, `%q must have x and y`, name)
		return nil
	}
	return &[2]float32{*c[0], *c[1]}
}

package obj

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"strconv"
	"strings"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	maxLibrary   = 64 << 20 // bytes of one MTL file
	maxMaterials = 1 << 16
)

// definition is one material as an MTL file has it; numbers that are not there are nil.
type definition struct {
	diffuse, specular, emissive *geom.Vec3 // Kd Ks Ke
	shininess, opacity          *float32   // Ns; d, or 1 - Tr
	roughness, metallic         *float32   // Pr Pm
	diffuseMap, emissiveMap     *mapping
	opacityMap, bumpMap         *mapping
	normalMap                   *mapping
	roughnessMap, metallicMap   *mapping
}

// mapping is a texture with its options.
type mapping struct {
	file          string
	offset, scale geom.Vec2
	clamp         bool
	multiplier    float32 // of a bump map
}

// materials makes the materials that parts ask for.
type materials struct {
	defined   map[string]*definition
	made      map[string]*scene.Material
	placed    map[textureKey]*scene.Texture
	textures  *importer.Textures
	warnings  *importer.Warnings
	building  string // name of the material at hand
	libraries bool   // the file names some
	colored   bool   // vertices have colours
}

// textureKey is what makes a texture, so that materials share it.
type textureKey struct {
	image *image.NRGBA
	clamp bool
}

// materials reads the libraries. A name that does not lead to a file may be several, separated by blanks.
func (r *reader) materials(src importer.Source) *materials {
	m := &materials{
		defined: map[string]*definition{}, made: map[string]*scene.Material{},
		placed: map[textureKey]*scene.Texture{}, warnings: &r.warnings,
		textures: importer.NewTextures(src, r.opts, r.in.Size, &r.warnings), libraries: len(r.libraries) > 0, colored: len(r.soup.Colors) > 0,
	}
	read := map[string]bool{}
	for _, line := range r.libraries {
		names := []string{line}
		if !read[line] {
			read[line] = true
			data, err := src.Resolve(line, maxLibrary)
			if err == nil {
				m.parse(line, data)
				continue
			}
			if names = strings.Fields(line); len(names) < 2 {
				m.missing(line, err)
				continue
			}
		}
		for _, name := range names {
			if read[name] {
				continue
			}
			read[name] = true
			data, err := src.Resolve(name, maxLibrary)
			if err != nil {
				m.missing(name, err)
				continue
			}
			m.parse(name, data)
		}
	}
	return m
}

func (m *materials) missing(name string, err error) {
	if errors.Is(err, importer.ErrNoFile) {
		m.warnings.Add(fmt.Sprintf("Missing materials: %.200q is not beside the model.", name))
	} else {
		m.warnings.Add(fmt.Sprintf("The materials %.200q are left out: %v.", name, err))
	}
}

// parse reads one library. A line that makes no sense is a warning: the model can be seen without it.
func (m *materials) parse(file string, data []byte) {
	data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\\\r\n"), []byte(" ")), []byte("\\\n"), []byte(" "))
	var d *definition
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		word, rest := importer.Field(line)
		if string(word) == "newmtl" {
			d = &definition{}
			if name := text(rest); m.defined[name] == nil && len(m.defined) < maxMaterials { // the first counts
				m.defined[name] = d
			}
			continue
		}
		if d == nil || len(word) == 0 || word[0] == '#' {
			continue
		}
		if err := d.statement(strings.ToLower(string(word[:min(len(word), 20)])), rest); err != nil {
			m.warnings.Add(fmt.Sprintf("%.200q line %d: %v.", file, n, err))
		}
	}
}

func (d *definition) statement(word string, rest []byte) error {
	switch word {
	case "kd":
		return rgb(&d.diffuse, rest)
	case "ks":
		return rgb(&d.specular, rest)
	case "ke":
		return rgb(&d.emissive, rest)
	case "ns":
		return number(&d.shininess, rest)
	case "d":
		if w, more := importer.Field(rest); string(w) == "-halo" {
			rest = more
		}
		return number(&d.opacity, rest)
	case "tr":
		if d.opacity != nil { // programs disagree about its meaning, so that d is better
			return nil
		}
		if err := number(&d.opacity, rest); err != nil {
			return err
		}
		*d.opacity = 1 - *d.opacity
	case "pr":
		return number(&d.roughness, rest)
	case "pm":
		return number(&d.metallic, rest)
	case "map_kd":
		d.diffuseMap = parseMapping(rest)
	case "map_ke":
		d.emissiveMap = parseMapping(rest)
	case "map_d":
		d.opacityMap = parseMapping(rest)
	case "map_bump", "bump":
		d.bumpMap = parseMapping(rest)
	case "norm", "map_kn":
		d.normalMap = parseMapping(rest)
	case "map_pr":
		d.roughnessMap = parseMapping(rest)
	case "map_pm":
		d.metallicMap = parseMapping(rest)
	}
	return nil
}

func number(to **float32, rest []byte) error {
	v, n, err := numbers(rest)
	if err != nil || n < 1 {
		return orMissing(err)
	}
	*to = &v[0]
	return nil
}

// rgb reads r g b, or one number for all three.
func rgb(to **geom.Vec3, rest []byte) error {
	w, _ := importer.Field(rest)
	if s := string(w); s == "spectral" || s == "xyz" {
		return fmt.Errorf("colours given as %s are left out", s)
	}
	v, n, err := numbers(rest)
	if err != nil || n < 1 {
		return orMissing(err)
	}
	if n < 3 {
		v[1], v[2] = v[0], v[0]
	}
	*to = &geom.Vec3{v[0], v[1], v[2]}
	return nil
}

// parseMapping reads options, then the name of a file, which may have blanks in it.
func parseMapping(rest []byte) *mapping {
	m := &mapping{scale: geom.Vec2{1, 1}, multiplier: 1}
	for {
		word, more := importer.Field(rest)
		if len(word) < 2 || word[0] != '-' {
			break
		}
		var arg []byte
		switch string(word) {
		case "-o", "-s", "-t":
			var v [3]float32
			n := 0
			for ; n < 3; n++ {
				w, after := importer.Field(more)
				f, err := strconv.ParseFloat(string(w), 32)
				if err != nil || !importer.Finite(float32(f)) {
					break
				}
				v[n], more = float32(f), after
			}
			switch {
			case n == 0:
			case word[1] == 'o':
				m.offset = geom.Vec2{v[0], v[1]}
			case word[1] == 's':
				m.scale[0] = v[0]
				if n > 1 {
					m.scale[1] = v[1]
				}
			}
		case "-mm":
			_, more = importer.Field(more)
			_, more = importer.Field(more)
		case "-blendu", "-blendv", "-boost", "-cc", "-imfchan", "-texres", "-type":
			_, more = importer.Field(more)
		case "-clamp":
			arg, more = importer.Field(more)
			m.clamp = string(arg) == "on"
		case "-bm":
			arg, more = importer.Field(more)
			if f, err := strconv.ParseFloat(string(arg), 32); err == nil && importer.Finite(float32(f)) {
				m.multiplier = float32(f)
			}
		}
		rest = more
	}
	if m.file = text(rest); m.file == "" {
		return nil
	}
	return m
}

// get returns the material of that name. "" is that of faces before the first usemtl.
func (m *materials) get(name string) *scene.Material {
	if made := m.made[name]; made != nil {
		return made
	}
	made := importer.PlainMaterial(m.colored)
	m.building = name
	if d := m.defined[name]; d != nil {
		made = m.build(d)
	} else if name != "" && m.libraries {
		m.warnings.Add(fmt.Sprintf("Missing material: %.200q is in no library; its surfaces are grey.", name))
	}
	made.Name = name
	m.made[name] = made
	return made
}

// build converts a definition: by its PBR members where it has any, else by Phong.MetallicRoughness.
func (m *materials) build(d *definition) *scene.Material {
	out := importer.PlainMaterial(true)
	phong := importer.Phong{Diffuse: geom.Vec3{1, 1, 1}}
	if d.diffuse != nil {
		phong.Diffuse = importer.LinearRGB(*d.diffuse)
	}
	if d.specular != nil {
		phong.Specular = importer.LinearRGB(*d.specular)
	}
	if d.shininess != nil {
		phong.Shininess = *d.shininess
	}
	base, metallic, roughness := phong.MetallicRoughness()
	if d.roughness != nil || d.metallic != nil || d.roughnessMap != nil || d.metallicMap != nil {
		base, metallic = phong.Diffuse, 0
		if d.metallic != nil {
			metallic = *d.metallic
		}
		if d.roughness != nil {
			roughness = *d.roughness
		}
		m.metalRough(out, d, &metallic, &roughness)
	}
	diffuse := m.image(d.diffuseMap)
	if diffuse != nil && base == (geom.Vec3{}) {
		base = geom.Vec3{1, 1, 1} // Kd multiplies the map; black is what programs write that mean the map alone
	}
	out.BaseColor = geom.Vec4{base[0], base[1], base[2], 1}
	out.Metallic, out.Roughness = max(0, min(1, metallic)), max(0, min(1, roughness))
	if d.emissive != nil {
		out.Emissive = importer.LinearRGB(*d.emissive)
	}
	if im := m.image(d.emissiveMap); im != nil {
		out.EmissiveTex = m.ref(d.emissiveMap, im)
		if out.Emissive == (geom.Vec3{}) {
			out.Emissive = geom.Vec3{1, 1, 1}
		}
	}
	if opacity := m.image(d.opacityMap); opacity != nil {
		at := d.opacityMap
		if diffuse != nil {
			at = d.diffuseMap // both share the coordinates of the colour
		}
		out.BaseColorTex = m.ref(at, m.withAlpha(d, diffuse, opacity))
		out.Alpha = scene.AlphaMask // mostly leaves and grids; they need no sorting
	} else if diffuse != nil {
		out.BaseColorTex = m.ref(d.diffuseMap, m.textures.Opaque(d.diffuseMap.file, diffuse))
	}
	switch {
	case d.opacity == nil || *d.opacity >= 1:
	case *d.opacity <= 0: // what some programs write for glass; nobody means a part that cannot be seen
		m.warnings.Add("Materials that are wholly transparent are shown opaque.")
	default:
		out.BaseColor[3] = *d.opacity
		out.Alpha = scene.AlphaBlend
	}
	m.bump(out, d)
	return out
}

func (m *materials) image(at *mapping) *image.NRGBA {
	if at == nil {
		return nil
	}
	return m.textures.Load(m.building, at.file)
}

// ref places an image, nil = none. The options are for V up, texture coordinates have it down: v' = 1 - (s (1 - v) + o).
func (m *materials) ref(at *mapping, im *image.NRGBA) scene.TextureRef {
	if im == nil {
		return scene.TextureRef{}
	}
	key := textureKey{im, at.clamp}
	t := m.placed[key]
	if t == nil {
		t = &scene.Texture{Name: at.file, Image: im}
		if at.clamp {
			t.WrapU, t.WrapV = scene.WrapClamp, scene.WrapClamp
		}
		m.placed[key] = t
	}
	su, sv := at.scale[0], at.scale[1]
	return scene.TextureRef{Texture: t, Matrix: [6]float32{su, 0, at.offset[0], 0, sv, 1 - sv - at.offset[1]}}
}

// metalRough packs the two maps into one as scene.Material has it. A map counts as it is, without its factor.
func (m *materials) metalRough(out *scene.Material, d *definition, metallic, roughness *float32) {
	rough, metal := m.image(d.roughnessMap), m.image(d.metallicMap)
	if rough == nil && metal == nil {
		return
	}
	at := d.roughnessMap
	if rough == nil {
		at = d.metallicMap
	}
	constant := func(x float32) uint8 { return uint8(255*max(0, min(1, x)) + 0.5) }
	r, b := constant(*roughness), constant(*metallic)
	name := fmt.Sprintf("%s with %s, %d %d", d.roughnessMap.name(), d.metallicMap.name(), r, b)
	packed := m.textures.Combine(name, rough, metal, func(x, y [4]uint8) [4]uint8 {
		p := [4]uint8{0, r, b, 255}
		if rough != nil {
			p[1] = x[0]
		}
		if metal != nil {
			p[2] = y[0]
		}
		return p
	})
	if packed != nil {
		out.MetalRough = m.ref(at, packed)
		*metallic, *roughness = 1, 1
	}
}

func (at *mapping) name() string {
	if at == nil {
		return "none"
	}
	return at.file
}

// withAlpha joins a colour and an opacity, which is the alpha of its map or, where that is opaque, its red.
func (m *materials) withAlpha(d *definition, rgb, opacity *image.NRGBA) *image.NRGBA {
	channel := 3
	if opacity.Opaque() {
		channel = 0
	}
	return m.textures.Combine(d.diffuseMap.name()+" with opacity "+d.opacityMap.file, rgb, opacity, func(a, b [4]uint8) [4]uint8 {
		return [4]uint8{a[0], a[1], a[2], b[channel]}
	})
}

// bump sets the normal map.
func (m *materials) bump(out *scene.Material, d *definition) {
	if im := m.image(d.normalMap); im != nil {
		out.NormalTex = m.ref(d.normalMap, im)
		return
	}
	if im := m.image(d.bumpMap); im != nil {
		im, out.NormalScale = m.textures.Bump(d.bumpMap.file, im, d.bumpMap.multiplier)
		out.NormalTex = m.ref(d.bumpMap, im)
	}
}

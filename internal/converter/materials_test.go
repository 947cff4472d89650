package converter

import (
	"fmt"
	"image"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// modelOf has a triangle for each material.
func modelOf(all ...*scene.Material) *scene.Model {
	m := &scene.Model{Materials: all, Source: scene.SourceInfo{Format: "glTF 2.0"}}
	for i, mat := range all {
		m.Meshes = append(m.Meshes, rightTriangle(mat))
		m.Nodes = append(m.Nodes, scene.Node{Parent: -1, Local: geom.Identity(), Mesh: i})
		m.Roots = append(m.Roots, i)
	}
	return m
}

func named(name string, edit func(*scene.Material)) *scene.Material {
	m := scene.DefaultMaterial()
	m.Name = name
	if edit != nil {
		edit(m)
	}
	return m
}

func overridden(t *testing.T, text string, byImporter bool, mat *scene.Material) (*scene.Model, int) {
	t.Helper()
	o, err := settings.ParseOverrides("o", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m := modelOf(mat)
	return m, (&overrider{overrides: o, importer: byImporter}).apply(m)
}

func TestOverrideFactors(t *testing.T) {
	const all = `[{"name": "a", "unlit": true, "albedoColor": {"r": 0.1, "g": 0.2, "b": 0.3, "a": 0.4}, "roughness": 0.5, "metalness": 0.25,
		"normalMapScale": 3, "alphaClipThreshold": 0.75, "isDoubleSided": true, "transparencyWritesDepth": true, "useVertexColor": false,
		"textureCoordinateScale": {"x": 2, "y": 3}, "textureCoordinateOffset": {"x": 0.5, "y": 0.25}}]`
	tex := &scene.Texture{}
	m, n := overridden(t, all, false, named("a", func(m *scene.Material) {
		m.BaseColorTex = scene.TextureRef{Texture: tex, Matrix: [6]float32{1, 0, 1, 0, 1, 2}}
	}))
	want := named("a", func(m *scene.Material) {
		m.Unlit, m.BaseColor, m.Roughness, m.Metallic = true, geom.Vec4{0.1, 0.2, 0.3, 0.4}, 0.5, 0.25
		m.NormalScale, m.AlphaCutoff, m.DoubleSided, m.WritesDepth = 3, 0.75, true, true
		m.BaseColorTex = scene.TextureRef{Texture: tex, Matrix: [6]float32{2, 0, 2.5, 0, 3, 6.25}}
	})
	got := *m.Materials[0]
	for _, r := range []*scene.TextureRef{&got.MetalRough, &got.NormalTex, &got.OcclusionTex, &got.EmissiveTex} {
		r.Matrix = [6]float32{} // of no texture
	}
	if diff := cmp.Diff(want, &got); diff != "" || n != 1 {
		t.Error(n, diff)
	}
	if m.Meshes[0].Primitives[0].Colors != nil {
		t.Error("the vertex colours are used")
	}
	if _, n := overridden(t, all, false, named("b", nil)); n != 0 {
		t.Errorf("%d materials were overridden", n)
	}
	if m, _ := overridden(t, `[{"name": "a", "albedoColor": {"a": 0.5}, "useVertexColor": true}]`, false, named("a", nil)); m.Materials[0].BaseColor != (geom.Vec4{1, 1, 1, 0.5}) ||
		m.Meshes[0].Primitives[0].Colors == nil {
		t.Errorf("%+v", m.Materials[0])
	}
}

func TestOverrideAlpha(t *testing.T) {
	for _, c := range []struct {
		from      scene.AlphaMode
		overrides string
		to        scene.AlphaMode
	}{
		{scene.AlphaOpaque, `"transparent": true`, scene.AlphaBlend},
		{scene.AlphaMask, `"transparent": true`, scene.AlphaBlend},
		{scene.AlphaBlend, `"transparent": false`, scene.AlphaOpaque},
		{scene.AlphaMask, `"transparent": false`, scene.AlphaMask},
		{scene.AlphaOpaque, `"alphaClipEnabled": true`, scene.AlphaMask},
		{scene.AlphaBlend, `"alphaClipEnabled": true`, scene.AlphaBlend},
		{scene.AlphaBlend, `"alphaClipEnabled": true, "transparent": false`, scene.AlphaMask},
		{scene.AlphaMask, `"alphaClipEnabled": false`, scene.AlphaOpaque},
		{scene.AlphaBlend, `"alphaClipEnabled": false`, scene.AlphaBlend},
		{scene.AlphaMask, `"alphaClipEnabled": false, "transparent": true`, scene.AlphaBlend},
	} {
		m, _ := overridden(t, `[{"name": "a", `+c.overrides+`}]`, false, named("a", func(m *scene.Material) { m.Alpha = c.from }))
		if got := m.Materials[0].Alpha; got != c.to {
			t.Errorf("%s makes %d of %d, want %d", c.overrides, got, c.from, c.to)
		}
	}
}

func TestIgnoreTextureMaps(t *testing.T) {
	im := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	copy(im.Pix, []uint8{1, 2, 3, 4, 5, 6, 7, 8})
	full := func() *scene.Material {
		return named("a", func(m *scene.Material) {
			tex := &scene.Texture{Image: im}
			m.Layers = scene.DefaultLayers()
			texturesOf(m, func(r *scene.TextureRef) { *r = scene.TextureRef{Texture: tex, Matrix: importer.NoTransform} })
		})
	}
	for name, gone := range map[string]func(*scene.Material) *scene.TextureRef{
		"AlbedoMap":            func(m *scene.Material) *scene.TextureRef { return &m.BaseColorTex },
		"DiffuseMap":           func(m *scene.Material) *scene.TextureRef { return &m.BaseColorTex },
		"EmissiveMap":          func(m *scene.Material) *scene.TextureRef { return &m.EmissiveTex },
		"NormalMap":            func(m *scene.Material) *scene.TextureRef { return &m.NormalTex },
		"BumpMap":              func(m *scene.Material) *scene.TextureRef { return &m.NormalTex },
		"OcclusionMap":         func(m *scene.Material) *scene.TextureRef { return &m.OcclusionTex },
		"MetallicRoughnessMap": func(m *scene.Material) *scene.TextureRef { return &m.MetalRough },
		"SpecularMap":          func(m *scene.Material) *scene.TextureRef { return &m.Layers.SpecularTex },
	} {
		m, _ := overridden(t, `[{"name": "a", "ignoreTextureMaps": ["`+name+`"]}]`, false, full())
		left := 0
		texturesOf(m.Materials[0], func(r *scene.TextureRef) {
			if r.Texture != nil {
				left++
			}
		})
		if want := map[bool]int{true: 15, false: 16}[name == "SpecularMap"]; gone(m.Materials[0]).Texture != nil || left != want {
			t.Errorf("%s: %d textures are left", name, left)
		}
		if m, _ := overridden(t, `[{"name": "a", "ignoreTextureMaps": ["`+name+`"]}]`, true, full()); gone(m.Materials[0]).Texture == nil {
			t.Errorf("%s: removed although the importer has seen to it", name)
		}
	}
	for name, want := range map[string][]uint8{
		"OpacityMap": {1, 2, 3, 255, 5, 6, 7, 255}, "RoughnessMap": {1, 255, 3, 4, 5, 255, 7, 8}, "MetalnessMap": {1, 2, 255, 4, 5, 6, 255, 8},
	} {
		m, _ := overridden(t, `[{"name": "a", "ignoreTextureMaps": ["`+name+`"]}]`, false, full())
		tex := m.Materials[0].MetalRough.Texture
		if name == "OpacityMap" {
			tex = m.Materials[0].BaseColorTex.Texture
		}
		if diff := cmp.Diff(want, tex.Image.Pix); diff != "" || im.Pix[3] != 4 {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSides(t *testing.T) {
	glass := func(m *scene.Material) { m.Alpha = scene.AlphaBlend }
	both := func(m *scene.Material) { m.DoubleSided = true }
	for _, c := range []struct {
		format string
		single bool
		want   string // one-sided opaque, double-sided opaque, glass
	}{
		{"glTF 2.0", false, "true true false"}, {"glTF 2.0", true, "false true false"}, {"OBJ", true, "false false false"}, {"OBJ", false, "true true false"},
	} {
		m := modelOf(named("a", nil), named("b", both), named("c", glass))
		m.Source.Format = c.format
		sides(m, c.single)
		if got := fmt.Sprint(m.Materials[0].DoubleSided, m.Materials[1].DoubleSided, m.Materials[2].DoubleSided); got != c.want {
			t.Errorf("%s, single-sided %v: %s, want %s", c.format, c.single, got, c.want)
		}
	}
}

func TestGamma(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		ext              string
		material, vertex *bool
		wantMaterial     float32
		wantVertex       float32
	}{
		{".glb", nil, nil, 0.5, 0.5},
		{".glb", &yes, &no, 0.21404114, 0.5},
		{".glb", &no, &yes, 0.5, 0.21404114},
		{".fbx", nil, nil, 0.5, 0.5}, // the importer has decoded them
		{".fbx", &yes, &yes, 0.5, 0.5},
		{".ply", &no, &no, 0.7353569, 0.7353569},
	} {
		m := modelOf(named("a", func(m *scene.Material) { m.BaseColor, m.Emissive = geom.Vec4{0.5, 0.5, 0.5, 0.5}, geom.Vec3{1, 1, 1} }))
		m.Meshes[0].Primitives[0].Colors[0] = geom.Vec4{0.5, 0.5, 0.5, 0.5}
		gamma(m, settings.Settings{GammaMaterial: c.material, GammaVertex: c.vertex}, c.ext, false)
		got, vertex := m.Materials[0].BaseColor, m.Meshes[0].Primitives[0].Colors[0]
		if math.Abs(float64(got[1]-c.wantMaterial)) > 1e-5 || math.Abs(float64(vertex[2]-c.wantVertex)) > 1e-5 || got[3] != 0.5 || vertex[3] != 0.5 {
			t.Errorf("%+v: %v, %v", c, got, vertex)
		}
		if e := m.Materials[0].Emissive; math.Abs(float64(e[0]-1)) > 1e-5 {
			t.Errorf("white light became %v", e)
		}
	}
}

func TestDeduplicate(t *testing.T) {
	layered := func(m *scene.Material) { m.Layers = scene.DefaultLayers() }
	shiny := func(m *scene.Material) { m.Layers = scene.DefaultLayers(); m.Layers.Clearcoat = 1 }
	textured := func(m *scene.Material) { m.BaseColorTex.Texture = &scene.Texture{} }
	a, b := named("a", nil), named("b", layered)
	m := modelOf(a, b, named("c", shiny), named("d", shiny), named("e", textured), named("f", textured))
	m.Meshes[5].Primitives[0].Variants = []*scene.Material{b, nil}
	deduplicate(m)
	var names string
	for _, mat := range m.Materials {
		names += mat.Name
	}
	if names != "acef" || m.Meshes[1].Primitives[0].Material != a || m.Meshes[5].Primitives[0].Variants[0] != a {
		t.Errorf("left are %s", names)
	}
}

func TestLimitMaterials(t *testing.T) {
	var all []*scene.Material
	for i := range 40 {
		all = append(all, named(fmt.Sprint(i), func(m *scene.Material) { m.BaseColor[0] = float32(i) / 40 }))
	}
	m := modelOf(all...)
	if notes := limitMaterials(m, 40); notes != nil || len(m.Materials) != 40 {
		t.Errorf("%v", notes)
	}
	notes := limitMaterials(m, 20)
	if len(notes) != 1 || len(m.Materials) > 20 || notes[0].Text() != "Too many materials (materials 40, limit 20)" {
		t.Errorf("%v, %d materials", notes, len(m.Materials))
	}
	for i, mesh := range m.Meshes {
		if d := math.Abs(float64(mesh.Primitives[0].Material.BaseColor[0] - float32(i)/40)); d > 0.07 {
			t.Errorf("material %d is off by %g", i, d)
		}
	}
	for _, mat := range all { // textures make a difference that nothing merges
		mat.BaseColorTex.Texture = &scene.Texture{}
	}
	m = modelOf(all...)
	notes = limitMaterials(m, 20)
	if len(m.Materials) != 20 || m.Materials[19].Name != "Error" || m.Materials[19].BaseColor != (geom.Vec4{1, 0, 0, 1}) ||
		m.Meshes[39].Primitives[0].Material != m.Materials[19] || len(notes) != 1 {
		t.Errorf("%v, %d materials", notes, len(m.Materials))
	}
}

package fbx

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

func must(t *testing.T, text string) *scene.Model {
	t.Helper()
	return importertest.Must(t, Open, "model.fbx", text)
}

func near(a, b geom.Vec3) bool { return a.Sub(b).Len() < 1e-5 }

// TestEncodings: text and all kinds of binary files mean the same.
func TestEncodings(t *testing.T) {
	for name, text := range map[string]string{"7": everything7(), "6": everything6, "5": everything5} {
		want := must(t, text)
		for _, e := range []encoding{
			{7400, binary.LittleEndian, false}, {7400, binary.BigEndian, true}, {7700, binary.LittleEndian, true}, {7500, binary.BigEndian, false},
		} {
			got, err := importertest.Text(t, Open, "model.fbx", string(encodeBinary(t, text, e)))
			if err != nil {
				t.Errorf("%s: %+v: %v", name, e, err)
				continue
			}
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(scene.Model{}, "Source"), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s: %+v: %s", name, e, d)
			}
			if got.Source.Format != "FBX binary" || want.Source.Format != "FBX ASCII" || got.Source.FormatVersion != want.Source.FormatVersion {
				t.Errorf("%s: %+v and %+v", name, got.Source, want.Source)
			}
		}
	}
}

// TestEverything looks at each part of the files of TestEncodings.
func TestEverything(t *testing.T) {
	m := must(t, everything7())
	var names []string
	for _, n := range m.Nodes {
		names = append(names, n.Name)
	}
	// The Z-up file is turned by one node above all; the light is below its model.
	if d := cmp.Diff([]string{"model", "top", "skinned", "bone", "lamp", "lamp"}, names); d != "" {
		t.Error(d)
	}
	if p := m.Nodes[0].Local.Point(geom.Vec3{1, 2, 3}); p != (geom.Vec3{1, 3, -2}) {
		t.Errorf("the axes turn 1 2 3 into %v", p)
	}
	if p := m.Nodes[1].Local.Point(geom.Vec3{}); !near(p, geom.Vec3{0, 0, 0.5}) {
		t.Errorf("50 centimetres are %v", p)
	}
	if d := cmp.Diff([]scene.Metadata{{Key: "part number", Value: 12.0}}, m.Nodes[2].Metadata); d != "" {
		t.Error(d)
	}
	mesh := m.Meshes[m.Nodes[2].Mesh]
	if len(mesh.Primitives) != 2 || m.Triangles != 2 {
		t.Fatalf("%d primitives of %d triangles", len(mesh.Primitives), m.Triangles)
	}
	a, b := mesh.Primitives[0], mesh.Primitives[1]
	if a.Material.Name != "red" || b.Material.Name != "physical" || b.Material.BaseColor != (geom.Vec4{0, 1, 0, 1}) ||
		b.Material.Metallic != 0.5 {
		t.Errorf("materials %+v, %+v", a.Material, b.Material)
	}
	if a.Positions[1] != (geom.Vec3{1, 0, 0.01}) || a.UV0[2] != (geom.Vec2{1, 0}) || a.Colors[0][0] != 1 || a.Colors[0][2] != 0 {
		t.Errorf("vertices %v, %v, %v", a.Positions, a.UV0, a.Colors)
	}
	skin := m.Skins[m.Nodes[2].Skin-1]
	if d := cmp.Diff([]int{3, 2}, skin.Joints); d != "" {
		t.Error(d)
	}
	// Vertex 0 moves with the bone, 1 as well since weights are normalized, 2 with the model itself.
	if a.Joints[0][0] != 0 || a.Weights[1][0] != 1 || a.Joints[2][0] != 1 || a.Weights[2][0] != 1 {
		t.Errorf("joints %v, weights %v", a.Joints, a.Weights)
	}
	if d := a.Targets[0].Positions[2]; !near(d, geom.Vec3{0, 0, 0.1}) || m.Nodes[2].Weights[0] != 0.25 {
		t.Errorf("the shape moves by %v times %v", d, m.Nodes[2].Weights)
	}
	l := m.Nodes[5].Light
	if l == nil || l.Kind != scene.LightSpot || math.Abs(float64(l.OuterCone)-math.Pi/6) > 1e-6 {
		t.Errorf("light %+v", l)
	}
	if d := m.Nodes[5].Local.Dir(geom.Vec3{0, 0, -1}); !near(d, geom.Vec3{0, -1, 0}) {
		t.Errorf("the light shines to %v", d)
	}
	if len(m.MissingTextures) != 1 || m.MissingTextures[0] != (scene.MissingTexture{Texture: "a.png", Material: "red"}) {
		t.Errorf("missing %v", m.MissingTextures)
	}

	m = must(t, everything6)
	if n := m.Nodes[1]; n.Parent != 0 || n.Skin != 1 || m.Triangles != 2 || len(n.Metadata) != 2 || n.Weights[0] != 0.5 ||
		m.Materials[0].BaseColor[3] != 0.5 || m.Materials[0].Alpha != scene.AlphaBlend {
		t.Errorf("version 6: %+v, %+v", n, m.Materials[0])
	}
	m = must(t, everything5)
	if n := m.Nodes[m.Roots[0]]; n.Name != "bone" || !near(n.Local.Point(geom.Vec3{}), geom.Vec3{0.1, 0.2, 0.3}) || len(n.Children) != 1 {
		t.Errorf("version 5: %+v", n)
	}
	if m.Materials[0].Name != "two" || len(m.Skins) != 1 || len(m.Animations) != 1 || m.Meshes[0].Primitives[0].UV0[2] != (geom.Vec2{1, 0}) {
		t.Errorf("version 5: %+v, %d skins, %d animations", m.Materials[0], len(m.Skins), len(m.Animations))
	}
}

// squareWith imports a square with layers.
func squareWith(t *testing.T, layers ...string) scene.Primitive {
	t.Helper()
	m := must(t, document7("", model(1, "a", "Mesh")+square(2, layers...), connections(1, 0, 2, 1)))
	return m.Meshes[0].Primitives[0]
}

func TestLayerMappings(t *testing.T) {
	for _, c := range []struct {
		mapping, reference, colors, index string
		want                              []float32 // red of the corners
	}{
		{"AllSame", "Direct", "1,0,0,1", "", []float32{1, 1, 1, 1, 1, 1}},
		{"ByPolygon", "Direct", "1,0,0,1,0,0,0,1", "", []float32{1, 1, 1, 0, 0, 0}},
		{"ByPolygon", "IndexToDirect", "1,0,0,1,0,0,0,1", "1,0", []float32{0, 0, 0, 1, 1, 1}},
		{"ByVertice", "Direct", "1,0,0,1,0,0,0,1,0,0,0,1,1,0,0,1", "", []float32{1, 0, 0, 1, 0, 1}},
		{"ByVertex", "IndexToDirect", "1,0,0,1,0,0,0,1", "0,1,1,0", []float32{1, 0, 0, 1, 0, 1}},
		{"ByPolygonVertex", "IndexToDirect", "1,0,0,1,0,0,0,1", "0,1,0,1,0,1", []float32{1, 0, 1, 0, 1, 0}},
		{"", "Direct", "1,0,0,1,0,0,0,1,0,0,0,1,1,0,0,1", "", []float32{1, 0, 0, 1, 0, 1}},
		{"ByPolygonVertex", "IndexToDirect", "0,0,0,1", "0,-1,7,0,0,0", []float32{0, 1, 1, 0, 0, 0}}, // none is white
		{"ByPolygonVertex", "Direct", "0,0,0,1", "", []float32{0, 1, 1, 1, 1, 1}},
	} {
		text := element("Color", "Colors", c.mapping, c.reference, c.colors+"\nColorIndex: "+c.index)
		p := squareWith(t, text)
		var got []float32
		for _, v := range p.Indices {
			got = append(got, p.Colors[v][0])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v, want %v", c.mapping, c.reference, got, c.want)
		}
	}
	larger := strings.ReplaceAll(uvLayer, "0,0,1,0,1,1,0,1", "0,0,2,0,2,2,0,2")
	if p := squareWith(t, uvLayer, larger, uvLayer); p.UV1[1] != (geom.Vec2{2, 1}) || len(p.UV0) != 4 {
		t.Errorf("UV1 %v", p.UV1)
	}
	const tangents = "1,0,0,1,0,0,1,0,0,1,0,0"
	p := squareWith(t, element("Normal", "Normals", "AllSame", "Direct", "0,0,2"),
		element("Tangent", "Tangents", "ByVertice", "Direct", tangents), element("Binormal", "Binormals", "AllSame", "Direct", "0,-1,0"))
	if len(p.Tangents) != 4 || p.Tangents[3] != (geom.Vec4{1, 0, 0, -1}) || p.Normals[0] != (geom.Vec3{0, 0, 1}) {
		t.Errorf("tangents %v, normals %v", p.Tangents, p.Normals)
	}
}

// TestSmoothing: without normals the smoothing of polygons and edges counts.
func TestSmoothing(t *testing.T) {
	roof := func(layers string) int {
		m := must(t, document7("", model(1, "a", "Mesh")+"Geometry: 2, \"Geometry::\", \"Mesh\" {\n"+
			"Vertices: 0,0,0,0,1,0,1,0,0,1,1,0,0,0,-1,0,1,-1\nPolygonVertexIndex: 0,2,3,-2,0,1,5,-5\nEdges: 0,1,2,3,5,6,7\n"+
			layers+"}\n", connections(1, 0, 2, 1)))
		distinct := map[geom.Vec3]bool{}
		for _, n := range m.Meshes[0].Primitives[0].Normals {
			distinct[n] = true
		}
		return len(distinct)
	}
	for name, c := range map[string]struct {
		layers string
		want   int
	}{
		"nothing":   {"", 2}, // sharper than the crease angle
		"polygons":  {element("Smoothing", "Smoothing", "ByPolygon", "Direct", "1,1"), 3},
		"flat":      {element("Smoothing", "Smoothing", "ByPolygon", "Direct", "0,0"), 2},
		"soft edge": {element("Smoothing", "Smoothing", "ByEdge", "Direct", "1,1,1,1,1,1,1"), 3},
		"hard edge": {element("Smoothing", "Smoothing", "ByEdge", "Direct", "1,1,1,0,1,1,1"), 2},
	} {
		if got := roof(c.layers); got != c.want {
			t.Errorf("%s: %d normals, want %d", name, got, c.want)
		}
	}
}

func TestGeometry(t *testing.T) {
	for name, c := range map[string]struct {
		polygons  string
		triangles int64
		warning   string
	}{
		"quad":                {"0,1,2,-4", 2, ""},
		"edges and points":    {"0,-2,0,-1,0,1,-3", 1, ""},
		"a vertex too many":   {"0,1,-9,0,1,-3", 1, "vertices that are not there"},
		"no end":              {"0,1,2", 1, ""},
		"nothing but an edge": {"0,-2", 0, "no mesh"},
	} {
		m := must(t, document7("", model(1, "a", "Mesh")+"Geometry: 2, \"Geometry::\", \"Mesh\" {\n"+
			"Vertices: 0,0,0,1,0,0,1,1,0,0,1,0\nPolygonVertexIndex: "+c.polygons+"\n}\n", connections(1, 0, 2, 1)))
		if w := strings.Join(m.Warnings, " "); m.Triangles != c.triangles || !strings.Contains(w, c.warning) || c.warning == "" && w != "" {
			t.Errorf("%s: %d triangles, %q", name, m.Triangles, w)
		}
	}
	// A geometric transform that mirrors turns the faces round.
	m := must(t, document7("", model(1, "a", "Mesh", p("GeometricScaling", "", -1, 1, 1))+square(2), connections(1, 0, 2, 1)))
	if n := m.Meshes[0].Primitives[0].Normals[0]; n != (geom.Vec3{0, 0, 1}) {
		t.Errorf("a mirrored square looks to %v", n)
	}
}

func TestInstances(t *testing.T) {
	objects := model(1, "a", "Mesh") + model(2, "b", "Mesh", p("Lcl Translation", "A", 100, 0, 0)) + model(3, "c", "Mesh") +
		model(4, "d", "Mesh", p("GeometricTranslation", "", 0, 0, 1)) + square(5) + "Material: 6, \"Material::m\", \"\" {\n}\n"
	m := must(t, document7("", objects, connections(1, 0, 2, 1, 3, 0, 4, 0, 5, 1, 5, 2, 5, 3, 5, 4, 6, 3)))
	if m.Nodes[0].Mesh != m.Nodes[3].Mesh || len(m.Meshes) != 3 || m.Triangles != 8 || m.Nodes[3].Name != "b" {
		t.Errorf("%d meshes, %+v", len(m.Meshes), m.Nodes)
	}
	// Another material shares the vertices; another geometric transform cannot.
	a, c, d := m.Meshes[m.Nodes[0].Mesh], m.Meshes[m.Nodes[1].Mesh], m.Meshes[m.Nodes[2].Mesh]
	if &a.Primitives[0].Positions[0] != &c.Primitives[0].Positions[0] || c.Primitives[0].Material.Name != "m" ||
		d.Primitives[0].Positions[0][2] == 0 {
		t.Error("instances share nothing, or too much")
	}
}

func TestHiddenModels(t *testing.T) {
	objects := model(1, "a", "Mesh", p("Visibility", "A", 0)) + model(2, "b", "Mesh") +
		model(3, "c", "Mesh", p("Visibility Inheritance", "", 0)) + model(4, "d", "Mesh", p("Show", "", 0)) + square(5)
	m := must(t, document7("", objects, connections(1, 0, 2, 1, 3, 1, 4, 0, 5, 1, 5, 2, 5, 3, 5, 4)))
	if len(m.Nodes) != 4 || m.Triangles != 2 || len(m.Warnings) != 1 {
		t.Errorf("%d nodes, %d triangles, %q", len(m.Nodes), m.Triangles, m.Warnings)
	}
	lod := "NodeAttribute: 6, \"NodeAttribute::\", \"LodGroup\" {\n}\n"
	objects = model(1, "group", "LodGroup") + model(2, "fine", "Mesh") + model(3, "coarse", "Mesh") + square(5) + lod
	m = must(t, document7("", objects, connections(1, 0, 2, 1, 3, 1, 5, 2, 5, 3, 6, 1)))
	if m.Triangles != 2 || m.Nodes[1].Mesh < 0 {
		t.Errorf("levels of detail: %d triangles", m.Triangles)
	}
}

// TestGraphs: cycles and second parents end, and no node is reached twice.
func TestGraphs(t *testing.T) {
	three := model(1, "a", "Null") + model(2, "b", "Null") + model(3, "c", "Mesh") + square(4)
	for name, c := range map[string]struct {
		connections string
		nodes       int
	}{
		"chain":             {connections(1, 0, 2, 1, 3, 2, 4, 3), 3},
		"two parents":       {connections(1, 0, 2, 0, 3, 1, 3, 2, 4, 3), 3},
		"a cycle":           {connections(1, 2, 2, 1, 3, 0, 4, 3), 1},
		"a cycle with root": {connections(1, 0, 2, 1, 1, 2, 3, 2, 4, 3), 3},
		"orphans":           {connections(4, 3), 3},
		"itself":            {connections(1, 1, 2, 2, 3, 3, 4, 3, 4, 4), 3},
		"unknown":           {connections(1, 9, 9, 1, 3, 0, 4, 3), 3},
	} {
		if m := must(t, document7("", three, c.connections)); len(m.Nodes) != c.nodes {
			t.Errorf("%s: %d nodes, want %d", name, len(m.Nodes), c.nodes)
		}
	}
}

func TestAxesAndUnits(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		want     geom.Vec3 // where 1 2 3 comes to lie
	}{
		"Y up":           {"", geom.Vec3{0.01, 0.02, 0.03}},
		"Z up":           {p("UpAxis", "", 2) + p("FrontAxis", "", 1) + p("FrontAxisSign", "", -1), geom.Vec3{0.01, 0.03, -0.02}},
		"X up":           {p("UpAxis", "", 0) + p("CoordAxis", "", 1) + p("CoordAxisSign", "", -1), geom.Vec3{-0.02, 0.01, 0.03}},
		"left-handed":    {p("CoordAxisSign", "", -1), geom.Vec3{-0.01, 0.02, 0.03}},
		"two axes up":    {p("CoordAxis", "", 1), geom.Vec3{0.01, 0.02, 0.03}},
		"metres":         {p("UnitScaleFactor", "", 100), geom.Vec3{1, 2, 3}},
		"inches":         {p("UnitScaleFactor", "", 2.54), geom.Vec3{0.0254, 0.0508, 0.0762}},
		"no unit at all": {p("UnitScaleFactor", "", 0), geom.Vec3{0.01, 0.02, 0.03}},
	} {
		m := must(t, document7(c.settings, model(1, "a", "Mesh", p("Lcl Translation", "A", 1, 2, 3))+square(2), connections(1, 0, 2, 1)))
		at, up := geom.Vec3{}, len(m.Nodes)-1
		for ; up >= 0; up = m.Nodes[up].Parent {
			at = m.Nodes[up].Local.Point(at)
		}
		if !near(at, c.want) {
			t.Errorf("%s: %v, want %v", name, at, c.want)
		}
	}
}

func picture(t *testing.T, w int, at func(x int) color.Color) *fstest.MapFile {
	t.Helper()
	im := image.NewNRGBA(image.Rect(0, 0, w, 2))
	for x := range w {
		im.Set(x, 0, at(x))
		im.Set(x, 1, at(x))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// material imports a square of a material with properties, and textures by the properties that they drive.
func material(t *testing.T, opts importer.Options, shading, properties string, textures map[string]string) (*scene.Material, *scene.Model) {
	t.Helper()
	root := fstest.MapFS{
		"m/tex/dark.png":  picture(t, 2, func(int) color.Color { return color.NRGBA{100, 100, 100, 255} }),
		"m/tex/leaf.png":  picture(t, 2, func(x int) color.Color { return color.NRGBA{0, 200, 0, uint8(255 * x)} }),
		"m/tex/ramp.png":  picture(t, 256, func(x int) color.Color { return color.Gray{uint8(x)} }),
		"m/tex/white.png": picture(t, 2, func(int) color.Color { return color.White }),
		"m/tex/rough.png": picture(t, 2, func(int) color.Color { return color.Gray{64} }),
	}
	objects := model(1, "a", "Mesh") + square(2, uvLayer) +
		fmt.Sprintf("Material: 3, \"Material::m\", \"\" {\nShadingModel: %q\nProperties70: {\n%s}\n}\n", shading, properties)
	pairs := []any{1, 0, 2, 1, 3, 1}
	id := 10
	for property, file := range textures {
		objects += fmt.Sprintf("Texture: %d, \"Texture::\", \"\" {\nFileName: \"C:\\work\\tex\\%s\"\nProperties70: {\n%s}\n}\n", id, file,
			p("Translation", "A", 0.25, 0, 0)+p("Scaling", "A", 0.5, 1, 1)+p("WrapModeU", "", 1))
		pairs = append(pairs, id, "3 "+property)
		id++
	}
	root["m/a.fbx"] = &fstest.MapFile{Data: []byte(document7("", objects, connections(pairs...)))}
	m, err := Open(t.Context(), importer.Source{Root: root, Name: "m/a.fbx"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	importertest.CheckModel(t, m)
	return m.Materials[0], m
}

func TestPhongMaterials(t *testing.T) {
	plastic := false
	red := p("DiffuseColor", "A", 1, 0, 0)
	shiny := red + p("SpecularColor", "A", 1, 1, 1) + p("SpecularFactor", "A", 0.8) + p("ShininessExponent", "A", 100)
	for _, c := range []struct {
		name, shading, properties string
		opts                      importer.Options
		base                      geom.Vec4
		metallic, roughness       float32
		alpha                     scene.AlphaMode
		emissive                  geom.Vec3
	}{
		{name: "lambert", shading: "Lambert", properties: shiny, base: geom.Vec4{1, 0, 0, 1}, roughness: 1},
		{name: "no specular", shading: "phong", properties: p("DiffuseColor", "A", 0.5, 0.5, 0.5),
			base: geom.Vec4{0.223, 0.223, 0.223, 1}, roughness: 1},
		// D = (1, 0, 0), S = 0.8: roughness sqrt(2/(100*0.8+2)); B = 0.299*0.2/0.96+0.64-0.08, C = 0.04-0.64, m = 0.911.
		{name: "metal", shading: "phong", properties: shiny, base: geom.Vec4{1, 0.7254, 0.7254, 1}, metallic: 0.9108, roughness: 0.1562},
		{name: "plastic", shading: "phong", properties: shiny, opts: importer.Options{FBXAssumeMetallic: &plastic},
			base: geom.Vec4{1, 0, 0, 1}, roughness: 0.1562},
		{name: "factor", shading: "lambert", properties: p("DiffuseColor", "A", 1, 1, 1) + p("DiffuseFactor", "A", 0.48),
			base: geom.Vec4{0.5, 0.5, 0.5, 1}, roughness: 1},
		{name: "Opacity first", shading: "lambert", properties: red + p("Opacity", "", 0.25) +
			p("TransparencyFactor", "A", 1) + p("TransparentColor", "A", 1, 1, 1),
			base: geom.Vec4{1, 0, 0, 0.25}, roughness: 1, alpha: scene.AlphaBlend},
		{name: "TransparentColor", shading: "lambert", properties: red + p("TransparentColor", "A", 0.3, 0.6, 0.9),
			base: geom.Vec4{1, 0, 0, 0.4}, roughness: 1, alpha: scene.AlphaBlend},
		{name: "black TransparentColor", shading: "lambert", properties: red +
			p("TransparentColor", "A", 0, 0, 0) + p("TransparencyFactor", "A", 1),
			base: geom.Vec4{1, 0, 0, 1}, roughness: 1},
		{name: "TransparencyFactor", shading: "lambert", properties: red + p("TransparencyFactor", "A", 0.25),
			base: geom.Vec4{1, 0, 0, 0.75}, roughness: 1, alpha: scene.AlphaBlend},
		{name: "wholly transparent", shading: "lambert", properties: red + p("Opacity", "", 0), base: geom.Vec4{1, 0, 0, 1}, roughness: 1},
		{name: "emissive", shading: "lambert", properties: red + p("EmissiveColor", "A", 0, 1, 0) + p("EmissiveFactor", "A", 2),
			base: geom.Vec4{1, 0, 0, 1}, roughness: 1, emissive: geom.Vec3{0, 2, 0}},
	} {
		m, _ := material(t, c.opts, c.shading, c.properties, nil)
		ok := m.Name == "m" && m.Alpha == c.alpha && m.Emissive == c.emissive && m.DoubleSided
		for k := range 4 {
			ok = ok && math.Abs(float64(m.BaseColor[k]-c.base[k])) < 2e-3
		}
		if !ok || math.Abs(float64(m.Metallic-c.metallic)) > 2e-3 || math.Abs(float64(m.Roughness-c.roughness)) > 2e-3 {
			t.Errorf("%s: %+v", c.name, *m)
		}
	}
}

func TestTextures(t *testing.T) {
	m, model := material(t, importer.Options{}, "lambert", "", map[string]string{
		"DiffuseColor": "leaf.png", "AmbientColor": "ramp.png", "EmissiveColor": "white.png", "Bump": "ramp.png", "SpecularColor": "none.png"})
	// The picture is half as wide and a quarter further right: u' = 2 (u - 0.25).
	if tex := m.BaseColorTex; tex.Texture == nil || tex.Matrix != [6]float32{2, 0, -0.5, 0, 1, 0} || tex.Texture.WrapU != scene.WrapClamp ||
		tex.Texture.WrapV != scene.WrapRepeat || tex.Texture.Image.NRGBAAt(0, 0) != (color.NRGBA{0, 200, 0, 255}) ||
		m.Alpha != scene.AlphaOpaque {
		t.Errorf("base %+v", m)
	}
	if m.OcclusionTex.Texture == nil || m.EmissiveTex.Texture == nil || m.Emissive != (geom.Vec3{1, 1, 1}) {
		t.Errorf("occlusion and emissive %+v", m)
	}
	if n := m.NormalTex.Texture.Image.NRGBAAt(100, 0); n.R >= 128 || n.B < 250 {
		t.Errorf("the normal of a ramp is %v", n)
	}
	if len(model.MissingTextures) != 0 { // a Lambert material has no specular colour
		t.Errorf("missing %v", model.MissingTextures)
	}
	m, model = material(t, importer.Options{}, "phong", p("SpecularColor", "A", 1, 1, 1), map[string]string{
		"DiffuseColor": "leaf.png", "TransparentColor": "leaf.png", "SpecularColor": "none.png"})
	if im := m.BaseColorTex.Texture.Image; m.Alpha != scene.AlphaMask || im.NRGBAAt(0, 0).A != 0 || im.NRGBAAt(1, 0).A != 255 ||
		len(model.MissingTextures) != 1 {
		t.Errorf("leaves %+v, missing %v", m, model.MissingTextures)
	}
	m, _ = material(t, importer.Options{}, "lambert", "", map[string]string{"DiffuseColor": "dark.png", "TransparentColor": "ramp.png"})
	if im := m.BaseColorTex.Texture.Image; m.Alpha != scene.AlphaBlend || im.NRGBAAt(0, 0) != (color.NRGBA{100, 100, 100, 255}) ||
		im.NRGBAAt(255, 0).A != 0 {
		t.Errorf("what is white is transparent: %+v", m)
	}
	// Shininess with a picture: the formulas for each texel. D = 0.127 and S = 0.8 make m = 0.995 and a base of 0.85.
	m, _ = material(t, importer.Options{}, "phong", p("SpecularColor", "A", 1, 1, 1)+p("SpecularFactor", "A", 0.8)+
		p("ShininessExponent", "A", 100), map[string]string{"DiffuseColor": "dark.png"})
	if px := m.MetalRough.Texture.Image.NRGBAAt(0, 0); px.G != 40 || px.B != 254 || m.Metallic != 1 || m.Roughness != 1 {
		t.Errorf("metalness and roughness %v times %v and %v", px, m.Metallic, m.Roughness)
	}
	if px := m.BaseColorTex.Texture.Image.NRGBAAt(0, 0); px != (color.NRGBA{237, 237, 237, 255}) { // sRGB of 0.85
		t.Errorf("colour %v", px)
	}
}

func TestPhysicalMaterials(t *testing.T) {
	const maya, maxParameters, gltf = "Maya|", "3dsMax|Parameters|", "3dsMax|main|"
	m, _ := material(t, importer.Options{}, "unknown", p(maya+"base", "", 0.5)+p(maya+"baseColor", "", 1, 0.5, 0)+
		p(maya+"metalness", "", 0.25)+
		p(maya+"specularRoughness", "", 0.75)+p(maya+"emission", "", 0)+p(maya+"emissionColor", "", 1, 1, 1)+p(maya+"opacity", "", 0.5, 0.5, 0.5)+
		p(maya+"coat", "", 0.5)+p(maya+"specularIOR", "", 1.7), map[string]string{maya + "specularRoughness": "rough.png"})
	if m.BaseColor != (geom.Vec4{0.5, 0.25, 0, 0.5}) || m.Alpha != scene.AlphaBlend || m.Emissive != (geom.Vec3{}) || m.Layers == nil ||
		m.Layers.Clearcoat != 0.5 || m.Layers.IOR != 1.7 {
		t.Errorf("Maya: %+v", m)
	}
	if px := m.MetalRough.Texture.Image.NRGBAAt(0, 0); px.G != 64 || px.B != 64 {
		t.Errorf("Maya: roughness and metalness %v", px)
	}
	m, _ = material(t, importer.Options{}, "unknown", p(maxParameters+"base_color", "A", 0, 0, 1)+p(maxParameters+"roughness", "A", 0.2)+
		p(maxParameters+"roughness_inv", "A", 1)+p(maxParameters+"base_color_map_on", "A", 0)+p(maxParameters+"transparency", "A", 0.5),
		map[string]string{maxParameters + "base_color_map": "leaf.png"})
	if m.BaseColor != (geom.Vec4{0, 0, 1, 1}) || m.BaseColorTex.Texture != nil || math.Abs(float64(m.Roughness)-0.8) > 1e-6 ||
		m.Layers.Transmission != 0.5 {
		t.Errorf("3ds Max: %+v", m)
	}
	m, _ = material(t, importer.Options{}, "unknown", p(gltf+"baseColor", "A", 0, 0, 1)+p(gltf+"alphaMode", "A", 2)+
		p(gltf+"alphaCutoff", "A", 0.3)+
		p(gltf+"DoubleSided", "A", 0)+p(gltf+"normal", "A", 0.5),
		map[string]string{gltf + "baseColorMap": "leaf.png", gltf + "normalMap": "white.png"})
	if m.BaseColor != (geom.Vec4{1, 1, 1, 1}) || m.Alpha != scene.AlphaMask || m.AlphaCutoff != 0.3 || m.DoubleSided ||
		m.NormalScale != 0.5 || m.BaseColorTex.Texture.Image.NRGBAAt(0, 0).A != 0 {
		t.Errorf("glTF material: %+v", m)
	}
	m, _ = material(t, importer.Options{}, "unknown", p(maya+"base_color", "", 1, 0, 0)+p(maya+"use_color_map", "", 1)+
		p(maya+"use_metallic_map", "", 0)+
		p(maya+"metallic", "", 1)+p(maya+"emissive", "", 0, 0, 1)+p(maya+"emissive_intensity", "", 2),
		map[string]string{maya + "TEX_color_map": "leaf.png", maya + "TEX_metallic_map": "dark.png"})
	if m.BaseColorTex.Texture == nil || m.MetalRough.Texture != nil || m.Metallic != 1 || m.Emissive != (geom.Vec3{0, 0, 2}) {
		t.Errorf("Stingray: %+v", m)
	}
}

// TestEmbeddedTextures: content in the file is better than a file beside it.
func TestEmbeddedTextures(t *testing.T) {
	objects := model(1, "a", "Mesh") + square(2, uvLayer) + "Material: 3, \"Material::m\", \"\" {\n}\n" +
		"Texture: 4, \"Texture::\", \"\" {\nFileName: \"none.png\"\n}\nVideo: 5, \"Video::\", \"Clip\" {\nContent: ,\n" +
		"\"Qk1GAAAAAAAAADYAAAAoAAAAAgAAAAIAAAABABgAAAAAABAAAAATCwAAEwsAAAAAAAAAAAAA\",\n\"/wAA/wAAAAD/AAD/AAAAAA==\"\n}\n"
	m := must(t, document7("", objects, connections(1, 0, 2, 1, 3, 1, 4, "3 DiffuseColor", 5, 4)))
	if tex := m.Materials[0].BaseColorTex.Texture; tex == nil || tex.Image.Rect.Dx() != 2 || len(m.MissingTextures) != 0 {
		t.Errorf("texture %v, %q", tex, m.Warnings)
	}
}

func TestMetadata(t *testing.T) {
	facts := p("text", "U", "a \"word\"") + p("number", "AU", 1.5) + p("not mine", "A", 1) + p("vector", "A+U", 1, 2, 3) +
		"P: \"int\", \"Integer\", \"\", \"A+U\",7,0,10\nP: \"yes\", \"Bool\", \"\", \"A+U\",1\n" +
		"P: \"enum\", \"Enum\", \"\", \"A+U\",2, \"a~b~c\"\n" +
		"P: \"colour\", \"ColorAndAlpha\", \"\", \"U\",1,0,0,0.5\nP: \"nothing\", \"Compound\", \"\", \"U\"\n"
	m := must(t, document7("", model(1, "a", "Null", strings.ReplaceAll(facts, `\"`, "&quot;")), connections(1, 0)))
	want := []scene.Metadata{
		{Key: "text", Value: `a "word"`}, {Key: "number", Value: 1.5}, {Key: "vector", Value: geom.Vec3{1, 2, 3}}, {Key: "int", Value: int64(7)},
		{Key: "yes", Value: true}, {Key: "enum", Value: int64(2)}, {Key: "colour", Value: geom.Vec4{1, 0, 0, 0.5}},
	}
	if d := cmp.Diff(want, m.Nodes[0].Metadata); d != "" {
		t.Error(d)
	}
}

func TestErrors(t *testing.T) {
	meshed := func(geometry string) string {
		return document7("", model(1, "a", "Mesh")+geometry, connections(1, 0, 2, 1))
	}
	for name, c := range map[string]struct{ text, says string }{
		"nothing":         {"", "not FBX"},
		"other text":      {"hello", "name with a colon"},
		"a version":       {"FBXHeaderExtension: {\nFBXVersion: 8000\n}\nObjects: {\n}\n", "FBX version 8000 is not supported"},
		"an old version":  {magic + "\x1a\x00\xd0\x07\x00\x00", "FBX version 2000 is not supported"},
		"truncated":       {magic + "\x1a\x00\xe8", "ends too early"},
		"a long record":   {magic + "\x1a\x00\xe8\x1c\x00\x00" + strings.Repeat("\xff", 20), "longer than the file"},
		"a bracket":       {document7("", "", "") + "Objects: {\n", "ends too early"},
		"no number":       {meshed(strings.Replace(square(2), "0,0,0,100", "0,0,x,100", 1)), "is not a number"},
		"not finite":      {meshed(strings.Replace(square(2), "100", "1e300", 1)), "vertex 1 is not at finite numbers"},
		"nested too deep": {strings.Repeat("a: {\n", 100), "nested more than"},
		"the line":        {document7("", "", "") + "}\n\n{", "line 19:"},
	} {
		_, err := importertest.Text(t, Open, "dir/model.fbx", c.text)
		if importertest.WantError(t, err, c.says); t.Failed() {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(err.Error(), `"model.fbx"`) {
			t.Errorf("%v does not name the file", err)
		}
	}
}

// TestArrayBomb: an array that says it is long costs nothing.
func TestArrayBomb(t *testing.T) {
	bomb := encodeBinary(t, document7("", model(1, "a", "Mesh")+square(2), connections(1, 0, 2, 1)), encoding{7400, binary.LittleEndian, true})
	at := bytes.Index(bomb, []byte("Verticesd")) + len("Verticesd")
	binary.LittleEndian.PutUint32(bomb[at:], 1<<31)
	_, err := importertest.Text(t, Open, "model.fbx", string(bomb))
	importertest.WantError(t, err, "longer than its data")
}

func TestBudgetsAndCancel(t *testing.T) {
	data := []byte(document7("", model(1, "a", "Mesh")+model(2, "b", "Mesh")+square(3), connections(1, 0, 2, 0, 3, 1, 3, 2)))
	src := importer.Source{Name: "m.fbx", Data: data}
	size := int64(len(data))
	for _, opts := range []importer.Options{{TriangleBudget: 3}, {MemoryBudget: size}, {MemoryBudget: size + 5000}, {MemoryBudget: 100}} {
		if _, err := Open(t.Context(), src, opts); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	if _, err := Open(t.Context(), src, importer.Options{TriangleBudget: 4}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, src, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

// FuzzOpen feeds whole files, text and binary.
func FuzzOpen(f *testing.F) {
	for _, text := range []string{everything7(), everything6, everything5} {
		f.Add([]byte(text))
		f.Add(encodeBinary(f, text, encoding{7400, binary.LittleEndian, true}))
		f.Add(encodeBinary(f, text, encoding{7700, binary.BigEndian, false}))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		importertest.Fuzz(t, Open, importer.Source{Root: fstest.MapFS{"a.png": {Data: b.Bytes()}}, Name: "a.fbx", Data: data})
	})
}

// TestInheritedScale: a model that inherits scale axis by axis is sheared at rest, and has two nodes where something moves.
func TestInheritedScale(t *testing.T) {
	objects := model(1, "a", "Null", p("Lcl Scaling", "A", 2, 1, 1)) +
		model(2, "b", "Mesh", p("Lcl Rotation", "A", 0, 0, 90), p("Lcl Translation", "A", 100, 0, 0), p("InheritType", "", 0)) +
		model(3, "c", "Mesh", p("Lcl Rotation", "A", 0, 0, 90), p("InheritType", "", 2)) +
		model(4, "d", "Null", p("InheritType", "", 1)) + square(9)
	pairs := []any{1, 0, 2, 1, 3, 1, 4, 1, 9, 2, 9, 3}
	moving := "AnimationStack: 60, \"AnimStack::walk\", \"\" {\n}\nAnimationLayer: 61, \"AnimLayer::base\", \"\" {\n}\n" +
		"AnimationCurveNode: 62, \"AnimCurveNode::R\", \"\" {\n}\n" + curve7(63, "0,46186158000", "0,90", "4,4")
	animated := append(slices.Clone(pairs), 61, 60, 62, 61, 62, "2 Lcl Rotation", 63, "62 d|Z")
	for name, c := range map[string]struct {
		m     *scene.Model
		nodes int
	}{
		"still":  {must(t, document7("", objects, connections(pairs...))), 4},
		"moving": {must(t, document7("", objects+moving, connections(animated...))), 4 + 3},
	} {
		// The far corner of the square: b is at 2, turned, and twice as long along its own X; c is turned and has no scale.
		got := posedVertices(c.m, -1)
		for _, want := range []geom.Vec3{{2 - 1, 2, 0}, {-1, 1, 0}} {
			if !slices.ContainsFunc(got, func(v geom.Vec3) bool { return near(v, want) }) {
				t.Errorf("%s: no vertex at %v, but %v", name, want, got)
			}
		}
		if len(c.m.Nodes) != c.nodes {
			t.Errorf("%s: %d nodes", name, len(c.m.Nodes))
		}
	}
}

// TestFarMeshes: what lies at the coordinates of a national grid keeps its shape.
func TestFarMeshes(t *testing.T) {
	far := strings.ReplaceAll(square(2), "0,0,0,100,0,0,100,100,0,0,100,0", "5e7,5e8,0,50000001,5e8,0,50000001,500000001,0,5e7,500000001,0")
	m := must(t, document7("", model(1, "a", "Mesh")+far, connections(1, 0, 2, 1)))
	n := m.Nodes[1]
	if n.Parent != 0 || n.Mesh != 0 || n.Local[13] != 5e6 {
		t.Errorf("node %+v", n)
	}
	p := m.Meshes[0].Primitives[0].Positions
	if d := p[1].Sub(p[0]); math.Abs(float64(d[0])-0.01) > 1e-6 {
		t.Errorf("a centimetre is %v", d)
	}
}

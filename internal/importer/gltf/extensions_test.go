package gltf

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

func asset(t *testing.T, name string) *scene.Model {
	t.Helper()
	m, err := openFile(t, testassets.Path(t, name), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	importertest.CheckModel(t, m)
	return m
}

// TestMaterialLayers: every material extension of the Khronos samples arrives, with its textures.
func TestMaterialLayers(t *testing.T) {
	some := func(m *scene.Model, is func(*scene.Layers) bool) bool {
		for _, mat := range m.Materials {
			if mat.Layers != nil && is(mat.Layers) {
				return true
			}
		}
		return false
	}
	for _, tc := range []struct {
		file, what string
		is         func(*scene.Layers) bool
	}{
		{"gltf/ClearCoatTest/glTF-Binary/ClearCoatTest.glb", "clearcoat with a normal map",
			func(l *scene.Layers) bool { return l.Clearcoat == 1 && l.ClearcoatNormalTex.Texture != nil }},
		{"gltf/SheenCloth/glTF/SheenCloth.gltf", "sheen by a repeated texture", func(l *scene.Layers) bool {
			return l.SheenColor == geom.Vec3{1, 1, 1} && l.SheenRoughness == 1 && l.SheenColorTex.Matrix[0] == 30
		}},
		{"gltf/TransmissionTest/glTF-Binary/TransmissionTest.glb", "transmission by a texture",
			func(l *scene.Layers) bool { return l.Transmission == 1 && l.TransmissionTex.Texture != nil }},
		{"gltf/AttenuationTest/glTF-Binary/AttenuationTest.glb", "a volume that absorbs",
			func(l *scene.Layers) bool {
				return l.Thickness > 0 && l.AttenuationDistance > 0 && l.AttenuationColor[1] < 1
			}},
		{"gltf/IridescenceSuzanne/glTF-Binary/IridescenceSuzanne.glb", "iridescence",
			func(l *scene.Layers) bool {
				return l.Iridescence == 1 && l.IridescenceThicknessMax >= l.IridescenceThicknessMin
			}},
		{"gltf/AnisotropyStrengthTest/glTF-Binary/AnisotropyStrengthTest.glb", "anisotropy",
			func(l *scene.Layers) bool { return l.Anisotropy > 0 && l.Anisotropy < 1 }},
		{"gltf/SpecularTest/glTF-Binary/SpecularTest.glb", "a coloured specular factor",
			func(l *scene.Layers) bool { return l.SpecularColor != geom.Vec3{1, 1, 1} }},
		{"gltf/StainedGlassLamp/glTF-KTX-BasisU/StainedGlassLamp.gltf", "an index of refraction",
			func(l *scene.Layers) bool { return l.IOR == 1.4 && l.Thickness == 0.02 && l.Transmission == 1 }},
	} {
		t.Run(tc.what, func(t *testing.T) {
			if m := asset(t, tc.file); !some(m, tc.is) {
				t.Errorf("no material of %s has it", tc.file)
			}
		})
	}
}

func TestVariants(t *testing.T) {
	m := asset(t, "gltf/StainedGlassLamp/glTF-KTX-BasisU/StainedGlassLamp.gltf")
	if diff := gocmp.Diff([]string{"Lamp on", "Lamp off"}, m.Variants); diff != "" {
		t.Fatal(diff)
	}
	changed := 0
	for _, mesh := range m.Meshes {
		for _, p := range mesh.Primitives {
			if p.Variants != nil && len(p.Variants) != 2 {
				t.Errorf("%d materials for 2 variants", len(p.Variants))
			}
			for _, v := range p.Variants {
				if v != nil && v != p.Material {
					changed++
				}
			}
		}
	}
	if changed == 0 {
		t.Error("no variant changes a material")
	}
}

func TestLights(t *testing.T) {
	m := asset(t, "gltf/LightsPunctualLamp/glTF/LightsPunctualLamp.gltf")
	kinds := map[scene.LightKind]int{}
	for _, n := range m.Nodes {
		if n.Light != nil {
			kinds[n.Light.Kind]++
			if !(n.Light.Intensity > 0) || n.Light.Kind == scene.LightSpot && !(n.Light.OuterCone > n.Light.InnerCone) {
				t.Errorf("%+v", *n.Light)
			}
		}
	}
	if kinds[scene.LightPoint]+kinds[scene.LightSpot]+kinds[scene.LightDirectional] != 5 {
		t.Errorf("lights by kind: %v, want five", kinds)
	}
}

func TestSkins(t *testing.T) {
	m := asset(t, "gltf/Fox/glTF-Binary/Fox.glb")
	if len(m.Skins) != 1 || len(m.Skins[0].Joints) != 24 || len(m.Skins[0].Inverse) != 24 {
		t.Fatalf("%d skins", len(m.Skins))
	}
	var names []string
	for _, a := range m.Animations {
		names = append(names, a.Name)
	}
	if diff := gocmp.Diff([]string{"Survey", "Walk", "Run"}, names); diff != "" {
		t.Error(diff)
	}
	p := &m.Meshes[0].Primitives[0]
	if !p.Deforms() {
		t.Fatal("the mesh has no joints")
	}
	for v, w := range p.Weights {
		if sum := w[0] + w[1] + w[2] + w[3]; math.Abs(float64(sum)-1) > 1e-5 || w[0] < w[1] || w[1] < w[2] || w[2] < w[3] {
			t.Fatalf("vertex %d has the weights %v", v, w)
		}
	}
	// In the default pose the skin changes little: a joint's global transform nearly undoes its inverse bind matrix.
	world := make([]geom.Mat4, len(m.Nodes))
	var walk func(nodes []int, up geom.Mat4)
	walk = func(nodes []int, up geom.Mat4) {
		for _, n := range nodes {
			world[n] = up.Mul(m.Nodes[n].Local)
			walk(m.Nodes[n].Children, world[n])
		}
	}
	walk(m.Roots, geom.Identity())
	for k, j := range m.Skins[0].Joints {
		at := world[j].Mul(m.Skins[0].Inverse[k])
		if d := at.Point(geom.Vec3{}).Len(); d > 60 { // of a fox of 150 units
			t.Errorf("joint %d moves the origin by %g", k, d)
		}
	}
}

func TestMorphTargets(t *testing.T) {
	for _, tc := range []struct {
		file    string
		targets int
	}{
		{"gltf/SimpleMorph/glTF/SimpleMorph.gltf", 2},
		{"gltf/AnimatedMorphCube/glTF-Quantized/AnimatedMorphCube.gltf", 2},
		{"gltf/MorphStressTest/glTF-Binary/MorphStressTest.glb", 8},
		{"gltf-packed/MorphStress_khr_meshopt.glb", 8},
	} {
		m := asset(t, tc.file)
		got := 0
		for _, mesh := range m.Meshes {
			for _, p := range mesh.Primitives {
				got = max(got, len(p.Targets))
			}
		}
		if got != tc.targets {
			t.Errorf("%s: %d morph targets, want %d", tc.file, got, tc.targets)
		}
		moves := false
		for _, a := range m.Animations {
			for _, c := range a.Channels {
				moves = moves || c.Path == scene.PathWeights && len(c.Values) == len(c.Times)*tc.targets
			}
		}
		if !moves {
			t.Errorf("%s: no animation moves the %d weights", tc.file, tc.targets)
		}
	}
}

func TestInterpolations(t *testing.T) {
	m := asset(t, "gltf/InterpolationTest/glTF-Binary/InterpolationTest.glb")
	count := map[scene.Interpolation]int{}
	for _, a := range m.Animations {
		for _, c := range a.Channels {
			width := map[scene.ChannelPath]int{scene.PathTranslation: 3, scene.PathRotation: 4, scene.PathScale: 3}[c.Path]
			if c.Interpolation == scene.InterpolateCubic {
				width *= 3
			}
			if len(c.Values) != width*len(c.Times) {
				t.Errorf("%s: %d values for %d keys", a.Name, len(c.Values), len(c.Times))
			}
			count[c.Interpolation]++
		}
	}
	if diff := gocmp.Diff(map[scene.Interpolation]int{0: 3, 1: 3, 2: 3}, count); diff != "" {
		t.Error(diff)
	}
}

// TestPointsKeepTheirOrder: points are drawn by index too.
func TestPointsKeepTheirOrder(t *testing.T) {
	data := base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint16(floatBytes(0, 0, 0, 1, 2, 3, 4, 5, 6), 2))
	m := importertest.Must(t, Open, "p.gltf", `{"asset":{"version":"2.0","generator":"by hand"},"nodes":[{"mesh":0}],
		"meshes":[{"primitives":[{"attributes":{"POSITION":0},"indices":1,"mode":0}]}],
		"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"},{"bufferView":1,"componentType":5123,"count":1,"type":"SCALAR"}],
		"bufferViews":[{"buffer":0,"byteLength":36},{"buffer":0,"byteOffset":36,"byteLength":2}],
		"buffers":[{"byteLength":38,"uri":"data:;base64,`+data+`"}]}`)
	p := m.Meshes[0].Primitives[0]
	if !p.IsPoints || m.Points != 1 || p.Positions[0] != (geom.Vec3{4, 5, 6}) || m.Triangles != 0 {
		t.Errorf("%+v", p)
	}
	if want := (scene.SourceInfo{Format: "glTF 2.0", FormatVersion: "2.0", Generator: "by hand"}); m.Source != want {
		t.Errorf("source %+v", m.Source)
	}
}

func floatBytes(v ...float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func TestMetadata(t *testing.T) {
	m := importertest.Must(t, Open, "p.gltf", `{"asset":{"version":"2.0"},"nodes":[
		{"extras":{"part":"A-7","mass":2.5,"count":9007199254740993,"visible":true,"at":[1,2,3],"color":[1,0,0,0.5],"deep":{"x":[1]},"long":[1,2]}},
		{"extras":"note"},{"extras":null},{}]}`)
	want := [][]scene.Metadata{
		{
			{Key: "part", Value: "A-7"}, {Key: "mass", Value: 2.5}, {Key: "count", Value: int64(9007199254740993)}, {Key: "visible", Value: true},
			{Key: "at", Value: geom.Vec3{1, 2, 3}}, {Key: "color", Value: geom.Vec4{1, 0, 0, 0.5}}, {Key: "deep", Value: `{"x":[1]}`},
			{Key: "long", Value: "[1,2]"},
		},
		{{Key: "extras", Value: "note"}}, nil, nil,
	}
	for i, w := range want {
		if diff := gocmp.Diff(w, m.Nodes[i].Metadata); diff != "" {
			t.Errorf("node %d: %s", i, diff)
		}
	}
	facts := 0
	for _, n := range asset(t, "scale/machine10k.glb").Nodes {
		facts += len(n.Metadata)
	}
	if facts < 1600 {
		t.Errorf("machine10k has %d facts about its nodes", facts)
	}
}

// TestSpecularGlossiness: an average dielectric keeps its colour, a mirror with a black diffuse colour becomes metal.
func TestSpecularGlossiness(t *testing.T) {
	for _, tc := range []struct {
		diffuse, specular geom.Vec3
		base              geom.Vec3
		metallic          float32
	}{
		{geom.Vec3{0.5, 0.2, 0.1}, geom.Vec3{0.04, 0.04, 0.04}, geom.Vec3{0.5, 0.2, 0.1}, 0},
		{geom.Vec3{}, geom.Vec3{1, 0.77, 0.34}, geom.Vec3{1, 0.77, 0.34}, 1},
	} {
		base, metallic := metallicRoughness(tc.diffuse, tc.specular)
		if base.Sub(tc.base).Len() > 0.02 || math.Abs(float64(metallic-tc.metallic)) > 0.02 {
			t.Errorf("%v and %v became %v of metallic %v", tc.diffuse, tc.specular, base, metallic)
		}
	}
	m := importertest.Must(t, Open, "m.gltf", `{"asset":{"version":"2.0"},"nodes":[{"mesh":0}],
		"meshes":[{"primitives":[{"attributes":{"POSITION":0},"material":0}]}],
		"materials":[{"extensions":{"KHR_materials_pbrSpecularGlossiness":
			{"diffuseFactor":[0,0,0,0.5],"specularFactor":[1,0.77,0.34],"glossinessFactor":0.75}}}],
		"accessors":[{"componentType":5126,"count":3,"type":"VEC3"}]}`)
	if mat := m.Materials[0]; mat.Roughness != 0.25 || mat.Metallic < 0.98 || mat.BaseColor[3] != 0.5 || mat.BaseColor[0] < 0.98 {
		t.Errorf("%+v", mat)
	}

	// By texture: the left half is rough red paint, the right one polished gold.
	gloss := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	gloss.SetNRGBA(0, 0, color.NRGBA{importer.SRGB(0.04), importer.SRGB(0.04), importer.SRGB(0.04), 0})
	gloss.SetNRGBA(1, 0, color.NRGBA{255, importer.SRGB(0.77), importer.SRGB(0.34), 255})
	diffuse := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	diffuse.SetNRGBA(0, 0, color.NRGBA{255, 0, 0, 255})
	diffuse.SetNRGBA(1, 0, color.NRGBA{0, 0, 0, 128})
	ref := func(im *image.NRGBA) scene.TextureRef {
		return scene.TextureRef{Texture: &scene.Texture{Image: im}, Matrix: importer.NoTransform}
	}
	g := &glossy{material: scene.DefaultMaterial(), diffuse: geom.Vec4{1, 1, 1, 1}, specular: geom.Vec3{1, 1, 1}, glossiness: 1,
		diffuseTex: ref(diffuse), glossTex: ref(gloss)}
	l := &loader{}
	l.images.Set(1 << 20)
	if err := l.convert(g); err != nil {
		t.Fatal(err)
	}
	base, orm := g.material.BaseColorTex.Texture.Image, g.material.MetalRough.Texture.Image
	if c := base.NRGBAAt(0, 0); c.R < 250 || c.G > 5 || c.A != 255 {
		t.Errorf("paint is %v", c)
	}
	if c := base.NRGBAAt(1, 0); c.R < 250 || math.Abs(float64(c.G)-float64(importer.SRGB(0.77))) > 3 || c.A != 128 {
		t.Errorf("gold is %v", c)
	}
	if a, b := orm.NRGBAAt(0, 0), orm.NRGBAAt(1, 0); a.G != 255 || a.B > 5 || b.G != 0 || b.B < 250 {
		t.Errorf("roughness and metallic are %v and %v", a, b)
	}
}

// TestDeformErrors: what animations and skins refer to is checked.
func TestDeformErrors(t *testing.T) {
	data := base64.StdEncoding.EncodeToString(floatBytes(0, 1, 1, 0, 0, 0, 0, 0, 0))
	file := func(more string) string {
		return `{"asset":{"version":"2.0"},"nodes":[{}],"accessors":[
			{"bufferView":0,"componentType":5126,"count":2,"type":"SCALAR"},
			{"bufferView":0,"componentType":5126,"count":2,"type":"VEC3"},
			{"bufferView":0,"byteOffset":4,"componentType":5126,"count":2,"type":"SCALAR"}],
			"bufferViews":[{"buffer":0,"byteLength":36}],"buffers":[{"byteLength":36,"uri":"data:;base64,` + data + `"}],` + more + `}`
	}
	animation := func(sampler, target string) string {
		return file(fmt.Sprintf(`"animations":[{"channels":[{"sampler":0,"target":%s}],"samplers":[%s]}]`, target, sampler))
	}
	for _, tc := range []struct{ name, file, want string }{
		{"node", animation(`{"input":0,"output":1}`, `{"node":3,"path":"scale"}`), "there is no node 3"},
		{"sampler", animation(``, `{"node":0,"path":"scale"}`), "there is no sampler 0"},
		{"interpolation", animation(`{"input":0,"output":1,"interpolation":"EASE"}`, `{"node":0,"path":"scale"}`), "EASE"},
		{"width", animation(`{"input":0,"output":1}`, `{"node":0,"path":"rotation"}`), "components"},
		{"keys", animation(`{"input":0,"output":1,"interpolation":"CUBICSPLINE"}`, `{"node":0,"path":"scale"}`), "6 values for 2 keys"},
		{"time", animation(`{"input":2,"output":1}`, `{"node":0,"path":"scale"}`), "is not after"},
		{"accessor", animation(`{"input":9,"output":1}`, `{"node":0,"path":"scale"}`), "there is no accessor 9"},
		{"joint", file(`"skins":[{"joints":[7]}]`), "there is no node 7"},
		{"no joints", file(`"skins":[{"joints":[]}]`), "no joints"},
		{"matrices", file(`"skins":[{"joints":[0],"inverseBindMatrices":1}]`), "MAT4"},
		{"light", strings.Replace(file(`"scene":0,"scenes":[{"nodes":[0]}]`), `"nodes":[{}]`,
			`"nodes":[{"extensions":{"KHR_lights_punctual":{"light":0}}}]`, 1), "there is no light 0"},
	} {
		_, err := importertest.Text(t, Open, "m.gltf", tc.file)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	good := animation(`{"input":0,"output":1}`, `{"node":0,"path":"scale"}`)
	if m := importertest.Must(t, Open, "m.gltf", good); len(m.Animations) != 1 || len(m.Animations[0].Channels) != 1 {
		t.Errorf("%+v", m.Animations)
	}
}

func TestMissingTextureIsNamed(t *testing.T) {
	m, err := Open(t.Context(), importer.Source{Root: fstest.MapFS{}, Name: "m.gltf", Data: []byte(`{"asset":{"version":"2.0"},"nodes":[{"mesh":0}],
		"meshes":[{"primitives":[{"attributes":{"POSITION":0},"material":0}]}],
		"materials":[{"name":"paint","normalTexture":{"index":0},"pbrMetallicRoughness":{"baseColorTexture":{"index":0}}}],
		"textures":[{"source":0}],"images":[{"uri":"gone.png"}],
		"accessors":[{"componentType":5126,"count":3,"type":"VEC3"}]}`)}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []scene.MissingTexture{{Texture: "gone.png", Material: "paint"}}
	if diff := gocmp.Diff(want, m.MissingTextures); diff != "" {
		t.Error(diff)
	}
}

package settings

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
)

func TestParseEverything(t *testing.T) {
	const text = "\xef\xbb\xbf" + `{
		"$schema": "http://json-schema.org/schema#",
		"scaling": 0.01, "recenterToOrigin": true, "opaqueMaterialDefaultSidedness": "SingleSided", "material-override": "m.json",
		"gammaToLinearMaterial": false, "gammaToLinearVertex": true, "sceneGraphMode": "static", "generateCollisionMesh": false,
		"unlitMaterials": true, "deduplicateMaterials": false, "fbxAssumeMetallic": false, "axis": ["default", "+z", "-y"],
		"metadataKeys": ["Weight", "Part*"],
		"vertex": {"position": "16_16_16_16_FLOAT", "color0": "NONE", "color1": "NONE", "normal": "NONE", "tangent": "AUTO",
			"binormal": "16_16_16_16_FLOAT", "texcoord0": "16_16_FLOAT", "texcoord1": "NONE"}
	}`
	got, err := Parse("x.ConversionSettings.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := Settings{
		Scaling: 0.01, RecenterToOrigin: true, SingleSided: true, MaterialOverride: "m.json", GammaMaterial: &no, GammaVertex: &yes,
		SceneGraphMode: Static, Unlit: true, Axis: Axis{1, 3, -2}, MetadataKeys: []string{"Weight", "Part*"},
		Vertex: Vertex{Position16: true, NoColor: true, NoNormal: true, NoTexture1: true},
		Raw:    json.RawMessage(strings.TrimPrefix(text, "\xef\xbb\xbf")),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	empty, err := Parse("x", []byte("{}"))
	want = Default()
	want.Raw = json.RawMessage("{}")
	if diff := cmp.Diff(want, empty); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestParseSaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct{ text, where, what string }{
		{"", "line 1, column 1", "does not end"},
		{"{\n  \"scaling\": 1", "line 2, column 15", "does not end"},
		{"{\n  \"scaling\": ,\n}", "line 2", "not JSON"},
		{"{} {}", "line 1, column 4", "after the end"},
		{"[]", "line 1, column 1", "must be an object, not a list"},
		{"{\n\t\"scalng\": 1}", "line 2, column 2", `no key "scalng" (did you mean "scaling"?)`},
		{`{"é": 1, "Axis": 2}`, "line 1, column 2", `the keys are $schema, axis, deduplicateMaterials`},
		{`{"scaling": 1, "scaling": 2}`, "line 1, column 16", "twice"},
		{`{"scaling": "1"}`, "line 1, column 13", "must be a number, not the text"},
		{`{"scaling": 1e999}`, "line 1, column 13", "must be a number"},
		{`{"scaling": 0}`, "line 1, column 13", "greater than 0"},
		{`{"scaling": -1}`, "line 1, column 13", "greater than 0"},
		{`{"recenterToOrigin": 1}`, "line 1, column 22", "true or false, not the number 1"},
		{`{"recenterToOrigin": null}`, "line 1, column 22", "not null"},
		{`{"opaqueMaterialDefaultSidedness": "singlesided"}`, "line 1, column 36", "one of"},
		{`{"sceneGraphMode": "Dynamic"}`, "line 1, column 20", "none, static, dynamic"},
		{`{"axis": ["+x", "+y"]}`, "line 1, column 10", "three directions"},
		{`{"axis": ["+x", "+z", "-z"]}`, "line 1, column 23", "the z axis twice"},
		{`{"axis": ["+z", "default", "default"]}`, "line 1, column 28", "the z axis twice"},
		{`{"axis": ["x", "y", "z"]}`, "line 1, column 11", "one of"},
		{`{"metadataKeys": [1]}`, "line 1, column 19", "must be a text"},
		{`{"metadataKeys": "a"}`, "line 1, column 18", "must be a list"},
		{`{"vertex": {"position": "NONE"}}`, "line 1, column 25", "one of"},
		{`{"vertex": {"colour0": "NONE"}}`, "line 1, column 13", `did you mean "color0"?`},
		{strings.Repeat("[", 100) + strings.Repeat("]", 100), "line 1, column 18", "too deeply"},
	} {
		_, err := Parse("box.json", []byte(c.text))
		if arr.CodeOf(err) != arr.CodeBadRequest || !strings.Contains(err.Error(), "box.json, "+c.where) || !strings.Contains(err.Error(), c.what) {
			t.Errorf("%s: %v; want %s ... %s", c.text, err, c.where, c.what)
		}
	}
}

func TestParseOverrides(t *testing.T) {
	o, err := ParseOverrides("x.MaterialOverrides.json", []byte(`[
		{"name": "Glass[0-9]+", "nameMatching": "regex", "transparent": true, "albedoColor": {"a": 0.25}},
		{"name": "Glass.*", "nameMatching": "regex", "roughness": 1},
		{"name": "Glass7", "nameMatching": "exact", "unlit": true, "albedoColor": {"r": 0.1, "g": 0.2, "b": 0.3}, "roughness": 0.5,
		 "metalness": 0, "normalMapScale": -2, "alphaClipEnabled": false, "alphaClipThreshold": 0.25, "useVertexColor": true,
		 "isDoubleSided": false, "transparencyWritesDepth": true, "textureCoordinateScale": {"x": 2, "y": 3},
		 "textureCoordinateOffset": [0.5, -1], "ignoreTextureMaps": ["NormalMap", "OpacityMap"]}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"Glass7": 2, "Glass8": 0, "Glassy": 1, "My Glass8": -1, "Glass8x": 1, "": -1} {
		got := o.Of(name)
		if want < 0 && got != nil || want >= 0 && got != &o[want] {
			t.Errorf("%q gets %+v, want entry %d", name, got, want)
		}
	}
	yes, no := true, false
	f := func(x float32) *float32 { return &x }
	want := Override{
		Name: "Glass7", Unlit: &yes, AlphaClip: &no, VertexColor: &yes, DoubleSided: &no, TransparencyWritesDepth: &yes,
		Albedo: &[3]float32{0.1, 0.2, 0.3}, Roughness: f(0.5), Metalness: f(0), NormalMapScale: f(-2), AlphaClipThreshold: f(0.25),
		TextureScale: &[2]float32{2, 3}, TextureOffset: &[2]float32{0.5, -1}, IgnoreTextureMaps: []string{"NormalMap", "OpacityMap"},
	}
	if diff := cmp.Diff(want, o[2], cmp.AllowUnexported(Override{})); diff != "" {
		t.Error(diff)
	}
	if !o.Ignores("Glass7", "NormalMap") || o.Ignores("Glass7", "BumpMap") || o.Ignores("Glass8", "NormalMap") {
		t.Error("the wrong maps are ignored")
	}
}

func TestParseOverridesRefuses(t *testing.T) {
	for text, what := range map[string]string{
		`{}`:                              "must be a list, not an object",
		`[1]`:                             "an entry must be an object",
		`[{}]`:                            `must have a "name"`,
		`[{"name": 1}]`:                   "must be a text",
		`[{"name": "a"}, {"name": "a"}]`:  "two entries",
		`[{"name": "a", "color": 1}]`:     "no key",
		`[{"name": "a", "roughness": 2}]`: "between 0 and 1",
		`[{"name": "a(", "nameMatching": "regex"}]`:                              "not a regular expression",
		`[{"name": "(?=a)", "nameMatching": "regex"}]`:                           "not a regular expression",
		`[{"name": "a", "albedoColor": {"r": 1, "a": 1}}]`:                       "r, g and b, or a alone",
		`[{"name": "a", "albedoColor": {}}]`:                                     "r, g and b, or a alone",
		`[{"name": "a", "textureCoordinateScale": [1]}]`:                         "must be an object",
		`[{"name": "a", "textureCoordinateScale": {"x": 1}}]`:                    "must have x and y",
		`[{"name": "a", "ignoreTextureMaps": ["normalMap"]}]`:                    "one of",
		`[{"name": "a", "textureCoordinateOffset": {"x": 1, "y": 1, "z": 1}}]`:   "no key",
		`[{"name": "a", "alphaClipThreshold": -0.1}, {"name": "a", "zzz": "1"}]`: "between 0 and 1",
	} {
		if _, err := ParseOverrides("m.json", []byte(text)); arr.CodeOf(err) != arr.CodeBadRequest || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v; want %q", text, err, what)
		}
	}
}

func TestKeepsMetadata(t *testing.T) {
	s := Settings{MetadataKeys: []string{"Weight", "Part*"}}
	for key, want := range map[string]bool{"Weight": true, "Weights": false, "Part": true, "PartNumber": true, "part": false, "": false} {
		if s.KeepsMetadata(key) != want {
			t.Errorf("%q is kept: %v", key, !want)
		}
	}
	if (Settings{}).KeepsMetadata("a") || !(Settings{MetadataKeys: []string{"*"}}).KeepsMetadata("a") {
		t.Error("nothing or everything is kept")
	}
}

func TestGammaDefault(t *testing.T) {
	if !GammaDefault(".fbx") || GammaDefault(".glb") {
		t.Error("the defaults are not those of ARR")
	}
}

// FuzzParse: no text makes either reader do anything but return, and an error says where.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"axis":["+x","+z","-y"],"vertex":{"normal":"NONE"}}`, `[{"name":"a","albedoColor":{"a":1}}]`, `[[[[`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("f", text)
		if err == nil {
			axes := []int{}
			for _, a := range s.Axis {
				axes = append(axes, max(a, -a))
			}
			if slices.Sort(axes); !slices.Equal(axes, []int{1, 2, 3}) || !(s.Scaling > 0) {
				t.Errorf("%q: %+v", text, s)
			}
		} else if !strings.Contains(err.Error(), "f, line ") {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := ParseOverrides("f", text); err != nil && !strings.Contains(err.Error(), "f, line ") {
			t.Errorf("%q: %v", text, err)
		}
	})
}

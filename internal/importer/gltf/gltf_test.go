package gltf

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openText(text string, files fstest.MapFS) (*scene.Model, error) {
	src := importer.Source{Name: "model.gltf", Data: []byte(text)}
	if files != nil {
		src.Root = files
	}
	return Open(context.Background(), src, importer.Options{})
}

func mustOpen(t *testing.T, text string) *scene.Model {
	t.Helper()
	m, err := openText(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	importertest.CheckModel(t, m)
	return m
}

// file makes a file of one mesh, out of its primitives, accessors and buffer views over data.
func file(primitives, accessors, views string, data []byte, more string) string {
	return fmt.Sprintf(`{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],"meshes":[{"primitives":[%s]}],
		"accessors":[%s],"bufferViews":[%s],"buffers":[{"byteLength":%d,"uri":"data:application/octet-stream;base64,%s"}]%s}`,
		primitives, accessors, views, len(data), encode(data), more)
}

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func pack(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// square is four corners, counter-clockwise.
var square = []float32{0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0}

func TestPrimitiveModes(t *testing.T) {
	for _, c := range []struct {
		name, primitive string
		indices         []uint16
		want            [][3]geom.Vec3
	}{
		{"triangles", `"indices":1`, []uint16{0, 1, 2, 0, 2, 3, 0}, [][3]geom.Vec3{{{}, {1}, {1, 1}}, {{}, {1, 1}, {0, 1}}}},
		{"strip", `"indices":1,"mode":5`, []uint16{0, 1, 3, 2}, [][3]geom.Vec3{{{}, {1}, {0, 1}}, {{1}, {1, 1}, {0, 1}}}},
		{"fan", `"indices":1,"mode":6`, []uint16{0, 1, 2, 3}, [][3]geom.Vec3{{{}, {1}, {1, 1}}, {{}, {1, 1}, {0, 1}}}},
		{"fan without indices", `"mode":6`, []uint16{0}, [][3]geom.Vec3{{{}, {1}, {1, 1}}, {{}, {1, 1}, {0, 1}}}},
		{"triangles without indices", `"mode":4`, []uint16{0}, [][3]geom.Vec3{{{}, {1}, {1, 1}}}},
	} {
		accessors := fmt.Sprintf(`{"bufferView":0,"componentType":5126,"count":4,"type":"VEC3"},
			{"bufferView":1,"componentType":5123,"count":%d,"type":"SCALAR"}`, len(c.indices))
		views := fmt.Sprintf(`{"buffer":0,"byteLength":48},{"buffer":0,"byteOffset":48,"byteLength":%d}`, 2*len(c.indices))
		m := mustOpen(t, file(`{"attributes":{"POSITION":0},`+c.primitive+`}`, accessors, views, pack(square, c.indices), ""))
		p := m.Meshes[0].Primitives[0]
		var got [][3]geom.Vec3
		for i := 0; i < len(p.Indices); i += 3 {
			got = append(got, [3]geom.Vec3{p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]]})
			if n := p.Normals[p.Indices[i]]; n != (geom.Vec3{0, 0, 1}) {
				t.Errorf("%s: flat normal %v", c.name, n)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestComponentTypes(t *testing.T) {
	for _, c := range []struct {
		componentType int
		normalized    bool
		data          []byte
		want          geom.Vec2
	}{
		{typeFloat, false, pack([]float32{0.5, -3}), geom.Vec2{0.5, -3}},
		{typeUbyte, true, pack([]uint8{255, 51}), geom.Vec2{1, 0.2}},
		{typeUbyte, false, pack([]uint8{255, 51}), geom.Vec2{255, 51}},
		{typeByte, true, pack([]int8{127, -128}), geom.Vec2{1, -1}},
		{typeByte, false, pack([]int8{127, -128}), geom.Vec2{127, -128}},
		{typeUshort, true, pack([]uint16{65535, 0}), geom.Vec2{1, 0}},
		{typeShort, true, pack([]int16{32767, -32768}), geom.Vec2{1, -1}},
		{typeShort, false, pack([]int16{7, -7}), geom.Vec2{7, -7}},
	} {
		// Three vertices that all read the same element, because a stride of 4 or 8 steps over padding.
		stride := max(4, len(c.data))
		element := make([]byte, stride)
		copy(element, c.data)
		data := append(pack(square[:9]), bytes.Repeat(element, 3)...)
		accessors := fmt.Sprintf(`{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"},
			{"bufferView":1,"componentType":%d,"count":3,"type":"VEC2","normalized":%v}`, c.componentType, c.normalized)
		views := fmt.Sprintf(`{"buffer":0,"byteLength":36},{"buffer":0,"byteOffset":36,"byteLength":%d,"byteStride":%d}`, 3*stride, stride)
		m := mustOpen(t, file(`{"attributes":{"POSITION":0,"TEXCOORD_0":1}}`, accessors, views, data, ""))
		for _, got := range m.Meshes[0].Primitives[0].UV0 {
			if d := max(got[0]-c.want[0], c.want[0]-got[0], got[1]-c.want[1], c.want[1]-got[1]); d > 1e-6 {
				t.Errorf("component type %d, normalized %v: %v, want %v", c.componentType, c.normalized, got, c.want)
			}
		}
	}
}

func TestSparseWithoutBufferView(t *testing.T) {
	// Vertex 0 stays zero, 1 and 2 are given.
	data := pack([]uint16{1, 2}, []float32{1, 0, 0, 0, 1, 0})
	accessor := `{"componentType":5126,"count":3,"type":"VEC3","sparse":{"count":2,
		"indices":{"bufferView":0,"componentType":5123},"values":{"bufferView":1}}}`
	m := mustOpen(t, file(`{"attributes":{"POSITION":0}}`, accessor, `{"buffer":0,"byteLength":4},{"buffer":0,"byteOffset":4,"byteLength":24}`, data, ""))
	if d := cmp.Diff([]geom.Vec3{{}, {1, 0, 0}, {0, 1, 0}}, m.Meshes[0].Primitives[0].Positions); d != "" {
		t.Error(d)
	}
}

// TestSharedVertexBuffer: primitives that use a small part of a large vertex buffer get that part only, and primitives
// of equal accessors share one geometry.
func TestSharedVertexBuffer(t *testing.T) {
	positions := make([]float32, 300)
	for i := range positions {
		positions[i] = float32(i*i%17) + float32(i)
	}
	normals := bytes.Repeat(pack([]float32{0, 0, 2}), 100)
	data := append(append(pack(positions), normals...), pack([]uint16{90, 10, 50})...)
	accessors := `{"bufferView":0,"componentType":5126,"count":100,"type":"VEC3"},{"bufferView":1,"componentType":5126,"count":100,"type":"VEC3"},
		{"bufferView":2,"componentType":5123,"count":3,"type":"SCALAR"}`
	views := `{"buffer":0,"byteLength":1200},{"buffer":0,"byteOffset":1200,"byteLength":1200},{"buffer":0,"byteOffset":2400,"byteLength":6}`
	prim := `{"attributes":{"POSITION":0,"NORMAL":1},"indices":2}`
	m := mustOpen(t, file(prim+","+prim, accessors, views, data, ""))
	p, q := m.Meshes[0].Primitives[0], m.Meshes[0].Primitives[1]
	want := []geom.Vec3{geom.Vec3(positions[30:33]), geom.Vec3(positions[150:153]), geom.Vec3(positions[270:273])}
	if d := cmp.Diff(want, p.Positions); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]uint32{2, 0, 1}, p.Indices); d != "" {
		t.Error(d)
	}
	if &p.Positions[0] != &q.Positions[0] {
		t.Error("equal primitives do not share their positions")
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	position := `{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}`
	view := `{"buffer":0,"byteLength":36}`
	tri := pack(square[:9])
	for name, c := range map[string]struct{ text, target, message string }{
		"no version": {`{"asset":{}}`, "/asset/version", "glTF /asset/version: glTF version"},
		"version 1":  {`{"asset":{"version":"1.0"}}`, "/asset/version", `version "1.0" is not supported`},
		"not JSON":   {`{"asset"`, "", "the JSON is not valid"},
		"wrong type": {`{"asset":{"version":"2.0"},"nodes":[{"name":5}]}`, "/nodes/name", "number is not allowed here"},
		"extension":  {`{"asset":{"version":"2.0"},"extensionsRequired":["VENDOR_fog"]}`, "/extensionsRequired/0", "VENDOR_fog"},
		"offset past the end": {file(`{"attributes":{"POSITION":0}}`, `{"bufferView":0,"byteOffset":4,"componentType":5126,"count":3,"type":"VEC3"}`, view, tri, ""),
			"/accessors/0", "3 elements need 40 bytes, buffer view 0 has 36"},
		"negative offset": {file(`{"attributes":{"POSITION":0}}`, `{"bufferView":0,"byteOffset":-4,"componentType":5126,"count":3,"type":"VEC3"}`, view, tri, ""),
			"/accessors/0/byteOffset", "-4 is negative"},
		"huge count": {file(`{"attributes":{"POSITION":0}}`, `{"bufferView":0,"componentType":5126,"count":9007199254740992,"type":"VEC3"}`, view, tri, ""),
			"/accessors/0", "elements need"},
		"view past the end": {file(`{"attributes":{"POSITION":0}}`, position, `{"buffer":0,"byteOffset":8,"byteLength":36}`, tri, ""),
			"/bufferViews/0", "36 bytes at offset 8 exceed the 36 bytes of buffer 0"},
		"zeros without end": {file(`{"attributes":{"POSITION":0}}`, `{"componentType":5126,"count":4294967295,"type":"VEC3"}`, view, tri, ""),
			"/meshes/0/primitives/0/attributes/POSITION", "exceed the memory allowed"},
		"index out of range": {file(`{"attributes":{"POSITION":0},"indices":1}`, position+`,{"bufferView":1,"componentType":5121,"count":3,"type":"SCALAR"}`,
			view+`,{"buffer":0,"byteOffset":36,"byteLength":3}`, append(tri[:36:36], 0, 1, 3), ""),
			"/meshes/0/primitives/0/indices", "index 3 at position 2 is not below the 3 vertices"},
		"no such accessor": {file(`{"attributes":{"POSITION":7}}`, position, view, tri, ""), "/meshes/0/primitives/0/attributes/POSITION", "there is no accessor 7"},
		"no such mesh":     {`{"asset":{"version":"2.0"},"nodes":[{"mesh":2}]}`, "/nodes/0/mesh", "there is no mesh 2"},
		"unequal counts": {file(`{"attributes":{"POSITION":0,"NORMAL":1}}`, position+`,{"bufferView":0,"componentType":5126,"count":2,"type":"VEC3"}`, view, tri, ""),
			"/meshes/0/primitives/0/attributes/NORMAL", "2 elements for 3 positions"},
		"matrix and TRS": {`{"asset":{"version":"2.0"},"nodes":[{"matrix":[1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1],"scale":[1,1,1]}]}`, "/nodes/0", "matrix and"},
		"cycle":          {`{"asset":{"version":"2.0"},"nodes":[{"children":[1]},{"children":[0]}]}`, "/nodes/0", "cycle"},
		"two parents":    {`{"asset":{"version":"2.0"},"nodes":[{"children":[2]},{"children":[2]},{}]}`, "/nodes/1/children/0", "also a child of node 0"},
		"fraction":       {`{"asset":{"version":"2.0"},"scene":0.5}`, "", "0.5 is not an integer"},
	} {
		m, err := openText(c.text, nil)
		var e *arr.Error
		if m != nil || !errors.As(err, &e) || e.Target != c.target || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: %#v, want %q at %q", name, err, c.message, c.target)
		}
	}
}

func TestURIs(t *testing.T) {
	files := fstest.MapFS{
		"deep/a b.bin":   {Data: pack(square[:9])},
		"deep/a%20b.bin": {Data: pack(square[:9])},
		"secret.bin":     {Data: pack(square[:9])},
		"deep/dir.bin":   {Mode: fs.ModeDir | 0o755},
	}
	text := func(uri string) []byte {
		return fmt.Appendf(nil, `{"asset":{"version":"2.0"},"nodes":[{"mesh":0}],"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],
			"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}],"bufferViews":[{"buffer":0,"byteLength":36}],
			"buffers":[{"byteLength":36,"uri":%q}]}`, uri)
	}
	for uri, want := range map[string]string{ // "" = read
		"a%20b.bin":                  "",
		"a b.bin":                    "",
		"./a%20b.bin":                "",
		`.\a b.bin`:                  "",
		"../deep/a%20b.bin":          "",
		"../secret.bin":              "", // still inside the root
		"../../secret.bin":           "out of the model's folder",
		"%2e%2e/%2e%2e/secret.bin":   "out of the model's folder",
		"x/../../../secret.bin":      "out of the model's folder",
		"..":                         "out of the model's folder",
		"/etc/passwd":                "by relative path only",
		"%2Fetc%2Fpasswd":            "by relative path only",
		`\\host\share\a.bin`:         "by relative path only",
		"http://169.254.169.254/a":   "not to a URL",
		"file:///etc/passwd":         "not to a URL",
		"//host/a.bin":               "not to a URL",
		"C:/secret.bin":              "not to a URL",
		"missing.bin":                "there is no such file",
		"dir.bin":                    "not a regular one",
		"data:text/plain,hello":      "not base64",
		"data:text/plain;base64,h!":  "not valid base64",
		"data:application/gltf-buff": "not base64",
	} {
		_, err := Open(context.Background(), importer.Source{Root: files, Name: "deep/model.gltf", Data: text(uri)}, importer.Options{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", uri, err, want)
		}
	}
	if _, err := Open(context.Background(), importer.Source{Name: "model.gltf", Data: text("a.bin")}, importer.Options{}); err == nil {
		t.Error("a model without a root could read a file")
	}
}

// withImage is a triangle whose material shows one image.
func withImage(img []byte) string {
	return file(`{"attributes":{"POSITION":0},"material":0}`, `{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}`,
		`{"buffer":0,"byteLength":36}`, pack(square[:9]),
		`,"materials":[{"pbrMetallicRoughness":{"baseColorTexture":{"index":0}}}],"textures":[{"source":0,"sampler":0}],
		"samplers":[{"magFilter":9728,"wrapS":33071,"wrapT":33648}],"images":[{"uri":"data:image/png;base64,`+base64.StdEncoding.EncodeToString(img)+`"}]`)
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImageFormats(t *testing.T) {
	r := image.Rect(0, 0, 3, 2)
	want := color.NRGBA{0x40, 0x80, 0xC0, 0xFF}
	gray := color.NRGBA{0x80, 0x80, 0x80, 0xFF}
	half := color.NRGBA{0x40, 0x80, 0xC0, 0x55}
	paletted := image.NewPaletted(r, color.Palette{want})
	nrgba, nrgba64, rgba64 := image.NewNRGBA(r), image.NewNRGBA64(r), image.NewRGBA64(r)
	gray8, gray16 := image.NewGray(r), image.NewGray16(r)
	for y := range 2 {
		for x := range 3 {
			nrgba.Set(x, y, half)
			nrgba64.Set(x, y, half)
			rgba64.Set(x, y, want)
			gray8.Set(x, y, gray)
			gray16.Set(x, y, gray)
		}
	}
	for name, c := range map[string]struct {
		img  image.Image
		want color.NRGBA
	}{
		"palette": {paletted, want}, "8 bit with alpha": {nrgba, half}, "16 bit with alpha": {nrgba64, half},
		"16 bit": {rgba64, want}, "gray": {gray8, gray}, "16 bit gray": {gray16, gray},
	} {
		m := mustOpen(t, withImage(encodePNG(t, c.img)))
		tex := m.Materials[0].BaseColorTex.Texture
		if got := tex.Image.NRGBAAt(2, 1); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if !tex.Nearest || tex.WrapU != scene.WrapClamp || tex.WrapV != scene.WrapMirror {
			t.Errorf("%s: sampler %+v", name, tex)
		}
	}
}

func TestImageBomb(t *testing.T) {
	header := func(w, h uint32) []byte { // a PNG that declares its size and ends
		chunk := append([]byte("IHDR"), pack(bigEndian(w), bigEndian(h), []byte{8, 6, 0, 0, 0})...)
		b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(chunk))
	}
	for _, c := range []struct {
		img  []byte
		want string
	}{
		{header(60000, 60000), "60000 x 60000 pixels"},
		{header(16384, 16384), "memory allowed"},
		{header(64, 64), "cannot be decoded"},
		{[]byte("GIF89a"), "neither PNG nor JPEG"},
		{append([]byte("\xff\xd8\xff"), bytes.Repeat([]byte("\xff\xda\x00"), 101)...), "101 scans"},
	} {
		if _, err := openText(withImage(c.img), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func bigEndian(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func TestMissingTextureIsAWarning(t *testing.T) {
	text := strings.Replace(withImage(nil), `"data:image/png;base64,"`, `"gone.png"`, 1)
	m, err := openText(text, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Materials[0].BaseColorTex.Texture != nil || !strings.Contains(strings.Join(m.Warnings, "\n"), `Missing texture: "gone.png"`) {
		t.Errorf("texture %v, warnings %q", m.Materials[0].BaseColorTex.Texture, m.Warnings)
	}
}

func TestTextureTransform(t *testing.T) {
	tile := encodePNG(t, image.NewNRGBA(image.Rect(0, 0, 1, 1)))
	text := strings.Replace(withImage(tile), `"baseColorTexture":{"index":0}`, `"baseColorTexture":{"index":0,"texCoord":0,
		"extensions":{"KHR_texture_transform":{"offset":[0.5,0.25],"rotation":1.5707963267948966,"scale":[2,3],"texCoord":1}}}`, 1)
	ref := mustOpen(t, text).Materials[0].BaseColorTex
	want := [6]float32{0, 3, 0.5, -2, 0, 0.25}
	for i := range want {
		if d := ref.Matrix[i] - want[i]; d > 1e-6 || d < -1e-6 {
			t.Fatalf("matrix %v, want %v", ref.Matrix, want)
		}
	}
	if ref.UV != 1 {
		t.Errorf("UV set %d, want the one of the transform", ref.UV)
	}
}

// TestTangents: they are kept for a normal map only, and made unit.
func TestTangents(t *testing.T) {
	tile := base64.StdEncoding.EncodeToString(encodePNG(t, image.NewNRGBA(image.Rect(0, 0, 1, 1))))
	for slot, want := range map[string][]geom.Vec4{
		`"normalTexture":{"index":0}`:    {{1, 0, 0, -1}, {0, 1, 0, 1}, {1, 0, 0, 1}}, // the last is made up
		`"occlusionTexture":{"index":0}`: nil,
	} {
		text := file(`{"attributes":{"POSITION":0,"NORMAL":1,"TANGENT":2},"material":0}`,
			`{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"},{"bufferView":1,"componentType":5126,"count":3,"type":"VEC3"},
			{"bufferView":2,"componentType":5126,"count":3,"type":"VEC4"}`,
			`{"buffer":0,"byteLength":36},{"buffer":0,"byteOffset":36,"byteLength":36},{"buffer":0,"byteOffset":72,"byteLength":48}`,
			pack(square[:9], []float32{0, 0, 1, 0, 0, 1, 0, 0, 1}, []float32{3, 0, 0, -1, 0, 1, 0, 1, 0, 0, 0, 1}),
			`,"materials":[{`+slot+`}],"textures":[{"source":0}],"images":[{"uri":"data:image/png;base64,`+tile+`"}]`)
		if d := cmp.Diff(want, mustOpen(t, text).Meshes[0].Primitives[0].Tangents); d != "" {
			t.Errorf("%s: %s", slot, d)
		}
	}
}

func TestInstancing(t *testing.T) {
	m, err := openFile(t, testassets.Path(t, "gltf/SimpleInstancing/glTF/SimpleInstancing.gltf"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, node := range m.Nodes {
		if node.Mesh >= 0 {
			n++
		}
	}
	if n != 125 || len(m.Meshes) != 1 {
		t.Errorf("%d instances of %d meshes, want 125 of 1", n, len(m.Meshes))
	}
}

func TestTriangleBudget(t *testing.T) {
	_, err := openFile(t, testassets.Path(t, "gltf/SimpleInstancing/glTF/SimpleInstancing.gltf"), importer.Options{TriangleBudget: 1499})
	if arr.CodeOf(err) != arr.CodeBadRequest || !strings.Contains(err.Error(), "1499 triangles") {
		t.Errorf("%v", err)
	}
	if _, err = openFile(t, testassets.Path(t, "gltf/SimpleInstancing/glTF/SimpleInstancing.gltf"), importer.Options{TriangleBudget: 1500}); err != nil {
		t.Error(err)
	}
}

func TestMemoryBudget(t *testing.T) {
	for _, name := range []string{"gltf/Avocado/glTF/Avocado.gltf", "gltf/Fox/glTF-Binary/Fox.glb"} {
		_, err := openFile(t, testassets.Path(t, name), importer.Options{MemoryBudget: 100_000})
		if arr.CodeOf(err) != arr.CodeBadRequest || !strings.Contains(err.Error(), "memory allowed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgressAndCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var stages []string
	last := 0.0
	opts := importer.Options{Progress: func(stage string, done float64) {
		if len(stages) == 0 || stages[len(stages)-1] != stage {
			stages, last = append(stages, stage), 0
		}
		if done < last || done > 1 {
			t.Errorf("%s went from %g to %g", stage, last, done)
		}
		last = done
	}}
	file := testassets.Path(t, "gltf/TextureSettingsTest/glTF/TextureSettingsTest.gltf")
	if _, err := openFile(t, file, opts); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"fetch", "decode"}, stages); d != "" || last != 1 {
		t.Errorf("%s, ended at %g", d, last)
	}
	cancel()
	if _, err := Open(ctx, importer.Source{Data: []byte(`{"asset":{"version":"2.0"}}`)}, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestDeepNodes(t *testing.T) {
	const depth = 200_000
	var b strings.Builder
	b.WriteString(`{"asset":{"version":"2.0"},"nodes":[`)
	for i := range depth {
		fmt.Fprintf(&b, `{"children":[%d]},`, i+1)
	}
	b.WriteString(`{"name":"bottom"}]}`)
	if m := mustOpen(t, b.String()); len(m.Nodes) != depth+1 || m.Nodes[depth].Name != "bottom" {
		t.Errorf("%d nodes", len(m.Nodes))
	}
}

func TestSameModelTwice(t *testing.T) {
	file := testassets.Path(t, "gltf/TextureSettingsTest/glTF/TextureSettingsTest.gltf")
	a, err := openFile(t, file, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openFile(t, file, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) { // cmp would take minutes over the pixels
		t.Error("two imports of one file differ")
	}
}

func BenchmarkMachine10k(b *testing.B) {
	file := testassets.Path(b, "scale/machine10k.glb")
	for b.Loop() {
		if _, err := openFile(b, file, importer.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

package gltf

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/testassets"
)

// shortSequence is the indices 0, 1 and 2 in mode INDICES.
var shortSequence = []byte{0xd1, 0, 4, 4, 0, 0, 0, 0}

// sequenceFile is a triangle whose indices are compressed. The extension's object is filled in from the format.
func sequenceFile(object string) string {
	data := append(pack(square[:9]), shortSequence...)
	return file(`{"attributes":{"POSITION":0},"indices":1}`,
		`{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"},{"bufferView":1,"componentType":5123,"count":3,"type":"SCALAR"}`,
		`{"buffer":0,"byteLength":36},{"buffer":0,"byteLength":6,"extensions":{"EXT_meshopt_compression":`+object+`}}`, data, "")
}

const sequence = `{"buffer":0,"byteOffset":36,"byteLength":8,"byteStride":2,"count":3,"mode":"INDICES"}`

func TestMeshoptView(t *testing.T) {
	m := mustOpen(t, sequenceFile(sequence))
	if d := cmp.Diff([]geom.Vec3{{}, {1}, {1, 1}}, m.Meshes[0].Primitives[0].Positions); d != "" {
		t.Error(d)
	}
}

func TestMeshoptErrors(t *testing.T) {
	const at = "/bufferViews/1/extensions/EXT_meshopt_compression"
	for name, c := range map[string]struct{ old, new, target, message string }{
		"no buffer":     {`"buffer":0`, `"buffer":1`, at + "/buffer", "there is no such buffer"},
		"past the end":  {`"byteOffset":36`, `"byteOffset":37`, at, "8 bytes at offset 37 exceed the 44 bytes of buffer 0"},
		"negative":      {`"byteOffset":36`, `"byteOffset":-1`, at, "offset -1"},
		"stride":        {`"byteStride":2`, `"byteStride":3`, at, "indices of 3 bytes"},
		"size":          {`"byteStride":2`, `"byteStride":4`, at + "/count", "3 elements of 4 bytes do not fill the 6 bytes"},
		"bomb":          {`"count":3`, `"count":9007199254740992`, at, "cannot be in 8 bytes"},
		"mode":          {`"INDICES"`, `"LINES"`, at, `"LINES" is not a mode`},
		"filter":        {`"INDICES"`, `"INDICES","filter":"OCTAHEDRAL"`, at, "does not suit"},
		"other stream":  {`"INDICES"`, `"TRIANGLES"`, at, "triangles begin with 0xd1, not 0xe1"},
		"garbage":       {`"byteOffset":36`, `"byteOffset":35`, at, "indices begin with"},
		"ends too soon": {`"byteLength":8`, `"byteLength":7`, at, "ends early"},
	} {
		if !strings.Contains(sequence, c.old) {
			t.Fatal(name)
		}
		_, err := openText(sequenceFile(strings.Replace(sequence, c.old, c.new, 1)), nil)
		var e *arr.Error
		if !errors.As(err, &e) || e.Target != c.target || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: %#v, want %q at %q", name, err, c.message, c.target)
		}
	}
}

// TestFallbackBuffers shows that a buffer for loaders that cannot decompress is never opened, and never taken for data.
func TestFallbackBuffers(t *testing.T) {
	files := fstest.MapFS{"a.bin": {Data: append(pack(square[:9]), shortSequence...)}}
	doc := func(fallback, view string) string {
		return `{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],
			"meshes":[{"primitives":[{"attributes":{"POSITION":0},"indices":1}]}],
			"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"},{"bufferView":1,"componentType":5123,"count":3,"type":"SCALAR"}],
			"bufferViews":[{"buffer":0,"byteLength":36},{"buffer":1,"byteLength":6` + view + `}],
			"buffers":[{"byteLength":44,"uri":"a.bin"},{"byteLength":6` + fallback + `}]}`
	}
	const flag, view = `,"extensions":{"EXT_meshopt_compression":{"fallback":true}}`, `,"extensions":{"EXT_meshopt_compression":` + sequence + `}`
	for name, fallback := range map[string]string{
		"placeholder": "", "flag": flag, "flag and file": `,"uri":"absent.bin"` + flag,
	} {
		if _, err := openText(doc(fallback, view), files); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct{ fallback, view, message string }{
		"used uncompressed": {flag, "", "buffer without data"},
		"used compressed":   {flag, strings.Replace(view, `"buffer":0`, `"buffer":1`, 1), "buffer without data"},
	} {
		if _, err := openText(doc(c.fallback, c.view), files); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %s", name, err, c.message)
		}
	}
}

// TestCompressedTwins compares compressed models to the same ones uncompressed.
func TestCompressedTwins(t *testing.T) {
	for packed, plain := range map[string]string{
		"gltf-packed/Fox_meshopt.glb":             "gltf/Fox/glTF-Binary/Fox.glb",
		"gltf-packed/MorphStress_khr_meshopt.glb": "gltf/MorphStressTest/glTF-Binary/MorphStressTest.glb",
		"gltf-features/BoxMeshopt.gltf":           "gltf/Box/glTF/Box.gltf",
		"gltf-features/BoxMeshopt.glb":            "gltf/Box/glTF/Box.gltf",
		"gltf/Box/glTF-Draco/Box.gltf":            "gltf/Box/glTF/Box.gltf",
	} {
		got, err := openFile(t, testassets.Path(t, packed), importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := openFile(t, testassets.Path(t, plain), importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Triangles != want.Triangles || len(got.Materials) != len(want.Materials) {
			t.Errorf("%s: %d triangles, %d materials, want %d, %d", packed, got.Triangles, len(got.Materials), want.Triangles, len(want.Materials))
		}
		tolerance := 1e-3 * want.Bounds.Size().Len()
		if got.Bounds.Min.Sub(want.Bounds.Min).Len() > tolerance || got.Bounds.Max.Sub(want.Bounds.Max).Len() > tolerance {
			t.Errorf("%s: bounds %v, want %v", packed, got.Bounds, want.Bounds)
		}
	}
}

// dracoFile is a model of primitives over the grid of package draco, of 81 vertices and 128 triangles. Accessor 0 is
// positions, 1 normals, 2 colours, 3 indices.
func dracoFile(t testing.TB, primitives string) string {
	t.Helper()
	var data bytes.Buffer
	var views []string
	for _, name := range []string{"edgebreaker.drc", "sequential.drc"} {
		b, err := os.ReadFile(filepath.Join("draco", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, fmt.Sprintf(`{"buffer":0,"byteOffset":%d,"byteLength":%d}`, data.Len(), len(b)))
		data.Write(b)
	}
	return file(primitives, `{"componentType":5126,"count":81,"type":"VEC3"},{"componentType":5126,"count":81,"type":"VEC3"},
		{"componentType":5121,"normalized":true,"count":81,"type":"VEC4"},{"componentType":5123,"count":384,"type":"SCALAR"}`,
		strings.Join(views, ","), data.Bytes(), `,"extensionsRequired":["KHR_draco_mesh_compression"]`)
}

func dracoPrimitive(view int) string {
	return fmt.Sprintf(`{"attributes":{"POSITION":0,"NORMAL":1,"COLOR_0":2},"indices":3,"extensions":{"KHR_draco_mesh_compression":
		{"bufferView":%d,"attributes":{"POSITION":0,"NORMAL":1,"COLOR_0":2,"JOINTS_0":3}}}}`, view)
}

// TestDraco imports two meshes of the same accessors, one of them twice: equal ones share memory, others do not mix.
func TestDraco(t *testing.T) {
	m := mustOpen(t, dracoFile(t, strings.Join([]string{dracoPrimitive(0), dracoPrimitive(1), dracoPrimitive(0)}, ",")))
	p := m.Meshes[0].Primitives
	if m.Triangles != 3*128 || len(p[0].Colors) != 81 || len(p[1].Positions) != 81 {
		t.Fatalf("%d triangles, %d colours, %d positions", m.Triangles, len(p[0].Colors), len(p[1].Positions))
	}
	if &p[0].Positions[0] != &p[2].Positions[0] || &p[0].Positions[0] == &p[1].Positions[0] {
		t.Error("equal primitives do not share their positions, or unequal ones do")
	}
	if slices.Equal(p[0].Indices, p[1].Indices) {
		t.Error("the second primitive shows the first")
	}
	if c := p[0].Colors[0]; c[2] != 7/255. || c[3] != 1 {
		t.Errorf("colour %v", c)
	}
}

func TestDracoErrors(t *testing.T) {
	const at = "/meshes/0/primitives/0"
	for name, c := range map[string]struct{ old, new, target, message string }{
		"no view":     {`"bufferView":0`, `"bufferView":2`, at + "/extensions/KHR_draco_mesh_compression/bufferView", "there is no buffer view 2"},
		"no id":       {`"NORMAL":1,"COLOR_0":2,"JOINTS_0"`, `"NORMAL":77,"COLOR_0":2,"JOINTS_0"`, at + "/extensions/KHR_draco_mesh_compression", "no attribute 77"},
		"huge id":     {`"NORMAL":1,"COLOR_0":2,"JOINTS_0"`, `"NORMAL":4294967296,"COLOR_0":2,"JOINTS_0"`, at + "/extensions/KHR_draco_mesh_compression/attributes/NORMAL", "not a unique id"},
		"components":  {`"COLOR_0":2}`, `"COLOR_0":1}`, at + "/extensions/KHR_draco_mesh_compression", "has 4 components, not 3"},
		"no accessor": {`"COLOR_0":2}`, `"COLOR_0":9}`, at + "/attributes/COLOR_0", "there is no accessor 9"},
		"mode":        {`"indices":3`, `"mode":1`, at + "/mode", "not mode 1"},
		"not Draco":   {`"byteOffset":0`, `"byteOffset":1`, at + "/extensions/KHR_draco_mesh_compression", "cannot be decoded"},
	} {
		text := dracoFile(t, dracoPrimitive(0))
		if !strings.Contains(text, c.old) {
			t.Fatal(name)
		}
		_, err := openText(strings.Replace(text, c.old, c.new, 1), nil)
		var e *arr.Error
		if !errors.As(err, &e) || e.Code != arr.CodeUnprocessableEntity || e.Target != c.target || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: %#v, want %q at %q", name, err, c.message, c.target)
		}
	}
}

// TestDracoBudgets refuses too little memory, and counts the triangles that are there, not those that are declared.
func TestDracoBudgets(t *testing.T) {
	text := strings.Replace(dracoFile(t, dracoPrimitive(0)), `"count":384`, `"count":3`, 1)
	for name, opts := range map[string]importer.Options{
		"memory of the decoder": {MemoryBudget: 1 << 20},
		"triangles":             {TriangleBudget: 127},
	} {
		_, err := Open(context.Background(), importer.Source{Name: "m.gltf", Data: []byte(text)}, opts)
		if arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m := mustOpen(t, text); m.Triangles != 128 {
		t.Errorf("%d triangles", m.Triangles)
	}
}

// TestDracoCancel ends an import inside of the decoder.
func TestDracoCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	opts := importer.Options{Progress: func(stage string, _ float64) {
		if stage == "decode" {
			cancel()
		}
	}}
	_, err := Open(ctx, importer.Source{Name: "m.gltf", Data: []byte(dracoFile(t, dracoPrimitive(0)))}, opts)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzCompressed damages the compressed bytes of sound models.
func FuzzCompressed(f *testing.F) {
	texts := []string{sequenceFile(sequence), dracoFile(f, dracoPrimitive(0)), dracoFile(f, dracoPrimitive(1))}
	var docs []map[string]any
	for _, text := range texts {
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			f.Fatal(err)
		}
		docs = append(docs, doc)
	}
	f.Add(uint8(0), uint16(40), uint32(0))
	f.Add(uint8(1), uint16(12), uint32(0xffffffff))
	f.Add(uint8(2), uint16(700), uint32(1))
	f.Fuzz(func(t *testing.T, k uint8, at uint16, bits uint32) {
		var doc document
		text, err := json.Marshal(docs[int(k)%len(docs)])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		data, err := importer.Source{}.Resolve(*doc.Buffers[0].URI, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		old := strings.TrimPrefix(*doc.Buffers[0].URI, "data:application/octet-stream;base64,")
		o := int(at) % (len(data) - 3)
		binary.LittleEndian.PutUint32(data[o:], binary.LittleEndian.Uint32(data[o:])^bits)
		fuzzOne(t, bytes.Replace(text, []byte(old), []byte(encode(data)), 1))
	})
}

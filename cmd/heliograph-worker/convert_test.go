package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/testassets"
)

// convert runs this program as child.Run does, and returns what came of it with the log.
func convert(t *testing.T, ctx context.Context, job child.Job, progress func(child.Progress)) (child.Result, string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r, err := child.Run(ctx, child.Config{Binary: self, Log: &log}, job, progress)
	return r, log.String(), err
}

// jobOf converts a shared test file into a directory of the test.
func jobOf(t *testing.T, name string) child.Job {
	t.Helper()
	file := testassets.Path(t, name)
	return child.Job{InputDir: filepath.Dir(file), InputFile: filepath.Base(file), OutputDir: t.TempDir(), Limits: child.Limits{Memory: 2 << 30}}
}

func mustConvert(t *testing.T, job child.Job) child.Result {
	t.Helper()
	r, log, err := convert(t, t.Context(), job, nil)
	if err != nil || !r.Succeeded {
		t.Fatalf("%s: %+v, %v, %v\n%s", job.InputFile, r, r.Error, err, log)
	}
	return r
}

func readJSON(t *testing.T, to any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func TestConvert(t *testing.T) {
	job := jobOf(t, "gltf/Box/glTF/Box.gltf")
	job.Settings = &child.File{Name: "s.json", Data: []byte(`{"scaling": 2, "recenterToOrigin": true, "sceneGraphMode": "static"}`)}
	var stages []string
	r, log, err := convert(t, t.Context(), job, func(p child.Progress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
		if p.Done < 0 || p.Done > 1 || p.StageDone < 0 || p.StageDone > 1 {
			t.Errorf("progress %+v", p)
		}
	})
	if err != nil || !r.Succeeded {
		t.Fatalf("%+v, %v, %v\n%s", r, r.Error, err, log)
	}
	if got := strings.Join(stages, " "); got != "read prepare meshes textures write" && got != "read prepare meshes write" {
		t.Errorf("stages %s", got)
	}
	if !slices.Equal(r.Outputs, []string{"Box.arrAsset", "Box.info.json", "Box.result.json"}) || r.Summary.Triangles != 12 || r.Summary.AssetBytes <= 0 {
		t.Errorf("%+v", r)
	}
	var info child.Info
	readJSON(t, &info, job.OutputDir, "Box.info.json")
	in, out := info.InputStatistics, info.OutputStatistics
	if info.Files != (child.Files{Input: "Box.gltf"}) || in.Faces != 12 || in.Vertices != 24 || in.Nodes != 2 || in.MaxNodeDepth != 2 || in.Meshes != 1 ||
		info.InputInfo.Extension != ".gltf" || info.InputInfo.FormatVersion != "2.0" || info.InputInfo.Generator != "COLLADA2GLTF" {
		t.Errorf("info %+v %+v %+v", info, *in, *info.InputInfo)
	}
	if out.BoundingBox != (child.BoundingBox{Min: [3]float32{-1, -1, -1}, Max: [3]float32{1, 1, 1}}) || out.PartsCreated != 1 ||
		out.PartsInstanced != 0 || out.PrimitivesInScene != 12 || len(info.OutputInfo.Hash) != 16 {
		t.Errorf("info %+v %+v", *out, *info.OutputInfo)
	}
	if got := string(bytes.ReplaceAll(bytes.ReplaceAll(info.ConversionSettings, []byte("\n"), nil), []byte(" "), nil)); got != `{"scaling":2,"recenterToOrigin":true,"sceneGraphMode":"static"}` {
		t.Errorf("settings %s", got)
	}
	var result []map[string]any
	readJSON(t, &result, job.OutputDir, "Box.result.json")
	if len(result) != 1 || result[0]["result"] != "succeeded" {
		t.Errorf("result %v", result)
	}

	f, err := os.Open(filepath.Join(job.OutputDir, "Box.arrAsset"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	made, err := asset.Open(t.Context(), sized{f, stat.Size()}, asset.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m := made.Model(); m.Triangles != 12 || !m.Static || m.Bounds.Size()[0] < 1.99 || m.Bounds.Size()[0] > 2.01 {
		t.Errorf("the asset has %d triangles, static %v, %v", m.Triangles, m.Static, m.Bounds)
	}
	if err := made.Close(); err != nil {
		t.Error(err)
	}
}

type sized struct {
	*os.File
	size int64
}

func (s sized) Size() int64 { return s.size }

// TestConvertIsDeterministic: twice the same, also with another number of threads.
func TestConvertIsDeterministic(t *testing.T) {
	var before [][]byte
	for _, threads := range []int{1, 2} {
		job := jobOf(t, "gltf/Fox/glTF-Binary/Fox.glb")
		job.Threads = threads
		job.OutputName = "x"
		r := mustConvert(t, job)
		var now [][]byte
		for _, name := range r.Outputs {
			data, err := os.ReadFile(filepath.Join(job.OutputDir, name))
			if err != nil {
				t.Fatal(err)
			}
			now = append(now, data)
		}
		for i := range before {
			if !bytes.Equal(before[i], now[i]) {
				t.Errorf("%s differs", r.Outputs[i])
			}
		}
		before = now
	}
}

// write makes a folder with files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const square = "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nusemtl wall\nf 1/1 2/1 3/2\nusemtl floor\nf 1/1 3/2 4/1\n"

func TestConvertReadsTheFilesBesideTheModel(t *testing.T) {
	const overrides = `[{"name": "wall", "albedoColor": {"r": 1, "g": 0, "b": 0}}, {"name": ".*", "nameMatching": "regex", "roughness": 0.5}]`
	for name, files := range map[string]map[string]string{
		"named":      {"a/b.ConversionSettings.json": `{"axis": ["+x", "+z", "-y"]}`, "a/b.MaterialOverrides.json": overrides},
		"deprecated": {"a/conversionSettings.json": `{"axis": ["+x", "+z", "-y"], "material-override": "o.json"}`, "a/o.json": overrides},
	} {
		t.Run(name, func(t *testing.T) {
			files["a/b.obj"] = square
			files["a/m.mtl"] = "newmtl wall\nKd 1 1 1\nmap_Kd gone.png\nnewmtl floor\nKd 1 1 1\n"
			job := child.Job{ID: "c", InputDir: write(t, files), InputFile: "a/b.obj", OutputDir: t.TempDir(), OutputName: "other"}
			r := mustConvert(t, job)
			var info child.Info
			readJSON(t, &info, job.OutputDir, "other.info.json")
			if info.Files.Output != "other.arrAsset" || *info.MaterialOverrides != (child.OverrideStatistics{Overrides: 2, Materials: 2}) ||
				info.OutputStatistics.BoundingBox.Min != [3]float32{0, 0, -1} {
				t.Errorf("%+v %+v", info.MaterialOverrides, info.OutputStatistics)
			}
			var result []map[string]any
			readJSON(t, &result, job.OutputDir, "other.result.json")
			text := fmt.Sprint(result)
			if !strings.Contains(text, "conversionId:c") || !strings.Contains(text, "gone.png") || !strings.Contains(text, "succeeded with warnings") {
				t.Error(text)
			}
			if strings.Contains(text, "9102") != (name == "deprecated") || len(r.Warnings) == 0 {
				t.Error(text)
			}
		})
	}
}

func TestConvertRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		input string
		kind  child.Kind
		code  string
		says  string
	}{
		"settings":  {map[string]string{"a.obj": square, "a.ConversionSettings.json": "{\n\"scale\": 1}"}, "a.obj", child.KindSettings, "9003", "line 2, column 1"},
		"overrides": {map[string]string{"a.obj": square, "a.MaterialOverrides.json": `{}`}, "a.obj", child.KindSettings, "9004", "must be a list"},
		"override file": {map[string]string{"a.obj": square, "a.ConversionSettings.json": `{"material-override": "../x.json"}`}, "a.obj",
			child.KindSettings, "9004", "out of the model's folder"},
		"no file":   {nil, "a.obj", child.KindInput, "9001", "is not there (a.obj)"},
		"format":    {map[string]string{"a.doc": "x"}, "a.doc", child.KindInput, "9002", ".glb"},
		"invalid":   {map[string]string{"a.gltf": "{"}, "a.gltf", child.KindInput, "2007", "not valid"},
		"directory": {map[string]string{"a.obj/b": ""}, "a.obj", child.KindInput, "9001", "not a file"},
	} {
		t.Run(name, func(t *testing.T) {
			job := child.Job{InputDir: write(t, c.files), InputFile: c.input, OutputDir: t.TempDir()}
			r, log, err := convert(t, t.Context(), job, nil)
			if err != nil {
				t.Fatal(err, log)
			}
			if r.Succeeded || r.Kind != c.kind || arr.CodeOf(r.Error) != arr.CodeConversionFailed || !strings.Contains(r.Error.Message, c.says) {
				t.Errorf("%+v, %v\n%s", r, r.Error, log)
			}
			stem := child.Stem(c.input)
			var result []map[string]any
			readJSON(t, &result, job.OutputDir, stem+".result.json")
			if n := len(result); n < 2 || result[n-2]["error"] != c.code || result[n-1]["result"] != "failed" {
				t.Errorf("result %v", result)
			}
			var info child.Info
			readJSON(t, &info, job.OutputDir, stem+".info.json")
			if info.Files.Input != c.input || info.OutputInfo != nil {
				t.Errorf("info %+v", info)
			}
			entries, err := os.ReadDir(job.OutputDir)
			if err != nil || len(entries) != 2 {
				t.Errorf("left are %v, %v", entries, err)
			}

			job.Check, job.OutputDir = true, filepath.Join(t.TempDir(), "none")
			r, _, err = convert(t, t.Context(), job, nil)
			if err != nil || r.Succeeded != (name == "invalid") { // which shows only when it is read
				t.Errorf("the check says %+v, %v", r, err)
			}
			if _, err := os.Stat(job.OutputDir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the check wrote something: %v", err)
			}
		})
	}
}

// TestConvertReadsBelowItsFolderOnly: neither by "..", nor by a link, nor by settings.
func TestConvertReadsBelowItsFolderOnly(t *testing.T) {
	dir := write(t, map[string]string{"secret.mtl": "newmtl wall\nKd 1 0 0\n", "in/a.obj": strings.Replace(square, "m.mtl", "../secret.mtl", 1), "in/b.obj": strings.Replace(square, "m.mtl", "link.mtl", 1)})
	if err := os.Symlink("../secret.mtl", filepath.Join(dir, "in", "link.mtl")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.obj", "b.obj"} {
		r := mustConvert(t, child.Job{InputDir: filepath.Join(dir, "in"), InputFile: name, OutputDir: t.TempDir()})
		if len(r.Warnings) == 0 {
			t.Errorf("%s: the materials were read from outside of the folder", name)
		}
	}
}

func TestConvertWithinLimits(t *testing.T) {
	var text strings.Builder
	for i := range 300000 {
		fmt.Fprintf(&text, "v %d %d %d\nf %d %d %d\n", i, i*7%1000, i*13%1000, max(1, i-1), max(1, i), i+1)
	}
	dir := write(t, map[string]string{"a.obj": text.String()})
	for name, limits := range map[string]child.Limits{"memory": {Memory: 48 << 20}, "cpu": {CPU: time.Second}, "file": {FileSize: 100 << 10}} {
		t.Run(name, func(t *testing.T) {
			job := child.Job{InputDir: dir, InputFile: "a.obj", OutputDir: t.TempDir(), Limits: limits}
			r, log, err := convert(t, t.Context(), job, nil)
			if err != nil || r.Kind != child.KindResources || !strings.Contains(r.Error.Message, "exceeded system resources. It's possible the asset is too large") {
				t.Errorf("%+v, %v, %v\n%.3000s", r, r.Error, err, log)
			}
			var result []map[string]any
			readJSON(t, &result, job.OutputDir, "a.result.json")
			if len(result) != 2 || result[0]["error"] != "9005" {
				t.Errorf("result %v", result)
			}
		})
	}
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		job := child.Job{InputDir: dir, InputFile: "a.obj", OutputDir: t.TempDir()}
		_, _, err := convert(t, ctx, job, func(p child.Progress) { cancel() })
		if entries, _ := os.ReadDir(job.OutputDir); !errors.Is(err, context.Canceled) || len(entries) > 0 {
			t.Errorf("%v, left are %v", err, entries)
		}
	})
}

// TestConvertHostileFiles: files that are made to harm give a result in time, and within 1 GiB. test/assets imports all of them;
// here the process around them is tested, by those made by hand and a quarter of the others.
func TestConvertHostileFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred processes")
	}
	root := testassets.Path(t, "invalid")
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if _, known := formats.Of(path); err == nil && known && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i, path := range files {
		if i%4 > 0 && !strings.Contains(path, "handmade") {
			continue
		}
		job := child.Job{
			InputDir: filepath.Dir(path), InputFile: filepath.Base(path), OutputDir: t.TempDir(),
			Limits: child.Limits{Memory: 1 << 30, Wall: 5 * time.Minute, CPU: 10 * time.Second},
		}
		r, log, err := convert(t, t.Context(), job, nil)
		if err != nil || r.Kind == child.KindCrash || r.Kind == child.KindResources {
			t.Errorf("%s: %+v, %v, %v\n%.2000s", strings.TrimPrefix(path, root), r, r.Error, err, log)
		}
		if !r.Succeeded {
			failed++
		}
	}
	t.Logf("%d files give an error", failed)
}

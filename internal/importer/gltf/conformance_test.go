package gltf

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// openFile imports one file, with its folder as the root.
func openFile(tb testing.TB, file string, opts importer.Options) (*scene.Model, error) {
	tb.Helper()
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		tb.Fatal(err)
	}
	defer root.Close()
	return Open(context.Background(), importer.Source{Root: root.FS(), Name: filepath.Base(file)}, opts)
}

// TestConformance imports every valid model: its triangles and bounds are as an independent reading of the JSON says.
func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

// decisive lists the findings of glTF-Validator that an importer must not pass over: geometry would be wrong, or bytes
// would be read that are not there. Findings about what is not imported (animation, skins, cameras), about style, and
// about metadata are not listed.
var decisive = []string{
	"ACCESSOR_SMALL_BYTESTRIDE", "ACCESSOR_SPARSE_COUNT_OUT_OF_RANGE", "ACCESSOR_TOO_LONG", "ARRAY_TYPE_MISMATCH",
	"ASSET_MIN_VERSION_GREATER_THAN_VERSION", "BUFFER_BYTE_LENGTH_MISMATCH", "BUFFER_VIEW_INVALID_BYTE_STRIDE", "BUFFER_VIEW_TOO_LONG", "GLB_CHUNK_TOO_BIG", "GLB_DUPLICATE_CHUNK", "GLB_INVALID_VERSION", "GLB_LENGTH_TOO_SMALL",
	"GLB_UNEXPECTED_END_OF_CHUNK_HEADER", "GLB_UNEXPECTED_END_OF_HEADER", "GLB_UNEXPECTED_FIRST_CHUNK", "INVALID_JSON", "IO_ERROR", "MESH_PRIMITIVE_ATTRIBUTES_ACCESSOR_INVALID_FORMAT", "NODE_LOOP", "NODE_MATRIX_TRS", "NODE_PARENT_OVERRIDE",
	"SCENE_NON_ROOT_NODE",
}

// tolerated are files that must be refused by the letter, and the reasons why they are imported all the same.
var tolerated = map[string]string{
	"gltf-validator/base/data/image/not_found.gltf":                       "a missing texture is a warning",
	"gltf-validator/base/data/json/bom.gltf":                              "byte order marks are common and harmless",
	"gltf-validator/base/data/mesh/position_accessor_invalid_format.gltf": "KHR_mesh_quantization without its declaration is clear enough",
	"handmade/png_bomb.glb":                                               "no material uses the image, so nothing decodes it; TestImageBomb does",
}

// TestHostileFiles imports every invalid glTF there is: each ends soon, in little memory, and in an error where the
// expected report, or the file's origin, says so.
func TestHostileFiles(t *testing.T) {
	root := testassets.Path(t, "invalid")
	n, errors := 0, 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if ext := path.Ext(file); err != nil || d.IsDir() || ext != ".gltf" && ext != ".glb" {
			return err
		}
		n++
		name, _ := filepath.Rel(root, file)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			m, err := openFile(t, file, importer.Options{})
			runtime.ReadMemStats(&after)
			if d := time.Since(start); d > importertest.Hang {
				t.Errorf("took %v", d)
			}
			if mem := after.TotalAlloc - before.TotalAlloc; mem > 1<<30 {
				t.Errorf("allocated %d MiB", mem>>20)
			}
			if err != nil {
				errors++
				if c := arr.CodeOf(err); c != arr.CodeUnprocessableEntity && c != arr.CodeBadRequest {
					t.Errorf("error %v is not meant for a user", err)
				}
			} else {
				importertest.CheckModel(t, m)
			}
			want := verdict(t, file)
			if reason, ok := tolerated[filepath.ToSlash(name)]; ok {
				if err != nil {
					t.Errorf("%v, in spite of: %s", err, reason)
				}
			} else if want != "" && err == nil {
				t.Errorf("imported, in spite of %s", want)
			}
		})
		return nil
	})
	if err != nil || n < 200 {
		t.Errorf("%d files, %v", n, err)
	}
	t.Logf("%d files, %d refused", n, errors)
}

// verdict says why a file must be refused; "" = it need not be.
func verdict(t *testing.T, file string) string {
	t.Helper()
	if strings.Contains(filepath.ToSlash(file), "/handmade/") {
		return "being made to be hostile"
	}
	report, err := os.ReadFile(file + ".report.json")
	if err != nil {
		return ""
	}
	var r struct {
		Issues struct {
			Messages []struct {
				Code, Pointer string
				Severity      int
			}
		}
	}
	if err := json.Unmarshal(report, &r); err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Issues.Messages {
		if m.Severity == 0 && slices.Contains(decisive, m.Code) {
			return m.Code + " at " + m.Pointer
		}
	}
	return ""
}

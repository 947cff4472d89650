// Package importertest holds what the tests of all importers of meshes need. For tests only.
package importertest

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// Open is the function under test.
type Open func(context.Context, importer.Source, importer.Options) (*scene.Model, error)

// File imports one file, with its folder as the root.
func File(tb testing.TB, open Open, file string) (*scene.Model, error) {
	tb.Helper()
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	return open(tb.Context(), importer.Source{Root: root.FS(), Name: filepath.Base(file)}, importer.Options{})
}

// Text imports a file that stands alone.
func Text(tb testing.TB, open Open, name, text string) (*scene.Model, error) {
	tb.Helper()
	m, err := open(tb.Context(), importer.Source{Name: name, Data: []byte(text)}, importer.Options{})
	if err == nil {
		CheckModel(tb, m)
	}
	return m, err
}

// Must imports a file that stands alone, and is good.
func Must(tb testing.TB, open Open, name, text string) *scene.Model {
	tb.Helper()
	m, err := Text(tb, open, name, text)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Conformance imports the shared assets of a table, see ReadTable.
func Conformance(t *testing.T, open Open, table string) {
	for _, row := range ReadTable(t, table) {
		t.Run(row.File, func(t *testing.T) {
			m, err := bounded(t, open, testassets.Path(t, row.File))
			row.Check(t, m, err)
		})
	}
}

// Hang is what no import may take.
const Hang = raceSlowdown * 10 * time.Second

// bounded imports a file and wants it to take little time and memory.
func bounded(t *testing.T, open Open, file string) (*scene.Model, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	m, err := File(t, open, file)
	runtime.ReadMemStats(&after)
	if d := time.Since(start); d > Hang {
		t.Errorf("took %v", d)
	}
	if mem := after.TotalAlloc - before.TotalAlloc; mem > 1<<30 {
		t.Errorf("allocated %d MiB", mem>>20)
	}
	return m, err
}

// WantError wants an error that is meant for a user and says what is given.
func WantError(tb testing.TB, err error, says string) {
	tb.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		tb.Errorf("%v, want an error that says: %s", err, says)
	}
	if c := arr.CodeOf(err); err != nil && c != arr.CodeUnprocessableEntity && c != arr.CodeBadRequest {
		tb.Errorf("error %v is not meant for a user", err)
	}
}

// Fuzz imports hostile bytes: they end in a sound model or in an error meant for a user.
func Fuzz(tb testing.TB, open Open, src importer.Source) {
	tb.Helper()
	m, err := open(tb.Context(), src, importer.Options{MemoryBudget: 64 << 20})
	if err != nil {
		WantError(tb, err, "")
		return
	}
	CheckModel(tb, m)
}

// CheckModel holds what package scene promises the renderer.
func CheckModel(tb testing.TB, m *scene.Model) {
	tb.Helper()
	seen := make([]bool, len(m.Nodes))
	stack := append([]int(nil), m.Roots...)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n] {
			tb.Fatalf("node %d is reached twice", n)
		}
		seen[n] = true
		if k := m.Nodes[n].Mesh; k < -1 || k >= len(m.Meshes) {
			tb.Fatalf("node %d has mesh %d of %d", n, k, len(m.Meshes))
		}
		if k := m.Nodes[n].Skin; k < 0 || k > len(m.Skins) {
			tb.Fatalf("node %d has skin %d of %d", n, k-1, len(m.Skins))
		}
		for _, c := range m.Nodes[n].Children {
			if m.Nodes[c].Parent != n {
				tb.Fatalf("node %d: parent %d, but a child of %d", c, m.Nodes[c].Parent, n)
			}
			stack = append(stack, c)
		}
	}
	for _, mesh := range m.Meshes {
		for i := range mesh.Primitives {
			checkPrimitive(tb, fmt.Sprintf("mesh %q, primitive %d", mesh.Name, i), &mesh.Primitives[i])
		}
	}
	for _, mat := range m.Materials {
		for _, ref := range []scene.TextureRef{mat.BaseColorTex, mat.MetalRough, mat.NormalTex, mat.OcclusionTex, mat.EmissiveTex} {
			if ref.Texture != nil && (ref.Texture.Image == nil || ref.Matrix == [6]float32{}) {
				tb.Errorf("material %q has a texture without image or matrix", mat.Name)
			}
		}
		for _, x := range append(mat.BaseColor[:], mat.Metallic, mat.Roughness) {
			if !(x >= 0 && x <= 1) {
				tb.Errorf("material %q has a factor %v", mat.Name, x)
			}
		}
	}
}

func checkPrimitive(tb testing.TB, name string, p *scene.Primitive) {
	tb.Helper()
	n := len(p.Positions)
	for what, l := range map[string]int{"UV0": len(p.UV0), "UV1": len(p.UV1), "colours": len(p.Colors), "tangents": len(p.Tangents)} {
		if l != 0 && l != n {
			tb.Fatalf("%s: %d %s for %d positions", name, l, what, n)
		}
	}
	for what, l := range map[string]int{"joints": len(p.Joints), "weights": len(p.Weights)} {
		if l != 0 && l != n {
			tb.Fatalf("%s: %d %s for %d positions", name, l, what, n)
		}
	}
	for i, t := range p.Targets {
		for _, l := range []int{len(t.Positions), len(t.Normals), len(t.Tangents)} {
			if l != 0 && l != n {
				tb.Fatalf("%s: morph target %d moves %d of %d vertices", name, i, l, n)
			}
		}
	}
	if p.IsPoints {
		if p.Material == nil || p.Indices != nil || len(p.Normals) != 0 && len(p.Normals) != n {
			tb.Fatalf("%s: points with material %v, %d indices, %d normals", name, p.Material, len(p.Indices), len(p.Normals))
		}
	} else if p.Material == nil || len(p.Normals) != n || len(p.Indices)%3 != 0 {
		tb.Fatalf("%s: material %v, %d normals for %d positions, %d indices", name, p.Material, len(p.Normals), n, len(p.Indices))
	}
	for _, i := range p.Indices {
		if int(i) >= n {
			tb.Fatalf("%s: index %d of %d vertices", name, i, n)
		}
	}
	for i, v := range p.Normals {
		if math.Abs(float64(v.Len())-1) > 1e-3 {
			tb.Fatalf("%s: normal %d is %v", name, i, v)
		}
	}
	for i, v := range p.Positions {
		if !importer.Finite(v[:]...) {
			tb.Fatalf("%s: position %d is %v", name, i, v)
		}
	}
	for i, c := range p.Colors {
		for _, x := range c {
			if !(x >= 0 && x <= 1) {
				tb.Fatalf("%s: colour %d is %v", name, i, c)
			}
		}
	}
}

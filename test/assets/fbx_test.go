package assets

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer/fbx"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/importer/obj"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// fbxVersion is the end of the name of an FBX file; without it, it is that of the OBJ file that another program exported.
var fbxVersion = regexp.MustCompile(`_\d{4}_(ascii|binary)\.fbx$`)

// TestFBXAgainstOBJ: the geometry is where the program of origin exported it to, but for the unit. Subdivision surfaces
// are imported as their cage, and deformed ones without the pose that was exported: of these only the triangles count.
func TestFBXAgainstOBJ(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testassets.Path(t, "fbx/ufbx"), "*.fbx"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range files {
		reference := fbxVersion.ReplaceAllString(file, ".obj")
		name := filepath.Base(file)
		subdivided := strings.Contains(name, "subsurf") || strings.Contains(name, "crease")
		if _, err := os.Stat(reference); err != nil || reference == file || subdivided {
			continue
		}
		m, err := importertest.File(t, fbx.Open, file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := importertest.File(t, obj.Open, reference)
		if err != nil {
			t.Fatal(err)
		}
		if m.Triangles != want.Triangles {
			t.Errorf("%s: %d triangles, OBJ %d", name, m.Triangles, want.Triangles)
		}
		if len(m.Skins) > 0 {
			continue
		}
		compared++
		b, turn := bounds(m), geom.Identity()
		if strings.HasPrefix(name, "max_geometry_transform") { // OBJ has Z up
			turn = geom.Mat4{0: 1, 6: -1, 9: 1, 15: 1}
		}
		r := bounds(want).Transform(turn)
		unit := b.Size().Len() / r.Size().Len()
		known := false
		for _, u := range []float32{1, 0.01, 0.0254} {
			known = known || unit > 0.999*u && unit < 1.001*u
		}
		if d := max(b.Min.Sub(r.Min.Mul(unit)).Len(), b.Max.Sub(r.Max.Mul(unit)).Len()); !known || d > 1e-3*b.Size().Len() {
			t.Errorf("%s: bounds %v, OBJ %v, unit %v", name, b, r, unit)
		}
	}
	if compared < 40 {
		t.Errorf("only %d files have a reference", compared)
	}
}

// bounds are those of every vertex: Model.Bounds is that of boxes.
func bounds(m *scene.Model) geom.AABB {
	b := geom.Empty()
	var walk func(nodes []int, up geom.Mat4)
	walk = func(nodes []int, up geom.Mat4) {
		for _, n := range nodes {
			world := up.Mul(m.Nodes[n].Local)
			if k := m.Nodes[n].Mesh; k >= 0 {
				for _, p := range m.Meshes[k].Primitives {
					for _, i := range p.Indices {
						b = b.Extend(world.Point(p.Positions[i]))
					}
				}
			}
			walk(m.Nodes[n].Children, world)
		}
	}
	walk(m.Roots, geom.Identity())
	return b
}

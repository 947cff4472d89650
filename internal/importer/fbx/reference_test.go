package fbx

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/importer/obj"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// tolerances are how far vertices may be from those of a reference, in diagonals of its bounds, where it is more than the
// digits of the OBJ files explain.
var tolerances = map[string]float64{
	"maya_advanced_skinned_pivot": 1e-3, // exported with a tolerance of a tenth (position_scale)
	"maya_dual_quaternion_scale":  0.2,  // linear skinning stands for dual quaternions
	"max7_skin":                   1e-4,
	"max7_blend_cube":             1e-4,
}

// notReferences are pairs of files of which the OBJ says something else than the FBX: subdivided surfaces, and hidden or other
// models.
var notReferences = []string{"subsurf", "crease", "hidden", "blender_279_ball", "_0_obj"}

// TestReferences compares the files that have an OBJ export beside them with it, vertex by vertex, at rest or at the frame
// that the name of the OBJ ends with. The references are in the units and axes of the FBX file.
func TestReferences(t *testing.T) {
	dir := testassets.Path(t, "fbx/ufbx")
	references, err := filepath.Glob(filepath.Join(dir, "*.obj"))
	if err != nil {
		t.Fatal(err)
	}
	pairs := 0
	for _, ref := range references {
		stem := strings.TrimSuffix(filepath.Base(ref), ".obj")
		if contains(stem, notReferences) {
			continue
		}
		frame := -1.0
		if i := strings.LastIndexByte(stem, '_'); i > 0 {
			if n, _ := fmt.Sscanf(stem[i+1:]+" ", "%f ", &frame); n == 1 {
				stem = stem[:i]
			} else {
				frame = -1
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, stem+"_[5-7][0-9]00_*.fbx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			pairs++
			t.Run(fmt.Sprintf("%s/%v", filepath.Base(file), frame), func(t *testing.T) { compare(t, file, ref, stem, frame) })
		}
	}
	if pairs < 70 {
		t.Errorf("only %d files have a reference", pairs)
	}
}

func contains(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func compare(t *testing.T, file, ref, stem string, frame float64) {
	m, err := importertest.File(t, Open, file)
	if err != nil {
		t.Fatal(err)
	}
	importertest.CheckModel(t, m)
	o, err := importertest.File(t, obj.Open, ref)
	if err != nil {
		t.Fatal(err)
	}
	if m.Triangles != o.Triangles {
		t.Fatalf("%d triangles, the reference has %d", m.Triangles, o.Triangles)
	}
	axes, time := geom.Identity(), -1.0
	if n := m.Nodes[0]; n.Name == m.Name && n.Mesh < 0 && n.Parent < 0 {
		axes = n.Local
	}
	unit := float32(0.01)
	d := parsed(t, file)
	if strings.HasPrefix(stem, "revit_") { // in centimetres, and Y up
		axes = geom.Identity()
	} else {
		unit = float32(d.settings.number("UnitScaleFactor", 1) / 100)
	}
	if frame >= 0 {
		l := &loader{document: d, curves: map[*node]*curve{}}
		takes, err := l.takesOf()
		if err != nil {
			t.Fatal(err)
		}
		time = frame/l.frameRate() - seconds(takes[0].start)
	}
	var want []geom.Vec3
	size := geom.Empty()
	for _, v := range posedVertices(o, -1) {
		v = axes.Point(v).Mul(unit)
		want, size = append(want, v), size.Extend(v)
	}
	got := posedVertices(m, time)
	tolerance := 2e-6
	if x, ok := tolerances[stem]; ok {
		tolerance = x
	}
	if d := max(farthest(got, want), farthest(want, got)) / float64(size.Size().Len()); !(d <= tolerance) {
		t.Errorf("vertices are up to %.2g off", d)
	}
}

func parsed(t *testing.T, file string) *document {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parse(data, newBudget(1<<30))
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDocument(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// farthest is the largest distance of a point of a to the nearest of b. A grid would be faster; these are small.
func farthest(a, b []geom.Vec3) float64 {
	worst := 0.0
	for _, p := range a {
		best := float32(math.MaxFloat32)
		for _, q := range b {
			x, y, z := p[0]-q[0], p[1]-q[1], p[2]-q[2]
			best = min(best, x*x+y*y+z*z)
		}
		worst = max(worst, float64(best))
	}
	return math.Sqrt(worst)
}

// posedVertices is where the vertices of a model are at a time of its first animation, as glTF has skins and morph targets; before 0 is
// at rest.
func posedVertices(m *scene.Model, time float64) []geom.Vec3 {
	local, weights := make([]geom.Mat4, len(m.Nodes)), make([][]float32, len(m.Nodes))
	for i := range m.Nodes {
		local[i], weights[i] = m.Nodes[i].Local, m.Nodes[i].Weights
	}
	if time >= 0 && len(m.Animations) > 0 {
		animate(&m.Animations[0], time, local, weights)
	}
	world := make([]geom.Mat4, len(m.Nodes))
	var place func(i int, above geom.Mat4)
	place = func(i int, above geom.Mat4) {
		world[i] = above.Mul(local[i])
		for _, c := range m.Nodes[i].Children {
			place(c, world[i])
		}
	}
	for _, r := range m.Roots {
		place(r, geom.Identity())
	}
	var out []geom.Vec3
	seen := map[geom.Vec3]bool{}
	for i, n := range m.Nodes {
		if n.Mesh < 0 {
			continue
		}
		for _, p := range m.Meshes[n.Mesh].Primitives {
			for _, v := range p.Indices {
				at := p.Positions[v]
				for k, target := range p.Targets {
					if target.Positions != nil {
						at = at.Add(target.Positions[v].Mul(weights[i][k]))
					}
				}
				q := world[i].Point(at)
				if n.Skin > 0 {
					s := m.Skins[n.Skin-1]
					q = geom.Vec3{}
					for k, j := range p.Joints[v] {
						q = q.Add(world[s.Joints[j]].Mul(s.Inverse[j]).Point(at).Mul(p.Weights[v][k]))
					}
				}
				if !seen[q] {
					seen[q] = true
					out = append(out, q)
				}
			}
		}
	}
	return out
}

// animate samples the channels of an animation.
func animate(a *scene.Animation, time float64, local []geom.Mat4, weights [][]float32) {
	type trs struct {
		t, s geom.Vec3
		q    geom.Quat
	}
	moved := map[int]*trs{}
	for _, c := range a.Channels {
		v := sample(c, time)
		if c.Path == scene.PathWeights {
			weights[c.Node] = v
			continue
		}
		if moved[c.Node] == nil {
			var rest affine
			for k := range rest {
				rest[k] = float64(local[c.Node][k/3*4+k%3])
			}
			t, q, s := rest.decompose()
			moved[c.Node] = &trs{t.geom(), s.geom(), geom.Quat{float32(q[0]), float32(q[1]), float32(q[2]), float32(q[3])}}
		}
		switch x := moved[c.Node]; c.Path {
		case scene.PathTranslation:
			x.t = geom.Vec3(v)
		case scene.PathScale:
			x.s = geom.Vec3(v)
		case scene.PathRotation:
			l := float32(math.Sqrt(float64(v[0]*v[0] + v[1]*v[1] + v[2]*v[2] + v[3]*v[3])))
			x.q = geom.Quat{v[0] / l, v[1] / l, v[2] / l, v[3] / l}
		}
	}
	for i, x := range moved {
		local[i] = geom.TRS(x.t, x.q, x.s)
	}
}

// sample is the value of a linear channel at a time.
func sample(c scene.Channel, time float64) []float32 {
	n, k := len(c.Values)/len(c.Times), 0
	for k+1 < len(c.Times) && float64(c.Times[k+1]) <= time {
		k++
	}
	v := append([]float32(nil), c.Values[k*n:k*n+n]...)
	if k+1 < len(c.Times) && time > float64(c.Times[k]) {
		f := float32((time - float64(c.Times[k])) / float64(c.Times[k+1]-c.Times[k]))
		for j := range v {
			v[j] += f * (c.Values[(k+1)*n+j] - v[j])
		}
	}
	return v
}

// TestReferenceCorners compares normals and texture coordinates with those references that have them and are not bent.
func TestReferenceCorners(t *testing.T) {
	dir, compared := testassets.Path(t, "fbx/ufbx"), 0
	for _, stem := range []string{
		"blender_279_nested_meshes", "blender_282_suzanne_and_transform", "blender_293_instancing", "blender_340_mirrored_normals",
		"max7_cube_normals",
		"max_geometry_transform_instances", "maya_cube", "maya_parented_cubes", "maya_pivots", "maya_post_rotate_order", "motionbuilder_cube",
		"synthetic_direct_by_polygon", "synthetic_pre_post_rotate", "zbrush_d20_selection_set",
	} {
		o, err := importertest.File(t, obj.Open, filepath.Join(dir, stem+".obj"))
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, stem+"_[5-7][0-9]00_*.fbx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			m, err := importertest.File(t, Open, file)
			if err != nil {
				t.Fatal(err)
			}
			axes := geom.Identity()
			if n := m.Nodes[0]; n.Name == m.Name && n.Mesh < 0 && n.Parent < 0 {
				axes = n.Local
			}
			unit := float32(parsed(t, file).settings.number("UnitScaleFactor", 1) / 100)
			got := corners(m)
			for _, want := range corners(o) {
				want.at, want.normal = axes.Point(want.at).Mul(unit), axes.Dir(want.normal)
				if !found(got, want, 1e-4*m.Bounds.Size().Len(), stem != "max7_cube_normals") { // whose reference has other UVs
					t.Errorf("%s: there is no %+v", filepath.Base(file), want)
					break
				}
			}
		}
		compared += len(files)
	}
	if compared < 30 {
		t.Errorf("%d files were compared", compared)
	}
}

type corner struct {
	at, normal geom.Vec3
	uv         geom.Vec2
}

func found(list []corner, want corner, near float32, uvs bool) bool {
	for _, c := range list {
		if x := c.at[0] - want.at[0]; x > near || x < -near {
			continue
		}
		du, dv := float64(c.uv[0]-want.uv[0]), float64(c.uv[1]-want.uv[1])
		if c.at.Sub(want.at).Len() < near && c.normal.Dot(want.normal) > 0.99 && (!uvs || math.Hypot(du, dv) < 1e-3) {
			return true
		}
	}
	return false
}

// corners are all vertices of a model at rest, in its space.
func corners(m *scene.Model) []corner {
	var out []corner
	world := make([]geom.Mat4, len(m.Nodes))
	for i, n := range m.Nodes { // parents come first
		if world[i] = n.Local; n.Parent >= 0 {
			world[i] = world[n.Parent].Mul(n.Local)
		}
		if n.Mesh < 0 {
			continue
		}
		back, _ := world[i].Inverse()
		for _, p := range m.Meshes[n.Mesh].Primitives {
			for v, at := range p.Positions {
				c := corner{at: world[i].Point(at)}
				for k := range c.normal { // the inverse, transposed
					c.normal[k] = geom.Vec3{back[4*k], back[4*k+1], back[4*k+2]}.Dot(p.Normals[v])
				}
				if c.normal = c.normal.Normalize(); p.UV0 != nil {
					c.uv = p.UV0[v]
				}
				out = append(out, c)
			}
		}
	}
	return out
}

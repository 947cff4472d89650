package converter

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

func sorted(v []geom.Vec3) []geom.Vec3 {
	return slices.SortedFunc(slices.Values(v), func(a, b geom.Vec3) int { return slices.Compare(a[:], b[:]) })
}

// TestCollapseKeepsWhatIsSeen: instances, shared arrays, mirrored nodes: the same triangles with the same fronts and normals.
func TestCollapseKeepsWhatIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		red, blue := scene.DefaultMaterial(), scene.DefaultMaterial()
		a, b := rightTriangle(red), rightTriangle(blue)
		c := &scene.Mesh{Primitives: slices.Clone(a.Primitives)} // shares the arrays of a
		c.Primitives[0].Material = blue
		c.Measure()
		m := &scene.Model{Name: "m", Meshes: []*scene.Mesh{a, b, c}, Materials: []*scene.Material{red, blue}}
		for i := range rapid.IntRange(1, 6).Draw(t, "nodes") {
			n := scene.Node{Parent: -1, Local: placement(t), Mesh: rapid.IntRange(-1, 2).Draw(t, "mesh")}
			if i > 0 && rapid.Bool().Draw(t, "child") {
				n.Parent = rapid.IntRange(0, i-1).Draw(t, "parent")
				m.Nodes[n.Parent].Children = append(m.Nodes[n.Parent].Children, i)
			} else {
				m.Roots = append(m.Roots, i)
			}
			m.Nodes = append(m.Nodes, n)
		}
		m.Measure()
		positions, normals := corners(m)
		triangles := m.Triangles
		if notes := collapse(m); notes != nil {
			t.Errorf("warnings %v", notes)
		}
		if len(m.Nodes) != 1 || len(m.Meshes) > 1 || m.Triangles != triangles {
			t.Fatalf("%d nodes, %d meshes, %d triangles", len(m.Nodes), len(m.Meshes), m.Triangles)
		}
		if len(m.Meshes) == 1 && len(m.Meshes[0].Primitives) > 2 {
			t.Errorf("%d primitives for two materials", len(m.Meshes[0].Primitives))
		}
		gotPositions, gotNormals := corners(m)
		for name, pair := range map[string][2][]geom.Vec3{"position": {positions, gotPositions}, "normal": {normals, gotNormals}} {
			want, got := pair[0], pair[1]
			for _, w := range want { // joined primitives are in another order
				if !slices.ContainsFunc(got, func(g geom.Vec3) bool { return near(g, w, 1e-3) }) {
					t.Fatalf("no corner has the %s %v any more: %v", name, w, sorted(got))
				}
			}
		}
		for k := 0; k < len(gotPositions); k += 3 {
			face := gotPositions[k+1].Sub(gotPositions[k]).Cross(gotPositions[k+2].Sub(gotPositions[k])).Normalize()
			if face.Dot(gotNormals[k]) < 0.99 {
				t.Errorf("a normal is %v on a face of %v", gotNormals[k], face)
			}
		}
	})
}

func TestCollapseFreezesWhatMoves(t *testing.T) {
	mesh := rightTriangle(scene.DefaultMaterial())
	p := &mesh.Primitives[0]
	p.Targets = []scene.MorphTarget{{Positions: []geom.Vec3{{0, 0, 2}, {0, 0, 2}, {0, 0, 2}}}}
	p.Joints = make([][4]uint16, 3)
	p.Weights = []geom.Vec4{{1}, {1}, {1}}
	up := func(y float32) geom.Mat4 {
		return geom.TRS(geom.Vec3{0, y, 0}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1})
	}
	m := &scene.Model{
		Nodes: []scene.Node{
			{Parent: -1, Local: up(100), Mesh: 0, Skin: 1, Weights: []float32{0.5}}, // the skin, not this, says where it is
			{Parent: -1, Local: up(7), Mesh: -1},
			{Parent: -1, Local: up(50), Mesh: 0, Weights: []float32{0}, Light: &scene.Light{Kind: scene.LightPoint}},
		},
		Roots: []int{0, 1, 2}, Meshes: []*scene.Mesh{mesh},
		Skins:      []scene.Skin{{Joints: []int{1}, Inverse: []geom.Mat4{up(-2)}}},
		Animations: []scene.Animation{{}},
	}
	m.Measure()
	notes := collapse(m)
	if len(notes) != 2 || notes[0].Text() != "A model without a scene graph does not move (1 animations)" {
		t.Errorf("warnings %v", notes)
	}
	got, _ := corners(m)
	want := []geom.Vec3{{0, 5, 1}, {1, 5, 1}, {0, 6, 1}, {0, 50, 0}, {1, 50, 0}, {0, 51, 0}}
	if !slices.Equal(got, want) {
		t.Errorf("corners %v, want %v", got, want)
	}
	if len(m.Skins)+len(m.Animations) > 0 || m.Meshes[0].Primitives[0].Deforms() || len(m.Nodes) != 2 || m.Nodes[1].Light == nil {
		t.Errorf("left: %+v", m.Nodes)
	}
}

func TestCollapseOfNothing(t *testing.T) {
	m := &scene.Model{Nodes: []scene.Node{{Parent: -1, Local: geom.Identity(), Mesh: -1}}, Roots: []int{0}}
	collapse(m)
	if len(m.Nodes) != 1 || m.Nodes[0].Mesh != -1 || len(m.Meshes) != 0 {
		t.Errorf("%+v", m)
	}
}

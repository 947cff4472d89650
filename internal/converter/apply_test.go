package converter

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

func parsed(t *testing.T, text string) settings.Settings {
	t.Helper()
	s, err := settings.Parse("s", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestApply(t *testing.T) {
	m := modelOf(named("a", nil), named("b", nil))
	m.Nodes[0].Metadata = []scene.Metadata{{Key: "Part1", Value: int64(1)}, {Key: "other", Value: true}}
	o, err := settings.ParseOverrides("o", []byte(`[{"name": "a", "unlit": false}]`))
	if err != nil {
		t.Fatal(err)
	}
	s := parsed(t, `{"scaling": 2, "recenterToOrigin": true, "sceneGraphMode": "static", "unlitMaterials": true, "metadataKeys": ["Part*"],
		"vertex": {"color0": "NONE", "normal": "NONE", "texcoord0": "NONE"}, "axis": ["-x", "+y", "+z"]}`)
	a := apply(m, s, &overrider{overrides: o}, ".glb")
	if a.overridden != 1 || a.offset != (geom.Vec3{-1, 1, 0}) || a.notes != nil {
		t.Errorf("%+v", a)
	}
	if !m.Static || m.Bounds != (geom.AABB{Min: geom.Vec3{-1, -1, 0}, Max: geom.Vec3{1, 1, 0}}) {
		t.Errorf("static %v, bounds %v", m.Static, m.Bounds)
	}
	if len(m.Materials) != 2 || m.Materials[0].Unlit || !m.Materials[1].Unlit || !m.Materials[0].DoubleSided {
		t.Errorf("an override comes after the settings and before materials are deduplicated: %+v", m.Materials)
	}
	if diff := cmp.Diff([]scene.Metadata{{Key: "Part1", Value: int64(1)}}, m.Nodes[0].Metadata); diff != "" {
		t.Error(diff)
	}
	p := m.Meshes[0].Primitives[0]
	if p.Colors != nil || p.Normals != nil || p.Tangents != nil || p.UV0 != nil || p.Indices[1] != 2 {
		t.Errorf("%+v", p)
	}
	if got, want := *inputStatistics(m), (child.InputStatistics{
		Meshes: 2, Faces: 2, Vertices: 6, Materials: 2, FacesSmallest: 1, FacesBiggest: 1, Nodes: 2, MeshUsages: 2, MaxNodeDepth: 1,
	}); got != want {
		t.Errorf("%+v", got)
	}
}

// TestApplyToPoints: of points no more than their place and colour is changed.
func TestApplyToPoints(t *testing.T) {
	mat := named("a", nil)
	m := &scene.Model{
		Nodes: []scene.Node{{Parent: -1, Local: geom.Identity(), Mesh: 0}}, Roots: []int{0}, Materials: []*scene.Material{mat},
		Meshes: []*scene.Mesh{{Primitives: []scene.Primitive{{
			Positions: []geom.Vec3{{1, 2, 3}, {3, 4, 5}}, Colors: []geom.Vec4{{1, 0, 0, 1}, {0, 1, 0, 1}}, IsPoints: true, Material: mat,
		}}}},
	}
	before := *mat
	s := parsed(t, `{"unlitMaterials": true, "sceneGraphMode": "static", "vertex": {"color0": "NONE"}, "axis": ["+x", "+z", "-y"], "recenterToOrigin": true}`)
	a := apply(m, s, &overrider{}, ".las")
	p := m.Meshes[0].Primitives[0]
	if *mat != before || p.Colors == nil || m.Static || a.offset != (geom.Vec3{2, 4, -3}) || m.Points != 2 {
		t.Errorf("%+v, %+v", a, m)
	}
	if diff := cmp.Diff([]geom.Vec3{{-1, -1, 1}, {1, 1, -1}}, p.Positions); diff != "" {
		t.Error(diff)
	}
}

// TestStatisticsOfInstances counts as ARR's published example does: 3 parts that 5 nodes show make 5 parts, 2 of them instanced.
func TestStatisticsOfInstances(t *testing.T) {
	m := modelOf(named("a", nil), named("b", nil), named("c", nil))
	m.Nodes = append(m.Nodes, scene.Node{Parent: 2, Local: geom.Identity(), Mesh: 0}, scene.Node{Parent: 3, Local: geom.Identity(), Mesh: 0},
		scene.Node{Parent: -1, Local: geom.Identity(), Mesh: 1}) // the last is reached by nobody
	m.Nodes[2].Children, m.Nodes[3].Children = []int{3}, []int{4}
	m.Measure()
	in, out := inputStatistics(m), outputStatistics(m, applied{})
	if in.Meshes != 3 || in.Faces != 3 || in.MeshUsages != 5 || in.MaxNodeDepth != 3 || in.Nodes != 6 {
		t.Errorf("%+v", *in)
	}
	if out.PartsCreated != 5 || out.PartsInstanced != 2 || out.PrimitivesInScene != 5 || out.Materials != 3 {
		t.Errorf("%+v", *out)
	}
}

// TestMeterNeverGoesBack: whatever the stages tell, in whatever order.
func TestMeterNeverGoesBack(t *testing.T) {
	var last child.Progress
	m := &meter{report: func(p child.Progress) {
		if p.Done < last.Done || p.Stage == last.Stage && p.StageDone < last.StageDone || p.Done > 1 || p.StageDone > 1 {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}}
	for _, s := range []struct {
		stage string
		done  float64
	}{
		{child.StageRead, 0.5}, {child.StageRead, 0.2}, {child.StageRead, 1}, {child.StageMeshes, 0.5}, {child.StageTextures, 0.5}, {child.StageMeshes, 1},
		{child.StageTextures, 2}, {child.StageWrite, 1},
	} {
		m.tell(s.stage, s.done, 100, "bytes")
	}
	if last.Done < 0.999 {
		t.Errorf("%+v at the end", last)
	}
	(&meter{}).tell(child.StageRead, 1, 0, "") // nobody listens
}

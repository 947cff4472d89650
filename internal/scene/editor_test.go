package scene

import (
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"pgregory.net/rapid"
)

// cube is a mesh with the bounds of a unit cube around the origin and two triangles.
func cube() *Mesh {
	m := &Mesh{Name: "cube", Primitives: []Primitive{{
		Positions: []geom.Vec3{{-0.5, -0.5, -0.5}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}},
		Indices:   []uint32{0, 1, 2, 2, 1, 0},
		Material:  DefaultMaterial(),
	}}}
	m.Measure()
	return m
}

func move(x, y, z float32) geom.Mat4 {
	return geom.TRS(geom.Vec3{x, y, z}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1})
}

// family is: top (no mesh, at x=10) with the children left (x=-1) and right (x=+1), and right's child tip (y=+2).
func family() *Model {
	m := &Model{Name: "family", Meshes: []*Mesh{cube()}, Roots: []int{3}, Nodes: []Node{
		{Name: "left", Parent: 3, Local: move(-1, 0, 0), Mesh: 0},
		{Name: "tip", Parent: 2, Local: move(0, 2, 0), Mesh: 0},
		{Name: "right", Parent: 3, Children: []int{1}, Local: move(1, 0, 0), Mesh: 0},
		{Name: "top", Parent: -1, Children: []int{0, 2}, Local: move(10, 0, 0), Mesh: -1},
	}}
	m.Measure()
	return m
}

func find(t *testing.T, e *Editor, name string) EntityID {
	t.Helper()
	ids := e.Find(name)
	if len(ids) != 1 {
		t.Fatalf("Find(%q) = %v, want one entity", name, ids)
	}
	return ids[0]
}

func TestMeasure(t *testing.T) {
	m := family()
	want := geom.AABB{Min: geom.Vec3{8.5, -0.5, -0.5}, Max: geom.Vec3{11.5, 2.5, 0.5}}
	if m.Bounds != want || m.Triangles != 6 {
		t.Errorf("bounds %v, %d triangles; want %v, 6", m.Bounds, m.Triangles, want)
	}
}

func TestAddSaturated(t *testing.T) {
	if got := addSaturated(math.MaxInt64-1, 2); got != math.MaxInt64 {
		t.Errorf("addSaturated = %d", got)
	}
}

func TestEmptyScene(t *testing.T) {
	s := NewEditor().Snapshot()
	if !s.Bounds.IsEmpty() || len(s.Instances) != 0 || s.Sky.Name != "studio" || s.Light.Direction.Len() == 0 {
		t.Errorf("snapshot of an empty scene: %+v", s)
	}
}

func TestEditsShowInTheNextSnapshot(t *testing.T) {
	e := NewEditor()
	_, root := e.AddModel(family())
	s0 := e.Snapshot()
	if len(s0.Instances) != 3 || s0.Triangles != 6 || s0.Entities != 5 {
		t.Fatalf("%d instances, %d triangles, %d entities; want 3, 6, 5", len(s0.Instances), s0.Triangles, s0.Entities)
	}
	if again := e.Snapshot(); again != s0 {
		t.Error("without an edit, Snapshot must return the same pointer")
	}

	right := find(t, e, "right")
	if err := e.SetTransform(right, move(5, 0, 0)); err != nil {
		t.Fatal(err)
	}
	s1 := e.Snapshot()
	if s1.Version <= s0.Version {
		t.Errorf("version %d after %d", s1.Version, s0.Version)
	}
	if got := world(t, s1, find(t, e, "tip")); got != (geom.Vec3{15, 2, 0}) {
		t.Errorf("tip is at %v after its parent moved, want 15 2 0", got)
	}
	if got := world(t, s0, find(t, e, "tip")); got != (geom.Vec3{11, 2, 0}) {
		t.Errorf("the old snapshot changed: tip at %v", got)
	}

	if err := e.SetTransform(root, move(0, 100, 0)); err != nil {
		t.Fatal(err)
	}
	if got := world(t, e.Snapshot(), find(t, e, "left")); got != (geom.Vec3{9, 100, 0}) {
		t.Errorf("left is at %v after the root moved, want 9 100 0", got)
	}
}

func world(t *testing.T, s *Snapshot, id EntityID) geom.Vec3 {
	t.Helper()
	for _, in := range s.Instances {
		if in.Entity == id {
			return in.World.Point(geom.Vec3{})
		}
	}
	t.Fatalf("entity %d has no instance", id)
	return geom.Vec3{}
}

func TestDisabledHidesTheSubtree(t *testing.T) {
	e := NewEditor()
	e.AddModel(family())
	right, tip := find(t, e, "right"), find(t, e, "tip")
	if err := e.SetEnabled(right, false); err != nil {
		t.Fatal(err)
	}
	s := e.Snapshot()
	if len(s.Instances) != 1 || s.Instances[0].Entity != find(t, e, "left") || s.Triangles != 2 {
		t.Errorf("hidden subtree: %d instances, %d triangles", len(s.Instances), s.Triangles)
	}
	if want := float32(9.5); s.Bounds.Max[0] != want {
		t.Errorf("bounds include what is hidden: %v", s.Bounds)
	}
	info, err := e.Entity(tip)
	if err != nil || !info.Enabled || info.Visible {
		t.Errorf("tip: enabled %v, visible %v, %v; want true, false", info.Enabled, info.Visible, err)
	}
	if err := e.SetTransform(tip, move(0, 7, 0)); err != nil { // a hidden entity moves, too
		t.Fatal(err)
	}
	if err := e.SetEnabled(right, true); err != nil {
		t.Fatal(err)
	}
	if got := world(t, e.Snapshot(), tip); got != (geom.Vec3{11, 7, 0}) {
		t.Errorf("tip is at %v, want 11 7 0", got)
	}
}

func TestEntity(t *testing.T) {
	e := NewEditor()
	id, root := e.AddModel(family())
	top, err := e.Entity(find(t, e, "top"))
	if err != nil {
		t.Fatal(err)
	}
	want := EntityInfo{
		ID: top.ID, Model: id, Name: "top", Parent: root, Children: []EntityID{find(t, e, "left"), find(t, e, "right")},
		Local: move(10, 0, 0), World: move(10, 0, 0), Enabled: true, Visible: true,
	}
	if d := cmp.Diff(want, top); d != "" {
		t.Error(d)
	}
	if r, err := e.Entity(root); err != nil || r.Name != "family" || r.Parent != 0 {
		t.Errorf("root: %+v, %v", r, err)
	}
}

func TestUnknownIDs(t *testing.T) {
	e := NewEditor()
	model, root := e.AddModel(family())
	if err := e.RemoveModel(model); err != nil {
		t.Fatal(err)
	}
	_, lookup := e.Entity(root)
	for name, err := range map[string]error{
		"SetTransform": e.SetTransform(root, geom.Identity()),
		"SetEnabled":   e.SetEnabled(0, true),
		"RemoveModel":  e.RemoveModel(model),
		"Entity":       lookup,
	} {
		if arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("%s: %v, want NotFound", name, err)
		}
	}
	if s := e.Snapshot(); len(s.Instances) != 0 || !s.Bounds.IsEmpty() {
		t.Errorf("after RemoveModel: %+v", s)
	}
}

func TestSetTransformRefusesWhatIsNotAffine(t *testing.T) {
	e := NewEditor()
	_, root := e.AddModel(family())
	before := e.Snapshot()
	for _, bad := range []geom.Mat4{{}, {0: float32(math.NaN()), 5: 1, 10: 1, 15: 1}, {0: 1, 3: 1, 5: 1, 10: 1, 15: 1}} {
		if err := e.SetTransform(root, bad); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("SetTransform(%v): %v", bad, err)
		}
	}
	if e.Snapshot() != before {
		t.Error("a refused edit changed the scene")
	}
}

func TestIDsAreNotReused(t *testing.T) {
	e := NewEditor()
	m0, root0 := e.AddModel(family())
	if err := e.RemoveModel(m0); err != nil {
		t.Fatal(err)
	}
	if m1, root1 := e.AddModel(family()); m1 == m0 || root1 < root0+5 {
		t.Errorf("ids reused: model %d after %d, root %d after %d", m1, m0, root1, root0)
	}
}

func TestDeepHierarchy(t *testing.T) {
	const depth = 1_000_000
	m := &Model{Name: "deep", Meshes: []*Mesh{cube()}, Roots: []int{0}, Nodes: make([]Node, depth)}
	for i := range m.Nodes {
		m.Nodes[i] = Node{Parent: i - 1, Children: []int{i + 1}, Local: geom.Identity(), Mesh: -1}
	}
	m.Nodes[depth-1].Children, m.Nodes[depth-1].Mesh = nil, 0
	m.Measure()
	e := NewEditor()
	_, root := e.AddModel(m)
	if err := e.SetTransform(root, move(3, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if got := world(t, e.Snapshot(), root+depth); got != (geom.Vec3{3, 0, 0}) {
		t.Errorf("deepest node is at %v", got)
	}
}

// TestIncrementalEqualsFresh: whatever the edits and however they are batched, the scene equals one that was built anew
// and got only the final state.
func TestIncrementalEqualsFresh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "nodes")
		m := &Model{Name: "random", Meshes: []*Mesh{cube()}, Nodes: make([]Node, n)}
		for i := range n {
			parent := rapid.IntRange(-1, i-1).Draw(t, "parent")
			m.Nodes[i] = Node{Parent: parent, Local: move(float32(i), 1, 0), Mesh: rapid.IntRange(-1, 0).Draw(t, "mesh")}
			if parent < 0 {
				m.Roots = append(m.Roots, i)
			} else {
				m.Nodes[parent].Children = append(m.Nodes[parent].Children, i)
			}
		}
		edited, fresh := NewEditor(), NewEditor()
		edited.AddModel(m)
		fresh.AddModel(m)
		local, enabled := map[EntityID]geom.Mat4{}, map[EntityID]bool{}
		for range rapid.IntRange(0, 20).Draw(t, "edits") {
			id := EntityID(rapid.IntRange(1, n+1).Draw(t, "entity"))
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				local[id] = move(float32(rapid.IntRange(-9, 9).Draw(t, "x")), 0, 0)
				must(t, edited.SetTransform(id, local[id]))
			case 1:
				enabled[id] = rapid.Bool().Draw(t, "enabled")
				must(t, edited.SetEnabled(id, enabled[id]))
			case 2:
				edited.Snapshot()
			}
		}
		for id, l := range local {
			must(t, fresh.SetTransform(id, l))
		}
		for id, on := range enabled {
			must(t, fresh.SetEnabled(id, on))
		}
		got, want := *edited.Snapshot(), *fresh.Snapshot()
		got.Version = want.Version
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadersBesideTheWriter is for the race detector, and checks that every snapshot is of one piece.
func TestReadersBesideTheWriter(t *testing.T) {
	e := NewEditor()
	_, root := e.AddModel(family())
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for last := uint64(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				s := e.Snapshot()
				if s.Version < last {
					t.Errorf("version went back from %d to %d", last, s.Version)
					return
				}
				last = s.Version
				x := s.Instances[0].World[12]
				for _, in := range s.Instances {
					if math.Abs(float64(in.World[12]-x)) > 2 {
						t.Errorf("torn snapshot: %v beside %v", in.World[12], x)
						return
					}
				}
			}
		})
	}
	for i := range 2000 {
		if err := e.SetTransform(root, move(float32(10*i), 0, 0)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	readers.Wait()
}

func BenchmarkMoveOneOfTenThousand(b *testing.B) {
	const n = 10_000
	m := &Model{Meshes: []*Mesh{cube()}, Nodes: make([]Node, n)}
	for i := range n {
		m.Nodes[i] = Node{Parent: -1, Local: move(float32(i), 0, 0)}
		m.Roots = append(m.Roots, i)
	}
	e := NewEditor()
	e.AddModel(m)
	e.Snapshot()
	for b.Loop() {
		if err := e.SetTransform(n/2, move(float32(e.version.Load()), 0, 0)); err != nil {
			b.Fatal(err)
		}
		e.Snapshot()
	}
}

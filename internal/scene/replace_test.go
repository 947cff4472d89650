package scene

import (
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
)

// TestReplaceModel: another form of a model takes its place under every edit that was made.
func TestReplaceModel(t *testing.T) {
	e := NewEditor()
	id, root := e.AddModel(family())
	right, tip, left := find(t, e, "right"), find(t, e, "tip"), find(t, e, "left")
	if err := e.SetTransform(right, move(5, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := e.SetEnabled(left, false); err != nil {
		t.Fatal(err)
	}
	before := e.Snapshot()
	other := family()
	other.Name = "another name"
	if err := e.ReplaceModel(id, other); err != nil {
		t.Fatal(err)
	}
	s := e.Snapshot()
	if s.Version <= before.Version || len(s.Instances) != len(before.Instances) {
		t.Fatalf("version %d after %d, %d instances after %d", s.Version, before.Version, len(s.Instances), len(before.Instances))
	}
	for i, in := range s.Instances {
		was := before.Instances[i]
		if in.Mesh != other.Meshes[0] || was.Mesh == in.Mesh || in.Entity != was.Entity || in.World != was.World {
			t.Errorf("instance %d is %+v, was %+v", i, in, was)
		}
	}
	if got := find(t, e, "tip"); got != tip {
		t.Errorf("tip is entity %d, was %d", got, tip)
	}
	if info, err := e.Entity(root); err != nil || info.Name != "family" {
		t.Errorf("the root is %+v, %v", info, err)
	}
	if m := e.Models(); len(m) != 1 || m[0].ID != id || m[0].Model.Meshes[0] != other.Meshes[0] {
		t.Errorf("models: %+v", m)
	}

	fewer, moved := family(), family()
	fewer.Nodes[2].Children = nil
	moved.Nodes[0].Mesh = -1
	for _, m := range []*Model{fewer, moved} {
		if err := e.ReplaceModel(id, m); arr.CodeOf(err) != arr.CodeConflict {
			t.Errorf("other nodes: %v", err)
		}
	}
	if err := e.ReplaceModel(id+1, other); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("no such model: %v", err)
	}
	if e.Snapshot() != s {
		t.Error("a refused replacement changed the scene")
	}
}

package worker

import (
	"testing"

	"github.com/heliograph/heliograph/internal/workerrpc"
)

// TestModelsAreConvertedBesideTheSession: a model shows at once, and is then drawn as an asset under the same entities; the
// next session opens that at once.
func TestModelsAreConvertedBesideTheSession(t *testing.T) {
	const uri = "builtin://spheres?triangles=60000"
	cache := t.TempDir()
	config := func(c *workerrpc.WorkerConfig) { c.CacheDir, c.CacheBytes = cache, 1<<30 }
	paged := func(b *bench) bool {
		return b.editor.Models()[0].Model.Meshes[0].Primitives[0].Paged != nil
	}
	b := newBench(t, config)
	st := b.load(uri)
	if st.State != loadDone {
		t.Fatalf("load = %+v", st)
	}
	before := b.editor.Snapshot()
	if paged(b) {
		t.Error("the model was converted before it was shown")
	}
	for !paged(b) {
		b.get("/healthz")
	}
	after := b.editor.Snapshot()
	if after.Triangles != before.Triangles || len(after.Instances) != len(before.Instances) {
		t.Fatalf("%d triangles in %d instances became %d in %d", before.Triangles, len(before.Instances), after.Triangles, len(after.Instances))
	}
	for i, in := range after.Instances {
		if was := before.Instances[i]; in.Entity != was.Entity || in.World != was.World || in.Mesh == was.Mesh {
			t.Fatalf("instance %d: %+v became %+v", i, was, in)
		}
	}
	for gone := false; !gone; b.get("/healthz") { // what is shown no more is forgotten
		b.engine.mu.Lock()
		gone = len(b.engine.prepared) == 1 && b.engine.forgotten == 1
		b.engine.mu.Unlock()
	}
	if err := b.unload(st.Model); err != nil {
		t.Fatal(err)
	}
	if len(b.engine.prepared) != 0 || b.models.get(st.Model) != nil {
		t.Errorf("%d models are still prepared", len(b.engine.prepared))
	}

	next := newBench(t, config)
	if st := next.load(uri); st.State != loadDone || !paged(next) {
		t.Errorf("the next session imports again: %+v", st)
	}
}

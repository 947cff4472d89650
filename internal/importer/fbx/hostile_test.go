package fbx

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/testassets"
)

// TestHostileFiles imports every invalid FBX there is: each ends soon, in little memory, in a sound model or in an error
// that is meant for a user.
func TestHostileFiles(t *testing.T) {
	n, refused := 0, 0
	err := filepath.WalkDir(testassets.Path(t, "invalid"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".fbx" {
			return err
		}
		n++
		t.Run(filepath.Base(file), func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			m, err := importertest.File(t, Open, file)
			runtime.ReadMemStats(&after)
			if d := time.Since(start); d > importertest.Hang {
				t.Errorf("took %v", d)
			}
			if mem := after.TotalAlloc - before.TotalAlloc; mem > 1<<30 {
				t.Errorf("allocated %d MiB", mem>>20)
			}
			if err != nil {
				refused++
				importertest.WantError(t, err, "")
				return
			}
			importertest.CheckModel(t, m)
		})
		return nil
	})
	if err != nil || n < 70 {
		t.Errorf("%d files, %v", n, err)
	}
	t.Logf("%d files, %d refused", n, refused)
}

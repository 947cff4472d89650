package conversion

import (
	"testing"

	"github.com/heliograph/heliograph/internal/importer/formats"
)

// TestFormatsAreThoseOfTheImporters holds the service's list against that of the program that converts.
func TestFormatsAreThoseOfTheImporters(t *testing.T) {
	imported := map[string]bool{}
	for _, f := range formats.All() {
		for _, ext := range f.Extensions {
			imported[ext] = true
			if supported, single := kindOf("Model" + ext); !supported || single != f.SingleFile {
				t.Errorf("%s (%s): supported %t, a single file %t, want %t", ext, f.Name, supported, single, f.SingleFile)
			}
		}
	}
	for _, list := range [][]string{severalFiles, singleFile} {
		for _, ext := range list {
			if !imported[ext] {
				t.Errorf("no importer reads %s", ext)
			}
		}
	}
	for name, want := range map[string]bool{"a.FBX": true, "b/c.Laz": true, "fbx": false, "a.fbx.zip": false, "": false} {
		if got, _ := kindOf(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

package converter

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestSourceCountsWhatIsRead(t *testing.T) {
	s := &source{FS: fstest.MapFS{"a": {Data: make([]byte, 5)}, "d/b": {Data: make([]byte, 7)}, "c": {Data: make([]byte, 9)}}}
	for _, name := range []string{"a", "d/b", "a"} {
		if _, err := fs.ReadFile(s, name); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := fs.Stat(s, "c"); err != nil || info.Size() != 9 {
		t.Error(err)
	}
	if _, err := s.Open("e"); err == nil {
		t.Error("there is no file e")
	}
	if _, err := s.Open("d"); err != nil {
		t.Error(err)
	}
	if n := s.bytes(); n != 12 {
		t.Errorf("%d bytes, want 12", n)
	}
}

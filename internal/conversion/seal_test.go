package conversion

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
)

func openSealer(t *testing.T, path string) *Sealer {
	t.Helper()
	s, err := OpenSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, other := arr.ConversionKey{Account: "a", ID: "b"}, arr.ConversionKey{Account: "a", ID: "c"}
	want := Credentials{Input: "sig=1", Output: "sig=2"}
	s := openSealer(t, path)
	sealed, err := s.seal(key, want)
	if err != nil || bytes.Contains(sealed, []byte("sig")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	again, _ := s.seal(key, want)
	if bytes.Equal(again, sealed) {
		t.Error("the same text is sealed the same twice")
	}
	if got, err := openSealer(t, path).unseal(key, sealed); err != nil || got != want {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := s.unseal(other, sealed); err == nil {
		t.Error("the credentials of one conversion are good for another")
	}
	if _, err := openSealer(t, path+"2").unseal(key, sealed); err == nil {
		t.Error("another key opens them")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := s.unseal(key, bad); err == nil {
			t.Errorf("byte %d may change", i)
		}
	}
	if sealed, err := s.seal(key, Credentials{}); sealed != nil || err != nil {
		t.Errorf("nothing is sealed as %q, %v", sealed, err)
	}
	if got, err := s.unseal(key, nil); err != nil || got != (Credentials{}) {
		t.Errorf("nothing is unsealed as %v, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
}

func TestOpenSealerConcurrently(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	key := arr.ConversionKey{Account: "a", ID: "b"}
	sealers := make([]*Sealer, 8)
	var wg sync.WaitGroup
	for i := range sealers {
		wg.Go(func() { sealers[i], _ = OpenSealer(path) })
	}
	wg.Wait()
	sealed, err := sealers[0].seal(key, Credentials{Input: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sealers {
		if _, err := s.unseal(key, sealed); err != nil {
			t.Errorf("sealer %d has another key: %v", i, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestOpenSealerRefuses(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{short, dir, filepath.Join(dir, "no", "key")} {
		if _, err := OpenSealer(path); err == nil {
			t.Errorf("%s: accepted", path)
		}
	}
}

package conversion_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// inService runs f in a bubble with a fresh service.
func inService(t *testing.T, f func(t *testing.T, s *service), edit ...func(*conversion.QueueConfig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, dir, edit...)
		defer s.close()
		f(t, s)
	})
}

func TestCreate(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		c, created, err := s.Create(t.Context(), keyOf("a"), settings(), secrets)
		if err != nil || !created {
			t.Fatal(created, err)
		}
		want := settings(func(s *arr.ConversionSettings) {
			s.Input.BlobPrefix, s.Output.BlobPrefix, s.Output.AssetFilename = "models/", "done/", "engine.arrAsset"
		})
		if c.Settings != want || c.Status != arr.ConversionNotStarted || c.CreatedAt.IsZero() || c.Error != nil {
			t.Errorf("created %+v", c)
		}
		// Again, also with other signatures and before they are normalized: the same.
		for _, other := range []conversion.Credentials{secrets, {Input: "?x=1", Output: "y=2"}} {
			for _, same := range []arr.ConversionSettings{settings(), want} {
				again, created, err := s.Create(t.Context(), keyOf("a"), same, other)
				if err != nil || created || again.CreatedAt != c.CreatedAt.UTC().Round(0) {
					t.Errorf("again %+v, %t, %v", again, created, err)
				}
			}
		}
		_, _, err = s.Create(t.Context(), keyOf("a"), settings(func(s *arr.ConversionSettings) { s.Output.BlobPrefix = "x" }), secrets)
		if err == nil || err.Error() != "Conflict: A resource already exists under the given ID." {
			t.Errorf("other settings: %v", err)
		}
		rec, err := s.store.Get(t.Context(), keyOf("a"))
		if err != nil || len(rec.Sealed) == 0 || strings.Contains(fmt.Sprintf("%s %+v", rec.Sealed, rec), "hush") {
			t.Errorf("stored %+v, %v", rec, err)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		f := func(code arr.Code, edit func(*arr.ConversionSettings), secrets conversion.Credentials) {
			t.Helper()
			if _, _, err := s.Create(t.Context(), keyOf("a"), settings(edit), secrets); arr.CodeOf(err) != code {
				t.Errorf("got %v, want %s", err, code)
			}
		}
		same := func(*arr.ConversionSettings) {}
		f(arr.CodeStorageAccess, same, conversion.Credentials{})
		f(arr.CodeStorageAccess, same, conversion.Credentials{Input: secrets.Input})
		f(arr.CodeStorageAccess, same, conversion.Credentials{Input: "?", Output: secrets.Output})
		f(arr.CodeBadRequest, func(s *arr.ConversionSettings) { s.Input.ContainerURI = "gopher://x" }, secrets)
		f(arr.CodeBadRequest, func(s *arr.ConversionSettings) { s.Input.AssetPath = "engine.max" }, secrets)
		f(arr.CodeBadRequest, func(s *arr.ConversionSettings) { s.Input.AssetPath = "../engine.glb" }, secrets)
		f(arr.CodeBadRequest, func(s *arr.ConversionSettings) { s.Output.AssetFilename = "engine.glb" }, secrets)
		if _, err := s.Get(t.Context(), keyOf("a")); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("a refused request left something: %v", err)
		}
	})
}

func TestConcurrentCreates(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		created := 0
		for range 20 {
			wg.Go(func() {
				_, won, err := s.Create(context.Background(), keyOf("a"), settings(), secrets)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if won {
					created++
				}
			})
		}
		wg.Wait()
		if created != 1 {
			t.Errorf("created %d times", created)
		}
	})
}

func TestSecretsStayHidden(t *testing.T) {
	if text := fmt.Sprintf("%v %+v %#v %s", secrets, secrets, secrets, secrets.Input); strings.Contains(text, "hush") {
		t.Error(text)
	}
}

// A bad name never reaches a converter: what a record says of an older version is judged again by child.Job.
func TestJobOfCreatedIsValid(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		c, _, err := s.Create(t.Context(), keyOf("a"), settings(), secrets)
		if err != nil {
			t.Fatal(err)
		}
		j := child.Job{InputFile: c.Settings.Input.AssetPath, OutputName: strings.TrimSuffix(c.Settings.Output.AssetFilename, arr.AssetExtension)}
		if err := j.Normalize(); err != nil {
			t.Error(err)
		}
	})
}

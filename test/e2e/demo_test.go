package e2e

import (
	"context"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/devserver"
)

// TestDemo does what `make run` does, without the browser: the sample model is there to look at.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := devserver.Start(t, devserver.Options{Args: []string{"--demo"}})
	announced := regexp.MustCompile(`loaded in session (\S+)\.[^\n]*\n\n  (http://localhost:\S+/viewer/#\S+)`)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	var found []string
	for ; found == nil; found = announced.FindStringSubmatch(s.Log()) {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("no viewer address was printed:\n%s", s.Log())
		}
	}

	file := filepath.Join(t.TempDir(), "view.png")
	if _, stderr, err := s.Run(ctx, t, "session", "snapshot", found[1], "-o", file, "--width", "320", "--height", "180"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	colours := map[color.Color]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			colours[img.At(x, y)] = true
		}
	}
	if len(colours) < 500 {
		t.Errorf("the picture has %d colours: the sample model is not there", len(colours))
	}
}

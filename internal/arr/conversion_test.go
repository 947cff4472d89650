package arr

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestConversionTransition(t *testing.T) {
	all := []ConversionStatus{ConversionNotStarted, ConversionRunning, ConversionSucceeded, ConversionFailed}
	allowed := map[ConversionStatus]string{ // contract section 5, "Status"; Failed from NotStarted is a cancellation
		ConversionNotStarted: "NotStarted Running Failed",
		ConversionRunning:    "Running Succeeded Failed",
		ConversionSucceeded:  "Succeeded",
		ConversionFailed:     "Failed",
	}
	now := time.Now()
	for _, from := range all {
		for _, to := range all {
			before := Conversion{Status: from}
			c := before
			err := c.Transition(to, now)
			if ok := strings.Contains(allowed[from], string(to)); (err == nil) != ok {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			switch {
			case err != nil:
				if c != before || CodeOf(err) != CodeConflict {
					t.Errorf("a refused move from %s to %s left %+v, %v", from, to, c, err)
				}
			case from == to:
				if c != before {
					t.Errorf("staying in %s left %+v", from, c)
				}
			default:
				if c.Status != to || c.StartedAt.Equal(now) != (to == ConversionRunning) || c.EndedAt.Equal(now) != to.Terminal() {
					t.Errorf("%s to %s left %+v", from, to, c)
				}
			}
		}
	}
}

// settings are as short as they may be.
func settings(edit ...func(*ConversionSettings)) ConversionSettings {
	s := ConversionSettings{
		Input:  InputLocation{ContainerURI: "https://a.blob.core.windows.net/in", AssetPath: "box.fbx"},
		Output: OutputLocation{ContainerURI: "https://a.blob.core.windows.net/out"},
	}
	for _, f := range edit {
		f(&s)
	}
	return s
}

func TestNormalize(t *testing.T) {
	f := func(edit func(*ConversionSettings), inPrefix, outPrefix, name, uri string) {
		t.Helper()
		got, err := settings(edit).Normalize()
		if err != nil {
			t.Error(err)
			return
		}
		if got.Input.BlobPrefix != inPrefix || got.Output.BlobPrefix != outPrefix || got.Output.AssetFilename != name {
			t.Errorf("normalized to %+v", got)
		}
		if again, err := got.Normalize(); err != nil || again != got {
			t.Errorf("normalized again to %+v (%v)", again, err)
		}
		c := Conversion{Settings: got, Status: ConversionRunning}
		if c.OutputAssetURI() != "" {
			t.Error("a running conversion shows an output")
		}
		c.Status = ConversionSucceeded
		if got := c.OutputAssetURI(); got != uri {
			t.Errorf("output %s, want %s", got, uri)
		}
	}
	const out = "https://a.blob.core.windows.net/out/"
	f(func(*ConversionSettings) {}, "", "", "box.arrAsset", out+"box.arrAsset")
	// As recorded: prefixes get a slash at the end, the asset the name of the model.
	f(func(s *ConversionSettings) { s.Input.BlobPrefix, s.Output.BlobPrefix = "Input", "Output" },
		"Input/", "Output/", "box.arrAsset", out+"Output/box.arrAsset")
	f(func(s *ConversionSettings) { s.Input.BlobPrefix, s.Output.BlobPrefix = "a/b/", "c/d//" },
		"a/b/", "c/d/", "box.arrAsset", out+"c/d/box.arrAsset")
	f(func(s *ConversionSettings) { s.Output.AssetFilename = "x.arrAsset" }, "", "", "x.arrAsset", out+"x.arrAsset")
	f(func(s *ConversionSettings) { s.Input.AssetPath = "deep/Some Engine.v2.GLB" },
		"", "", "Some Engine.v2.arrAsset", out+"Some Engine.v2.arrAsset")
	f(func(s *ConversionSettings) { s.Output.ContainerURI = "file:///srv/out/" }, "", "", "box.arrAsset", "file:///srv/out/box.arrAsset")
	f(func(s *ConversionSettings) { s.Output.ContainerURI = "s3://bucket" }, "", "", "box.arrAsset", "s3://bucket/box.arrAsset")
}

func TestNormalizeRefuses(t *testing.T) {
	f := func(target string, edit func(*ConversionSettings)) {
		t.Helper()
		got, err := settings(edit).Normalize()
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeBadRequest || e.Target != target || got != (ConversionSettings{}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error shows a signature: %v", err)
		}
	}
	for _, uri := range []string{"", "in", "/in", "https://", "http://[", "https://a/in?sig=hush", "https://me:hush@a/in", "https://a/in#x"} {
		f("inputLocation.storageContainerUri", func(s *ConversionSettings) { s.Input.ContainerURI = uri })
		f("outputLocation.storageContainerUri", func(s *ConversionSettings) { s.Output.ContainerURI = uri })
	}
	for _, prefix := range []string{"/", "..", "a/../b", "a//b", "/a", "./a", "a\x00b", strings.Repeat("x", 1025)} {
		f("inputLocation.blobPrefix", func(s *ConversionSettings) { s.Input.BlobPrefix = prefix })
		f("outputLocation.blobPrefix", func(s *ConversionSettings) { s.Output.BlobPrefix = prefix })
	}
	for _, name := range []string{"", "/box.fbx", "../box.fbx", "a/", "a\nb.fbx"} {
		f("inputLocation.relativeInputAssetPath", func(s *ConversionSettings) { s.Input.AssetPath = name })
	}
	for _, name := range []string{"x", ".arrAsset", "x.arrasset", "x.arrAsset.zip", "a/x.arrAsset", `a\x.arrAsset`, "\x01.arrAsset"} {
		f("outputLocation.outputAssetFilename", func(s *ConversionSettings) { s.Output.AssetFilename = name })
	}
}

func TestParseConversionID(t *testing.T) {
	for id, ok := range map[string]bool{"a-Z_9": true, "": false, "a.b": false, strings.Repeat("x", 257): false} {
		if got, err := ParseConversionID(id); (err == nil) != ok || ok && string(got) != id {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
}

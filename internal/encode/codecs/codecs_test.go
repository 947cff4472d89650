package codecs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/codecs"
)

var config = encode.Config{Width: 64, Height: 64, BitsPerSecond: 500_000, Threads: 1}

func TestAvailableCodecsOpen(t *testing.T) {
	set := codecs.Load(func(string) string { return "" })
	if got, want := set.Available(), []encode.Codec{encode.H264, encode.VP8}; !slices.Equal(got, want) {
		t.Fatalf("available %v, want %v (problems: %v)", got, want, set.Problems())
	}
	for _, c := range set.Available() {
		e, err := set.Open(c, config)
		if err != nil {
			t.Fatal(err)
		}
		if e.Codec() != c {
			t.Errorf("asked for %s, got %s", c, e.Codec())
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := set.Open("AV1", config); err == nil {
		t.Error("a codec that nobody makes was opened")
	}
	if e, err := set.Open(encode.VP8, encode.Config{}); err == nil || e != nil {
		t.Errorf("a bad configuration gave %v, %v, want a nil encoder and an error", e, err)
	}
}

func TestAMissingLibraryLeavesTheOtherCodec(t *testing.T) {
	set := codecs.Load(func(name string) string {
		if name == "HELIOGRAPH_OPENH264" {
			return "/nonexistent/libopenh264.so"
		}
		return ""
	})
	if got := set.Available(); !slices.Equal(got, []encode.Codec{encode.VP8}) {
		t.Fatalf("available %v, want VP8 alone", got)
	}
	if _, err := set.Open(encode.H264, config); err == nil || !strings.Contains(err.Error(), "apt install libopenh264") {
		t.Errorf("error %v does not say what to install", err)
	}
}

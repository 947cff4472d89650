package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/converter/child"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"1": 1, "1024": 1024, "8GiB": 8 << 30, "8g": 8 << 30, "1.5 GiB": 3 << 29, "500MB": 500e6, "2k": 2048, "3TiB": 3 << 40, "7b": 7,
	} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "x", "1x", "1mg", "-1", "0", "nan", "1e40", "1ib k"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestConversionBar(t *testing.T) {
	var out bytes.Buffer
	b := newConversionBar(&out, true)
	for _, p := range []child.Progress{{Stage: "read"}, {Stage: "read", Done: 0.1}, {Stage: "meshes", Done: 0.25, Rate: 5, Unit: "triangles"}} {
		b.show(p)
	}
	b.end()
	if want := "  0 %  read\n 25 %  meshes\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	b.bar.terminal = true
	b.start = time.Now().Add(-30 * time.Second)
	out.Reset()
	b.show(child.Progress{Stage: "meshes", Done: 0.25, Rate: 1234567, Unit: "triangles"})
	if want := "\r\x1b[K[#######-----------------------]  25 %  meshes  1,234,567 triangles/s  1:30 left"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	b.show(child.Progress{Stage: "read", Done: 0, Rate: 3 << 20, Unit: "bytes"})
	if want := "\r\x1b[K[------------------------------]   0 %  read  3 MiB/s"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	newConversionBar(nil, false).show(child.Progress{})
}

func TestShellWord(t *testing.T) {
	for s, want := range map[string]string{
		"/a/b-c_1.glb": "/a/b-c_1.glb", "größe.glb": "größe.glb", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'",
	} {
		if got := shellWord(s); got != want {
			t.Errorf("%q is %s, want %s", s, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	if got := count(1, "mesh", "meshes") + ", " + count(0, "mesh", "meshes") + ", " + count(1234, "part"); got != "1 mesh, 0 meshes, 1,234 parts" {
		t.Error(got)
	}
}

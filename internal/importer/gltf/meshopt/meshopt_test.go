package meshopt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// vector is a stream and the hash of what the authors' own decoder makes of it; see testdata/README.md.
type vector struct {
	Name, Mode, Filter string
	Count, Stride      int64
	Data               []byte
	SHA256             string
}

func (v *vector) layout() Layout { return Layout{Mode(v.Mode), Filter(v.Filter), v.Count, v.Stride} }

func vectors(tb testing.TB) []vector {
	tb.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(b, &list); err != nil {
		tb.Fatal(err)
	}
	if len(list) < 50 {
		tb.Fatalf("%d vectors", len(list))
	}
	return list
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			got, err := Decode(v.Data, v.layout())
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != v.SHA256 {
				t.Errorf("differs: %x", got[:min(64, len(got))])
			}
		})
	}
}

// TestTruncation cuts every stream, and lengthens it: both must be noticed.
func TestTruncation(t *testing.T) {
	for _, v := range vectors(t) {
		for n := range v.Data {
			if _, err := Decode(v.Data[:n], v.layout()); err == nil {
				t.Errorf("%s: %d of %d bytes are enough", v.Name, n, len(v.Data))
			}
		}
		if _, err := Decode(append(v.Data[:len(v.Data):len(v.Data)], 0), v.layout()); err == nil {
			t.Errorf("%s: a byte too many", v.Name)
		}
	}
}

func TestLayout(t *testing.T) {
	good := Layout{Attributes, Octahedral, 16, 4}
	if n, err := good.Size(100); n != 64 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	for name, l := range map[string]Layout{
		"stride 0":         {Attributes, None, 16, 0},
		"stride 6":         {Attributes, None, 16, 6},
		"stride 260":       {Attributes, None, 16, 260},
		"no elements":      {Attributes, None, 0, 4},
		"negative":         {Indices, None, -1, 4},
		"bomb":             {Attributes, None, 1 << 40, 4},
		"index bomb":       {Triangles, None, 3 << 30, 4},
		"half a triangle":  {Triangles, None, 4, 4},
		"index size":       {Indices, None, 4, 3},
		"mode":             {"LINES", None, 4, 4},
		"filter":           {Attributes, "BLUR", 4, 4},
		"filtered indices": {Indices, Exponential, 4, 4},
		"octahedral of 12": {Attributes, Octahedral, 4, 12},
		"quaternion of 4":  {Attributes, Quaternion, 4, 4},
		"color of 16":      {Attributes, Color, 4, 16},
	} {
		if n, err := l.Size(100); err == nil {
			t.Errorf("%s: %d bytes", name, n)
		}
		if _, err := Decode(nil, l); err == nil {
			t.Errorf("%s: decoded nothing", name)
		}
	}
}

// FuzzDecode decodes anything: it ends, without panic, in an error or in as many bytes as were asked for.
func FuzzDecode(f *testing.F) {
	modes := []Mode{Attributes, Triangles, Indices}
	filters := []Filter{None, Octahedral, Quaternion, Exponential, Color}
	for _, v := range vectors(f) {
		for m, mode := range modes {
			for k, filter := range filters {
				if l := v.layout(); l.Mode == mode && (l.Filter == filter || l.Filter == "" && filter == None) {
					f.Add(v.Data, uint8(m), uint8(k), uint16(v.Count), uint16(v.Stride))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, mode, filter uint8, count, stride uint16) {
		l := Layout{modes[int(mode)%len(modes)], filters[int(filter)%len(filters)], int64(count), int64(stride)}
		out, err := Decode(src, l)
		if err == nil && len(out) != int(count)*int(stride) {
			t.Errorf("%d bytes of %d x %d", len(out), count, stride)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, v := range vectors(b) {
		if v.Name != "attributes 600x8 v1 level 2" && v.Name != "grid 16" {
			continue
		}
		b.Run(v.Name, func(b *testing.B) {
			b.SetBytes(v.Count * v.Stride)
			for b.Loop() {
				if _, err := Decode(v.Data, v.layout()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

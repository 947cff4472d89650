package asset

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestHuffman: a decoder of Zstandard reads the frames of every length and statistics back, one after the other.
func TestHuffman(t *testing.T) {
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	random := rand.New(rand.NewPCG(1, 2))
	source := map[string]func() byte{
		"one byte": func() byte { return 7 },
		"noise":    func() byte { return byte(random.Uint32()) },
		"few":      func() byte { return byte(random.Uint32() & random.Uint32() & random.Uint32()) },
		"rare":     func() byte { return byte(1 / (random.Float64() + 1e-4) / 200) },
	}
	var h huffman
	for name, next := range source {
		var all, stored []byte
		raw := 0
		for _, n := range []int{
			1, 2, 5, 6, 7, 12, 31, 64, 255, 256, 257, 1000, 4096, 65791, 65792, maxBlock - 1, maxBlock, maxBlock + 1, 2*maxBlock + 3,
		} {
			src := make([]byte, n)
			for i := range src {
				src[i] = next()
			}
			stored = h.frame(stored, src)
			all = append(all, src...)
			raw += n
		}
		if got, err := r.DecodeAll(stored, nil); err != nil || !bytes.Equal(got, all) {
			t.Errorf("%s: %d bytes come back of %d, %v", name, len(got), len(all), err)
		}
		if name != "noise" && len(stored) > raw*2/3 {
			t.Errorf("%s: %d bytes in %d", name, raw, len(stored))
		}
	}
}

// Package importer holds what the importers of source formats have in common: what they may read, how much memory they
// may take, and how soups of polygons become scene.Primitive. It knows no format, and does no network I/O and no drawing.
package importer

import (
	"fmt"
	"math"
	"sync/atomic"
)

// Options bound an import. The zero value is usable.
type Options struct {
	TriangleBudget int64 // most triangles, counted once per instance; 0 = no limit
	MemoryBudget   int64 // most bytes of input, and of decoded geometry, and of decoded images; 0 = DefaultMemoryBudget

	// FBXAssumeMetallic is ARR's conversion setting fbxAssumeMetallic; nil = true. Where it is false, untextured FBX materials
	// that are coloured and shine strongly become plastic rather than metal.
	FBXAssumeMetallic *bool

	// Progress may be nil. It is called with the stages "fetch" and "decode" and done from 0 to 1, never concurrently.
	Progress func(stage string, done float64)

	// Ignore says which textures of a material are left out, by ARR's names of maps (NormalMap, BumpMap, OpacityMap, ...); nil
	// = none. An importer asks where leaving one out lets another take its place; all others are the converter's to remove.
	Ignore func(material, textureMap string) bool
}

// DefaultMemoryBudget is the memory budget of an import that names none.
const DefaultMemoryBudget = 8 << 30

// Memory is the memory budget in bytes, never 0.
func (o Options) Memory() int64 {
	if o.MemoryBudget == 0 {
		return DefaultMemoryBudget
	}
	return o.MemoryBudget
}

// A file may decode to so many bytes of pixels, and so many times its own size more; without such a bound a small file
// that names a thousand large and empty images would be a bomb. Real files stay below a tenth of it.
const (
	freeImages    = 576 << 20 // one image of 8192 x 8192 needs 256 MiB, and as much again while it is converted
	imagesPerByte = 64
)

// ImageBudget is how many bytes of pixels a model of so many bytes of input may decode to.
func ImageBudget(memory, input int64) int64 { return min(memory, freeImages+imagesPerByte*input) }

// Budget is a number of bytes that may still be allocated. It is safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// Set makes the budget n bytes.
func (b *Budget) Set(n int64) { b.left.Store(n) }

// Take takes n bytes out of the budget; the error is an OverBudget.
func (b *Budget) Take(n int64) error {
	if b.left.Add(-n) < 0 {
		return OverBudget(n)
	}
	return nil
}

// OverBudget is the error of needing so many bytes more than are allowed.
type OverBudget int64

func (e OverBudget) Error() string {
	return fmt.Sprintf("%d more bytes exceed the memory allowed for this model", int64(e))
}

// Finite reports whether no component is an infinity or not a number.
func Finite(v ...float32) bool {
	for _, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

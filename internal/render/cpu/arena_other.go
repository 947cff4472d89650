//go:build !unix

package cpu

// block is an array whose address never changes.
type block[T float32 | uint32] struct{ all []T }

func reserve[T float32 | uint32](n int) (block[T], error) { return block[T]{make([]T, n)}, nil }

func (b *block[T]) grow(int) error { return nil }

func (b *block[T]) forget(int, int) {}

func (b *block[T]) close() { *b = block[T]{} }

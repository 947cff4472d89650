//go:build unix

package cpu

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// block is an array whose address never changes: address space is reserved at once, memory is taken as the array grows. It
// lies outside Go's heap, so that the collector neither scans nor paces itself by it, and is not yet writable where it is
// not used, so that it does not count against RLIMIT_DATA.
type block[T float32 | uint32] struct {
	all   []T
	bytes []byte
	ready int // bytes that may be written
}

const growth = 4 << 20

func reserve[T float32 | uint32](n int) (block[T], error) {
	if n == 0 {
		return block[T]{}, nil
	}
	bytes, err := unix.Mmap(-1, 0, n*4, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return block[T]{}, err
	}
	return block[T]{all: unsafe.Slice((*T)(unsafe.Pointer(&bytes[0])), n), bytes: bytes}, nil
}

// grow makes the first n elements usable.
func (b *block[T]) grow(n int) error {
	if b.bytes == nil || n*4 <= b.ready {
		return nil
	}
	ready := min((n*4+growth-1)/growth*growth, len(b.bytes))
	if err := unix.Mprotect(b.bytes[b.ready:ready], unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return err
	}
	b.ready = ready
	return nil
}

// forget gives the memory of elements from..to back; they read as zero.
func (b *block[T]) forget(from, to int) {
	page := unix.Getpagesize()
	from, to = (from*4+page-1)/page*page, to*4/page*page
	if from < to && b.bytes != nil {
		_ = unix.Madvise(b.bytes[from:to], unix.MADV_DONTNEED) // only a hint
	}
}

func (b *block[T]) close() {
	if b.bytes != nil {
		_ = unix.Munmap(b.bytes)
	}
	*b = block[T]{}
}

package asset

import (
	"errors"

	"github.com/klauspost/compress/huff0"
)

// huffman writes frames of Zstandard (RFC 8878) that hold literals only. In a plane of a page, bytes are as good as independent:
// matches, which a general encoder looks for, are few, take more bytes than they save, and most of the time. Its memory is
// small enough to stay in the processor's cache while pages are made.
type huffman struct{ scratch huff0.Scratch }

// maxBlock is the greatest length of a block (section 3.1.1.2.4).
const maxBlock = 128 << 10

// Types of blocks (section 3.1.1.2.2).
const (
	blockRaw = iota
	blockRLE
	blockCompressed
)

// frame appends one frame that decodes to src, which is not empty.
func (h *huffman) frame(dst, src []byte) []byte {
	// The frame's header (section 3.1.1.1): a single segment, and the length of its content.
	dst = le.AppendUint32(dst, 0xfd2fb528)
	switch n := len(src); {
	case n < 1<<8:
		dst = append(dst, 0x20, byte(n))
	case n < 1<<16+1<<8:
		dst = append(dst, 0x60)
		dst = le.AppendUint16(dst, uint16(n-1<<8))
	default:
		dst = append(dst, 0xa0)
		dst = le.AppendUint32(dst, uint32(n))
	}
	for len(src) > maxBlock {
		dst = h.block(dst, src[:maxBlock], false)
		src = src[maxBlock:]
	}
	return h.block(dst, src, true)
}

// block appends one block.
func (h *huffman) block(dst, src []byte, last bool) []byte {
	h.scratch.Reuse = huff0.ReusePolicyNone // each block has a table of its own
	coded, _, err := huff0.Compress4X(src, &h.scratch)
	// The header of literals in four streams, with 18 bits for each of their lengths before and after (section 3.1.1.3.1.1), and
	// after the literals the number of sequences, 0.
	const literals, around = 2 | 3<<2, 5 + 1
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		return append(blockHeader(dst, blockRLE, len(src), last), src[0])
	case err != nil || len(coded)+around >= len(src): // too short for a table, or noise
		return append(blockHeader(dst, blockRaw, len(src), last), src...)
	}
	dst = blockHeader(dst, blockCompressed, len(coded)+around, last)
	header := literals | uint64(len(src))<<4 | uint64(len(coded))<<22
	dst = append(le.AppendUint32(dst, uint32(header)), byte(header>>32))
	return append(append(dst, coded...), 0)
}

// blockHeader appends the header of a block.
func blockHeader(dst []byte, kind, size int, last bool) []byte {
	header := size<<3 | kind<<1
	if last {
		header |= 1
	}
	return append(dst, byte(header), byte(header>>8), byte(header>>16))
}

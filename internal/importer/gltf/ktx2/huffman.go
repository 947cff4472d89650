package ktx2

import "math/bits"

// bitReader reads bits, the lowest of each byte first.
type bitReader struct {
	data []byte
	hold uint64 // bits read from data and not yet taken
	have int    // how many; below zero = more were taken than there are
}

// fill provides 32 bits, of zeros after the end.
func (r *bitReader) fill() {
	for r.have >= 0 && r.have <= 32 && len(r.data) > 0 {
		r.hold |= uint64(r.data[0]) << r.have
		r.data = r.data[1:]
		r.have += 8
	}
}

// take returns the next n bits, at most 16.
func (r *bitReader) take(n int) uint32 {
	r.fill()
	v := uint32(r.hold) & (1<<n - 1)
	r.hold >>= n
	r.have -= n
	return v
}

// over tells that more bits were taken than there are.
func (r *bitReader) over() bool { return r.have < 0 }

// chunks reads a number in chunks of so many bits, each after a bit that says whether another follows.
func (r *bitReader) chunks(width int) uint32 {
	var v uint32
	for shift := 0; shift < 32; shift += width {
		s := r.take(width + 1)
		v |= s & (1<<width - 1) << shift
		if s>>width == 0 {
			break
		}
	}
	return v
}

const maxCode = 16 // bits

// huffman decodes the symbols of a canonical code (RFC 1951 section 3.2.2).
type huffman struct {
	table   []uint32 // by the next longest bits: symbol << 5 | length; 0 = no code
	longest int
}

// newHuffman makes a code of the lengths of its symbols' codes; ok is false if they make none.
func newHuffman(lengths []byte) (h huffman, ok bool) {
	var count [maxCode + 1]int
	for _, l := range lengths {
		count[l]++
		h.longest = max(h.longest, int(l))
	}
	count[0] = 0
	var next [maxCode + 2]uint32
	for l := 1; l <= maxCode; l++ {
		next[l+1] = (next[l] + uint32(count[l])) << 1
		if next[l]+uint32(count[l]) > 1<<l {
			return huffman{}, false
		}
	}
	h.table = make([]uint32, 1<<h.longest)
	for symbol, l := range lengths {
		if l == 0 {
			continue
		}
		code := bits.Reverse16(uint16(next[l])) >> (16 - l)
		next[l]++
		for at := int(code); at < len(h.table); at += 1 << l {
			h.table[at] = uint32(symbol)<<5 | uint32(l)
		}
	}
	return h, true
}

// symbol decodes the next symbol.
func (r *bitReader) symbol(h *huffman) uint32 {
	if len(h.table) == 0 {
		r.have = -1
		return 0
	}
	r.fill()
	e := h.table[uint32(r.hold)&(1<<h.longest-1)]
	if e == 0 {
		r.have = -1 // no code: as bad as the end
		return 0
	}
	r.hold >>= e & 31
	r.have -= int(e & 31)
	return e >> 5
}

// codeOrder is the order in which the lengths of the code of code lengths are stored.
var codeOrder = [21]byte{17, 18, 19, 20, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15, 16}

// huffman reads a code, whose lengths are themselves coded (KTX 2.0 appendix "Compressed Huffman Tables").
func (r *bitReader) huffman() (h huffman, ok bool) {
	total := int(r.take(14))
	if total == 0 {
		return huffman{}, !r.over()
	}
	n := int(r.take(5))
	if n < 1 || n > len(codeOrder) {
		return huffman{}, false
	}
	var sizes [len(codeOrder)]byte
	for _, k := range codeOrder[:n] {
		sizes[k] = byte(r.take(3))
	}
	meta, ok := newHuffman(sizes[:])
	if !ok {
		return huffman{}, false
	}
	lengths := make([]byte, 0, total)
	for len(lengths) < total {
		s := r.symbol(&meta)
		if r.over() {
			return huffman{}, false
		}
		if s <= maxCode {
			lengths = append(lengths, byte(s))
			continue
		}
		var run int
		var value byte
		switch s {
		case 17:
			run = int(r.take(3)) + 3
		case 18:
			run = int(r.take(7)) + 11
		case 19:
			run = int(r.take(2)) + 3
		default:
			run = int(r.take(7)) + 7
		}
		if s >= 19 {
			if len(lengths) == 0 || lengths[len(lengths)-1] == 0 {
				return huffman{}, false
			}
			value = lengths[len(lengths)-1]
		}
		if run > total-len(lengths) {
			return huffman{}, false
		}
		for range run {
			lengths = append(lengths, value)
		}
	}
	h, ok = newHuffman(lengths)
	return h, ok && !r.over()
}

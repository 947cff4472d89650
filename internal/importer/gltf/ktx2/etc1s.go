package ktx2

import (
	"encoding/binary"
	"image"
)

// endpoint is a block's base color, of 5 bits a channel, and the table of its steps.
type endpoint struct {
	color [3]byte
	steps byte
}

// selector picks one of four steps for each pixel, two bits each, the first in the lowest.
type selector uint32

// steps lists how far each selector is from the base color (Khronos Data Format Specification, ETC1).
var steps = [8][4]int{
	{-8, -2, 2, 8}, {-17, -5, 5, 17}, {-29, -9, 9, 29}, {-42, -13, 13, 42},
	{-60, -18, 18, 60}, {-80, -24, 24, 80}, {-106, -33, 33, 106}, {-183, -47, 47, 183},
}

// etc1s is what all images of a file share (KTX 2.0 appendix "BasisLZ").
type etc1s struct {
	endpoints                         []endpoint
	selectors                         []selector
	prediction, delta, selection, run huffman
	history                           int // size of the history of selectors
}

const (
	globalBytes = 20
	imageBytes  = 20
)

// decodeETC1S decodes the first image: its colors, and its alpha if there is any.
func decodeETC1S(h *header) (*image.NRGBA, error) {
	le, g := binary.LittleEndian, h.global
	if len(g) < globalBytes+imageBytes*h.images {
		return nil, errShort
	}
	desc := g[globalBytes:]
	rest := g[globalBytes+imageBytes*h.images:]
	var parts [3][]byte // endpoints, selectors, tables
	for i := range parts {
		n := uint64(le.Uint32(g[4+4*i:]))
		if n > uint64(len(rest)) {
			return nil, errShort
		}
		parts[i], rest = rest[:n], rest[n:]
	}
	var e etc1s
	if !e.readEndpoints(&bitReader{data: parts[0]}, int(le.Uint16(g))) ||
		!e.readSelectors(&bitReader{data: parts[1]}, int(le.Uint16(g[2:]))) ||
		!e.readTables(&bitReader{data: parts[2]}) {
		return nil, errData
	}
	m := image.NewNRGBA(image.Rect(0, 0, h.width, h.height))
	for k := range 2 {
		slice, ok := part(h.level, uint64(le.Uint32(desc[4+8*k:])), uint64(le.Uint32(desc[8+8*k:])))
		if !ok {
			return nil, errShort
		}
		if k == 1 && (!h.alpha || len(slice) == 0) {
			break
		}
		if !e.slice(m, &bitReader{data: slice}, k == 1) {
			return nil, errData
		}
	}
	return m, nil
}

// readEndpoints reads the codebook of endpoints: differences, coded by the range of the value before.
func (e *etc1s) readEndpoints(r *bitReader, count int) bool {
	var deltas [3]huffman
	for i := range deltas {
		var ok bool
		if deltas[i], ok = r.huffman(); !ok {
			return false
		}
	}
	stepDeltas, ok := r.huffman()
	if !ok {
		return false
	}
	channels := 3
	if r.take(1) == 1 {
		channels = 1
	}
	last := endpoint{color: [3]byte{16, 16, 16}}
	for range count {
		last.steps = (last.steps + byte(r.symbol(&stepDeltas))) & 7
		for c := range channels {
			v := last.color[c]
			code := &deltas[0]
			switch {
			case v > 21:
				code = &deltas[2]
			case v > 9:
				code = &deltas[1]
			}
			last.color[c] = (v + byte(r.symbol(code))) & 31
		}
		if channels == 1 {
			last.color[1], last.color[2] = last.color[0], last.color[0]
		}
		if r.over() {
			return false
		}
		e.endpoints = append(e.endpoints, last)
	}
	return true
}

// readSelectors reads the codebook of selectors: plain, or as bits that change from one to the next.
func (e *etc1s) readSelectors(r *bitReader, count int) bool {
	if r.take(2) != 0 {
		return false
	}
	var code huffman
	plain := r.take(1) == 1
	if !plain {
		var ok bool
		if code, ok = r.huffman(); !ok {
			return false
		}
	}
	var last selector
	for i := range count {
		var s selector
		for row := range 4 {
			if plain || i == 0 {
				s |= selector(r.take(8)) << (8 * row)
			} else {
				s |= selector(r.symbol(&code)&255) << (8 * row)
			}
		}
		if !plain {
			s ^= last
		}
		if r.over() {
			return false
		}
		e.selectors = append(e.selectors, s)
		last = s
	}
	return true
}

func (e *etc1s) readTables(r *bitReader) (ok bool) {
	for _, h := range []*huffman{&e.prediction, &e.delta, &e.selection, &e.run} {
		if *h, ok = r.huffman(); !ok {
			return false
		}
	}
	e.history = int(r.take(13))
	return !r.over()
}

const (
	repeatPrediction  = 256 // symbol: the same predictions again
	minPredictionRuns = 3
	minSelectorRun    = 3
	longSelectorRun   = 63 // symbol: the length follows
)

// slice decodes the blocks of an image into the colors of m, or into its alpha.
func (e *etc1s) slice(m *image.NRGBA, r *bitReader, alpha bool) bool {
	columns, rows := (m.Rect.Dx()+3)/4, (m.Rect.Dy()+3)/4
	above := make([]int, columns)        // endpoints of the row before, and of this one as far as it is decoded
	below := make([]byte, (columns+1)/2) // predictions for odd rows
	selectors := selectorReader{etc1s: e, history: make([]int, e.history), oldest: e.history / 2}
	var predictions, again byte
	var repeats uint32
	left := 0
	for y := range rows {
		corner := 0 // endpoint above and to the left
		for x := range columns {
			switch {
			case x%2 == 1:
			case y%2 == 1:
				predictions = below[x/2]
			default: // one symbol for 2 x 2 blocks
				if repeats > 0 {
					repeats--
				} else if s := r.symbol(&e.prediction); s == repeatPrediction {
					repeats = r.chunks(4) + minPredictionRuns - 1
				} else {
					again = byte(s)
				}
				predictions = again
				below[x/2] = predictions >> 4
			}
			index := left
			switch p := predictions & 3; {
			case p == 0 && x > 0:
			case p == 1 && y > 0:
				index = above[x]
			case p == 2 && x > 0 && y > 0:
				index = corner
			case p == 3:
				index = left + int(r.symbol(&e.delta))
				if index >= len(e.endpoints) {
					index -= len(e.endpoints)
				}
			default:
				return false
			}
			predictions >>= 2
			corner, above[x], left = above[x], index, index
			s, ok := selectors.next(r)
			if !ok || r.over() || index >= len(e.endpoints) {
				return false
			}
			paint(m, x, y, e.endpoints[index], e.selectors[s], alpha)
		}
	}
	return true
}

// selectorReader decodes indices of selectors, of which many are among the latest.
type selectorReader struct {
	*etc1s
	history []int
	oldest  int // in the half of history that is replaced in turn
	run     uint32
}

func (d *selectorReader) next(r *bitReader) (index int, ok bool) {
	n := len(d.selectors)
	symbol := n // the first of history
	if d.run > 0 {
		d.run--
	} else if s := int(r.symbol(&d.selection)); s == n+len(d.history) {
		length := r.symbol(&d.etc1s.run)
		if length == longSelectorRun {
			length = r.chunks(7)
		}
		d.run = length + minSelectorRun - 1
	} else {
		symbol = s
	}
	if symbol < n {
		if len(d.history) > 0 {
			d.history[d.oldest] = symbol
			if d.oldest++; d.oldest == len(d.history) {
				d.oldest = len(d.history) / 2
			}
		}
		return symbol, true
	}
	k := symbol - n
	if k >= len(d.history) {
		return 0, false
	}
	index = d.history[k]
	d.history[k/2], d.history[k] = d.history[k], d.history[k/2]
	return index, index < n
}

// paint stores a block.
func paint(m *image.NRGBA, x, y int, e endpoint, s selector, alpha bool) {
	var palette [4][4]byte
	for i, step := range steps[e.steps] {
		for c, v := range e.color {
			palette[i][c] = byte(min(max(int(v<<3|v>>2)+step, 0), 255))
		}
		palette[i][3] = 255
	}
	if alpha {
		for py := range min(4, m.Rect.Dy()-4*y) {
			for px := range min(4, m.Rect.Dx()-4*x) {
				m.Pix[(4*y+py)*m.Stride+4*(4*x+px)+3] = palette[s>>(8*py+2*px)&3][1]
			}
		}
		return
	}
	var pixels [16][4]byte
	for i := range pixels {
		pixels[i] = palette[s>>(2*i)&3]
	}
	put(m, x, y, &pixels)
}

package importer

import (
	"encoding/binary"
	"errors"
	"image"
)

// tga is the header of a Truevision TGA file (TGA File Format Specification 2.0, section "Header").
type tga struct {
	kind          byte // 1 palette, 2 colours, 3 grey; 8 more where it is run-length encoded
	w, h          int
	depth         int // bits of a pixel
	alpha         bool
	right, top    bool // where the first pixel is; else left, bottom
	paletteFirst  int
	paletteLength int
	paletteDepth  int
	data          int // where the palette starts
}

// readTGA reads the header. The format has no magic number, so that it is recognised by fields that make sense.
func readTGA(b []byte) (t tga, ok bool) {
	const header = 18
	if len(b) < header {
		return t, false
	}
	t = tga{
		kind: b[2], w: int(binary.LittleEndian.Uint16(b[12:])), h: int(binary.LittleEndian.Uint16(b[14:])), depth: int(b[16]),
		alpha: b[17]&15 != 0, right: b[17]&16 != 0, top: b[17]&32 != 0, data: header + int(b[0]),
		paletteFirst: int(binary.LittleEndian.Uint16(b[3:])), paletteLength: int(binary.LittleEndian.Uint16(b[5:])), paletteDepth: int(b[7]),
	}
	depths := map[byte][]int{1: {8}, 2: {15, 16, 24, 32}, 3: {8}}[t.kind&^8]
	for _, d := range depths {
		ok = ok || d == t.depth
	}
	if b[1] > 1 || t.kind&^8 == 1 && b[1] == 0 || b[1] == 0 && t.paletteLength != 0 {
		return t, false
	}
	return t, ok && t.w > 0 && t.h > 0
}

var errTGA = errors.New("the TGA file ends too early")

// decode reads the pixels.
func (t tga) decode(b []byte) (image.Image, error) {
	if len(b) < t.data {
		return nil, errTGA
	}
	b = b[t.data:]
	var palette [][4]uint8
	if n := t.paletteLength; n > 0 {
		size := (t.paletteDepth + 7) / 8
		if size < 2 || size > 4 || len(b) < n*size {
			return nil, errTGA
		}
		for i := range n {
			palette = append(palette, pixelTGA(b[i*size:], t.paletteDepth, t.paletteDepth == 32))
		}
		b = b[n*size:]
	}
	size := (t.depth + 7) / 8
	im := image.NewNRGBA(image.Rect(0, 0, t.w, t.h))
	put := func(i int, raw []byte) {
		p := pixelTGA(raw, t.depth, t.alpha)
		if t.kind&^8 == 1 {
			p = [4]uint8{3: 255}
			if k := int(raw[0]) - t.paletteFirst; k >= 0 && k < len(palette) {
				p = palette[k]
			}
		}
		x, y := i%t.w, i/t.w
		if t.right {
			x = t.w - 1 - x
		}
		if !t.top {
			y = t.h - 1 - y
		}
		copy(im.Pix[im.PixOffset(x, y):], p[:])
	}
	for i := 0; i < t.w*t.h; {
		count, run := 1, false
		if t.kind&8 != 0 {
			if len(b) == 0 {
				return nil, errTGA
			}
			count, run = int(b[0]&127)+1, b[0]&128 != 0
			b = b[1:]
		}
		for k := range min(count, t.w*t.h-i) {
			if len(b) < size {
				return nil, errTGA
			}
			put(i, b)
			i++
			if !run || k == count-1 || i == t.w*t.h {
				b = b[size:]
			}
		}
	}
	return im, nil
}

// pixelTGA reads one pixel: grey, or blue, green, red and alpha.
func pixelTGA(b []byte, depth int, alpha bool) [4]uint8 {
	switch depth {
	case 8:
		return [4]uint8{b[0], b[0], b[0], 255}
	case 15, 16:
		v := int(binary.LittleEndian.Uint16(b))
		five := func(shift int) uint8 { return uint8((v >> shift & 31) * 255 / 31) }
		return [4]uint8{five(10), five(5), five(0), 255}
	case 32:
		if alpha {
			return [4]uint8{b[2], b[1], b[0], b[3]}
		}
	}
	return [4]uint8{b[2], b[1], b[0], 255}
}

// Package ktx2 decodes the textures of KHR_texture_basisu: KTX 2 files whose pixels are Basis Universal ETC1S or UASTC.
// It trusts no number in its input, allocates nothing that its caller did not allow, and knows nothing of glTF.
package ktx2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"github.com/klauspost/compress/zstd"
)

// Magic is what a KTX 2 file begins with.
const Magic = "\xabKTX 20\xbb\r\n\x1a\n"

// Color models of the Khronos Data Format Specification.
const (
	modelETC1S = 163
	modelUASTC = 166
)

// Schemes of supercompression (KTX 2.0 section 3.11.1).
const (
	schemeNone    = 0
	schemeBasisLZ = 1
	schemeZstd    = 2
)

const (
	headerBytes = 80
	levelBytes  = 24
	maxSide     = 16384
	blockBytes  = 16 // of UASTC
	alphaSample = 15 // channel of a sample that is alpha
)

var (
	errShort = errors.New("the KTX2 file ends early")
	errData  = errors.New("the compressed pixels are damaged")
)

// header is what import needs of a file's beginning.
type header struct {
	width, height int
	scheme        uint32
	model         byte
	alpha         bool   // a second ETC1S slice holds alpha
	level         []byte // the largest image
	unpacked      uint64 // its size without supercompression
	images        int    // in all levels
	global        []byte // of the supercompression
}

// Decode returns the largest image of a two-dimensional texture. Before it allocates memory for pixels, it calls take with
// the number of bytes, and returns its error, if any.
func Decode(data []byte, take func(bytes int64) error) (*image.NRGBA, error) {
	h, err := parse(data)
	if err != nil {
		return nil, err
	}
	blocks := int64((h.width+3)/4) * int64((h.height+3)/4)
	if err := take(4*int64(h.width)*int64(h.height) + blockBytes*blocks); err != nil {
		return nil, err
	}
	switch {
	case h.model == modelETC1S && h.scheme == schemeBasisLZ:
		return decodeETC1S(h)
	case h.model == modelUASTC && h.scheme == schemeNone:
	case h.model == modelUASTC && h.scheme == schemeZstd:
		if h.unpacked != uint64(blockBytes*blocks) {
			return nil, errData
		}
		if h.level, err = unpackZstd(h.level, h.unpacked); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("the texture has the color model %d with scheme %d, which is neither ETC1S nor UASTC", h.model, h.scheme)
	}
	if int64(len(h.level)) != blockBytes*blocks {
		return nil, errData
	}
	return decodeUASTC(h)
}

func unpackZstd(level []byte, size uint64) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(size), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	out, err := d.DecodeAll(level, nil)
	if err != nil {
		return nil, fmt.Errorf("the pixels cannot be decompressed: %w", err)
	}
	return out, nil
}

// parse reads the header, the descriptor of the format and the index of levels.
func parse(data []byte) (*header, error) {
	le := binary.LittleEndian
	if !bytes.HasPrefix(data, []byte(Magic)) {
		return nil, errors.New("the texture is not a KTX2 file")
	}
	if len(data) < headerBytes+levelBytes {
		return nil, errShort
	}
	word := func(at int) uint32 { return le.Uint32(data[at:]) }
	width, height, depth, layers, faces, levels := word(20), word(24), word(28), word(32), word(36), word(40)
	switch {
	case word(12) != 0:
		return nil, fmt.Errorf("the texture has Vulkan format %d, not Basis Universal", word(12))
	case width < 1 || height < 1 || width > maxSide || height > maxSide:
		return nil, fmt.Errorf("the texture has %d x %d pixels; at most %d x %d are allowed", width, height, maxSide, maxSide)
	case depth > 1 || layers > 1 || faces != 1:
		return nil, errors.New("the texture is not two-dimensional")
	case levels > 15:
		return nil, fmt.Errorf("the texture has %d levels", levels)
	}
	h := &header{width: int(width), height: int(height), scheme: word(44), images: int(max(levels, 1))}
	descriptor, ok := part(data, uint64(word(48)), uint64(word(52)))
	if !ok || len(descriptor) < 28 {
		return nil, errShort
	}
	h.model = descriptor[12]
	if samples := descriptor[28:]; len(samples) >= 32 { // 16 bytes each
		h.alpha = samples[16+3]&15 == alphaSample
	}
	if h.global, ok = part(data, le.Uint64(data[64:]), le.Uint64(data[72:])); !ok {
		return nil, errShort
	}
	if h.level, ok = part(data, le.Uint64(data[80:]), le.Uint64(data[88:])); !ok {
		return nil, errShort
	}
	h.unpacked = le.Uint64(data[96:])
	return h, nil
}

// part returns length bytes at offset, if data has them.
func part(data []byte, offset, length uint64) ([]byte, bool) {
	if offset > uint64(len(data)) || length > uint64(len(data))-offset {
		return nil, false
	}
	return data[offset:][:length], true
}

// put stores a block of 4 x 4 pixels; what lies outside of the image is dropped.
func put(m *image.NRGBA, blockX, blockY int, pixels *[16][4]byte) {
	for y := range min(4, m.Rect.Dy()-4*blockY) {
		row := m.Pix[(4*blockY+y)*m.Stride+16*blockX:]
		for x := range min(4, m.Rect.Dx()-4*blockX) {
			copy(row[4*x:], pixels[4*y+x][:])
		}
	}
}

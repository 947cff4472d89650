package gltf

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	glbMagic  = 0x46546C67 // "glTF"
	chunkJSON = 0x4E4F534A
	chunkBIN  = 0x004E4942
)

// container splits a file into its JSON and, for GLB (glTF 2.0 section 4), its binary chunk, which may be nil.
func container(file []byte) (doc, bin []byte, err error) {
	if len(file) < 4 || binary.LittleEndian.Uint32(file) != glbMagic {
		return bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")), nil, nil // a byte order mark is forbidden, and common
	}
	if len(file) < 12 {
		return nil, nil, fmt.Errorf("the header ends after %d of 12 bytes", len(file))
	}
	if v := binary.LittleEndian.Uint32(file[4:]); v != 2 {
		return nil, nil, fmt.Errorf("version %d is not supported, only 2", v)
	}
	length := uint64(binary.LittleEndian.Uint32(file[8:]))
	if length > uint64(len(file)) || length < 12 {
		return nil, nil, fmt.Errorf("the header says %d bytes, the file has %d", length, len(file))
	}
	rest := file[12:length]
	for n := 0; len(rest) > 0; n++ {
		if len(rest) < 8 {
			return nil, nil, fmt.Errorf("chunk %d: the header ends after %d of 8 bytes", n, len(rest))
		}
		size, kind := uint64(binary.LittleEndian.Uint32(rest)), binary.LittleEndian.Uint32(rest[4:])
		if size > uint64(len(rest)-8) {
			return nil, nil, fmt.Errorf("chunk %d: %d bytes do not fit the remaining %d", n, size, len(rest)-8)
		}
		data := rest[8 : 8+size]
		rest = rest[8+size:]
		switch {
		case n == 0 && kind != chunkJSON:
			return nil, nil, fmt.Errorf("the first chunk has the type %#x, not JSON", kind)
		case n > 0 && kind == chunkJSON, n > 1 && kind == chunkBIN:
			return nil, nil, fmt.Errorf("chunk %d: unexpected chunk of type %#x", n, kind)
		case n == 0:
			doc = data
		case n == 1 && kind == chunkBIN:
			bin = data
		}
	}
	if doc == nil {
		return nil, nil, fmt.Errorf("there is no JSON chunk")
	}
	return doc, bin, nil
}

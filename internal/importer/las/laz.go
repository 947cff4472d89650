package las

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/importer"
)

// itemInfo is an item in the record of LASzip.
type itemInfo struct{ kind, size, version int }

// zip is the record of LASzip: how the points are compressed.
type zip struct {
	compressor int
	chunk      uint32 // points; variableChunks = as the table of chunks says
	items      []itemInfo
}

func (z *zip) recordLength() int {
	n := 0
	for _, i := range z.items {
		n += i.size
	}
	return n
}

// Compressors of LASzip.
const (
	compressorOneChunk = 1
	compressorChunks   = 2
	compressorLayers   = 3
)

const variableChunks = math.MaxUint32

// parseZip reads the record, which has the user "laszip encoded" and the number 22204.
func parseZip(b []byte, recordLength int) (*zip, error) {
	const fixed = 34
	if len(b) < fixed {
		return nil, errors.New("the record of LASzip is too short")
	}
	le := binary.LittleEndian
	z := &zip{compressor: int(le.Uint16(b)), chunk: le.Uint32(b[12:])}
	n := int(le.Uint16(b[32:]))
	if b = b[fixed:]; len(b) < 6*n {
		return nil, errors.New("the record of LASzip is too short")
	}
	for k := range n {
		i := itemInfo{int(le.Uint16(b[6*k:])), int(le.Uint16(b[6*k+2:])), int(le.Uint16(b[6*k+4:]))}
		known := newItem(i) != nil
		if z.compressor == compressorLayers {
			known = layers14(i) > 0 && (k == 0) == (i.kind == itemPoint14)
		} else if k == 0 && i.kind != itemPoint10 {
			known = false
		}
		if !known {
			return nil, fmt.Errorf("part %d of its points is of type %d, size %d and version %d, which is not supported (LASzip before 2.0?)",
				k, i.kind, i.size, i.version)
		}
		z.items = append(z.items, i)
	}
	switch {
	case z.compressor < compressorOneChunk || z.compressor > compressorLayers:
		return nil, fmt.Errorf("compressor %d is not known", z.compressor)
	case n == 0 || z.recordLength() != recordLength:
		return nil, fmt.Errorf("the parts of its points have %d bytes, the points %d", z.recordLength(), recordLength)
	case z.chunk == 0 && z.compressor != compressorOneChunk:
		return nil, errors.New("its chunks have no points")
	}
	return z, nil
}

// chunk is points that are compressed together.
type chunk struct {
	data  []byte
	count int64
}

// chunks lists the chunks in what follows the first start bytes of a file.
func (z *zip) chunks(rest []byte, start, points int64) ([]chunk, error) {
	const pointer = 8 // to the table of chunks; then the chunks follow
	le := binary.LittleEndian
	if z.compressor == compressorOneChunk {
		if len(rest) < z.recordLength() {
			return nil, errEnd
		}
		return []chunk{{rest, points}}, nil
	}
	if len(rest) < 2*pointer {
		return nil, errEnd
	}
	table := le.Uint64(rest)
	if table == math.MaxUint64 { // the writer could not go back
		table = le.Uint64(rest[len(rest)-pointer:])
	}
	if table < uint64(start+pointer) || table > uint64(start)+uint64(len(rest)-pointer) {
		return nil, errors.New("the table of chunks lies outside of the file")
	}
	end := int64(table) - start
	n := int64(le.Uint32(rest[end+4:]))
	recordLength := int64(z.recordLength())
	if n > (end-pointer)/recordLength+1 {
		return nil, fmt.Errorf("there is no room for %d chunks", n)
	}
	d, sizes := newDecoder(rest[end+8:]), newIntegers(32, 2)
	at, count, size, left := int64(pointer), int32(0), int32(0), points
	list := make([]chunk, 0, n)
	for i := range n {
		c := chunk{count: min(left, int64(z.chunk))}
		if z.chunk == variableChunks {
			count = sizes.next(d, count, 0)
			c.count = int64(uint32(count))
		}
		size = sizes.next(d, size, 1)
		next := at + int64(uint32(size))
		if c.count > left || next > end || c.count > 0 && next-at < recordLength {
			return nil, fmt.Errorf("chunk %d has %d points in %d bytes, for which there is no room", i, c.count, next-at)
		}
		c.data = rest[at:next]
		if at, left = next, left-c.count; c.count > 0 {
			list = append(list, c)
		}
	}
	if left != 0 {
		return nil, fmt.Errorf("the chunks have %d points, the file %d", points-left, points)
	}
	return list, nil
}

// batchCapacity bounds what is allocated for a chunk before its points are there.
const batchCapacity = 1 << 16

// unpack decompresses a chunk.
func (f *file) unpack(c chunk) (importer.Batch, error) {
	b := newBatch(min(c.count, batchCapacity))
	record := append([]byte(nil), c.data[:f.recordLength]...)
	f.add(&b, f.point(record))
	data := c.data[f.recordLength:]
	if c.count == 1 {
		return b, nil
	}
	if f.zip.compressor == compressorLayers {
		p, err := newPoints14(f.zip.items, record, data)
		if err != nil {
			return b, err
		}
		for range c.count - 1 {
			f.add(&b, p.next())
			if p.ended() {
				return b, errEnd
			}
		}
		return b, nil
	}
	items := make([]item, len(f.zip.items))
	at := 0
	for k, i := range f.zip.items {
		items[k] = newItem(i)
		items[k].init(record[at : at+i.size])
		at += i.size
	}
	d := newDecoder(data)
	for range c.count - 1 {
		at := 0
		for k, i := range f.zip.items {
			items[k].read(d, record[at:at+i.size])
			at += i.size
		}
		if d.ended() {
			return b, errEnd
		}
		f.add(&b, f.point(record))
	}
	return b, nil
}

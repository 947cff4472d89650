package asset

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Kinds of arrays.
const (
	arrayPositions uint8 = iota // 3 x float32
	arrayNormals
	arrayTangents // 4 x float32; of a target 3
	arrayUV0      // 2 x float32
	arrayUV1
	arrayColors  // 4 x float32
	arrayIndices // uint32
	arrayJoints  // 4 x uint16
	arrayWeights // 4 x float32
)

// maxShrink is how far pages and arrays may be compressed, so that a reader makes bounded work and memory of a small file.
const maxShrink = 64

// pad lengthens compressed data to what maxShrink wants, by a frame that decoders skip (RFC 8878 section 3.1.2).
func pad(stored []byte, raw int) []byte {
	n := (raw+maxShrink-1)/maxShrink - len(stored)
	if n <= 0 {
		return stored
	}
	stored = le.AppendUint32(stored, 0x184d2a50)
	stored = le.AppendUint32(stored, uint32(n))
	return append(stored, make([]byte, n)...)
}

// plain writes the arrays of primitives that deform.
func (w *writer) plain(ctx context.Context) error {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }()
	w.out.begin(secPlain)
	for _, g := range w.unique {
		if g.kind != kindPlain {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		p := g.p
		if len(p.Targets) > math.MaxUint16 {
			return fmt.Errorf("asset: a primitive with %d morph targets", len(p.Targets))
		}
		g.array = w.t.count(secArrays)
		if p.IsPoints {
			g.layout = isPoints
		}
		put := func(kind uint8, target int, words []uint32) {
			if len(words) > 0 {
				w.array(z, kind, target, words)
			}
		}
		put(arrayPositions, 0, words(p.Positions))
		put(arrayNormals, 0, words(p.Normals))
		put(arrayTangents, 0, words(p.Tangents))
		put(arrayUV0, 0, words(p.UV0))
		put(arrayUV1, 0, words(p.UV1))
		put(arrayColors, 0, words(p.Colors))
		put(arrayIndices, 0, p.Indices)
		joints := make([]uint32, 0, 2*len(p.Joints))
		for _, j := range p.Joints {
			joints = append(joints, uint32(j[0])|uint32(j[1])<<16, uint32(j[2])|uint32(j[3])<<16)
		}
		put(arrayJoints, 0, joints)
		put(arrayWeights, 0, words(p.Weights))
		for i, t := range p.Targets {
			put(arrayPositions, i+1, words(t.Positions))
			put(arrayNormals, i+1, words(t.Normals))
			put(arrayTangents, i+1, words(t.Tangents))
		}
		g.arrays = w.t.count(secArrays) - g.array
		g.points, g.tris = p.NumPoints(), p.Triangles()
		g.bounds = measure(&scene.Mesh{Primitives: []scene.Primitive{*p}})
	}
	w.out.end()
	return nil
}

// vector is what arrays of several numbers hold.
type vector interface {
	geom.Vec2 | geom.Vec3 | geom.Vec4
}

// words are the bits of vectors.
func words[T vector](vs []T) []uint32 {
	var one T
	out := make([]uint32, 0, len(vs)*len(one))
	for _, v := range vs {
		for k := range len(v) {
			out = append(out, math.Float32bits(v[k]))
		}
	}
	return out
}

// vectors are the vectors whose bits words has, and whether they are whole ones.
func vectors[T vector](words []uint32) ([]T, bool) {
	var one T
	n := len(one)
	out := make([]T, len(words)/n)
	for i := range out {
		for k := range n {
			out[i][k] = math.Float32frombits(words[n*i+k])
		}
	}
	return out, len(words)%n == 0
}

// planes puts the lowest bytes of all words first, then the next ones.
func planes(words []uint32) []byte {
	n := len(words)
	raw := make([]byte, 4*n)
	for i, v := range words {
		raw[i], raw[n+i], raw[2*n+i], raw[3*n+i] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	}
	return raw
}

// shrink compresses, or returns raw itself where that is shorter.
func shrink(z *zstd.Encoder, raw []byte) []byte {
	if stored := pad(z.EncodeAll(raw, nil), len(raw)); len(stored) < len(raw) {
		return stored
	}
	return raw
}

// unshrink is the inverse of planes and shrink; raw is a multiple of 4.
func (f *File) unshrink(stored []byte, raw int64) (words []uint32, err error) {
	b := stored
	if int64(len(stored)) != raw {
		if b, err = f.inflate(stored, make([]byte, 0, raw)); err != nil {
			return nil, err
		}
	}
	n := len(b) / 4
	words = make([]uint32, n)
	for i := range words {
		words[i] = uint32(b[i]) | uint32(b[n+i])<<8 | uint32(b[2*n+i])<<16 | uint32(b[3*n+i])<<24
	}
	return words, nil
}

// array writes one array and its record.
func (w *writer) array(z *zstd.Encoder, kind uint8, target int, words []uint32) {
	raw := planes(words)
	sum := sha256.Sum256(raw)
	w.hash.Write([]byte{kind, byte(target), byte(target >> 8)})
	w.hash.Write(sum[:])
	stored := shrink(z, raw)
	offset := w.out.write(stored)
	e := &w.t.of[secArrays]
	e.u8(kind, 0)
	e.u16(uint16(target))
	e.u32(checksum(stored))
	e.u64(uint64(offset))
	e.u64(uint64(len(stored)))
	e.u64(uint64(len(raw)))
}

// arrayEntry is a record of the directory of arrays.
type arrayEntry struct {
	kind                uint8
	target              uint16
	crc                 uint32
	offset, stored, raw int64
}

func getArray(b []byte) (a arrayEntry) {
	d := decoder{b}
	a.kind = d.u8()
	d.u8()
	a.target, a.crc = d.u16(), d.u32()
	a.offset, a.stored, a.raw = int64(d.u64()), int64(d.u64()), int64(d.u64())
	return a
}

// readArray returns the words of an array.
func (f *File) readArray(ctx context.Context, a arrayEntry) ([]uint32, error) {
	s := f.h.find(secPlain)
	if a.offset < 0 || a.stored < 0 || a.offset > s.length || a.stored > s.length-a.offset {
		return nil, damaged("an array lies outside of its section")
	}
	if a.raw < 4 || a.raw%4 != 0 || a.raw > a.stored*maxShrink {
		return nil, damaged("an array of %d bytes in %d", a.raw, a.stored)
	}
	stored := make([]byte, a.stored)
	if err := f.read(ctx, stored, s.offset+a.offset); err != nil {
		return nil, err
	}
	if checksum(stored) != a.crc {
		return nil, damaged("the checksum of an array is wrong")
	}
	return f.unshrink(stored, a.raw)
}

// inflate decompresses zstd to exactly the capacity of dst.
func (f *File) inflate(src, dst []byte) ([]byte, error) {
	out, err := f.zstd.DecodeAll(src, dst)
	if err != nil {
		return nil, damaged("%v", err)
	}
	if len(out) != cap(dst) {
		return nil, damaged("%d bytes where %d should be", len(out), cap(dst))
	}
	return out, nil
}

// readPlain fills a primitive with its arrays.
func (f *File) readPlain(ctx context.Context, p *scene.Primitive, arrays []arrayEntry, targets int) error {
	if targets > 0 {
		p.Targets = make([]scene.MorphTarget, targets)
	}
	for _, a := range arrays {
		words, err := f.readArray(ctx, a)
		if err != nil {
			return err
		}
		if int(a.target) > targets {
			return damaged("a morph target that does not exist")
		}
		ok := false
		if a.target > 0 {
			t := &p.Targets[a.target-1]
			switch a.kind {
			case arrayPositions:
				t.Positions, ok = vectors[geom.Vec3](words)
			case arrayNormals:
				t.Normals, ok = vectors[geom.Vec3](words)
			case arrayTangents:
				t.Tangents, ok = vectors[geom.Vec3](words)
			}
		} else {
			ok = setArray(p, a.kind, words)
		}
		if !ok {
			return damaged("an array of kind %d and %d words", a.kind, len(words))
		}
	}
	return nil
}

// setArray makes words an attribute.
func setArray(p *scene.Primitive, kind uint8, words []uint32) (ok bool) {
	switch kind {
	case arrayPositions:
		p.Positions, ok = vectors[geom.Vec3](words)
	case arrayNormals:
		p.Normals, ok = vectors[geom.Vec3](words)
	case arrayTangents:
		p.Tangents, ok = vectors[geom.Vec4](words)
	case arrayUV0:
		p.UV0, ok = vectors[geom.Vec2](words)
	case arrayUV1:
		p.UV1, ok = vectors[geom.Vec2](words)
	case arrayColors:
		p.Colors, ok = vectors[geom.Vec4](words)
	case arrayWeights:
		p.Weights, ok = vectors[geom.Vec4](words)
	case arrayIndices:
		p.Indices, ok = words, true
	case arrayJoints:
		p.Joints, ok = make([][4]uint16, len(words)/2), len(words)%2 == 0
		for i := range p.Joints {
			a, b := words[2*i], words[2*i+1]
			p.Joints[i] = [4]uint16{uint16(a), uint16(a >> 16), uint16(b), uint16(b >> 16)}
		}
	}
	return ok
}

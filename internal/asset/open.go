package asset

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// File is an open asset. It is safe for concurrent use.
type File struct {
	src     Source
	closer  io.Closer // nil = the caller's
	h       *header
	ahead   []byte // what was read with the tables
	aheadAt int64

	zstd     *zstd.Decoder
	decoders sync.Pool // of *pageDecoder

	model      *scene.Model
	info       infoRecord
	textures   []*scene.Texture
	entries    []textureEntry // of textures
	geometries []geometryEntry
	pages      []mesh.PageInfo
	places     []pagePlace
	groupsOf   [][]groupRef // of each page, in the order of its contents
	collisions []collisionEntry
	levels     int
}

// geometryEntry is a record of the table of geometries, checked.
type geometryEntry struct {
	kind   uint8
	layout layout
	frame  frame
	paged  *mesh.Paged
	plain  scene.Primitive
	box    geom.AABB
	solid  uint32
}

// pagePlace says where a page is and how to decode it.
type pagePlace struct {
	offset            int64
	stored, raw, crc  uint32
	vertices, corners uint32
	layout            layout
	level             uint8
}

// groupRef names a group of the file.
type groupRef struct{ geometry, group uint32 }

// maxTables bounds the tables, which a reader has in memory: enough for some thousand million triangles.
const maxTables = 4 << 30

// Open reads and checks the header and the tables. The caller keeps src open until after Close.
func Open(ctx context.Context, src Source, o OpenOptions) (*File, error) {
	f := &File{src: src}
	f.decoders.New = func() any { return new(pageDecoder) }
	size := src.Size()
	b := make([]byte, min(max(size, 0), headerBytes))
	if err := f.readSource(ctx, b, 0); err != nil {
		return nil, err
	}
	var err error
	if f.h, err = parseHeader(b, size); err != nil {
		return nil, err
	}
	if size-f.h.tables > maxTables {
		return nil, damaged("tables of %d bytes", size-f.h.tables)
	}
	f.aheadAt = f.h.tables
	if size-f.h.first <= o.ReadAhead {
		f.aheadAt = f.h.first
	}
	if f.ahead, err = f.readAll(ctx, f.aheadAt, size-f.aheadAt); err != nil {
		return nil, err
	}
	if f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true)); err != nil {
		return nil, err
	}
	r := tableReader{ctx: ctx, f: f, tables: f.ahead[f.h.tables-f.aheadAt:]}
	if err := r.read(); err != nil {
		f.zstd.Close()
		return nil, err
	}
	// The rest is in structures now.
	f.ahead = f.ahead[:f.h.tables-f.aheadAt]
	f.ahead = slices.Clone(f.ahead)
	return f, nil
}

// readAll reads a part of the source in pieces, so that memory grows no faster than what comes.
func (f *File) readAll(ctx context.Context, offset, length int64) ([]byte, error) {
	const piece = 32 << 20
	var b []byte
	for length > 0 {
		n := min(length, piece)
		at := len(b)
		b = slices.Grow(b, int(n))[:at+int(n)]
		if err := f.readSource(ctx, b[at:], offset); err != nil {
			return nil, err
		}
		offset += n
		length -= n
	}
	return b, nil
}

// contextReader is what sources over a network should be.
type contextReader interface {
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
}

func (f *File) readSource(ctx context.Context, p []byte, offset int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(p) == 0 {
		return nil
	}
	var n int
	var err error
	if src, ok := f.src.(contextReader); ok {
		n, err = src.ReadAtContext(ctx, p, offset)
	} else {
		n, err = f.src.ReadAt(p, offset)
	}
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("asset: %w", err)
}

// read fills p from the file, without a request where it was read with the tables.
func (f *File) read(ctx context.Context, p []byte, offset int64) error {
	if at := offset - f.aheadAt; at >= 0 && at+int64(len(p)) <= int64(len(f.ahead)) {
		copy(p, f.ahead[at:])
		return nil
	}
	return f.readSource(ctx, p, offset)
}

// Model returns the model; it is the same one at every call. Primitives have Paged, a *mesh.Paged with f as its Source;
// primitives that deform have plain arrays. Textures hold their small mips only, as a texture of that size, until
// LoadTextures.
func (f *File) Model() *scene.Model { return f.model }

// Pages implements mesh.PageSource.
func (f *File) Pages() []mesh.PageInfo { return f.pages }

// ReadPage implements mesh.PageSource.
func (f *File) ReadPage(ctx context.Context, i int, dst mesh.Page) error {
	if i < 0 || i >= len(f.places) {
		return fmt.Errorf("asset: page %d of %d", i, len(f.places))
	}
	p, info := &f.places[i], &f.pages[i]
	for _, s := range []struct{ have, want int }{
		{len(dst.Positions), int(3 * info.Vertices)}, {len(dst.Surface), int(4 * info.Vertices)},
		{len(dst.Detail), int(4 * info.Vertices)}, {len(dst.UV1), int(2 * info.Vertices)}, {len(dst.Triangles), int(info.Triangles)},
	} {
		if s.have != 0 && s.have != s.want {
			return fmt.Errorf("asset: room for %d numbers of a page, which has %d", s.have, s.want)
		}
	}
	d := f.decoders.Get().(*pageDecoder)
	defer f.decoders.Put(d)
	d.stored = slices.Grow(d.stored[:0], int(p.stored))[:p.stored]
	if err := f.read(ctx, d.stored, p.offset); err != nil {
		return err
	}
	if checksum(d.stored) != p.crc {
		return damaged("the checksum of page %d is wrong", i)
	}
	raw := d.stored
	if p.stored != p.raw {
		d.raw = slices.Grow(d.raw[:0], int(p.raw))
		var err error
		if raw, err = f.inflate(d.stored, d.raw[:0:p.raw]); err != nil {
			return err
		}
	}
	d.clusters = d.clusters[:0]
	for _, ref := range f.groupsOf[i] {
		g := &f.geometries[ref.geometry]
		group := &g.paged.Groups[ref.group]
		for _, c := range g.paged.Clusters[group.FirstCluster:][:group.Clusters] {
			d.clusters = append(d.clusters, pageCluster{uint8(c.Vertices), uint8(c.Triangles), g.frame})
		}
	}
	return d.decode(raw, p.layout, d.clusters, dst)
}

// Verify reads the whole file: every checksum, every page, every texture.
func (f *File) Verify(ctx context.Context) error {
	buf := make([]byte, 1<<20)
	for _, s := range f.h.sections {
		var crc uint32
		for at := int64(0); at < s.length; at += int64(len(buf)) {
			b := buf[:min(int64(len(buf)), s.length-at)]
			if err := f.readSource(ctx, b, s.offset+at); err != nil {
				return err
			}
			crc = crc32.Update(crc, crc32.MakeTable(crc32.Castagnoli), b)
		}
		if crc != s.crc {
			return damaged("the checksum of %v is wrong", s.id)
		}
	}
	var page pageBuffer
	for i := range f.pages {
		if err := f.ReadPage(ctx, i, page.room(f.pages[i])); err != nil {
			return err
		}
	}
	for i := range f.collisions {
		if _, err := f.readCollision(ctx, i); err != nil {
			return err
		}
	}
	for i := range f.entries {
		if _, err := f.readLevels(ctx, &f.entries[i], 0); err != nil {
			return err
		}
	}
	return nil
}

// pageBuffer is memory for one page at a time.
type pageBuffer struct{ page mesh.Page }

// room returns slices for a page, which are those of the last call where they are large enough.
func (b *pageBuffer) room(i mesh.PageInfo) mesh.Page {
	v := int(i.Vertices)
	p := &b.page
	p.Positions = slices.Grow(p.Positions[:0], 3*v)[:3*v]
	p.Surface = slices.Grow(p.Surface[:0], 4*v)[:4*v]
	p.Triangles = slices.Grow(p.Triangles[:0], int(i.Triangles))[:i.Triangles]
	out := mesh.Page{Positions: p.Positions, Surface: p.Surface, Triangles: p.Triangles}
	if i.Detail {
		p.Detail = slices.Grow(p.Detail[:0], 4*v)[:4*v]
		out.Detail = p.Detail
	}
	if i.UV1 {
		p.UV1 = slices.Grow(p.UV1[:0], 2*v)[:2*v]
		out.UV1 = p.UV1
	}
	return out
}

// Close ends the use of the file. Nothing of it may be in use any more.
func (f *File) Close() error {
	f.zstd.Close()
	if f.closer != nil {
		return f.closer.Close()
	}
	return nil
}

// source is a Source that OpenFile closes.
type source interface {
	Source
	io.Closer
}

// OpenFile opens a local file, as a map of it in memory where the system has that. Nobody may write to it before Close.
func OpenFile(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("asset: %w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("asset: %w", err)
	}
	src, err := mapFile(file, st.Size())
	if err != nil {
		return nil, err
	}
	f, err := Open(context.Background(), src, OpenOptions{})
	if err != nil {
		src.Close()
		return nil, err
	}
	f.closer = src
	return f, nil
}

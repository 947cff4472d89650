package asset

import (
	"context"
	"crypto/sha256"
	"fmt"
	"image"

	"github.com/heliograph/heliograph/internal/bcn"
	"github.com/heliograph/heliograph/internal/scene"
)

// smallMip is the greatest side of the mips that lie together near the tables, so that all textures are there, coarsely,
// after one read.
const smallMip = 64

// maxSide is the greatest side of a texture.
const maxSide = 1 << 15

// levelRange is where in the table of levels the mips of some pixels are.
type levelRange struct {
	first, count  uint32
	format        uint8
	width, height uint32
}

// textures encodes and writes all textures, equal ones once.
func (w *writer) textures(ctx context.Context) error {
	uses := map[*scene.Texture]textureUse{}
	for _, m := range w.t.list {
		eachTexture(m, func(r *scene.TextureRef, use textureUse) { uses[r.Texture] |= use })
	}
	var total, done float64
	for _, t := range w.t.textures {
		width, height := textureSize(t)
		total += float64(width) * float64(height)
	}
	stored := map[[sha256.Size]byte]levelRange{}
	w.out.begin(secTexels)
	for _, t := range w.t.textures {
		if err := ctx.Err(); err != nil {
			return err
		}
		width, height := textureSize(t)
		if width < 1 || height < 1 || width > maxSide || height > maxSide {
			return fmt.Errorf("asset: texture %q has %d x %d pixels", t.Name, width, height)
		}
		use := uses[t]
		key := texelIdentity(t, use)
		r, ok := stored[key]
		if !ok {
			var err error
			if r, err = w.levels(t, use); err != nil {
				return err
			}
			stored[key] = r
			w.sum.Textures++
		}
		e := &w.t.of[secTextures]
		e.u32(w.t.str(t.Name), r.width, r.height)
		e.u8(r.format, uint8(t.WrapU), uint8(t.WrapV))
		e.bool(t.Nearest)
		e.u32(r.first, r.count)
		done += float64(width) * float64(height)
		w.o.Progress(StageTextures, done/total)
	}
	w.out.end()
	return nil
}

func textureSize(t *scene.Texture) (width, height int) {
	switch {
	case t.Blocks != nil:
		return t.Blocks.Width, t.Blocks.Height
	case t.Image != nil:
		return t.Image.Rect.Dx(), t.Image.Rect.Dy()
	}
	return 0, 0
}

// texelIdentity is equal for textures whose mips are the same.
func texelIdentity(t *scene.Texture, use textureUse) (key [sha256.Size]byte) {
	sum := sha256.New()
	var e encoder
	width, height := textureSize(t)
	e.u32(uint32(width), uint32(height))
	if t.Blocks != nil {
		e.u8(uint8(t.Blocks.Format))
		sum.Write(e.b)
		for _, l := range t.Blocks.Levels {
			sum.Write(l)
		}
	} else {
		e.u8(0, uint8(use))
		sum.Write(e.b)
		for y := range height {
			sum.Write(t.Image.Pix[y*t.Image.Stride:][:4*width])
		}
	}
	sum.Sum(key[:0])
	return key
}

// levels encodes one texture and writes its mips.
func (w *writer) levels(t *scene.Texture, use textureUse) (levelRange, error) {
	r := levelRange{first: w.t.count(secLevels)}
	if t.Blocks == nil && w.o.RawTextures {
		width, height := textureSize(t)
		r.width, r.height, r.count, r.format = uint32(width), uint32(height), 1, formatRGBA8
		pix := make([]byte, 0, 4*width*height)
		for y := range height {
			pix = append(pix, t.Image.Pix[y*t.Image.Stride:][:4*width]...)
		}
		w.level(pix, width, height)
		return r, nil
	}
	b := t.Blocks
	if b == nil {
		normal := use == useNormal
		b = bcn.Encode(t.Image, bcn.FormatFor(t.Image, normal), bcn.Options{SRGB: use&useColor != 0, Normal: normal, Threads: w.o.Threads})
	}
	r.format, r.width, r.height, r.count = uint8(b.Format), uint32(b.Width), uint32(b.Height), uint32(len(b.Levels))
	if bcn.BlockBytes(b.Format) == 0 || len(b.Levels) != bcn.Levels(b.Width, b.Height) {
		return r, fmt.Errorf("asset: texture %q has format %d and %d mips", t.Name, b.Format, len(b.Levels))
	}
	for i, l := range b.Levels {
		width, height := bcn.LevelSize(b.Width, b.Height, i)
		if len(l) != bcn.LevelBytes(b.Format, width, height) {
			return r, fmt.Errorf("asset: mip %d of texture %q has %d bytes", i, t.Name, len(l))
		}
		w.level(l, width, height)
	}
	return r, nil
}

// level writes one mip and its record.
func (w *writer) level(b []byte, width, height int) {
	w.hash.Write(b)
	var offset uint64
	if max(width, height) <= smallMip {
		offset = uint64(len(w.mips)) | highBit
		w.mips = append(w.mips, b...)
	} else {
		offset = uint64(w.out.write(b))
	}
	e := &w.t.of[secLevels]
	e.u64(offset)
	e.u32(checksum(b), 0)
}

// levelBytes is the size of one mip in the file.
func levelBytes(format uint8, width, height int) int {
	if format == formatRGBA8 {
		return 4 * width * height
	}
	return bcn.LevelBytes(scene.BlockFormat(format), width, height)
}

// textureEntry is a record of the table of textures, checked.
type textureEntry struct {
	format        uint8
	width, height int
	levels        []levelEntry
}

// levelEntry says where in the file a mip is.
type levelEntry struct {
	offset int64
	crc    uint32
}

// readLevels reads mips from level first on.
func (f *File) readLevels(ctx context.Context, e *textureEntry, first int) (levels [][]byte, err error) {
	for i := first; i < len(e.levels); i++ {
		w, h := bcn.LevelSize(e.width, e.height, i)
		b := make([]byte, levelBytes(e.format, w, h))
		if err := f.read(ctx, b, e.levels[i].offset); err != nil {
			return nil, err
		}
		if checksum(b) != e.levels[i].crc {
			return nil, damaged("the checksum of a mip of %d x %d pixels is wrong", w, h)
		}
		levels = append(levels, b)
	}
	return levels, nil
}

// fill reads a texture from the mip that is at most maxSide wide and high.
func (f *File) fill(ctx context.Context, t *scene.Texture, e *textureEntry, maxSide int) error {
	if e.format == formatRGBA8 {
		if max(e.width, e.height) > maxSide {
			t.Image = image.NewNRGBA(image.Rect(0, 0, 1, 1))
			copy(t.Image.Pix, []byte{255, 255, 255, 255})
			return nil
		}
		levels, err := f.readLevels(ctx, e, 0)
		if err != nil {
			return err
		}
		t.Image = &image.NRGBA{Pix: levels[0], Stride: 4 * e.width, Rect: image.Rect(0, 0, e.width, e.height)}
		return nil
	}
	first := 0
	for max(e.width>>first, e.height>>first) > maxSide {
		first++
	}
	levels, err := f.readLevels(ctx, e, first)
	if err != nil {
		return err
	}
	w, h := bcn.LevelSize(e.width, e.height, first)
	t.Blocks = &scene.Blocks{Format: scene.BlockFormat(e.format), Width: w, Height: h, Levels: levels}
	return nil
}

// fillAll reads all textures of the model from the mips that are at most maxSide wide and high. Those that share their mips in
// the file share them in memory.
func (f *File) fillAll(ctx context.Context, maxSide int, progress func(done float64)) error {
	filled := map[*levelEntry]*scene.Texture{}
	for i, t := range f.textures {
		e := &f.entries[i]
		if twin := filled[&e.levels[0]]; twin != nil {
			t.Blocks, t.Image = twin.Blocks, twin.Image
		} else if err := f.fill(ctx, t, e, maxSide); err != nil {
			return err
		}
		filled[&e.levels[0]] = t
		if progress != nil {
			progress(float64(i+1) / float64(len(f.textures)))
		}
	}
	return nil
}

// LoadTextures reads all mips of all textures into the model. It must have returned before the model is given to a renderer;
// progress may be nil.
func (f *File) LoadTextures(ctx context.Context, progress func(done float64)) error {
	return f.fillAll(ctx, maxSide, progress)
}

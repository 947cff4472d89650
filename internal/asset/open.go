package asset

import (
	"context"
	"errors"
	"os"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// Write builds the hierarchies of m's primitives, encodes its textures and writes an asset to dst, which is empty. Equal
// models and options give equal bytes. What it has written is no asset if it fails.
func Write(ctx context.Context, dst *os.File, m *scene.Model, o WriteOptions) (Summary, error) {
	return Summary{}, errors.ErrUnsupported
}

// File is an open asset. It is safe for concurrent use.
type File struct {
	src   Source
	pages []mesh.PageInfo
	model *scene.Model
}

// Open reads and checks the header and the tables. The caller keeps src open until after Close.
func Open(src Source, o OpenOptions) (*File, error) { return nil, errors.ErrUnsupported }

// OpenFile opens a local file. Close ends it.
func OpenFile(path string) (*File, error) { return nil, errors.ErrUnsupported }

// Model returns the model; it is the same one at every call. Primitives have Paged, a *mesh.Paged with f as its Source;
// primitives that deform have plain arrays. Textures hold their small mips only, as a texture of that size, until
// LoadTextures.
func (f *File) Model() *scene.Model { return f.model }

// LoadTextures reads all mips of all textures into the model. It must have returned before the model is given to a renderer;
// progress may be nil.
func (f *File) LoadTextures(ctx context.Context, progress func(done float64)) error {
	return errors.ErrUnsupported
}

// ReadTexture reads a texture of the model from the mip that is at most maxSide wide and high, 0 = all mips. It changes nothing
// in the model.
func (f *File) ReadTexture(ctx context.Context, t *scene.Texture, maxSide int) (*scene.Blocks, error) {
	return nil, errors.ErrUnsupported
}

// Pages implements mesh.PageSource.
func (f *File) Pages() []mesh.PageInfo { return f.pages }

// RootPages lists the pages with the coarsest level of everything, which the first picture needs. They lie together in the file.
func (f *File) RootPages() []int { return nil }

// PageRange says where a page is in the source, for readers that fetch neighbours together.
func (f *File) PageRange(i int) (offset, length int64) { return 0, 0 }

// ReadPage implements mesh.PageSource.
func (f *File) ReadPage(ctx context.Context, i int, dst mesh.Page) error {
	return errors.ErrUnsupported
}

// Info describes the asset.
func (f *File) Info() Info { return Info{} }

// Verify reads the whole file: every checksum, every page, every texture.
func (f *File) Verify(ctx context.Context) error { return errors.ErrUnsupported }

// Close ends the use of the file. Nothing of it may be in use any more.
func (f *File) Close() error { return nil }

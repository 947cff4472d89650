// Package fbx imports FBX models as scene.Model: versions 3000 to 7.7, binary of both byte orders and ASCII. It reads only
// what its source allows, trusts no number in a file, and does no network I/O and no drawing.
//
// Lengths become metres by UnitScaleFactor, in vertices and transforms alike. Where the axes of the file are not right +X,
// up +Y, front +Z, one node above all others turns them. Nodes keep the hierarchy of the models, with pivots and geometric
// transforms worked in; several models may share a mesh. A model that inherits scale in another way than matrices do becomes
// two nodes where there are animations (see split). Animations are sampled at keys and frames. What glTF has no word for is
// approximated or left out with a warning: NURBS and patches, dual quaternion skinning, levels of detail but the first, hidden
// models. Subdivision surfaces are shown as their control meshes.
package fbx

import (
	"context"
	"image"
	"io"
	"strconv"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity that says why; one over
// the budget has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "FBX", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

// loader is the state of one import.
type loader struct {
	*document
	ctx      context.Context //nolint:containedctx // lives for one import only
	opts     importer.Options
	warnings importer.Warnings
	model    *scene.Model
	unit     float64 // metres
	placed   []placed
	at       map[*object]int // of a model: its index into placed
	surfaces map[surfaceKey]*surface
	meshes   map[string]int // what makes a mesh -> its index into Model.Meshes

	textures  *importer.Textures
	images    map[*object]*image.NRGBA // that textures hold within the file
	made      map[textureKey]*scene.Texture
	modes     map[*image.NRGBA]scene.AlphaMode // of images with an opacity
	materials map[string]*scene.Material       // by what makes them

	cut     importer.Triangulator
	drawn   int64 // triangles, once per instance
	curves  map[*node]*curve
	samples int // of all channels of animations
}

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	data := src.Data
	if data == nil {
		data = make([]byte, in.Size)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, err
		}
	}
	budget := new(importer.Budget)
	budget.Set(opts.Memory() - int64(len(data)))
	f, err := parse(data, budget)
	if err != nil {
		return nil, err
	}
	d, err := newDocument(f)
	if err != nil {
		return nil, err
	}
	l := &loader{
		document: d, ctx: ctx, opts: opts, model: &scene.Model{Name: src.ModelName()},
		surfaces: map[surfaceKey]*surface{}, meshes: map[string]int{},
		images: map[*object]*image.NRGBA{}, modes: map[*image.NRGBA]scene.AlphaMode{}, curves: map[*node]*curve{},
		made: map[textureKey]*scene.Texture{}, materials: map[string]*scene.Material{},
	}
	l.textures = importer.NewTextures(src, opts, in.Size, &l.warnings)
	if err := l.hierarchy(); err != nil {
		return nil, err
	}
	l.model.Source = l.source()
	l.model.Warnings, l.model.MissingTextures = l.warnings.List(), l.textures.Missing()
	return l.model, importer.Finish(l.model)
}

// source says what the file is and what wrote it.
func (l *loader) source() scene.SourceInfo {
	s := scene.SourceInfo{Format: "FBX ASCII", FormatVersion: strconv.Itoa(l.version), Generator: l.creator(), GammaSpaceColors: true}
	if l.binary {
		s.Format = "FBX binary"
	}
	return s
}

// Package xyz imports clouds of points as text: a point a line. It trusts no number in a file, and does no network I/O and
// no drawing.
//
// A line has the columns x y z, optionally followed by an intensity, by a colour, or by both, and by a normal: x y z i,
// x y z r g b, x y z nx ny nz, x y z i r g b, x y z r g b i, x y z r g b nx ny nz, or x y z nx ny nz r g b. The first
// points tell which; a line of names above them ("X Y Z Red Green Blue", also after # or //) settles it. Columns are
// separated by blanks and tabs, or by commas, or by semicolons. Lines that begin with # or // are comments. A .pts file
// may begin each of its scans with the number of its points.
//
// Coordinates are taken as metres, +Y up, as given. Colours are sRGB, of 0..1, 0..255 or 0..65535 by the greatest of them;
// without colours the intensity becomes grey. A line that does not fit the first ones is an error that names it, never a
// wrong point.
package xyz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// blockBytes is how much text is parsed at once, and so the longest line.
const blockBytes = 1 << 20

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity that names the line;
// one over the budget has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "point text", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

// block is whole lines of the file.
type block struct {
	text []byte
	line int // number of the first one
}

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	blocks := splitter{in: in, line: 1}
	first, more, err := blocks.next()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, importer.ErrNoPoints
	}
	l, err := detect(first, strings.EqualFold(path.Ext(src.Name), ".pts"))
	if err != nil {
		return nil, err
	}
	cloud := importer.NewCloud(opts, in.Size/max(1, int64(l.lineBytes)))
	started := false
	next := func() (block, bool, error) {
		if !started {
			started = true
			return first, true, nil
		}
		return blocks.next()
	}
	if err := importer.Ordered(ctx, next, l.parse, cloud.Append); err != nil {
		return nil, err
	}
	if err := cloud.Done(); err != nil {
		return nil, err
	}
	switch {
	case l.colored:
		cloud.Scale(geom.Vec3{}, importer.ColorRange(cloud.MaxColor()))
	case l.shaded:
		cloud.Stretch()
	}
	return importer.CloudModel(src.ModelName(), cloud, scene.SourceInfo{Format: "XYZ", GammaSpaceColors: true}, &importer.Warnings{})
}

// splitter cuts the file into blocks that end with a line.
type splitter struct {
	in   *importer.Stream
	line int
	rest []byte
	end  bool
}

func (s *splitter) next() (block, bool, error) {
	if s.end {
		return block{}, false, nil
	}
	text := make([]byte, min(blockBytes, int64(len(s.rest))+s.in.Size-s.in.Offset()+1))
	n := copy(text, s.rest)
	read, err := io.ReadFull(s.in, text[n:])
	text = text[:n+read]
	b := block{line: s.line}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		s.end = true
		b.text = text
	case err != nil:
		return b, false, err
	default:
		i := bytes.LastIndexByte(text, '\n')
		if i < 0 {
			return b, false, fmt.Errorf("line %d is longer than %d bytes", s.line, blockBytes)
		}
		b.text, s.rest = text[:i+1], text[i+1:]
	}
	s.line += bytes.Count(b.text, []byte{'\n'})
	return b, len(b.text) > 0, nil
}

package importer

import (
	"errors"
	"fmt"
	"image"
	"path"
	"strings"
)

// NoTransform is the matrix of a scene.TextureRef whose UVs are used as they are.
var NoTransform = [6]float32{1, 0, 0, 0, 1, 0}

// Textures loads the images that a model names. One that cannot be had is a warning, not an error: its surface shows its
// plain colour.
type Textures struct {
	src      Source
	left     int64 // bytes of files that may still be read
	budget   Budget
	warnings *Warnings
	images   map[string]*image.NRGBA
}

// NewTextures returns a loader for a model whose main file has so many bytes.
func NewTextures(src Source, opts Options, input int64, w *Warnings) *Textures {
	t := &Textures{src: src, left: opts.memory() - input, warnings: w, images: map[string]*image.NRGBA{}}
	t.budget.Set(ImageBudget(opts.memory(), input))
	return t
}

// Load returns the image of that name, nil where there is none. An absolute path, which is that of the author's machine,
// means the file of that name beside the model.
func (t *Textures) Load(name string) *image.NRGBA {
	if im, ok := t.images[name]; ok {
		return im
	}
	t.images[name] = nil
	file := strings.ReplaceAll(name, `\`, "/")
	if path.IsAbs(file) || len(file) > 2 && file[1] == ':' {
		file = path.Base(file)
	}
	data, err := t.src.Resolve(file, t.left)
	if errors.Is(err, ErrNoFile) {
		t.warnings.Add(fmt.Sprintf("Missing texture: %.200q is not beside the model.", name))
		return nil
	}
	var im *image.NRGBA
	if err == nil {
		t.left -= int64(len(data))
		im, err = DecodeImage(data, &t.budget)
	}
	if err != nil {
		t.warnings.Add(fmt.Sprintf("The texture %.200q is left out: %v.", name, err))
		return nil
	}
	t.images[name] = im
	return im
}

// Derive returns the image that f makes of others, of so many pixels; nil with a warning where it would take too much.
// name says what it is, the same for the same image.
func (t *Textures) Derive(name string, pixels int, f func() *image.NRGBA) *image.NRGBA {
	key := "derived: " + name
	if im, ok := t.images[key]; ok {
		return im
	}
	t.images[key] = nil
	if err := t.budget.Take(4 * int64(pixels)); err != nil {
		t.warnings.Add(fmt.Sprintf("The texture %.200q is left out: %v.", name, err))
		return nil
	}
	t.images[key] = f()
	return t.images[key]
}

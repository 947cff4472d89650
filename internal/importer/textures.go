package importer

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/heliograph/heliograph/internal/scene"
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
	absent   map[string]bool // names that lead to no file
	missing  []scene.MissingTexture
	opaque   map[*image.NRGBA]bool // what is known of images that many materials share
	grey     map[*image.NRGBA]bool
}

// NewTextures returns a loader for a model whose main file has so many bytes.
func NewTextures(src Source, opts Options, input int64, w *Warnings) *Textures {
	t := &Textures{
		src: src, left: opts.Memory() - input, warnings: w, images: map[string]*image.NRGBA{}, absent: map[string]bool{},
		opaque: map[*image.NRGBA]bool{}, grey: map[*image.NRGBA]bool{},
	}
	t.budget.Set(ImageBudget(opts.Memory(), input))
	return t
}

// Load returns the image that a material names, nil where there is none. The name is a path as the author's machine had it:
// of its ever shorter ends, relative to the folder of the model, the longest that exists counts (ARR, "Convert models").
// Where it leads nowhere, the other names of the same file are tried.
func (t *Textures) Load(material, name string, others ...string) *image.NRGBA {
	if t.absent[name] {
		t.miss(name, material)
	}
	if im, ok := t.images[name]; ok {
		return im
	}
	t.images[name] = nil
	data, err := t.find(name)
	for i := 0; i < len(others) && errors.Is(err, ErrNoFile); i++ {
		data, err = t.find(others[i])
	}
	if errors.Is(err, ErrNoFile) {
		t.absent[name] = true
		t.miss(name, material)
		t.warnings.Add(fmt.Sprintf("Missing texture: %.200q is not beside the model.", name))
		return nil
	}
	if err == nil {
		t.left -= int64(len(data))
	}
	return t.decode(name, data, err)
}

// Embedded returns the image of a file that the model itself holds under a name.
func (t *Textures) Embedded(name string, data []byte) *image.NRGBA {
	if im, ok := t.images[name]; ok {
		return im
	}
	t.images[name] = nil
	return t.decode(name, data, nil)
}

func (t *Textures) decode(name string, data []byte, err error) *image.NRGBA {
	var im *image.NRGBA
	if err == nil {
		im, err = DecodeImage(data, &t.budget)
	}
	if err != nil {
		t.warnings.Add(fmt.Sprintf("The texture %.200q is left out: %v.", name, err))
		return nil
	}
	t.images[name] = im
	return im
}

// Missing lists the textures that were not there, once for each material that names them.
func (t *Textures) Missing() []scene.MissingTexture { return t.missing }

func (t *Textures) miss(name, material string) {
	m := scene.MissingTexture{Texture: name, Material: material}
	for _, have := range t.missing {
		if have == m {
			return
		}
	}
	if len(t.missing) < maxWarnings {
		t.missing = append(t.missing, m)
	}
}

// maxParts is how many folders of a path are tried.
const maxParts = 32

// find reads the file that a path leads to.
func (t *Textures) find(name string) ([]byte, error) {
	if strings.Contains(name, "://") || strings.HasPrefix(name, "data:") {
		return t.src.Resolve(name, t.left)
	}
	if t.src.Root == nil {
		return nil, ErrNoFile
	}
	names := []string{name}
	if plain, err := url.PathUnescape(name); err == nil && plain != name {
		names = append(names, plain) // some exporters escape
	}
	for _, n := range names {
		n = strings.ReplaceAll(n, `\`, "/")
		if len(n) > 1 && n[1] == ':' { // a drive
			n = n[2:]
		}
		parts := strings.FieldsFunc(n, func(r rune) bool { return r == '/' })
		for i := max(0, len(parts)-maxParts); i < len(parts); i++ {
			full := path.Join(path.Dir(t.src.Name), path.Join(parts[i:]...))
			if !fs.ValidPath(full) || full == "." {
				continue // it leads out of the root
			}
			data, err := t.src.Read(full, t.left)
			if !errors.Is(err, ErrNoFile) {
				return data, err
			}
		}
	}
	return nil, ErrNoFile
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

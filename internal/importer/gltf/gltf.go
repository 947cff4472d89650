// Package gltf imports glTF 2.0 (.gltf and .glb) as scene.Model. It reads only what Source allows, trusts no number in a
// file, and bounds its memory by what the file really contains. It does no network I/O and no drawing.
package gltf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// A file may decode to so many times its own size; without such a bound a few bytes that declare a billion zeros, or
// use one accessor a thousand times, would be a bomb. Real files stay below a tenth of it.
const (
	freeGeometry    = 64 << 20
	geometryPerByte = 256
)

// supported lists the extensions this importer implements.
var supported = []string{
	"EXT_mesh_gpu_instancing", "EXT_meshopt_compression", "EXT_texture_webp", "KHR_draco_mesh_compression", "KHR_lights_punctual",
	"KHR_materials_anisotropy", "KHR_materials_clearcoat", "KHR_materials_dispersion", "KHR_materials_emissive_strength",
	"KHR_materials_ior", "KHR_materials_iridescence", "KHR_materials_pbrSpecularGlossiness", "KHR_materials_sheen",
	"KHR_materials_specular", "KHR_materials_transmission", "KHR_materials_unlit", "KHR_materials_variants", "KHR_materials_volume",
	"KHR_mesh_quantization", "KHR_meshopt_compression", "KHR_texture_basisu", "KHR_texture_transform",
	"MSFT_packing_occlusionRoughnessMetallic",
}

// silent lists the extensions that change no picture: a model that requires one is imported without it.
var silent = []string{"KHR_xmp", "KHR_xmp_json_ld"}

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity whose Target is the
// JSON pointer of the culprit; one over the budget has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	if opts.MemoryBudget == 0 {
		opts.MemoryBudget = importer.DefaultMemoryBudget
	}
	l := &loader{src: src, opts: opts}
	l.report("fetch", 0)
	m, err := l.load(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return m, err
}

// loader is the state of one import.
type loader struct {
	src      importer.Source
	opts     importer.Options
	doc      document
	buffers  [][]byte // nil = a buffer without data
	input    int64    // bytes read so far
	geometry importer.Budget
	images   importer.Budget

	mu       sync.Mutex // guards what follows
	warnings []string
	reported float64
}

func (l *loader) load(ctx context.Context) (*scene.Model, error) {
	file := l.src.Data
	if file == nil {
		var err error
		if file, err = l.src.Read(l.src.Name, l.opts.MemoryBudget); err != nil {
			return nil, asError(err, "", l.src.Name)
		}
	}
	l.input = int64(len(file))
	text, bin, err := container(file)
	if err != nil {
		return nil, fail("", "GLB: %v", err)
	}
	if err := l.parse(text); err != nil {
		return nil, err
	}
	forest, err := l.forest()
	if err != nil {
		return nil, err
	}
	if err := l.fetch(ctx, bin); err != nil {
		return nil, err
	}
	l.geometry.Set(min(l.opts.MemoryBudget, freeGeometry+geometryPerByte*l.input))
	l.report("decode", 0)
	if err := l.unpack(ctx); err != nil {
		return nil, err
	}
	m := &scene.Model{Name: strings.TrimSuffix(path.Base(l.src.Name), path.Ext(l.src.Name)), Roots: forest.roots}
	plan, err := l.plan(forest)
	if err != nil {
		return nil, err
	}
	l.images.Set(importer.ImageBudget(l.opts.MemoryBudget, l.input))
	if err := l.run(ctx, plan.jobs(), 1); err != nil {
		return nil, err
	}
	for _, g := range plan.glossy {
		if err := l.convert(g); err != nil {
			return nil, asError(err, "", "")
		}
	}
	if err := l.repack(plan.repacked); err != nil {
		return nil, asError(err, "", "")
	}
	plan.finish()
	if m.Skins, err = l.skins(); err != nil {
		return nil, err
	}
	if m.Animations, err = l.animations(); err != nil {
		return nil, err
	}
	for _, v := range l.doc.Extensions.Variants.Variants {
		m.Variants = append(m.Variants, v.Name)
	}
	m.MissingTextures = plan.missing
	m.Source = scene.SourceInfo{Format: "glTF 2.0", FormatVersion: l.doc.Asset.Version, Generator: l.doc.Asset.Generator}
	if err := l.assemble(m, forest, plan); err != nil {
		return nil, err
	}
	m.Measure()
	if size := m.Bounds.Size(); !m.Bounds.IsEmpty() && !importer.Finite(size[:]...) {
		return nil, fail("", "the model is too large for 32 bit coordinates")
	}
	slices.Sort(l.warnings)
	m.Warnings = slices.Compact(l.warnings)
	return m, nil
}

// parse decodes the JSON and checks that this importer may read it.
func (l *loader) parse(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&l.doc); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			return fail("/"+strings.ReplaceAll(mismatch.Field, ".", "/"), "%s is not allowed here", mismatch.Value)
		}
		return fail("", "the JSON is not valid: %v", err)
	}
	if v := l.doc.Asset.Version; !strings.HasPrefix(v, "2.") {
		return fail("/asset/version", "glTF version %q is not supported, only 2.0", v)
	}
	if v := l.doc.Asset.MinVersion; v != "" && v != "2.0" {
		return fail("/asset/minVersion", "glTF version %q is not supported, only 2.0", v)
	}
	for i, e := range l.doc.ExtensionsRequired {
		if !slices.Contains(supported, e) && !slices.Contains(silent, e) {
			return fail(fmt.Sprintf("/extensionsRequired/%d", i), "the model requires the extension %s, which is not supported", e)
		}
	}
	for _, e := range l.doc.ExtensionsUsed {
		if !slices.Contains(supported, e) && !slices.Contains(silent, e) {
			l.warn("The extension %.100s is not known and is left out.", e)
		}
	}
	return nil
}

// fetch loads the buffers.
func (l *loader) fetch(ctx context.Context, bin []byte) error {
	l.buffers = make([][]byte, len(l.doc.Buffers))
	for i, b := range l.doc.Buffers {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := fmt.Sprintf("/buffers/%d", i)
		switch {
		case b.ByteLength < 1:
			return fail(at+"/byteLength", "%d bytes", b.ByteLength)
		case b.Extensions.EXT.Fallback || b.Extensions.KHR.Fallback: // holds nothing but what is decompressed
		case b.URI != nil:
			data, err := l.src.Resolve(*b.URI, l.opts.MemoryBudget-l.input)
			if err != nil {
				return asError(err, at+"/uri", *b.URI)
			}
			l.buffers[i] = data
			if !strings.HasPrefix(*b.URI, "data:") { // inline data is part of the main file
				l.input += int64(len(data))
			}
		case i == 0:
			l.buffers[i] = bin
		}
		if data := l.buffers[i]; data != nil {
			if b.ByteLength > integer(len(data)) {
				return fail(at+"/byteLength", "%d bytes are declared, %d are there", b.ByteLength, len(data))
			}
			l.buffers[i] = data[:b.ByteLength]
		}
		l.report("fetch", float64(i+1)/float64(len(l.doc.Buffers)))
	}
	return nil
}

// unpack checks all buffer views and accessors, and decompresses what is compressed: a file with a broken one is broken,
// whether it is drawn or not.
func (l *loader) unpack(ctx context.Context) error {
	if err := l.checkViews(); err != nil {
		return err
	}
	if err := l.unpackViews(ctx); err != nil {
		return err
	}
	for i := range l.doc.Accessors {
		if _, err := l.view(integer(i)); err != nil {
			return err
		}
	}
	return l.unpackPrimitives(ctx)
}

func (l *loader) checkViews() error {
	for i := range l.doc.BufferViews {
		bv, at := &l.doc.BufferViews[i], fmt.Sprintf("/bufferViews/%d", i)
		if bv.Buffer == nil || *bv.Buffer < 0 || *bv.Buffer >= integer(len(l.buffers)) {
			return fail(at+"/buffer", "there is no such buffer")
		}
		declared := l.doc.Buffers[*bv.Buffer].ByteLength
		if bv.ByteOffset < 0 || bv.ByteLength < 1 || bv.ByteOffset+bv.ByteLength > declared {
			return fail(at, "%d bytes at offset %d exceed the %d bytes of buffer %d", bv.ByteLength, bv.ByteOffset, declared, *bv.Buffer)
		}
		if s := bv.ByteStride; s != nil && (*s < 4 || *s > 252 || *s%4 != 0) {
			return fail(at+"/byteStride", "%d is not a multiple of 4 from 4 to 252", *s)
		}
	}
	return nil
}

// run runs jobs, at most one per processor. They take the progress of decoding to the given share.
func (l *loader) run(ctx context.Context, jobs []func() error, until float64) error {
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	from := l.reported
	for _, job := range jobs {
		if group.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := job(); err != nil {
				return err
			}
			l.report("decode", from+(until-from)*float64(done.Add(1))/float64(len(jobs)))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (l *loader) report(stage string, done float64) {
	if l.opts.Progress == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if done == 0 || done > l.reported { // jobs may finish out of order
		l.reported = done
		l.opts.Progress(stage, done)
	}
}

func (l *loader) warn(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// take takes n bytes for the geometry at that place.
func (l *loader) take(n int64, at string) error {
	if err := l.geometry.Take(n); err != nil {
		return asError(err, at, "")
	}
	return nil
}

// fail is the error for a file that cannot be imported; at is a JSON pointer, "" = the whole file.
func fail(at, format string, args ...any) error {
	e := arr.Errorf(arr.CodeUnprocessableEntity, "glTF"+sep(at)+at+": "+format, args...)
	e.Target = at
	return e
}

func sep(at string) string {
	if at == "" {
		return ""
	}
	return " "
}

// asError gives err a place; name is the file or URI at fault, "" = none.
func asError(err error, at, name string) error {
	if name != "" {
		if len(name) > 80 {
			name = name[:80] + "..."
		}
		name = fmt.Sprintf("%q: ", name)
	}
	e := arr.Errorf(arr.CodeUnprocessableEntity, "glTF%s%s: %s%v", sep(at), at, name, err)
	if errors.As(err, new(importer.OverBudget)) {
		e.Code = arr.CodeBadRequest
	}
	e.Target = at
	return e
}

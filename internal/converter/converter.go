// Package converter turns a source model into an asset: it reads the settings, imports, applies what they say, and writes
// <name>.arrAsset, <name>.info.json and <name>.result.json as Azure Remote Rendering did. It
// reads below one directory and writes below another; it uses no network, and draws nothing.
package converter

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/scene"
)

// importShare is the part of the memory limit that each of input, geometry and images may take in an importer, so that a
// model that is too large is refused and not the end of the process.
const importShare = 0.5

// maxSettings bounds the files with settings, in bytes.
const maxSettings = 16 << 20

// Run does a conversion in this process. What goes wrong with it is in the result, whose files are written then too; the
// only error is the end of ctx. progress may be nil; it is called by one goroutine at a time.
func Run(ctx context.Context, job child.Job, progress func(child.Progress)) (child.Result, error) {
	c := conversion{job: job, meter: &meter{report: progress}}
	c.info.Files.Input = path.Base(job.InputFile)
	if job.OutputName != child.Stem(job.InputFile) {
		c.info.Files.Output = job.OutputName + child.AssetSuffix
	}
	err := c.run(ctx)
	if ctx.Err() != nil {
		return child.Result{}, ctx.Err()
	}
	return c.finish(err), nil
}

// failure is why a conversion failed.
type failure struct {
	kind child.Kind
	note child.Note
}

func (f *failure) Error() string { return f.note.Text() }

func fail(kind child.Kind, code, title string, details ...child.Detail) error {
	return &failure{kind, child.Note{Code: code, Title: title, Details: details}}
}

func detail(name, value string) child.Detail { return child.Detail{Name: name, Value: value} }

// conversion is one run.
type conversion struct {
	job      child.Job
	meter    *meter
	info     child.Info
	warnings []child.Note
	outputs  []string
	summary  child.Summary

	root      *os.Root
	settings  settings.Settings
	overrides settings.Overrides
	format    formats.Format
}

func (c *conversion) run(ctx context.Context) error {
	root, err := os.OpenRoot(c.job.InputDir)
	if err != nil {
		return fail(child.KindInput, child.CodeNoInput, "The input folder cannot be opened.", detail("folder", c.job.InputDir))
	}
	defer func() { _ = root.Close() }() // nothing was written
	c.root = root
	if err := c.check(); err != nil || c.job.Check {
		return err
	}
	m, err := c.read(ctx)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.prepare(m)
	if err := c.write(ctx, m); err != nil {
		return err
	}
	name, err := child.WriteInfo(c.job, c.info)
	if err != nil {
		return outputError(err)
	}
	c.outputs = append(c.outputs, name)
	c.meter.tell(child.StageWrite, 1, 0, "")
	return nil
}

// check reads the settings and looks for the model.
func (c *conversion) check() error {
	if err := c.readSettings(); err != nil {
		return err
	}
	if err := c.readOverrides(); err != nil {
		return err
	}
	info, err := c.root.Stat(filepath.FromSlash(c.job.InputFile))
	file := detail("file", c.job.InputFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(child.KindInput, child.CodeNoInput, "The input asset is not there.", file)
	case err != nil:
		return fail(child.KindInput, child.CodeNoInput, "The input asset cannot be read.", file)
	case !info.Mode().IsRegular():
		return fail(child.KindInput, child.CodeNoInput, "The input asset is not a file.", file)
	}
	c.summary.SourceBytes = info.Size()
	var ok bool
	if c.format, ok = formats.Of(c.job.InputFile); !ok {
		var known []string
		for _, f := range formats.All() {
			known = append(known, f.Extensions...)
		}
		return fail(child.KindInput, child.CodeUnknownFormat, "The format of the input asset is not known.", file,
			detail("known extensions", strings.Join(known, " ")))
	}
	return nil
}

// read imports the model.
func (c *conversion) read(ctx context.Context) (*scene.Model, error) {
	size := float64(c.summary.SourceBytes)
	c.meter.tell(child.StageRead, 0, size, "bytes")
	options := importer.Options{
		MemoryBudget: int64(importShare * float64(c.job.Limits.Memory)),
		Ignore:       c.overrides.Ignores,

		FBXAssumeMetallic: &c.settings.FBXAssumeMetallic,
		Progress: func(stage string, done float64) {
			if stage == "decode" {
				c.meter.tell(child.StageRead, done, size, "bytes")
			}
		},
	}
	folder := &source{FS: c.root.FS()}
	m, err := c.format.Open(ctx, importer.Source{Root: folder, Name: c.job.InputFile}, options)
	c.summary.SourceBytes = max(c.summary.SourceBytes, folder.bytes())
	c.info.InputInfo = &child.InputInfo{Extension: c.extension(), Format: c.format.Name}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case arr.CodeOf(err) == arr.CodeBadRequest: // importer.OverBudget
		return nil, &failure{child.KindResources, child.Resources(message(err))}
	default:
		return nil, invalidInput(detail("import error", message(err)))
	}
	c.meter.tell(child.StageRead, 1, size, "bytes")
	if m.Source.Format != "" {
		c.info.InputInfo.Format = m.Source.Format
	}
	c.info.InputInfo.FormatVersion, c.info.InputInfo.Generator = m.Source.FormatVersion, m.Source.Generator
	for _, t := range m.MissingTextures {
		c.warn(child.CodeMissingTexture, "Missing texture", detail("texture", t.Texture), detail("material", t.Material))
	}
	for _, text := range m.Warnings {
		if len(m.MissingTextures) > 0 && strings.HasPrefix(text, "Missing texture") {
			continue // said above
		}
		c.warn(child.CodeImport, "Import warning", detail("message", text))
	}
	return m, nil
}

func invalidInput(d child.Detail) error {
	return fail(child.KindInput, child.CodeInvalidInput, "The input asset is not valid.", d)
}

func (c *conversion) warn(code, title string, details ...child.Detail) {
	c.warnings = append(c.warnings, child.Note{Code: code, Title: title, Details: details})
}

func (c *conversion) extension() string { return strings.ToLower(path.Ext(c.job.InputFile)) }

// prepare counts what was read, and applies settings and overrides.
func (c *conversion) prepare(m *scene.Model) {
	c.meter.tell(child.StagePrepare, 0, 0, "")
	in := inputStatistics(m)
	c.info.InputStatistics = in
	c.summary.Triangles = in.Faces
	primitives(m, func(p *scene.Primitive) { c.summary.Points += p.NumPoints() })
	o := &overrider{overrides: c.overrides, importer: c.extension() == ".fbx"}
	a := apply(m, c.settings, o, c.extension())
	c.warnings = append(c.warnings, a.notes...)
	if c.info.MaterialOverrides != nil {
		c.info.MaterialOverrides.Materials = a.overridden
	}
	out := outputStatistics(m, a)
	c.info.OutputStatistics = out
	c.summary.Primitives, c.summary.Nodes = out.PrimitivesInScene, len(m.Nodes)
	c.summary.Materials, c.summary.Textures = out.Materials, len(textures(m))
	c.meter.tell(child.StagePrepare, 1, 0, "")
}

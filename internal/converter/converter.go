// Package converter turns a source model into an asset: it reads the settings, imports, applies what they say, and writes
// <name>.arrAsset, <name>.info.json and <name>.result.json as Azure Remote Rendering did (product features C2 to C6). It
// reads below one directory and writes below another; it uses no network, and draws nothing.
package converter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/obs"
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

// Exceeded is the result of a conversion that was ended by a limit, whose files it writes.
func Exceeded(job child.Job, limit string) child.Result {
	c := conversion{job: job}
	c.info.Files.Input = path.Base(job.InputFile)
	return c.failed(child.Report{}, &failure{child.KindResources, child.Resources(limit)})
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
		return fail(child.KindInput, child.CodeNoInput, "The input folder cannot be opened.", child.Detail{Name: "folder", Value: c.job.InputDir})
	}
	defer root.Close()
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
	file := child.Detail{Name: "file", Value: c.job.InputFile}
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
			child.Detail{Name: "known extensions", Value: strings.Join(known, " ")})
	}
	return nil
}

// beside returns a file of settings from the model's folder; nil = there is none.
func (c *conversion) beside(name string) (*child.File, error) {
	full := path.Join(path.Dir(c.job.InputFile), strings.ReplaceAll(name, `\`, "/"))
	if !fs.ValidPath(full) {
		return nil, fmt.Errorf("%q leads out of the model's folder", name)
	}
	data, err := importer.Source{Root: c.root.FS(), Name: c.job.InputFile}.Read(full, maxSettings)
	switch {
	case errors.Is(err, importer.ErrNoFile):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &child.File{Name: name, Data: data}, nil
}

func (c *conversion) readSettings() error {
	invalid := func(err error) error {
		return fail(child.KindSettings, child.CodeInvalidSettings, "The conversion settings are not valid.", child.Detail{Name: "error", Value: message(err)})
	}
	c.settings = settings.Default()
	file := c.job.Settings
	if file == nil {
		var err error
		if file, err = c.beside(child.Stem(c.job.InputFile) + settings.Suffix); err != nil {
			return invalid(err)
		}
	}
	if file == nil {
		var err error
		if file, err = c.beside(settings.DeprecatedName); err != nil {
			return invalid(err)
		}
		if file == nil {
			return nil
		}
		c.deprecated(settings.DeprecatedName, child.Stem(c.job.InputFile)+settings.Suffix)
	}
	s, err := settings.Parse(file.Name, file.Data)
	if err != nil {
		return invalid(err)
	}
	c.settings = s
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Raw); err == nil {
		c.info.ConversionSettings = compact.Bytes()
	}
	return nil
}

func (c *conversion) readOverrides() error {
	invalid := func(err error) error {
		return fail(child.KindSettings, child.CodeInvalidOverrides, "The material overrides are not valid.", child.Detail{Name: "error", Value: message(err)})
	}
	usual := child.Stem(c.job.InputFile) + settings.OverridesSuffix
	file := c.job.Overrides
	var err error
	switch named := c.settings.MaterialOverride; {
	case file != nil:
	case named != "":
		if file, err = c.beside(named); err == nil && file == nil {
			err = fmt.Errorf(`there is no file %q, which "material-override" of the settings names`, named)
		}
		c.deprecated(`"material-override"`, usual)
	default:
		file, err = c.beside(usual)
	}
	if err != nil {
		return invalid(err)
	}
	if file == nil {
		return nil
	}
	if c.overrides, err = settings.ParseOverrides(file.Name, file.Data); err != nil {
		return invalid(err)
	}
	c.info.MaterialOverrides = &child.OverrideStatistics{Overrides: len(c.overrides)}
	return nil
}

func (c *conversion) deprecated(what, instead string) {
	c.warnings = append(c.warnings, child.Note{Code: child.CodeDeprecated, Title: "Deprecated name of settings", Details: []child.Detail{
		{Name: "found", Value: what}, {Name: "use", Value: instead},
	}})
}

// message is an error's text for people.
func message(err error) string {
	var e *arr.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
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
	m, err := c.format.Open(ctx, importer.Source{Root: c.root.FS(), Name: c.job.InputFile}, options)
	c.info.InputInfo = &child.InputInfo{Extension: c.extension(), Format: c.format.Name}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case arr.CodeOf(err) == arr.CodeBadRequest: // importer.OverBudget
		return nil, &failure{child.KindResources, child.Resources(message(err))}
	default:
		return nil, fail(child.KindInput, child.CodeInvalidInput, "The input asset is not valid.", child.Detail{Name: "import error", Value: message(err)})
	}
	c.meter.tell(child.StageRead, 1, size, "bytes")
	if m.Source.Format != "" {
		c.info.InputInfo.Format = m.Source.Format
	}
	c.info.InputInfo.FormatVersion, c.info.InputInfo.Generator = m.Source.FormatVersion, m.Source.Generator
	for _, t := range m.MissingTextures {
		c.warnings = append(c.warnings, child.Note{Code: child.CodeMissingTexture, Title: "Missing texture", Details: []child.Detail{
			{Name: "texture", Value: t.Texture}, {Name: "material", Value: t.Material},
		}})
	}
	for _, text := range m.Warnings {
		if len(m.MissingTextures) > 0 && strings.HasPrefix(text, "Missing texture") {
			continue // said above
		}
		c.warnings = append(c.warnings, child.Note{Code: child.CodeImport, Title: "Import warning", Details: []child.Detail{{Name: "message", Value: text}}})
	}
	return m, nil
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

// write writes the asset aside, and gives it its name when it is complete.
func (c *conversion) write(ctx context.Context, m *scene.Model) (err error) {
	dir := c.job.WorkDir
	if dir == "" {
		dir = c.job.OutputDir
	}
	f, err := os.CreateTemp(dir, ".*"+child.AssetSuffix)
	if err != nil {
		return outputError(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	options := asset.WriteOptions{
		Settings: c.info.ConversionSettings, Generator: "Heliograph " + obs.Version(), Collision: c.settings.CollisionMesh,
		Threads: c.job.Threads, Progress: func(stage string, done float64) {
			switch stage {
			case asset.StageGeometry:
				c.meter.tell(child.StageMeshes, done, float64(c.summary.Triangles), "triangles")
			case asset.StageTextures:
				c.meter.tell(child.StageTextures, done, 0, "")
			case asset.StageTables:
				c.meter.tell(child.StageWrite, done/2, 0, "")
			}
		},
	}
	if c.settings.Vertex.Position16 {
		options.PositionBits = 16
	}
	made, err := asset.Write(ctx, f, m, options)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return outputError(err)
	}
	name := c.job.OutputName + child.AssetSuffix
	if err := os.Rename(f.Name(), filepath.Join(c.job.OutputDir, name)); err != nil {
		return outputError(err)
	}
	c.outputs = append(c.outputs, name)
	c.summary.AssetBytes, c.summary.Geometry, c.summary.Hash = made.Bytes, made.PageBytes, made.ConversionHash
	c.info.OutputInfo = &child.OutputInfo{ToolVersion: obs.Version(), Hash: made.ConversionHash}
	return nil
}

// outputError is the failure of writing. A model may also be one that no asset can hold, which asset.Write says by an
// *arr.Error.
func outputError(err error) error {
	var e *arr.Error
	switch {
	case child.ExceedsFileSize(err):
		return &failure{child.KindResources, child.Resources("the size of the asset")}
	case errors.As(err, &e):
		return fail(child.KindInput, child.CodeInvalidInput, "The input asset is not valid.", child.Detail{Name: "error", Value: e.Message})
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path is that of a temporary file
	}
	return fail(child.KindOutput, child.CodeOutput, "The outputs cannot be written.", child.Detail{Name: "error", Value: err.Error()})
}

// finish writes what there is to write after success and failure alike.
func (c *conversion) finish(err error) child.Result {
	report := child.Report{Warnings: c.warnings}
	if err != nil {
		f := &failure{child.KindOutput, child.Note{Code: child.CodeOutput, Title: err.Error()}}
		errors.As(err, &f)
		return c.failed(report, f)
	}
	if !c.job.Check {
		name, err := child.WriteReport(c.job, report)
		if err != nil {
			f := &failure{}
			errors.As(outputError(err), &f)
			return c.failed(report, f)
		}
		c.outputs = append(c.outputs, name)
	}
	return child.Result{Succeeded: true, Warnings: c.warnings, Outputs: c.outputs, Summary: c.summary}
}

func (c *conversion) failed(report child.Report, f *failure) child.Result {
	report.Error = &f.note
	if !c.job.Check {
		c.outputs = nil
		c.info.OutputInfo, c.info.OutputStatistics = nil, nil
		if name, err := child.WriteInfo(c.job, c.info); err == nil { // best effort: where nothing can be written, nothing can be
			c.outputs = append(c.outputs, name)
		}
		if name, err := child.WriteReport(c.job, report); err == nil {
			c.outputs = append(c.outputs, name)
		}
	}
	return child.Result{
		Kind: f.kind, Error: arr.Errorf(arr.CodeConversionFailed, "%s", f.note.Text()), Warnings: c.warnings, Outputs: c.outputs, Summary: c.summary,
	}
}

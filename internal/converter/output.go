package converter

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/obs"
	"github.com/heliograph/heliograph/internal/scene"
)

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
	if made.Triangles+made.Points == 0 {
		c.warn(child.CodeNothing, "The asset shows nothing", detail("message", "The model has no triangle with an area, and no point."))
	}
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
		return invalidInput(detail("error", e.Message))
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path is that of a temporary file
	}
	return fail(child.KindOutput, child.CodeOutput, "The outputs cannot be written.", detail("error", err.Error()))
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
		Kind: f.kind, Error: arr.Errorf(arr.CodeConversionFailed, "%s", f.note.Text()),
		Warnings: c.warnings, Outputs: c.outputs, Summary: c.summary,
	}
}

// Exceeded is the result of a conversion that was ended by a limit, whose files it writes.
func Exceeded(job child.Job, limit string) child.Result {
	c := conversion{job: job}
	c.info.Files.Input = path.Base(job.InputFile)
	return c.failed(child.Report{}, &failure{child.KindResources, child.Resources(limit)})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
)

type convertCmd struct {
	File string `arg:"" help:"The model: glTF, GLB, FBX, OBJ, STL, PLY, E57, LAS, LAZ or XYZ. All in its folder may be read."`

	Output    string `short:"o" default:"." placeholder:"DIR" help:"Directory for the outputs, made if need be; by default the present one."`
	Name      string `placeholder:"NAME" help:"Name of the outputs, without extension; by default the model's."`
	Settings  string `placeholder:"FILE" help:"Conversion settings; by default MODEL.ConversionSettings.json beside the model, if there."`
	Overrides string `placeholder:"FILE" help:"Material overrides; by default MODEL.MaterialOverrides.json beside the model, if there."`

	Check    bool `help:"Only check the settings, the overrides and that the model is there; convert nothing."`
	Progress bool `default:"true" negatable:"" help:"Show the progress on standard error: a bar on a terminal, a line per stage elsewhere."`
	JSON     bool `name:"json" help:"Print what was made as JSON."`
	Verbose  bool `short:"v" help:"Print the log of the conversion on standard error."`

	MemoryLimit byteSize `placeholder:"SIZE" help:"Most memory it may take, such as 8GiB; by default three quarters of the machine's."`
	Threads     int      `placeholder:"N" help:"Processors to use; by default all. The asset does not depend on it."`

	WorkerBinary string `byenv:"" placeholder:"FILE" help:"The program heliograph-worker; by default beside this one, then in PATH."`
}

func (convertCmd) Help() string {
	return `Makes an asset of a model, which workers open at once and draw at a cost that the screen sets, whatever the model's size.
No service is needed: it runs on this machine, in a process of its own.

    heliograph convert engine.glb                          # ./engine.arrAsset, .info.json and .result.json
    heliograph convert scan.laz -o assets --name hall      # assets/hall.arrAsset, ...
    heliograph convert car.fbx --settings static.json      # not the car.ConversionSettings.json beside it
    heliograph convert car.fbx --check                     # are car's settings and overrides valid?
    heliograph convert car.fbx --memory-limit 4GiB --json

The exit code is 0 if there is an asset, also one with warnings, and 1 if not; NAME.result.json then says why.
docs/converting.md has all settings, overrides and codes.
`
}

// byteSize is a number of bytes: "1073741824", "1GiB", "1.5g", "500 MB".
type byteSize int64

// UnmarshalText parses any of these forms. Units count in steps of 1024, but for those that end in B alone.
func (b *byteSize) UnmarshalText(text []byte) error {
	s := strings.ToLower(strings.TrimSpace(string(text)))
	digits := strings.TrimRight(s, "kmgtib ")
	unit := strings.TrimSpace(s[len(digits):])
	step := 1024.0
	if len(unit) == 2 && unit[1] == 'b' {
		step = 1000
	}
	power := 0
	if prefix := strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i"); prefix != "" {
		if power = 1 + strings.Index("kmgt", prefix); len(prefix) != 1 || power == 0 {
			power = -1
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	n *= math.Pow(step, float64(power))
	if err != nil || power < 0 || !(n >= 1 && n < math.MaxInt64) {
		return fmt.Errorf("%q is no size, such as 8GiB", text)
	}
	*b = byteSize(n)
	return nil
}

func (c *convertCmd) Run(ctx context.Context, a *app) error {
	job, err := c.job()
	if err != nil {
		return plain(err)
	}
	config := child.Config{Binary: c.WorkerBinary}
	if c.Verbose {
		config.Log = a.stderr
		config.Logger = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	bar := newConversionBar(a.stderr, c.Progress && !c.Check)
	result, err := child.Run(ctx, config, job, bar.show)
	bar.end()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; nothing was written")
	case err != nil:
		return plain(err)
	}
	return c.print(a, job, result)
}

// plain is an error without the code that clients of a service go by.
func plain(err error) error {
	if e := (*arr.Error)(nil); errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return err
}

func (c *convertCmd) job() (child.Job, error) {
	file, err := filepath.Abs(c.File)
	if err != nil {
		return child.Job{}, err
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return child.Job{}, fmt.Errorf("%s is a directory; give the model in it", c.File)
	}
	job := child.Job{
		InputDir: filepath.Dir(file), InputFile: filepath.Base(file), OutputDir: c.Output,
		OutputName: strings.TrimSuffix(c.Name, child.AssetSuffix), Check: c.Check, Threads: c.Threads,
		Limits: child.Limits{Memory: int64(c.MemoryLimit)},
	}
	if job.Limits.Memory == 0 {
		job.Limits.Memory = child.DefaultMemory()
	}
	if job.Settings, err = settingsFile(c.Settings); err != nil {
		return child.Job{}, err
	}
	if job.Overrides, err = settingsFile(c.Overrides); err != nil {
		return child.Job{}, err
	}
	return job, job.Normalize()
}

func settingsFile(name string) (*child.File, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &child.File{Name: name, Data: data}, nil
}

// print says what came of it.
func (c *convertCmd) print(a *app, job child.Job, r child.Result) error {
	if c.JSON {
		if err := printJSON(a.stdout, r); err != nil {
			return err
		}
	} else {
		for _, w := range r.Warnings {
			fmt.Fprintln(a.stderr, "warning:", w.Text())
		}
	}
	switch {
	case r.Kind == child.KindCrash && !c.Verbose:
		return errors.New(r.Error.Message + " Its log is printed with --verbose.")
	case !r.Succeeded:
		return errors.New(r.Error.Message)
	case c.JSON:
		return nil
	case c.Check:
		_, err := fmt.Fprintf(a.stdout, "%s is there, and its settings are valid.\n", c.File)
		return err
	}
	path, err := filepath.Abs(filepath.Join(c.Output, job.OutputName+child.AssetSuffix))
	if err != nil {
		return err
	}
	if err := table(a.stdout, summary(path, r)...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "\nLook at it, in a session of a service that may read the file:\n\n"+
		"    heliograph session load SESSION %s\n", shellWord(path))
	return err
}

// summary says what was made.
func summary(path string, r child.Result) [][]string {
	s := r.Summary
	rows := [][]string{{"Asset", path}}
	if s.Triangles > 0 {
		rows = append(rows, []string{"Triangles", thousands(s.Triangles)})
	}
	if s.Points > 0 {
		rows = append(rows, []string{"Points", thousands(s.Points)})
	}
	if s.Primitives != s.Triangles+s.Points {
		rows = append(rows, []string{"In the scene", thousands(s.Primitives) + ", by instances"})
	}
	rows = append(rows, []string{"Parts", fmt.Sprintf("%s, %s, %s",
		count(s.Nodes, "node"), count(s.Materials, "material"), count(s.Textures, "texture"))})
	if n := s.Triangles + s.Points; n > 0 && s.Geometry > 0 {
		rows = append(rows, []string{"Geometry", fmt.Sprintf("%s, %.1f bytes for each triangle or point",
			child.Bytes(s.Geometry), float64(s.Geometry)/float64(n))})
	}
	size := child.Bytes(s.AssetBytes)
	if s.SourceBytes > 0 {
		size += fmt.Sprintf(", %.2f times the model's files", float64(s.AssetBytes)/float64(s.SourceBytes))
	}
	return append(rows, []string{"Size", size}, []string{"Time", fmt.Sprintf("%.2f s", s.Seconds)},
		[]string{"Warnings", strconv.Itoa(len(r.Warnings))})
}

// conversionBar shows the progress of a conversion.
type conversionBar struct {
	bar   *progress // nil = shows nothing
	start time.Time
}

func newConversionBar(w io.Writer, on bool) *conversionBar {
	b := &conversionBar{start: time.Now()}
	if on {
		b.bar = newProgress(w)
	}
	return b
}

func (b *conversionBar) show(p child.Progress) {
	if b.bar == nil {
		return
	}
	text := p.Stage
	if b.bar.terminal {
		text += speed(p) + left(p.Done, time.Since(b.start))
	}
	b.bar.show(p.Done, text)
}

func (b *conversionBar) end() {
	if b.bar != nil {
		b.bar.end()
	}
}

// speed is what a stage does in a second.
func speed(p child.Progress) string {
	switch {
	case p.Rate <= 0:
		return ""
	case p.Unit == "bytes":
		return "  " + child.Bytes(int64(p.Rate)) + "/s"
	}
	return fmt.Sprintf("  %s %s/s", thousands(int64(p.Rate)), p.Unit)
}

// left estimates the time that remains, once there is something to go by.
func left(done float64, passed time.Duration) string {
	if done < 0.02 || done >= 1 || passed < time.Second {
		return ""
	}
	rest := time.Duration(float64(passed) * (1 - done) / done)
	return fmt.Sprintf("  %d:%02d left", int(rest.Minutes()), int(rest.Seconds())%60)
}

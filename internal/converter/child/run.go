package child

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/workerbinary"
)

// Config says how conversions are run.
type Config struct {
	Binary string       // heliograph-worker; "" = beside the running program, then in PATH
	Log    io.Writer    // gets what the process logs; nil = nobody
	Logger *slog.Logger // gets what Run has to say of the process; nil = nobody
}

// The environment of the process: what its runtime needs, and none of the secrets that the control plane may have.
var environment = []string{
	"PATH", "TMPDIR", "LANG", "TZ", "LD_LIBRARY_PATH", "GOTRACEBACK", "GODEBUG", "GORACE", "GOCOVERDIR", "GOMAXPROCS",
}

const (
	jobFile = "job.json"

	maxLine   = 1 << 20
	tailBytes = 64 << 10
	waitDelay = 10 * time.Second // for the pipes of a process that was killed
)

// Run does one conversion in a process of its own. What goes wrong with the conversion is in the Result, whose files are
// written then too; an error means that there is no conversion: the job is no valid one, the program is not there, or ctx
// has ended, and with it the process and all that it had written. progress is called from this goroutine.
func Run(ctx context.Context, c Config, job Job, progress func(Progress)) (Result, error) {
	if err := job.Normalize(); err != nil {
		return Result{}, err
	}
	binary, err := workerbinary.Find(c.Binary)
	if err != nil {
		return Result{}, err
	}
	for _, dir := range []*string{&job.InputDir, &job.OutputDir} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return Result{}, err
		}
	}
	parent := job.OutputDir
	if job.Check {
		parent = "" // the system's, since nothing is written
	} else if err := os.MkdirAll(job.OutputDir, 0o755); err != nil {
		return Result{}, arr.Errorf(arr.CodeBadRequest, "The folder for the outputs cannot be made: %v.", err)
	}
	job.WorkDir, err = os.MkdirTemp(parent, ".convert-")
	if err != nil {
		return Result{}, arr.Errorf(arr.CodeBadRequest, "The folder for the outputs cannot be written: %v.", err)
	}
	p := process{c: c, job: job, binary: binary}
	if p.c.Logger == nil {
		p.c.Logger = slog.New(slog.DiscardHandler)
	}
	result, err := p.run(ctx, progress)
	return result, errors.Join(err, os.RemoveAll(job.WorkDir))
}

// process is one run of the program.
type process struct {
	c      Config
	job    Job
	binary string
	log    tail
	result *Result
}

func (p *process) run(ctx context.Context, progress func(Progress)) (Result, error) {
	text, err := json.Marshal(p.job)
	if err != nil {
		return Result{}, err
	}
	file := filepath.Join(p.job.WorkDir, jobFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return Result{}, err
	}
	// A process is told of its parent's end when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if wall := p.job.Limits.Wall; wall > 0 {
		defer time.AfterFunc(wall, func() { cancel(exceeded(fmt.Sprintf("%v in all", wall))) }).Stop()
	}
	cmd, stdout, err := p.start(limited, file)
	if err != nil {
		return Result{}, err
	}
	var watch sync.WaitGroup
	watched, stop := context.WithCancel(limited)
	if p.job.Limits.Memory > 0 {
		watch.Go(func() { p.watch(watched, cmd.Process.Pid, cancel) })
	}
	p.read(stdout, progress)
	waited := cmd.Wait()
	stop()
	watch.Wait()
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if p.result == nil || p.result.Succeeded != (p.result.Error == nil) {
		p.result = p.explain(limited, cmd.ProcessState, waited)
	}
	p.result.Outputs = slices.DeleteFunc(p.result.Outputs, func(name string) bool { return !slices.Contains(p.job.outputs(), name) })
	p.result.Summary.Seconds = time.Since(start).Seconds()
	return *p.result, nil
}

// exceeded is the cause of a context that a limit has ended.
type exceeded string

func (e exceeded) Error() string { return string(e) + " exceeded" }

// watchEvery is how often the memory of the process is looked at.
const watchEvery = 50 * time.Millisecond

// watch ends the process when it has more memory than it may. The limits that Confine sets are for address space, of which
// a process may well have more than it has memory.
func (p *process) watch(ctx context.Context, pid int, end context.CancelCauseFunc) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if memory(pid) > p.job.Limits.Memory {
				end(p.outOfMemory())
				return
			}
		}
	}
}

func (p *process) outOfMemory() exceeded {
	if n := p.job.Limits.Memory; n > 0 {
		return exceeded(Bytes(n) + " of memory")
	}
	return "the machine's memory"
}

// start starts the program away from the network, as far as this system lets it.
func (p *process) start(ctx context.Context, file string) (*exec.Cmd, io.Reader, error) {
	attempts := isolations()
	for i, isolation := range attempts {
		cmd := exec.CommandContext(ctx, p.binary, "convert", "--job", file)
		for _, name := range environment {
			if value, ok := os.LookupEnv(name); ok {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		cmd.Dir = p.job.WorkDir
		cmd.Stderr = &p.log
		p.log.to = p.c.Log
		cmd.WaitDelay = waitDelay
		isolate(cmd, isolation)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return nil, nil, err
		}
		err = cmd.Start()
		switch {
		case err == nil:
			return cmd, stdout, nil
		case i+1 == len(attempts) || ctx.Err() != nil:
			return nil, nil, fmt.Errorf("start the conversion: %w", err)
		}
		p.c.Logger.Debug("a conversion runs in the network of its service; a filter of system calls keeps it from using it",
			"namespace", isolation, "error", err)
	}
	return nil, nil, errors.New("no way to start a conversion") // isolations is never empty
}

// read reads the process's messages until it ends.
func (p *process) read(from io.Reader, progress func(Progress)) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var m message
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue // the process is not trusted; what it says badly is not said
		}
		if m.Progress != nil && progress != nil {
			progress(*m.Progress)
		}
		if m.Result != nil {
			p.result = m.Result
		}
	}
	_, _ = io.Copy(io.Discard, from) // after a line that is too long
}

// explain says why the process ended without a result, and writes the files that it did not.
func (p *process) explain(ctx context.Context, state *os.ProcessState, waited error) *Result {
	r := &Result{Kind: KindResources}
	var note Note
	var limit exceeded
	switch limits := p.job.Limits; {
	case errors.As(context.Cause(ctx), &limit):
	case limits.CPU > 0 && state.SystemTime()+state.UserTime() >= limits.CPU:
		limit = exceeded(fmt.Sprintf("%v of processor time", limits.CPU))
	case killed(state):
		r.Kind = KindCrash // the machine was out of memory, not the process of its share: that may pass
		limit = "the machine's memory"
	case p.log.outOfMemory() || limits.Memory > 0 && peak(state) > limits.Memory/8*7:
		limit = p.outOfMemory()
	default:
		r.Kind = KindCrash
		note = Note{Code: CodeCrash, Title: "The conversion process crashed.", Internal: true,
			Details: []Detail{{"process", fmt.Sprint(state)}}}
		p.c.Logger.Error("a conversion crashed", "state", fmt.Sprint(state), "error", waited, "log", p.log.last(2<<10))
	}
	if limit != "" {
		note = Resources(string(limit))
	}
	r.Error = arr.Errorf(arr.CodeConversionFailed, "%s", note.Text())
	if p.job.Check {
		return r
	}
	info, err := WriteInfo(p.job, Info{Files: Files{Input: filepath.Base(p.job.InputFile)}})
	if err == nil {
		r.Outputs = append(r.Outputs, info)
		info, err = WriteReport(p.job, Report{Error: &note})
	}
	if err == nil {
		r.Outputs = append(r.Outputs, info)
	} else {
		p.c.Logger.Warn("the result of a conversion was not written", "error", err)
	}
	return r
}

// Resources is the note of a conversion that a limit ended. The title is ARR's own text.
func Resources(limit string) Note {
	return Note{
		Code: CodeResources, Title: "The conversion process exceeded system resources. It's possible the asset is too large.",
		Details: []Detail{{"limit", limit}},
	}
}

// Bytes writes a number of bytes for people.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, u := float64(n)/(1<<10), 0
	for ; v >= 1000 && u+1 < len(units); u++ {
		v /= 1 << 10
	}
	return fmt.Sprintf("%.3g %ciB", v, units[u])
}

// tail passes a log on and keeps the end of it.
type tail struct {
	to   io.Writer
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - 2*tailBytes; over > 0 {
		t.kept = bytes.Clone(t.kept[len(t.kept)-tailBytes:])
	}
	if t.to != nil {
		return t.to.Write(b)
	}
	return len(b), nil
}

func (t *tail) last(n int) string { return string(t.kept[max(0, len(t.kept)-n):]) }

// outOfMemory knows what the runtimes of Go and C say as they give up; they exit as after any other crash.
func (t *tail) outOfMemory() bool {
	text := string(t.kept)
	for _, s := range []string{"out of memory", "cannot allocate memory", "failed to allocate", "pthread_create failed"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

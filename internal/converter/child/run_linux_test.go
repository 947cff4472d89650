package child

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "convert" {
		os.Exit(worker(os.Args[3]))
	}
	if len(os.Args) == 3 && os.Args[1] == "parent" {
		os.Exit(parent(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// worker is the process that Run starts in these tests: the name of the input says how it behaves.
func worker(file string) int {
	job, err := ReadJob(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if missing, err := Confine(job.Limits); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	} else if len(missing) > 0 {
		fmt.Fprintln(os.Stderr, "missing:", missing)
	}
	r := NewReporter(os.Stdout)
	r.Progress(Progress{Stage: StageRead, StageDone: 1, Done: 0.25, Rate: 1000, Unit: "bytes"})
	result := Result{Succeeded: true}
	switch job.InputFile {
	case "good":
		fmt.Println("this is no message")
		if result.Outputs = append(result.Outputs, "good"+AssetSuffix); os.WriteFile(filepath.Join(job.OutputDir, result.Outputs[0]), nil, 0o600) != nil {
			return 3
		}
	case "liar":
		result.Outputs = []string{"../../etc/passwd", "liar" + InfoSuffix}
		if os.WriteFile(filepath.Join(job.OutputDir, "liar"+InfoSuffix), nil, 0o600) != nil {
			return 3
		}
	case "vague":
		result.Succeeded = false
	case "invalid":
		result = Result{Kind: KindInput, Error: arr.Errorf(arr.CodeConversionFailed, "It is not valid.")}
	case "panic":
		panic("as a bug would")
	case "exit":
		return 0
	case "abort":
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		select {}
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "memory":
		var all [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			if len(all) > 1<<10 {
				return 4 // the limit does not work
			}
		}
	case "cpu":
		for x := uint64(1); x != 0; x = x*6364136223846793005 + 1 { //nolint:revive // never 0: the constant is odd
		}
	case "hang":
		select {}
	case "file":
		f, err := os.Create(filepath.Join(job.WorkDir, "large"))
		if err != nil {
			return 3
		}
		for err == nil {
			_, err = f.Write(make([]byte, 1<<20))
		}
		result.Summary.Hash = fmt.Sprint(ExceedsFileSize(err))
	case "escape":
		_, errNet := net.Dial("tcp", string(job.Settings.Data)) //nolint:noctx // it is to fail
		errExec := exec.Command("true").Run()                   //nolint:noctx // the same
		result.Summary.Hash = fmt.Sprintf("dial %v, exec %v, secret %q", errNet != nil, errExec != nil, os.Getenv("HELIOGRAPH_SECRET"))
	}
	if err := r.Result(result); err != nil {
		return 5
	}
	if !result.Succeeded {
		return 1
	}
	return 0
}

func config(t *testing.T, log *bytes.Buffer) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{Binary: self, Log: log}
}

// run runs the process for an input and returns what came of it. Nothing unfinished may be left behind.
func run(t *testing.T, j Job) (Result, []Progress, string) {
	t.Helper()
	if j.OutputDir == "" {
		j.OutputDir = filepath.Join(t.TempDir(), "out")
	}
	j.InputDir = t.TempDir()
	var log bytes.Buffer
	var progress []Progress
	r, err := Run(t.Context(), config(t, &log), j, func(p Progress) { progress = append(progress, p) })
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	checkOutputs(t, j.OutputDir, r.Outputs)
	return r, progress, log.String()
}

func checkOutputs(t *testing.T, dir string, want []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

func TestRun(t *testing.T) {
	r, progress, _ := run(t, Job{InputFile: "good"})
	if !r.Succeeded || r.Error != nil || r.Summary.Seconds <= 0 {
		t.Errorf("%+v", r)
	}
	if len(progress) != 1 || progress[0] != (Progress{Stage: StageRead, StageDone: 1, Done: 0.25, Rate: 1000, Unit: "bytes"}) {
		t.Errorf("progress %+v", progress)
	}
	r, _, _ = run(t, Job{InputFile: "liar"}) // checkOutputs: only what is there, by a name that it may have
	if !r.Succeeded || len(r.Outputs) != 1 {
		t.Errorf("%+v", r)
	}
	r, _, _ = run(t, Job{InputFile: "invalid"})
	if r.Succeeded || r.Kind != KindInput || r.Error.Message != "It is not valid." {
		t.Errorf("%+v", r)
	}
}

func TestRunExplainsEnds(t *testing.T) {
	for _, c := range []struct {
		input  string
		limits Limits
		kind   Kind
		says   string
	}{
		{"panic", Limits{}, KindCrash, "crashed (exit status 2"},
		{"exit", Limits{}, KindCrash, "crashed (exit status 0"},
		{"vague", Limits{}, KindCrash, "crashed (exit status 1)"},
		{"abort", Limits{}, KindCrash, "crashed (exit status 2)"},
		{"kill", Limits{}, KindCrash, "exceeded system resources. It's possible the asset is too large (the machine's memory)."},
		{"memory", Limits{Memory: 256 << 20}, KindResources, "exceeded system resources. It's possible the asset is too large (256 MiB of memory)."},
		{"cpu", Limits{CPU: time.Second}, KindResources, "1s of processor time"},
		{"hang", Limits{Wall: 300 * time.Millisecond}, KindResources, "300ms in all"},
	} {
		t.Run(c.input, func(t *testing.T) {
			t.Parallel()
			j := Job{ID: "c1", InputFile: c.input, OutputName: "x", OutputDir: filepath.Join(t.TempDir(), "out"), Limits: c.limits}
			r, _, log := run(t, j)
			if r.Succeeded || r.Kind != c.kind || arr.CodeOf(r.Error) != arr.CodeConversionFailed || !strings.Contains(r.Error.Message, c.says) {
				t.Fatalf("%+v, %v\n%s", r, r.Error, log)
			}
			text, err := os.ReadFile(filepath.Join(j.OutputDir, "x"+ResultSuffix))
			if err != nil {
				t.Fatal(err)
			}
			var items []map[string]any
			if err := json.Unmarshal(text, &items); err != nil || len(items) != 3 || items[0]["conversionId"] != "c1" || items[2]["result"] != "failed" {
				t.Errorf("%v: %s", err, text)
			}
			member := "error"
			if strings.Contains(c.says, "crashed") {
				member = "internal error"
			}
			if items[1][member] == nil {
				t.Errorf("no member %q: %s", member, text)
			}
			checkOutputs(t, j.OutputDir, []string{"x" + InfoSuffix, "x" + ResultSuffix})
		})
	}
}

func TestRunLimitsFiles(t *testing.T) {
	if r, _, log := run(t, Job{InputFile: "file", Limits: Limits{FileSize: 3 << 20}}); !r.Succeeded || r.Summary.Hash != "true" {
		t.Errorf("%+v\n%s", r, log)
	}
}

// TestRunConfines: no network, no other programs, no secrets of the parent.
func TestRunConfines(t *testing.T) {
	t.Setenv("HELIOGRAPH_SECRET", "hush")
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, _, log := run(t, Job{InputFile: "escape", Settings: &File{Data: []byte(l.Addr().String())}})
	if r.Summary.Hash != `dial true, exec true, secret ""` {
		t.Errorf("%s\n%s", r.Summary.Hash, log)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := t.TempDir()
	_, err := Run(ctx, config(t, nil), Job{InputDir: t.TempDir(), InputFile: "hang", OutputDir: out}, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	checkOutputs(t, out, nil)
}

// parent is a control plane that dies during a conversion: it prints the process's id and its own end is sudden.
func parent(dir string) int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	_, err = Run(context.Background(), Config{Binary: self}, Job{InputDir: dir, InputFile: "hang", OutputDir: dir}, func(Progress) {
		children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", syscall.Gettid()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "pid"), children, 0o600)
		}
		if err == nil {
			err = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		fmt.Fprintln(os.Stderr, err)
	})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestProcessEndsWithItsParent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), config(t, nil).Binary, "parent", dir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Skipf("this kernel does not list children: %v", err)
	}
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for running(pid) {
		select {
		case <-poll.C:
		case <-limit.C:
			t.Fatalf("process %d goes on without its parent", pid)
		}
	}
}

// running reports whether there is such a process, and more than what its parent has not asked for yet.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestRunRefuses(t *testing.T) {
	c := config(t, nil)
	for _, j := range []Job{{}, {InputFile: "/x"}, {InputFile: "../x"}, {InputFile: "x", OutputName: "a/b"}, {InputFile: "x", OutputName: ".."}} {
		j.OutputDir = t.TempDir()
		if _, err := Run(t.Context(), c, j, nil); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("%+v: %v", j, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), c, Job{InputFile: "good", OutputDir: filepath.Join(file, "out")}, nil); arr.CodeOf(err) != arr.CodeBadRequest {
		t.Errorf("%v", err)
	}
	if _, err := Run(t.Context(), Config{Binary: "/nowhere/worker"}, Job{InputFile: "good", OutputDir: t.TempDir()}, nil); err == nil ||
		!strings.Contains(err.Error(), "find the worker binary") {
		t.Errorf("%v", err)
	}
}

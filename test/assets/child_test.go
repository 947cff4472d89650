package assets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/importer/importertest"
)

// childFile is the variable with the name of the file that a child process imports.
const childFile = "HELIOGRAPH_TEST_IMPORT"

// What a hostile file may take.
const (
	mostMemory = 1 << 30
	mostTime   = 10 * time.Second // of processors: others may be busy
	patience   = time.Minute      // only catches hangs
)

// checkHostile imports a file in a process of its own, which ends in an error that is meant for a user, or in a sound
// model, in time and within its memory. The race detector allows no limits, and makes processes slow to start: it gets
// the file in this one.
func checkHostile(t *testing.T, root, name string) outcome {
	if raceEnabled {
		o, err := open(t.Context(), filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		}
		return o
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childFile+"="+filepath.Join(root, name))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("it hangs: more than %v", patience)
		}
		t.Fatalf("%v\n%s", err, tail(stderr.String()))
	}
	var o outcome
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("%v: %q", err, stdout.String())
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && usage.Maxrss > mostMemory>>10 {
		t.Errorf("it took %d MiB", usage.Maxrss>>10)
	}
	if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); took > mostTime {
		t.Errorf("it took %v of processor time", took)
	}
	return o
}

// tail is the end of a long text, and its beginning, which names a panic.
func tail(s string) string {
	const most = 2000
	if len(s) <= 2*most {
		return s
	}
	return s[:most] + "\n...\n" + s[len(s)-most:]
}

// child imports a file within limits and prints the outcome; other exit statuses than 0 are failures.
func child(file string) int {
	debug.SetMemoryLimit(mostMemory * 3 / 4)
	l := syscall.Rlimit{Cur: mostMemory, Max: mostMemory}
	err := syscall.Setrlimit(syscall.RLIMIT_DATA, &l)
	var o outcome
	if err == nil {
		o, err = open(context.Background(), file)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// open imports a file; the error says what must not be.
func open(ctx context.Context, file string) (outcome, error) {
	f, _ := formats.Of(file)
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = root.Close() }()
	m, err := f.Open(ctx, importer.Source{Root: root.FS(), Name: filepath.Base(file)}, importer.Options{})
	if err != nil {
		if c := arr.CodeOf(err); c != arr.CodeUnprocessableEntity && c != arr.CodeBadRequest {
			return outcome{}, fmt.Errorf("an error that is not meant for a user: %w", err)
		}
		return outcome{Error: err.Error()}, nil
	}
	if problems := inspect(func(tb testing.TB) { importertest.CheckModel(tb, m) }); problems != "" {
		return outcome{}, errors.New(problems)
	}
	return outcome{Triangles: m.Triangles, Points: m.Points}, nil
}

// recorder is a testing.TB outside of a test.
type recorder struct {
	testing.TB
	problems []string
}

var errStop = errors.New("stop")

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(errStop)
}

// inspect returns what a check of a test finds.
func inspect(check func(testing.TB)) string {
	r := &recorder{}
	func() {
		defer func() {
			if p := recover(); p != nil && p != errStop { //nolint:errorlint // the value that Fatalf panics with
				panic(p)
			}
		}()
		check(r)
	}()
	return strings.Join(r.problems, "\n")
}

// TestInspect: the inspector sees what it should.
func TestInspect(t *testing.T) {
	if s := inspect(func(tb testing.TB) { tb.Errorf("a"); tb.Fatalf("b"); tb.Errorf("c") }); s != "a\nb" {
		t.Errorf("%q", s)
	}
}

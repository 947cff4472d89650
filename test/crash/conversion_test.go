package crash

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/devserver"
)

// startConverting has a service convert a model that takes a while, and returns once its process runs.
func startConverting(t *testing.T, s *devserver.Server, storage, id string) (pid int) {
	t.Helper()
	create(t, s, storage, id)
	return converterOf(t, s, nil)
}

// create asks for the conversion of the grid.
func create(t *testing.T, s *devserver.Server, storage, id string) {
	t.Helper()
	if _, err := sdk(t, s).CreateConversion(t.Context(), id, client.ConversionSettings{
		InputLocation:  client.InputLocation{StorageContainerURI: "file://" + storage, BlobPrefix: "in", RelativeInputAssetPath: "grid.obj"},
		OutputLocation: client.OutputLocation{StorageContainerURI: "file://" + storage, BlobPrefix: "out-" + id},
	}); err != nil {
		t.Fatal(err)
	}
}

// converterOf waits for a process that converts, other than those.
func converterOf(t *testing.T, s *devserver.Server, than []int) (pid int) {
	t.Helper()
	within(t, "a process that converts", func() bool {
		fresh := slices.DeleteFunc(s.Workers(t), func(pid int) bool { return slices.Contains(than, pid) })
		if len(fresh) == 1 {
			pid = fresh[0]
		}
		return len(fresh) == 1
	})
	return pid
}

// writeGrid makes a directory with a model of many triangles in it.
func writeGrid(t *testing.T) (storage string) {
	t.Helper()
	const n = 250
	storage = t.TempDir()
	if err := os.Mkdir(filepath.Join(storage, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(storage, "in", "grid.obj"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for y := range n {
		for x := range n {
			fmt.Fprintf(w, "v %d %d %d\n", x, y, (x*x+y*y*y)%7)
		}
	}
	for y := range n - 1 {
		for x := range n - 1 {
			i := y*n + x + 1
			fmt.Fprintf(w, "f %d %d %d %d\n", i, i+1, i+n+1, i+n)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return storage
}

// settled waits for the end of a conversion and looks at what it has left: outputs, and nothing but a log in the service's
// directory.
func settled(t *testing.T, s *devserver.Server, storage, id string) *client.Conversion {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := sdk(t, s)
	if _, err := c.WaitConversion(ctx, id, client.ConversionWaitOptions{}); err != nil {
		t.Logf("%s: %v", id, err)
	}
	conv, err := c.GetConversion(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(storage, "out-"+id, "grid.result.json")); err != nil {
		t.Error(err)
	}
	_, err = os.Stat(filepath.Join(storage, "out-"+id, "grid.arrAsset"))
	if (err == nil) != (conv.Status == client.ConversionSucceeded) {
		t.Errorf("%s with asset: %v", conv.Status, err)
	}
	err = filepath.WalkDir(filepath.Join(s.DataDir, "conversions"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "log.txt" {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if len(s.Workers(t)) != 0 {
		t.Error("a process is left")
	}
	return conv
}

func attempts(t *testing.T, s *devserver.Server, id string) int {
	t.Helper()
	p, err := sdk(t, s).ConversionProgress(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p.Attempt
}

func TestKilledConverterIsTriedAgainOnce(t *testing.T) {
	storage := writeGrid(t)
	s := devserver.Start(t, devserver.Options{Args: []string{"--storage", storage}})
	first := startConverting(t, s, storage, "once")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if c := settled(t, s, storage, "once"); c.Status != client.ConversionSucceeded {
		t.Errorf("%s: %v", c.Status, c.Error)
	}
	if n := attempts(t, s, "once"); n != 2 {
		t.Errorf("%d attempts", n)
	}

	first = startConverting(t, s, storage, "twice")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := converterOf(t, s, []int{first})
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c := settled(t, s, storage, "twice")
	if c.Status != client.ConversionFailed || c.Error.Code != "ConversionProcessFailed" || !strings.Contains(c.Error.Message, "memory") {
		t.Errorf("%s: %v", c.Status, c.Error)
	}
}

func TestKilledControlPlaneResumesConversions(t *testing.T) {
	storage := writeGrid(t)
	first := devserver.Start(t, devserver.Options{Args: []string{"--storage", storage}, Env: []string{"HELIOGRAPH_CONVERSION_MAX_RUNNING=1"}})
	pid := startConverting(t, first, storage, "running")
	create(t, first, storage, "waiting") // acknowledged just before the crash: it must be run after it
	before, err := sdk(t, first).GetConversion(t.Context(), "running")
	if err != nil || before.Status != client.ConversionRunning {
		t.Fatalf("%+v, %v", before, err)
	}
	first.Kill()
	within(t, "the process ended with its service", func() bool { return gone(t, first, pid) })

	second := devserver.Start(t, devserver.Options{DataDir: first.DataDir, Args: []string{"--storage", storage}})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, id := range []string{"running", "waiting"} {
		if _, err := sdk(t, second).WaitConversion(ctx, id, client.ConversionWaitOptions{}); err != nil {
			t.Error(err)
		}
	}
	if c := settled(t, second, storage, "running"); c.Status != client.ConversionSucceeded || !c.CreationTime.Equal(before.CreationTime) {
		t.Errorf("%s: %v", c.Status, c.Error)
	}
	settled(t, second, storage, "waiting")
	if n := attempts(t, second, "running"); n != 2 {
		t.Errorf("%d attempts", n)
	}
}

func TestCancelledAndDeletedConversionsLeaveNothing(t *testing.T) {
	storage := writeGrid(t)
	s := devserver.Start(t, devserver.Options{Args: []string{"--storage", storage}})
	pid := startConverting(t, s, storage, "cancelled")
	c := sdk(t, s)
	if err := c.CancelConversion(t.Context(), "cancelled"); err != nil {
		t.Fatal(err)
	}
	conv, err := c.GetConversion(t.Context(), "cancelled")
	if err != nil || conv.Status != client.ConversionFailed || conv.Error.Code != "ConversionCancelled" {
		t.Errorf("%+v, %v", conv, err)
	}
	within(t, "the process is gone", func() bool { return gone(t, s, pid) })

	pid = startConverting(t, s, storage, "deleted")
	if err := c.DeleteConversion(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	within(t, "the process is gone", func() bool { return gone(t, s, pid) })
	within(t, "its files are gone", func() bool {
		entries, err := os.ReadDir(filepath.Join(s.DataDir, "conversions"))
		return err == nil && len(entries) == 1 // the log of the other
	})
	if entries, err := os.ReadDir(storage); err != nil || len(entries) != 1 {
		t.Errorf("in the storage: %v, %v", entries, err)
	}
}

package conversion_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/converter/child"
)

func TestSuccess(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		key := s.create("a")
		c := s.want(key, arr.ConversionRunning)
		if c.StartedAt != c.CreatedAt { // the bubble's clock stands still while anything can run
			t.Errorf("something waited for %v", c.StartedAt.Sub(c.CreatedAt))
		}
		time.Sleep(time.Second)
		c = s.want(key, arr.ConversionSucceeded)
		if got := c.OutputAssetURI(); got != "mem://out/done/engine.arrAsset" {
			t.Errorf("output %s", got)
		}
		// All files below the prefix, except for folders and assets, and nothing from elsewhere.
		if diff := cmp.Diff(map[string]string{
			"done/engine.arrAsset":    "engine.ConversionSettings.json engine.glb tex/a.png",
			"done/engine.info.json":   "{}",
			"done/engine.result.json": `[{"result":"succeeded"}]`,
		}, s.storage.outputs()); diff != "" {
			t.Errorf("outputs (-want +got):\n%s", diff)
		}
		for _, name := range []string{"/input", "/output"} {
			if files := s.files(); strings.Contains(files, name) || !strings.Contains(files, "/log.txt") {
				t.Errorf("left behind:\n%s", files)
			}
		}
		if fmt.Sprint(s.metrics.ended) != "[Succeeded 1s]" || s.metrics.fetched != 15 || s.metrics.stored == 0 || s.metrics.running != 0 {
			t.Errorf("metrics %+v", s.metrics)
		}
		again, created, err := s.Create(t.Context(), key, settings(), secrets)
		if err != nil || created || again.Status != arr.ConversionSucceeded {
			t.Errorf("PUT again: %+v, %t, %v", again, created, err)
		}
		if time.Sleep(time.Hour); len(s.converter.begun) != 1 {
			t.Errorf("converted %d times", len(s.converter.begun))
		}
	})
}

// Of a format whose files refer to nothing, only the model is fetched, with what tells how to convert it.
func TestSingleFile(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		for _, name := range []string{
			"scans/hall.laz", "scans/hall.ConversionSettings.json", "scans/hall.MaterialOverrides.json", "scans/conversionSettings.json",
			"scans/hall.2.laz", "scans/other.laz", "scans/hall/x.laz",
		} {
			s.storage.blobs[inURI][name] = []byte("x")
		}
		s.create("a", func(s *arr.ConversionSettings) { s.Input.BlobPrefix, s.Input.AssetPath = "", "scans/hall.laz" })
		time.Sleep(time.Second)
		s.want(keyOf("a"), arr.ConversionSucceeded)
		want := "scans/conversionSettings.json scans/hall.ConversionSettings.json scans/hall.MaterialOverrides.json scans/hall.laz"
		if got := s.storage.outputs()["done/hall.arrAsset"]; got != want {
			t.Errorf("fetched %s", got)
		}
	})
}

func TestFailures(t *testing.T) {
	const logs = "Check logs in output container for details."
	for name, tc := range map[string]struct {
		edit       func(*arr.ConversionSettings)
		storage    func(op, key string) error
		act        func(n int, j child.Job, log io.Writer) (child.Result, error)
		code, text string
		noResult   bool // result.json cannot be written
	}{
		// Both generations of Azure's own tests are satisfied (contract section 5).
		"missing asset": {edit: func(s *arr.ConversionSettings) { s.Input.AssetPath = "none.glb" },
			code: "InputContainerError", text: "Could not find the asset file in the storage account. Please make sure"},
		"missing asset, old words": {edit: func(s *arr.ConversionSettings) { s.Input.AssetPath = "none.glb" },
			code: "InputContainerError", text: "Invalid input provided. " + logs},
		"asset vanished": {storage: func(op, key string) error {
			if op == "Download" && key == "models/engine.glb" {
				return arr.Errorf(arr.CodeNotFound, "no such blob")
			}
			return nil
		}, code: "InputContainerError", text: "Could not find the asset file"},
		"input unreadable": {storage: func(op, _ string) error {
			if op == "List" {
				return errors.New("https://x?" + inSAS + ": 403")
			}
			return nil
		}, code: "InputContainerError", text: "The source could not be fetched from the input container."},
		"input refused in words": {storage: func(op, _ string) error {
			if op == "List" {
				return arr.Errorf(arr.CodeForbidden, "The signature of hush-in has expired.")
			}
			return nil
		}, code: "InputContainerError", text: "container. The signature of [redacted] has expired."},
		"disk full": {storage: func(op, _ string) error {
			if op == "Download" {
				return fmt.Errorf("write: %w", syscall.ENOSPC)
			}
			return nil
		}, code: "InsufficientCapacity", text: "no room on its disk"},
		"output refused": {storage: func(op, _ string) error {
			if op == "Upload" {
				return arr.Errorf(arr.CodeForbidden, "The signature may not write.")
			}
			return nil
		}, code: "OutputContainerError", text: "The signature may not write.", noResult: true},
		"asset refused": {storage: func(op, key string) error {
			if strings.HasSuffix(key, ".arrAsset") {
				return errors.New("too large")
			}
			return nil
		}, code: "OutputContainerError", text: "could not be written"},
		"bad source": {act: func(_ int, j child.Job, _ io.Writer) (child.Result, error) {
			return failWith(j, child.KindInput, "The input asset is not valid.")
		}, code: "ConversionProcessFailed", text: "The input asset is not valid. Invalid input provided. " + logs},
		"too large": {act: func(_ int, j child.Job, _ io.Writer) (child.Result, error) {
			return failWith(j, child.KindResources, "The conversion process exceeded system resources.")
		}, code: "ConversionProcessFailed", text: "exceeded system resources. " + logs},
		"no converter": {act: func(int, child.Job, io.Writer) (child.Result, error) {
			return child.Result{}, errors.New("/usr/bin/heliograph-worker: not found")
		}, code: "InternalServerError", text: "The service failed to run the conversion."},
		"output is a link": {act: func(_ int, j child.Job, _ io.Writer) (child.Result, error) {
			r, err := succeed(j)
			asset := filepath.Join(j.OutputDir, j.OutputName+".arrAsset")
			return r, errors.Join(err, os.Remove(asset), os.Symlink("/etc/passwd", asset))
		}, code: "OutputContainerError", text: "could not be written"},
	} {
		t.Run(name, func(t *testing.T) {
			inService(t, func(t *testing.T, s *service) {
				s.converter.act, s.storage.fail = tc.act, tc.storage
				key := s.create("a", func(s *arr.ConversionSettings) {
					s.Output.AssetFilename = "x.arrAsset"
					if tc.edit != nil {
						tc.edit(s)
					}
				})
				time.Sleep(time.Second)
				c := s.want(key, arr.ConversionFailed, tc.code, tc.text)
				if strings.Contains(c.Error.Message, "hush") || strings.Contains(c.Error.Message, "heliograph-worker") {
					t.Errorf("the message tells too much: %s", c.Error.Message)
				}
				if _, ok := s.storage.outputs()["done/x.arrAsset"]; ok {
					t.Error("there is an asset")
				}
				if _, written := s.storage.outputs()["done/x.result.json"]; written == tc.noResult {
					t.Errorf("result.json written: %t", written)
				} else if written {
					if result, failures := s.resultOf("done/x.result.json"); result != "failed" || failures != 1 {
						t.Errorf("result.json says %q with %d errors", result, failures)
					}
				}
				if time.Sleep(time.Hour); len(s.converter.begun) > 1 {
					t.Errorf("tried %d times", len(s.converter.begun))
				}
			})
		})
	}
}

func crash(_ int, _ child.Job, log io.Writer) (child.Result, error) {
	fmt.Fprintln(log, "SIGSEGV at "+inSAS)
	return child.Result{Kind: child.KindCrash, Error: arr.Errorf(arr.CodeConversionFailed, "The conversion process crashed.")}, nil
}

func TestCrashIsTriedAgainOnce(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		s.converter.act = func(n int, j child.Job, log io.Writer) (child.Result, error) {
			if n == 1 {
				return crash(n, j, log)
			}
			return succeed(j)
		}
		key := s.create("a")
		time.Sleep(time.Second)
		s.want(key, arr.ConversionRunning) // never back to NotStarted
		if p, err := s.queue.Progress(t.Context(), key); err != nil || p.Attempt != 2 {
			t.Errorf("progress %+v, %v", p, err)
		}
		time.Sleep(time.Second)
		s.want(key, arr.ConversionSucceeded)
		log, err := s.queue.LogTail(t.Context(), key, 1000)
		if text := string(log); err != nil || !strings.Contains(text, "attempt=1") || !strings.Contains(text, "attempt=2") ||
			!strings.Contains(text, "SIGSEGV at [redacted]") {
			t.Errorf("log %s, %v", text, err)
		}

		s.converter.act = crash
		bad := s.create("b")
		time.Sleep(2 * time.Second)
		s.want(bad, arr.ConversionFailed, "ConversionProcessFailed", "crashed")
		if n := len(s.converter.begun); n != 4 {
			t.Errorf("tried %d times", n-2)
		}
		if result, failures := s.resultOf("done/engine.result.json"); result != "failed" || failures != 1 {
			t.Errorf("result.json says %q", result)
		}
	})
}

func TestRestartResumes(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		key, waits := s.create("a"), s.create("b")
		time.Sleep(time.Second / 2)
		for range 8 { // more often than an attempt may be lost
			s.stop()
			s.want(key, arr.ConversionRunning)
			s.want(waits, arr.ConversionNotStarted)
			if strings.Contains(s.files(), "/input/") {
				t.Errorf("a service that has ended left\n%s", s.files())
			}
			time.Sleep(time.Minute)
			s.start()
			time.Sleep(time.Second / 2)
		}
		time.Sleep(time.Second / 2)
		c := s.want(key, arr.ConversionSucceeded)
		if took := c.EndedAt.Sub(c.StartedAt); took < 8*time.Minute {
			t.Errorf("Running was %v ago", took) // the first time counts
		}
		time.Sleep(time.Second)
		s.want(waits, arr.ConversionSucceeded)
	})
}

// killed is a store whose service does not get to write any more, as after kill -9.
type killed struct {
	conversion.Store
	dead bool
}

func (k *killed) Update(ctx context.Context, key arr.ConversionKey, fn func(*conversion.Record) error) (conversion.Record, error) {
	if k.dead {
		return conversion.Record{}, errors.New("killed")
	}
	return k.Store.Update(ctx, key, fn)
}

func TestKillOfTheServiceIsSurvived(t *testing.T) {
	store := &killed{}
	inService(t, func(t *testing.T, s *service) {
		key := s.create("a")
		kill := func() {
			time.Sleep(time.Second / 2)
			store.dead = true
			s.stop()
			store.dead = false
			s.want(key, arr.ConversionRunning)
			s.start()
		}
		kill()
		kill()
		time.Sleep(time.Second)
		s.want(key, arr.ConversionSucceeded)

		// One that takes the service down each time is given up.
		key = s.create("b")
		for range 5 {
			kill()
		}
		s.want(key, arr.ConversionFailed, "ConversionProcessFailed", "begun 5 times")
		if n := len(s.converter.begun); n != 3+5 {
			t.Errorf("begun %d times", n-3)
		}
	}, func(c *conversion.QueueConfig) { store.Store, c.Store = c.Store, store })
}

func TestCancel(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		running, waiting := s.create("a"), s.create("b")
		time.Sleep(time.Second / 2)
		for _, key := range []arr.ConversionKey{waiting, running} {
			if err := s.Cancel(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			s.want(key, arr.ConversionFailed, "ConversionCancelled", "The conversion was cancelled.")
		}
		if s.converter.running != 0 || strings.Contains(s.files(), "/input/") || len(s.storage.outputs()) != 0 {
			t.Errorf("%d processes run; files:\n%s; outputs %v", s.converter.running, s.files(), s.storage.outputs())
		}
		time.Sleep(time.Minute)
		if s.want(running, arr.ConversionFailed, "ConversionCancelled", ""); len(s.converter.begun) != 1 {
			t.Errorf("begun: %v", s.converter.begun)
		}
		if err := s.Cancel(t.Context(), running); err != nil {
			t.Errorf("again: %v", err)
		}
		if err := s.Cancel(t.Context(), keyOf("none")); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("unknown: %v", err)
		}
		if got := fmt.Sprint(s.metrics.ended); got != "[FailedConversionCancelled 0s FailedConversionCancelled 500ms]" {
			t.Errorf("metrics %s", got)
		}
		done := s.create("c")
		time.Sleep(time.Second)
		s.want(done, arr.ConversionSucceeded)
		if err := s.Cancel(t.Context(), done); err != nil {
			t.Error(err)
		}
		s.want(done, arr.ConversionSucceeded)
	})
}

func TestDelete(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		done := s.create("done")
		time.Sleep(time.Second)
		s.want(done, arr.ConversionSucceeded)
		running, waiting := s.create("a"), s.create("b")
		time.Sleep(time.Second / 2)
		for _, key := range []arr.ConversionKey{done, running, waiting} {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(t.Context(), key); arr.CodeOf(err) != arr.CodeNotFound {
				t.Errorf("again: %v", err)
			}
			synctest.Wait()
			if _, err := s.queue.LogTail(t.Context(), key, 1); arr.CodeOf(err) != arr.CodeNotFound {
				t.Errorf("log: %v", err)
			}
		}
		if files := s.files(); files != "" || s.converter.running != 0 {
			t.Errorf("left %d processes and\n%s", s.converter.running, files)
		}
		if _, ok := s.storage.outputs()["done/engine.arrAsset"]; !ok {
			t.Error("the output is gone")
		}
		// The name is free again, also at once.
		s.create("a")
		time.Sleep(time.Second / 2)
		if err := s.Delete(t.Context(), running); err != nil {
			t.Fatal(err)
		}
		if _, created, err := s.Create(t.Context(), running, settings(), secrets); err != nil || !created {
			t.Fatal(created, err)
		}
		time.Sleep(time.Second)
		if c := s.want(running, arr.ConversionSucceeded); c.EndedAt.Sub(c.CreatedAt) != time.Second {
			t.Errorf("took %v", c.EndedAt.Sub(c.CreatedAt))
		}
	})
}

func TestOrder(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		for i := range 6 {
			s.create(fmt.Sprint("a", i))
			time.Sleep(time.Millisecond)
		}
		for i := range 2 {
			s.createAs(arr.ConversionKey{Account: accountB, ID: arr.ConversionID(fmt.Sprint("b", i))})
			time.Sleep(time.Millisecond)
		}
		p, err := s.queue.Progress(t.Context(), keyOf("a5"))
		if want := (arr.ConversionProgress{Status: arr.ConversionNotStarted, Stage: "waiting", Ahead: 5}); err != nil || p != want {
			t.Errorf("progress of the last %+v, %v", p, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		// The second account does not wait for all of the first, and each has its own in order.
		order := strings.Join(s.converter.begun, " ")
		if !strings.HasPrefix(order, "a0 a1 b0 a2 ") || strings.Index(order, "b1") > strings.Index(order, "a4") {
			t.Errorf("order %s", order)
		}
		if rest := strings.NewReplacer("b0 ", "", "b1 ", "").Replace(order); rest != "a0 a1 a2 a3 a4 a5" {
			t.Errorf("order of the first account %s", rest)
		}
		if s.converter.most != 2 {
			t.Errorf("%d at a time", s.converter.most)
		}
	}, func(c *conversion.QueueConfig) { c.MaxRunning = 2 })
}

func TestProgress(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		key := s.create("a")
		time.Sleep(time.Second / 4)
		f := func(want arr.ConversionProgress) {
			t.Helper()
			synctest.Wait()
			got, err := s.queue.Progress(t.Context(), key)
			if err != nil || got != want {
				t.Errorf("%+v, %v\nwant %+v", got, err, want)
			}
		}
		f(arr.ConversionProgress{Status: arr.ConversionRunning, Stage: "read", StageDone: 0.5, Done: 0.5, Rate: 7, Unit: "bytes",
			Attempt: 1, Elapsed: time.Second / 4})
		time.Sleep(time.Second)
		f(arr.ConversionProgress{Status: arr.ConversionSucceeded, Stage: "done", StageDone: 1, Done: 1, Attempt: 1, Elapsed: time.Second})
		if _, err := s.queue.Progress(t.Context(), keyOf("none")); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("unknown: %v", err)
		}
	})
}

func TestTimeLimit(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		key := s.create("a")
		time.Sleep(time.Second)
		s.want(key, arr.ConversionFailed, "ConversionProcessFailed", "longer than the 500ms")
		if result, _ := s.resultOf("done/engine.result.json"); result != "failed" {
			t.Errorf("result.json says %q", result)
		}
	}, func(c *conversion.QueueConfig) { c.TimeLimit = time.Second / 2 })
}

func TestInputLimit(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		s.want(s.create("a"), arr.ConversionFailed, "InputContainerError", "The source has 15 bytes, more than the 14 bytes")
		if len(s.storage.fetch) != 0 {
			t.Errorf("fetched %v", s.storage.fetch)
		}
	}, func(c *conversion.QueueConfig) { c.MaxInputBytes = 14 })
}

func TestHostileNames(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		for _, name := range []string{"../../escape", "/abs", "a//b", strings.Repeat("x", 300), "engine.glb/below", "nul\x00"} {
			s.storage.blobs[inURI]["models/"+name] = []byte("evil")
		}
		delete(s.storage.blobs[inURI], "models/engine.glb/below")
		key := s.create("a")
		time.Sleep(time.Second)
		s.want(key, arr.ConversionSucceeded)
		if got := s.storage.outputs()["done/engine.arrAsset"]; got != "engine.ConversionSettings.json engine.glb tex/a.png" {
			t.Errorf("fetched %s", got)
		}
		log, err := s.queue.LogTail(t.Context(), key, 100)
		if n := strings.Count(string(log), "left out"); err != nil || n != 5 {
			t.Errorf("%d names are said to be left out:\n%s", n, log)
		}
		if strings.Contains(s.files(), "evil") {
			t.Errorf("files:\n%s", s.files())
		}
	})
}

func TestStoreFailuresPass(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		broken := errors.New("disk full")
		s.store.FailWith(func(op string, _ arr.ConversionKey) error {
			if op == "Create" || op == "List" {
				return nil
			}
			return broken
		})
		key := s.create("a")
		time.Sleep(9500 * time.Millisecond)
		s.store.FailWith(nil)
		time.Sleep(time.Second)
		s.want(key, arr.ConversionRunning)
		s.store.FailWith(func(op string, _ arr.ConversionKey) error {
			if op == "Update" {
				return broken
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		s.store.FailWith(nil)
		time.Sleep(2 * time.Second)
		s.want(key, arr.ConversionSucceeded)
		if len(s.converter.begun) != 1 {
			t.Errorf("begun %d times", len(s.converter.begun))
		}
	})
}

func TestRetention(t *testing.T) {
	const retention = 24 * time.Hour
	inService(t, func(t *testing.T, s *service) {
		old := s.create("old")
		time.Sleep(retention)
		s.want(old, arr.ConversionSucceeded)
		fresh := s.create("fresh")
		time.Sleep(2 * time.Hour)
		s.want(fresh, arr.ConversionSucceeded)
		if _, err := s.Get(t.Context(), old); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("the old one: %v", err)
		}
		if n := strings.Count(s.files(), "/log.txt"); n != 1 {
			t.Errorf("%d logs are left", n)
		}
	}, func(c *conversion.QueueConfig) { c.Retention = retention })
}

// What a crash of the service left of forgotten conversions is removed at the next start.
func TestForgottenFilesAreRemoved(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		key := s.create("a")
		time.Sleep(time.Second)
		s.want(key, arr.ConversionSucceeded)
		s.stop()
		if err := os.MkdirAll(filepath.Join(s.config.Dir, "gone", "input"), 0o700); err != nil {
			t.Fatal(err)
		}
		s.start()
		if entries, err := os.ReadDir(s.config.Dir); err != nil || len(entries) != 1 {
			t.Errorf("left %v, %v", entries, err)
		}
		if log, err := s.queue.LogTail(t.Context(), key, 1); err != nil || len(log) == 0 {
			t.Errorf("log %q, %v", log, err)
		}
	})
}

// What a killed service left of a conversion does not lie there until its turn comes again.
func TestFilesOfInterruptedAreRemovedAtTheStart(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		s.create("a")
		time.Sleep(time.Millisecond)
		s.create("b")
		s.stop()
		entries, err := os.ReadDir(s.config.Dir)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
		left := filepath.Join(s.config.Dir, entries[0].Name(), "input", "left")
		if err := errors.Join(os.MkdirAll(filepath.Dir(left), 0o700), os.WriteFile(left, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		s.start()
		if _, err := os.Stat(left); err == nil {
			t.Error("the file is still there")
		}
	})
}

func TestLostKey(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		running, waiting := s.create("a"), s.create("b")
		s.stop()
		other, err := conversion.OpenSealer(filepath.Join(t.TempDir(), "key"))
		if err != nil {
			t.Fatal(err)
		}
		s.config.Sealer = other
		s.start()
		for _, key := range []arr.ConversionKey{running, waiting} {
			s.want(key, arr.ConversionFailed, "ConversionProcessFailed", "lost the key")
		}
	})
}

// busy is an error that passes.
type busy struct{ error }

func (busy) Retryable() bool { return true }
func (b busy) Unwrap() error { return b.error }

func TestHiccupsOfStoragePass(t *testing.T) {
	inService(t, func(t *testing.T, s *service) {
		started := time.Now()
		s.storage.fail = func(op, key string) error {
			if op == "Download" && time.Since(started) < 20*time.Second || op == "Upload" && time.Since(started) < time.Minute {
				return busy{arr.Errorf(arr.CodeOutputContainer, "too busy (%s)", inSAS)}
			}
			return nil
		}
		key := s.create("a")
		time.Sleep(4 * time.Minute)
		s.want(key, arr.ConversionSucceeded)
		if got := s.storage.outputs()["done/engine.arrAsset"]; got != "engine.ConversionSettings.json engine.glb tex/a.png" {
			t.Errorf("fetched %s", got)
		}
		if len(s.converter.begun) != 1 {
			t.Errorf("converted %d times", len(s.converter.begun))
		}
		log, err := s.queue.LogTail(t.Context(), key, 100)
		if err != nil || strings.Count(string(log), "to be tried again") < 4 {
			t.Errorf("log %s, %v", log, err)
		}

		s.storage.fail = func(op, _ string) error { return busy{arr.Errorf(arr.CodeInputContainer, "too busy")} }
		never := s.create("b")
		time.Sleep(4 * time.Minute)
		s.want(never, arr.ConversionFailed, "InputContainerError", "too busy")
	})
}

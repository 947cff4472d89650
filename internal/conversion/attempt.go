package conversion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// attempt is one try at a conversion.
type attempt struct {
	q      *Queue
	rec    Record
	ctx    context.Context
	cancel context.CancelCauseFunc
	now    atomic.Pointer[child.Progress]
	ended  bool // guarded by q.mu
}

func newAttempt(ctx context.Context, q *Queue, rec Record) *attempt {
	a := &attempt{q: q, rec: rec}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.report(child.Progress{Stage: stageWaiting})
	return a
}

func (a *attempt) report(p child.Progress) { a.now.Store(&p) }

func (a *attempt) progress() child.Progress { return *a.now.Load() }

// outcome is what came of an attempt. The zero value is success.
type outcome struct {
	err      *arr.Error
	crashed  bool // another attempt may do better
	reported bool // the converter has written result.json
}

// run takes the attempt from the record as it is to the record as it becomes.
func (a *attempt) run() {
	defer a.cancel(nil)
	if !a.begin() {
		return
	}
	out := a.convert()
	if err := a.q.work.end(&a.rec); err != nil {
		a.q.c.Log.WarnContext(a.ctx, "files of a conversion not removed", "conversion", a.rec.Key.String(), "err", err)
	}
	a.end(out)
}

// begin marks the conversion as Running, and counts the attempt before it can do harm.
func (a *attempt) begin() bool {
	rec, err := a.q.c.Store.Update(a.ctx, a.rec.Key, func(r *Record) error {
		switch {
		case a.over(r):
			return errUnchanged
		case r.Starts >= maxStarts:
			return r.fail(arr.Errorf(arr.CodeConversionFailed, "The conversion was begun %d times and never ended.", r.Starts), a.q.c.Clock.Now())
		}
		r.Starts++
		return r.Transition(arr.ConversionRunning, a.q.c.Clock.Now())
	})
	switch {
	case errors.Is(err, errUnchanged) || arr.CodeOf(err) == arr.CodeNotFound:
		return false
	case err != nil:
		if a.ctx.Err() == nil {
			a.q.c.Log.WarnContext(a.ctx, "conversion not begun", "conversion", a.rec.Key.String(), "retryIn", retryAfter, "err", err)
			a.pause()
		}
		return false
	case rec.Status.Terminal():
		a.told(&rec)
		return false
	}
	a.rec = rec
	a.q.c.Log.InfoContext(a.ctx, "conversion begun", "conversion", a.rec.Key.String(), "attempt", rec.Starts)
	return true
}

// over reports whether r, as it is stored now, is not to be worked at.
func (a *attempt) over(r *Record) bool {
	return r.Status.Terminal() || !r.CreatedAt.Equal(a.rec.CreatedAt)
}

// end records the outcome.
func (a *attempt) end(out outcome) {
	cause := context.Cause(a.ctx)
	ctx := context.WithoutCancel(a.ctx) // what was reached is recorded, also as the service ends
	interrupted := out.err != nil && cause != nil
	for {
		rec, err := a.q.c.Store.Update(ctx, a.rec.Key, func(r *Record) error {
			now := a.q.c.Clock.Now()
			switch {
			case a.over(r):
				return errUnchanged
			case interrupted: // by the end of the service: begun again by the next
				r.Starts--
				return nil
			case out.crashed:
				if r.Crashes++; r.Crashes <= maxCrashes {
					return nil
				}
			}
			if out.err != nil {
				return r.fail(out.err, now)
			}
			r.Sealed = nil
			return r.Transition(arr.ConversionSucceeded, now)
		})
		switch {
		case err == nil:
			a.told(&rec)
			return
		case errors.Is(err, errUnchanged), arr.CodeOf(err) == arr.CodeNotFound:
			if rec, err := a.q.c.Store.Get(ctx, a.rec.Key); err == nil && rec.CreatedAt.Equal(a.rec.CreatedAt) {
				a.told(&rec) // cancelled meanwhile
			}
			return
		}
		a.q.c.Log.WarnContext(ctx, "end of a conversion not recorded", "conversion", a.rec.Key.String(), "retryIn", retryAfter, "err", err)
		if !a.pause() {
			return
		}
	}
}

// pause waits before the store is asked again; it is false when there is no time left for that.
func (a *attempt) pause() bool {
	t := time.NewTimer(retryAfter)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.ctx.Done():
		return false
	}
}

// told logs and counts what became of the conversion.
func (a *attempt) told(rec *Record) {
	log := a.q.c.Log.With("conversion", rec.Key.String())
	if !rec.Status.Terminal() {
		log.WarnContext(a.ctx, "conversion to be begun again", "starts", rec.Starts, "crashes", rec.Crashes)
		return
	}
	var took time.Duration
	if !rec.StartedAt.IsZero() {
		took = rec.EndedAt.Sub(rec.StartedAt)
	}
	if rec.Error != nil {
		log.WarnContext(a.ctx, "conversion failed", "code", string(rec.Error.Code), "reason", rec.Error.Message, "took", took)
	} else {
		log.InfoContext(a.ctx, "conversion succeeded", "took", took)
	}
	a.q.c.Metrics.Ended(rec.Status, codeOf(rec.Error), took)
}

// codeOf is arr.CodeOf without the trap of a nil *arr.Error in an error.
func codeOf(e *arr.Error) arr.Code {
	if e == nil {
		return ""
	}
	return e.Code
}

// convert does the work: it fetches the source, has it converted, and stores what came out.
func (a *attempt) convert() outcome {
	secrets, err := a.q.c.Sealer.unseal(a.rec.Key, a.rec.Sealed)
	if err != nil {
		a.q.c.Log.ErrorContext(a.ctx, "credentials lost", "conversion", a.rec.Key.String(), "err", err)
		return outcome{err: arr.Errorf(arr.CodeConversionFailed, "The service has lost the key of the conversion's signatures.")}
	}
	dir, err := a.q.work.begin(&a.rec)
	if err != nil {
		return a.broken("make room for files", err)
	}
	file, err := openLog(dir, secrets)
	if err != nil {
		return a.broken("open log", err)
	}
	defer func() { _ = file.Close() }() // the log is not what a conversion fails for
	ctx := a.ctx
	if limit := a.q.c.TimeLimit; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errTimeLimit)
		defer cancel()
	}
	t := &transfer{
		storage: a.q.c.Storage, account: a.rec.Key.Account, settings: a.rec.Settings, secrets: secrets, hide: redactor(secrets), dir: dir,
		maxInput: a.q.c.MaxInputBytes, moved: a.q.c.Metrics.Moved,
		log: slog.New(slog.NewTextHandler(file, nil)), report: func(p child.Progress) { a.report(where(p)) },
	}
	t.log.Info("begin", "conversion", string(a.rec.Key.ID), "attempt", a.rec.Starts)
	out := a.steps(ctx, t, file)
	switch {
	case out.err == nil:
		t.log.Info("succeeded")
	case errors.Is(context.Cause(ctx), errTimeLimit) && a.ctx.Err() == nil:
		out = outcome{err: arr.Errorf(arr.CodeConversionFailed,
			"The conversion took longer than the %v that it may. Check logs in output container for details.", a.q.c.TimeLimit)}
	}
	if out.err != nil && a.ctx.Err() == nil {
		t.log.Error("failed", "code", string(out.err.Code), "reason", out.err.Message)
		if !out.crashed || a.rec.Crashes >= maxCrashes {
			t.storeFailure(a.ctx, &a.rec, out)
		}
	}
	return out
}

// steps is convert without its surroundings.
func (a *attempt) steps(ctx context.Context, t *transfer, log *logFile) outcome {
	if err := t.persist(ctx, t.fetch); err != nil {
		return outcome{err: t.explain(arr.CodeInputContainer, "The source could not be fetched from the input container.", err)}
	}
	out := a.rec.Settings.Output
	result, err := a.q.c.Converter.Convert(ctx, child.Job{
		ID: string(a.rec.Key.ID), InputDir: filepath.Join(t.dir, inputDir), InputFile: a.rec.Settings.Input.AssetPath,
		OutputDir: filepath.Join(t.dir, outputDir), OutputName: strings.TrimSuffix(out.AssetFilename, arr.AssetExtension),
	}, log, t.report)
	switch {
	case err != nil && ctx.Err() != nil:
		return outcome{err: arr.Errorf(arr.CodeConversionFailed, "The conversion was interrupted.")}
	case err != nil:
		return a.broken("run the converter", err)
	case !result.Succeeded:
		return outcome{err: failure(result), crashed: result.Kind == child.KindCrash, reported: true}
	}
	if err := t.persist(ctx, t.store); err != nil {
		return outcome{err: t.explain(arr.CodeOutputContainer, "The asset could not be written to the output container.", err)}
	}
	return outcome{}
}

// failure is what the user is told of a conversion that failed. The words that clients look for are at the end (contract
// section 5, "Failed errors").
func failure(r child.Result) *arr.Error {
	text := "The conversion failed."
	if r.Error != nil {
		text = r.Error.Message
	}
	if r.Kind == child.KindInput || r.Kind == child.KindSettings {
		text += " Invalid input provided."
	}
	return arr.Errorf(arr.CodeConversionFailed, "%s Check logs in output container for details.", text)
}

// broken is for what is the service's own fault.
func (a *attempt) broken(doing string, err error) outcome {
	if a.ctx.Err() == nil {
		a.q.c.Log.ErrorContext(a.ctx, "conversion broken", "conversion", a.rec.Key.String(), "err", fmt.Errorf("%s: %w", doing, err))
	}
	return outcome{err: arr.Errorf(arr.CodeInternal, "The service failed to run the conversion.")}
}

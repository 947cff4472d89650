package conversion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// QueueConfig is what a Queue needs. Zero numbers take the default in brackets.
type QueueConfig struct {
	Store     Store
	Storage   Storage
	Converter Converter
	Sealer    *Sealer
	Dir       string       // for the files of conversions; nobody else uses it
	Clock     Clock        // nil = SystemClock
	Log       *slog.Logger // nil = none
	Metrics   Metrics      // nil = none

	MaxRunning    int           // conversions at a time [1]
	MaxInputBytes int64         // of all files of one source [no limit]
	TimeLimit     time.Duration // of one attempt, transfers and all [no limit]
	Retention     time.Duration // how long ended conversions, and their logs, stay readable [30 days]
}

const (
	// maxCrashes is how many crashes of its process a conversion survives: it is tried again once.
	maxCrashes = 1
	// maxStarts bounds how often one is begun whatever becomes of it, since it may be what takes the service down.
	maxStarts = 5
	// pruneEvery is how often ended conversions are looked through.
	pruneEvery = time.Hour
	// retryAfter is the pause after a failure of the store.
	retryAfter = time.Second
)

// Queue drives every conversion to its end: at most MaxRunning at a time, the oldest of the account with the fewest running
// first. Whatever wakes it (a change by Manager, the end of an attempt, the start of the control plane), it compares the
// record with what runs, and starts or ends an attempt. It keeps nothing that cannot be rebuilt from Store. Safe for
// concurrent use.
type Queue struct {
	c    QueueConfig
	work workDir
	wake chan struct{} // holds an element while changed is not empty

	mu      sync.Mutex
	changed map[arr.ConversionKey]bool // to be compared
	waiting map[arr.ConversionKey]Record
	running map[arr.ConversionKey]*attempt
}

// NewQueue returns a Queue and makes its directory. It remembers what Notify says and does nothing until Run.
func NewQueue(c QueueConfig) (*Queue, error) {
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	c.MaxRunning = max(c.MaxRunning, 1)
	c.Retention = cmp.Or(c.Retention, 30*24*time.Hour)
	work, err := openWorkDir(c.Dir)
	if err != nil {
		return nil, err
	}
	return &Queue{
		c: c, work: work, wake: make(chan struct{}, 1),
		changed: map[arr.ConversionKey]bool{}, waiting: map[arr.ConversionKey]Record{}, running: map[arr.ConversionKey]*attempt{},
	}, nil
}

// Notify says that the record of key has changed. It never blocks.
func (q *Queue) Notify(key arr.ConversionKey) {
	q.mu.Lock()
	q.changed[key] = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// The reasons for which an attempt is ended before it is done.
var (
	errSuperseded = errors.New("the conversion was cancelled or deleted")
	errTimeLimit  = errors.New("the conversion took too long")
)

// Run resumes and then drives conversions until ctx ends. Attempts under way are ended then, and begun anew by the next
// Run; all that was started here has ended when it returns. It is to be called once; Store must outlive it.
func (q *Queue) Run(ctx context.Context) error {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	if err := q.adopt(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("adopt conversions: %w", err)
	}
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	q.prune(ctx)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-prune.C:
			q.prune(ctx)
			continue
		case <-q.wake:
		case <-retry.C:
		}
		if err := q.compare(ctx); err != nil && ctx.Err() == nil {
			q.c.Log.WarnContext(ctx, "conversions not looked at", "retryIn", retryAfter, "err", err)
			retry.Reset(retryAfter)
		}
		for _, a := range q.admit(ctx) {
			attempts.Go(func() {
				a.run()
				q.mu.Lock()
				a.ended = true
				q.mu.Unlock()
				q.Notify(a.rec.Key) // it may be to be tried again, and there is room for another
			})
		}
	}
}

// adopt finds what has not ended, and removes files that belong to nothing: no attempt runs.
func (q *Queue) adopt(ctx context.Context) error {
	known := map[string]bool{}
	live := 0
	for o := (ListOptions{Limit: 500}); ; {
		page, next, err := q.c.Store.List(ctx, o)
		if err != nil {
			return err
		}
		for i := range page {
			known[dirName(&page[i])] = true
			if page[i].Status.Terminal() {
				continue
			}
			live++
			if err := q.work.end(&page[i]); err != nil {
				q.c.Log.WarnContext(ctx, "files of a conversion not removed", "conversion", page[i].Key.String(), "err", err)
			}
			q.Notify(page[i].Key)
		}
		if o.After = next; next == "" {
			break
		}
	}
	removed, err := q.work.clean(known)
	if err != nil {
		q.c.Log.WarnContext(ctx, "files of forgotten conversions not removed", "err", err)
	}
	q.c.Log.InfoContext(ctx, "conversions adopted", "live", live, "filesOfForgotten", removed)
	return nil
}

// compare looks at the records that have changed, and ends the attempts whose conversion has ended or is another by now.
func (q *Queue) compare(ctx context.Context) error {
	q.mu.Lock()
	keys := q.changed
	q.changed = map[arr.ConversionKey]bool{}
	q.mu.Unlock()
	var errs []error
	for key := range keys {
		q.mu.Lock()
		a := q.running[key]
		ended := a != nil && a.ended
		q.mu.Unlock()
		rec, err := q.c.Store.Get(ctx, key)
		unknown := arr.CodeOf(err) == arr.CodeNotFound
		if err != nil && !unknown {
			errs = append(errs, err)
			q.mu.Lock()
			q.changed[key] = true
			q.mu.Unlock()
			continue
		}
		q.mu.Lock()
		if ended {
			delete(q.running, key) // not before its record is read: else its place would go to another before its second try
			a = nil
		}
		switch wanted := !unknown && !rec.Status.Terminal(); {
		case a != nil && wanted && rec.CreatedAt.Equal(a.rec.CreatedAt):
		case a != nil:
			a.cancel(errSuperseded) // and its end notifies
		case wanted:
			q.waiting[key] = rec
		default:
			if _, waited := q.waiting[key]; waited && !unknown { // cancelled before its turn
				q.c.Metrics.Ended(rec.Status, codeOf(rec.Error), 0)
			}
			delete(q.waiting, key)
		}
		q.mu.Unlock()
		if a == nil && unknown {
			if err := q.work.forget(key); err != nil {
				q.c.Log.WarnContext(ctx, "files of a deleted conversion not removed", "conversion", key.String(), "err", err)
			}
		}
	}
	return errors.Join(errs...)
}

// admit makes the attempts that there is room for, without starting them.
func (q *Queue) admit(ctx context.Context) []*attempt {
	q.mu.Lock()
	defer q.mu.Unlock()
	var admitted []*attempt
	for len(q.running) < q.c.MaxRunning && len(q.waiting) > 0 {
		rec := q.order()[0]
		delete(q.waiting, rec.Key)
		a := newAttempt(ctx, q, rec)
		q.running[rec.Key] = a
		admitted = append(admitted, a)
	}
	q.c.Metrics.Live(len(q.waiting), len(q.running))
	return admitted
}

// order is in which the waiting will run if nothing ends meanwhile: accounts with few running first, then by age. Called
// with mu held.
func (q *Queue) order() []Record {
	running := map[arr.AccountID]int{}
	for key := range q.running {
		running[key.Account]++
	}
	all := make([]Record, 0, len(q.waiting))
	for _, rec := range q.waiting {
		all = append(all, rec)
	}
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(cmp.Compare(running[a.Key.Account], running[b.Key.Account]), a.CreatedAt.Compare(b.CreatedAt),
			cmp.Compare(a.Key.String(), b.Key.String()))
	})
	return all
}

// prune forgets what ended longer than Retention ago: the files first, so that an interruption leaves nothing that is not
// found again.
func (q *Queue) prune(ctx context.Context) {
	before := q.c.Clock.Now().Add(-q.c.Retention)
	pruned := 0
	o := ListOptions{Status: []arr.ConversionStatus{arr.ConversionSucceeded, arr.ConversionFailed}, Limit: 500}
	for more := true; more; more = o.After != "" {
		page, next, err := q.c.Store.List(ctx, o)
		o.After = next
		for i := range page {
			if !page[i].CreatedAt.Before(before) { // and so is every later one
				o.After = ""
				break
			}
			if err == nil && page[i].EndedAt.Before(before) {
				if err = q.work.forget(page[i].Key); err == nil {
					err = q.c.Store.Delete(ctx, page[i].Key, func(now *Record) error {
						if !now.CreatedAt.Equal(page[i].CreatedAt) {
							return arr.Errorf(arr.CodeConflict, "another conversion has its name by now")
						}
						return nil
					})
					pruned++
				}
			}
		}
		if err != nil {
			if ctx.Err() == nil {
				q.c.Log.WarnContext(ctx, "prune failed", "err", err)
			}
			return
		}
	}
	if pruned > 0 {
		q.c.Log.InfoContext(ctx, "ended conversions pruned", "count", pruned)
	}
}

// The stages that are not the converter's.
const (
	stageWaiting  = "waiting"
	stageDownload = "download"
	stageUpload   = "upload"
	stageDone     = "done"
)

// Progress says how far the conversion has come; arr.CodeNotFound for an unknown one.
func (q *Queue) Progress(ctx context.Context, key arr.ConversionKey) (arr.ConversionProgress, error) {
	rec, err := q.c.Store.Get(ctx, key)
	if err != nil {
		return arr.ConversionProgress{}, err
	}
	p := arr.ConversionProgress{Status: rec.Status, Stage: stageWaiting, Attempt: rec.Starts}
	if rec.Status.Terminal() {
		p.Stage = stageDone
		if !rec.StartedAt.IsZero() {
			p.Elapsed = rec.EndedAt.Sub(rec.StartedAt)
		}
		if rec.Status == arr.ConversionSucceeded {
			p.StageDone, p.Done = 1, 1
		}
		return p, nil
	}
	if !rec.StartedAt.IsZero() {
		p.Elapsed = max(0, q.c.Clock.Now().Sub(rec.StartedAt))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if a := q.running[key]; a != nil {
		now := a.progress()
		p.Stage, p.StageDone, p.Done, p.Rate, p.Unit = now.Stage, now.StageDone, now.Done, now.Rate, now.Unit
		return p, nil
	}
	p.Ahead = max(0, slices.IndexFunc(q.order(), func(r Record) bool { return r.Key == key }))
	return p, nil
}

// LogTail returns the last n lines of the conversion's log, at most 1 MiB, also after its end; none before it has run.
// arr.CodeNotFound for an unknown conversion.
func (q *Queue) LogTail(ctx context.Context, key arr.ConversionKey, n int) ([]byte, error) {
	rec, err := q.c.Store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return q.work.logTail(&rec, n)
}

// where scales the progress of one part of an attempt to the whole: fetching takes 15 %, storing takes 15 %.
func where(p child.Progress) child.Progress {
	switch p.Stage {
	case stageDownload:
		p.Done = 0.15 * p.StageDone
	case stageUpload:
		p.Done = 0.85 + 0.15*p.StageDone
	default:
		p.Done = 0.15 + 0.7*p.Done
	}
	return p
}

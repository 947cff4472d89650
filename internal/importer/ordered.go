package importer

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Ordered works on jobs in parallel, and merges the results in the jobs' order. next is never called concurrently, and
// returns false after the last job; nor is merge. At most two results a processor wait. It returns when all has ended,
// with the first error or that of ctx.
func Ordered[Job, Result any](ctx context.Context, next func() (Job, bool, error), work func(Job) (Result, error),
	merge func(Result) error) error {
	type task struct {
		job    Job
		result chan Result
	}
	workers := runtime.GOMAXPROCS(0)
	g, ctx := errgroup.WithContext(ctx)
	todo, order := make(chan task), make(chan task, 2*workers)
	g.Go(func() error {
		defer close(todo)
		defer close(order)
		for {
			job, more, err := next()
			if err != nil || !more {
				return err
			}
			t := task{job, make(chan Result, 1)}
			for _, c := range []chan task{order, todo} {
				select {
				case c <- t:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	})
	for range workers {
		g.Go(func() error {
			for t := range todo {
				r, err := work(t.job)
				if err != nil {
					return err
				}
				t.result <- r
			}
			return nil
		})
	}
	g.Go(func() error {
		for t := range order {
			select {
			case r := <-t.result:
				if err := merge(r); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}

package mesh

import (
	"context"
	"sync"

	"github.com/heliograph/heliograph/internal/geom"
)

// ordered calls work for 0..n-1 on so many threads and emit with the results in order, one call at a time. Work that is
// ahead of emit by more than a few results waits. It returns emit's first error, or ctx's.
func ordered[T any](ctx context.Context, threads, n int, work func(thread, i int) T, emit func(i int, r T) error) error {
	threads = min(threads, n)
	if threads <= 1 {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := emit(i, work(0, i)); err != nil {
				return err
			}
		}
		return nil
	}
	q := orderedQueue[T]{n: n, ahead: 16 * threads, ready: make(map[int]T), emit: emit}
	q.moved.L = &q.mu
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			for {
				i, ok := q.take(ctx)
				if !ok {
					return
				}
				q.put(i, work(t, i))
			}
		})
	}
	wg.Wait()
	return q.err
}

type orderedQueue[T any] struct {
	mu             sync.Mutex
	moved          sync.Cond
	n, ahead       int
	taken, emitted int
	ready          map[int]T
	emitting       bool
	emit           func(int, T) error
	err            error
}

func (q *orderedQueue[T]) take(ctx context.Context) (i int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && q.taken < q.n && q.taken >= q.emitted+q.ahead {
		q.moved.Wait()
	}
	if err := ctx.Err(); err != nil && q.err == nil {
		q.err = err
		q.moved.Broadcast()
	}
	if q.err != nil || q.taken == q.n {
		return 0, false
	}
	q.taken++
	return q.taken - 1, true
}

// put stores a result, and emits all that are next in order unless another goroutine is at it.
func (q *orderedQueue[T]) put(i int, r T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready[i] = r
	if q.emitting {
		return
	}
	q.emitting = true
	for q.err == nil {
		r, ok := q.ready[q.emitted]
		if !ok {
			break
		}
		delete(q.ready, q.emitted)
		q.mu.Unlock()
		err := q.emit(q.emitted, r) // only this goroutine changes emitted
		q.mu.Lock()
		if err != nil && q.err == nil {
			q.err = err
		}
		q.emitted++
		q.moved.Broadcast()
	}
	q.emitting = false
}

// parallel calls work for as many parts of 0..n-1 as there are threads, at once. Parts may be empty.
func parallel(threads, n int, work func(part, lo, hi int)) {
	var wg sync.WaitGroup
	for t := range threads {
		lo, hi := n*t/threads, n*(t+1)/threads
		if t == threads-1 {
			work(t, lo, hi)
		} else {
			wg.Go(func() { work(t, lo, hi) })
		}
	}
	wg.Wait()
}

// boxOf is the bounding box of n positions, but for those that are not finite.
func boxOf(threads, n int, position func(i int) geom.Vec3) geom.AABB {
	boxes := make([]geom.AABB, threads)
	parallel(threads, n, func(part, lo, hi int) {
		all := emptyMinMax()
		for i := lo; i < hi; i++ {
			if v := position(i); isFinite(v) {
				all.extend(vecOf(v))
			}
		}
		boxes[part] = all.box()
	})
	box := geom.Empty()
	for _, b := range boxes {
		box = box.Union(b)
	}
	return box
}

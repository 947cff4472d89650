package render

import (
	"context"
	"time"
)

// pageWait is between two pictures of Still that wait for pages.
const pageWait = 10 * time.Millisecond

// Still calls draw, which renders the same view into the same target, until that has converged, ctx ends, or patience is
// over: pages may come slowly, and what has come by then makes a picture too.
func Still(ctx context.Context, draw func() (Stats, error), patience time.Duration) error {
	for end := time.Now().Add(patience); ; {
		stats, err := draw()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || stats.Converged || time.Now().After(end) {
			return err
		}
		if stats.PagesMissing == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pageWait):
		}
	}
}

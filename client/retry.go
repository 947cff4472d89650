package client

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	backoffFirst = 200 * time.Millisecond
	backoffMost  = 10 * time.Second
)

// retryable rules what is sent again: a request that the service refused to look at (429, 503) or that never reached
// it, always; one whose fate is unknown or that failed inside (connection lost, other 5xx), only if repeatable.
func retryable(err error, repeatable bool) bool {
	var untrusted *tls.CertificateVerificationError
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &untrusted) {
		return false
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		switch refusal.Status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return true
		case http.StatusNotImplemented:
			return false
		}
		return refusal.Status >= 500 && repeatable
	}
	var op *net.OpError
	return repeatable || errors.As(err, &op) && op.Op == "dial"
}

// wait sleeps as the service asked (RFC 9110 section 10.2.3), else with exponential backoff and full jitter. It fails
// at once when the context would end first.
func wait(ctx context.Context, attempt int, err error) error {
	var refusal *Error
	d := rand.N(min(backoffFirst<<attempt, backoffMost)) + time.Millisecond
	if errors.As(err, &refusal) && refusal.RetryAfter > 0 {
		d = refusal.RetryAfter
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter parses seconds or an HTTP date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, n)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

package httpapi

import (
	"math"
	"net/http"
	"strconv"
	"sync"

	"golang.org/x/time/rate"

	"github.com/heliograph/heliograph/internal/arr"
)

// limiter bounds the requests of each account. Only authenticated accounts get an entry, so the map stays small.
type limiter struct {
	limit rate.Limit
	burst int

	mu       sync.Mutex
	accounts map[arr.AccountID]*rate.Limiter
}

// newLimiter returns a limiter; perSecond 0 means no limit.
func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{limit: rate.Limit(perSecond), burst: max(1, burst), accounts: map[arr.AccountID]*rate.Limiter{}}
}

// take counts one request of the account, or returns arr.CodeTooManyRequests and says in Retry-After when to come back: in
// whole seconds, without which the JavaScript SDK does not retry (contract section 3).
func (l *limiter) take(w http.ResponseWriter, account arr.AccountID) error {
	if l.limit <= 0 {
		return nil
	}
	l.mu.Lock()
	lim, ok := l.accounts[account]
	if !ok {
		lim = rate.NewLimiter(l.limit, l.burst)
		l.accounts[account] = lim
	}
	l.mu.Unlock()

	res := lim.Reserve()
	wait := res.Delay()
	if wait == 0 {
		return nil
	}
	res.Cancel()
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return arr.Errorf(arr.CodeTooManyRequests, "The account sends more requests than it may.")
}

// Package httpapi is the REST edge of the control plane: it authenticates, translates between the wire contract and the
// cores, maps errors to HTTP, relays to workers and serves the web pages. It decides nothing about sessions and conversions
// and knows no store and no process.
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// Sessions is what the edge needs of the session core; *session.Manager implements it. All errors that a client may see
// are *arr.Error.
type Sessions interface {
	// Create accepts a new session (created: 201) or returns the one that was created with the same settings (200).
	// Other settings: arr.CodeConflict.
	Create(ctx context.Context, key arr.SessionKey, size arr.Size, leaseMinutes int) (s arr.Session, created bool, err error)
	// Get returns arr.CodeNotFound for an unknown session.
	Get(ctx context.Context, key arr.SessionKey) (arr.Session, error)
	// List returns the sessions in Starting and Ready, limit at a time. after is "" or the next of the page before;
	// any other value is arr.CodeBadRequest. next is "" on the last page.
	List(ctx context.Context, account arr.AccountID, after string, limit int) (page []arr.Session, next string, err error)
	// Extend sets the total lease; arr.CodeUnprocessableEntity if it is not longer, too long, or the session has ended.
	Extend(ctx context.Context, key arr.SessionKey, leaseMinutes int) (arr.Session, error)
	// Stop ends the session; no error if it has ended.
	Stop(ctx context.Context, key arr.SessionKey) error
}

// LogTailer returns the last n lines of a worker's log, also after its end; arr.CodeNotFound if there never was one.
type LogTailer interface {
	LogTail(ctx context.Context, key arr.SessionKey, n int) ([]byte, error)
}

// Config is what a Server needs. Fields without a default in brackets are required.
type Config struct {
	Sessions        Sessions
	Conversions     Conversions
	ConversionWatch ConversionWatch
	Accounts        *token.Accounts
	Issuer          *token.Issuer
	Verifier        *token.Verifier

	Logs            LogTailer                   // [none: the log route answers 501]
	WorkerTransport http.RoundTripper           // how relays reach workers; see NewWorkerTransport [http.DefaultTransport]
	Ready           func(context.Context) error // what GET /readyz reports [always ready]
	UI              http.Handler                // the web pages: GET of every path that is no API [none]

	// ExternalURL is where clients reach this server, without a trailing slash; a path prefix is allowed. "" means the
	// origin of each request, which is right as long as no proxy rewrites the Host, and when several listeners serve.
	ExternalURL  string
	DashboardURL string // where viewer links point [ExternalURL]

	AllowedOrigins []string // web origins that may call the API, "*" = any [none]
	RatePerSecond  float64  // sustained requests of one account [no limit]
	RateBurst      int      // requests that may come at once [1]
	PageSize       int      // sessions or conversions in one page of a list [100]

	Log     *slog.Logger          // [none]
	Metrics prometheus.Registerer // [none]
}

// Server is the REST edge. It starts no goroutines; serve Handler with net/http.
type Server struct {
	cfg     Config
	mux     *http.ServeMux
	limits  *limiter
	metrics metrics
	proxy   *httputil.ReverseProxy
}

// New checks the configuration and lays out the routes.
func New(c Config) (*Server, error) {
	if c.Sessions == nil || c.Conversions == nil || c.ConversionWatch == nil || c.Accounts == nil || c.Issuer == nil || c.Verifier == nil {
		return nil, errors.New("httpapi: Sessions, Conversions, ConversionWatch, Accounts, Issuer and Verifier are required")
	}
	for _, u := range []*string{&c.ExternalURL, &c.DashboardURL} {
		parsed, err := url.Parse(*u)
		if err != nil || *u != "" && (parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.RawQuery != "") {
			return nil, fmt.Errorf("httpapi: %q is not an http or https URL", *u)
		}
		*u = strings.TrimRight(*u, "/")
	}
	c.PageSize = cmp.Or(c.PageSize, 100)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.WorkerTransport == nil {
		c.WorkerTransport = http.DefaultTransport
	}
	s := &Server{cfg: c, mux: http.NewServeMux(), limits: newLimiter(c.RatePerSecond, c.RateBurst), metrics: newMetrics()}
	s.proxy = s.newProxy()
	if c.Metrics != nil {
		if err := s.metrics.register(c.Metrics); err != nil {
			return nil, fmt.Errorf("httpapi: %w", err)
		}
	}
	if err := s.routes(); err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	return s, nil
}

type middleware func(http.Handler) http.Handler

// Handler serves every route, at every Host. It is safe for concurrent use.
func (s *Server) Handler() http.Handler {
	return chain(http.HandlerFunc(s.route),
		s.correlate,     // MS-CV, before anything that may answer
		s.observe,       // access log and metrics
		s.recoverPanics, // 500
		s.secure,        // headers against content sniffing and leaking addresses
		s.cors,          // preflights end here
	)
}

// guard is what stands between the mux and a handler of the data plane. The order is the contract's (section 8.13): token
// before form before existence. The rate limit follows the token, since anybody may write anybody's account into a path.
func (s *Server) guard(need access, form middleware, h http.Handler) http.Handler {
	return chain(h,
		announced,            // api-supported-versions
		s.authenticate(need), // 401, 403
		s.limitRate,          // 429
		form,                 // 400, 422
	)
}

// chain puts h behind the middleware, the first outermost.
func chain(h http.Handler, list ...middleware) http.Handler {
	for _, m := range slices.Backward(list) {
		h = m(h)
	}
	return h
}

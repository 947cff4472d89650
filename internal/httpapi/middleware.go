package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// correlationHeader is written as it is: Header.Set would send "Ms-Cv" (contract section 8.18).
const correlationHeader = "MS-CV"

// newCorrelation returns a fresh correlation vector: 16 bytes of a version 4 GUID in .NET's byte order, in base64 without
// padding, and ".0" (contract section 3).
func newCorrelation() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[7], b[8] = b[7]&0x0f|0x40, b[8]&0x3f|0x80
	return base64.RawStdEncoding.EncodeToString(b[:]) + ".0"
}

type correlationKey struct{}

// correlation returns the correlation vector of the answer to r, for the log.
func correlation(r *http.Request) string {
	cv, _ := r.Context().Value(correlationKey{}).(string)
	return cv
}

func (s *Server) correlate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cv := newCorrelation()
		w.Header()[correlationHeader] = []string{cv}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), correlationKey{}, cv)))
	})
}

// observe writes one log line and counts. It names no header, body or query of the request: they may hold secrets.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			took, status := time.Since(start), rec.status
			if status == 0 {
				status = http.StatusOK // what net/http makes of a handler that wrote nothing
			}
			s.metrics.observe(r, status, took)
			s.cfg.Log.InfoContext(r.Context(), "request",
				"method", r.Method, "path", r.URL.Path, "status", status, "bytes", rec.bytes, "took", took,
				"remote", r.RemoteAddr, "cv", correlation(r), "clientRequestId", printable(r.Header.Get("X-Ms-Client-Request-Id")))
		}()
		next.ServeHTTP(rec, r)
	})
}

// printable keeps a client's own id from filling the log.
func printable(id string) string {
	const longest = 64
	return id[:min(len(id), longest)]
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			switch p {
			case nil:
				return
			case http.ErrAbortHandler: // how a relay ends a broken answer
				panic(p)
			}
			err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			if rec, ok := w.(*recorder); ok && rec.status != 0 { // too late for another answer: break this one off
				s.cfg.Log.ErrorContext(r.Context(), "request failed half-way", "path", r.URL.Path, "cv", correlation(r), "error", err)
				panic(http.ErrAbortHandler)
			}
			s.fail(w, r, err)
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// cors lets web pages of the configured origins call the API. Tokens travel in a header and never in a cookie, so an
// allowed origin gains nothing that its page does not hold already.
func (s *Server) cors(next http.Handler) http.Handler {
	anyOrigin := slices.Contains(s.cfg.AllowedOrigins, "*")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, origin := w.Header(), r.Header.Get("Origin")
		h.Add("Vary", "Origin")
		allowed := origin != "" && (anyOrigin || slices.Contains(s.cfg.AllowedOrigins, origin))
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "MS-CV, Location, Retry-After")
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		if allowed {
			h.Set("Access-Control-Allow-Methods", "GET, PUT, PATCH, POST, DELETE")
			h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers")) // SDKs send many of their own
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// announce names the accepted versions, as every answer of the data plane does (contract section 3).
func announce(h http.Header) {
	h["api-supported-versions"] = []string{"2021-01-01-preview, 2021-01-01"}
}

func announced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announce(w.Header())
		next.ServeHTTP(w, r)
	})
}

func (s *Server) authenticate(need access) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := s.cfg.Verifier.Verify(bearer(r))
			if err == nil {
				err = need.check(&p, r)
			}
			if err != nil {
				s.fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(token.WithPrincipal(r.Context(), p)))
		})
	}
}

func (need access) check(p *token.Principal, r *http.Request) error {
	account, err := arr.ParseAccountID(r.PathValue("account_id"))
	if err != nil {
		return err
	}
	if p.Session != "" && !need.viewer {
		return arr.Errorf(arr.CodeForbidden, "A viewer token is not enough here.")
	}
	return p.Check(arr.SessionKey{Account: account, ID: arr.SessionID(r.PathValue("session_id"))}, need.action)
}

// bearer returns the credentials of the Authorization header (RFC 6750 section 2.1), or "".
func bearer(r *http.Request) string {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(credentials)
}

func (s *Server) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := token.PrincipalFrom(r.Context())
		if err := s.limits.take(w, p.Account); err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// frame completes the answers of generated code, which knows neither the charset nor the length, and puts the request's
// origin where the handlers, which see no request, find it.
func frame(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &framed{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(f, r.WithContext(withOrigin(r)))
		h := w.Header()
		if f.status != http.StatusNoContent {
			h.Set("Content-Length", strconv.Itoa(f.body.Len()))
		}
		if h.Get("Content-Type") == "application/json" {
			h.Set("Content-Type", jsonType)
		}
		if r.Method == http.MethodGet && f.status == http.StatusOK {
			noStore(h)
		}
		w.WriteHeader(f.status)
		_, _ = f.body.WriteTo(w) // fails only when the client is gone
	})
}

type framed struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (f *framed) WriteHeader(status int)      { f.status = status }
func (f *framed) Write(p []byte) (int, error) { return f.body.Write(p) }

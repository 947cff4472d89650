package worker

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// handlerFunc is an HTTP handler whose error becomes the answer.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// rest is what the routes of both ports share.
type rest struct {
	verifier *token.Verifier
	session  arr.SessionKey
	origins  []string
	log      *slog.Logger
	crash    func(v any) // ends the process
}

// guard lets only bearers of a token that allows act on this session through to h.
func (a *rest) guard(act token.Action, h handlerFunc) http.Handler {
	return a.open(func(w http.ResponseWriter, r *http.Request) error {
		scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return arr.Errorf(arr.CodeUnauthorized, "A bearer token is required.")
		}
		p, err := a.verifier.Verify(strings.TrimSpace(bearer))
		if err != nil {
			return err
		}
		if err := p.Check(a.session, act); err != nil {
			return err
		}
		return h(w, r)
	})
}

// open serves h without a token.
func (a *rest) open(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.fall()
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// fall keeps net/http from swallowing a handler's panic: a session is a process, and one with a bug in its state ends,
// with the stack in its log.
func (a *rest) fall() {
	v := recover()
	if v == nil {
		return
	}
	a.log.Error("a handler panicked", "panic", v, "stack", string(debug.Stack()))
	a.crash(v)
	panic(http.ErrAbortHandler)
}

func crash(v any) { go panic(v) }

// fail answers err as {"error":{"code","message"}}. The text of anything but an *arr.Error stays in the log.
func (a *rest) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *arr.Error
	if !errors.As(err, &e) {
		if r.Context().Err() != nil {
			return // the client left; nobody reads an answer
		}
		a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		e = arr.Errorf(arr.CodeInternal, "An internal server error occurred.")
	}
	status := e.Code.HTTPStatus()
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	writeJSON(w, status, map[string]*arr.Error{"error": e})
}

// secure adds the headers that every answer of a port carries, answers CORS preflights, and replaces the mux's plain
// text for unknown paths and methods.
func (a *rest) secure(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		allowed := origin != "" && (slices.Contains(a.origins, "*") || slices.Contains(a.origins, origin))
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "Location")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			if allowed {
				h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
				h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
				h.Set("Access-Control-Max-Age", "600")
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			a.fail(w, r, unknownRoute(mux, r))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func unknownRoute(mux *http.ServeMux, r *http.Request) *arr.Error {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := mux.Handler(other); pattern != "" {
			return arr.Errorf(arr.CodeMethodNotAllowed, "%s is not allowed here.", r.Method)
		}
	}
	return arr.Errorf(arr.CodeNotFound, "There is nothing at this path.")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only when the client is gone
}

// healthz says that the process serves.
func healthz(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// readJSON decodes one JSON value of at most limit bytes into v; anything else is the client's fault.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return arr.Errorf(arr.CodeBadRequest, "The request was malformed: %v.", err)
	}
	if d.More() {
		return arr.Errorf(arr.CodeBadRequest, "The request was malformed: there is more than one JSON value.")
	}
	return nil
}

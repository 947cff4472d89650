package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/arrapi"
)

// statusClientGone is what the log shows when the client left before the answer (as nginx counts it).
const statusClientGone = 499

// fail answers err: as the error body of contract section 3, and for 401 without a body.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, status := s.explain(w, r, err)
	switch status {
	case http.StatusUnauthorized, statusClientGone:
		w.WriteHeader(status)
	default:
		writeJSON(w, status, arrapi.ErrorResponse{Error: wireError(e)})
	}
}

// failBare answers err with a status only, as the token service does (contract section 2).
func (s *Server) failBare(w http.ResponseWriter, r *http.Request, err error) {
	_, status := s.explain(w, r, err)
	w.WriteHeader(status)
}

// explain turns err into what the client may know. The cause of an internal error goes to the log, and only there.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, err error) (*arr.Error, int) {
	var e *arr.Error
	if !errors.As(err, &e) {
		if r.Context().Err() != nil {
			return arr.Errorf(arr.CodeUnavailable, "The client has left."), statusClientGone
		}
		s.cfg.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "cv", correlation(r), "error", err)
		e = arr.Errorf(arr.CodeInternal, "An internal server error occurred.")
	}
	status := e.Code.HTTPStatus()
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	return e, status
}

// wireError leaves out every member without a value: an explicit null crashes the JavaScript SDK (contract section 8.7).
func wireError(e *arr.Error) arrapi.Error {
	out := arrapi.Error{Code: string(e.Code), Message: e.Message}
	if e.Target != "" {
		out.Target = &e.Target
	}
	return out
}

const jsonType = "application/json; charset=utf-8"

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always encode
	}
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // fails only when the client is gone
}

// noStore marks an answer as what changes by itself, in the words of the original service.
func noStore(h http.Header) {
	h.Set("Cache-Control", "no-store,no-cache")
	h.Set("Pragma", "no-cache")
}

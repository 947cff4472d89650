package httpapi

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// viewerToken is the answer to POST …/viewer-token.
type viewerToken struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
	ViewerURL string    `json:"viewerUrl"`
}

// postViewerToken makes a token that is good for this session only, to be given to whoever is to look at it.
func (s *Server) postViewerToken(w http.ResponseWriter, r *http.Request) {
	key, err := sessionKey(r.PathValue("account_id"), r.PathValue("session_id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	session, err := s.cfg.Sessions.Get(r.Context(), key)
	if err == nil && session.Status.Terminal() {
		err = arr.Errorf(arr.CodeSessionEnded, "The session has ended with status %s.", session.Status)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	viewer, expires, err := s.cfg.Issuer.Issue(token.Grant{Account: key.Account, Session: key.ID})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// The token stands in the fragment, which browsers send nowhere.
	fragment := url.Values{"account": {string(key.Account)}, "session": {string(key.ID)}, "token": {viewer.Reveal()}}
	pages := cmp.Or(s.cfg.DashboardURL, s.origin(withOrigin(r)))
	noStore(w.Header())
	writeJSON(w, http.StatusOK, viewerToken{
		Token: viewer.Reveal(), ExpiresAt: expires.UTC(), ViewerURL: pages + "/viewer/#" + fragment.Encode(),
	})
}

const (
	defaultLogLines = 200
	maxLogLines     = 10_000
)

// getLog answers the last lines of the worker's log.
func (s *Server) getLog(w http.ResponseWriter, r *http.Request) {
	s.answerLog(w, r, func(n int) ([]byte, error) {
		key, err := sessionKey(r.PathValue("account_id"), r.PathValue("session_id"))
		if err != nil {
			return nil, err
		}
		if _, err := s.cfg.Sessions.Get(r.Context(), key); err != nil {
			return nil, err
		}
		if s.cfg.Logs == nil {
			return nil, arr.Errorf(arr.CodeNotImplemented, "This service keeps no logs of workers.")
		}
		return s.cfg.Logs.LogTail(r.Context(), key, n)
	})
}

// answerLog answers the last lines of a log, as many as the parameter tail says, as text.
func (s *Server) answerLog(w http.ResponseWriter, r *http.Request, read func(n int) ([]byte, error)) {
	n, err := tailParameter(r)
	var lines []byte
	if err == nil {
		lines, err = read(n)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	noStore(w.Header())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(lines)))
	_, _ = w.Write(lines) // fails only when the client is gone
}

func tailParameter(r *http.Request) (int, error) {
	tail := r.URL.Query().Get("tail")
	if tail == "" {
		return defaultLogLines, nil
	}
	n, err := strconv.Atoi(tail)
	if err != nil || n < 1 || n > maxLogLines {
		e := arr.Errorf(arr.CodeBadRequest, "The parameter tail must be between 1 and %d.", maxLogLines)
		e.Target = "tail"
		return 0, e
	}
	return n, nil
}

// healthz says that the process serves.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the service can take requests.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(r.Context()); err != nil {
			s.fail(w, r, arr.Errorf(arr.CodeUnavailable, "The service is not ready."))
			return
		}
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

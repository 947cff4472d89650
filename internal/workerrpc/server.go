package workerrpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// maxReport bounds the body of a report; real ones have about 200 bytes.
const maxReport = 16 << 10

// Handler is the control plane's side; session.Reconciler implements it. Its errors decide the status: arr.CodeNotFound
// and arr.CodeConflict (unknown or ended session) 410, CodeUnauthorized 401, CodeBadRequest 400, any other 500.
type Handler interface {
	WorkerReady(ctx context.Context, key arr.SessionKey, token string, e arr.Endpoint) error
	WorkerRenew(ctx context.Context, key arr.SessionKey, token string) (leaseLeft time.Duration, err error)
}

// NewHandler serves the two routes of this package on behalf of h.
func NewHandler(h Handler, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+readyPath, serve(log, func(ctx context.Context, key arr.SessionKey, token string, in ReadyReport) (any, error) {
		log.DebugContext(ctx, "worker reports ready", "session", key.String(), "pid", in.PID, "version", in.Version)
		return nil, h.WorkerReady(ctx, key, token, arr.Endpoint{
			Hostname:      in.Hostname,
			HandshakePort: in.HandshakePort,
			InspectorPort: in.InspectorPort,
			Teraflops:     in.Teraflops,
		})
	}))
	mux.HandleFunc("POST "+renewPath, serve(log, func(ctx context.Context, key arr.SessionKey, token string, in RenewReport) (any, error) {
		log.DebugContext(ctx, "worker renews", "session", key.String(), "viewers", in.Viewers, "triangles", in.Triangles, "frames", in.Frames)
		left, err := h.WorkerRenew(ctx, key, token)
		return Renewal{LeaseSecondsLeft: left.Seconds()}, err
	}))
	return mux
}

// Serve serves h on ln until ctx ends, lets running requests finish for a moment, and closes ln.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err := srv.Shutdown(grace)
		if err != nil {
			err = errors.Join(err, srv.Close())
		}
		stopped <- err
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// serve decodes one request and encodes its answer; a nil out is 204.
func serve[In any](log *slog.Logger, f func(context.Context, arr.SessionKey, string, In) (out any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, token, err := credentials(r)
		var in In
		if err == nil {
			if derr := json.NewDecoder(io.LimitReader(r.Body, maxReport)).Decode(&in); derr != nil {
				err = arr.Errorf(arr.CodeBadRequest, "The report is malformed: %v", derr)
			}
		}
		var out any
		if err == nil {
			out, err = f(r.Context(), key, token, in)
		}
		if err != nil {
			status := statusOf(err)
			if status == http.StatusInternalServerError && r.Context().Err() == nil {
				log.ErrorContext(r.Context(), "report of a worker failed", "session", key.String(), "path", r.URL.Path, "err", err)
			}
			http.Error(w, err.Error(), status)
			return
		}
		if out == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			log.DebugContext(r.Context(), "answer to a worker was not sent", "session", key.String(), "err", err)
		}
	}
}

func credentials(r *http.Request) (key arr.SessionKey, token string, err error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	account, id, found := strings.Cut(r.Header.Get(sessionHeader), "/")
	if !ok || !found {
		return key, "", arr.Errorf(arr.CodeUnauthorized, "A report needs a control token and the name of its session.")
	}
	if key.Account, err = arr.ParseAccountID(account); err != nil {
		return key, "", err
	}
	key.ID, err = arr.ParseSessionID(id)
	return key, token, err
}

func statusOf(err error) int {
	switch arr.CodeOf(err) {
	case arr.CodeNotFound, arr.CodeConflict:
		return http.StatusGone
	case arr.CodeUnauthorized:
		return http.StatusUnauthorized
	case arr.CodeBadRequest:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

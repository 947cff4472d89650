package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// NewWorkerTransport returns a transport that trusts cas and gives up on workers that do not answer. Whoever makes it
// calls CloseIdleConnections at the end.
func NewWorkerTransport(cas *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: cas, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   3 * time.Second,
		ResponseHeaderTimeout: time.Minute, // a snapshot of a large scene takes a while to draw
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
	}
}

// target says where a relayed request goes.
type target struct {
	url  *url.URL
	base string // the path here that stands for "/" of the worker, for rewriting Location
}

type targetKey struct{}

// relayWHEP relays signalling (WHEP) to the worker's handshake port. Media does not pass here.
func (s *Server) relayWHEP(w http.ResponseWriter, r *http.Request) {
	urlPath := "/whep"
	if peer := r.PathValue("peer"); peer != "" {
		urlPath += "/" + peer
	}
	s.relay(w, r, urlPath, "", func(session *arr.Session) int { return session.HandshakePort })
}

// relayInspector relays to the worker's inspector port.
func (s *Server) relayInspector(w http.ResponseWriter, r *http.Request) {
	s.relay(w, r, "/"+r.PathValue("path"), "/inspector", func(session *arr.Session) int { return session.InspectorPort })
}

// relay sends the request, with its bearer token, to urlPath on a port of the session's worker, which is the machine's own
// word on where it is: no part of the host comes from the client.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, urlPath, mount string, port func(*arr.Session) int) {
	key, err := sessionKey(r.PathValue("account_id"), r.PathValue("session_id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	session, err := s.cfg.Sessions.Get(r.Context(), key)
	switch {
	case err != nil:
	case session.Status == arr.StatusStarting:
		w.Header().Set("Retry-After", "1")
		err = arr.Errorf(arr.CodeUnavailable, "The session is starting.")
	case session.Status != arr.StatusReady:
		err = arr.Errorf(arr.CodeSessionEnded, "The session has ended with status %s.", session.Status)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	t := target{
		url: &url.URL{
			Scheme: "https", Host: net.JoinHostPort(session.Hostname, strconv.Itoa(port(&session))),
			Path: urlPath, RawQuery: r.URL.RawQuery,
		},
		base: s.pathPrefix() + "/accounts/" + string(key.Account) + "/sessions/" + string(key.ID) + mount,
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, t)))
}

// pathPrefix is the path under which a proxy serves this server, if any.
func (s *Server) pathPrefix() string {
	u, _ := url.Parse(s.cfg.ExternalURL) // checked by New
	return u.Path
}

func (s *Server) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:     s.cfg.WorkerTransport,
		FlushInterval: -1,
		Rewrite: func(pr *httputil.ProxyRequest) {
			t, _ := pr.In.Context().Value(targetKey{}).(target)
			pr.Out.URL, pr.Out.Host = t.url, t.url.Host
			pr.Out.Header.Del("Cookie")
			pr.Out.Header.Del("Origin") // this origin answers for CORS, not the worker's
		},
		ModifyResponse: adoptAnswer,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var tooLong *http.MaxBytesError
			if errors.As(err, &tooLong) {
				err = arr.Errorf(arr.CodeBadRequest, "The request was malformed.")
			} else if r.Context().Err() == nil {
				s.cfg.Log.WarnContext(r.Context(), "worker does not answer", "path", r.URL.Path, "cv", correlation(r), "error", err)
				err = arr.Errorf(arr.CodeUnavailable, "The session's worker does not answer.")
			}
			s.fail(w, r, err)
		},
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // answers that broke off
	}
}

// adoptAnswer makes a worker's answer one of this server's.
func adoptAnswer(resp *http.Response) error {
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(resp.Header, name)
		}
	}
	for _, name := range []string{"Vary", "X-Content-Type-Options", "Referrer-Policy"} { // set by the middleware
		resp.Header.Del(name)
	}
	location, err := resp.Location()
	if errors.Is(err, http.ErrNoLocation) {
		return nil
	}
	t, _ := resp.Request.Context().Value(targetKey{}).(target)
	if err != nil || location.Host != t.url.Host {
		return fmt.Errorf("worker names a foreign location %q", resp.Header.Get("Location"))
	}
	here := url.URL{Path: t.base + location.Path, RawQuery: location.RawQuery}
	resp.Header.Set("Location", here.String())
	return nil
}

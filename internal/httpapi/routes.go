package httpapi

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/arrapi"
	"github.com/heliograph/heliograph/internal/token"
)

// access is what a route asks of a token.
type access struct {
	action token.Action
	viewer bool // a viewer token for the session of the path is enough
}

// routes registers everything that ARCHITECTURE.md, "What is served where", promises of the control plane.
func (s *Server) routes() error {
	s.mux.HandleFunc("GET /healthz", s.healthz)
	s.mux.HandleFunc("GET /readyz", s.readyz)

	// SDKs write the first segment with a capital, scripts and documents do not (contract section 2).
	s.mux.HandleFunc("GET /Accounts/{account_id}/token", s.getToken)
	s.mux.HandleFunc("GET /accounts/{account_id}/token", s.getToken)

	for _, x := range s.extensions() {
		s.mux.Handle(x.pattern, s.guard(x.need, s.checkIDs, x.handler))
	}
	return s.contractRoutes()
}

// extension is a route that is not in the contract of ARR.
type extension struct {
	pattern string
	need    access
	handler http.HandlerFunc
}

// extensions are those of accounts; api/heliograph/v1/openapi.yaml describes them, and a test compares.
func (s *Server) extensions() []extension {
	const (
		session    = "/accounts/{account_id}/sessions/{session_id}"
		conversion = "/accounts/{account_id}/conversions/{conversion_id}"
	)
	return []extension{
		{"POST " + session + "/viewer-token", access{action: token.ActionRender}, s.postViewerToken},
		{"POST " + session + "/whep", access{token.ActionRender, true}, s.relayWHEP},
		{"DELETE " + session + "/whep/{peer}", access{token.ActionRender, true}, s.relayWHEP},
		{session + "/inspector/{path...}", access{token.ActionInspect, true}, s.relayInspector},
		{"GET " + session + "/log", access{action: token.ActionInspect}, s.getLog},

		{"DELETE " + conversion, access{action: token.ActionDeleteConversion}, s.deleteConversion},
		{"POST " + conversion + "/:cancel", access{action: token.ActionDeleteConversion}, s.cancelConversion},
		{"GET " + conversion + "/progress", access{action: token.ActionReadConversion}, s.getConversionProgress},
		{"GET " + conversion + "/log", access{action: token.ActionReadConversion}, s.getConversionLog},
	}
}

// contractRoutes registers the generated routes behind the token and the schema of their operation.
func (s *Server) contractRoutes() error {
	doc, err := arrapi.GetSpec()
	if err != nil {
		return fmt.Errorf("embedded contract: %w", err)
	}
	strict := arrapi.NewStrictHandlerWithOptions(dataPlane{s}, nil, arrapi.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.failForm,
		ResponseErrorHandlerFunc: s.fail,
	})
	mux := &guardedMux{ServeMux: s.mux, server: s, doc: doc}
	arrapi.HandlerWithOptions(strict, arrapi.StdHTTPServerOptions{BaseRouter: mux, ErrorHandlerFunc: s.failForm})
	return mux.err
}

// guardedMux is the mux as the generated code sees it.
type guardedMux struct {
	*http.ServeMux
	server *Server
	doc    *openapi3.T
	err    error // the last failure; the generated code cannot take one
}

// HandleFunc registers the handler of an operation of the contract.
func (m *guardedMux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	method, urlPath, _ := strings.Cut(pattern, " ")
	item := m.doc.Paths.Value(urlPath)
	op := item.GetOperation(method)
	action, _ := op.Extensions["x-required-action"].(string)
	viewer, _ := op.Extensions["x-viewer-token"].(bool)
	if !slices.Contains(token.RoleAdministrator.Actions(), token.Action(action)) {
		m.err = fmt.Errorf("operation %s names no known x-required-action", op.OperationID)
	}
	form := m.server.validate(&routers.Route{Spec: m.doc, Path: urlPath, PathItem: item, Method: method, Operation: op})
	m.Handle(pattern, m.server.guard(access{token.Action(action), viewer}, form, frame(http.HandlerFunc(h))))
}

// route serves what the mux knows; for the rest it replaces the mux's plain-text answers.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	// The mux would redirect an unclean path, which drops the body and, in some clients, the token.
	escaped := r.URL.EscapedPath()
	clean := path.Clean(escaped) == strings.TrimSuffix(escaped, "/") || escaped == "/"
	h, pattern := s.mux.Handler(r)
	switch {
	case clean && pattern != "":
		s.mux.ServeHTTP(w, r)
	case clean && s.cfg.UI != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) && !isAPI(r.URL.Path):
		s.cfg.UI.ServeHTTP(w, r)
	default:
		if isAPI(r.URL.Path) {
			announce(w.Header())
		}
		var mux muxAnswer
		if clean {
			h.ServeHTTP(&mux, r) // without a pattern, h is the mux's own
		}
		if mux.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = mux.Header()["Allow"]
			s.fail(w, r, arr.Errorf(arr.CodeMethodNotAllowed, "The method %s is not allowed here.", r.Method))
			return
		}
		s.fail(w, r, arr.Errorf(arr.CodeNotFound, "There is nothing at this path."))
	}
}

func isAPI(urlPath string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(urlPath, "/"), "/")
	return strings.EqualFold(first, "accounts")
}

// muxAnswer takes what the mux itself answers, to learn whether it is 404 or 405, and with which Allow.
type muxAnswer struct {
	header http.Header
	status int
}

func (a *muxAnswer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}
func (a *muxAnswer) WriteHeader(status int)      { a.status = status }
func (a *muxAnswer) Write(p []byte) (int, error) { return len(p), nil }

package worker

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/token"
	"github.com/heliograph/heliograph/internal/worker/frame"
)

const (
	maxLoadBody = 16 << 10
	maxURI      = 4096
)

// inspectorRoutes is what the inspector port serves.
func (s *Session) inspectorRoutes(api *rest) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", api.open(healthz))
	mux.Handle("GET /{$}", api.open(index))
	mux.Handle("GET /status", api.guard(token.ActionInspect, s.status))
	mux.Handle("GET /metrics", api.guard(token.ActionInspect, func(w http.ResponseWriter, r *http.Request) error {
		promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
		return nil
	}))
	mux.Handle("POST /load", api.guard(token.ActionRender, s.postLoad))
	mux.Handle("GET /loads/{id}", api.guard(token.ActionInspect, func(w http.ResponseWriter, r *http.Request) error {
		st, err := s.loads.get(r.PathValue("id"))
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, st)
		return nil
	}))
	mux.Handle("GET /snapshot", api.guard(token.ActionRender, s.snapshot))
	return api.secure(mux)
}

const indexText = `Heliograph: inspector of one rendering session. Send "Authorization: Bearer TOKEN".

GET  /healthz                        answers without a token
GET  /status                         scene, loads, viewer and frames, as JSON
POST /load {"uri"}                   load a model; answers 202 {"id"}
GET  /loads/ID                       how far that load is
GET  /snapshot?width&height&view     the present view, converged, as a PNG; view is current or default
GET  /metrics                        Prometheus
`

func index(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, indexText)
	return nil
}

func (s *Session) postLoad(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		URI string `json:"uri"`
	}
	if err := readJSON(w, r, maxLoadBody, &body); err != nil {
		return err
	}
	id, err := s.load(body.URI, nil, 0)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/loads/"+id)
	writeJSON(w, http.StatusAccepted, map[string]string{"id": id})
	return nil
}

// statusBody is the answer of GET /status.
type statusBody struct {
	Version          string         `json:"version"`
	Account          string         `json:"account"`
	Session          string         `json:"session"`
	Size             string         `json:"size"`
	UptimeSeconds    float64        `json:"uptimeSeconds"`
	LeaseSecondsLeft *float64       `json:"leaseSecondsLeft,omitempty"`
	Renderer         string         `json:"renderer"`
	Scene            sceneStatus    `json:"scene"`
	Loads            []loadStatus   `json:"loads"`
	Viewer           *viewerStatus  `json:"viewer"` // null: nobody is connected
	Viewport         viewportStatus `json:"viewport"`
	Frames           frame.Stats    `json:"frames"`
}

type sceneStatus struct {
	Models    []modelStatus `json:"models"`
	Entities  int           `json:"entities"`
	Triangles int64         `json:"triangles"`
	Budget    int64         `json:"primitiveBudget"` // 0 = no limit
	BoundsMin *geom.Vec3    `json:"boundsMin"`       // null: empty
	BoundsMax *geom.Vec3    `json:"boundsMax"`
}

type modelStatus struct {
	ID         scene.ModelID  `json:"id"`
	Name       string         `json:"name"`
	RootEntity scene.EntityID `json:"rootEntity"`
	Triangles  int64          `json:"triangles"`
	Warnings   []string       `json:"warnings,omitempty"`
}

type viewportStatus struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

func (s *Session) status(w http.ResponseWriter, _ *http.Request) error {
	c := &s.opt.Config
	_, viewport := s.frames.View()
	body := statusBody{
		Version: s.opt.Version, Account: c.Account, Session: c.Session, Size: c.Size,
		UptimeSeconds: time.Since(s.started).Seconds(), Renderer: s.rendererName(),
		Scene: s.sceneStatus(), Loads: s.loads.list(), Viewer: s.hub.status(),
		Viewport: viewportStatus{viewport.W, viewport.H}, Frames: s.frames.Stats(),
	}
	if left, ok := s.opt.Home.LeaseLeft(); ok {
		seconds := left.Seconds()
		body.LeaseSecondsLeft = &seconds
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

func (s *Session) sceneStatus() sceneStatus {
	snap := s.editor.Snapshot()
	st := sceneStatus{Models: []modelStatus{}, Entities: snap.Entities, Triangles: snap.Triangles, Budget: s.opt.Config.PrimitiveBudget}
	if !snap.Bounds.IsEmpty() {
		b := snap.Bounds // a copy: the answer must not point into the snapshot
		st.BoundsMin, st.BoundsMax = &b.Min, &b.Max
	}
	for _, m := range s.editor.Models() {
		st.Models = append(st.Models, modelStatus{
			ID: m.ID, Name: m.Model.Name, RootEntity: m.Root, Triangles: m.Model.Triangles, Warnings: m.Model.Warnings,
		})
	}
	return st
}

// checkURI bounds what is kept of an address.
func checkURI(uri string) error {
	if uri == "" || len(uri) > maxURI {
		return arr.Errorf(arr.CodeBadRequest, "The address of a model has 1 to %d characters.", maxURI)
	}
	return nil
}

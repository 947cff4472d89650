package worker

import (
	"context"
	"errors"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/streampb"
	"github.com/heliograph/heliograph/internal/worker/loader"
)

// pickTimeout bounds how long a viewer's messages wait for the frame loop to answer a pick.
const pickTimeout = 2 * time.Second

// handle does what a viewer asks. The answer is nil where there is none: to messages of a newer protocol, to loads,
// which answer when they end, and to edits that want no acknowledgement.
func (s *Session) handle(ctx context.Context, v *viewer, m *streampb.ClientMessage) *streampb.ServerMessage {
	answer := &streampb.ServerMessage{RequestId: m.GetRequestId()}
	var err error
	switch b := m.GetBody().(type) {
	case *streampb.ClientMessage_SetViewport:
		size := s.frames.SetViewport(int(min(b.SetViewport.GetWidth(), 1<<16)), int(min(b.SetViewport.GetHeight(), 1<<16)))
		answer.Body = &streampb.ServerMessage_Viewport{Viewport: &streampb.Viewport{Width: uint32(size.W), Height: uint32(size.H)}}
		return answer
	case *streampb.ClientMessage_LoadModel:
		if _, err = s.load(b.LoadModel.GetUri(), v, m.GetRequestId()); err == nil {
			return nil
		}
	case *streampb.ClientMessage_UnloadModel:
		err = s.unload(scene.ModelID(b.UnloadModel.GetModelId()))
	case *streampb.ClientMessage_SetTransform:
		err = s.setTransform(b.SetTransform)
	case *streampb.ClientMessage_SetEnabled:
		err = s.edited(s.editor.SetEnabled(scene.EntityID(b.SetEnabled.GetEntityId()), b.SetEnabled.GetEnabled()))
	case *streampb.ClientMessage_Pick:
		var r *streampb.PickResult
		if r, err = s.pick(ctx, b.Pick); err == nil {
			answer.Body = &streampb.ServerMessage_PickResult{PickResult: r}
		}
	default:
		return nil
	}
	switch {
	case err != nil:
		answer.Body = s.errorBody(err)
	case m.GetRequestId() == 0:
		return nil
	case answer.Body == nil:
		answer.Body = &streampb.ServerMessage_Ack{Ack: &streampb.Ack{}}
	}
	return answer
}

func (s *Session) errorBody(err error) *streampb.ServerMessage_Error {
	var e *arr.Error
	if !errors.As(err, &e) {
		s.opt.Log.Error("viewer's request failed", "error", err)
		e = arr.Errorf(arr.CodeInternal, "An internal error occurred.")
	}
	return &streampb.ServerMessage_Error{Error: &streampb.Error{Code: string(e.Code), Message: e.Message}}
}

// edited wakes the frame loop after an edit that went well.
func (s *Session) edited(err error) error {
	if err == nil {
		s.frames.Wake()
	}
	return err
}

// setTransform leaves out what the message leaves out: no translation, no rotation, scale 1.
func (s *Session) setTransform(m *streampb.SetTransform) error {
	q, scale := geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1}
	if r := m.GetRotation(); r != nil {
		q = geom.Quat{r.GetX(), r.GetY(), r.GetZ(), r.GetW()}
	}
	if v := m.GetScale(); v != nil {
		scale = vec3(v)
	}
	return s.edited(s.editor.SetTransform(scene.EntityID(m.GetEntityId()), geom.TRS(vec3(m.GetPosition()), q, scale)))
}

func (s *Session) pick(ctx context.Context, m *streampb.Pick) (*streampb.PickResult, error) {
	ctx, cancel := context.WithTimeout(ctx, pickTimeout)
	defer cancel()
	h, err := s.frames.Pick(ctx, m.GetX(), m.GetY())
	if err != nil || h.Entity == 0 {
		return &streampb.PickResult{}, err
	}
	r := &streampb.PickResult{EntityId: uint32(h.Entity), Position: vec3pb(h.Position)}
	if e, err := s.editor.Entity(h.Entity); err == nil { // it may be gone since it was drawn
		r.Name = e.Name
	}
	return r, nil
}

// unload takes a model out of the scene and frees what drawing it needed.
func (s *Session) unload(id scene.ModelID) error {
	var gone *scene.Model
	for _, m := range s.editor.Models() {
		if m.ID == id {
			gone = m.Model
		}
	}
	if err := s.editor.RemoveModel(id); err != nil {
		return err
	}
	engine, err := s.engine()
	if err != nil {
		return err
	}
	s.frames.Exclusive(func() { engine.Forget(gone) })
	s.models.close(id)
	s.frames.Wake()
	return nil
}

// load queues a model; v is nil when the inspector asks. A load that a viewer asked for is answered to it when it
// ends, and whoever is connected then hears of the others.
func (s *Session) load(uri string, v *viewer, requestID uint32) (string, error) {
	if err := checkURI(uri); err != nil {
		return "", err
	}
	return s.loads.submit(uri, func(st loadStatus) {
		asked := v != nil && s.hub.connected(v)
		msg := &streampb.ServerMessage{}
		if asked && st.State != loadRunning {
			msg.RequestId = requestID
		}
		switch st.State {
		case loadRunning:
			msg.Body = &streampb.ServerMessage_LoadProgress{LoadProgress: &streampb.LoadProgress{
				Uri: st.URI, Done: float32(st.Done), Stage: st.Stage,
			}}
		case loadDone:
			msg.Body = &streampb.ServerMessage_ModelLoaded{ModelLoaded: &streampb.ModelLoaded{
				ModelId: uint32(st.Model), Uri: st.URI, RootEntityId: uint32(st.RootEntity),
				Triangles: uint64(st.Triangles), Warnings: st.Warnings,
			}}
		case loadFailed:
			msg.Body = s.errorBody(st.Error)
		}
		s.hub.send(msg)
	})
}

// place shows a loaded model once the engine can draw it. It closes the model if that fails.
func (s *Session) place(ctx context.Context, m *loader.Loaded, progress func(float64)) (scene.ModelID, scene.EntityID, error) {
	err := s.loader.CheckBudget(s.editor.Snapshot().Triangles, m.Model.Triangles)
	if err == nil {
		err = s.prepare(ctx, m.Model, progress)
	}
	if err != nil {
		m.Close()
		return 0, 0, err
	}
	id, root := s.editor.AddModel(m.Model)
	s.models.add(id, m)
	s.frames.Wake()
	return id, root, nil
}

func (s *Session) prepare(ctx context.Context, m *scene.Model, progress func(float64)) error {
	engine, err := s.engine()
	if err != nil {
		return err
	}
	return engine.Prepare(ctx, m, progress)
}

func sceneInfo(s *scene.Snapshot) *streampb.SceneInfo {
	info := &streampb.SceneInfo{Empty: s.Bounds.IsEmpty(), Triangles: uint64(s.Triangles), Entities: uint32(s.Entities)}
	if !info.Empty {
		info.BoundsMin, info.BoundsMax = vec3pb(s.Bounds.Min), vec3pb(s.Bounds.Max)
	}
	return info
}

func vec3(v *streampb.Vec3) geom.Vec3   { return geom.Vec3{v.GetX(), v.GetY(), v.GetZ()} }
func vec3pb(v geom.Vec3) *streampb.Vec3 { return &streampb.Vec3{X: v[0], Y: v[1], Z: v[2]} }

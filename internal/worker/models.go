package worker

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/worker/loader"
)

// assetCache is where converted models are; "" = they are not converted.
func assetCache(dir string, bytes int64) string {
	if dir == "" || bytes <= 0 {
		return ""
	}
	return filepath.Join(dir, "assets")
}

// maxConversions is how many models may wait to be converted; more are drawn as they are.
const maxConversions = 16

// models keeps what the scene's models hold open, and converts them, one after the other, beside everything else.
type models struct {
	improve func(ctx context.Context, id scene.ModelID, m *loader.Loaded) error
	log     *slog.Logger
	queue   chan scene.ModelID

	mu   sync.Mutex
	open map[scene.ModelID]*loader.Loaded
}

func newModels(improve func(context.Context, scene.ModelID, *loader.Loaded) error, log *slog.Logger) *models {
	return &models{improve: improve, log: log, queue: make(chan scene.ModelID, maxConversions), open: map[scene.ModelID]*loader.Loaded{}}
}

// add keeps m until the model is closed, and has it converted if that is worth it.
func (m *models) add(id scene.ModelID, l *loader.Loaded) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[id] = l
	if !l.Convertible() {
		return
	}
	select {
	case m.queue <- id:
	default:
	}
}

func (m *models) get(id scene.ModelID) *loader.Loaded {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open[id]
}

// replace keeps l instead of what the model had, and returns that; false if the model is gone.
func (m *models) replace(id scene.ModelID, l *loader.Loaded) (*loader.Loaded, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.open[id]
	if ok {
		m.open[id] = l
	}
	return old, ok
}

func (m *models) close(id scene.ModelID) {
	m.mu.Lock()
	l := m.open[id]
	delete(m.open, id)
	m.mu.Unlock()
	if l != nil {
		l.Close()
	}
}

func (m *models) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.open {
		l.Close()
	}
	clear(m.open)
}

// Run converts models until ctx ends. That a conversion fails is no harm: the model is drawn as it is.
func (m *models) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-m.queue:
			l := m.get(id)
			if l == nil {
				continue // unloaded meanwhile
			}
			if err := m.improve(ctx, id, l); err != nil && ctx.Err() == nil {
				m.log.Warn("a model could not be converted; it is drawn as it is", "model", id, "error", err)
			}
		}
	}
}

// improve replaces a model by the asset that it converts to: the same entities, drawn at a cost that follows the screen.
func (s *Session) improve(ctx context.Context, id scene.ModelID, l *loader.Loaded) error {
	better, err := l.Convert(ctx)
	if err != nil {
		return err
	}
	if err := s.prepare(ctx, better.Model, func(float64) {}); err != nil {
		better.Close()
		return err
	}
	gone := better // what is drawn no more
	if err = s.editor.ReplaceModel(id, better.Model); err == nil {
		gone = l
	} else if arr.CodeOf(err) == arr.CodeNotFound {
		err = nil // unloaded meanwhile
	}
	engine, engineErr := s.engine()
	if engineErr != nil {
		return engineErr
	}
	s.frames.Exclusive(func() { engine.Forget(gone.Model) })
	if gone == l {
		if _, ok := s.models.replace(id, better); !ok { // unloaded since it was replaced
			s.frames.Exclusive(func() { engine.Forget(better.Model) })
			better.Close()
		}
	}
	gone.Close()
	s.frames.Wake()
	return err
}

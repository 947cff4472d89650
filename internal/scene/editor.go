package scene

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
)

// ModelID identifies one loaded model for the life of a session; never reused, 0 is none.
type ModelID uint32

// EntityInfo describes one entity.
type EntityInfo struct {
	ID       EntityID
	Model    ModelID
	Name     string
	Parent   EntityID // 0 for the root entity of a model
	Children []EntityID
	Local    geom.Mat4 // to the parent
	World    geom.Mat4
	Enabled  bool  // its own switch
	Visible  bool  // it and all its ancestors are enabled
	Mesh     *Mesh // nil = none
}

// ModelInfo describes one loaded model.
type ModelInfo struct {
	ID    ModelID
	Root  EntityID
	Model *Model
}

// Editor is the live scene. Edits and questions may come from any goroutine and take one lock; Snapshot takes none
// while nothing has changed. An edit costs little: what it changed is worked out once, by the next Snapshot.
//
// Every added model hangs below a root entity of its own, which carries the model's name. A model that is added twice
// shares its meshes.
type Editor struct {
	version atomic.Uint64
	current atomic.Pointer[Snapshot]

	mu         sync.Mutex
	models     []*placed // by ascending EntityID
	lastModel  ModelID
	lastEntity EntityID
	sky        Sky
}

// NewEditor returns an empty scene with the default light and sky.
func NewEditor() *Editor {
	e := &Editor{sky: DefaultSky()}
	e.current.Store(&Snapshot{Bounds: geom.Empty(), Light: DefaultLight(), Sky: e.sky})
	return e
}

// AddModel places a model at the origin and returns its id and that of its root entity.
func (e *Editor) AddModel(m *Model) (ModelID, EntityID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lastModel++
	p := place(e.lastModel, m, e.lastEntity+1)
	e.lastEntity += EntityID(len(p.node))
	e.models = append(e.models, p)
	e.version.Add(1)
	return p.id, p.first
}

// ReplaceModel puts m in the place of a model with the same hierarchy of nodes, such as another form of the same meshes. All
// entities keep their ids, transforms and switches.
func (e *Editor) ReplaceModel(id ModelID, m *Model) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.models {
		if p.id != id {
			continue
		}
		if !p.replace(m) {
			return arr.Errorf(arr.CodeConflict, "The nodes of model %d are others than those of its replacement.", id)
		}
		e.version.Add(1)
		return nil
	}
	return arr.Errorf(arr.CodeNotFound, "There is no model %d.", id)
}

// RemoveModel takes a model and all its entities out of the scene.
func (e *Editor) RemoveModel(id ModelID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, p := range e.models {
		if p.id == id {
			e.models = append(e.models[:i:i], e.models[i+1:]...)
			e.version.Add(1)
			return nil
		}
	}
	return arr.Errorf(arr.CodeNotFound, "There is no model %d.", id)
}

// SetTransform replaces the transform of an entity to its parent. The matrix must be finite and affine.
func (e *Editor) SetTransform(id EntityID, local geom.Mat4) error {
	if !affine(local) {
		return arr.Errorf(arr.CodeBadRequest, "The transform of entity %d is not a finite affine matrix.", id)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p, i, err := e.find(id)
	if err != nil || p.local[i] == local {
		return err
	}
	p.setLocal(i, local)
	e.version.Add(1)
	return nil
}

// SetEnabled shows or hides an entity with everything below it.
func (e *Editor) SetEnabled(id EntityID, enabled bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, i, err := e.find(id)
	if err != nil || p.enabled[i] == enabled {
		return err
	}
	p.enabled[i] = enabled
	p.stale = true
	e.version.Add(1)
	return nil
}

// SetSky replaces the sky.
func (e *Editor) SetSky(s Sky) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sky = s
	e.version.Add(1)
}

// Models lists the loaded models in the order they were added.
func (e *Editor) Models() []ModelInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]ModelInfo, len(e.models))
	for i, p := range e.models {
		list[i] = ModelInfo{ID: p.id, Root: p.first, Model: p.model}
	}
	return list
}

// Entity describes one entity as it is after all edits so far.
func (e *Editor) Entity(id EntityID) (EntityInfo, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, i, err := e.find(id)
	if err != nil {
		return EntityInfo{}, err
	}
	p.update()
	return p.info(i), nil
}

// Find returns the entities of that exact name, in ascending order of id.
func (e *Editor) Find(name string) []EntityID {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []EntityID
	for _, p := range e.models {
		for i := range p.node {
			if p.name(int32(i)) == name {
				found = append(found, p.first+EntityID(i))
			}
		}
	}
	return found
}

// Snapshot returns the scene as it is now. Without an edit since the last call it returns the same pointer.
func (e *Editor) Snapshot() *Snapshot {
	if s := e.current.Load(); s.Version == e.version.Load() {
		return s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &Snapshot{Version: e.version.Load(), Bounds: geom.Empty(), Light: DefaultLight(), Sky: e.sky}
	if s.Version == e.current.Load().Version {
		return e.current.Load()
	}
	n := 0
	for _, p := range e.models {
		p.update()
		n += len(p.instances)
		s.Bounds = s.Bounds.Union(p.bounds)
		s.Triangles = addSaturated(s.Triangles, p.triangles)
		s.Entities += len(p.node)
	}
	if len(e.models) == 1 {
		s.Instances, s.Proxies = e.models[0].instances, e.models[0].proxies // published slices are never written: share them
	} else {
		s.Instances = make([]Instance, 0, n)
		for _, p := range e.models {
			s.Proxies = append(s.Proxies, offset(p.proxies, len(s.Instances))...)
			s.Instances = append(s.Instances, p.instances...)
		}
	}
	e.current.Store(s)
	return s
}

// find returns the model and the index of an entity.
func (e *Editor) find(id EntityID) (*placed, int32, error) {
	for _, p := range e.models {
		if id >= p.first && id-p.first < EntityID(len(p.node)) {
			return p, int32(id - p.first), nil
		}
	}
	return nil, 0, arr.Errorf(arr.CodeNotFound, "There is no entity %d.", id)
}

// affine reports whether m is finite and has the last row 0 0 0 1.
func affine(m geom.Mat4) bool {
	for _, v := range m {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return m[3] == 0 && m[7] == 0 && m[11] == 0 && m[15] == 1
}

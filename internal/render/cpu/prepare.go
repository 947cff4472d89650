package cpu

import (
	"context"
	"sync"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// cachedMesh is what the primitives of one *scene.Mesh became. refs counts the models that Prepare has seen it in.
type cachedMesh struct {
	refs  int
	prims []*prim
}

// prim is one primitive ready to draw; immutable.
type prim struct {
	*mesh.Mesh
	mat *material
}

// textureKey tells the uses of an image apart whose mips differ.
type textureKey struct {
	texture *scene.Texture
	srgb    bool
}

type cachedTexture struct {
	refs int
	once sync.Once
	*texture
}

// material is a scene.Material with its textures resolved.
type material struct {
	*scene.Material
	base, metalRough, normal, occlusion, emissive sampler
	sharedORM                                     bool // occlusion and metalRough are the same lookup
}

// sampler is a texture reference ready for lookups; tex is nil for none.
type sampler struct {
	tex *texture
	uv  int
	m   [6]float32
}

func (e *Engine) prepare(ctx context.Context, m *scene.Model, progress func(float64)) error {
	var meshes []*scene.Mesh
	jobs := []func(){func() { e.sky() }}
	e.mu.Lock()
	built := map[*scene.Mesh]*cachedMesh{}
	for _, sm := range m.Meshes {
		if built[sm] != nil {
			continue
		}
		if c := e.meshes[sm]; c != nil {
			built[sm] = c
			continue
		}
		c := &cachedMesh{prims: make([]*prim, len(sm.Primitives))}
		built[sm] = c
		meshes = append(meshes, sm)
		for i := range sm.Primitives {
			p := &sm.Primitives[i]
			mat := e.material(p, &jobs)
			jobs = append(jobs, func() { c.prims[i] = &prim{mesh.Build(p), mat} })
		}
	}
	e.mu.Unlock()

	var mu sync.Mutex
	done := 0
	e.parallel(len(jobs), func(i int) {
		if ctx.Err() != nil {
			return
		}
		jobs[i]()
		if progress == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		progress(float64(done) / float64(len(jobs)))
	})

	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		for _, sm := range meshes {
			e.releaseTextures(sm)
		}
		return err
	}
	for sm, c := range built {
		if other := e.meshes[sm]; other != nil && other != c { // a concurrent Prepare was first
			e.releaseTextures(sm)
			c = other
		}
		c.refs++
		e.meshes[sm] = c
	}
	return nil
}

// Forget implements render.Engine.
func (e *Engine) Forget(m *scene.Model) {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen := map[*scene.Mesh]bool{}
	for _, sm := range m.Meshes {
		c := e.meshes[sm]
		if c == nil || seen[sm] {
			continue
		}
		seen[sm] = true
		if c.refs--; c.refs == 0 {
			delete(e.meshes, sm)
			e.releaseTextures(sm)
		}
	}
}

// material resolves p's textures, taking a reference on each; new ones are built by jobs. e.mu is held.
func (e *Engine) material(p *scene.Primitive, jobs *[]func()) *material {
	mat := &material{Material: p.Material}
	if mat.Material == nil {
		mat.Material = scene.DefaultMaterial()
	}
	for _, slot := range mat.slots() {
		if !usable(p, slot.ref) {
			continue
		}
		key := textureKey{slot.ref.Texture, slot.srgb}
		c := e.textures[key]
		if c == nil {
			c = &cachedTexture{texture: &texture{}}
			e.textures[key] = c
		}
		c.refs++
		*jobs = append(*jobs, func() { c.once.Do(func() { c.build(key) }) })
		*slot.sampler = sampler{c.texture, slot.ref.UV, slot.ref.Matrix}
	}
	mat.sharedORM = mat.occlusion.tex != nil && mat.occlusion == mat.metalRough
	return mat
}

// releaseTextures drops the references that e.material took for sm's primitives. e.mu is held.
func (e *Engine) releaseTextures(sm *scene.Mesh) {
	for i := range sm.Primitives {
		p := &sm.Primitives[i]
		mat := material{Material: p.Material}
		if mat.Material == nil {
			continue
		}
		for _, slot := range mat.slots() {
			if !usable(p, slot.ref) {
				continue
			}
			key := textureKey{slot.ref.Texture, slot.srgb}
			if c := e.textures[key]; c != nil {
				if c.refs--; c.refs == 0 {
					delete(e.textures, key)
				}
			}
		}
	}
}

// usable reports whether ref names a texture that p has coordinates for.
func usable(p *scene.Primitive, ref *scene.TextureRef) bool {
	if ref.Texture == nil || ref.Texture.Image == nil || ref.Texture.Image.Rect.Empty() {
		return false
	}
	return ref.UV == 0 && p.UV0 != nil || ref.UV == 1 && p.UV1 != nil
}

type slot struct {
	ref     *scene.TextureRef
	sampler *sampler
	srgb    bool
}

func (m *material) slots() []slot {
	return []slot{
		{&m.BaseColorTex, &m.base, true},
		{&m.MetalRough, &m.metalRough, false},
		{&m.NormalTex, &m.normal, false},
		{&m.OcclusionTex, &m.occlusion, false},
		{&m.EmissiveTex, &m.emissive, true},
	}
}

// lookup returns what Prepare built for sm, nil if it did not.
func (e *Engine) lookup(sm *scene.Mesh) *cachedMesh {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.meshes[sm]
}

// textured reports whether drawing m needs texture coordinates.
func (m *material) textured() bool {
	return m.base.tex != nil || m.metalRough.tex != nil || m.normal.tex != nil || m.occlusion.tex != nil || m.emissive.tex != nil
}

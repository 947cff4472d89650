package cpu

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// cachedMesh is what the primitives of one *scene.Mesh became. refs counts the models that Prepare has seen it in.
type cachedMesh struct {
	refs  int
	prims []*prim

	clusters  int // of all primitives
	triangles int64
	center    [3]float32 // of a sphere around all of them, object space
	radius    float32
}

// measure sets what is derived from prims.
func (c *cachedMesh) measure() {
	box := geom.Empty()
	for _, p := range c.prims {
		c.clusters += len(p.Clusters)
		for i := range p.Clusters {
			if p.paged == nil {
				c.triangles += int64(p.Clusters[i].Triangles)
			}
		}
		box = box.Union(p.Bounds)
	}
	if !box.IsEmpty() {
		c.center, c.radius = box.Center(), box.Max.Sub(box.Center()).Len()*(1+1e-5)
	}
}

// prim is one primitive ready to draw; immutable.
type prim struct {
	*mesh.Mesh
	mat     *material
	paged   *paged    // nil: all of Mesh is in memory
	points  bool      // Mesh holds points
	spacing []float32 // of points, by cluster: see paged.spacings
}

// textureKey tells the uses of an image apart whose mips differ.
type textureKey struct {
	texture *scene.Texture
	srgb    bool
}

type cachedTexture struct {
	refs int
	once sync.Once
	err  error
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
	var failed atomic.Pointer[error]
	jobs := []func() error{func() error { e.sky(); return nil }}
	e.mu.Lock()
	built := map[*scene.Mesh]*cachedMesh{}
	for _, sm := range meshesOf(m) {
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
			jobs = append(jobs, func() (err error) {
				c.prims[i], err = e.build(ctx, p, mat)
				return err
			})
		}
	}
	e.mu.Unlock()

	var mu sync.Mutex
	done := 0
	e.parallel(len(jobs), func(i int) {
		if ctx.Err() != nil || failed.Load() != nil {
			return
		}
		if err := jobs[i](); err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		if progress == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		progress(float64(done) / float64(len(jobs)))
	})
	if ctx.Err() == nil && failed.Load() == nil {
		fresh := make([]*cachedMesh, len(meshes))
		for i, sm := range meshes {
			fresh[i] = built[sm]
		}
		e.warm(ctx, fresh)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	err := ctx.Err()
	if e := failed.Load(); e != nil && err == nil {
		err = *e
	}
	if err != nil {
		for _, sm := range meshes {
			e.releaseTextures(sm)
			built[sm].release(e.pool)
		}
		return err
	}
	for _, sm := range meshes {
		built[sm].measure()
	}
	for sm, c := range built {
		if other := e.meshes[sm]; other != nil && other != c { // a concurrent Prepare was first
			e.releaseTextures(sm)
			c.release(e.pool)
			c = other
		}
		c.refs++
		e.meshes[sm] = c
	}
	return nil
}

// meshesOf are the meshes that drawing m may need.
func meshesOf(m *scene.Model) []*scene.Mesh {
	all := slices.Clone(m.Meshes)
	for i := range m.Proxies {
		all = append(all, m.Proxies[i].Mesh)
	}
	return all
}

// Forget implements render.Engine.
func (e *Engine) Forget(m *scene.Model) {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen := map[*scene.Mesh]bool{}
	for _, sm := range meshesOf(m) {
		c := e.meshes[sm]
		if c == nil || seen[sm] {
			continue
		}
		seen[sm] = true
		if c.refs--; c.refs == 0 {
			delete(e.meshes, sm)
			e.releaseTextures(sm)
			c.release(e.pool)
		}
	}
}

// build makes what drawing p needs.
func (e *Engine) build(ctx context.Context, p *scene.Primitive, mat *material) (*prim, error) {
	if p.Paged != nil {
		return e.newPaged(ctx, p, mat)
	}
	if p.IsPoints {
		return e.newPoints(ctx, p, mat)
	}
	return &prim{Mesh: mesh.Build(p), mat: mat}, nil
}

// release drops the sources of c's primitives, as far as they have been made.
func (c *cachedMesh) release(p *pool) {
	for _, prim := range c.prims {
		if prim != nil && prim.paged != nil {
			p.release(prim.paged.source)
		}
	}
}

// material resolves p's textures, taking a reference on each; new ones are built by jobs. e.mu is held.
func (e *Engine) material(p *scene.Primitive, jobs *[]func() error) *material {
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
		*jobs = append(*jobs, func() error {
			c.once.Do(func() { c.err = c.build(key) })
			return c.err
		})
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
	t := ref.Texture
	if t == nil || (t.Image == nil || t.Image.Rect.Empty()) && (t.Blocks == nil || len(t.Blocks.Levels) == 0) {
		return false
	}
	uv0, uv1 := p.UV0 != nil, p.UV1 != nil
	if m, ok := p.Paged.(*mesh.Paged); ok {
		uv0, uv1 = m.HasUV0, m.HasUV1
	}
	return ref.UV == 0 && uv0 || ref.UV == 1 && uv1
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

package asset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"
	"os"
	"runtime"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// writer is one Write.
type writer struct {
	o      WriteOptions
	m      *scene.Model
	out    *output
	t      *tables
	hash   hash.Hash // of the data in the order in which it is written
	sum    Summary
	unique []*geometry
	pages  []storedPage
	roots  []byte // stored root pages, to be written near the tables
	mips   []byte // the same for small mips
}

// geometry is a set of vertices that primitives share.
type geometry struct {
	p        *scene.Primitive
	kind     uint8
	layout   layout
	frame    frame
	uvWidth  [2]int
	clusters int
	groups   []mesh.Group
	levels   []uint8 // of groups
	bounds   geom.AABB
	tris     int64
	points   int64
	array    uint32 // plain: first of its arrays
	arrays   uint32
	solids   *mesh.CollisionBuilder // nil = none is asked for, or not with the hierarchy
	solid    uint32                 // number of its collision mesh plus 1
}

// storedPage is a record of the page directory.
type storedPage struct {
	offset            uint64
	stored, raw, crc  uint32
	vertices, corners uint32 // with padding; corners counts triangles
	layout            layout
	level             uint8
}

// Write builds the hierarchies of m's primitives, encodes its textures and writes an asset to dst, which is empty. Equal
// models and options give equal bytes. What it has written is no asset if it fails.
func Write(ctx context.Context, dst *os.File, m *scene.Model, o WriteOptions) (Summary, error) {
	if o.PositionBits == 0 {
		o.PositionBits = DefaultPositionBits
	}
	if o.PositionBits < 10 || o.PositionBits > 24 {
		return Summary{}, fmt.Errorf("asset: positions of %d bits; 10 to 24 are possible", o.PositionBits)
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
	if err := checkModel(m); err != nil {
		return Summary{}, fmt.Errorf("asset: the model is inconsistent: %w", err)
	}
	w := &writer{o: o, m: m, out: newOutput(dst), t: newTables(), hash: sha256.New()}
	if err := w.write(ctx); err != nil {
		return Summary{}, err
	}
	return w.sum, nil
}

func (w *writer) write(ctx context.Context) error {
	w.t.collectMaterials(w.m)
	if err := w.plan(); err != nil {
		return err
	}
	w.out.begin(secDetail)
	if err := w.geometry(ctx); err != nil {
		return err
	}
	w.out.end()
	if err := w.textures(ctx); err != nil {
		return err
	}
	w.o.Progress(StageTables, 0)
	if err := w.collisions(ctx); err != nil {
		return err
	}
	if err := w.plain(ctx); err != nil {
		return err
	}
	w.out.begin(secRoots)
	h := header{first: w.out.open.offset, bounds: geom.Empty()}
	if n := len(w.out.done); n > 0 && w.out.done[n-1].id == secPlain {
		h.first = w.out.done[n-1].offset
	}
	w.out.write(w.roots)
	w.out.end()
	w.out.begin(secMips)
	w.out.write(w.mips)
	w.out.end()
	w.records()
	if err := w.t.addModel(w.m); err != nil {
		return err
	}
	if err := w.t.addStrings(); err != nil {
		return err
	}
	// The hash is over what the data decodes to and the tables, without what only compression bears on.
	for id := secModel; id < endOfTables; id++ {
		if id == secArrays || id == secPages || id == secInfo {
			continue
		}
		var e encoder
		e.u32(uint32(id))
		e.u64(uint64(len(w.t.of[id].b)))
		w.hash.Write(e.b)
		w.hash.Write(w.t.of[id].b)
	}
	copy(h.hash[:], w.hash.Sum(nil))
	w.sum.ConversionHash = hex.EncodeToString(h.hash[:])
	if err := w.info(); err != nil {
		return err
	}
	for id := secModel; id < endOfTables; id++ {
		w.out.begin(id)
		if id == secModel {
			h.tables = w.out.open.offset
		}
		w.out.write(w.t.of[id].b)
		w.out.end()
	}
	slices.SortFunc(w.out.done, func(a, b section) int { return int(a.id) - int(b.id) })
	h.sections, h.size = w.out.done, w.out.at
	h.bounds = w.m.Bounds
	w.sum.Bytes = h.size
	if err := w.out.finish(ctx, &h); err != nil {
		return err
	}
	w.o.Progress(StageTables, 1)
	return nil
}

// plan finds the geometries to store, and writes the records of meshes and primitives.
func (w *writer) plan() error {
	known := newIdentities()
	for _, ms := range w.m.Meshes {
		exp := positionExp(measure(ms), w.o.PositionBits)
		for i := range ms.Primitives {
			p := &ms.Primitives[i]
			if p.Paged != nil {
				return fmt.Errorf("asset: mesh %q is of an asset already", ms.Name)
			}
			g := &geometry{p: p, bounds: geom.Empty(), frame: frame{position: exp}}
			g.frame.uv0, g.uvWidth[0] = uvGrid(p.UV0)
			g.frame.uv1, g.uvWidth[1] = uvGrid(p.UV1)
			switch {
			case p.Deforms():
				g.kind = kindPlain
			case p.IsPoints:
				g.kind, g.layout = kindPoints, isPoints
			}
			id := known.put(g, w.unique)
			if id == uint32(len(w.unique)) {
				w.unique = append(w.unique, g)
			}
			variants := make([]uint32, len(p.Variants))
			for k, v := range p.Variants {
				if v != nil {
					variants[k] = w.t.material(v) + 1
				}
			}
			at, n := w.t.links(variants)
			w.t.of[secPrimitives].u32(id, w.t.material(p.Material), at, n)
			w.sum.Primitives++
		}
		w.t.of[secMeshes].u32(w.t.str(ms.Name), uint32(len(ms.Primitives)))
	}
	w.sum.Geometries = len(w.unique)
	return nil
}

// measure is the box around all finite positions of a mesh. Its primitives share a grid, so that they meet without a gap.
func measure(m *scene.Mesh) geom.AABB {
	box := geom.Empty()
	for i := range m.Primitives {
		for _, v := range m.Primitives[i].Positions {
			if usable(v) {
				box = box.Extend(v)
			}
		}
	}
	return box
}

// usable reports whether mesh keeps a vertex.
func usable(v geom.Vec3) bool {
	for _, c := range v {
		if !(math.Abs(float64(c)) < math.MaxFloat32/4) {
			return false
		}
	}
	return true
}

// identities finds the geometries that are stored as the same. Those whose size no other has are not looked at.
type identities struct {
	ids   map[[sha256.Size]byte]uint32
	alone map[identitySize]uint32 // geometries that are not in ids yet, plus 1; 0: all of the size are
}

type identitySize struct{ vertices, indices int }

func newIdentities() *identities {
	return &identities{ids: map[[sha256.Size]byte]uint32{}, alone: map[identitySize]uint32{}}
}

// put returns the number of g, which is the next one of unique if it is none of them.
func (k *identities) put(g *geometry, unique []*geometry) uint32 {
	next := uint32(len(unique))
	size := identitySize{len(g.p.Positions), len(g.p.Indices)}
	first, ok := k.alone[size]
	if !ok {
		k.alone[size] = next + 1
		return next
	}
	if first > 0 {
		k.ids[identity(unique[first-1])], k.alone[size] = first-1, 0
	}
	key := identity(g)
	id, ok := k.ids[key]
	if !ok {
		id = next
		k.ids[key] = id
	}
	return id
}

// identity is equal for primitives that are stored as the same geometry.
func identity(g *geometry) (key [sha256.Size]byte) {
	p, sum := g.p, sha256.New()
	var e encoder
	flush := func(force bool) {
		if force || len(e.b) >= 64<<10 {
			sum.Write(e.b)
			e.b = e.b[:0]
		}
	}
	e.u8(g.kind, uint8(g.frame.position))
	// A hierarchy has tangents where a normal map of the material needs them.
	refs := []scene.TextureRef{p.Material.NormalTex}
	if l := p.Material.Layers; l != nil {
		refs = append(refs, l.ClearcoatNormalTex, l.AnisotropyTex)
		e.f32(l.Anisotropy)
	}
	for _, r := range refs {
		e.bool(r.Texture != nil)
		e.u32(uint32(r.UV))
	}
	section := func(n int, put func(i int)) {
		e.u64(uint64(n))
		for i := range n {
			put(i)
			flush(false)
		}
	}
	vec3s := func(vs []geom.Vec3) { section(len(vs), func(i int) { e.vec3(vs[i]) }) }
	vec3s(p.Positions)
	vec3s(p.Normals)
	section(len(p.Tangents), func(i int) { e.f32(p.Tangents[i][:]...) })
	section(len(p.UV0), func(i int) { e.f32(p.UV0[i][:]...) })
	section(len(p.UV1), func(i int) { e.f32(p.UV1[i][:]...) })
	section(len(p.Colors), func(i int) { e.f32(p.Colors[i][:]...) })
	section(len(p.Indices), func(i int) { e.u32(p.Indices[i]) })
	section(len(p.Joints), func(i int) {
		for _, j := range p.Joints[i] {
			e.u16(j)
		}
	})
	section(len(p.Weights), func(i int) { e.f32(p.Weights[i][:]...) })
	e.u64(uint64(len(p.Targets)))
	for _, t := range p.Targets {
		vec3s(t.Positions)
		vec3s(t.Normals)
		vec3s(t.Tangents)
	}
	flush(true)
	sum.Sum(key[:0])
	return key
}

// records writes the tables of geometries, groups, hierarchies and pages. That of clusters is written with the pages.
func (w *writer) records() {
	for _, g := range w.unique {
		for i := range g.groups {
			// Quantised vertices may lie one step outside of the sphere.
			g.groups[i].Radius = bounded(nextUp(g.groups[i].Radius + step(g.frame.position)))
			r := &g.groups[i]
			e := &w.t.of[secGroups]
			e.vec3(r.Center)
			e.f32(r.Radius, r.Error)
			e.u32(r.Clusters, r.Page)
		}
		nodes := mesh.BuildNodes(g.groups)
		for _, n := range nodes {
			e := &w.t.of[secHierarchy]
			e.vec3(n.Center)
			e.f32(bounded(n.Radius), n.Error)
			count := n.Count
			if n.Leaf {
				count |= 1 << 31
			}
			e.u32(n.First, count)
		}
		e := &w.t.of[secGeometries]
		e.u8(g.kind, uint8(g.layout), uint8(g.frame.position), uint8(g.frame.uv0), uint8(g.frame.uv1), 0)
		e.u16(uint16(len(g.p.Targets)))
		e.box(g.bounds)
		e.u64(uint64(g.tris))
		e.u64(uint64(g.points))
		e.u32(uint32(g.clusters), uint32(len(g.groups)), uint32(len(nodes)), g.array, g.arrays, g.solid)
		w.sum.Triangles += g.tris
		w.sum.Points += g.points
		w.sum.Clusters += g.clusters
	}
	for _, p := range w.pages {
		e := &w.t.of[secPages]
		e.u64(p.offset)
		e.u32(p.stored, p.raw, p.crc, p.vertices, p.corners)
		e.u8(uint8(p.layout), p.level, 0, 0)
		w.sum.RawPageBytes += int64(p.raw)
		w.sum.PageBytes += int64(p.stored)
	}
	w.sum.Pages = len(w.pages)
}

// infoRecord is the JSON of the section of that name.
type infoRecord struct {
	Generator       string                 `json:"generator,omitempty"`
	Source          scene.SourceInfo       `json:"source"`
	Warnings        []string               `json:"warnings,omitempty"`
	MissingTextures []scene.MissingTexture `json:"missingTextures,omitempty"`
	Settings        json.RawMessage        `json:"settings,omitempty"`
}

func (w *writer) info() error {
	b, err := json.Marshal(infoRecord{w.o.Generator, w.m.Source, w.m.Warnings, w.m.MissingTextures, w.o.Settings})
	if err != nil {
		return fmt.Errorf("asset: settings: %w", err)
	}
	w.t.of[secInfo].b = b
	return nil
}

// bounded is a radius that a reader takes, if the shape is as large as float32 can tell.
func bounded(r float32) float32 { return min(r, math.MaxFloat32) }

// isRoot reports that nothing replaces the group.
func isRoot(g mesh.Group) bool { return math.IsInf(float64(g.Error), 1) }

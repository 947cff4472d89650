package cpu

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// paged is a primitive whose geometry lies in the pool.
type paged struct {
	*mesh.Paged
	source  *source
	entries []uint32 // nodes that share the walk out: every group is below one, none below two
}

// entryGroups is how many groups one unit of the walk has at most below it, roughly.
const entryGroups = 512

// newPaged checks the tables, which may come from a file, as far as drawing relies on them, and reads the root pages.
func (e *Engine) newPaged(ctx context.Context, sp *scene.Primitive, mat *material) (*prim, error) {
	mp, ok := sp.Paged.(*mesh.Paged)
	if !ok {
		return nil, fmt.Errorf("cpu: geometry of unknown kind %T", sp.Paged)
	}
	s, err := e.pool.open(mp.Source)
	if err != nil {
		return nil, err
	}
	p := &paged{Paged: mp, source: s}
	err = p.check()
	if err == nil {
		err = e.preloadRoots(ctx, p)
	}
	if err != nil {
		e.pool.release(s)
		return nil, err
	}
	p.split()
	a := s.arena
	out := &prim{
		Mesh: &mesh.Mesh{
			Clusters: mp.Clusters, Positions: a.positions.all, Surface: a.surface.all, Detail: a.detail.all, UV1: uv1Of(mp, a),
			Triangles: a.triangles.all, Bounds: mp.Bounds,
			HasNormals: mp.HasNormals, HasTangents: mp.HasTangents, HasColors: mp.HasColors, HasUV0: mp.HasUV0,
		},
		mat: mat, paged: p,
	}
	if mp.FullPoints > 0 {
		out.points, out.mat, out.spacing = true, pointMaterial(mat, mp.HasNormals), p.spacings()
	}
	return out, nil
}

func uv1Of(p *mesh.Paged, a *arena) []float32 {
	if !p.HasUV1 {
		return nil
	}
	return a.uv1.all
}

func (p *paged) check() error {
	info := p.source.info
	for i := range p.Groups {
		g := &p.Groups[i]
		if int(g.Page) >= len(info) || uint64(g.FirstCluster)+uint64(g.Clusters) > uint64(len(p.Clusters)) {
			return fmt.Errorf("cpu: group %d is out of range", i)
		}
		page := &info[g.Page]
		if (p.HasTangents || p.HasColors || p.HasUV0) && !page.Detail || p.HasUV1 && !page.UV1 {
			return fmt.Errorf("cpu: page %d lacks attributes", g.Page)
		}
		for _, c := range p.Clusters[g.FirstCluster:][:g.Clusters] {
			if uint64(c.FirstVertex)+uint64(c.Vertices) > uint64(page.Vertices) || c.FirstVertex%mesh.Lane != 0 ||
				uint64(c.FirstTriangle)+uint64(c.Triangles) > uint64(page.Triangles) ||
				c.Vertices > mesh.MaxVertices || c.Triangles > mesh.MaxTriangles {
				return fmt.Errorf("cpu: a cluster of group %d is out of range", i)
			}
		}
	}
	if len(p.Makers) != len(p.Clusters) {
		return fmt.Errorf("cpu: %d makers of %d clusters", len(p.Makers), len(p.Clusters))
	}
	for _, m := range p.Makers {
		if int(m) >= len(p.Groups) {
			return fmt.Errorf("cpu: maker %d of %d groups", m, len(p.Groups))
		}
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		end, limit := uint64(n.First)+uint64(n.Count), uint64(len(p.Nodes))
		if n.Leaf {
			limit = uint64(len(p.Groups))
		} else if int(n.First) <= i {
			return fmt.Errorf("cpu: children of node %d come before it", i)
		}
		if end > limit {
			return fmt.Errorf("cpu: node %d is out of range", i)
		}
	}
	if len(p.Groups) > 0 && len(p.Nodes) == 0 {
		return fmt.Errorf("cpu: groups without nodes")
	}
	return nil
}

// preloadRoots reads the pages of what nothing replaces, and what they need.
func (e *Engine) preloadRoots(ctx context.Context, p *paged) error {
	seen := map[uint32]bool{}
	var load func(page uint32) error
	load = func(page uint32) error {
		if seen[page] {
			return nil
		}
		seen[page] = true
		for _, n := range p.source.info[page].Needs {
			if err := load(n); err != nil {
				return err
			}
		}
		return e.pool.preload(ctx, p.source, page)
	}
	for i := range p.Groups {
		if math.IsInf(float64(p.Groups[i].Error), 1) {
			if err := load(p.Groups[i].Page); err != nil {
				return fmt.Errorf("page %d: %w", p.Groups[i].Page, err)
			}
		}
	}
	return nil
}

// warmBytes is how much of a source's coarse pages, as stored, is read before the first picture: a few hundred thousand
// triangles, which is about what a picture shows.
const warmBytes = 4 << 20

// warm reads the pages of the coarsest groups of the meshes, so that the first picture is one to look at.
func (e *Engine) warm(ctx context.Context, meshes []*cachedMesh) {
	errors := map[*source]map[uint32]float32{} // of each page the greatest, in object space
	var sources []*source                      // in the order of the meshes
	for _, c := range meshes {
		for _, p := range c.prims {
			if p.paged == nil {
				continue
			}
			s := p.paged.source
			if errors[s] == nil {
				errors[s], sources = map[uint32]float32{}, append(sources, s)
			}
			for i := range p.paged.Groups {
				g := &p.paged.Groups[i]
				errors[s][g.Page] = max(errors[s][g.Page], g.Error)
			}
		}
	}
	for _, s := range sources {
		pages := slices.SortedFunc(maps.Keys(errors[s]), func(a, b uint32) int {
			return cmp.Or(cmp.Compare(errors[s][b], errors[s][a]), cmp.Compare(a, b))
		})
		var bytes int64
		n := 0
		for n < len(pages) && bytes < warmBytes {
			bytes += int64(s.info[pages[n]].Bytes)
			n++
		}
		e.pool.warm(ctx, s, pages[:n])
	}
}

// split fills entries.
func (p *paged) split() {
	below := make([]int, len(p.Nodes))
	for i := len(p.Nodes) - 1; i >= 0; i-- { // children come after their parent
		n := &p.Nodes[i]
		if n.Leaf {
			below[i] = int(n.Count)
			continue
		}
		for c := n.First; c < n.First+n.Count; c++ {
			below[i] += below[c]
		}
	}
	var add func(i uint32)
	add = func(i uint32) {
		n := &p.Nodes[i]
		if below[i] <= entryGroups || n.Leaf {
			p.entries = append(p.entries, i)
			return
		}
		for c := n.First; c < n.First+n.Count; c++ {
			add(c)
		}
	}
	if len(p.Nodes) > 0 {
		add(0)
	}
}

package asset

import (
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// readPages reads the page directory.
func (r *tableReader) readPages() error {
	detail, roots := r.f.h.find(secDetail), r.f.h.find(secRoots)
	n := r.records(secPages)
	r.f.places, r.f.pages, r.f.groupsOf = make([]pagePlace, n), make([]mesh.PageInfo, n), make([][]groupRef, n)
	budget := detail.length + roots.length
	for i := range r.f.places {
		d := r.record(secPages, i)
		offset := d.u64()
		p := pagePlace{stored: d.u32(), raw: d.u32(), crc: d.u32(), vertices: d.u32(), corners: d.u32()}
		p.layout, p.level = layout(d.u8()), d.u8()
		s := detail
		if root := offset&highBit != 0; root != (p.level == rootLevel) {
			return damaged("page %d of level %d lies among the wrong ones", i, p.level)
		} else if root {
			offset, s = offset&^highBit, roots
		}
		budget -= int64(p.stored)
		if offset > uint64(s.length) || int64(p.stored) > s.length-int64(offset) || budget < 0 {
			return damaged("page %d lies outside of its section", i)
		}
		p.offset = s.offset + int64(offset)
		switch {
		case p.layout&^knownLayout != 0:
			return damaged("page %d has an unknown layout", i)
		case p.raw > maxRaw || int64(p.raw) > maxShrink*int64(p.stored):
			return damaged("page %d has %d bytes in %d", i, p.raw, p.stored)
		case p.vertices > maxPageVertices || p.corners > maxPageTris:
			return damaged("page %d has %d vertices and %d triangles", i, p.vertices, p.corners)
		}
		r.f.places[i] = p
		r.f.pages[i] = mesh.PageInfo{
			Vertices: p.vertices, Triangles: p.corners, Detail: p.layout.detail(), UV1: p.layout.has(hasUV1), Bytes: p.stored,
		}
	}
	return nil
}

// readGeometries reads the tables of geometries, clusters, groups and hierarchies, and finds out what each page holds and needs.
func (r *tableReader) readGeometries() error {
	f := r.f
	n := r.records(secGeometries)
	f.geometries = make([]geometryEntry, n)
	g := geometryReader{r: r, vertices: make([]uint32, len(f.pages)), corners: make([]uint32, len(f.pages))}
	for i := range f.geometries {
		if err := g.read(i); err != nil {
			return err
		}
	}
	if int(g.cluster) != r.records(secClusters) || int(g.group) != r.records(secGroups) || int(g.node) != r.records(secHierarchy) ||
		int(g.array) != r.records(secArrays) {
		return damaged("clusters, groups, nodes or arrays of no geometry")
	}
	for i, p := range f.places {
		if g.vertices[i] != p.vertices || g.corners[i] != p.corners {
			return damaged("the groups of page %d have %d vertices and %d triangles, want %d and %d",
				i, g.vertices[i], g.corners[i], p.vertices, p.corners)
		}
	}
	for i := range f.pages {
		needs := f.pages[i].Needs
		slices.Sort(needs)
		f.pages[i].Needs = slices.Clip(slices.Compact(needs))
	}
	return nil
}

// geometryReader goes through the tables that geometries share.
type geometryReader struct {
	r                    *tableReader
	cluster, group, node uint32 // the next record of each table
	array                uint32
	vertices, corners    []uint32 // of each page, so far
}

// take returns the first of the next count records of a table.
func (g *geometryReader) take(next *uint32, count uint32, id sectionID) (first int, err error) {
	first = int(*next)
	return first, follow(next, *next, count, g.r.records(id))
}

func (g *geometryReader) read(i int) error {
	d := g.r.record(secGeometries, i)
	e := &g.r.f.geometries[i]
	e.kind, e.layout = d.u8(), layout(d.u8())
	e.frame = frame{int8(d.u8()), int8(d.u8()), int8(d.u8())}
	d.u8()
	targets := int(d.u16())
	box, tris, points := d.box(), int64(d.u64()), int64(d.u64())
	clusters, groups, nodes, array, arrays := d.u32(), d.u32(), d.u32(), d.u32(), d.u32()
	e.solid = d.u32()
	for _, exp := range []int8{e.frame.position, e.frame.uv0, e.frame.uv1} {
		if exp < minExp || exp > maxExp {
			return damaged("geometry %d has a grid of 2^%d", i, exp)
		}
	}
	if e.kind > kindPlain || e.layout&^knownLayout != 0 {
		return damaged("geometry %d is of kind %d, layout %d", i, e.kind, e.layout)
	}
	if e.kind == kindPlain {
		if clusters != 0 || groups != 0 || nodes != 0 {
			return damaged("geometry %d has arrays and clusters", i)
		}
		first := g.array
		if err := follow(&g.array, array, arrays, g.r.records(secArrays)); err != nil {
			return err
		}
		return g.plain(e, int(first), int(arrays), targets)
	}
	if arrays != 0 || e.layout.has(isPoints) != (e.kind == kindPoints) {
		return damaged("geometry %d is both points and triangles, or has arrays", i)
	}
	p := &mesh.Paged{
		Source: g.r.f, HasNormals: e.layout.has(hasNormals), HasTangents: e.layout.has(hasTangents), HasColors: e.layout.has(hasColors),
		HasUV0: e.layout.has(hasUV0), HasUV1: e.layout.has(hasUV1), Bounds: geom.Empty(),
	}
	e.paged = p
	if err := g.readClusters(p, e, clusters); err != nil {
		return err
	}
	if err := g.readGroups(p, e, uint32(i), groups); err != nil {
		return err
	}
	if err := g.readNodes(p, nodes); err != nil {
		return err
	}
	if clusters > 0 {
		if p.Bounds = box; !finite(box.Min[:]...) || !finite(box.Max[:]...) || box.IsEmpty() {
			return damaged("geometry %d has no size", i)
		}
	}
	e.box = p.Bounds
	if p.FullTriangles != tris || p.FullPoints != points {
		return damaged("geometry %d has %d triangles and %d points, want %d and %d", i, p.FullTriangles, p.FullPoints, tris, points)
	}
	return nil
}

// plain reads the arrays of a geometry that deforms.
func (g *geometryReader) plain(e *geometryEntry, first, count, targets int) error {
	e.plain.IsPoints = e.layout.has(isPoints)
	if targets > 0 && targets > count {
		// A target without any array does nothing; one array each bounds what a small file makes.
		return damaged("%d morph targets of %d arrays", targets, count)
	}
	list := make([]arrayEntry, count)
	for k := range list {
		list[k] = getArray(g.r.bytes[secArrays][(first+k)*arrayRecord:])
		g.r.plainBytes += list[k].stored
		if list[k].stored < 0 || g.r.plainBytes > g.r.f.h.find(secPlain).length {
			return damaged("arrays that overlap")
		}
	}
	err := g.r.f.readPlain(g.r.ctx, &e.plain, list, targets)
	whole := scene.Mesh{Primitives: []scene.Primitive{e.plain}}
	whole.Measure()
	e.box = whole.Bounds
	return err
}

func (g *geometryReader) readClusters(p *mesh.Paged, e *geometryEntry, count uint32) error {
	first, err := g.take(&g.cluster, count, secClusters)
	if err != nil {
		return err
	}
	p.Clusters, p.Makers = make([]mesh.Cluster, count), make([]int32, count)
	for k := range p.Clusters {
		c, maker := getCluster(g.r.bytes[secClusters][(first+k)*clusterRecord:])
		p.Clusters[k], p.Makers[k] = c, maker
		ok := c.Vertices >= 1 && c.Triangles <= mesh.MaxTriangles && (c.Triangles == 0) == (e.kind == kindPoints) &&
			finite(c.Center[:]...) && finite(c.Half[:]...) && finite(c.Radius) &&
			c.Radius >= 0 && c.Half[0] >= 0 && c.Half[1] >= 0 && c.Half[2] >= 0
		if !ok {
			return damaged("cluster %d has wrong counts or bounds", first+k)
		}
		if e.kind == kindPoints {
			p.FullPoints += int64(c.Vertices)
		} else if maker < 0 {
			p.FullTriangles += int64(c.Triangles)
		}
	}
	return nil
}

func (g *geometryReader) readGroups(p *mesh.Paged, e *geometryEntry, geometry, count uint32) error {
	f := g.r.f
	first, err := g.take(&g.group, count, secGroups)
	if err != nil {
		return err
	}
	p.Groups = make([]mesh.Group, count)
	levels := make([]int, count)
	cluster := uint32(0)
	for k := range p.Groups {
		d := g.r.record(secGroups, first+k)
		gr := &p.Groups[k]
		*gr = mesh.Group{Center: d.vec3(), Radius: d.f32(), Error: d.f32(), FirstCluster: cluster, Clusters: d.u32(), Page: d.u32()}
		if !finite(gr.Center[:]...) || !finite(gr.Radius) || gr.Radius < 0 || !(gr.Error >= 0) {
			return damaged("group %d has a wrong sphere or error", first+k)
		}
		if gr.Clusters == 0 || uint64(cluster)+uint64(gr.Clusters) > uint64(len(p.Clusters)) {
			return damaged("group %d has %d clusters", first+k, gr.Clusters)
		}
		if int64(gr.Page) >= int64(len(f.pages)) {
			return damaged("group %d lies in page %d of %d", first+k, gr.Page, len(f.pages))
		}
		place := &f.places[gr.Page]
		if place.layout != e.layout || isRoot(*gr) != (place.level == rootLevel) {
			return damaged("group %d lies in a page that suits it not", first+k)
		}
		for i := cluster; i < cluster+gr.Clusters; i++ {
			c := &p.Clusters[i]
			c.FirstVertex, c.FirstTriangle = g.vertices[gr.Page], g.corners[gr.Page]
			g.vertices[gr.Page] += padded(c.Vertices)
			g.corners[gr.Page] += c.Triangles
			if g.vertices[gr.Page] > place.vertices || g.corners[gr.Page] > place.corners {
				return damaged("page %d holds more than it has", gr.Page)
			}
			maker := p.Makers[i]
			if maker < -1 || int(maker) >= k {
				return damaged("group %d has a member that group %d made", first+k, maker)
			}
			if maker < 0 {
				continue
			}
			levels[k] = max(levels[k], levels[maker]+1)
			made := p.Groups[maker].Page
			// What a page needs is of a coarser level, so that no pages need each other in a circle.
			if f.places[made].level >= place.level {
				return damaged("page %d needs page %d of no coarser level", made, gr.Page)
			}
			if needs := f.pages[made].Needs; len(needs) == 0 || needs[len(needs)-1] != gr.Page {
				f.pages[made].Needs = append(needs, gr.Page)
			}
		}
		if e.kind == kindPoints && k > 0 {
			levels[k] = levels[k-1]
			if gr.Error != p.Groups[k-1].Error {
				levels[k]++
			}
		}
		f.levels = max(f.levels, levels[k]+1)
		f.groupsOf[gr.Page] = append(f.groupsOf[gr.Page], groupRef{geometry, uint32(k)})
		cluster += gr.Clusters
	}
	if int(cluster) != len(p.Clusters) {
		return damaged("clusters of no group")
	}
	return nil
}

// readNodes reads a hierarchy. It is a tree whose nodes lie breadth first, so that whoever walks it meets every node once.
func (g *geometryReader) readNodes(p *mesh.Paged, count uint32) error {
	first, err := g.take(&g.node, count, secHierarchy)
	if err != nil {
		return err
	}
	if (count == 0) != (len(p.Groups) == 0) {
		return damaged("%d groups with a hierarchy of %d nodes", len(p.Groups), count)
	}
	p.Nodes = make([]mesh.Node, count)
	seen := make([]bool, len(p.Groups))
	next := uint32(1)
	for k := range p.Nodes {
		d := g.r.record(secHierarchy, first+k)
		n := &p.Nodes[k]
		*n = mesh.Node{Center: d.vec3(), Radius: d.f32(), Error: d.f32(), First: d.u32()}
		c := d.u32()
		n.Count, n.Leaf = c&^(1<<31), c>>31 != 0
		if !finite(n.Center[:]...) || !finite(n.Radius) || n.Radius < 0 || !(n.Error >= 0) {
			return damaged("node %d has a wrong sphere or error", first+k)
		}
		if !n.Leaf {
			if n.First != next || uint64(next)+uint64(n.Count) > uint64(count) || int(next) <= k {
				return damaged("node %d has children out of order", first+k)
			}
			next += n.Count
			continue
		}
		if uint64(n.First)+uint64(n.Count) > uint64(len(seen)) {
			return damaged("node %d has groups that do not exist", first+k)
		}
		for i := n.First; i < n.First+n.Count; i++ {
			if seen[i] {
				return damaged("two nodes have the same group")
			}
			seen[i] = true
		}
	}
	if count > 0 && next != count {
		return damaged("a node without parent")
	}
	return nil
}

package asset

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// pageKey says what may share a page.
type pageKey struct {
	level  uint8
	layout layout
}

// openPage gathers groups until they fill a page.
type openPage struct {
	key      pageKey
	groups   []pageGroup
	owners   []owner
	clusters int // count, as the next three
	vertices int
	padded   int    // vertices with their padding
	corners  int    // triangles
	widths   [5]int // bytes of the differences of x, y, z, and of both sets of texture coordinates
}

// owner is where a group of a page stands in the tables.
type owner struct {
	g     *geometry
	group int
}

// pageJob is a page on its way through the encoders.
type pageJob struct {
	page  *openPage
	ready chan encodedPage
}

// pager puts groups into pages and has the pages encoded and written in order. add and flush are for one goroutine.
type pager struct {
	w        *writer
	open     map[pageKey]*openPage
	clusters int // given a place in the table so far
	work     chan pageJob
	ordered  chan pageJob
	queued   int
}

// geometry builds the hierarchies of all geometries and writes their pages.
func (w *writer) geometry(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	p := &pager{w: w, open: map[pageKey]*openPage{}, work: make(chan pageJob), ordered: make(chan pageJob, 2*w.o.Threads)}
	for range w.o.Threads {
		group.Go(func() error { return p.encode(ctx) })
	}
	group.Go(func() error { return p.collect(ctx) })
	group.Go(func() error {
		defer close(p.work)
		defer close(p.ordered)
		return p.build(ctx)
	})
	return group.Wait()
}

// encode runs one encoder.
func (p *pager) encode(ctx context.Context) error {
	var e pageEncoder
	for j := range p.work {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.ready <- e.encode(j.page.key.layout, j.page.groups)
	}
	return nil
}

// collect writes pages in the order in which they were filled.
func (p *pager) collect(ctx context.Context) error {
	w := p.w
	table := &w.t.of[secClusters]
	for {
		var j pageJob
		var e encodedPage
		var ok bool
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j, ok = <-p.ordered:
			if !ok {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e = <-j.ready:
		}
		if e.raw > maxRaw {
			return fmt.Errorf("asset: a group of clusters takes %d bytes", e.raw)
		}
		w.hash.Write(e.digest[:])
		s := storedPage{
			stored: uint32(len(e.stored)), raw: uint32(e.raw), crc: checksum(e.stored), vertices: uint32(j.page.padded),
			corners: uint32(j.page.corners), layout: j.page.key.layout, level: j.page.key.level,
		}
		if s.level == rootLevel {
			s.offset = uint64(len(w.roots)) | highBit
			w.roots = append(w.roots, e.stored...)
		} else {
			s.offset = uint64(w.out.write(e.stored))
		}
		w.pages = append(w.pages, s)
		clusters := e.clusters
		for i, g := range j.page.groups {
			n := len(g.members.Clusters)
			o := j.page.owners[i]
			if need := (g.firstCluster + n) * clusterRecord; need > len(table.b) {
				table.b = slices.Grow(table.b, need-len(table.b))[:need]
			}
			for k, c := range clusters[:n] {
				maker := g.makers[k]
				putCluster(table.b[(g.firstCluster+k)*clusterRecord:], c, maker)
				if maker < 0 {
					o.g.bounds = o.g.bounds.Union(geom.AABB{Min: c.Center.Sub(c.Half), Max: c.Center.Add(c.Half)})
				}
			}
			clusters = clusters[n:]
		}
	}
}

// smallGeometry is the number of triangles or points below which geometries are built side by side, each on one thread.
const smallGeometry = 1 << 16

// built is a group as the builder hands it out.
type built struct {
	g       mesh.Group
	members *mesh.Mesh
	makers  []int32
}

// build makes the hierarchies in the order of the geometries.
func (p *pager) build(ctx context.Context) error {
	var total, done float64
	var small []*geometry
	for _, g := range p.w.unique {
		if g.kind == kindPlain {
			continue
		}
		total += weight(g.p)
		if weight(g.p) < smallGeometry {
			small = append(small, g)
		}
	}
	total = max(total, 1)
	ahead, stop := buildAhead(ctx, small, p.w.o.Threads)
	defer stop()
	for _, g := range p.w.unique {
		if g.kind == kindPlain {
			continue
		}
		var err error
		if weight(g.p) < smallGeometry {
			err = p.addSmall(ctx, g, ahead)
		} else {
			err = hierarchy(ctx, g, mesh.HierarchyOptions{
				Threads:  p.w.o.Threads,
				Progress: func(part float64) { p.w.o.Progress(StageGeometry, (done+part*weight(g.p))/total) },
			}, func(gr mesh.Group, members *mesh.Mesh, makers []int32) error {
				return p.add(ctx, g, built{gr, members, makers})
			})
		}
		if err != nil {
			return err
		}
		done += weight(g.p)
		p.w.o.Progress(StageGeometry, done/total)
		if err := p.close(ctx, targetRaw/4); err != nil {
			return err
		}
	}
	return p.close(ctx, 0)
}

func weight(p *scene.Primitive) float64 {
	if p.IsPoints {
		return float64(len(p.Positions))
	}
	return float64(len(p.Indices) / 3)
}

func hierarchy(ctx context.Context, g *geometry, o mesh.HierarchyOptions, sink func(mesh.Group, *mesh.Mesh, []int32) error) error {
	if g.kind == kindPoints {
		return mesh.BuildPoints(ctx, g.p, o, sink)
	}
	return mesh.BuildHierarchy(ctx, g.p, o, sink)
}

// future is a small geometry that is being built.
type future struct {
	groups []built
	err    error
	ready  chan struct{}
}

// buildAhead builds geometries on several threads and hands them out in order. It is a few ahead of who takes them.
func buildAhead(ctx context.Context, gs []*geometry, threads int) (out <-chan *future, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	futures := make(chan *future, 4*threads)
	limit := make(chan struct{}, threads)
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, g := range gs {
			f := &future{ready: make(chan struct{})}
			select {
			case <-ctx.Done():
				return
			case futures <- f:
			}
			limit <- struct{}{}
			wg.Go(func() {
				defer func() { <-limit }()
				defer close(f.ready)
				f.err = hierarchy(ctx, g, mesh.HierarchyOptions{Threads: 1}, func(gr mesh.Group, members *mesh.Mesh, makers []int32) error {
					f.groups = append(f.groups, built{gr, members, makers})
					return nil
				})
			})
		}
	})
	return futures, func() {
		cancel()
		wg.Wait()
	}
}

// addSmall adds the groups of the next geometry of ahead, which is g.
func (p *pager) addSmall(ctx context.Context, g *geometry, ahead <-chan *future) error {
	var f *future
	select {
	case <-ctx.Done():
		return ctx.Err()
	case f = <-ahead:
	}
	<-f.ready // soon, even if ctx ends
	if f.err != nil {
		return f.err
	}
	for _, b := range f.groups {
		if err := p.add(ctx, g, b); err != nil {
			return err
		}
	}
	return nil
}

// add puts a group into a page.
func (p *pager) add(ctx context.Context, g *geometry, b built) error {
	if len(g.groups) == 0 {
		g.layout = layoutOf(b.members, g.kind == kindPoints)
		if p.w.o.Collision && g.kind != kindPoints {
			g.solids = mesh.NewCollisionBuilder(g.p)
		}
	}
	if g.solids != nil {
		if err := g.solids.Add(b.g, b.members, b.makers); err != nil {
			return err
		}
	}
	level, err := levelOf(g, b)
	if err != nil {
		return err
	}
	own := owner{g, len(g.groups)}
	pg := pageGroup{members: b.members, makers: b.makers, frame: g.frame, firstCluster: p.clusters}
	b.g.FirstCluster, b.g.Clusters = uint32(g.clusters), uint32(len(b.members.Clusters))
	p.clusters += len(b.members.Clusters)
	g.clusters += len(b.members.Clusters)
	g.groups = append(g.groups, b.g)
	g.levels = append(g.levels, level)

	one := openPage{key: pageKey{level, g.layout}}
	if isRoot(b.g) {
		one.key.level = rootLevel
	}
	one.grow(pg, own)
	if one.padded > maxPageVertices || one.corners > maxPageTris {
		return fmt.Errorf("asset: a group of %d vertices and %d triangles does not fit a page", one.padded, one.corners)
	}
	page := p.open[one.key]
	if page != nil && !page.fits(&one) {
		if err := p.flush(ctx, page); err != nil {
			return err
		}
		page = nil
	}
	if page == nil {
		p.open[one.key] = &one
		return nil
	}
	page.grow(pg, own)
	return nil
}

// levelOf is the level of detail of a group, 0 the finest, and counts what is at full detail.
func levelOf(g *geometry, b built) (level uint8, err error) {
	if g.kind == kindPoints {
		for _, c := range b.members.Clusters {
			g.points += int64(c.Vertices)
		}
		if n := len(g.groups); n > 0 {
			level = g.levels[n-1]
			if g.groups[n-1].Error != b.g.Error {
				level++
			}
		}
	}
	for i, maker := range b.makers {
		if maker >= 0 {
			if int(maker) >= len(g.groups) {
				return 0, fmt.Errorf("asset: group %d is made by group %d", len(g.groups), maker)
			}
			level = max(level, g.levels[maker]+1)
		} else {
			g.tris += int64(b.members.Clusters[i].Triangles)
		}
	}
	if level >= rootLevel {
		return 0, fmt.Errorf("asset: a hierarchy of more than %d levels", rootLevel)
	}
	return level, nil
}

func layoutOf(m *mesh.Mesh, points bool) layout {
	var l layout
	for _, a := range []struct {
		has bool
		bit layout
	}{
		{m.HasNormals, hasNormals}, {m.HasUV0, hasUV0}, {m.HasTangents, hasTangents}, {m.HasColors, hasColors},
		{m.UV1 != nil, hasUV1}, {points, isPoints},
	} {
		if a.has {
			l |= a.bit
		}
	}
	return l
}

// grow adds a group to the page.
func (o *openPage) grow(g pageGroup, own owner) {
	o.groups, o.owners = append(o.groups, g), append(o.owners, own)
	scale := math.Ldexp(1, -int(g.frame.position))
	o.widths[3], o.widths[4] = max(o.widths[3], own.g.uvWidth[0]), max(o.widths[4], own.g.uvWidth[1])
	for _, c := range g.members.Clusters {
		o.clusters++
		o.vertices += int(c.Vertices)
		o.padded += int(padded(c.Vertices))
		o.corners += int(c.Triangles)
		for k := range 3 {
			o.widths[k] = max(o.widths[k], differenceWidth(2*float64(c.Half[k])*scale))
		}
	}
}

// fits reports whether the groups of another page can be added.
func (o *openPage) fits(b *openPage) bool {
	if o.padded+b.padded > maxPageVertices || o.corners+b.corners > maxPageTris {
		return false
	}
	sum := *o
	sum.clusters, sum.vertices, sum.corners = o.clusters+b.clusters, o.vertices+b.vertices, o.corners+b.corners
	for k := range sum.widths {
		sum.widths[k] = max(o.widths[k], b.widths[k])
	}
	return sum.size() <= targetRaw
}

// size is about how many bytes the page will have before compression, rather too many.
func (o *openPage) size() int {
	l := o.key.layout
	per := o.widths[0] + o.widths[1] + o.widths[2]
	if l.has(hasNormals) {
		per += 4
	}
	if l.has(hasTangents) {
		per += 4
	}
	if l.has(hasColors) {
		per += 4
	}
	if l.has(hasUV0) {
		per += 2 * o.widths[3]
	}
	if l.has(hasUV1) {
		per += 2 * o.widths[4]
	}
	return per*o.vertices + o.corners*9/8 + o.clusters*4*len(l.grids())
}

// close flushes the pages that have at least so many bytes, in the order of their keys.
func (p *pager) close(ctx context.Context, least int) error {
	var full []*openPage
	for _, page := range p.open {
		if page.size() >= least {
			full = append(full, page)
		}
	}
	slices.SortFunc(full, func(a, b *openPage) int {
		if a.key.level != b.key.level {
			return int(a.key.level) - int(b.key.level)
		}
		return int(a.key.layout) - int(b.key.layout)
	})
	for _, page := range full {
		if err := p.flush(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// flush gives a page its number and sends it on.
func (p *pager) flush(ctx context.Context, page *openPage) error {
	delete(p.open, page.key)
	for _, o := range page.owners {
		o.g.groups[o.group].Page = uint32(p.queued)
	}
	p.queued++
	j := pageJob{page, make(chan encodedPage, 1)}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case p.ordered <- j:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case p.work <- j:
	}
	return nil
}

package asset

import (
	"context"
	"crypto/sha256"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// collisions writes the collision meshes of all geometries of triangles.
func (w *writer) collisions(ctx context.Context) error {
	if !w.o.Collision {
		return nil
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }()
	w.out.begin(secCollision)
	for _, g := range w.unique {
		if g.p.IsPoints {
			continue
		}
		c, err := g.collision(ctx, w.o.Threads)
		if err != nil {
			return err
		}
		list := words(snap(c.Positions))
		last := uint32(0)
		for _, i := range c.Indices {
			list = append(list, zigzag(i-last))
			last = i
		}
		for _, n := range c.Nodes {
			list = append(list, n.First, n.Count)
		}
		raw := planes(list)
		sum := sha256.Sum256(raw)
		w.hash.Write(sum[:])
		stored := shrink(z, raw)
		offset := w.out.write(stored)
		e := &w.t.of[secCollisions]
		e.u32(uint32(len(c.Positions)), uint32(len(c.Indices)/3), uint32(len(c.Nodes)), checksum(stored))
		e.u64(uint64(offset))
		e.u64(uint64(len(stored)))
		e.u64(0)
		g.solid = w.t.count(secCollisions)
	}
	w.out.end()
	return nil
}

// collision returns the collision mesh of g. That of paged triangles came about with their hierarchy.
func (g *geometry) collision(ctx context.Context, threads int) (*mesh.Collision, error) {
	if g.solids == nil {
		return mesh.BuildCollision(ctx, g.p)
	}
	c := g.solids.Build(threads)
	g.solids = nil
	return c, nil
}

// collisionBits resolves the extent of collision meshes into steps of a sixteenth of their error.
const collisionBits = 14

// snap rounds positions to a grid; digits that say nothing are left out.
func snap(vs []geom.Vec3) []geom.Vec3 {
	box := geom.Empty()
	for _, v := range vs {
		box = box.Extend(v)
	}
	exp := positionExp(box, collisionBits)
	scale := math.Ldexp(1, -int(exp))
	out := make([]geom.Vec3, len(vs))
	for i, v := range vs {
		for k, x := range v {
			out[i][k] = float32(quantise(x, scale)) * step(exp)
		}
	}
	return out
}

// Collision reads the mesh that ray casts at a primitive of the model use; nil if the asset has none of it.
func (f *File) Collision(ctx context.Context, p *scene.Primitive) (*mesh.Collision, error) {
	paged, ok := p.Paged.(*mesh.Paged)
	for i := range f.geometries {
		g := &f.geometries[i]
		same := g.paged == paged
		if !ok {
			same = len(p.Positions) > 0 && len(g.plain.Positions) > 0 && &g.plain.Positions[0] == &p.Positions[0]
		}
		if same && g.solid > 0 {
			return f.readCollision(ctx, int(g.solid-1))
		}
	}
	return nil, nil
}

// collisionEntry is a record of the directory of collision meshes.
type collisionEntry struct {
	vertices, triangles, nodes, crc uint32
	offset, stored                  int64
}

// raw is the length before compression.
func (c collisionEntry) raw() int64 {
	return 12*(int64(c.vertices)+int64(c.triangles)) + 8*int64(c.nodes)
}

func (f *File) readCollision(ctx context.Context, i int) (*mesh.Collision, error) {
	e := &f.collisions[i]
	stored := make([]byte, e.stored)
	if err := f.read(ctx, stored, e.offset); err != nil {
		return nil, err
	}
	if checksum(stored) != e.crc {
		return nil, damaged("the checksum of collision mesh %d is wrong", i)
	}
	list, err := f.unshrink(stored, e.raw())
	if err != nil {
		return nil, err
	}
	c := &mesh.Collision{Nodes: make([]mesh.CollisionNode, e.nodes)}
	c.Positions, _ = vectors[geom.Vec3](list[:3*e.vertices])
	list = list[3*e.vertices:]
	c.Indices, list = list[:3*e.triangles:3*e.triangles], list[3*e.triangles:]
	last := uint32(0)
	for k, d := range c.Indices {
		last += unzigzag(d)
		c.Indices[k] = last
	}
	next, count := uint64(1), uint64(0)
	for k := range c.Nodes {
		n := mesh.CollisionNode{First: list[2*k], Count: list[2*k+1]}
		c.Nodes[k] = n
		// The same order as that of the hierarchy of groups: whoever walks the tree meets each node once.
		if count += uint64(n.Count); n.Count > 0 {
			continue
		}
		if uint64(n.First) != next {
			return nil, damaged("collision mesh %d has a tree out of order", i)
		}
		next += 2
	}
	if e.nodes > 0 && next != uint64(e.nodes) || count != uint64(e.triangles) {
		return nil, damaged("collision mesh %d has a tree of other triangles", i)
	}
	if err := c.Check(); err != nil {
		return nil, damaged("%w", err)
	}
	c.Bound()
	return c, nil
}

// readCollisions reads the directory of collision meshes.
func (r *tableReader) readCollisions() error {
	s := r.f.h.find(secCollision)
	var sum int64
	for i := range r.records(secCollisions) {
		d := r.record(secCollisions, i)
		e := collisionEntry{vertices: d.u32(), triangles: d.u32(), nodes: d.u32(), crc: d.u32()}
		e.offset, e.stored = int64(d.u64()), int64(d.u64())
		if e.offset < 0 || e.stored < 0 || e.offset > s.length || e.stored > s.length-e.offset {
			return damaged("collision mesh %d lies outside of its section", i)
		}
		if sum += e.stored; sum > s.length || e.raw() > maxShrink*e.stored {
			return damaged("collision mesh %d has %d bytes in %d", i, e.raw(), e.stored)
		}
		e.offset += s.offset
		r.f.collisions = append(r.f.collisions, e)
	}
	for i := range r.f.geometries {
		if k := r.f.geometries[i].solid; int64(k) > int64(len(r.f.collisions)) {
			return damaged("geometry %d has collision mesh %d of %d", i, k, len(r.f.collisions))
		}
	}
	return nil
}

package asset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// Collision is a triangle mesh for ray casts: a cut through a geometry's hierarchy at one error, with a tree of boxes.
type Collision struct {
	Positions []geom.Vec3
	Triangles [][3]uint32
	Nodes     []CollisionNode // Nodes[0] is the root; empty if Triangles is
	Error     float32         // greatest distance from full detail, object space
}

// CollisionNode is a box around triangles.
type CollisionNode struct {
	Box   geom.AABB
	First uint32 // leaf: of its triangles; inner node: the first of its two children, which are neighbours after it
	Count uint32 // of a leaf's triangles; 0 = inner node
}

// collisionError is the error of collision meshes, as a part of the greatest extent.
const collisionError = 1e-3

// leafTriangles is how many triangles a leaf of the tree has at most.
const leafTriangles = 8

// collector gathers the collision mesh of one geometry.
type collector struct {
	c      Collision
	vertex map[geom.Vec3]uint32
}

func newCollector(box geom.AABB) *collector {
	size := box.Size()
	return &collector{vertex: map[geom.Vec3]uint32{}, c: Collision{Error: collisionError * max(size[0], size[1], size[2])}}
}

// add takes what the cut has of a group: the clusters which are drawn where exactly what errs more than the mesh is refined.
func (k *collector) add(g *geometry, b built) {
	if !(b.g.Error > k.c.Error) {
		return
	}
	for i, c := range b.members.Clusters {
		if maker := b.makers[i]; maker >= 0 && g.groups[maker].Error > k.c.Error {
			continue
		}
		for _, t := range b.members.Triangles[c.FirstTriangle:][:c.Triangles] {
			var tri [3]geom.Vec3
			for n := range tri {
				tri[n] = b.members.Position(int(c.FirstVertex) + int(corner(t, n)))
			}
			k.triangle(tri)
		}
	}
}

func (k *collector) triangle(tri [3]geom.Vec3) {
	var t [3]uint32
	for n, v := range tri {
		i, ok := k.vertex[v]
		if !ok {
			i = uint32(len(k.c.Positions))
			k.vertex[v] = i
			k.c.Positions = append(k.c.Positions, v)
		}
		t[n] = i
	}
	if t[0] != t[1] && t[1] != t[2] && t[2] != t[0] {
		k.c.Triangles = append(k.c.Triangles, t)
	}
}

// finish orders the triangles along a curve and builds the tree over halves of that order.
func (k *collector) finish() *Collision {
	c := &k.c
	if len(c.Triangles) == 0 {
		return c
	}
	box := geom.Empty()
	for _, v := range c.Positions {
		box = box.Extend(v)
	}
	type keyed struct {
		key uint64
		tri [3]uint32
	}
	order := make([]keyed, len(c.Triangles))
	for i, t := range c.Triangles {
		order[i].tri = t
		for axis := range 3 {
			var mid float64
			for _, v := range t {
				mid += float64(c.Positions[v][axis]) / 3
			}
			low, size := float64(box.Min[axis]), float64(box.Max[axis])-float64(box.Min[axis])
			if size > 0 {
				order[i].key |= spread(uint64(min(max((mid-low)/size, 0), 1)*(1<<20-1))) << axis
			}
		}
	}
	slices.SortStableFunc(order, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	for i := range order {
		c.Triangles[i] = order[i].tri
	}
	c.Nodes = []CollisionNode{{Count: uint32(len(order))}}
	for i := 0; i < len(c.Nodes); i++ {
		n := &c.Nodes[i]
		n.Box = geom.Empty()
		for _, t := range c.Triangles[n.First:][:n.Count] {
			for _, v := range t {
				n.Box = n.Box.Extend(c.Positions[v])
			}
		}
		if first, count := n.First, n.Count; count > leafTriangles {
			half := count / 2
			n.First, n.Count = uint32(len(c.Nodes)), 0
			c.Nodes = append(c.Nodes, CollisionNode{First: first, Count: half}, CollisionNode{First: first + half, Count: count - half})
		}
	}
	return c
}

// spread puts two zero bits above each of the lowest 20 bits of x.
func spread(x uint64) uint64 {
	x = (x | x<<32) & 0x1f00000000ffff
	x = (x | x<<16) & 0x1f0000ff0000ff
	x = (x | x<<8) & 0x100f00f00f00f00f
	x = (x | x<<4) & 0x10c30c30c30c30c3
	return (x | x<<2) & 0x1249249249249249
}

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
		if err := ctx.Err(); err != nil {
			return err
		}
		if g.kind == kindPlain && !g.p.IsPoints {
			g.collision = newCollector(measure(&scene.Mesh{Primitives: []scene.Primitive{*g.p}}))
			g.collision.c.Error = 0
			for t := g.p.Indices; len(t) >= 3; t = t[3:] {
				g.collision.triangle([3]geom.Vec3{g.p.Positions[t[0]], g.p.Positions[t[1]], g.p.Positions[t[2]]})
			}
		}
		if g.collision == nil {
			continue
		}
		c := g.collision.finish()
		g.collision = nil
		list := words(c.Positions)
		for _, t := range c.Triangles {
			list = append(list, t[:]...)
		}
		for _, n := range c.Nodes {
			list = append(list, words([]geom.Vec3{n.Box.Min, n.Box.Max})...)
			list = append(list, n.First, n.Count)
		}
		raw := planes(list)
		sum := sha256.Sum256(raw)
		w.hash.Write(sum[:])
		stored := shrink(z, raw)
		offset := w.out.write(stored)
		e := &w.t.of[secCollisions]
		e.u32(uint32(len(c.Positions)), uint32(len(c.Triangles)), uint32(len(c.Nodes)), checksum(stored))
		e.u64(uint64(offset))
		e.u64(uint64(len(stored)))
		e.f32(c.Error)
		e.u32(0, 0, 0)
		g.solid = w.t.count(secCollisions)
	}
	w.out.end()
	return nil
}

// Collision reads the mesh that ray casts at a primitive of the model use; nil if the asset has none of it.
func (f *File) Collision(ctx context.Context, p *scene.Primitive) (*Collision, error) {
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
	err                             float32
}

// raw is the length before compression.
func (c collisionEntry) raw() int64 {
	return 12*(int64(c.vertices)+int64(c.triangles)) + 32*int64(c.nodes)
}

func (f *File) readCollision(ctx context.Context, i int) (*Collision, error) {
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
	c := &Collision{Error: e.err, Triangles: make([][3]uint32, e.triangles), Nodes: make([]CollisionNode, e.nodes)}
	c.Positions, _ = vec3s(list[:3*e.vertices])
	list = list[3*e.vertices:]
	for t := range c.Triangles {
		c.Triangles[t] = [3]uint32(list)
		if list = list[3:]; max(c.Triangles[t][0], c.Triangles[t][1], c.Triangles[t][2]) >= e.vertices {
			return nil, damaged("collision mesh %d has a triangle of vertices that do not exist", i)
		}
	}
	// The same order as that of the hierarchy of groups: whoever walks the tree meets each node once.
	next, count := uint64(1), uint64(0)
	for k := range c.Nodes {
		box, _ := vec3s(list[:6])
		n := CollisionNode{geom.AABB{Min: box[0], Max: box[1]}, list[6], list[7]}
		list = list[8:]
		if n.Count == 0 {
			if uint64(n.First) != next || next <= uint64(k) {
				return nil, damaged("collision mesh %d has a tree out of order", i)
			}
			next += 2
		} else if count += uint64(n.Count); uint64(n.First)+uint64(n.Count) > uint64(e.triangles) {
			return nil, damaged("collision mesh %d has a leaf of triangles that do not exist", i)
		}
		c.Nodes[k] = n
	}
	if e.nodes > 0 && next != uint64(e.nodes) || count != uint64(e.triangles) {
		return nil, damaged("collision mesh %d has a tree of other triangles", i)
	}
	return c, nil
}

// readCollisions reads the directory of collision meshes.
func (r *tableReader) readCollisions() error {
	s := r.f.h.find(secCollision)
	var sum int64
	for i := range r.records(secCollisions) {
		d := r.record(secCollisions, i)
		e := collisionEntry{vertices: d.u32(), triangles: d.u32(), nodes: d.u32(), crc: d.u32()}
		e.offset, e.stored, e.err = int64(d.u64()), int64(d.u64()), d.f32()
		if e.offset < 0 || e.stored < 0 || e.offset > s.length || e.stored > s.length-e.offset {
			return damaged("collision mesh %d lies outside of its section", i)
		}
		if sum += e.stored; sum > s.length || e.raw() > maxShrink*e.stored || math.IsNaN(float64(e.err)) {
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

package mesh

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	// collisionError is how far a collision mesh may be from its source, of the diagonal of the source's box.
	collisionError = 1e-3
	collisionLeaf  = 4
)

// Collision is a simplified primitive for ray casts.
type Collision struct {
	Positions []geom.Vec3
	Indices   []uint32 // three a triangle, in the order of the leaves
	Nodes     []CollisionNode
}

// CollisionNode is a node of a binary bounding volume hierarchy. Nodes[0] is the root.
type CollisionNode struct {
	Min, Max geom.Vec3
	First    uint32 // leaf: triangle; inner node: the first of two children, after the node itself
	Count    uint32 // triangles of a leaf; 0 = inner node
}

// BuildCollision simplifies p to within a thousandth of its size. It fails when ctx ends.
func BuildCollision(ctx context.Context, p *scene.Primitive) (*Collision, error) {
	b := NewCollisionBuilder(p)
	if err := BuildHierarchy(ctx, p, HierarchyOptions{}, b.Add); err != nil {
		return nil, err
	}
	return b.Build(runtime.GOMAXPROCS(0)), nil
}

// CollisionBuilder makes the collision mesh of a primitive while its hierarchy is built for drawing.
type CollisionBuilder struct {
	c         Collision
	tolerance float32
	errors    []float32 // of the groups so far
	index     map[geom.Vec3]uint32
}

// NewCollisionBuilder returns a builder for p, which is of triangles.
func NewCollisionBuilder(p *scene.Primitive) *CollisionBuilder {
	box := geom.Empty()
	for _, v := range p.Positions {
		if isFinite(v) {
			box = box.Extend(v)
		}
	}
	return &CollisionBuilder{tolerance: collisionError * box.Size().Len(), index: map[geom.Vec3]uint32{}}
}

// Add is a sink of BuildHierarchy. It copies the clusters of g that are the coarsest within the tolerance.
func (b *CollisionBuilder) Add(g Group, m *Mesh, makers []int32) error {
	b.errors = append(b.errors, g.Error)
	if g.Error <= b.tolerance {
		return nil
	}
	for i, c := range m.Clusters {
		if makers[i] >= 0 && b.errors[makers[i]] > b.tolerance {
			continue
		}
		for _, t := range m.Triangles[c.FirstTriangle : c.FirstTriangle+c.Triangles] {
			for k := range 3 {
				b.c.Indices = append(b.c.Indices, b.vertex(m.Position(int(c.FirstVertex+t>>(8*k)&255))))
			}
		}
	}
	return nil
}

// Build returns the mesh of all that was added; it is called once. The number of threads bears on nothing else.
func (b *CollisionBuilder) Build(threads int) *Collision {
	b.c.build(threads)
	return &b.c
}

func (b *CollisionBuilder) vertex(p geom.Vec3) uint32 {
	i, known := b.index[p]
	if !known {
		i = uint32(len(b.c.Positions))
		b.index[p] = i
		b.c.Positions = append(b.c.Positions, p)
	}
	return i
}

// build makes the nodes, breadth first, and puts the triangles in the order of the leaves.
func (c *Collision) build(threads int) {
	if len(c.Indices) == 0 {
		return
	}
	cents := make([]centroid, len(c.Indices)/3)
	parallel(threads, len(cents), func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			v, w, x := c.triangle(uint32(i))
			cents[i] = newCentroid(v, w, x, uint32(i))
		}
	})
	var wg sync.WaitGroup
	kd(cents, collisionLeaf, middle, threads, &wg)
	wg.Wait()
	ordered := make([]uint32, 0, len(c.Indices))
	for _, at := range cents {
		ordered = append(ordered, c.Indices[3*at.tri:3*at.tri+3]...)
	}
	c.Indices = ordered

	c.Nodes = append(c.Nodes, CollisionNode{})
	runs := []run{{0, len(cents)}}
	for at := 0; at < len(runs); at++ {
		r, n := runs[at], &c.Nodes[at]
		if r.n() <= collisionLeaf {
			n.First, n.Count = uint32(r.lo), uint32(r.n())
			continue
		}
		half := r.lo + middle(r.n())
		n.First = uint32(len(runs))
		runs = append(runs, run{r.lo, half}, run{half, r.hi})
		c.Nodes = append(c.Nodes, CollisionNode{}, CollisionNode{})
	}
	c.Bound()
}

// middle is where the runs of a collision mesh are cut.
func middle(n int) int { return n / 2 }

// Bound sets the boxes of all nodes; children come after their parents.
func (c *Collision) Bound() {
	for i := len(c.Nodes) - 1; i >= 0; i-- {
		n := &c.Nodes[i]
		box := geom.Empty()
		if n.Count == 0 {
			a, b := &c.Nodes[n.First], &c.Nodes[n.First+1]
			box = geom.AABB{Min: a.Min, Max: a.Max}.Union(geom.AABB{Min: b.Min, Max: b.Max})
		} else {
			for _, v := range c.Indices[3*n.First:][:3*n.Count] {
				box = box.Extend(c.Positions[v])
			}
		}
		n.Min, n.Max = box.Min, box.Max
	}
}

func (c *Collision) triangle(i uint32) (a, b, d geom.Vec3) {
	return c.Positions[c.Indices[3*i]], c.Positions[c.Indices[3*i+1]], c.Positions[c.Indices[3*i+2]]
}

// Check reports what keeps c from being used, for those who read it from a file: Raycast of a checked one neither panics
// nor goes round in circles.
func (c *Collision) Check() error {
	if len(c.Indices)%3 != 0 {
		return errors.New("collision mesh: not three indices a triangle")
	}
	for _, i := range c.Indices {
		if uint64(i) >= uint64(len(c.Positions)) {
			return errors.New("collision mesh: index beyond the positions")
		}
	}
	for i, n := range c.Nodes {
		switch {
		case n.Count == 0 && (uint64(n.First) <= uint64(i) || uint64(n.First)+1 >= uint64(len(c.Nodes))):
			return errors.New("collision mesh: child out of place")
		case n.Count > 0 && uint64(n.First)+uint64(n.Count) > uint64(len(c.Indices)/3):
			return errors.New("collision mesh: leaf beyond the triangles")
		}
	}
	return nil
}

// Raycast returns the first triangle that the ray from origin meets, from either side, and t such that it does so at
// origin + t*dir.
func (c *Collision) Raycast(origin, dir geom.Vec3) (t float64, triangle int, ok bool) {
	if len(c.Nodes) == 0 {
		return 0, 0, false
	}
	r := newRay(origin, dir)
	t = math.Inf(1)
	stack := []uint32{0}
	for len(stack) > 0 {
		n := &c.Nodes[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		if r.enters(n) > t {
			continue
		}
		if n.Count == 0 {
			near, far := n.First, n.First+1
			if r.enters(&c.Nodes[far]) < r.enters(&c.Nodes[near]) {
				near, far = far, near
			}
			stack = append(stack, far, near)
			continue
		}
		for i := n.First; i < n.First+n.Count; i++ {
			if at, hit := r.meets(c.triangle(i)); hit && at < t {
				t, triangle, ok = at, int(i), true
			}
		}
	}
	return t, triangle, ok
}

type ray struct{ origin, dir, inv [3]float64 }

func newRay(origin, dir geom.Vec3) (r ray) {
	for k := range 3 {
		r.origin[k], r.dir[k] = float64(origin[k]), float64(dir[k])
		r.inv[k] = 1 / r.dir[k]
	}
	return r
}

// enters is where the ray enters the box of n, infinity if it does not.
func (r *ray) enters(n *CollisionNode) float64 {
	from, to := 0.0, math.Inf(1)
	for k := range 3 {
		lo, hi := float64(n.Min[k])-r.origin[k], float64(n.Max[k])-r.origin[k]
		if r.dir[k] == 0 {
			if lo > 0 || hi < 0 {
				return math.Inf(1)
			}
			continue
		}
		a, b := lo*r.inv[k], hi*r.inv[k]
		from, to = max(from, min(a, b)), min(to, max(a, b))
	}
	// Rounding must not lose a triangle that lies in the box's side.
	if from > to*(1+1e-12) {
		return math.Inf(1)
	}
	return from
}

// meets is where the ray meets a triangle (Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection", 1997).
func (r *ray) meets(a, b, c geom.Vec3) (t float64, ok bool) {
	var e, f, s [3]float64
	for k := range 3 {
		e[k], f[k] = float64(b[k])-float64(a[k]), float64(c[k])-float64(a[k])
		s[k] = r.origin[k] - float64(a[k])
	}
	p := cross64(r.dir, f)
	det := dot64(e, p)
	if det == 0 {
		return 0, false
	}
	u := dot64(s, p) / det
	q := cross64(s, e)
	v := dot64(r.dir, q) / det
	const slack = 1e-9 // so that no ray slips between two triangles
	if !(u >= -slack && v >= -slack && u+v <= 1+slack) {
		return 0, false
	}
	t = dot64(f, q) / det
	return t, t >= 0
}

func cross64(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func dot64(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

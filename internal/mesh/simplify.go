package mesh

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// How much a wrong attribute counts, as a displacement in units of the size of the surface that has it. A bump whose normals
// are off by d over a length s stands about d*s/4 out; shading shows it earlier than its outline.
const (
	normalError = 0.5
	glossyError = 1.5 // normalError of polished metal: what it mirrors moves by twice the angle
	colorError  = 0.5
	uvError     = 0.5 // of the distance by which the texture slides
)

// normalErrorOf is a square. Its root grows from normalError to glossyError where metal is less rough than 0.8, down to 0.5. With
// these, pixels of bumpy polished metal are off by about as much as those of rough surfaces (BenchmarkPaged of render/cpu).
func normalErrorOf(m *scene.Material) float32 {
	var polish float32
	if m != nil {
		polish = m.Metallic * min(max((0.8-m.Roughness)/0.3, 0), 1)
	}
	e := normalError + (glossyError-normalError)*polish
	return e * e
}

// patience is the square of how much dearer than the next one in the queue a collapse may turn out when its turn comes.
const patience = 1.5 * 1.5

// The squared cosines of the angles by which a triangle may tilt in a collapse (75 degrees), and by settling (45).
const (
	greatestTilt = 0.0625
	settleTilt   = 0.5
)

// needle is the squared sine of an angle below which a collapse must not make a triangle: rounding alone keeps it from being a line,
// and says which way it faces. Once one lies along the edge of a group, what it seems to show is found nowhere else.
const needle = 1e-8

const none = ^uint32(0)

// far is more than every distance in a patch.
const far = float32(math.MaxFloat32)

// simplifier collapses edges of a patch, one end onto the other, cheapest first (Garland and Heckbert, "Surface
// Simplification Using Quadric Error Metrics", SIGGRAPH 1997); of each position, only its cheapest is queued. Topology is that
// of the positions; the vertices at a position are its wedges (Hoppe, "New Quadric Metric for Simplifying Meshes with
// Appearance Attributes", 1999). A collapse costs the greatest of the mean distance from the planes gathered at the position
// (the quadric) and what the collapse does to the place that vanishes: its distance from the new triangles, and the errors of
// its attributes there. So seams, hard edges, borders and holes need no rules of their own: to cross one is as expensive as it
// looks.
//
// Positions in it are relative to the patch and its size, costs and errors are squared distances. It is the scratch memory of
// one worker.
type simplifier struct {
	*patch
	center geom.Vec3
	size   float32 // object space length of 1
	inv    float64
	pos    []vec
	look   appearance

	locked   []bool   // positions
	live     int      // triangles; a dead one has none as its first vertex
	head     []uint16 // positions: the first corner there, or end
	corners  []corner // 3 x triangle + k
	quadrics []quadric
	own      []ownPlanes // positions
	rim      []uint32    // positions: zero if the triangles around it close a ring of one vertex
	grown    []bool      // positions: others have collapsed onto them
	into     []uint32    // positions: where they went, themselves while they are there
	queue    collapseQueue
	queued   []collapse // positions: the entry in the queue that counts
	delayed  []collapse // positions: the best of those looked at and put off, or never
	moved    []wedgeMove

	weight  []float32 // vertices: surface that the attributes stand for
	changed []bool    // vertices: they differ from the source's
	gone    []sample
	parts   components
	worst   float32 // greatest cost of a collapse
	other   float32 // greatest error by other means than collapses
}

// corner is a corner of a triangle that is left.
type corner struct {
	vertex uint16
	a, b   uint16 // the positions after it and before it in the triangle
	next   uint16 // corner at its position, or end
}

// end ends the list of a position's corners. A group has fewer: see groupTriangles.
const end = math.MaxUint16

// ownPlanes is the quadric of a position where it is.
type ownPlanes struct{ sum, weight float64 }

// wedgeMove is what happens to one vertex of a position that vanishes.
type wedgeMove struct {
	from, to uint32
	d2       float32 // distance from the nearest new triangle on its side, squared
	near     [2]uint32
	bary     vec // of the nearest point: weights of to and near
}

// run collapses edges until no more than target triangles are left or nothing can be collapsed. locked reports positions
// that must stay.
func (s *simplifier) run(q *patch, locked func(position uint32) bool, target int) {
	s.begin(q, locked)
	for before := 0; s.live > target && s.live != before; {
		before = s.live
		s.enqueueAll()
		s.drain(target)
	}
	s.unify()
}

// drain does what is queued. Costs are looked at again when their turn comes, so they may be out of date in the queue. One that
// turns out too dear is put off until the others of its position have been looked at, as far as they may be cheaper.
func (s *simplifier) drain(target int) {
	for s.live > target {
		c, ok := s.queue.pop()
		if !ok {
			return
		}
		v, w := c.from(), c.to()
		if w == pruneTo {
			s.prune(v, c.cost())
			continue
		}
		if s.queued[v] != c || s.head[v] == end {
			continue
		}
		if s.head[w] == end {
			s.enqueue(v)
			continue
		}
		if s.delayed[v] == c {
			s.delayed[v] = never
		}
		cost, ok := s.evaluate(v, w)
		switch {
		case !ok:
			s.enqueueAfter(v, c)
		case cost > c.cost() && cost > patience*s.queue.least():
			s.delayed[v] = min(s.delayed[v], newCollapse(cost, v, w))
			s.enqueueAfter(v, c)
		default:
			s.worst = max(s.worst, cost)
			s.collapse(v, w)
		}
	}
}

// begin builds the topology and the quadrics, and queues the components.
func (s *simplifier) begin(q *patch, locked func(uint32) bool) {
	s.patch = q
	n, nv := len(q.ids), len(q.src)
	s.normalize()
	s.live = len(q.tris)
	s.head, s.corners = sized(s.head, n), sized(s.corners, 3*len(q.tris))
	s.locked, s.into, s.queued = sized(s.locked, n), sized(s.into, n), sized(s.queued, n)
	s.delayed = sized(s.delayed, n)
	s.quadrics, s.own, s.rim = sized(s.quadrics, n), sized(s.own, n), sized(s.rim, n)
	s.weight, s.changed, s.grown = sized(s.weight, nv), sized(s.changed, nv), sized(s.grown, n)
	clear(s.grown)
	clear(s.quadrics)
	clear(s.rim)
	clear(s.weight)
	copy(s.changed, q.derived)
	s.gone, s.worst, s.other, s.queue = s.gone[:0], 0, 0, s.queue[:0]
	for i := range s.head {
		s.head[i], s.into[i] = end, uint32(i)
		s.locked[i] = locked(q.ids[i])
	}
	for t := len(q.tris) - 1; t >= 0; t-- {
		x, y, z := q.tris[t][0], q.tris[t][1], q.tris[t][2]
		a, b, c := q.at[x], q.at[y], q.at[z]
		k := s.corners[3*t:][:3]
		k[0] = corner{uint16(x), uint16(b), uint16(c), s.head[a]}
		k[1] = corner{uint16(y), uint16(c), uint16(a), s.head[b]}
		k[2] = corner{uint16(z), uint16(a), uint16(b), s.head[c]}
		s.head[a], s.head[b], s.head[c] = uint16(3*t), uint16(3*t+1), uint16(3*t+2)
		// Around a closed ring every neighbour comes once after and once before; sums of vertices tell apart most others.
		s.rim[a] += y - z
		s.rim[b] += z - x
		s.rim[c] += x - y
	}
	s.measure()
	s.parts.find(s)
}

// normalize sets pos: centred on the patch, greatest extent 1.
func (s *simplifier) normalize() {
	all := emptyMinMax()
	for _, p := range s.prim.Positions {
		all.extend(vecOf(p))
	}
	box := all.box()
	e := box.Size()
	s.center, s.size = box.Center(), max(e[0], e[1], e[2])
	s.inv = 1 / float64(s.size)
	if !(s.size > 0) || math.IsInf(s.inv, 0) {
		s.size, s.inv = 1, 1
	}
	s.pos = sized(s.pos, len(s.ids))
	for v, p := range s.at {
		s.pos[p] = s.local(s.prim.Positions[v])
	}
}

// local is x in the units of pos.
func (s *simplifier) local(x geom.Vec3) vec {
	return vec{
		float32((float64(x[0]) - float64(s.center[0])) * s.inv), float32((float64(x[1]) - float64(s.center[1])) * s.inv),
		float32((float64(x[2]) - float64(s.center[2])) * s.inv),
	}
}

// measure sets quadrics, weights and the scale of the texture coordinates.
func (s *simplifier) measure() {
	var area, uvArea [2]float64
	uvs := [2][]geom.Vec2{s.prim.UV0, s.prim.UV1}
	for t := range s.tris {
		tri := &s.tris[t]
		a, b, c := s.at[tri[0]], s.at[tri[1]], s.at[tri[2]]
		pa := s.pos[a]
		n := s.pos[b].sub(pa).cross(s.pos[c].sub(pa))
		l := n.length()
		for _, v := range tri {
			s.weight[v] += l / 6
		}
		for set, uv := range &uvs {
			if uv != nil {
				area[set] += float64(l)
				uvArea[set] += math.Abs(cross2(uv[tri[0]], uv[tri[1]], uv[tri[2]]))
			}
		}
		if l > 0 {
			n = n.mul(1 / l)
			q := plane(n, pa, float64(l), float64(l))
			s.quadrics[a].add(&q)
			s.quadrics[b].add(&q)
			s.quadrics[c].add(&q)
		}
		if s.rim[a]|s.rim[b]|s.rim[c] == 0 {
			continue
		}
		for k := range tri {
			if s.rim[s.at[tri[k]]] != 0 && s.rim[s.at[tri[after[k]]]] != 0 {
				s.edge(uint32(t), k, n)
			}
		}
	}
	for p := range s.own {
		s.own[p] = ownPlanes{weight: s.quadrics[p].weight}
	}
	s.look = appearance{prim: &s.prim, normalError: normalErrorOf(s.prim.Material)}
	for set := range area {
		if uvArea[set] > 0 && !math.IsInf(uvArea[set], 0) {
			s.look.uvScale[set] = float32(area[set] / uvArea[set])
		}
	}
}

// edge adds the quadric of the plane that stands on edge k of triangle t, where the edge is a border or a seam.
func (s *simplifier) edge(t uint32, k int, n vec) {
	tri := &s.tris[t]
	x, y := tri[k], tri[after[k]]
	a, b := s.at[x], s.at[y]
	if s.locked[a] && s.locked[b] {
		return
	}
	weight := 10.0 // of a border: moving one shows against the background
	for c := s.head[b]; c != end; {
		k := &s.corners[c]
		if uint32(k.a) == a {
			if uint32(k.vertex) == y && s.tris[c/3][after[c%3]] == x {
				return
			}
			weight = 1
		}
		c = k.next
	}
	e := s.pos[b].sub(s.pos[a])
	side := n.cross(e)
	l := side.length()
	if !(l > 0) {
		return
	}
	q := plane(side.mul(1/l), s.pos[a], weight*float64(e.dot(e)), 0)
	s.quadrics[a].add(&q)
	s.quadrics[b].add(&q)
}

// after and before are the other corners of a triangle, in order.
var after, before = [3]uint32{1, 2, 0}, [3]uint32{2, 0, 1}

// enqueueAll queues the best collapse of every position.
func (s *simplifier) enqueueAll() {
	for p := range uint32(len(s.head)) {
		if !s.locked[p] && s.head[p] != end {
			s.enqueue(p)
		}
	}
}

// enqueue queues the best collapse of p.
func (s *simplifier) enqueue(p uint32) {
	s.delayed[p] = never
	s.enqueueAfter(p, 0)
}

// enqueueAfter queues the best collapse of p that comes after done.
func (s *simplifier) enqueueAfter(p uint32, done collapse) {
	q, best := &s.quadrics[p], never
	for c := s.head[p]; c != end; {
		k := &s.corners[c]
		if x := newCollapse(s.planes(q, uint32(k.a)), p, uint32(k.a)); x > done && x < best {
			best = x
		}
		if s.rim[p] != 0 {
			if x := newCollapse(s.planes(q, uint32(k.b)), p, uint32(k.b)); x > done && x < best {
				best = x
			}
		}
		c = k.next
	}
	best = min(best, s.delayed[p])
	s.queued[p] = best
	if best != never {
		s.queue.push(best)
	}
}

// planes is the mean square distance of position to from the planes of q and of its own.
func (s *simplifier) planes(q *quadric, to uint32) float32 {
	o := &s.own[to]
	weight := q.weight + o.weight
	if weight == 0 {
		return 0
	}
	return float32((q.at(s.pos[to]) + o.sum) / weight)
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func cross2(a, b, c geom.Vec2) float64 {
	return float64(b[0]-a[0])*float64(c[1]-a[1]) - float64(b[1]-a[1])*float64(c[0]-a[0])
}

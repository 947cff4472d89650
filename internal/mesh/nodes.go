package mesh

import (
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
)

// Widths of the hierarchy over groups: few enough that a node's sphere is tight, enough that the tree is shallow.
const (
	leafGroups   = 4
	nodeChildren = 8
)

// BuildNodes returns the hierarchy over groups, for Paged.Nodes. It keeps their order: every leaf is a run of groups, which
// are compact because BuildHierarchy and BuildPoints hand out the groups of a level in spatial order. It sees no more of a
// group than Center, Radius and Error.
func BuildNodes(groups []Group) []Node {
	if len(groups) == 0 {
		return nil
	}
	b := nodeBuilder{groups: groups, nodes: make([]Node, 1, len(groups)/2+1), tail: make([]float64, len(groups))}
	runs := []run{{0, len(groups)}}
	// Breadth first, so that siblings are neighbours and come after their parent.
	for at := 0; at < len(runs); at++ {
		r := runs[at]
		b.nodes[at] = b.bound(r)
		n := &b.nodes[at]
		if r.n() <= leafGroups {
			n.First, n.Count, n.Leaf = uint32(r.lo), uint32(r.n()), true
			continue
		}
		children := slices.DeleteFunc(b.divide(r), b.exact)
		n.First, n.Count = uint32(len(runs)), uint32(len(children))
		runs = append(runs, children...)
		b.nodes = append(b.nodes, make([]Node, len(children))...)
	}
	return b.nodes
}

// run is groups lo to hi, without hi.
type run struct{ lo, hi int }

func (r run) n() int { return r.hi - r.lo }

// exact reports that no group of r can be refined: what replaces them is the same surface.
func (b *nodeBuilder) exact(r run) bool {
	return !slices.ContainsFunc(b.groups[r.lo:r.hi], func(g Group) bool { return g.Error > 0 })
}

type nodeBuilder struct {
	groups []Group
	nodes  []Node
	tail   []float64
}

// bound is the node over r without its children.
func (b *nodeBuilder) bound(r run) Node {
	box := geom.Empty()
	n := Node{}
	for i := r.lo; i < r.hi; i++ {
		g := &b.groups[i]
		box = box.Union(sphereBox(g.Center, g.Radius))
		n.Error = max(n.Error, g.Error)
	}
	n.Center = box.Center()
	for i := r.lo; i < r.hi; i++ {
		n.Radius = max(n.Radius, reach(n.Center, b.groups[i].Center, b.groups[i].Radius))
	}
	return n
}

// divide cuts r into at most nodeChildren runs, at each step the longest one.
func (b *nodeBuilder) divide(r run) []run {
	out := []run{r}
	for len(out) < nodeChildren {
		most := 0
		for i := range out {
			if out[i].n() > out[most].n() {
				most = i
			}
		}
		l := out[most]
		if l.n() <= leafGroups {
			break
		}
		cut := b.cut(l)
		out = append(out, run{})
		copy(out[most+2:], out[most+1:])
		out[most], out[most+1] = run{l.lo, cut}, run{cut, l.hi}
	}
	return out
}

// cut is where r falls apart best: least (box surface x number of groups) summed over both sides, and neither side under
// an eighth of r, which bounds the depth.
func (b *nodeBuilder) cut(r run) int {
	box := geom.Empty()
	for i := r.hi - 1; i > r.lo; i-- {
		box = box.Union(sphereBox(b.groups[i].Center, b.groups[i].Radius))
		b.tail[i] = surface(box) * float64(r.hi-i)
	}
	box = geom.Empty()
	margin := max(1, r.n()/8)
	best, least := r.lo+r.n()/2, math.Inf(1)
	for i := r.lo + 1; i <= r.hi-margin; i++ {
		box = box.Union(sphereBox(b.groups[i-1].Center, b.groups[i-1].Radius))
		if cost := surface(box)*float64(i-r.lo) + b.tail[i]; i >= r.lo+margin && cost < least {
			best, least = i, cost
		}
	}
	return best
}

func surface(b geom.AABB) float64 {
	x, y, z := float64(b.Max[0]-b.Min[0]), float64(b.Max[1]-b.Min[1]), float64(b.Max[2]-b.Min[2])
	return x*y + y*z + z*x
}

func sphereBox(c geom.Vec3, r float32) geom.AABB {
	return geom.AABB{Min: geom.Vec3{c[0] - r, c[1] - r, c[2] - r}, Max: geom.Vec3{c[0] + r, c[1] + r, c[2] + r}}
}

// reach is the radius that a sphere around from needs to hold the sphere around c, rounded up.
func reach(from, c geom.Vec3, r float32) float32 {
	return nextUp(float32((dist(from, c) + float64(r)) * (1 + 1e-6)))
}

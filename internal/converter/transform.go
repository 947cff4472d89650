package converter

import (
	"math"

	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// basis is the change of coordinates of the settings scaling and axis. It applies to vertices as v' = s A v and to the
// transforms of nodes as M' = (s A) M (s A)^-1: so the pivots of nodes stay where they are in the model, and their scales
// what they are (ARR, "Configure the model conversion": the scaling of the root's transform remains unmodified).
type basis struct {
	scale  float32
	from   [3]int // which component of the source is each of the result
	sign   [3]float32
	mirror bool // A changes the handedness
}

func newBasis(s settings.Settings) basis {
	b := basis{scale: float32(s.Scaling)}
	odd := false
	for i, a := range s.Axis {
		b.from[i], b.sign[i] = max(a, -a)-1, 1
		if a < 0 {
			b.sign[i], b.mirror = -1, !b.mirror
		}
		for _, before := range b.from[:i] {
			odd = odd != (before > b.from[i])
		}
	}
	b.mirror = b.mirror != odd
	return b
}

// dir applies A.
func (b basis) dir(v geom.Vec3) geom.Vec3 {
	return geom.Vec3{b.sign[0] * v[b.from[0]], b.sign[1] * v[b.from[1]], b.sign[2] * v[b.from[2]]}
}

func (b basis) point(v geom.Vec3) geom.Vec3 { return b.dir(v).Mul(b.scale) }

func (b basis) matrix(m geom.Mat4) geom.Mat4 {
	r := geom.Identity()
	for row := range 3 {
		for col := range 3 {
			r[4*col+row] = b.sign[row] * b.sign[col] * m[4*b.from[col]+b.from[row]]
		}
		r[12+row] = b.scale * b.sign[row] * m[12+b.from[row]]
	}
	return r
}

// handedness is what becomes of quantities that are products of two directions: angles of rotation, handed tangents.
func (b basis) handedness() float32 {
	if b.mirror {
		return -1
	}
	return 1
}

// apply changes the coordinates of the whole model.
func (b basis) apply(m *scene.Model) {
	done := once{}
	point := func(v *geom.Vec3) { *v = b.point(*v) }
	dir := func(v *geom.Vec3) { *v = b.dir(*v) }
	primitives(m, func(p *scene.Primitive) {
		each(done, p.Positions, point)
		each(done, p.Normals, dir)
		each(done, p.Tangents, func(t *geom.Vec4) {
			d := b.dir(geom.Vec3{t[0], t[1], t[2]})
			*t = geom.Vec4{d[0], d[1], d[2], b.handedness() * t[3]}
		})
		for _, t := range p.Targets {
			each(done, t.Positions, point)
			each(done, t.Normals, dir)
			each(done, t.Tangents, dir)
		}
		if b.mirror {
			flip(done, p.Indices)
		}
	})
	for i := range m.Nodes {
		m.Nodes[i].Local = b.matrix(m.Nodes[i].Local)
	}
	for i := range m.Skins {
		each(done, m.Skins[i].Inverse, func(x *geom.Mat4) { *x = b.matrix(*x) })
	}
	for i := range m.Animations {
		for k := range m.Animations[i].Channels {
			b.channel(done, &m.Animations[i].Channels[k])
		}
	}
	for _, mat := range materials(m) {
		if l := mat.Layers; l != nil {
			l.Thickness *= b.scale
			l.AttenuationDistance *= b.scale
		}
	}
	b.lights(m)
}

// flip turns triangles around.
func flip(done once, indices []uint32) {
	if len(indices) < 3 || done[&indices[0]] {
		return
	}
	done[&indices[0]] = true
	for i := 0; i+2 < len(indices); i += 3 {
		indices[i+1], indices[i+2] = indices[i+2], indices[i+1]
	}
}

func (b basis) channel(done once, c *scene.Channel) {
	v := c.Values
	if len(v) == 0 || done[&v[0]] {
		return
	}
	done[&v[0]] = true
	h := b.handedness()
	switch c.Path {
	case scene.PathTranslation:
		for i := 0; i+2 < len(v); i += 3 {
			p := b.point(geom.Vec3(v[i : i+3]))
			copy(v[i:], p[:])
		}
	case scene.PathRotation: // the axis is turned with everything, the angle with the handedness
		for i := 0; i+3 < len(v); i += 4 {
			d := b.dir(geom.Vec3(v[i : i+3])).Mul(h)
			copy(v[i:], d[:])
		}
	case scene.PathScale:
		for i := 0; i+2 < len(v); i += 3 {
			s := geom.Vec3(v[i : i+3])
			v[i], v[i+1], v[i+2] = s[b.from[0]], s[b.from[1]], s[b.from[2]]
		}
	case scene.PathWeights:
	}
}

// lights keeps the lit places as bright as they were, and lets lights that shine along the -Z of their node shine where
// they did: where that is another axis now, a node below turns it.
func (b basis) lights(m *scene.Model) {
	forward := geom.Vec3{0, 0, -1}
	turned := b.dir(forward)
	for i := range len(m.Nodes) {
		light := m.Nodes[i].Light
		if light == nil {
			continue
		}
		l := *light
		l.Range *= b.scale
		if l.Kind != scene.LightDirectional {
			l.Intensity *= b.scale * b.scale // candela, by the square of the distance
		}
		m.Nodes[i].Light = &l
		if l.Kind == scene.LightPoint || turned == forward {
			continue
		}
		m.Nodes[i].Light = nil
		child := scene.Node{Name: m.Nodes[i].Name, Parent: i, Local: toward(turned), Mesh: -1, Light: &l}
		m.Nodes[i].Children = append(m.Nodes[i].Children, len(m.Nodes))
		m.Nodes = append(m.Nodes, child)
	}
}

// toward is a rotation that turns -Z to a direction along an axis.
func toward(d geom.Vec3) geom.Mat4 {
	z := d.Mul(-1)
	x := geom.Vec3{1, 0, 0}
	if z[0] != 0 {
		x = geom.Vec3{0, 1, 0}
	}
	y := z.Cross(x)
	return geom.Mat4{x[0], x[1], x[2], 0, y[0], y[1], y[2], 0, z[0], z[1], z[2], 0, 0, 0, 0, 1}
}

// recenter moves the model so that the centre of its bounds is the origin, and returns where that was. Roots are moved, and
// what animates them; of a single object that nothing moves, as clouds of points are, the vertices are, since a small
// coordinate is a more precise one, and its node is left without a translation.
func recenter(m *scene.Model) geom.Vec3 {
	if m.Bounds.IsEmpty() {
		return geom.Vec3{}
	}
	c := m.Bounds.Center()
	if p := onlyObject(m); p != nil {
		local := &m.Nodes[m.Roots[0]].Local
		if inverse, ok := local.Inverse(); ok {
			// Where coordinates are large, the node has the most of them: it loses them, or vertices would get them.
			d := inverse.Dir(c.Sub(geom.Vec3{local[12], local[13], local[14]}))
			local[12], local[13], local[14] = 0, 0, 0
			done := once{}
			for i := range p.Primitives {
				each(done, p.Primitives[i].Positions, func(v *geom.Vec3) { *v = v.Sub(d) })
			}
			p.Measure()
			m.Measure()
			return c
		}
	}
	root := make(map[int]bool, len(m.Roots))
	for _, r := range m.Roots {
		root[r] = true
		for k := range 3 {
			m.Nodes[r].Local[12+k] -= c[k]
		}
	}
	done := once{}
	for _, a := range m.Animations {
		for _, ch := range a.Channels {
			if !root[ch.Node] || ch.Path != scene.PathTranslation || len(ch.Values) == 0 || done[&ch.Values[0]] {
				continue
			}
			done[&ch.Values[0]] = true
			for i := range ch.Values {
				if ch.Interpolation != scene.InterpolateCubic || i/3%3 == 1 { // not the tangents
					ch.Values[i] -= c[i%3]
				}
			}
		}
	}
	m.Measure()
	return c
}

// onlyObject returns the mesh of a model of one node that nothing moves or deforms; nil if it is not that.
func onlyObject(m *scene.Model) *scene.Mesh {
	if len(m.Roots) != 1 || len(m.Animations) > 0 || len(m.Skins) > 0 {
		return nil
	}
	n := m.Nodes[m.Roots[0]]
	if n.Mesh < 0 || len(n.Children) > 0 || n.Light != nil || !isFinite(n.Local) {
		return nil
	}
	return m.Meshes[n.Mesh]
}

func isFinite(m geom.Mat4) bool {
	for _, x := range m {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}

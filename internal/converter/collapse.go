package converter

import (
	"fmt"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// part is a primitive as one node places it.
type part struct {
	mesh  *scene.Mesh
	index int // in mesh.Primitives
	placed
}

// kind is what parts must share to become one primitive.
type kind struct {
	material                          *scene.Material
	variants                          string
	points, normals, tangents, colors bool
	uv0, uv1                          bool
	number                            int // a primitive can have so many vertices only
}

// collapse makes the model one node with one mesh (sceneGraphMode none), in the pose that it has without animation. Lights
// stay, as nodes beside it. It returns what was lost.
func collapse(m *scene.Model) []child.Note {
	var notes []child.Note
	lost := func(n int, what string) {
		if n > 0 {
			notes = append(notes, child.Note{Code: child.CodeCollapsed, Title: "A model without a scene graph does not move",
				Details: []child.Detail{{Name: "left out", Value: fmt.Sprintf("%d %s", n, what)}}})
		}
	}
	lost(len(m.Animations), "animations")
	lost(len(m.Skins), "skins")

	nodes := walk(m)
	worlds := make([]geom.Mat4, len(m.Nodes))
	uses := map[*scene.Mesh]int{}
	for _, p := range nodes {
		worlds[p.node] = p.world
		if i := m.Nodes[p.node].Mesh; i >= 0 {
			uses[m.Meshes[i]]++
		}
	}
	groups := map[kind][]part{}
	var order []kind
	vertices := map[kind]int{}
	out := []scene.Node{{Name: m.Name, Parent: -1, Local: geom.Identity(), Mesh: 0}}
	roots := []int{0}
	for _, p := range nodes {
		n := &m.Nodes[p.node]
		if n.Light != nil {
			roots = append(roots, len(out))
			out = append(out, scene.Node{Name: n.Name, Parent: -1, Local: p.world, Mesh: -1, Light: n.Light})
		}
		if n.Mesh < 0 {
			continue
		}
		mesh := m.Meshes[n.Mesh]
		for i := range mesh.Primitives {
			k := kindOf(&mesh.Primitives[i])
			for vertices[k]+len(mesh.Primitives[i].Positions) > math.MaxUint32 {
				k.number++
			}
			if groups[k] == nil {
				order = append(order, k)
			}
			vertices[k] += len(mesh.Primitives[i].Positions)
			groups[k] = append(groups[k], part{mesh, i, p})
		}
	}
	whole := &scene.Mesh{Name: m.Name}
	c := collapser{m: m, worlds: worlds, arrays: arrays(m)}
	for _, k := range order {
		parts := groups[k]
		var p scene.Primitive
		if only := parts[0]; len(parts) == 1 && uses[only.mesh] == 1 && c.alone(&only.mesh.Primitives[only.index]) {
			p = only.mesh.Primitives[only.index]
			c.place(&p, only)
		} else {
			p = c.join(parts, uses)
		}
		whole.Primitives = append(whole.Primitives, p)
	}
	whole.Measure()
	m.Nodes, m.Roots, m.Meshes, m.Skins, m.Animations = out, roots, []*scene.Mesh{whole}, nil, nil
	if len(whole.Primitives) == 0 {
		m.Meshes, m.Nodes[0].Mesh = nil, -1
	}
	m.Measure()
	return notes
}

func kindOf(p *scene.Primitive) kind {
	k := kind{
		material: p.Material, points: p.IsPoints, normals: p.Normals != nil, tangents: p.Tangents != nil, colors: p.Colors != nil,
		uv0: p.UV0 != nil, uv1: p.UV1 != nil,
	}
	if p.Variants != nil {
		k.variants = "some"
		for _, v := range p.Variants {
			k.variants += fmt.Sprintf(" %p", v)
		}
	}
	return k
}

type collapser struct {
	m      *scene.Model
	worlds []geom.Mat4
	arrays map[any]int // how many primitives have an array that is moved, by its first element
}

func arrays(m *scene.Model) map[any]int {
	n := map[any]int{}
	primitives(m, func(p *scene.Primitive) {
		for _, a := range moved(p) {
			n[a]++
		}
	})
	return n
}

// moved are the arrays that place changes.
func moved(p *scene.Primitive) []any {
	var all []any
	if len(p.Positions) > 0 {
		all = append(all, &p.Positions[0])
	}
	if len(p.Normals) > 0 {
		all = append(all, &p.Normals[0])
	}
	if len(p.Tangents) > 0 {
		all = append(all, &p.Tangents[0])
	}
	if len(p.Indices) > 0 {
		all = append(all, &p.Indices[0])
	}
	return all
}

// alone reports whether no other primitive has the arrays of p.
func (c *collapser) alone(p *scene.Primitive) bool {
	return !slices.ContainsFunc(moved(p), func(a any) bool { return c.arrays[a] > 1 })
}

// join makes one primitive of several. Meshes are let go of after their last use.
func (c *collapser) join(parts []part, uses map[*scene.Mesh]int) scene.Primitive {
	first := &parts[0].mesh.Primitives[parts[0].index]
	out := scene.Primitive{Material: first.Material, Variants: first.Variants, IsPoints: first.IsPoints}
	vertices, indices := 0, 0
	for _, p := range parts {
		vertices += len(p.mesh.Primitives[p.index].Positions)
		indices += len(p.mesh.Primitives[p.index].Indices)
	}
	out.Positions = make([]geom.Vec3, 0, vertices)
	out.Indices = make([]uint32, 0, indices)
	out.Normals = room(first.Normals, vertices)
	out.Tangents = room(first.Tangents, vertices)
	out.Colors = room(first.Colors, vertices)
	out.UV0, out.UV1 = room(first.UV0, vertices), room(first.UV1, vertices)
	for _, at := range parts {
		p := at.mesh.Primitives[at.index]
		bent := c.deform(&p, at.node)
		base, start := len(out.Positions), len(out.Indices)
		for _, i := range p.Indices {
			out.Indices = append(out.Indices, uint32(base)+i)
		}
		out.Positions = append(out.Positions, p.Positions...)
		out.Normals = append(out.Normals, p.Normals...)
		out.Tangents = append(out.Tangents, p.Tangents...)
		if !bent {
			place(&scene.Primitive{
				Positions: out.Positions[base:], Normals: after(out.Normals, base), Tangents: after(out.Tangents, base), Indices: out.Indices[start:],
			}, at.world)
		}
		out.Colors = append(out.Colors, p.Colors...)
		out.UV0, out.UV1 = append(out.UV0, p.UV0...), append(out.UV1, p.UV1...)
		if uses[at.mesh] == 1 {
			at.mesh.Primitives[at.index] = scene.Primitive{}
		}
	}
	if out.IsPoints {
		out.Indices = nil
	}
	return out
}

// room is an empty array for n values where there are some, nil where there are none.
func room[V any](like []V, n int) []V {
	if like == nil {
		return nil
	}
	return make([]V, 0, n)
}

func after[V any](s []V, n int) []V {
	if s == nil {
		return nil
	}
	return s[n:]
}

// place moves the vertices of a primitive to where its node has them, in place.
func (c *collapser) place(p *scene.Primitive, at part) {
	if !c.deform(p, at.node) {
		place(p, at.world)
	}
}

// deform gives a primitive the shape that its node has by its morph targets and its skin, in arrays of its own, and reports
// whether it is where it belongs by that: a skin ends in model space.
func (c *collapser) deform(p *scene.Primitive, n int) (bent bool) {
	node := &c.m.Nodes[n]
	morph(p, node.Weights)
	if bent = p.Joints != nil && node.Skin > 0; bent {
		c.bend(p, &c.m.Skins[node.Skin-1])
	}
	p.Joints, p.Weights, p.Targets = nil, nil, nil
	return bent
}

func place(p *scene.Primitive, world geom.Mat4) {
	if world == geom.Identity() {
		return
	}
	done := once{}
	normals := cofactors(world)
	mirrored := normals.mirrored
	each(done, p.Positions, func(v *geom.Vec3) { *v = world.Point(*v) })
	each(done, p.Normals, func(n *geom.Vec3) { *n = normals.dir(*n) })
	each(done, p.Tangents, func(t *geom.Vec4) {
		d := world.Dir(geom.Vec3{t[0], t[1], t[2]}).Normalize()
		w := t[3]
		if mirrored {
			w = -w
		}
		*t = geom.Vec4{d[0], d[1], d[2], w}
	})
	if mirrored {
		flip(done, p.Indices)
	}
}

// normalMatrix turns normals as a matrix does surfaces.
type normalMatrix struct {
	m        geom.Mat4
	mirrored bool
}

// cofactors are the inverse transposed, but for a factor, and defined also where there is no inverse.
func cofactors(m geom.Mat4) normalMatrix {
	x, y, z := geom.Vec3(m[0:3]), geom.Vec3(m[4:7]), geom.Vec3(m[8:11])
	yz, zx, xy := y.Cross(z), z.Cross(x), x.Cross(y)
	n := normalMatrix{mirrored: x.Dot(yz) < 0}
	if n.mirrored {
		yz, zx, xy = yz.Mul(-1), zx.Mul(-1), xy.Mul(-1)
	}
	n.m = geom.Mat4{yz[0], yz[1], yz[2], 0, zx[0], zx[1], zx[2], 0, xy[0], xy[1], xy[2], 0, 0, 0, 0, 1}
	return n
}

func (n normalMatrix) dir(v geom.Vec3) geom.Vec3 {
	d := n.m.Dir(v)
	if s := max(d[0], -d[0], d[1], -d[1], d[2], -d[2]); s > 0 { // the factor may be far from 1
		return d.Mul(1 / s).Normalize()
	}
	return v
}

// morph adds the targets by their weights.
func morph(p *scene.Primitive, weights []float32) {
	for i, t := range p.Targets {
		if i >= len(weights) || weights[i] == 0 {
			continue
		}
		w := weights[i]
		if i == firstUsed(weights) { // the arrays may be shared with other nodes
			p.Positions, p.Normals, p.Tangents = slices.Clone(p.Positions), slices.Clone(p.Normals), slices.Clone(p.Tangents)
		}
		add(p.Positions, t.Positions, w)
		add(p.Normals, t.Normals, w)
		for k := range min(len(p.Tangents), len(t.Tangents)) {
			for x := range 3 {
				p.Tangents[k][x] += w * t.Tangents[k][x]
			}
		}
	}
	if firstUsed(weights) >= 0 {
		for k := range p.Normals {
			p.Normals[k] = p.Normals[k].Normalize()
		}
	}
}

func firstUsed(weights []float32) int {
	return slices.IndexFunc(weights, func(w float32) bool { return w != 0 })
}

func add(to, more []geom.Vec3, w float32) {
	for k := range min(len(to), len(more)) {
		to[k] = to[k].Add(more[k].Mul(w))
	}
}

// bend puts the vertices where the joints have them. The transform of the node itself does not count (glTF 2.0, 3.7.3.3).
func (c *collapser) bend(p *scene.Primitive, s *scene.Skin) {
	joints := make([]geom.Mat4, len(s.Joints))
	for i, j := range s.Joints {
		joints[i] = c.worlds[j]
		if i < len(s.Inverse) {
			joints[i] = joints[i].Mul(s.Inverse[i])
		}
	}
	p.Positions, p.Normals, p.Tangents = slices.Clone(p.Positions), slices.Clone(p.Normals), slices.Clone(p.Tangents)
	for v := range p.Positions {
		var m geom.Mat4
		for k, j := range p.Joints[v] {
			w := p.Weights[v][k]
			if w == 0 || int(j) >= len(joints) {
				continue
			}
			for e := range m {
				m[e] += w * joints[j][e]
			}
		}
		p.Positions[v] = m.Point(p.Positions[v])
		if p.Normals != nil {
			p.Normals[v] = cofactors(m).dir(p.Normals[v])
		}
		if p.Tangents != nil {
			t := p.Tangents[v]
			d := m.Dir(geom.Vec3{t[0], t[1], t[2]}).Normalize()
			p.Tangents[v] = geom.Vec4{d[0], d[1], d[2], t[3]}
		}
	}
}

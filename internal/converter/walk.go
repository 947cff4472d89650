package converter

import (
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// placed is a node that the roots reach.
type placed struct {
	node  int
	depth int // of a root 1
	world geom.Mat4
}

// walk returns the nodes that the roots reach, each before its descendants. The stack is explicit, since hierarchies may be
// very deep.
func walk(m *scene.Model) []placed {
	all := make([]placed, 0, len(m.Nodes))
	var stack []placed
	push := func(nodes []int, depth int, up geom.Mat4) {
		for i := len(nodes) - 1; i >= 0; i-- {
			stack = append(stack, placed{nodes[i], depth, up.Mul(m.Nodes[nodes[i]].Local)})
		}
	}
	push(m.Roots, 1, geom.Identity())
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		all = append(all, p)
		push(m.Nodes[p.node].Children, p.depth+1, p.world)
	}
	return all
}

// primitives calls f for every primitive of every mesh.
func primitives(m *scene.Model, f func(*scene.Primitive)) {
	for _, mesh := range m.Meshes {
		for i := range mesh.Primitives {
			f(&mesh.Primitives[i])
		}
	}
}

// materials returns all materials of the model: its list, and what primitives use beside it, in the order of use.
func materials(m *scene.Model) []*scene.Material {
	seen := make(map[*scene.Material]bool, len(m.Materials))
	var all []*scene.Material
	add := func(mat *scene.Material) {
		if mat != nil && !seen[mat] {
			seen[mat] = true
			all = append(all, mat)
		}
	}
	for _, mat := range m.Materials {
		add(mat)
	}
	primitives(m, func(p *scene.Primitive) {
		add(p.Material)
		for _, v := range p.Variants {
			add(v)
		}
	})
	return all
}

// replace puts other materials in the places of those in by, and lists what is left.
func replace(m *scene.Model, by map[*scene.Material]*scene.Material) {
	primitives(m, func(p *scene.Primitive) {
		p.Material = by[p.Material]
		for i, v := range p.Variants {
			if v != nil {
				p.Variants[i] = by[v]
			}
		}
	})
	var left []*scene.Material
	listed := map[*scene.Material]bool{}
	for _, mat := range m.Materials {
		if n := by[mat]; !listed[n] {
			listed[n] = true
			left = append(left, n)
		}
	}
	m.Materials = left
}

// once runs through arrays that primitives may share, so that each is changed once.
type once map[any]bool

// each calls f for the elements of s, unless it did so for the same array before.
func each[V any](o once, s []V, f func(*V)) {
	if len(s) == 0 || o[&s[0]] {
		return
	}
	o[&s[0]] = true
	for i := range s {
		f(&s[i])
	}
}

// texturesOf calls f for each place of a texture in a material.
func texturesOf(m *scene.Material, f func(*scene.TextureRef)) {
	for _, r := range []*scene.TextureRef{&m.BaseColorTex, &m.MetalRough, &m.NormalTex, &m.OcclusionTex, &m.EmissiveTex} {
		f(r)
	}
	if l := m.Layers; l != nil {
		for _, r := range []*scene.TextureRef{
			&l.SpecularTex, &l.SpecularColorTex, &l.ClearcoatTex, &l.ClearcoatRoughTex, &l.ClearcoatNormalTex, &l.SheenColorTex,
			&l.SheenRoughTex, &l.TransmissionTex, &l.ThicknessTex, &l.IridescenceTex, &l.IridescenceThicknessTex, &l.AnisotropyTex,
		} {
			f(r)
		}
	}
}

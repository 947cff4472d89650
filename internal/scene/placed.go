package scene

import (
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
)

// placed is one model in the scene. Its entities are kept in preorder: the descendants of entity i are i+1 ... end[i]-1,
// so a subtree is a range, a parent comes before its children, and no walk needs a stack.
type placed struct {
	id    ModelID
	model *Model
	title string   // of the root: the name of the model as it was added
	first EntityID // entity i has the id first+i; entity 0 is the root

	node    []int32 // index into model.Nodes; -1 for the root
	parent  []int32 // -1 for the root
	end     []int32
	local   []geom.Mat4
	world   []geom.Mat4
	enabled []bool

	instances []Instance  // as published: replaced by a change, never written
	boxes     []geom.AABB // world bounds, parallel to instances
	slot      []int32     // entity -> index into instances; -1 when hidden or without a mesh
	bounds    geom.AABB
	triangles int64
	parts     [][]int32     // of each of the model's proxies, as entities
	proxies   []PlacedProxy // as published

	moved []int32 // entities whose local transform changed since the last update
	stale bool    // instances must be listed anew
}

// place lays a model out as entities first, first+1, ...
func place(id ModelID, m *Model, first EntityID) *placed {
	p := &placed{
		id: id, model: m, title: m.Name, first: first, stale: true,
		node: []int32{-1}, parent: []int32{-1}, local: []geom.Mat4{geom.Identity()},
	}
	entity := make([]int32, len(m.Nodes)) // of each node
	for n := range m.preorder() {
		parent := int32(0)
		if up := m.Nodes[n].Parent; up >= 0 {
			parent = entity[up]
		}
		entity[n] = int32(len(p.node))
		p.node = append(p.node, int32(n))
		p.parent = append(p.parent, parent)
		p.local = append(p.local, m.Nodes[n].Local)
	}
	n := len(p.node)
	p.end = make([]int32, n)
	for i := n - 1; i >= 0; i-- { // children before parents
		p.end[i] = max(p.end[i], int32(i)+1)
		if up := p.parent[i]; up >= 0 {
			p.end[up] = max(p.end[up], p.end[i])
		}
	}
	p.world = make([]geom.Mat4, n)
	p.enabled = slices.Repeat([]bool{true}, n)
	p.slot = make([]int32, n)
	p.moved = []int32{0}
	p.findProxies(entity)
	return p
}

// replace makes m the model, unless its nodes are others.
func (p *placed) replace(m *Model) bool {
	q := place(p.id, m, p.first)
	if len(q.node) != len(p.node) {
		return false
	}
	for i := range q.node {
		if q.parent[i] != p.parent[i] || q.name(int32(i)) != p.name(int32(i)) && i > 0 || (q.mesh(int32(i)) == nil) != (p.mesh(int32(i)) == nil) {
			return false
		}
	}
	p.node, p.model, p.stale, p.parts, p.proxies = q.node, m, true, q.parts, nil
	return true
}

func (p *placed) setLocal(i int32, local geom.Mat4) {
	p.local[i] = local
	if len(p.moved) == 0 || p.moved[len(p.moved)-1] != i {
		p.moved = append(p.moved, i)
	}
}

// update brings world transforms, instances and bounds up to date with the edits since the last update. It touches
// only the subtrees below moved entities, unless something was shown or hidden.
func (p *placed) update() {
	if len(p.moved) == 0 && !p.stale {
		return
	}
	slices.Sort(p.moved)
	done := int32(0) // everything below done that had to move has moved
	patched := false
	for _, top := range p.moved {
		if top < done {
			continue // inside a subtree that was just walked
		}
		done = p.end[top]
		for i := top; i < done; i++ {
			p.world[i] = p.local[i]
			if up := p.parent[i]; up >= 0 {
				p.world[i] = p.world[up].Mul(p.local[i])
			}
			if s := p.slot[i]; !p.stale && s >= 0 {
				if !patched {
					p.instances = slices.Clone(p.instances) // readers hold the old one
					patched = true
				}
				p.instances[s].World = p.world[i]
				p.boxes[s] = p.instances[s].Mesh.Bounds.Transform(p.world[i])
			}
		}
	}
	p.moved = p.moved[:0]
	if p.stale {
		p.list()
	}
	p.bounds = geom.Empty()
	for _, b := range p.boxes {
		p.bounds = p.bounds.Union(b)
	}
	p.placeProxies()
}

// list makes instances anew out of the visible entities.
func (p *placed) list() {
	p.stale = false
	p.instances = make([]Instance, 0, len(p.instances))
	p.boxes = p.boxes[:0]
	p.triangles = 0
	for i := range p.slot {
		p.slot[i] = -1
	}
	for i := int32(0); i < int32(len(p.node)); i++ {
		if !p.enabled[i] {
			i = p.end[i] - 1 // with the whole subtree
			continue
		}
		mesh := p.mesh(i)
		if mesh == nil {
			continue
		}
		p.slot[i] = int32(len(p.instances))
		p.instances = append(p.instances, Instance{Entity: p.first + EntityID(i), Mesh: mesh, World: p.world[i]})
		p.boxes = append(p.boxes, mesh.Bounds.Transform(p.world[i]))
		p.triangles = addSaturated(p.triangles, mesh.Triangles())
	}
}

func (p *placed) name(i int32) string {
	if n := p.node[i]; n >= 0 {
		return p.model.Nodes[n].Name
	}
	return p.title
}

func (p *placed) mesh(i int32) *Mesh {
	if n := p.node[i]; n >= 0 && p.model.Nodes[n].Mesh >= 0 {
		return p.model.Meshes[p.model.Nodes[n].Mesh]
	}
	return nil
}

// info describes entity i; p must be up to date.
func (p *placed) info(i int32) EntityInfo {
	info := EntityInfo{
		ID: p.first + EntityID(i), Model: p.id, Name: p.name(i), Local: p.local[i], World: p.world[i],
		Enabled: p.enabled[i], Visible: true, Mesh: p.mesh(i),
	}
	if up := p.parent[i]; up >= 0 {
		info.Parent = p.first + EntityID(up)
	}
	for c := i + 1; c < p.end[i]; c = p.end[c] {
		info.Children = append(info.Children, p.first+EntityID(c))
	}
	for up := i; up >= 0; up = p.parent[up] {
		info.Visible = info.Visible && p.enabled[up]
	}
	return info
}

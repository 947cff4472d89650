package gltf

import (
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// forest is the checked node hierarchy (glTF 2.0 section 3.5.2): a set of disjoint strict trees.
type forest struct {
	parent []int // -1 = root
	roots  []int // of the scene that is shown
	order  []int // the nodes that roots reach, parents first
}

// forest checks the hierarchy and picks the scene: the default one, else the first, else every root node.
func (l *loader) forest() (*forest, error) {
	n := len(l.doc.Nodes)
	f := &forest{parent: make([]int, n)}
	for i := range f.parent {
		f.parent[i] = -1
	}
	for i := range l.doc.Nodes {
		for k, c := range l.doc.Nodes[i].Children {
			at := fmt.Sprintf("/nodes/%d/children/%d", i, k)
			if c < 0 || c >= integer(n) {
				return nil, fail(at, "there is no node %d", c)
			}
			if f.parent[c] >= 0 {
				return nil, fail(at, "node %d is also a child of node %d", c, f.parent[c])
			}
			f.parent[c] = i
		}
	}
	var all []int
	for i, p := range f.parent {
		if p < 0 {
			all = append(all, i)
		}
	}
	if reached := l.reach(all); len(reached) < n {
		// With at most one parent each, what no root reaches is in or below a cycle.
		seen := make([]bool, n)
		for _, i := range reached {
			seen[i] = true
		}
		for i := range seen {
			if !seen[i] {
				return nil, fail(fmt.Sprintf("/nodes/%d", i), "the node is part of a cycle")
			}
		}
	}
	f.roots = all
	if len(l.doc.Scenes) > 0 {
		var index integer
		if l.doc.Scene != nil {
			index = *l.doc.Scene
		}
		if index < 0 || index >= integer(len(l.doc.Scenes)) {
			return nil, fail("/scene", "there is no scene %d", index)
		}
		f.roots = nil
		listed := make([]bool, n)
		for k, r := range l.doc.Scenes[index].Nodes {
			at := fmt.Sprintf("/scenes/%d/nodes/%d", index, k)
			switch {
			case r < 0 || r >= integer(n):
				return nil, fail(at, "there is no node %d", r)
			case f.parent[r] >= 0:
				return nil, fail(at, "node %d is not a root, but a child of node %d", r, f.parent[r])
			case listed[r]:
				return nil, fail(at, "node %d is listed twice", r)
			}
			listed[r] = true
			f.roots = append(f.roots, int(r))
		}
	} else if l.doc.Scene != nil {
		return nil, fail("/scene", "there is no scene %d", *l.doc.Scene)
	}
	f.order = l.reach(f.roots)
	return f, nil
}

// reach lists the nodes at and below roots, parents first. Every node has at most one parent, so it ends.
func (l *loader) reach(roots []int) []int {
	order := append([]int(nil), roots...)
	for k := 0; k < len(order); k++ {
		for _, c := range l.doc.Nodes[order[k]].Children {
			order = append(order, int(c))
		}
	}
	return order
}

// assemble fills in the model's nodes, meshes and materials.
func (l *loader) assemble(m *scene.Model, f *forest, p *plan) error {
	m.Meshes, m.Materials = p.meshes, p.materials
	m.Nodes = make([]scene.Node, len(l.doc.Nodes))
	for i := range l.doc.Nodes {
		m.Nodes[i] = scene.Node{Parent: f.parent[i], Local: geom.Identity(), Mesh: -1}
	}
	for _, i := range f.order {
		n, out := &l.doc.Nodes[i], &m.Nodes[i]
		at := fmt.Sprintf("/nodes/%d", i)
		local, err := n.local(at)
		if err != nil {
			return err
		}
		out.Local = local
		for _, c := range n.Children {
			out.Children = append(out.Children, int(c))
		}
		out.Name = n.Name
		out.Metadata = metadata(n.Extras)
		if out.Light, err = l.light(n, at); err != nil {
			return err
		}
		if n.Mesh == nil {
			if out.Name == "" {
				out.Name = fmt.Sprintf("node %d", i)
			}
			continue
		}
		out.Mesh = p.meshOf[*n.Mesh]
		if out.Name == "" {
			out.Name = meshName(&l.doc, int(*n.Mesh))
		}
		if n.Skin != nil {
			if *n.Skin < 0 || *n.Skin >= integer(len(m.Skins)) {
				return fail(at+"/skin", "there is no skin %d", *n.Skin)
			}
			if out.Mesh >= 0 {
				if err := checkJoints(m.Meshes[out.Mesh], &m.Skins[*n.Skin], at); err != nil {
					return err
				}
				out.Skin = int(*n.Skin) + 1
			}
		}
		if out.Weights = n.Weights; out.Weights == nil {
			out.Weights = l.doc.Meshes[*n.Mesh].Weights
		}
		if n.Extensions.Instancing != nil && out.Mesh >= 0 {
			if err := l.instances(m, i, at+"/extensions/EXT_mesh_gpu_instancing"); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkJoints makes sure that every joint of the mesh's vertices is one of the skin.
func checkJoints(mesh *scene.Mesh, skin *scene.Skin, at string) error {
	for i := range mesh.Primitives {
		p := &mesh.Primitives[i]
		for v, joints := range p.Joints {
			for k, j := range joints {
				if p.Weights[v][k] > 0 && int(j) >= len(skin.Joints) {
					return fail(at+"/skin", "vertex %d follows joint %d, the skin has %d", v, j, len(skin.Joints))
				}
			}
		}
	}
	return nil
}

// light converts the light of a node (KHR_lights_punctual).
func (l *loader) light(n *node, at string) (*scene.Light, error) {
	if n.Extensions.Light == nil {
		return nil, nil
	}
	at += "/extensions/KHR_lights_punctual/light"
	lights := l.doc.Extensions.Lights.Lights
	i := n.Extensions.Light.Light
	if i < 0 || i >= integer(len(lights)) {
		return nil, fail(at, "there is no light %d", i)
	}
	src := &lights[i]
	out := &scene.Light{Color: geom.Vec3{1, 1, 1}, Intensity: 1, Range: max(0, src.Range)}
	switch src.Type {
	case "directional":
	case "point":
		out.Kind = scene.LightPoint
	case "spot":
		out.Kind, out.InnerCone, out.OuterCone = scene.LightSpot, src.Spot.Inner, math.Pi/4
		set(&out.OuterCone, src.Spot.Outer)
		if !(out.InnerCone >= 0 && out.InnerCone <= out.OuterCone && out.OuterCone <= math.Pi/2+1e-6) {
			return nil, fail(at, "the cone of light %d, %g to %g, is none", i, out.InnerCone, out.OuterCone)
		}
	default:
		return nil, fail(at, "light %d has the type %q, which is not one of glTF", i, src.Type)
	}
	if src.Color != nil {
		out.Color = nonNegative(*src.Color)
	}
	set(&out.Intensity, src.Intensity)
	out.Intensity = max(0, out.Intensity)
	return out, nil
}

func meshName(d *document, i int) string {
	if name := d.Meshes[i].Name; name != "" {
		return name
	}
	return fmt.Sprintf("mesh %d", i)
}

// local returns the node's transform to its parent.
func (n *node) local(at string) (geom.Mat4, error) {
	if n.Matrix != nil {
		if len(n.Matrix) != 16 {
			return geom.Mat4{}, fail(at+"/matrix", "%d numbers, not 16", len(n.Matrix))
		}
		if n.Translation != nil || n.Rotation != nil || n.Scale != nil {
			return geom.Mat4{}, fail(at, "the node has a matrix and translation, rotation or scale")
		}
		m := geom.Mat4(n.Matrix)
		if m[3] != 0 || m[7] != 0 || m[11] != 0 || m[15] != 1 {
			return geom.Mat4{}, fail(at+"/matrix", "the last row is not 0 0 0 1")
		}
		return m, nil
	}
	t, r, s := geom.Vec3{}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1}
	if n.Translation != nil {
		t = geom.Vec3(*n.Translation)
	}
	if n.Rotation != nil {
		r = unitQuat(geom.Vec4(*n.Rotation))
	}
	if n.Scale != nil {
		s = geom.Vec3(*n.Scale)
	}
	return geom.TRS(t, r, s), nil
}

// instances gives node i one child per instance (EXT_mesh_gpu_instancing), named after the node.
func (l *loader) instances(m *scene.Model, i int, at string) error {
	attr := l.doc.Nodes[i].Extensions.Instancing.Attributes
	var translation, scale []geom.Vec3
	var rotation []geom.Vec4
	var err error
	count := -1
	for _, name := range []string{"TRANSLATION", "ROTATION", "SCALE"} {
		a, ok := attr[name]
		if !ok {
			continue
		}
		at := at + "/attributes/" + name
		var n int
		switch name {
		case "TRANSLATION":
			translation, err = vectors(l, a, nil, at, geom.Vec3{}, "VEC3")
			n = len(translation)
		case "ROTATION":
			rotation, err = vectors(l, a, nil, at, geom.Vec4{}, "VEC4")
			n = len(rotation)
		case "SCALE":
			scale, err = vectors(l, a, nil, at, geom.Vec3{}, "VEC3")
			n = len(scale)
		}
		if err != nil {
			return err
		}
		if count >= 0 && n != count {
			return fail(at, "%d instances beside %d", n, count)
		}
		count = n
	}
	const nodeBytes = 256
	if err := l.take(nodeBytes*int64(max(count, 0)), at); err != nil {
		return err
	}
	mesh, name := m.Nodes[i].Mesh, m.Nodes[i].Name
	m.Nodes[i].Mesh = -1
	for k := range max(count, 0) {
		t, r, s := geom.Vec3{}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1}
		if translation != nil {
			t = translation[k]
		}
		if rotation != nil {
			r = unitQuat(rotation[k])
		}
		if scale != nil {
			s = scale[k]
		}
		local := geom.TRS(t, r, s)
		if !importer.Finite(local[:]...) {
			return fail(at, "instance %d is not placed at finite numbers", k)
		}
		m.Nodes[i].Children = append(m.Nodes[i].Children, len(m.Nodes))
		m.Nodes = append(m.Nodes, scene.Node{Name: fmt.Sprintf("%s [%d]", name, k), Parent: i, Local: local, Mesh: mesh})
	}
	return nil
}

// unitQuat normalizes a rotation; one without a direction is none.
func unitQuat(q geom.Vec4) geom.Quat {
	l := geom.Vec3{geom.Vec3{q[0], q[1], q[2]}.Len(), q[3]}.Len()
	if !(l > 1e-12) || !importer.Finite(q[:]...) {
		return geom.Quat{0, 0, 0, 1}
	}
	return geom.Quat{q[0] / l, q[1] / l, q[2] / l, q[3] / l}
}

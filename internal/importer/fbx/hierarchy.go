package fbx

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// placed is a model of the hierarchy.
type placed struct {
	*object
	transform
	geometric affine // of its geometry alone
	parent    int    // index into loader.placed, -1 = at the top
	node      int    // index into Model.Nodes of what has the mesh and the models below
	turn      int    // the same, unless the model has two nodes; see split
	halves    bool   // it has
	chain     int    // how many models above it have two nodes and pass their scale on in another way than matrices do
	hidden    bool
	finest    *object // of the levels of detail below it, if it is a group of such
	world     affine  // of the pose that the file has, below the node that turns the axes

	surface *surface // nil = it draws nothing
}

// hierarchy makes the nodes, and all that hangs on them.
func (l *loader) hierarchy() error {
	l.unit = l.settings.number("UnitScaleFactor", 1) / 100
	if !(l.unit > 1e-9 && l.unit < 1e9) {
		l.unit = 0.01
	}
	top := -1
	if axes := l.axes(); axes != identity {
		n := importer.Node(l.model.Name, -1, -1)
		n.Local = axes.geom()
		l.model.Nodes, top = append(l.model.Nodes, n), 0
	}
	if err := l.place(top); err != nil {
		return err
	}
	takes, err := l.takesOf()
	if err != nil {
		return err
	}
	if err := l.split(takes); err != nil {
		return err
	}
	for i := range l.placed {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if err := l.attach(i); err != nil {
			return fmt.Errorf("model %.100q: %w", l.placed[i].name, err)
		}
	}
	if err := l.animations(takes); err != nil {
		return err
	}
	if len(l.model.Meshes) == 0 {
		l.warnings.Add("The file has no mesh that can be seen.")
	}
	return nil
}

// place lists the models that the scene reaches, parents first, and makes a node of each. A model with several parents stays
// below the first; models that only reach each other are in a cycle, and belong to no scene.
func (l *loader) place(top int) error {
	l.at = map[*object]int{}
	queue := []*object{l.scene}
	for _, o := range l.objects {
		if o.class == "Model" && !strings.HasPrefix(o.kind, "Camera") && !o.hasParent() {
			connect(o, l.scene, "") // nobody's child, and yet a part of the file
		}
	}
	for k := 0; k < len(queue); k++ {
		parent := -1
		if k > 0 {
			parent = l.at[queue[k]]
		}
		for o := range queue[k].children("Model") {
			if _, ok := l.at[o]; ok || o == l.scene {
				continue
			}
			if err := l.budget.Take(1000); err != nil {
				return err
			}
			l.at[o] = len(l.placed)
			queue = append(queue, o)
			l.placed = append(l.placed, l.placeModel(o, parent, top))
		}
	}
	return nil
}

func (o *object) hasParent() bool {
	for _, l := range o.up {
		if l.to.class == "Model" && l.property == "" {
			return true
		}
	}
	return false
}

func (l *loader) placeModel(o *object, parent, top int) placed {
	p := l.properties(o)
	node := len(l.model.Nodes)
	m := placed{
		object: o, transform: l.transform(p), geometric: l.geometric(p), parent: parent, node: node, turn: node, finest: finestLevel(o),
	}
	m.hidden = !p.bool("Visibility", true) || !p.bool("Show", true) || o.node.child("Hidden").text(0) == "True"
	above, scale, up := identity, vec3{1, 1, 1}, top
	if parent >= 0 {
		u := &l.placed[parent]
		above, scale, up = u.world, u.pose.scaling, u.node
		m.hidden = m.hidden || u.hidden && p.bool("Visibility Inheritance", true)
		if u.finest != nil && u.finest != o {
			l.warnings.Add("Of levels of detail only the first is kept.")
			m.hidden = true
		}
	}
	n := importer.Node(o.name, up, -1)
	m.world = m.transform.world(m.pose, above, scale)
	n.Local = m.below(m.pose, above, m.world).geom()
	if !importer.Finite(n.Local[:]...) {
		n.Local = geom.Identity()
		l.warnings.Add("Some models are placed at no finite numbers; they are left where their parents are.")
	}
	n.Metadata = metadata(o)
	l.model.Nodes = append(l.model.Nodes, n)
	return m
}

// below is the model's transform relative to its parent, where both are placed in the world.
func (m *placed) below(p pose, parent, world affine) affine {
	local := m.local(p)
	if m.inherit == inheritRSrs {
		return local
	}
	back, ok := parent.inverse()
	if !ok {
		return local
	}
	if seen := back.mul(world); !seen.near(local) {
		return seen
	}
	return local
}

// finestLevel is the first model of a group of levels of detail; nil = o is no such group.
func finestLevel(o *object) *object {
	group := o.kind == "LodGroup"
	for a := range o.children("NodeAttribute") {
		group = group || a.kind == "LodGroup" || a.node.child("TypeFlags").text(0) == "LodGroup"
	}
	if group {
		for first := range o.children("Model") {
			return first
		}
	}
	return nil
}

// attach gives a node its mesh, skin and light.
func (l *loader) attach(i int) error {
	m := &l.placed[i]
	geometry := l.geometryOf(m.object)
	if m.hidden {
		if geometry != nil {
			l.warnings.Add("Hidden models are left out.")
		}
		return nil
	}
	if geometry != nil {
		if err := l.mesh(m, geometry); err != nil {
			return err
		}
	}
	l.light(m)
	return nil
}

// geometryOf finds the mesh of a model: an object in version 7, before that the model itself.
func (l *loader) geometryOf(o *object) *object {
	if o.node.child("Vertices") != nil && o.node.child("PolygonVertexIndex") != nil {
		return o
	}
	for g := range o.children("Geometry") {
		if g.node.child("PolygonVertexIndex") != nil {
			return g
		}
		if strings.Contains(g.kind, "Nurbs") || strings.Contains(g.kind, "Patch") || g.kind == "Boundary" {
			l.warnings.Add("NURBS and patches are left out.")
		}
	}
	if strings.Contains(o.kind, "Nurb") || o.kind == "Patch" {
		l.warnings.Add("NURBS and patches are left out.")
	}
	return nil
}

// mesh draws a geometry at a model. Models with the same geometry and materials share the mesh.
func (l *loader) mesh(m *placed, geometry *object) error {
	if !finite(m.geometric[:]...) {
		return errors.New("the geometric transform is not finite")
	}
	key := surfaceKey{geometry, m.geometric}
	s := l.surfaces[key]
	if s == nil {
		var err error
		if s, err = l.surface(geometry, m.geometric); err != nil {
			return err
		}
		l.surfaces[key] = s
	}
	l.drawn = min(l.drawn+s.triangles, math.MaxInt64/2)
	if b := l.opts.TriangleBudget; b > 0 && l.drawn > b {
		return importer.TooManyTriangles(b)
	}
	if s.triangles == 0 {
		return nil
	}
	materials, names := l.materialsOf(m, s)
	name := fmt.Sprintf("%p %v %s", geometry, m.geometric, names)
	index, ok := l.meshes[name]
	if !ok {
		mesh := &scene.Mesh{Name: geometry.name}
		if mesh.Name == "" {
			mesh.Name = m.name
		}
		for _, part := range s.parts {
			p := part.primitive
			p.Material = materials(part.slot)
			mesh.Primitives = append(mesh.Primitives, p)
		}
		index = len(l.model.Meshes)
		l.meshes[name] = index
		l.model.Meshes = append(l.model.Meshes, mesh)
	}
	if s.origin != (vec3{}) {
		n := importer.Node(m.name, m.node, index)
		n.Local = translation(s.origin).geom()
		l.model.Nodes = append(l.model.Nodes, n)
		return nil
	}
	n := &l.model.Nodes[m.node]
	n.Mesh = index
	m.surface = s
	for _, t := range s.morphs {
		n.Weights = append(n.Weights, t.weight(t.percent))
	}
	if s.clusters != nil {
		n.Skin = l.skin(m, s)
	}
	return nil
}

// metadata lists the properties that a user made, as their flags say.
func metadata(o *object) []scene.Metadata {
	list := o.node.child("Properties70")
	if list == nil {
		list = o.node.child("Properties60")
	}
	if list == nil {
		return nil
	}
	var out []scene.Metadata
	for i := range list.nodes {
		p := &list.nodes[i]
		at := first(p)
		if len(p.values) <= at || !strings.Contains(p.text(at-1), "U") {
			continue
		}
		if v := fact(p, at); v != nil {
			out = append(out, scene.Metadata{Key: p.text(0), Value: v})
		}
	}
	return out
}

// fact is the value of a property of a user, nil = one of a type that says nothing.
func fact(p *node, at int) any {
	switch strings.ToLower(p.text(1)) {
	case "bool":
		return p.number(at) != 0
	case "int", "integer", "enum", "short", "longlong", "ulonglong", "ktime":
		return p.int(at)
	case "number", "double", "float":
		if v := p.number(at); finite(v) {
			return v
		}
	case "vector", "vector3d", "vector3", "color", "colorrgb", "lcl translation", "lcl rotation", "lcl scaling":
		if v := (vec3{p.number(at), p.number(at + 1), p.number(at + 2)}); len(p.values) >= at+3 && finite(v[:]...) {
			return v.geom()
		}
	case "colorandalpha", "colorrgba", "vector4d", "vector4":
		var v geom.Vec4
		for k := range v {
			v[k] = clean(p.number(at + k))
		}
		if len(p.values) >= at+4 {
			return v
		}
	case "kstring", "charptr", "datetime":
		return strings.ToValidUTF8(p.text(at), "\uFFFD")
	}
	return nil
}

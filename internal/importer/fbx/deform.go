package fbx

import (
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// cluster is a bone of a skin.
type cluster struct {
	bone    *object
	inverse affine // from the mesh to the bone, when they were bound
	bound   bool   // the file has it; else the pose of the file is taken
}

// influence is what moves a control point: the largest weights of it.
type influence struct {
	joints  [4]uint16
	weights [4]float32
}

func (f *influence) add(joint uint16, weight float32) {
	least := 0
	for k := range f.weights {
		if f.weights[k] < f.weights[least] {
			least = k
		}
	}
	if weight > f.weights[least] {
		f.joints[least], f.weights[least] = joint, weight
	}
}

// deform gives the primitives of a surface the skin and the morph targets of its geometry. points has the control points of
// each part's vertices.
func (l *loader) deform(g *object, s *surface, b *builder, points [][]int32) error {
	var influences []influence
	for d := range g.children("Deformer") {
		var err error
		switch d.kind {
		case "Skin":
			if influences == nil {
				if err := l.budget.Take(24 * int64(len(b.soup.Positions))); err != nil {
					return err
				}
				influences = make([]influence, len(b.soup.Positions))
			}
			if t := d.node.child("SkinningType").text(0); t == "DualQuaternion" || t == "Blend" {
				l.warnings.Add("Dual quaternion skinning is approximated by linear skinning.")
			}
			err = l.clusters(d, s, influences)
		case "BlendShape":
			err = l.blendShape(d, s, b, points)
		case "VertexCacheDeformer":
			l.warnings.Add("Vertex caches are left out.")
		}
		if err != nil {
			return err
		}
	}
	if err := l.embeddedShapes(g, s, b, points); err != nil {
		return err
	}
	if len(s.clusters) == 0 {
		return nil
	}
	return l.bind(s, influences, points)
}

// clusters reads the bones of a skin, as far as the scene has them.
func (l *loader) clusters(skin *object, s *surface, influences []influence) error {
	for c := range skin.children("Deformer") {
		made := &cluster{inverse: identity}
		for bone := range c.children("Model") {
			made.bone = bone
			break
		}
		if _, ok := l.at[made.bone]; !ok || len(s.clusters) == math.MaxUint16 {
			l.warnings.Add("Skins name bones that are not there.")
			continue
		}
		joint := uint16(len(s.clusters))
		indices, err := array[int32](l.file, c.node.child("Indexes"))
		if err != nil {
			return err
		}
		weights, err := array[float32](l.file, c.node.child("Weights"))
		if err != nil {
			return err
		}
		matrix, err := array[float64](l.file, c.node.child("Transform"))
		if err != nil {
			return err
		}
		if len(matrix) == 16 && finite(matrix...) {
			made.bound = true
			for col := range 4 {
				copy(made.inverse[3*col:3*col+3], matrix[4*col:])
			}
			for k := 9; k < 12; k++ {
				made.inverse[k] *= l.unit
			}
		}
		for i, p := range indices[:min(len(indices), len(weights))] {
			if p >= 0 && int(p) < len(influences) {
				influences[p].add(joint, min(weights[i], math.MaxFloat32/8)) // not a number adds nothing
			}
		}
		s.clusters = append(s.clusters, made)
	}
	return nil
}

// bind writes joints and weights. What no bone moves moves with the joint after the last one, the model itself.
func (l *loader) bind(s *surface, influences []influence, points [][]int32) error {
	self := uint16(len(s.clusters))
	for i := range s.parts {
		p := &s.parts[i].primitive
		if err := l.budget.Take(24 * int64(len(points[i]))); err != nil {
			return err
		}
		p.Joints, p.Weights = make([][4]uint16, len(points[i])), make([]geom.Vec4, len(points[i]))
		for v, at := range points[i] {
			f := influences[at]
			sum := f.weights[0] + f.weights[1] + f.weights[2] + f.weights[3]
			if sum == 0 {
				p.Joints[v], p.Weights[v] = [4]uint16{self}, geom.Vec4{1}
				continue
			}
			p.Joints[v] = f.joints
			for k := range f.weights {
				p.Weights[v][k] = f.weights[k] / sum
			}
		}
	}
	return nil
}

// skin makes the skin of a model, and returns what Node.Skin is.
func (l *loader) skin(m *placed, s *surface) int {
	skin := scene.Skin{Name: m.name, Skeleton: -1}
	for _, c := range s.clusters {
		bone := &l.placed[l.at[c.bone]]
		if !c.bound {
			if back, ok := bone.world.inverse(); ok {
				c.inverse = back.mul(m.world)
			}
		}
		skin.Joints, skin.Inverse = append(skin.Joints, bone.node), append(skin.Inverse, c.inverse.geom())
	}
	skin.Joints, skin.Inverse = append(skin.Joints, m.node), append(skin.Inverse, geom.Identity())
	l.model.Skins = append(l.model.Skins, skin)
	return len(l.model.Skins)
}

// morph is one morph target of a surface.
type morph struct {
	channel *object // what the animations of version 7 move; nil before
	name    string  // and before
	percent float64 // at rest
	full    []float64
	place   int // in full: the percentage at which only this target shows
}

// weight is the weight of the target at a percentage of its channel: the one before fades into it, and it into the next.
func (t *morph) weight(percent float64) float32 {
	below := 0.0
	if t.place > 0 {
		below = t.full[t.place-1]
	}
	at := t.full[t.place]
	w := 0.0
	switch last := t.place == len(t.full)-1; {
	case at == below:
	case percent <= at || last:
		w = (percent - below) / (at - below)
		if t.place > 0 || !last {
			w = max(0, min(1, w))
		}
	case t.full[t.place+1] != at:
		w = max(0, (t.full[t.place+1]-percent)/(t.full[t.place+1]-at))
	}
	if !finite(w) {
		return 0
	}
	return float32(w)
}

// blendShape reads the channels of a blend shape of version 7.
func (l *loader) blendShape(d *object, s *surface, b *builder, points [][]int32) error {
	for c := range d.children("Deformer") {
		full, err := array[float64](l.file, c.node.child("FullWeights"))
		if err != nil {
			return err
		}
		percent := l.properties(c).number("DeformPercent", c.node.child("DeformPercent").number(0))
		var shapes []*object
		for g := range c.children("Geometry") {
			shapes = append(shapes, g)
		}
		for len(full) < len(shapes) {
			full = append(full, 100*float64(len(full)+1)/float64(len(shapes)))
		}
		full = full[:len(shapes)]
		for i, g := range shapes {
			t := &morph{channel: c, name: c.name, percent: percent, full: full, place: i}
			if err := l.shape(g.node, t, s, b, points); err != nil {
				return err
			}
		}
	}
	return nil
}

// embeddedShapes reads the shapes that a model has inside of it before version 7.
func (l *loader) embeddedShapes(g *object, s *surface, b *builder, points [][]int32) error {
	if g.class != "Model" {
		return nil
	}
	p := l.properties(g)
	for i := range g.node.nodes {
		n := &g.node.nodes[i]
		if n.name != "Shape" {
			continue
		}
		name := n.text(0)
		rest := channel(g.node, name+" (Shape)").child("Default").number(0) // before version 6
		t := &morph{name: name, percent: p.number(name, rest), full: []float64{100}}
		if err := l.shape(n, t, s, b, points); err != nil {
			return err
		}
	}
	return nil
}

// shape adds a morph target.
func (l *loader) shape(n *node, t *morph, s *surface, b *builder, points [][]int32) error {
	indices, err := array[int32](l.file, n.child("Indexes"))
	if err != nil {
		return err
	}
	moves, err := array[float64](l.file, n.child("Vertices"))
	if err != nil {
		return err
	}
	normals, err := array[float64](l.file, n.child("Normals"))
	if err != nil {
		return err
	}
	if len(s.morphs) >= maxMorphs {
		l.warnings.Add(fmt.Sprintf("Of blend shapes only %d are kept.", maxMorphs))
		return nil
	}
	of := map[int32]int{} // control point -> index into the shape
	turned := false
	for i, p := range indices[:min(len(indices), len(moves)/3)] {
		if finite(moves[3*i : 3*i+3]...) {
			of[p] = i
		}
		if 3*i+3 <= len(normals) && finite(normals[3*i:3*i+3]...) {
			turned = turned || vec3(normals[3*i:3*i+3]) != vec3{}
		} else {
			normals = nil
		}
	}
	for i := range s.parts {
		var target scene.MorphTarget
		if err := l.budget.Take(24 * int64(len(points[i]))); err != nil {
			return err
		}
		for v, at := range points[i] {
			k, ok := of[at]
			if !ok {
				continue
			}
			if target.Positions == nil {
				target.Positions = make([]geom.Vec3, len(points[i]))
			}
			target.Positions[v] = b.geometric.dir(vec3(moves[3*k : 3*k+3]).times(b.unit)).geom()
			if turned && normals != nil {
				if target.Normals == nil {
					target.Normals = make([]geom.Vec3, len(points[i]))
				}
				target.Normals[v] = b.normal.dir(vec3(normals[3*k : 3*k+3])).geom()
			}
			if d := target.Positions[v]; !importer.Finite(d[:]...) {
				target.Positions[v] = geom.Vec3{}
			}
		}
		p := &s.parts[i].primitive
		p.Targets = append(p.Targets, target)
	}
	s.morphs = append(s.morphs, t)
	return nil
}

const maxMorphs = 1 << 12

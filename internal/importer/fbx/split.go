package fbx

import "github.com/heliograph/heliograph/internal/importer"

// A model that inherits the scale of its parent axis by axis, or not at all, is sheared within its parent where that scale
// differs from axis to axis. A matrix can say so, but no translation, rotation and scale, which animations move. So that such
// models can be animated, each of them and its parent become two nodes: one that turns, which models that inherit in that way
// are below, and one below it that scales, which has the mesh and all other models.

// split finds the models that need two nodes because something moves, and makes the second ones.
func (l *loader) split(takes []*take) error {
	moved := func(of func(*motion) bool) bool {
		for _, t := range takes {
			for _, m := range t.moves {
				if of(m) {
					return true
				}
			}
		}
		return false
	}
	if !moved(func(*motion) bool { return true }) {
		return nil
	}
	stretched := make([]bool, len(l.placed)) // the scale may differ from axis to axis
	for i := range l.placed {
		m := &l.placed[i]
		s := m.pose.scaling
		stretched[i] = s[0] != s[1] || s[1] != s[2]
		for _, t := range takes {
			if move := t.moves[m.object]; move != nil && len(move.scaling) > 0 {
				stretched[i] = true
			}
		}
		if m.parent < 0 || m.inherit == inheritRSrs || !stretched[m.parent] {
			continue
		}
		u := &l.placed[m.parent]
		if u.chain == deepest {
			continue
		}
		m.chain, m.halves, u.halves, stretched[i] = u.chain+1, true, true, true
	}
	for i := range l.placed {
		m := &l.placed[i]
		if !m.halves {
			continue
		}
		if err := l.budget.Take(500); err != nil {
			return err
		}
		upper, lower := l.halvesOf(i, func(k int) pose { return l.placed[k].pose })
		n := importer.Node(m.name, m.turn, -1)
		n.Local = lower.geom()
		l.model.Nodes[m.turn].Local = upper.geom()
		m.node = len(l.model.Nodes)
		l.model.Nodes = append(l.model.Nodes, n)
	}
	for i := range l.placed {
		if m := &l.placed[i]; m.chain > 0 {
			l.model.Nodes[m.turn].Parent = l.placed[m.parent].turn
		} else if m.parent >= 0 {
			l.model.Nodes[m.turn].Parent = l.placed[m.parent].node
		}
	}
	return nil
}

// halvesOf are the transforms of the two nodes of a model, in poses of the models.
func (l *loader) halvesOf(i int, poses func(i int) pose) (upper, lower affine) {
	m, p := &l.placed[i], poses(i)
	if m.chain == 0 {
		upper = translation(p.translation.add(m.rotationOffset).add(m.rotationPivot)).mul(m.turned(p))
		lower = translation(m.scalingOffset.add(m.scalingPivot).sub(m.rotationPivot)).mul(scaling(p.scaling))
		return upper, lower.mul(translation(m.scalingPivot.times(-1)))
	}
	_, above := l.halvesOf(m.parent, poses)
	s := vec3{above[0], above[4], above[8]}
	parent := poses(m.parent).scaling
	for k := range s {
		if m.inherit == inheritRrs && parent[k] != 0 {
			s[k] /= parent[k]
		}
		s[k] *= p.scaling[k]
	}
	return translation(above.point(m.local(p).column(3))).mul(m.turned(p)), scaling(s)
}

package asset

import (
	"fmt"

	"github.com/heliograph/heliograph/internal/scene"
)

// checkModel wants of a model what everyone who walks it relies on. A writer refuses to write, and a reader to open, what
// breaks this.
func checkModel(m *scene.Model) error {
	if err := checkForest(m); err != nil {
		return err
	}
	inside := func(i, n int) bool { return i >= 0 && i < n }
	for i := range m.Nodes {
		n := &m.Nodes[i]
		if n.Mesh < -1 || n.Mesh >= len(m.Meshes) || n.Skin < 0 || n.Skin > len(m.Skins) {
			return fmt.Errorf("node %d has a mesh or a skin that does not exist", i)
		}
	}
	for i, s := range m.Skins {
		for _, j := range s.Joints {
			if !inside(j, len(m.Nodes)) {
				return fmt.Errorf("skin %d has a joint that does not exist", i)
			}
		}
		if s.Skeleton < -1 || s.Skeleton >= len(m.Nodes) || (s.Inverse != nil && len(s.Inverse) != len(s.Joints)) {
			return fmt.Errorf("skin %d has a wrong skeleton or number of matrices", i)
		}
	}
	for i, a := range m.Animations {
		for _, c := range a.Channels {
			if !inside(c.Node, len(m.Nodes)) {
				return fmt.Errorf("animation %d moves a node that does not exist", i)
			}
			if err := checkChannel(c); err != nil {
				return fmt.Errorf("animation %d: %w", i, err)
			}
		}
	}
	checked := map[*uint32]int{} // lists of indices, which primitives of a file may share, and their vertices
	for i, mesh := range m.Meshes {
		for k := range mesh.Primitives {
			p := &mesh.Primitives[k]
			err := checkPrimitive(m, p)
			if n := len(p.Positions); err == nil && len(p.Indices) > 0 && checked[&p.Indices[0]] != n {
				err = checkIndices(p)
				checked[&p.Indices[0]] = n
			}
			if err != nil {
				return fmt.Errorf("mesh %d, primitive %d: %w", i, k, err)
			}
		}
	}
	return nil
}

// checkForest wants that no node is reached twice, that parents and children agree, and that no node is its own ancestor.
func checkForest(m *scene.Model) error {
	reached := make([]bool, len(m.Nodes))
	reach := func(nodes []int, parent int) error {
		for _, n := range nodes {
			if n < 0 || n >= len(m.Nodes) || reached[n] || m.Nodes[n].Parent != parent {
				return fmt.Errorf("node %d is no child, or child of two", n)
			}
			reached[n] = true
		}
		return nil
	}
	if err := reach(m.Roots, -1); err != nil {
		return err
	}
	for i := range m.Nodes {
		if err := reach(m.Nodes[i].Children, i); err != nil {
			return err
		}
	}
	// Ancestors of a node: walk up until one that was judged before.
	const unknown, walking, fine = 0, 1, 2
	state := make([]uint8, len(m.Nodes))
	var path []int
	for i := range m.Nodes {
		path = path[:0]
		for n := i; n != -1 && state[n] != fine; n = m.Nodes[n].Parent {
			if state[n] == walking {
				return fmt.Errorf("node %d is its own ancestor", n)
			}
			state[n] = walking
			path = append(path, n)
			if p := m.Nodes[n].Parent; p < -1 || p >= len(m.Nodes) {
				return fmt.Errorf("node %d has a parent that does not exist", n)
			}
		}
		for _, n := range path {
			state[n] = fine
		}
	}
	return nil
}

func checkChannel(c scene.Channel) error {
	per := len(c.Times)
	if c.Interpolation > scene.InterpolateCubic || c.Path > scene.PathWeights {
		return fmt.Errorf("a channel of an unknown kind")
	}
	if c.Interpolation == scene.InterpolateCubic {
		per *= 3
	}
	ok := true
	switch c.Path {
	case scene.PathTranslation, scene.PathScale:
		ok = len(c.Values) == 3*per
	case scene.PathRotation:
		ok = len(c.Values) == 4*per
	case scene.PathWeights:
		ok = per == 0 && len(c.Values) == 0 || per > 0 && len(c.Values)%per == 0
	}
	if !ok {
		return fmt.Errorf("a channel has %d values for %d keys", len(c.Values), len(c.Times))
	}
	return nil
}

func checkPrimitive(m *scene.Model, p *scene.Primitive) error {
	if p.Material == nil {
		return fmt.Errorf("it has no material")
	}
	if p.Variants != nil && len(p.Variants) != len(m.Variants) {
		return fmt.Errorf("it has %d variants of %d", len(p.Variants), len(m.Variants))
	}
	n := len(p.Positions)
	lengths := []int{len(p.Normals), len(p.Tangents), len(p.UV0), len(p.UV1), len(p.Colors), len(p.Joints), len(p.Weights)}
	for _, t := range p.Targets {
		lengths = append(lengths, len(t.Positions), len(t.Normals), len(t.Tangents))
	}
	for _, l := range lengths {
		if l != 0 && l != n {
			return fmt.Errorf("an attribute of %d vertices, others have %d", l, n)
		}
	}
	if len(p.Indices)%3 != 0 {
		return fmt.Errorf("it has %d indices", len(p.Indices))
	}
	return nil
}

func checkIndices(p *scene.Primitive) error {
	for _, i := range p.Indices {
		if int64(i) >= int64(len(p.Positions)) {
			return fmt.Errorf("index %d of %d vertices", i, len(p.Positions))
		}
	}
	return nil
}

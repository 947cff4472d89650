package converter

import (
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/scene"
)

// usages counts what nodes show.
type usages struct {
	parts int // primitives, once for each node
	alone int // primitives, once
	depth int // of the deepest node; a root has 1
}

func use(m *scene.Model) usages {
	var u usages
	seen := map[*scene.Mesh]bool{}
	for _, p := range walk(m) {
		u.depth = max(u.depth, p.depth)
		if i := m.Nodes[p.node].Mesh; i >= 0 {
			n := len(m.Meshes[i].Primitives)
			u.parts += n
			if !seen[m.Meshes[i]] {
				seen[m.Meshes[i]] = true
				u.alone += n
			}
		}
	}
	return u
}

// textures returns the distinct textures of all materials.
func textures(m *scene.Model) map[*scene.Texture]bool {
	all := map[*scene.Texture]bool{}
	for _, mat := range materials(m) {
		texturesOf(mat, func(r *scene.TextureRef) {
			if r.Texture != nil {
				all[r.Texture] = true
			}
		})
	}
	return all
}

// inputStatistics counts what an importer returned.
func inputStatistics(m *scene.Model) *child.InputStatistics {
	u := use(m)
	s := &child.InputStatistics{
		Materials: len(materials(m)), Nodes: len(m.Nodes), MeshUsages: u.parts, MaxNodeDepth: u.depth, Textures: len(textures(m)),
	}
	primitives(m, func(p *scene.Primitive) {
		n := p.Triangles()
		if s.Meshes == 0 || n < s.FacesSmallest {
			s.FacesSmallest = n
		}
		s.Meshes++
		s.Faces += n
		s.FacesBiggest = max(s.FacesBiggest, n)
		s.Vertices += int64(len(p.Positions))
	})
	return s
}

// outputStatistics counts what goes into the asset. PartsCreated are the parts as they are placed and PartsInstanced those
// of them that share their mesh with an earlier one: that is how ARR's published example counts.
func outputStatistics(m *scene.Model, a applied) *child.OutputStatistics {
	u := use(m)
	s := &child.OutputStatistics{
		PartsCreated: u.parts, PartsInstanced: u.parts - u.alone, Materials: len(materials(m)),
		PrimitivesInScene: m.Triangles + m.Points, RecenteringOffset: a.offset,
	}
	if !m.Bounds.IsEmpty() {
		s.BoundingBox = child.BoundingBox{Min: m.Bounds.Min, Max: m.Bounds.Max}
	}
	return s
}

package gltf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// maxTargets bounds the morph targets of a primitive. Faces have a hundred or two.
const maxTargets = 1024

// targets checks the morph targets of a primitive and returns what tells them from others.
func (l *loader) targets(targets []map[string]integer, at string) (string, error) {
	if len(targets) > maxTargets {
		return "", fail(at+"/targets", "%d morph targets, more than %d", len(targets), maxTargets)
	}
	var key strings.Builder
	for i, t := range targets {
		for _, name := range []string{"POSITION", "NORMAL", "TANGENT"} {
			a, ok := t[name]
			if !ok {
				a = -1
			} else if a < 0 || a >= integer(len(l.doc.Accessors)) {
				return "", fail(fmt.Sprintf("%s/targets/%d/%s", at, i, name), "there is no accessor %d", a)
			}
			fmt.Fprintf(&key, "%d ", a)
		}
	}
	return key.String(), nil
}

// deform decodes what moves the n vertices of g, or the picked ones: joints with weights, and morph targets.
func (l *loader) deform(g *geometry, n integer, pick []uint32) error {
	p, k, attr := &g.primitive, &g.key, g.at+"/attributes/"
	if k.joints[0] >= 0 {
		if err := l.weights(g, n, pick); err != nil {
			return err
		}
	}
	for i, t := range g.targets {
		var target scene.MorphTarget
		for _, a := range []struct {
			name string
			to   *[]geom.Vec3
		}{{"POSITION", &target.Positions}, {"NORMAL", &target.Normals}, {"TANGENT", &target.Tangents}} {
			accessor, ok := t[a.name]
			if !ok || a.name == "TANGENT" && p.Tangents == nil || a.name == "NORMAL" && p.Normals == nil {
				continue
			}
			at := fmt.Sprintf("%s/targets/%d/%s", g.at, i, a.name)
			var err error
			if *a.to, err = attribute(l, accessor, n, pick, at, geom.Vec3{}, "VEC3"); err != nil {
				return err
			}
			for v, d := range *a.to {
				if !importer.Finite(d[:]...) {
					return fail(attr+a.name, "the morph target moves vertex %d by %v", v, d)
				}
			}
		}
		p.Targets = append(p.Targets, target)
	}
	return nil
}

// weights decodes the joints of the vertices. Of two sets the four largest weights are kept, as scene.Primitive has them.
func (l *loader) weights(g *geometry, n integer, pick []uint32) error {
	p, k := &g.primitive, &g.key
	type influence struct {
		joint  uint16
		weight float32
	}
	var sets [2]struct{ joints, weights []geom.Vec4 }
	for s := range sets {
		if k.joints[s] < 0 || k.weights[s] < 0 {
			break
		}
		at := g.at + "/attributes/"
		var err error
		if sets[s].joints, err = attribute(l, k.joints[s], n, pick, fmt.Sprintf("%sJOINTS_%d", at, s), geom.Vec4{}, "VEC4"); err != nil {
			return err
		}
		if sets[s].weights, err = attribute(l, k.weights[s], n, pick, fmt.Sprintf("%sWEIGHTS_%d", at, s), geom.Vec4{}, "VEC4"); err != nil {
			return err
		}
	}
	p.Joints = make([][4]uint16, len(sets[0].joints))
	p.Weights = make([]geom.Vec4, len(sets[0].joints))
	var all []influence
	for v := range p.Joints {
		all = all[:0]
		for _, s := range sets {
			if s.joints == nil {
				continue
			}
			for i, j := range s.joints[v] {
				if w := s.weights[v][i]; w > 0 && importer.Finite(w) && j >= 0 && j <= 65535 {
					all = append(all, influence{uint16(j), w})
				}
			}
		}
		slices.SortStableFunc(all, func(a, b influence) int { return cmp.Compare(b.weight, a.weight) })
		all = all[:min(4, len(all))]
		var sum float32
		for _, in := range all {
			sum += in.weight
		}
		for i, in := range all {
			p.Joints[v][i], p.Weights[v][i] = in.joint, in.weight/sum
		}
	}
	return nil
}

// skins decodes the skins of the file.
func (l *loader) skins() ([]scene.Skin, error) {
	var out []scene.Skin
	for i, src := range l.doc.Skins {
		at := fmt.Sprintf("/skins/%d", i)
		s := scene.Skin{Name: src.Name, Skeleton: -1, Joints: make([]int, len(src.Joints))}
		if len(src.Joints) == 0 {
			return nil, fail(at+"/joints", "the skin has no joints")
		}
		for k, j := range src.Joints {
			if j < 0 || j >= integer(len(l.doc.Nodes)) {
				return nil, fail(fmt.Sprintf("%s/joints/%d", at, k), "there is no node %d", j)
			}
			s.Joints[k] = int(j)
		}
		if src.Skeleton != nil {
			if *src.Skeleton < 0 || *src.Skeleton >= integer(len(l.doc.Nodes)) {
				return nil, fail(at+"/skeleton", "there is no node %d", *src.Skeleton)
			}
			s.Skeleton = int(*src.Skeleton)
		}
		if err := l.take(64*int64(len(src.Joints)), at); err != nil {
			return nil, err
		}
		s.Inverse = slices.Repeat([]geom.Mat4{geom.Identity()}, len(src.Joints))
		if src.Inverse != nil {
			at := at + "/inverseBindMatrices"
			values, width, err := l.floats(*src.Inverse, at)
			if err != nil {
				return nil, err
			}
			if width != 16 || len(values) < 16*len(s.Inverse) {
				return nil, fail(at, "%d joints need as many MAT4, not %d values", len(s.Inverse), len(values))
			}
			for k := range s.Inverse {
				s.Inverse[k] = geom.Mat4(values[16*k : 16*k+16])
			}
		}
		out = append(out, s)
	}
	return out, nil
}

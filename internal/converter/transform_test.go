package converter

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

func vec(t *rapid.T, label string, size float32) geom.Vec3 {
	x := rapid.Float32Range(-size, size)
	return geom.Vec3{x.Draw(t, label), x.Draw(t, label), x.Draw(t, label)}
}

func quat(t *rapid.T) geom.Quat {
	a, angle := vec(t, "axis", 1), rapid.Float64Range(0, 6).Draw(t, "angle")
	if a.Len() < 0.1 {
		a = geom.Vec3{1, 0, 0}
	}
	a = a.Normalize().Mul(float32(math.Sin(angle / 2)))
	return geom.Quat{a[0], a[1], a[2], float32(math.Cos(angle / 2))}
}

// place draws a transform that is not far from a rotation, or its mirror image.
func placement(t *rapid.T) geom.Mat4 {
	s := rapid.Float32Range(0.5, 2)
	scale := geom.Vec3{s.Draw(t, "sx"), s.Draw(t, "sy"), s.Draw(t, "sz")}
	if rapid.Bool().Draw(t, "mirror") {
		scale[0] = -scale[0]
	}
	return geom.TRS(vec(t, "t", 10), quat(t), scale)
}

func axes(t *rapid.T) settings.Axis {
	p := rapid.Permutation([]int{1, 2, 3}).Draw(t, "axes")
	var a settings.Axis
	for i := range a {
		a[i] = p[i]
		if rapid.Bool().Draw(t, "negative") {
			a[i] = -a[i]
		}
	}
	return a
}

func drawBasis(t *rapid.T) basis {
	return newBasis(settings.Settings{Scaling: rapid.Float64Range(0.1, 10).Draw(t, "scaling"), Axis: axes(t)})
}

func near(a, b geom.Vec3, tolerance float32) bool { return a.Sub(b).Len() <= tolerance*(1+a.Len()) }

// TestBasisIsAConjugation: whatever is placed by whatever chain of nodes ends where the whole moved as one body ends.
func TestBasisIsAConjugation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, m, n, v := drawBasis(t), placement(t), placement(t), vec(t, "v", 10)
		got := b.matrix(m).Mul(b.matrix(n)).Point(b.point(v))
		if want := b.point(m.Mul(n).Point(v)); !near(got, want, 1e-4) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestBasisOfChannels: the animated transform is the moved transform.
func TestBasisOfChannels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBasis(t)
		p, q, s := vec(t, "t", 5), quat(t), geom.Vec3{1, 2, -0.5}
		want := b.matrix(geom.TRS(p, q, s))
		channels := []scene.Channel{
			{Path: scene.PathTranslation, Values: p[:]}, {Path: scene.PathRotation, Values: q[:]}, {Path: scene.PathScale, Values: s[:]},
		}
		done := once{}
		for i := range channels {
			b.channel(done, &channels[i])
			b.channel(done, &channels[i]) // shared: once only
		}
		got := geom.TRS(p, q, s)
		for i := range got {
			if d := got[i] - want[i]; d > 1e-3 || d < -1e-3 {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// triangle is a mesh of one triangle with all attributes; its normal is that of its winding.
func triangle(mat *scene.Material, p ...geom.Vec3) *scene.Mesh {
	n := p[1].Sub(p[0]).Cross(p[2].Sub(p[0])).Normalize()
	d := p[1].Sub(p[0]).Normalize()
	t := geom.Vec4{d[0], d[1], d[2], 1}
	m := &scene.Mesh{Name: "triangle", Primitives: []scene.Primitive{{
		Positions: append([]geom.Vec3(nil), p...), Normals: []geom.Vec3{n, n, n}, Tangents: []geom.Vec4{t, t, t},
		UV0: make([]geom.Vec2, 3), Colors: []geom.Vec4{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}, Indices: []uint32{0, 1, 2}, Material: mat,
	}}}
	m.Measure()
	return m
}

func rightTriangle(mat *scene.Material) *scene.Mesh {
	return triangle(mat, geom.Vec3{0, 0, 0}, geom.Vec3{1, 0, 0}, geom.Vec3{0, 1, 0})
}

// corners are the corners of all triangles of the model in model space, turned so that each is seen from its front, with
// the normals that shade them.
func corners(m *scene.Model) (positions, normals []geom.Vec3) {
	for _, p := range walk(m) {
		if i := m.Nodes[p.node].Mesh; i >= 0 {
			for _, prim := range m.Meshes[i].Primitives {
				n := cofactors(p.world)
				for k := 0; k < len(prim.Indices); k += 3 {
					at := [3]uint32(prim.Indices[k : k+3])
					if n.mirrored {
						at[1], at[2] = at[2], at[1]
					}
					for _, v := range at {
						positions = append(positions, p.world.Point(prim.Positions[v]))
						normals = append(normals, n.dir(prim.Normals[v]))
					}
				}
			}
		}
	}
	return positions, normals
}

// TestBasisKeepsFronts: also where axes are mirrored, the front stays the front, and normals and tangents stay on it.
func TestBasisKeepsFronts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBasis(t)
		m := &scene.Model{
			Nodes:  []scene.Node{{Local: placement(t), Parent: -1, Mesh: 0}, {Local: placement(t), Parent: -1, Mesh: 0}},
			Roots:  []int{0, 1},
			Meshes: []*scene.Mesh{rightTriangle(scene.DefaultMaterial())},
		}
		before, _ := corners(m)
		b.apply(m)
		after, normals := corners(m)
		for i := range before {
			k := i
			if b.mirror { // the mirror image of a triangle that is seen from the front has its corners the other way round
				k = i - i%3 + []int{0, 2, 1}[i%3]
			}
			if !near(after[i], b.point(before[k]), 1e-3) {
				t.Fatalf("corner %d is at %v, want %v", i, after[i], b.point(before[k]))
			}
		}
		for k := 0; k < len(after); k += 3 {
			face := after[k+1].Sub(after[k]).Cross(after[k+2].Sub(after[k])).Normalize()
			if face.Dot(normals[k]) < 0.99 {
				t.Errorf("the normal is %v on a face of %v", normals[k], face)
			}
		}
		p := m.Meshes[0].Primitives[0]
		tangent := geom.Vec3{p.Tangents[0][0], p.Tangents[0][1], p.Tangents[0][2]}
		// The source's bitangent is normal x tangent; it moves like all directions.
		want := b.dir(geom.Vec3{0, 1, 0})
		if got := p.Normals[0].Cross(tangent).Mul(p.Tangents[0][3]); !near(got, want, 1e-5) {
			t.Errorf("the bitangent is %v, want %v", got, want)
		}
	})
}

// TestAxisTurnsPointCloudsUpright is the example that ARR documents: z up becomes y up.
func TestAxisTurnsPointCloudsUpright(t *testing.T) {
	b := newBasis(settings.Settings{Scaling: 2, Axis: settings.Axis{1, 3, -2}})
	if got := b.point(geom.Vec3{1, 2, 3}); got != (geom.Vec3{2, 6, -4}) || b.mirror {
		t.Errorf("%v, mirrored %v", got, b.mirror)
	}
}

func TestBasisOfLights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBasis(t)
		local := geom.TRS(vec(t, "t", 5), quat(t), geom.Vec3{1, 1, 1})
		m := &scene.Model{Roots: []int{0}, Nodes: []scene.Node{{
			Parent: -1, Mesh: -1, Local: local, Light: &scene.Light{Kind: scene.LightSpot, Intensity: 2, Range: 3},
		}}}
		b.apply(m)
		found := 0
		for _, p := range walk(m) {
			l := m.Nodes[p.node].Light
			if l == nil {
				continue
			}
			found++
			if got, want := p.world.Dir(geom.Vec3{0, 0, -1}).Normalize(), b.dir(local.Dir(geom.Vec3{0, 0, -1})); !near(got, want, 1e-3) {
				t.Errorf("it shines along %v, want %v", got, want)
			}
			if got, want := p.world.Point(geom.Vec3{}), b.point(local.Point(geom.Vec3{})); !near(got, want, 1e-3) {
				t.Errorf("it is at %v, want %v", got, want)
			}
			if l.Range != 3*b.scale || l.Intensity != 2*b.scale*b.scale {
				t.Errorf("%+v", l)
			}
		}
		if found != 1 {
			t.Errorf("%d lights", found)
		}
	})
}

func TestRecenter(t *testing.T) {
	model := func(local geom.Mat4, animated bool) *scene.Model {
		m := &scene.Model{
			Nodes:  []scene.Node{{Local: local, Parent: -1, Mesh: 0}},
			Roots:  []int{0},
			Meshes: []*scene.Mesh{triangle(scene.DefaultMaterial(), geom.Vec3{100, 0, 0}, geom.Vec3{104, 0, 0}, geom.Vec3{100, 2, 0})},
		}
		if animated {
			m.Animations = []scene.Animation{{Channels: []scene.Channel{
				{Node: 0, Path: scene.PathTranslation, Values: []float32{1, 2, 3}},
				{Node: 0, Path: scene.PathTranslation, Interpolation: scene.InterpolateCubic, Values: []float32{0, 0, 0, 1, 2, 3, 0, 0, 0}},
			}}}
		}
		m.Measure()
		return m
	}
	moved := geom.TRS(geom.Vec3{1, 1, 1}, geom.Quat{0, 0, 0, 1}, geom.Vec3{2, 2, 2})
	for _, c := range []struct {
		local    geom.Mat4
		animated bool
		offset   geom.Vec3
	}{
		{geom.Identity(), false, geom.Vec3{102, 1, 0}},
		{moved, false, geom.Vec3{205, 3, 1}},
		{geom.Identity(), true, geom.Vec3{102, 1, 0}},
		{moved, true, geom.Vec3{205, 3, 1}},
	} {
		m := model(c.local, c.animated)
		if got := recenter(m); got != c.offset || m.Bounds.Center() != (geom.Vec3{}) {
			t.Errorf("the offset is %v, want %v; the centre %v", got, c.offset, m.Bounds.Center())
		}
		if !c.animated {
			c.local[12], c.local[13], c.local[14] = 0, 0, 0
			if m.Nodes[0].Local != c.local || m.Meshes[0].Bounds.Max[0] > 3 {
				t.Errorf("a single object was not moved by its vertices alone: %v, %v", m.Nodes[0].Local, m.Meshes[0].Bounds)
			}
			continue
		}
		ch := m.Animations[0].Channels
		want := geom.Vec3{1, 2, 3}.Sub(c.offset)
		if geom.Vec3(ch[0].Values[:3]) != want || geom.Vec3(ch[1].Values[3:6]) != want || geom.Vec3(ch[1].Values[:3]) != (geom.Vec3{}) {
			t.Errorf("channels %v, want %v", ch, want)
		}
	}
	if got := recenter(&scene.Model{Bounds: geom.Empty()}); got != (geom.Vec3{}) {
		t.Errorf("the offset of nothing is %v", got)
	}
}

// TestRecenterKeepsDigits: vertices near the origin of a node that is far from the world's do not get its coordinates.
func TestRecenterKeepsDigits(t *testing.T) {
	m := &scene.Model{Roots: []int{0}, Meshes: []*scene.Mesh{{Primitives: []scene.Primitive{{
		Material: scene.DefaultMaterial(), Positions: []geom.Vec3{{0, 0, 0}, {0.01, 0, 0}, {0.01, 0.03, 0}}, Indices: []uint32{0, 1, 2},
	}}}}}
	local := geom.Identity()
	local[12], local[13] = 500000, 5000000
	m.Nodes = []scene.Node{{Parent: -1, Local: local}}
	m.Meshes[0].Measure()
	m.Measure()
	offset := recenter(m)
	if offset[0] < 499999 || offset[1] < 4999999 {
		t.Errorf("the offset is %v", offset)
	}
	v := m.Meshes[0].Primitives[0].Positions
	if d := v[2].Sub(v[0]).Sub(geom.Vec3{0.01, 0.03, 0}); d.Len() > 1e-6 {
		t.Errorf("the vertices are now %v", v)
	}
	if m.Bounds.Center().Len() > 1 {
		t.Errorf("bounds %v", m.Bounds)
	}
}

package mesh

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// deriveTangents gives each vertex the mean direction of growing u over its triangles, made orthogonal to the normal
// (Lengyel 2001). glTF asks for MikkTSpace; the two differ only where a vertex is shared by mirrored UV islands.
func deriveTangents(p *scene.Primitive, tris [][3]uint32) []geom.Vec4 {
	uv := p.UV0
	if p.Material.NormalTex.UV == 1 {
		uv = p.UV1
	}
	if uv == nil || p.Normals == nil {
		return nil
	}
	n := len(p.Positions)
	us, vs := make([]geom.Vec3, n), make([]geom.Vec3, n)
	for _, t := range tris {
		e, f := p.Positions[t[1]].Sub(p.Positions[t[0]]), p.Positions[t[2]].Sub(p.Positions[t[0]])
		du1, dv1 := uv[t[1]][0]-uv[t[0]][0], uv[t[1]][1]-uv[t[0]][1]
		du2, dv2 := uv[t[2]][0]-uv[t[0]][0], uv[t[2]][1]-uv[t[0]][1]
		det := du1*dv2 - du2*dv1
		if det == 0 || det != det {
			continue
		}
		// The sign of det matters, its size does not: directions are weighted by the triangle's size in space.
		s := float32(math.Copysign(1, float64(det)))
		tu := e.Mul(dv2 * s).Sub(f.Mul(dv1 * s)).Normalize()
		tv := f.Mul(du1 * s).Sub(e.Mul(du2 * s)).Normalize()
		area := e.Cross(f).Len()
		for _, v := range t {
			us[v], vs[v] = us[v].Add(tu.Mul(area)), vs[v].Add(tv.Mul(area))
		}
	}
	out := make([]geom.Vec4, n)
	for i := range out {
		nrm := p.Normals[i]
		t := us[i].Sub(nrm.Mul(nrm.Dot(us[i])))
		if !(t.Len() > 1e-20) {
			t = perpendicular(nrm)
		}
		t = t.Normalize()
		w := float32(1)
		// A normal map's +Y is up in the image (glTF 2.0 section 3.9.3), v grows down: the bitangent points to smaller v.
		if nrm.Cross(t).Dot(vs[i]) > 0 {
			w = -1
		}
		out[i] = geom.Vec4{t[0], t[1], t[2], w}
	}
	return out
}

// perpendicular returns some vector orthogonal to n.
func perpendicular(n geom.Vec3) geom.Vec3 {
	if math.Abs(float64(n[0])) < 0.7 {
		return n.Cross(geom.Vec3{1, 0, 0})
	}
	return n.Cross(geom.Vec3{0, 1, 0})
}

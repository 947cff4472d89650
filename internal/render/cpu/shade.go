package cpu

import (
	"math"

	"github.com/heliograph/heliograph/internal/scene"
)

// minRoughness keeps the specular lobe of the directional light wider than a pixel's worth of normals.
const minRoughness = 0.045

// rowBuffers hold one row of shaded pixels, planar. The picture is neutral(r, g, b) + post: post holds colours that must
// appear as given (background, unlit). alpha is the coverage of blended surfaces; opaque ones and the background have 1.
type rowBuffers struct {
	plane [7][]float32 // r, g, b, post r, g, b, alpha
}

func newRowBuffers(stride int) *rowBuffers {
	b := &rowBuffers{}
	all := make([]float32, len(b.plane)*stride)
	for i := range b.plane {
		b.plane[i] = all[i*stride : (i+1)*stride]
	}
	return b
}

// over composites src, a layer in front, onto b. Pixels without a fragment in src have alpha 0.
func (b *rowBuffers) over(src *rowBuffers, w int) {
	for x := range w {
		a := src.plane[6][x]
		if a == 0 {
			continue
		}
		for k := range 6 {
			b.plane[k][x] = float32(src.plane[k][x]*a) + float32(b.plane[k][x]*(1-a))
		}
	}
}

// surface is what a pixel's ray hits: a triangle with perspective-correct barycentrics and their screen derivatives.
type surface struct {
	d          *draw
	dir        [3]float32
	vert       [3]int // indices into the mesh's vertex arrays
	weight     [3]float32
	du, dv     [2]float32 // of weight 1 and 2 by x and y
	back       bool
	geometric  [3]float32 // facing the viewer, not unit length
	uvPair     [2][2]float32
	uvDx, uvDy [2][2]float32
}

// locate intersects the ray of pixel (x, y) with the plane of a triangle (after Moeller and Trumbore 1997), the camera at the origin.
func (f *frame) locate(s *surface, id uint32, x, y int) {
	it := &f.items[id>>7]
	d := &f.draws[it.draw]
	m := d.prim.Mesh
	q := m.Triangles[it.firstTriangle+id&127]
	s.d = d
	var p [3][3]float32
	for i := range 3 {
		s.vert[i] = int(it.firstVertex + q>>(8*i)&255)
		p[i] = d.toWorld(m.Position(s.vert[i]))
	}
	fx, fy := float32(x)+0.5, float32(y)+0.5
	for k := range 3 {
		s.dir[k] = mad(fy, f.rayY[k], mad(fx, f.rayX[k], f.ray0[k]))
	}
	e1, e2 := sub(p[1], p[0]), sub(p[2], p[0])
	na, nu, nv := cross(e2, e1), cross(p[0], e2), cross(e1, p[0])
	da := dot(s.dir, na)
	inv := 1 / da
	u, v := clampf(dot(s.dir, nu)*inv, 0, 1), clampf(dot(s.dir, nv)*inv, 0, 1)
	s.weight = [3]float32{1 - u - v, u, v}
	s.back = (da < 0) != d.flip
	s.geometric = na
	if da > 0 {
		s.geometric = [3]float32{-na[0], -na[1], -na[2]}
	}
	if !d.prim.mat.textured() {
		return
	}
	ax, ay := dot(f.rayX, na), dot(f.rayY, na)
	s.du = [2]float32{(dot(f.rayX, nu) - float32(u*ax)) * inv, (dot(f.rayY, nu) - float32(u*ay)) * inv}
	s.dv = [2]float32{(dot(f.rayX, nv) - float32(v*ax)) * inv, (dot(f.rayY, nv) - float32(v*ay)) * inv}
	if m.HasUV0 {
		s.uvSet(0, func(i, k int) float32 { return math.Float32frombits(m.Detail[4*s.vert[i]+k]) })
	}
	if m.UV1 != nil {
		s.uvSet(1, func(i, k int) float32 { return m.UV1[2*s.vert[i]+k] })
	}
}

// uvSet interpolates a UV set; at returns component k of corner i.
func (s *surface) uvSet(set int, at func(i, k int) float32) {
	for k := range 2 {
		t0, t1, t2 := at(0, k), at(1, k), at(2, k)
		s.uvPair[set][k] = s.mix(t0, t1, t2)
		g1, g2 := t1-t0, t2-t0
		s.uvDx[set][k] = float32(s.du[0]*g1) + float32(s.dv[0]*g2)
		s.uvDy[set][k] = float32(s.du[1]*g1) + float32(s.dv[1]*g2)
	}
}

func (d *draw) toWorld(p [3]float32) (r [3]float32) {
	for k := range 3 {
		m := d.world[4*k:]
		r[k] = float32(p[0]*m[0]) + float32(p[1]*m[1]) + float32(p[2]*m[2]) + m[3]
	}
	return r
}

// mix interpolates a vertex attribute.
func (s *surface) mix(a, b, c float32) float32 {
	return float32(a*s.weight[0]) + float32(b*s.weight[1]) + float32(c*s.weight[2])
}

// signed interpolates a signed bit field of a vertex word, unscaled.
func (s *surface) signed(words []uint32, word, shift, bits int) float32 {
	var t [3]float32
	for i := range t {
		t[i] = float32(int32(words[4*s.vert[i]+word]<<(32-shift-bits)) >> (32 - bits))
	}
	return s.mix(t[0], t[1], t[2])
}

// color interpolates the vertex colour.
func (s *surface) color() [4]float32 {
	if !s.d.prim.HasColors {
		return [4]float32{1, 1, 1, 1}
	}
	var c [4]float32
	for k := range c {
		var t [3]float32
		for i := range t {
			v := float32(s.d.prim.Detail[4*s.vert[i]+3]>>(8*k)&255) * (1.0 / 255)
			if k < 3 {
				v = float32(v * v)
			}
			t[i] = v
		}
		c[k] = s.mix(t[0], t[1], t[2])
	}
	return c
}

// sample looks t up: bilinear in the nearest mip, or trilinear when the view is still. Components are 0..255.
func (f *frame) sample(s *surface, t *sampler) [4]float32 {
	uv, dx, dy := s.uvPair[t.uv], s.uvDx[t.uv], s.uvDy[t.uv]
	m := &t.m
	u := mad(m[0], uv[0], float32(m[1]*uv[1])) + m[2]
	v := mad(m[3], uv[0], float32(m[4]*uv[1])) + m[5]
	w, h := float32(t.tex.width[0]), float32(t.tex.height[0])
	ux, vx := mad(m[0], dx[0], float32(m[1]*dx[1]))*w, mad(m[3], dx[0], float32(m[4]*dx[1]))*h
	uy, vy := mad(m[0], dy[0], float32(m[1]*dy[1]))*w, mad(m[3], dy[0], float32(m[4]*dy[1]))*h
	rho := maxf(mad(ux, ux, float32(vx*vx)), mad(uy, uy, float32(vy*vy))) * f.lodScale
	rho = maxf(rho, 0) // NaN
	top := int32(t.tex.levels - 1)
	if !f.trilinear {
		return t.tex.bilinear(mipOf(rho*2, top), u, v)
	}
	level := mipOf(rho, top)
	frac := clampf(float32(sqrt(rho)*math.Float32frombits(uint32(127-level)<<23))-1, 0, 1)
	a, b := t.tex.bilinear(level, u, v), t.tex.bilinear(min(level+1, top), u, v)
	for k := range a {
		a[k] = mad(b[k]-a[k], frac, a[k])
	}
	return a
}

// mipOf is half the binary logarithm of a squared footprint, rounded down, within 0..top.
func mipOf(rho float32, top int32) int32 {
	return min(max((int32(math.Float32bits(rho)>>23)-127)>>1, 0), top)
}

func (t *texture) bilinear(level int32, u, v float32) [4]float32 {
	w, h := t.width[level], t.height[level]
	x, fx := texelOf(u, float32(w), w, t.wrapU, t.nearest)
	y, fy := texelOf(v, float32(h), h, t.wrapV, t.nearest)
	i := t.offset[level] + y*(w+1) + x
	t00, t10, t01, t11 := t.texels[i], t.texels[i+1], t.texels[i+w+1], t.texels[i+w+2]
	w11 := float32(fx * fy)
	w10, w01 := fx-w11, fy-w11
	w00 := 1 - fx - w01
	var c [4]float32
	for k := range c {
		at := func(p uint32) float32 { return float32(p >> (8 * k) & 255) }
		c[k] = float32(at(t00)*w00) + float32(at(t10)*w10) + float32(at(t01)*w01) + float32(at(t11)*w11)
	}
	return c
}

// texelOf wraps a coordinate and splits it into the left texel, 0 <= i < n, and the weight of its right neighbour.
func texelOf(u, size float32, n int32, wrap scene.Wrap, nearest bool) (i int32, frac float32) {
	var x float32
	if wrap == scene.WrapRepeat {
		x = mad(clampf(u-floor(u), 0, 1), size, -0.5)
	} else {
		if wrap == scene.WrapMirror {
			t := float32(u * 0.5)
			t -= floor(t)
			u = 1 - abs(float32(t*2)-1)
		}
		x = clampf(mad(u, size, -0.5), 0, size-1)
	}
	if nearest {
		x = floor(x + 0.5)
	}
	whole := floor(x)
	i = int32(whole)
	if i < 0 {
		i += n
	}
	if i >= n {
		i -= n
	}
	return i, x - whole
}

// baseColor is the material's linear base colour and alpha.
func (f *frame) baseColor(s *surface) [4]float32 {
	mat := s.d.prim.mat
	c := s.color()
	for k := range c {
		c[k] *= mat.BaseColor[k]
	}
	if mat.base.tex != nil {
		t := f.sample(s, &mat.base)
		for k := range 3 {
			c[k] *= srgbToLinear(t[k] * (1.0 / 255))
		}
		c[3] *= t[3] * (1.0 / 255)
	}
	return c
}

// alpha is the alpha of triangle id at pixel (x, y), for the alpha test.
func (f *frame) alpha(id uint32, x, y int) float32 {
	var s surface
	f.locate(&s, id, x, y)
	return f.baseColor(&s)[3]
}

// shadeRow implements kernels.
func (scalar) shadeRow(f *frame, ids []uint32, y int, opaque bool, out *rowBuffers) {
	row := ids[y*f.t.stride:]
	for x := range f.t.w {
		var c [7]float32
		switch id := row[x]; {
		case id != noID:
			c = f.shade(id, x, y)
		case opaque:
			c = [7]float32{3: f.background[0], 4: f.background[1], 5: f.background[2], 6: 1}
		}
		for k := range c {
			out.plane[k][x] = c[k]
		}
	}
}

// shade evaluates triangle id at pixel (x, y): see rowBuffers for the result.
func (f *frame) shade(id uint32, x, y int) (out [7]float32) {
	var s surface
	f.locate(&s, id, x, y)
	mat := s.d.prim.mat
	base := f.baseColor(&s)
	out[6] = 1
	if mat.Alpha == scene.AlphaBlend {
		out[6] = clampf(base[3], 0, 1)
	}
	if mat.Unlit {
		out[3], out[4], out[5] = base[0], base[1], base[2]
		return out
	}
	view := scale(s.dir, -1/sqrt(dot(s.dir, s.dir)))
	normal := f.normal(&s)

	metallic, rough, ao := mat.Metallic, mat.Roughness, float32(1)
	if mat.metalRough.tex != nil {
		t := f.sample(&s, &mat.metalRough)
		rough *= t[1] * (1.0 / 255)
		metallic *= t[2] * (1.0 / 255)
		if mat.sharedORM {
			ao = mad(t[0]*(1.0/255)-1, mat.Occlusion, 1)
		}
	}
	if mat.occlusion.tex != nil && !mat.sharedORM {
		ao = mad(f.sample(&s, &mat.occlusion)[0]*(1.0/255)-1, mat.Occlusion, 1)
	}
	rough = clampf(rough, minRoughness, 1)
	metallic = clampf(metallic, 0, 1)

	nv := clampf(dot(normal, view), 1e-3, 1)
	scaleF, biasF := f.sky.lookupDFG(nv, rough)
	boost := 1/maxf(scaleF+biasF, 0.05) - 1 // what single scattering loses (Turquin 2019)
	twice := float32(2 * dot(normal, view))
	var refl [3]float32
	for k := range refl {
		refl[k] = float32(twice*normal[k]) - view[k]
	}
	radiance := f.sky.radiance(refl, rough)
	irradiance := f.sky.irradiance(normal)
	var direct [3]float32 // per f0: specular at f0 = 0 and 1, then the diffuse share 1-F at f0 = 0
	if f.lit {
		direct = f.direct(normal, view, nv, rough)
	}
	for k := range 3 {
		f0 := mad(base[k]-0.04, metallic, 0.04)
		diffuse := float32(base[k] * (1 - metallic))
		comp := mad(f0, boost, 1)
		e := float32(mad(f0, scaleF, biasF) * comp)
		ambient := float32(float32((1-e)*diffuse)*irradiance[k]) + float32(e*radiance[k])
		c := float32(float32(ambient*ao) * f.skyIntensity)
		if f.lit {
			fresnel := mad(1-f0, direct[1], f0)
			spec := float32(direct[0]*fresnel) * comp
			c = mad(mad(float32((1-fresnel)*diffuse), 1/math.Pi, spec), float32(direct[2]*f.lightColor[k]), c)
		}
		out[k] = c
	}
	emissive := mat.Emissive
	if emissive != [3]float32{} {
		t := [4]float32{255, 255, 255, 255}
		if mat.emissive.tex != nil {
			t = f.sample(&s, &mat.emissive)
		}
		for k := range 3 {
			out[k] = mad(emissive[k], srgbToLinear(t[k]*(1.0/255)), out[k])
		}
	}
	return out
}

// direct returns D*V, Schlick's (1-vh)^5, and n.l of the directional light: GGX with height-correlated Smith masking.
func (f *frame) direct(n, v [3]float32, nv, rough float32) [3]float32 {
	l := f.toLight
	nl := clampf(dot(n, l), 0, 1)
	h := unit([3]float32{v[0] + l[0], v[1] + l[1], v[2] + l[2]})
	nh, vh := clampf(dot(n, h), 0, 1), clampf(dot(v, h), 0, 1)
	a := float32(rough * rough)
	a2 := float32(a * a)
	d := mad(float32(nh*nh), a2-1, 1)
	lambdaV := float32(nl * sqrt(mad(float32(nv*nv), 1-a2, a2)))
	lambdaL := float32(nv * sqrt(mad(float32(nl*nl), 1-a2, a2)))
	dv := float32(a2*(0.5/math.Pi)) / maxf(float32(float32(d*d)*(lambdaV+lambdaL)), 1e-10)
	t := 1 - vh
	t2 := float32(t * t)
	return [3]float32{dv, float32(float32(t2*t2) * t), nl}
}

// normal is the unit shading normal.
func (f *frame) normal(s *surface) [3]float32 {
	p := s.d.prim
	if !p.HasNormals {
		return unit(s.geometric)
	}
	obj := [3]float32{
		s.signed(p.Surface, 3, 0, 11), s.signed(p.Surface, 3, 11, 11), s.signed(p.Surface, 3, 22, 10) * (1023.0 / 511),
	}
	nm := &s.d.normal
	n := unit([3]float32{dot([3]float32(nm[0:3]), obj), dot([3]float32(nm[3:6]), obj), dot([3]float32(nm[6:9]), obj)})
	side := float32(1)
	if s.back && p.mat.DoubleSided {
		side = -1
	}
	n = scale(n, side)
	if p.mat.normal.tex == nil || !p.HasTangents {
		return n
	}
	t := [3]float32{s.signed(p.Detail, 2, 0, 10), s.signed(p.Detail, 2, 10, 10), s.signed(p.Detail, 2, 20, 10)}
	w := &s.d.world
	tan := scale(unit([3]float32{
		dot([3]float32(w[0:3]), t), dot([3]float32(w[4:7]), t), dot([3]float32(w[8:11]), t),
	}), side)
	if (s.signed(p.Detail, 2, 30, 2) < 0) != s.d.flip {
		side = -side
	}
	bit := scale(cross(n, tan), side)
	px := f.sample(s, &p.mat.normal)
	x := float32(mad(px[0], 2.0/255, -1) * p.mat.NormalScale)
	y := float32(mad(px[1], 2.0/255, -1) * p.mat.NormalScale)
	z := mad(px[2], 2.0/255, -1)
	var r [3]float32
	for k := range r {
		r[k] = float32(tan[k]*x) + float32(bit[k]*y) + float32(n[k]*z)
	}
	return unit(r)
}

// lookupDFG returns F0's scale and bias.
func (s *sky) lookupDFG(nv, rough float32) (scale, bias float32) {
	x, y := float32(nv*(lutSize-1)), float32(rough*(lutSize-1))
	xi, yi := min(int32(x), lutSize-2), min(int32(y), lutSize-2)
	fx, fy := x-float32(xi), y-float32(yi)
	i := yi*lutSize + xi
	bilerp := func(shift int) float32 {
		at := func(i int32) float32 { return float32(s.dfg[i] >> shift & 0xffff) }
		a := mad(at(i+1)-at(i), fx, at(i))
		b := mad(at(i+lutSize+1)-at(i+lutSize), fx, at(i+lutSize))
		return mad(b-a, fy, a) * (1.0 / 65535)
	}
	return bilerp(0), bilerp(16)
}

// radiance is the prefiltered sky in direction d at the nearest roughness level.
func (s *sky) radiance(d [3]float32, rough float32) [3]float32 {
	level := int32(mad(rough, skyLevels-1, 0.5))
	inv := 1 / maxf(abs(d[0])+abs(d[1])+abs(d[2]), 1e-20)
	x, z := float32(d[0]*inv), float32(d[2]*inv)
	if d[1] < 0 {
		x, z = copysign(1-abs(z), x), copysign(1-abs(x), z)
	}
	n := s.size[level]
	most := float32(n - 1)
	u, v := clampf(mad(x, 0.5, 0.5)*most, 0, most), clampf(mad(z, 0.5, 0.5)*most, 0, most)
	xi, yi := min(int32(u), n-2), min(int32(v), n-2)
	fx, fy := u-float32(xi), v-float32(yi)
	i := s.offset[level] + yi*n + xi
	t00, t10, t01, t11 := s.specular[i], s.specular[i+1], s.specular[i+n], s.specular[i+n+1]
	var c [3]float32
	for k := range c {
		shift, full := 11*k, uint32(2047)
		if k == 2 {
			full = 1023
		}
		at := func(p uint32) float32 { return float32(p >> shift & full) }
		a, b := mad(at(t10)-at(t00), fx, at(t00)), mad(at(t11)-at(t01), fx, at(t01))
		e := mad(b-a, fy, a)
		c[k] = float32(e*e) * (skyRange / float32(full*full))
	}
	return c
}

// irradiance is the sky's irradiance on a surface facing n, over pi.
func (s *sky) irradiance(n [3]float32) [3]float32 {
	x, y, z := n[0], n[1], n[2]
	basis := [9]float32{1, y, z, x, x * y, y * z, mad(float32(z*z), 3, -1), x * z, float32(x*x) - float32(y*y)}
	var c [3]float32
	for k := range c {
		v := s.sh[0][k]
		for i := 1; i < 9; i++ {
			v = mad(s.sh[i][k], basis[i], v)
		}
		c[k] = maxf(v, 0)
	}
	return c
}

func copysign(x, sign float32) float32 {
	return math.Float32frombits(math.Float32bits(x)&^(1<<31) | math.Float32bits(sign)&(1<<31))
}

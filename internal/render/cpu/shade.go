package cpu

import (
	"math"

	"github.com/heliograph/heliograph/internal/scene"
)

// minRoughness keeps the specular lobe of the directional light wider than a pixel's worth of normals.
const minRoughness = 0.045

// surface is what a pixel's ray hits: a triangle with perspective-correct barycentrics and their screen derivatives.
type surface struct {
	d          *draw
	vert       [3]int // indices into the mesh's vertex arrays
	weight     [3]float32
	du, dv     [2]float32 // of weight 1 and 2 by x and y
	back       bool
	facing     [3]float32 // the triangle's normal on the viewer's side, not unit length, in the space of draw.rays
	uvPair     [2][2]float32
	uvDx, uvDy [2][2]float32
}

// locate intersects the ray of pixel (x, y) with the plane of a triangle (after Moeller and Trumbore 1997), the camera at the
// origin. It works in object space, where vertices need no transformation.
func (f *frame) locate(s *surface, id uint32, x, y int) {
	it := &f.items[id>>7]
	d := &f.draws[it.draw]
	m := d.prim.Mesh
	s.d = d
	if d.prim.points {
		f.locatePoint(s, int(it.firstVertex+id&127), x, y)
		return
	}
	q := m.Triangles[it.firstTriangle+id&127]
	var p [3][3]float32
	for i := range 3 {
		s.vert[i] = int(it.firstVertex + q>>(8*i)&255)
		p[i] = m.Position(s.vert[i])
		if d.eyeOK {
			p[i] = sub(p[i], d.eye)
		} else {
			p[i] = d.toWorld(p[i])
		}
	}
	dir := ray(&d.rays, x, y)
	e1, e2 := sub(p[1], p[0]), sub(p[2], p[0])
	na, nu, nv := cross(e2, e1), cross(p[0], e2), cross(e1, p[0])
	da := dot(dir, na)
	inv := 1 / da
	u, v := clampf(dot(dir, nu)*inv, 0, 1), clampf(dot(dir, nv)*inv, 0, 1)
	s.weight = [3]float32{1 - u - v, u, v}
	s.back = da < 0
	s.facing = na
	if da > 0 {
		s.facing = [3]float32{-na[0], -na[1], -na[2]}
	}
	if !d.prim.mat.textured() {
		return
	}
	rx, ry := d.rays[1], d.rays[2]
	ax, ay := dot(rx, na), dot(ry, na)
	s.du = [2]float32{(dot(rx, nu) - float32(u*ax)) * inv, (dot(ry, nu) - float32(u*ay)) * inv}
	s.dv = [2]float32{(dot(rx, nv) - float32(v*ax)) * inv, (dot(ry, nv) - float32(v*ay)) * inv}
	if m.HasUV0 {
		s.uvSet(0, func(i, k int) float32 { return math.Float32frombits(m.Detail[4*s.vert[i]+k]) })
	}
	if m.UV1 != nil {
		s.uvSet(1, func(i, k int) float32 { return m.UV1[2*s.vert[i]+k] })
	}
}

// locatePoint makes point v of s.d the surface of pixel (x, y): all three corners of it.
func (f *frame) locatePoint(s *surface, v, x, y int) {
	s.vert, s.weight = [3]int{v, v, v}, [3]float32{1, 0, 0}
	p := s.d.prim
	if !p.HasNormals {
		return
	}
	n := [3]float32{s.top(p.Surface, 3, 21), s.top(p.Surface, 3, 10), s.top(p.Surface, 3, 0)}
	s.back = dot(ray(&[3][3]float32{f.ray0, f.rayX, f.rayY}, x, y), s.d.toNormal(n)) > 0
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

// ray is the direction of pixel (x, y).
func ray(rays *[3][3]float32, x, y int) (r [3]float32) {
	fx, fy := float32(x)+0.5, float32(y)+0.5
	for k := range 3 {
		r[k] = mad(fx, rays[1][k], mad(fy, rays[2][k], rays[0][k]))
	}
	return r
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

// top interpolates a signed field that shifting by up makes a word's top bits, with all the bits below it, unscaled.
func (s *surface) top(words []uint32, word, up int) float32 {
	var t [3]float32
	for i := range t {
		t[i] = float32(int32(words[4*s.vert[i]+word] << up))
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

// paintRows implements kernels.
func (scalar) paintRows(f *frame, y0, y1 int) {
	t := f.t
	half := t.sample == 0 && t.peeled == 0
	for y := y0; y < y1; y++ {
		row := t.color[y*t.colorStride:][:t.w+2*pixelPad]
		px := row[pixelPad:]
		for x := 0; x < t.w; x += 2 {
			px[x] = f.paint(x, y)
		}
		for x := 1; x < t.w; x += 2 {
			if half && x+1 < t.w && f.interpolates(x, y, px[x-1], px[x+1]) {
				px[x] = average2(px[x-1], px[x+1])
			} else {
				px[x] = f.paint(x, y)
			}
		}
		row[pixelPad-1], row[pixelPad+t.w] = row[pixelPad], row[pixelPad+t.w-1]
	}
}

// alike is the difference of a component from which on two pixels disagree.
const alike = 16

// interpolates reports whether pixel (x, y) of a moving view need not be shaded, because its neighbours l and r show the same
// cluster and look nearly the same (adaptive sampling, after Mitchell 1987). Textures may hold detail that both miss.
func (f *frame) interpolates(x, y int, l, r uint32) bool {
	ids := f.t.id[y*f.t.stride+x-1:]
	if ids[1] == noID || ids[0]>>7 != ids[1]>>7 || ids[2]>>7 != ids[1]>>7 || f.items[ids[1]>>7].textured {
		return false
	}
	for k := 0; k < 32; k += 8 {
		if absInt(int32(l>>k&255)-int32(r>>k&255)) >= alike {
			return false
		}
	}
	return true
}

func average2(a, b uint32) (out uint32) {
	for k := 0; k < 32; k += 8 {
		out |= (a>>k&255 + b>>k&255 + 1) >> 1 << k
	}
	return out
}

// paint shades pixel (x, y) of all layers.
func (f *frame) paint(x, y int) uint32 {
	t := f.t
	i := y*t.stride + x
	c := [7]float32{3: f.background[0], 4: f.background[1], 5: f.background[2]}
	if id := t.id[i]; id != noID {
		c = f.shade(id, x, y)
		if seen := &t.seen[id>>7]; !seen.Load() {
			seen.Store(true)
		}
	}
	for n := t.peeled - 1; n >= 0; n-- {
		if id := t.peels[n].id[i]; id != noID {
			front := f.shade(id, x, y)
			for k := range 6 {
				c[k] = float32(front[k]*front[6]) + float32(c[k]*(1-front[6]))
			}
		}
	}
	return f.encode(&c, x, y)
}

// shade evaluates triangle id at pixel (x, y). The result is radiance, three components that must appear as given (unlit),
// and coverage, which is 1 unless the material is blended. The pixel shows neutral(radiance) + the others.
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
	dir := ray(&[3][3]float32{f.ray0, f.rayX, f.rayY}, x, y)
	view := scale(dir, -1/sqrt(dot(dir, dir)))
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

	ndotv := dot(normal, view)
	nv := clampf(ndotv, 1e-3, 1)
	dfg := lookup(f.sky.dfg, 0, lutSize, float32(nv*(lutSize-1)), float32(rough*(lutSize-1)))
	scaleF, biasF, boost := dfg[0], dfg[1], float32(dfg[2]*maxBoost)
	twice := float32(2 * ndotv)
	var refl [3]float32
	for k := range refl {
		refl[k] = float32(twice*normal[k]) - view[k]
	}
	radiance := f.sky.radiance(refl, rough)
	irradiance := f.sky.irradiance(normal)
	var direct [3]float32
	if f.lit {
		direct = f.direct(normal, view, ndotv, nv, rough)
	}
	sky := float32(ao * f.skyIntensity)
	for k := range 3 {
		f0 := mad(base[k]-0.04, metallic, 0.04)
		diffuse := float32(base[k] * (1 - metallic))
		comp := mad(f0, boost, 1)
		e := float32(mad(f0, scaleF, biasF) * comp)
		c := float32((float32(float32((1-e)*diffuse)*irradiance[k]) + float32(e*radiance[k])) * sky)
		if f.lit {
			fresnel := mad(1-f0, direct[1], f0)
			spec := float32(direct[0]*fresnel) * comp
			c = mad(float32((1-fresnel)*diffuse)+spec, float32(direct[2]*f.lightColor[k]), c)
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

// direct returns pi*D*V, Schlick's (1-vh)^5, and n.l of the directional light: GGX with the approximation of
// height-correlated Smith masking that needs no square roots (Hammon 2017).
func (f *frame) direct(n, v [3]float32, ndotv, nv, rough float32) [3]float32 {
	ndotl := dot(n, f.toLight)
	nl := clampf(ndotl, 0, 1)
	h2 := maxf(mad(dot(v, f.toLight), 2, 2), 1e-6) // squared length of v+l, which vh is half the length of
	invLength := 1 / sqrt(h2)
	nh := clampf((ndotv+ndotl)*invLength, 0, 1)
	a := float32(rough * rough)
	a2 := float32(a * a)
	d := mad(float32(nh*nh), a2-1, 1)
	both := float32(float32(nl*nv) * 2)
	lambda := mad(nl+nv-both, a, both)
	dv := float32(a2*0.5) / maxf(float32(float32(d*d)*lambda), 1e-10)
	t := 1 - float32(float32(h2*0.5)*invLength)
	t2 := float32(t * t)
	return [3]float32{dv, float32(float32(t2*t2) * t), nl}
}

// toNormal is the unit world-space normal of an object-space one.
func (d *draw) toNormal(n [3]float32) [3]float32 {
	m := &d.normal
	return unit([3]float32{dot([3]float32(m[0:3]), n), dot([3]float32(m[3:6]), n), dot([3]float32(m[6:9]), n)})
}

// normal is the unit shading normal.
func (f *frame) normal(s *surface) [3]float32 {
	p := s.d.prim
	if !p.HasNormals {
		if !s.d.eyeOK {
			return unit(s.facing)
		}
		return s.d.toNormal(s.facing)
	}
	n := s.d.toNormal([3]float32{s.top(p.Surface, 3, 21), s.top(p.Surface, 3, 10), s.top(p.Surface, 3, 0)})
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

// lookup is bilinear; x is in 0..stride-1.
func lookup(cells []cell, first, stride int32, x, y float32) (c [3]float32) {
	fixed, yi := int32(x*32768), int32(y)
	w, fy := fixed&32767, y-float32(yi)
	i := first + yi*stride + fixed>>15
	up, down := &cells[i], &cells[i+stride]
	for k := range c {
		at := func(pair uint32) float32 { return float32(int32(pair&0xffff)*(32767-w) + int32(pair>>16)*w) }
		a := at(up[k])
		c[k] = mad(at(down[k])-a, fy, a) * (1.0 / (32767 * 32767))
	}
	return c
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
	c := lookup(s.specular, s.offset[level], n, u, v)
	for k := range c {
		c[k] = float32(c[k]*c[k]) * skyRange
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

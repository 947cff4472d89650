package cpu

import (
	"math"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// scalar is the Go twin of the kernels.
type scalar struct{}

// layer is a visibility buffer: for each pixel the nearest 1/w and what is there.
type layer struct {
	depth []float32
	id    []uint32
}

// corner is a projected vertex: fixed-point position (subpixels, y down) and 1/w.
type corner struct {
	x, y int64
	z    float32
}

// plane is 1/w over the screen: z + dx*(x - x0) + dy*(y - y0), held between the corners' values so that slivers cannot
// shoot out. Pixels are evaluated independently, not incrementally: the result does not depend on bands or vector width.
type plane struct {
	z, dx, dy, x0, y0, min, max float32
}

func (p *plane) at(x, y int) float32 {
	row := mad(p.dy, float32(y)-p.y0, p.z)
	return minf(maxf(mad(p.dx, float32(x)-p.x0, row), p.min), p.max)
}

// triangle is three corners set up for rasterisation: edge functions that are >= 0 inside at pixel centres, with the
// top-left rule folded in (Pineda 1988).
type triangle struct {
	plane
	a, b, e [3]int64 // step in x and y, and value at the centre of pixel (x0, y0)
	x0, x1  int      // pixels its box covers
	y0, y1  int
}

// setup returns false if v covers no pixel of rows y0 <= y < y1 or shows its back.
func (t *triangle) setup(v *[3]corner, twoSided bool, width, y0, y1 int) bool {
	area := (v[1].x-v[0].x)*(v[2].y-v[0].y) - (v[1].y-v[0].y)*(v[2].x-v[0].x)
	if area < 0 && twoSided {
		v[1], v[2] = v[2], v[1]
		area = -area
	}
	if area <= 0 {
		return false
	}
	minX, maxX := min(v[0].x, v[1].x, v[2].x), max(v[0].x, v[1].x, v[2].x)
	minY, maxY := min(v[0].y, v[1].y, v[2].y), max(v[0].y, v[1].y, v[2].y)
	const half = subpixel / 2
	t.x0, t.x1 = int(max((minX+half-1)>>8, 0)), int(min((maxX-half)>>8, int64(width)-1))
	t.y0, t.y1 = int(max((minY+half-1)>>8, int64(y0))), int(min((maxY-half)>>8, int64(y1)-1))
	if t.x0 > t.x1 || t.y0 > t.y1 {
		return false
	}
	px, py := int64(t.x0*subpixel+half), int64(t.y0*subpixel+half)
	for i := range 3 {
		p, q := &v[i], &v[(i+1)%3]
		a, b := p.y-q.y, q.x-p.x
		t.e[i] = a*(px-p.x) + b*(py-p.y)
		if a < 0 || a == 0 && b <= 0 {
			t.e[i]-- // not a top or left edge: a centre on it belongs to the neighbour
		}
		t.a[i], t.b[i] = a*subpixel, b*subpixel
	}
	k := float32(subpixel) / float32(area)
	z0, z1, z2 := v[0].z, v[1].z, v[2].z
	a0, a1, a2 := float32(v[0].y-v[1].y), float32(v[1].y-v[2].y), float32(v[2].y-v[0].y)
	b0, b1, b2 := float32(v[1].x-v[0].x), float32(v[2].x-v[1].x), float32(v[0].x-v[2].x)
	t.plane = plane{
		z:   z0,
		dx:  (float32(z0*a1) + float32(z1*a2) + float32(z2*a0)) * k,
		dy:  (float32(z0*b1) + float32(z1*b2) + float32(z2*b0)) * k,
		x0:  float32(v[0].x-half) * (1.0 / subpixel),
		y0:  float32(v[0].y-half) * (1.0 / subpixel),
		min: minf(z0, minf(z1, z2)),
		max: maxf(z0, maxf(z1, z2)),
	}
	return true
}

// span returns the pixels of row y that are inside, from > to if none.
func (t *triangle) span(y int) (from, to int) {
	from, to = t.x0, t.x1
	for i := range 3 {
		e, a := t.e[i]+t.b[i]*int64(y-t.y0), t.a[i]
		switch {
		case a > 0 && e < 0:
			from = max(from, t.x0+int(min((-e+a-1)/a, 1<<20)))
		case a < 0 && e < 0:
			return 1, 0
		case a < 0:
			to = min(to, t.x0+int(min(e/-a, 1<<20)))
		case a == 0 && e < 0:
			return 1, 0
		}
	}
	return from, to
}

// raster implements kernels.
func (scalar) raster(f *frame, items []uint32, y0, y1 int) {
	var cs [mesh.MaxVertices + 1]corner
	var t triangle
	for _, i := range items {
		it := &f.items[i]
		d := &f.draws[it.draw]
		p := d.prim
		c := &p.Clusters[it.cluster]
		for v := range int(c.Vertices) {
			x, y, w := d.project(p.Position(int(it.firstVertex) + v))
			iw := 1 / w
			cs[v] = corner{int64(roundInt(x * iw)), int64(roundInt(y * iw)), iw}
		}
		for k := range c.Triangles {
			q := p.Triangles[it.firstTriangle+k]
			v := [3]corner{cs[q&255], cs[q>>8&255], cs[q>>16]}
			if !d.flip { // the screen's y points down: counter-clockwise becomes clockwise
				v[1], v[2] = v[2], v[1]
			}
			if t.setup(&v, p.mat.DoubleSided, f.t.w, y0, y1) {
				t.fill(&f.t.layer, f.t.stride, i<<7|k)
			}
		}
	}
}

// project applies the clip matrix: x and y in subpixels times w, and w.
func (d *draw) project(p [3]float32) (x, y, w float32) {
	m := &d.clip
	x = float32(p[0]*m[0]) + float32(p[1]*m[1]) + float32(p[2]*m[2]) + m[3]
	y = float32(p[0]*m[4]) + float32(p[1]*m[5]) + float32(p[2]*m[6]) + m[7]
	w = float32(p[0]*m[8]) + float32(p[1]*m[9]) + float32(p[2]*m[10]) + m[11]
	return x, y, w
}

// fill draws t where it is nearer.
func (t *triangle) fill(l *layer, stride int, id uint32) {
	for y := t.y0; y <= t.y1; y++ {
		from, to := t.span(y)
		row := mad(t.dy, float32(y)-t.plane.y0, t.z)
		for x := from; x <= to; x++ {
			z := minf(maxf(mad(t.dx, float32(x)-t.plane.x0, row), t.min), t.max)
			if i := y*stride + x; z > l.depth[i] {
				l.depth[i], l.id[i] = z, id
			}
		}
	}
}

// rasterSlow draws one item of any kind into l: it clips, tests alpha, and if behind is not nil keeps only what lies
// behind that layer and in front of the opaque one (depth peeling). It reports whether it drew a pixel.
func (f *frame) rasterSlow(l *layer, i uint32, y0, y1 int, behind *layer, peel bool) (drew bool) {
	it := &f.items[i]
	d := &f.draws[it.draw]
	p := d.prim
	c := &p.Clusters[it.cluster]
	tested := p.mat.Alpha == scene.AlphaMask
	stride := f.t.stride
	var verts [mesh.MaxVertices + 1][3]float32
	for v := range int(c.Vertices) {
		verts[v][0], verts[v][1], verts[v][2] = d.project(p.Position(int(it.firstVertex) + v))
	}
	var t triangle
	var poly polygon
	for k := range c.Triangles {
		q := p.Triangles[it.firstTriangle+k]
		a, b, e := &verts[q&255], &verts[q>>8&255], &verts[q>>16]
		if !d.flip {
			b, e = e, b
		}
		poly.clip(a, b, e, float64(f.near))
		id := i<<7 | k
		for n := 2; n < poly.n; n++ {
			v := [3]corner{poly.corner(0), poly.corner(n - 1), poly.corner(n)}
			if !t.setup(&v, p.mat.DoubleSided, f.t.w, y0, y1) {
				continue
			}
			if !tested && !peel {
				t.fill(l, stride, id)
				continue
			}
			for y := t.y0; y <= t.y1; y++ {
				from, to := t.span(y)
				for x := from; x <= to; x++ {
					o, z := y*stride+x, t.at(x, y)
					if !(z > l.depth[o]) || peel && !(z > f.t.depth[o]) || behind != nil && !(z < behind.depth[o]) {
						continue
					}
					if tested && f.alpha(id, x, y) < p.mat.AlphaCutoff {
						continue
					}
					l.depth[o], l.id[o] = z, id
					drew = true
				}
			}
		}
	}
	return drew
}

// polygon is a triangle clipped by the near plane and the guard band, in homogeneous coordinates.
type polygon struct {
	v [9]clipVertex
	n int
}

// clipVertex is a point times w; source is the unclipped float32 vertex, nil for one made by clipping.
type clipVertex struct {
	x, y, w float64
	source  *[3]float32
}

// guard is the largest |x|, |y| in subpixels after clipping: edge functions of such corners fit in 62 bits.
const guard = 1 << 28

func (p *polygon) clip(a, b, c *[3]float32, near float64) {
	p.n = 0
	for _, v := range [3]*[3]float32{a, b, c} {
		cv := clipVertex{float64(v[0]), float64(v[1]), float64(v[2]), v}
		if s := (cv.x + cv.y + cv.w) * 0; s != 0 { // overflowed
			p.n = 0
			return
		}
		p.v[p.n] = cv
		p.n++
	}
	p.against(func(v *clipVertex) float64 { return v.w - near })
	p.against(func(v *clipVertex) float64 { return guard*v.w - v.x })
	p.against(func(v *clipVertex) float64 { return guard*v.w + v.x })
	p.against(func(v *clipVertex) float64 { return guard*v.w - v.y })
	p.against(func(v *clipVertex) float64 { return guard*v.w + v.y })
}

// against keeps the side where distance >= 0 (Sutherland and Hodgman 1974).
func (p *polygon) against(distance func(*clipVertex) float64) {
	inside := 0
	var d [9]float64
	for i := range p.n {
		if d[i] = distance(&p.v[i]); d[i] >= 0 {
			inside++
		}
	}
	if inside == p.n {
		return
	}
	old, n := p.v, p.n
	p.n = 0
	for i := range n {
		j := (i + 1) % n
		if d[i] >= 0 {
			p.v[p.n] = old[i]
			p.n++
		}
		if (d[i] >= 0) == (d[j] >= 0) {
			continue
		}
		// Always from the inside out: both triangles at an edge must compute the same point.
		in, out, din, dout := &old[i], &old[j], d[i], d[j]
		if din < 0 {
			in, out, din, dout = out, in, dout, din
		}
		s := din / (din - dout)
		p.v[p.n] = clipVertex{in.x + (out.x-in.x)*s, in.y + (out.y-in.y)*s, in.w + (out.w-in.w)*s, nil}
		p.n++
	}
}

// corner projects vertex i: exactly as the fast path does where that one could, so that clusters of both paths meet.
func (p *polygon) corner(i int) corner {
	v := &p.v[i]
	if v.source != nil {
		iw := 1 / v.source[2]
		x, y := v.source[0]*iw, v.source[1]*iw
		if abs(x) < maxSnapped-1 && abs(y) < maxSnapped-1 {
			return corner{int64(roundInt(x)), int64(roundInt(y)), iw}
		}
	}
	clampRound := func(x float64) int64 { return int64(math.RoundToEven(min(max(x, -guard), guard))) }
	return corner{clampRound(v.x / v.w), clampRound(v.y / v.w), float32(1 / v.w)}
}

// hz implements kernels.
func (scalar) hz(f *frame, tileY0, tileY1 int) {
	t := f.t
	for ty := tileY0; ty < tileY1; ty++ {
		for tx := range t.occ.w[0] {
			far := float32(math.MaxFloat32)
			for y := 8 * ty; y < min(8*ty+8, t.h); y++ {
				for _, z := range t.depth[y*t.stride+8*tx : y*t.stride+min(8*tx+8, t.w)] {
					far = minf(z, far)
				}
			}
			t.occ.far[0][ty*t.occ.w[0]+tx] = far
		}
	}
}

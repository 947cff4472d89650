package cpu

import (
	"math"
	"sync"
)

const (
	skyLevels = 12 // perceptual roughness 0, 1/11, ... 1
	skyRange  = 16 // radiance of a full-scale texel
	lutSize   = 32
	maxBoost  = 4 // of a full-scale entry
)

// sky is an image-based light, prefiltered. Specular radiance lies in octahedral maps, one a roughness level, whose
// outermost texels sit on the octahedron's edge: bilinear lookups never cross it. (An octahedral map holds what a cube
// would, in one texture without seams.)
type sky struct {
	sh       [9][3]float32 // irradiance over pi, basis constants folded in (Ramamoorthi and Hanrahan 2001)
	specular []cell        // sqrt(radiance/skyRange)
	offset   [skyLevels]int32
	size     [skyLevels]int32
	// dfg is the split-sum table (Karis 2013): F0's scale, bias, and the share maxBoost*b of F0 that makes up for what single
	// scattering loses (Turquin 2019); rows of n.v by rows of perceptual roughness, both sampled at i/(lutSize-1).
	dfg []cell
}

// cell is a texel of a table of three components in 0..1 (as 0..32767) and its right neighbour: a | b<<16 each. Tables end
// with a column and a row that repeat their neighbours, so that every position in them has a cell and one below.
type cell [4]uint32

// newTable makes rows of n cells, n+1 of them, from n*n texels.
func newTable(texels [][3]float64, n int) []cell {
	out := make([]cell, 0, n*(n+1))
	word := func(v float64) uint32 { return uint32(math.Round(min(max(v, 0), 1) * 32767)) }
	for y := range n + 1 {
		row := texels[min(y, n-1)*n:][:n]
		for x := range n {
			var c cell
			for k := range 3 {
				c[k] = word(row[x][k]) | word(row[min(x+1, n-1)][k])<<16
			}
			out = append(out, c)
		}
	}
	return out
}

// softbox is a round light of the studio: direction, the cosines where it is full and where it ends, radiance.
type softbox struct {
	dir          [3]float64
	inner, outer float64
	radiance     [3]float64
}

// studio is the built-in sky: a soft room, bright above, with a large key light, a fill and a rim light.
func studio() func(d [3]float64) [3]float64 {
	boxes := []softbox{
		{[3]float64{-0.466, 0.699, 0.543}, 0.95, 0.86, [3]float64{2.68, 2.6, 2.47}},
		{[3]float64{0.873, 0.321, 0.367}, 0.97, 0.88, [3]float64{1.01, 1.08, 1.19}},
		{[3]float64{0.169, 0.507, -0.845}, 0.96, 0.84, [3]float64{1.5, 1.5, 1.5}},
	}
	return func(d [3]float64) [3]float64 {
		base := 0.16 + 0.26*smoothstep(-0.6, 0.9, d[1]) + 0.05*max(0, 1-6*d[1]*d[1])
		c := [3]float64{base * 0.97, base * 0.99, base * 1.03}
		for i := range boxes {
			b := &boxes[i]
			cos := d[0]*b.dir[0] + d[1]*b.dir[1] + d[2]*b.dir[2]
			if cos <= b.outer {
				continue
			}
			a := smoothstep(b.outer, b.inner, cos)
			for k := range c {
				c[k] += a * b.radiance[k]
			}
		}
		return c
	}
}

// smoothstep goes from 0 at a to 1 at b.
func smoothstep(a, b, x float64) float64 {
	t := min(max((x-a)/(b-a), 0), 1)
	return t * t * (3 - 2*t)
}

func newStudioSky() *sky { return newSky(studio()) }

// newSky prefilters radiance.
func newSky(radiance func(dir [3]float64) [3]float64) *sky {
	s := &sky{}
	s.project(radiance)
	total := int32(0)
	for l := range skyLevels {
		s.size[l] = int32([skyLevels]int{96, 64, 48, 32, 24, 24, 24, 24, 16, 16, 16, 16}[l])
		s.offset[l] = total
		total += s.size[l] * (s.size[l] + 1)
	}
	s.specular = make([]cell, total)
	var wg sync.WaitGroup
	for l := range skyLevels {
		wg.Go(func() { s.prefilter(l, radiance) })
	}
	wg.Go(func() { s.dfg = splitSum() })
	wg.Wait()
	return s
}

// project fills the SH coefficients by summing over a latitude-longitude grid.
func (s *sky) project(radiance func([3]float64) [3]float64) {
	const rows, cols = 48, 96
	var sh [9][3]float64
	for i := range rows {
		y := 1 - 2*(float64(i)+0.5)/rows // equal areas
		r := math.Sqrt(1 - y*y)
		for j := range cols {
			sin, cos := math.Sincos(2 * math.Pi * (float64(j) + 0.5) / cols)
			d := [3]float64{r * cos, y, r * sin}
			c := radiance(d)
			for n, b := range shBasis(d) {
				for k := range 3 {
					sh[n][k] += c[k] * b * 4 * math.Pi / (rows * cols)
				}
			}
		}
	}
	// Cosine lobe (pi, 2pi/3, pi/4) over pi, times the basis constant that evaluation leaves out.
	norm := [9]float64{0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274}
	lobe := [9]float64{1, 2.0 / 3, 2.0 / 3, 2.0 / 3, 0.25, 0.25, 0.25, 0.25, 0.25}
	for n := range sh {
		for k := range 3 {
			s.sh[n][k] = float32(sh[n][k] * lobe[n] * norm[n])
		}
	}
}

func shBasis(d [3]float64) [9]float64 {
	x, y, z := d[0], d[1], d[2]
	return [9]float64{
		0.282095, 0.488603 * y, 0.488603 * z, 0.488603 * x,
		1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3*z*z - 1), 1.092548 * x * z, 0.546274 * (x*x - y*y),
	}
}

// prefilter convolves the sky with the GGX lobe of level l seen head-on (Karis 2013).
func (s *sky) prefilter(l int, radiance func([3]float64) [3]float64) {
	n := int(s.size[l])
	rough := float64(l) / (skyLevels - 1)
	texels := make([][3]float64, n*n)
	halves := sampleGGX(min(32*l+16, 256), rough*rough) // wide lobes need more samples, but vary slowly
	for y := range n {
		for x := range n {
			dir := octDecode(float64(x)/float64(n-1), float64(y)/float64(n-1))
			sum, weight := radiance(dir), 1.0
			if l > 0 {
				sum, weight = [3]float64{}, 0
				t, b := frameAround(dir)
				for _, h := range halves {
					w := 2*h[2]*h[2] - 1
					if w <= 0 {
						continue
					}
					var v [3]float64
					for k := range 3 {
						v[k] = 2*h[2]*(t[k]*h[0]+b[k]*h[1]+dir[k]*h[2]) - dir[k]
					}
					c := radiance(v)
					for k := range 3 {
						sum[k] += c[k] * w
					}
					weight += w
				}
			}
			for k := range 3 {
				texels[y*n+x][k] = math.Sqrt(sum[k] / weight / skyRange)
			}
		}
	}
	copy(s.specular[s.offset[l]:], newTable(texels, n))
}

// octDecode is the direction of octahedral map position (u, v) in 0..1, +Y in the middle (Cigolle et al. 2014).
func octDecode(u, v float64) [3]float64 {
	x, z := 2*u-1, 2*v-1
	y := 1 - math.Abs(x) - math.Abs(z)
	if y < 0 {
		x, z = math.Copysign(1-math.Abs(z), x), math.Copysign(1-math.Abs(x), z)
	}
	l := math.Sqrt(x*x + y*y + z*z)
	return [3]float64{x / l, y / l, z / l}
}

func frameAround(n [3]float64) (t, b [3]float64) {
	up := [3]float64{0, 1, 0}
	if math.Abs(n[1]) > 0.9 {
		up = [3]float64{1, 0, 0}
	}
	t = cross64(up, n)
	l := math.Sqrt(t[0]*t[0] + t[1]*t[1] + t[2]*t[2])
	for k := range t {
		t[k] /= l
	}
	return t, cross64(n, t)
}

// sampleGGX returns n half vectors distributed like GGX with the given alpha, around +Z (Hammersley points).
func sampleGGX(n int, alpha float64) [][3]float64 {
	out := make([][3]float64, n)
	for i := range out {
		u := (float64(i) + 0.5) / float64(n)
		cos := math.Sqrt((1 - u) / (1 + (alpha*alpha-1)*u))
		sin := math.Sqrt(1 - cos*cos)
		s, c := math.Sincos(2 * math.Pi * halton(i+1, 2))
		out[i] = [3]float64{sin * c, sin * s, cos}
	}
	return out
}

// halton is element i >= 1 of the van der Corput sequence in the given base.
func halton(i, base int) float64 {
	r, f := 0.0, 1.0
	for ; i > 0; i /= base {
		f /= float64(base)
		r += f * float64(i%base)
	}
	return r
}

// splitSum integrates the specular BRDF with the height-correlated Smith term over directions.
func splitSum() []cell {
	const samples = 128
	out := make([][3]float64, lutSize*lutSize)
	for r := range lutSize {
		rough := max(float64(r)/(lutSize-1), minRoughness)
		alpha := rough * rough
		a2 := alpha * alpha
		halves := sampleGGX(samples, alpha)
		for i := range lutSize {
			nv := max(float64(i)/(lutSize-1), 1e-3)
			v := [3]float64{math.Sqrt(1 - nv*nv), 0, nv}
			var scale, bias float64
			for _, h := range halves {
				vh := v[0]*h[0] + v[2]*h[2]
				nl := 2*vh*h[2] - v[2]
				if nl <= 0 || vh <= 0 {
					continue
				}
				vis := 0.5 / (nl*math.Sqrt(nv*nv*(1-a2)+a2) + nv*math.Sqrt(nl*nl*(1-a2)+a2))
				g := 4 * vis * nl * vh / h[2]
				q := (1 - vh) * (1 - vh)
				f := q * q * (1 - vh)
				scale += g * (1 - f)
				bias += g * f
			}
			scale, bias = scale/samples, bias/samples
			boost := 1/max(scale+bias, 0.05) - 1
			out[r*lutSize+i] = [3]float64{scale, bias, boost / maxBoost}
		}
	}
	return newTable(out, lutSize)
}

package cpu

import (
	"context"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	itemPoints = 128 // points of an item: as many as an id tells apart
	// A point is drawn as a square or, from discFrom subpixels of half its width, a disc that faces the camera.
	leastHalf = subpixel / 2
	discFrom  = 3 * subpixel / 2
	mostHalf  = 16 * subpixel
	mostGap   = 24 // pixels that points grow to while finer ones are being read
	// Points are drawn larger than the distance of their neighbours, since they are not in a regular grid: by overlap where there
	// are no more, so that nothing shows through, and by a little where there are more than can be told apart.
	overlap      = 2
	denseOverlap = 1.3
)

// newPoints makes the hierarchy of a cloud that came without one.
func (e *Engine) newPoints(ctx context.Context, sp *scene.Primitive, mat *material) (*prim, error) {
	p, err := mesh.Resident(ctx, sp, mesh.HierarchyOptions{Threads: 1})
	if err != nil {
		return nil, err
	}
	return e.newPaged(ctx, &scene.Primitive{Paged: p, Material: sp.Material}, mat)
}

// pointMaterial is how points look: lit only if they know their normals, which may point either way, and opaque.
func pointMaterial(m *material, hasNormals bool) *material {
	sm := *m.Material
	sm.Unlit = sm.Unlit || !hasNormals
	sm.DoubleSided, sm.Alpha = true, scene.AlphaOpaque
	return &material{Material: &sm}
}

// spacings returns of each cluster how far apart the points around its centre are when all levels are drawn, in object space.
func (p *paged) spacings() []float32 {
	out := make([]float32, len(p.Clusters))
	var stack []uint32
	for i := range p.Clusters {
		c := &p.Clusters[i]
		least := float32(math.MaxFloat32)
		stack = append(stack[:0], 0)
		for len(stack) > 0 {
			n := &p.Nodes[stack[len(stack)-1]]
			stack = stack[:len(stack)-1]
			if !holds(n.Center, n.Radius, c.Center) {
				continue
			}
			if !n.Leaf {
				for k := n.First; k < n.First+n.Count; k++ {
					stack = append(stack, k)
				}
				continue
			}
			for k := n.First; k < n.First+n.Count; k++ {
				if g := &p.Groups[k]; g.Error < least && holds(g.Center, g.Radius, c.Center) {
					least = g.Error
				}
			}
		}
		if least < math.MaxFloat32 {
			out[i] = least * 0.75 // of the levels above the finest it is least, with the finest about half as much
			continue
		}
		h := [3]float32(c.Half)
		slices.Sort(h[:])
		out[i] = 2 * sqrt(h[1]*h[2]/float32(max(c.Vertices, 1)))
	}
	return out
}

func holds(center geom.Vec3, radius float32, p geom.Vec3) bool {
	d := p.Sub(center)
	return d.Dot(d) <= radius*radius
}

// cullPoints adds a cluster of points to out if it may show.
func (f *frame) cullPoints(out *culled, di, ci int, at place) {
	d := &f.draws[di]
	c := d.prim.Clusters[ci]
	s := d.sphere(c.Center, c.Radius)
	// The size in pixels is what is left between points, by the data or by the tolerance.
	pixel := f.distance(&s) / d.lod.focal // in object space
	size := max(overlap*d.prim.spacing[ci], overlap*pixel*f.t.gap, denseOverlap*pixel*f.pointTolerance, pixel)
	for k := range c.Half {
		c.Half[k] += size
	}
	c.ConeCutoff = 2
	cand, ok := f.test(d, &c)
	if !ok {
		return
	}
	cand.draw, cand.cluster, cand.slow, cand.textured = uint32(di), uint32(ci), false, true
	cand.size = size * d.lod.focal * (subpixel / 2)
	list := &out.rest
	if f.t.visible[d.history+ci] {
		list = &out.first
	}
	for n := uint32(0); n < c.Vertices; n += itemPoints {
		cand.firstVertex, cand.firstTriangle = at.vertex+c.FirstVertex+n, min(c.Vertices-n, itemPoints)
		*list = append(*list, cand)
	}
}

// gapOf is how many pixels apart points are where pages are missing.
func gapOf(units []culled) (gap float32) {
	for i := range units {
		gap = max(gap, min(units[i].gap, mostGap))
	}
	return gap
}

// points implements kernels.
func (scalar) points(f *frame, items []uint32, y0, y1 int) {
	t := f.t
	for _, i := range items {
		it := &f.items[i]
		d := &f.draws[it.draw]
		for v := range it.firstTriangle {
			x, y, w := d.project(d.prim.Position(int(it.firstVertex + v)))
			iw := 1 / w
			x, y = x*iw, y*iw
			if !(w > f.near && abs(x) < maxSnapped-mostHalf && abs(y) < maxSnapped-mostHalf) {
				continue
			}
			px, py := roundInt(x), roundInt(y)
			h := int32(minf(maxf(it.size*iw, leastHalf), mostHalf))
			x0, x1 := max((px-h+127)>>8, 0), min((px+h-129)>>8, int32(t.w)-1)
			for row := max((py-h+127)>>8, int32(y0)); row <= min((py+h-129)>>8, int32(y1)-1); row++ {
				if h >= discFrom {
					dy := row*subpixel + subpixel/2 - py
					half := int32(sqrt(float32(h*h - dy*dy)))
					x0, x1 = max((px-half+127)>>8, 0), min((px+half-129)>>8, int32(t.w)-1)
				}
				for col := x0; col <= x1; col++ {
					if o := int(row)*t.stride + int(col); iw > t.depth[o] {
						t.depth[o], t.id[o] = iw, i<<7|v
					}
				}
			}
		}
	}
}

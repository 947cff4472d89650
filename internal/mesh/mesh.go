// Package mesh turns a primitive into clusters: spatially coherent groups of at most 128 triangles with bounds, laid out
// for SIMD. It does no drawing and keeps no state; Build is a pure function, so equal input gives equal output.
package mesh

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Limits of a cluster. A triangle's corners are 8-bit cluster-local indices, its own index takes 7 bits of a pixel's id.
const (
	MaxTriangles = 128
	MaxVertices  = 255
)

// maxCoordinate is half the range: differences of two coordinates must stay finite too.
const maxCoordinate = math.MaxFloat32 / 4

// Lane is how many vertices one block of Positions holds; every cluster starts at a multiple of it.
const Lane = 16

// Cluster is a group of neighbouring triangles.
type Cluster struct {
	Center        geom.Vec3 // of the box, object space
	Half          geom.Vec3 // half the box's edge lengths
	Radius        float32   // of the sphere around Center that holds every vertex
	ConeAxis      geom.Vec3 // mean facing
	ConeCutoff    float32   // sine of the normals' spread around ConeAxis; above 1 when they spread too far to cull by
	FirstVertex   uint32    // multiple of Lane
	FirstTriangle uint32
	Vertices      uint32 // <= MaxVertices
	Triangles     uint32 // <= MaxTriangles
}

// Mesh is a clustered primitive. Vertices shared between clusters are repeated; padding vertices repeat their cluster's last
// one. Positions are stored twice: by component for transforming whole clusters, by vertex for looking up single ones.
type Mesh struct {
	Clusters  []Cluster
	Positions []float32 // blocks of Lane vertices: x[Lane], y[Lane], z[Lane]
	// Surface has four words a vertex: the bits of x, y and z, then the normal as packed by packNormal.
	Surface []uint32
	// Detail has four words a vertex, or is nil where there is nothing to hold: the bits of u0 and v0, the tangent as signed
	// normalised x:10 y:10 z:10 and handedness:2, the colour as unsigned normalised r:8 g:8 b:8 a:8, r, g and b as square roots.
	Detail    []uint32
	UV1       []float32 // two a vertex, or nil
	Triangles []uint32  // a | b<<8 | c<<16, cluster-local, counter-clockwise
	Bounds    geom.AABB

	HasNormals, HasTangents, HasColors, HasUV0 bool
}

// NumVertices is the count with repeats and padding.
func (m *Mesh) NumVertices() int { return len(m.Positions) / 3 }

// Position returns vertex i, counted over the whole mesh.
func (m *Mesh) Position(i int) geom.Vec3 {
	b := i/Lane*3*Lane + i%Lane
	return geom.Vec3{m.Positions[b], m.Positions[b+Lane], m.Positions[b+2*Lane]}
}

// Build clusters p. Triangles that can never cover a pixel (two equal corners) or have no finite position are dropped. Missing tangents are
// derived from the UV set of the material's normal map.
func Build(p *scene.Primitive) *Mesh {
	tris := usable(p)
	order := split(p, tris)
	b := builder{p: p, m: &Mesh{Bounds: geom.Empty()}, local: make([]int32, len(p.Positions))}
	for i := range b.local {
		b.local[i] = -1
	}
	b.tangents = p.Tangents
	if b.tangents == nil && p.Material != nil && p.Material.NormalTex.Texture != nil {
		b.tangents = deriveTangents(p, tris)
	}
	b.m.HasNormals, b.m.HasTangents = p.Normals != nil, b.tangents != nil
	b.m.HasColors, b.m.HasUV0 = p.Colors != nil, p.UV0 != nil
	b.m.Triangles = make([]uint32, 0, len(order))
	var run [MaxTriangles][3]uint32
	for len(order) > 0 {
		n := min(MaxTriangles, len(order))
		for i, t := range order[:n] {
			run[i] = tris[t]
		}
		b.add(run[:n])
		order = order[n:]
	}
	return b.m
}

// usable returns the corner triples worth keeping.
func usable(p *scene.Primitive) [][3]uint32 {
	finite := make([]bool, len(p.Positions))
	for i, v := range p.Positions {
		finite[i] = isFinite(v)
	}
	tris := make([][3]uint32, 0, len(p.Indices)/3)
	for i := 0; i+2 < len(p.Indices); i += 3 {
		t := [3]uint32(p.Indices[i : i+3])
		if t[0] == t[1] || t[1] == t[2] || t[0] == t[2] || !finite[t[0]] || !finite[t[1]] || !finite[t[2]] {
			continue
		}
		tris = append(tris, t)
	}
	return tris
}

func isFinite(v geom.Vec3) bool {
	for _, c := range v {
		if !(c > -maxCoordinate && c < maxCoordinate) {
			return false
		}
	}
	return true
}

type builder struct {
	p        *scene.Primitive
	m        *Mesh
	tangents []geom.Vec4
	local    []int32 // source vertex -> cluster-local index, -1 outside the current cluster
}

// add appends the triangles as one cluster, or as several where they have too many corners.
func (b *builder) add(tris [][3]uint32) {
	c := Cluster{FirstVertex: uint32(b.m.NumVertices()), FirstTriangle: uint32(len(b.m.Triangles))}
	var verts [MaxVertices]uint32
	nv, nt := 0, 0
	for _, t := range tris {
		fresh := 0
		for _, v := range t {
			if b.local[v] < 0 {
				fresh++
			}
		}
		if nv+fresh > MaxVertices {
			break
		}
		var packed uint32
		for k, v := range t {
			if b.local[v] < 0 {
				b.local[v] = int32(nv)
				verts[nv] = v
				nv++
			}
			packed |= uint32(b.local[v]) << (8 * k)
		}
		b.m.Triangles = append(b.m.Triangles, packed)
		nt++
	}
	b.finish(&c, verts[:nv], tris[:nt])
	for _, v := range verts[:nv] {
		b.local[v] = -1
	}
	if nt < len(tris) {
		b.add(tris[nt:])
	}
}

// addPacked appends a cluster whose vertices are known: corners are indices into verts.
func (b *builder) addPacked(verts []uint32, tris [][3]uint32, corners [][3]uint8) {
	c := Cluster{FirstVertex: uint32(b.m.NumVertices()), FirstTriangle: uint32(len(b.m.Triangles))}
	for _, t := range corners {
		b.m.Triangles = append(b.m.Triangles, uint32(t[0])|uint32(t[1])<<8|uint32(t[2])<<16)
	}
	b.finish(&c, verts, tris)
}

func (b *builder) finish(c *Cluster, verts []uint32, tris [][3]uint32) {
	c.Vertices, c.Triangles = uint32(len(verts)), uint32(len(tris))
	b.vertices(verts)
	b.bounds(c, verts, tris)
	b.m.Clusters = append(b.m.Clusters, *c)
}

// vertices appends the attributes of verts, padded to a multiple of Lane.
func (b *builder) vertices(verts []uint32) {
	p, m := b.p, b.m
	var zeros [3 * Lane]float32
	for i := 0; i < (len(verts)+Lane-1)/Lane*Lane; i++ {
		v := verts[min(i, len(verts)-1)]
		if i%Lane == 0 {
			m.Positions = append(m.Positions, zeros[:]...)
		}
		block := m.Positions[len(m.Positions)-3*Lane:]
		pos := p.Positions[v]
		for k := range 3 {
			block[k*Lane+i%Lane] = pos[k]
		}
		var normal uint32
		if m.HasNormals {
			normal = packNormal(p.Normals[v])
		}
		m.Surface = append(m.Surface, math.Float32bits(pos[0]), math.Float32bits(pos[1]), math.Float32bits(pos[2]), normal)
		if m.HasUV0 || m.HasTangents || m.HasColors {
			d := b.detail(v)
			m.Detail = append(m.Detail, d[:]...)
		}
		if p.UV1 != nil {
			m.UV1 = append(m.UV1, finiteOr0(p.UV1[v][0]), finiteOr0(p.UV1[v][1]))
		}
	}
}

func (b *builder) detail(v uint32) [4]uint32 {
	d := [4]uint32{0, 0, 0, ^uint32(0)}
	if b.m.HasUV0 {
		d[0], d[1] = math.Float32bits(finiteOr0(b.p.UV0[v][0])), math.Float32bits(finiteOr0(b.p.UV0[v][1]))
	}
	if b.m.HasTangents {
		t := b.tangents[v]
		d[2] = snorm(t[0], 511)&0x3ff | snorm(t[1], 511)&0x3ff<<10 | snorm(t[2], 511)&0x3ff<<20 | snorm(t[3], 1)<<30
	}
	if b.m.HasColors {
		d[3] = 0
		for k, c := range b.p.Colors[v] {
			c = clamp(c, 0, 1)
			if k < 3 {
				c = float32(math.Sqrt(float64(c)))
			}
			d[3] |= uint32(math.Round(float64(c)*255)) << (8 * k)
		}
	}
	return d
}

func (b *builder) bounds(c *Cluster, verts []uint32, tris [][3]uint32) {
	pos := b.p.Positions
	e := emptyMinMax()
	for _, v := range verts {
		e.extend(vecOf(pos[v]))
	}
	box := e.box()
	b.m.Bounds = b.m.Bounds.Union(box)
	c.Center = box.Center()
	for k := range 3 {
		// Rounding must not make the box smaller than what it holds.
		c.Half[k] = nextUp(max(box.Max[k]-c.Center[k], c.Center[k]-box.Min[k]))
	}
	var r2 float64
	for _, v := range verts {
		r2 = max(r2, dist2(pos[v], c.Center))
	}
	c.Radius = nextUp(float32(math.Sqrt(r2)))
	c.ConeAxis, c.ConeCutoff = cone(pos, tris)
}

// cone bounds the triangles' normals: all lie within asin(cutoff) of axis.
func cone(pos []geom.Vec3, tris [][3]uint32) (axis geom.Vec3, cutoff float32) {
	var normals [MaxTriangles]geom.Vec3
	n := 0
	for _, t := range tris {
		g, ok := unitNormal(pos[t[0]], pos[t[1]], pos[t[2]])
		if !ok {
			continue // covers no area; the rasteriser drops it
		}
		normals[n] = g
		n++
		axis = axis.Add(g)
	}
	axis = axis.Normalize()
	least := float32(1)
	for _, g := range normals[:n] {
		least = min(least, g.Dot(axis))
	}
	if n == 0 || !(least > 0.1) {
		return geom.Vec3{}, 2
	}
	return axis, float32(math.Sqrt(float64(1-least*least))) + 1e-4
}

// unitNormal works in float64: cross products of small or large edges leave float32's range.
func unitNormal(a, b, c geom.Vec3) (geom.Vec3, bool) {
	ax, ay, az := float64(a[0]), float64(a[1]), float64(a[2])
	ex, ey, ez := float64(b[0])-ax, float64(b[1])-ay, float64(b[2])-az
	fx, fy, fz := float64(c[0])-ax, float64(c[1])-ay, float64(c[2])-az
	x, y, z := ey*fz-ez*fy, ez*fx-ex*fz, ex*fy-ey*fx
	l := math.Sqrt(x*x + y*y + z*z)
	if !(l > 1e-300) || math.IsInf(l, 0) {
		return geom.Vec3{}, false
	}
	l = 1 / l
	return geom.Vec3{float32(x * l), float32(y * l), float32(z * l)}, true
}

func dist(a, b geom.Vec3) float64 { return math.Sqrt(dist2(a, b)) }

// dist2 is the squared distance.
func dist2(a, b geom.Vec3) float64 {
	x, y, z := float64(a[0])-float64(b[0]), float64(a[1])-float64(b[1]), float64(a[2])-float64(b[2])
	return x*x + y*y + z*z
}

func nextUp(x float32) float32 { return math.Nextafter32(x, math.MaxFloat32) }

func finiteOr0(x float32) float32 {
	if math.Abs(float64(x)) < 1e9 {
		return x
	}
	return 0
}

// snorm is x in -1..1 as a two's complement integer of size full.
func snorm(x, full float32) uint32 { return uint32(int32(math.Round(float64(clamp(x, -1, 1) * full)))) }

// packNormal packs n into signed fields x:11 y:11 z:10, lowest first, such that the word shifted left until a field is on
// top, as an integer, is the component times 1023<<21: what lies below a field counts as its fraction.
func packNormal(n geom.Vec3) uint32 {
	x := packed(n[0], 0, 1023, 1024) & 0x7ff
	y := packed(n[1], float64(x)/(1<<11), 1023, 1024) & 0x7ff
	x |= y << 11
	z := packed(n[2], float64(x)/(1<<22), 511.5, 512) & 0x3ff
	return x | z<<22
}

// packed is v in -1..1 times full, less what the fields below count, to the nearest integer in -half..half-1.
func packed(v float32, below, full, half float64) uint32 {
	i := math.Floor(float64(clamp(v, -1, 1))*full - below + 0.5)
	return uint32(int32(min(max(i, -half), half-1)))
}

// clamp maps NaN to lo.
func clamp(x, lo, hi float32) float32 {
	if !(x > lo) {
		return lo
	}
	return min(x, hi)
}

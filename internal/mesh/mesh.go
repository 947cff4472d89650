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

// Mesh is a clustered primitive. Attribute slices are nil where the primitive has no such attribute; the others have two
// words a vertex. Vertices shared between clusters are repeated, padding vertices repeat their cluster's last one.
//
// Cluster LOD hooks in here: simplified levels become further Clusters with an error each.
type Mesh struct {
	Clusters  []Cluster
	Positions []float32 // blocks of Lane vertices: x[Lane], y[Lane], z[Lane]
	Normals   []uint32  // x | y<<16, z: 16-bit signed normalised
	Tangents  []uint32  // x | y<<16, z | w<<16: same; w is the handedness
	UV        [2][]float32
	Colors    []uint32 // r | g<<16, b | a<<16: 16-bit unsigned normalised, linear
	Triangles []uint32 // a | b<<8 | c<<16, cluster-local, counter-clockwise
	Bounds    geom.AABB
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
	b.m.Triangles = make([]uint32, 0, len(order))
	for len(order) > 0 {
		n := min(MaxTriangles, len(order))
		b.add(tris, order[:n])
		order = order[n:]
	}
	return b.m
}

// usable returns the corner triples worth keeping.
func usable(p *scene.Primitive) [][3]uint32 {
	finite := make([]bool, len(p.Positions))
	for i, v := range p.Positions {
		// Half the range: differences of two coordinates must stay finite too.
		finite[i] = true
		for _, c := range v {
			finite[i] = finite[i] && math.Abs(float64(c)) < math.MaxFloat32/4
		}
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

type builder struct {
	p        *scene.Primitive
	m        *Mesh
	tangents []geom.Vec4
	local    []int32 // source vertex -> cluster-local index, -1 outside the current cluster
}

// add appends the triangles as one cluster, or as several where they have too many corners.
func (b *builder) add(tris [][3]uint32, order []uint32) {
	c := Cluster{FirstVertex: uint32(b.m.NumVertices()), FirstTriangle: uint32(len(b.m.Triangles))}
	var verts [MaxVertices]uint32
	nv, nt := 0, 0
	for _, ti := range order {
		t := tris[ti]
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
	c.Vertices, c.Triangles = uint32(nv), uint32(nt)
	b.vertices(verts[:nv])
	b.bounds(&c, verts[:nv], tris, order[:nt])
	b.m.Clusters = append(b.m.Clusters, c)
	for _, v := range verts[:nv] {
		b.local[v] = -1
	}
	if nt < len(order) {
		b.add(tris, order[nt:])
	}
}

// vertices appends the attributes of verts, padded to a multiple of Lane.
func (b *builder) vertices(verts []uint32) {
	p, m := b.p, b.m
	for i := 0; i < (len(verts)+Lane-1)/Lane*Lane; i++ {
		v := verts[min(i, len(verts)-1)]
		if i%Lane == 0 {
			m.Positions = append(m.Positions, make([]float32, 3*Lane)...)
		}
		block := m.Positions[len(m.Positions)-3*Lane:]
		for k := range 3 {
			block[k*Lane+i%Lane] = p.Positions[v][k]
		}
		if p.Normals != nil {
			m.Normals = append(m.Normals, packSnorm(geom.Vec4{p.Normals[v][0], p.Normals[v][1], p.Normals[v][2], 0})...)
		}
		if b.tangents != nil {
			m.Tangents = append(m.Tangents, packSnorm(b.tangents[v])...)
		}
		for set, uv := range [2][]geom.Vec2{p.UV0, p.UV1} {
			if uv != nil {
				m.UV[set] = append(m.UV[set], finiteOr0(uv[v][0]), finiteOr0(uv[v][1]))
			}
		}
		if p.Colors != nil {
			c := p.Colors[v]
			m.Colors = append(m.Colors, unorm16(c[0])|unorm16(c[1])<<16, unorm16(c[2])|unorm16(c[3])<<16)
		}
	}
}

func (b *builder) bounds(c *Cluster, verts []uint32, tris [][3]uint32, order []uint32) {
	pos := b.p.Positions
	box := geom.Empty()
	for _, v := range verts {
		box = box.Extend(pos[v])
	}
	b.m.Bounds = b.m.Bounds.Union(box)
	c.Center = box.Center()
	for k := range 3 {
		// Rounding must not make the box smaller than what it holds.
		c.Half[k] = nextUp(max(box.Max[k]-c.Center[k], c.Center[k]-box.Min[k]))
	}
	var r float64
	for _, v := range verts {
		r = max(r, dist(pos[v], c.Center))
	}
	c.Radius = nextUp(float32(r))
	c.ConeAxis, c.ConeCutoff = cone(pos, tris, order)
}

// cone bounds the triangles' normals: all lie within asin(cutoff) of axis.
func cone(pos []geom.Vec3, tris [][3]uint32, order []uint32) (axis geom.Vec3, cutoff float32) {
	var normals [MaxTriangles]geom.Vec3
	n := 0
	for _, ti := range order {
		t := tris[ti]
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
	var e, f [3]float64
	for k := range 3 {
		e[k], f[k] = float64(b[k])-float64(a[k]), float64(c[k])-float64(a[k])
	}
	n := [3]float64{e[1]*f[2] - e[2]*f[1], e[2]*f[0] - e[0]*f[2], e[0]*f[1] - e[1]*f[0]}
	l := math.Sqrt(n[0]*n[0] + n[1]*n[1] + n[2]*n[2])
	if !(l > 0) || math.IsInf(l, 0) {
		return geom.Vec3{}, false
	}
	return geom.Vec3{float32(n[0] / l), float32(n[1] / l), float32(n[2] / l)}, true
}

func dist(a, b geom.Vec3) float64 {
	var s float64
	for k := range 3 {
		d := float64(a[k]) - float64(b[k])
		s += d * d
	}
	return math.Sqrt(s)
}

func nextUp(x float32) float32 { return math.Nextafter32(x, math.MaxFloat32) }

func finiteOr0(x float32) float32 {
	if math.Abs(float64(x)) < 1e9 {
		return x
	}
	return 0
}

func packSnorm(v geom.Vec4) []uint32 {
	var s [4]uint32
	for k, x := range v {
		s[k] = uint32(uint16(int16(math.Round(float64(clamp(x, -1, 1)) * 32767))))
	}
	return []uint32{s[0] | s[1]<<16, s[2] | s[3]<<16}
}

func unorm16(x float32) uint32 { return uint32(math.Round(float64(clamp(x, 0, 1)) * 65535)) }

// clamp maps NaN to lo.
func clamp(x, lo, hi float32) float32 {
	if !(x > lo) {
		return lo
	}
	return min(x, hi)
}

package asset_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// bumpySphere is a closed surface of 2*n*n triangles with every attribute that a hierarchy has.
func bumpySphere(n int, seed uint64, attributes bool) scene.Primitive {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := scene.Primitive{Material: scene.DefaultMaterial()}
	for y := range n + 1 {
		for x := range n + 1 {
			u, v := float64(x)/float64(n), float64(y)/float64(n)
			s, c := math.Sincos(2 * math.Pi * u)
			sv, cv := math.Sincos(math.Pi * v)
			dir := geom.Vec3{float32(c * sv), float32(cv), float32(-s * sv)}
			r := 1 + 0.05*float32(math.Sin(9*u)*math.Sin(7*v)) + 0.001*rng.Float32()
			p.Positions = append(p.Positions, dir.Mul(r).Add(geom.Vec3{10, 0, -3}))
			p.Normals = append(p.Normals, dir)
			if attributes {
				p.UV0 = append(p.UV0, geom.Vec2{float32(u), float32(v)})
				p.UV1 = append(p.UV1, geom.Vec2{float32(30 * u), float32(-v)})
				p.Tangents = append(p.Tangents, geom.Vec4{float32(-s), 0, float32(-c), float32(1 - 2*(x/4%2))})
				p.Colors = append(p.Colors, geom.Vec4{float32(u), float32(v), rng.Float32(), 1})
			}
		}
	}
	for y := range uint32(n) {
		for x := range uint32(n) {
			a := y*uint32(n+1) + x
			b := a + uint32(n+1)
			p.Indices = append(p.Indices, a, b, a+1, a+1, b, b+1)
		}
	}
	return p
}

// cloud is n points with colours in a cube.
func cloud(n int, seed uint64) scene.Primitive {
	rng := rand.New(rand.NewPCG(seed, 2))
	p := scene.Primitive{IsPoints: true, Material: scene.DefaultMaterial()}
	for range n {
		p.Positions = append(p.Positions, geom.Vec3{rng.Float32(), 100 * rng.Float32(), rng.Float32()})
		p.Colors = append(p.Colors, geom.Vec4{rng.Float32(), rng.Float32(), rng.Float32(), 1})
	}
	return p
}

// modelOf draws each primitive as a mesh of its own.
func modelOf(prims ...scene.Primitive) *scene.Model {
	m := &scene.Model{Name: "test"}
	for i, p := range prims {
		ms := &scene.Mesh{Primitives: []scene.Primitive{p}}
		ms.Measure()
		m.Meshes = append(m.Meshes, ms)
		m.Materials = append(m.Materials, p.Material)
		m.Nodes = append(m.Nodes, scene.Node{Parent: -1, Local: geom.Identity(), Mesh: i})
		m.Roots = append(m.Roots, i)
	}
	m.Measure()
	return m
}

// readPages reads all pages of an asset.
func readPages(t *testing.T, f *asset.File) []mesh.Page {
	t.Helper()
	var pages []mesh.Page
	for i, info := range f.Pages() {
		p := mesh.Page{
			Positions: make([]float32, 3*info.Vertices), Surface: make([]uint32, 4*info.Vertices), Triangles: make([]uint32, info.Triangles),
		}
		if info.Detail {
			p.Detail = make([]uint32, 4*info.Vertices)
		}
		if info.UV1 {
			p.UV1 = make([]float32, 2*info.Vertices)
		}
		if err := f.ReadPage(t.Context(), i, p); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, p)
	}
	return pages
}

// vertex is a vertex as a page has it.
type vertex struct {
	pos     geom.Vec3
	normal  geom.Vec3
	uv, uv1 geom.Vec2
	tangent geom.Vec4
	color   uint32
}

func vertexOf(p mesh.Page, i int) (v vertex) {
	w := p.Surface[4*i:]
	v.pos = geom.Vec3{math.Float32frombits(w[0]), math.Float32frombits(w[1]), math.Float32frombits(w[2])}
	const full = 1023 << 21
	v.normal = geom.Vec3{float32(int32(w[3]<<21)) / full, float32(int32(w[3]<<10)) / full, float32(int32(w[3])) / full}
	if p.Detail != nil {
		d := p.Detail[4*i:]
		v.uv = geom.Vec2{math.Float32frombits(d[0]), math.Float32frombits(d[1])}
		v.tangent = geom.Vec4{float32(int32(d[2]<<22)>>22) / 511, float32(int32(d[2]<<12)>>22) / 511, float32(int32(d[2]<<2)>>22) / 511,
			float32(int32(d[2]) >> 30)}
		v.color = d[3]
	}
	if p.UV1 != nil {
		v.uv1 = geom.Vec2{p.UV1[2*i], p.UV1[2*i+1]}
	}
	return v
}

// TestPages compares every cluster of an asset with what the builder handed out: vertices within the error of their grids,
// the same triangles, and bounds that hold.
func TestPages(t *testing.T) {
	prims := []scene.Primitive{bumpySphere(50, 1, true), cloud(8000, 2), bumpySphere(30, 3, false), bumpySphere(3, 4, false), cloud(1, 5)}
	m := modelOf(prims...)
	f, sum, _ := write(t, m, asset.WriteOptions{})
	pages := readPages(t, f)
	if sum.RawPageBytes == 0 || sum.Pages != len(pages) {
		t.Errorf("summary %+v with %d pages", sum, len(pages))
	}
	for i := range prims {
		got := f.Model().Meshes[i].Primitives[0]
		p := got.Paged.(*mesh.Paged)
		box := m.Meshes[i].Bounds
		size := box.Size()
		greatest := max(box.Max[0], box.Max[1], box.Max[2], -box.Min[0], -box.Min[1], -box.Min[2])
		step := math.Ldexp(1, max(math.Ilogb(float64(max(size[0], size[1], size[2], 1e-9)))-22, math.Ilogb(float64(greatest))-23))
		triangles, points := int64(0), int64(0)
		build := mesh.BuildHierarchy
		if got.IsPoints {
			build = mesh.BuildPoints
		}
		group := 0
		err := build(t.Context(), &prims[i], mesh.HierarchyOptions{}, func(g mesh.Group, members *mesh.Mesh, makers []int32) error {
			have := p.Groups[group]
			if have.Error != g.Error || have.Center != g.Center || have.Radius < g.Radius || int(have.Clusters) != len(members.Clusters) {
				return fmt.Errorf("group %d is %+v, want %+v", group, have, g)
			}
			if !slices.Equal(p.Makers[have.FirstCluster:][:have.Clusters], makers) {
				return fmt.Errorf("group %d has other makers", group)
			}
			want := mesh.Page{Surface: members.Surface, Detail: members.Detail, UV1: members.UV1, Triangles: members.Triangles}
			for k, c := range members.Clusters {
				if makers[k] < 0 {
					triangles += int64(c.Triangles)
				}
				if got.IsPoints {
					points += int64(c.Vertices)
				}
				if err := compareCluster(pages[have.Page], p.Clusters[int(have.FirstCluster)+k], want, c, step); err != nil {
					return fmt.Errorf("group %d, cluster %d: %w", group, k, err)
				}
			}
			group++
			return nil
		})
		if err != nil {
			t.Errorf("primitive %d: %v", i, err)
		}
		if got.IsPoints != prims[i].IsPoints || got.Triangles() != triangles || got.NumPoints() != points {
			t.Errorf("primitive %d has %d triangles and %d points, want %d and %d", i, got.Triangles(), got.NumPoints(), triangles, points)
		}
		if group != len(p.Groups) {
			t.Errorf("primitive %d has %d groups, want %d", i, len(p.Groups), group)
		}
	}
}

func compareCluster(page mesh.Page, g mesh.Cluster, wantPage mesh.Page, w mesh.Cluster, step float64) error {
	if g.Vertices != w.Vertices || g.Triangles != w.Triangles {
		return fmt.Errorf("%d vertices and %d triangles, want %d and %d", g.Vertices, g.Triangles, w.Vertices, w.Triangles)
	}
	var got, want []vertex
	for i := range int(g.Vertices) {
		got = append(got, vertexOf(page, int(g.FirstVertex)+i))
		want = append(want, vertexOf(wantPage, int(w.FirstVertex)+i))
	}
	for i := int(g.Vertices); i%mesh.Lane != 0; i++ {
		if vertexOf(page, int(g.FirstVertex)+i) != got[len(got)-1] {
			return fmt.Errorf("the padding does not repeat the last vertex")
		}
	}
	for i, v := range got {
		at := int(g.FirstVertex) + i
		b := at/mesh.Lane*3*mesh.Lane + at%mesh.Lane
		for k := range 3 {
			if page.Positions[b+k*mesh.Lane] != v.pos[k] {
				return fmt.Errorf("vertex %d has two positions", i)
			}
			if d := math.Abs(float64(v.pos[k]) - float64(g.Center[k])); d > float64(g.Half[k]) {
				return fmt.Errorf("vertex %d is outside of the box", i)
			}
		}
		if float64(v.pos.Sub(g.Center).Len()) > float64(g.Radius)*(1+1e-6) {
			return fmt.Errorf("vertex %d is outside of the sphere", i)
		}
	}
	// The codec changes the order of vertices and triangles, so every corner must find its like.
	corners := func(p mesh.Page, c mesh.Cluster, vs []vertex) (out []vertex) {
		if c.Triangles == 0 {
			return slices.Clone(vs)
		}
		for _, t := range p.Triangles[c.FirstTriangle:][:c.Triangles] {
			out = append(out, vs[t&0xff], vs[t>>8&0xff], vs[t>>16])
		}
		return out
	}
	left := corners(wantPage, w, want)
	for _, v := range corners(page, g, got) {
		err := fmt.Errorf("no corner is left")
		i := slices.IndexFunc(left, func(w vertex) bool {
			if v.pos.Sub(w.pos).Len() > float32(2*step) {
				return false
			}
			err = compareVertex(v, w, step)
			return err == nil
		})
		if i < 0 {
			return fmt.Errorf("corner at %v: %w", v.pos, err)
		}
		left = slices.Delete(left, i, i+1)
	}
	return coneHolds(page, g, got)
}

func compareVertex(g, w vertex, step float64) error {
	for k := range 3 {
		if math.Abs(float64(g.pos[k])-float64(w.pos[k])) > step/2 {
			return fmt.Errorf("position %v, want %v", g.pos, w.pos)
		}
	}
	for k := range 2 {
		if math.Abs(float64(g.uv[k]-w.uv[k])) > 1.0/(1<<17) || math.Abs(float64(g.uv1[k]-w.uv1[k])) > 1.0/(1<<17) {
			return fmt.Errorf("texture coordinates %v %v, want %v %v", g.uv, g.uv1, w.uv, w.uv1)
		}
	}
	angle := func(a, b geom.Vec3) float64 { return float64(a.Normalize().Sub(b.Normalize()).Len()) * 180 / math.Pi }
	if d := angle(g.normal, w.normal); d > 0.12 {
		return fmt.Errorf("a normal is off by %.3f degrees", d)
	}
	tg, tw := geom.Vec3(g.tangent[:3]), geom.Vec3(w.tangent[:3])
	if d := angle(tg, tw); d > 0.4 || g.tangent[3] != w.tangent[3] {
		return fmt.Errorf("tangent %v, want %v, is off by %.3f degrees", g.tangent, w.tangent, d)
	}
	if g.color != w.color {
		return fmt.Errorf("colour %x, want %x", g.color, w.color)
	}
	return nil
}

// coneHolds checks that all triangles face within the cone.
func coneHolds(p mesh.Page, c mesh.Cluster, vs []vertex) error {
	if c.ConeCutoff > 1 {
		return nil
	}
	for i, t := range p.Triangles[c.FirstTriangle:][:c.Triangles] {
		a, b, d := vs[t&0xff].pos, vs[t>>8&0xff].pos, vs[t>>16].pos
		n := b.Sub(a).Cross(d.Sub(a))
		if l := n.Len(); l > 1e-12 {
			if cos := float64(n.Dot(c.ConeAxis) / l); cos < math.Sqrt(1-float64(c.ConeCutoff)*float64(c.ConeCutoff))-1e-3 {
				return fmt.Errorf("triangle %d faces out of the cone: %v, cutoff %v", i, cos, c.ConeCutoff)
			}
		}
	}
	return nil
}

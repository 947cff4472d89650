package mesh

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	// proxyModel is how many nodes with meshes a model has at least to get proxies: fewer are drawn quickly as they are.
	proxyModel = 256
	// A cell has at most cellParts nodes, so that it is small against its distance where it is used; one of less than leastParts
	// nodes saves nothing.
	cellParts  = 256
	leastParts = 16
	// partTriangles is what a node may have at the coarsest level. Others have much to show, or hierarchies that got stuck.
	partTriangles = 32
	// leastError is what the error of a part of full detail counts as, of its radius: near by, parts hide each other one by one.
	leastError = 1.0 / 16
	// proxyTriangles bounds what all proxies of a model hold: about 80 MB.
	proxyTriangles = 2 << 20
)

// Proxies makes proxies for the nodes of a model of very many parts, whose primitives are hierarchies: neighbours of like error
// as one mesh, of the coarsest level of each. It reads the pages of the roots, and is a pure function of the model.
func Proxies(ctx context.Context, m *scene.Model) ([]scene.Proxy, error) {
	parts := proxyParts(m)
	if len(parts) < proxyModel {
		return nil, nil
	}
	// By error first, in steps of a root of two: what is coarse does not keep others from being used.
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.class, b.class) })
	r := &rootReader{ctx: ctx, pages: map[pageOf]Page{}, roots: map[*Paged]*scene.Primitive{}}
	var out []scene.Proxy
	for left := proxyTriangles; len(parts) > 0; {
		n := 1
		for n < len(parts) && parts[n].class == parts[0].class {
			n++
		}
		for _, cell := range cells(nil, parts[:n]) {
			for i := range cell {
				left -= cell[i].triangles
			}
			if left < 0 {
				return out, nil
			}
			p, err := r.proxy(m, cell)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		parts = parts[n:]
	}
	return out, nil
}

// part is a node that a proxy can stand for.
type part struct {
	node      int
	world     geom.Mat4 // to model space
	box       geom.AABB // model space
	radius    float32
	err       float32
	class     int // of err
	triangles int // of the coarsest level
}

// proxyParts lists the nodes that proxies can stand for, in preorder.
func proxyParts(m *scene.Model) (parts []part) {
	coarse := make([]part, len(m.Meshes)) // what nodes with the mesh have in common; negative triangles = not good for it
	for i, ms := range m.Meshes {
		coarse[i] = coarsest(ms)
	}
	world := make([]geom.Mat4, len(m.Nodes))
	for stack := slices.Clone(m.Roots); len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := &m.Nodes[i]
		stack = append(stack, n.Children...)
		world[i] = n.Local
		if n.Parent >= 0 {
			world[i] = world[n.Parent].Mul(n.Local)
		}
		if n.Mesh < 0 || n.Skin > 0 || coarse[n.Mesh].triangles < 0 {
			continue
		}
		p := coarse[n.Mesh]
		longest, all := stretch(&world[i])
		p.node, p.world, p.box = i, world[i], p.box.Transform(world[i])
		p.radius *= all
		p.err = max(p.err*longest, p.radius*leastError)
		if !isFinite(p.box.Min) || !isFinite(p.box.Max) || !(p.err < maxCoordinate) || !(p.radius < maxCoordinate) {
			continue
		}
		p.class = math.MinInt
		if p.err > 0 {
			p.class = int(math.Floor(2 * math.Log2(float64(p.err))))
		}
		parts = append(parts, p)
	}
	return parts
}

// coarsest describes the coarsest level of a mesh.
func coarsest(ms *scene.Mesh) part {
	none := part{triangles: -1}
	p := part{box: ms.Bounds}
	for i := range ms.Primitives {
		h, ok := ms.Primitives[i].Paged.(*Paged)
		if !ok || h.FullPoints > 0 || ms.Primitives[i].Material.Alpha == scene.AlphaBlend {
			return none
		}
		for g := range h.rootGroups() {
			for c := g.FirstCluster; c < g.FirstCluster+g.Clusters; c++ {
				p.triangles += int(h.Clusters[c].Triangles)
				if maker := h.Makers[c]; maker >= 0 {
					p.err = max(p.err, h.Groups[maker].Error)
				}
			}
		}
	}
	if p.triangles == 0 || p.triangles > partTriangles {
		return none
	}
	p.radius = ms.Bounds.Size().Len() / 2
	return p
}

// rootGroups are the groups that nothing replaces.
func (p *Paged) rootGroups() func(yield func(*Group) bool) {
	return func(yield func(*Group) bool) {
		for i := range p.Groups {
			if g := &p.Groups[i]; math.IsInf(float64(g.Error), 1) && !yield(g) {
				return
			}
		}
	}
}

// stretch bounds by how much m makes a vector longer (the greatest sum of a row of its Gram matrix; Gershgorin), and by how much
// any vectors together (the root of the sum of squares).
func stretch(m *geom.Mat4) (longest, all float32) {
	var most, sum float64
	for i := range 3 {
		row := 0.0
		for j := range 3 {
			g := 0.0
			for k := range 3 {
				g += float64(m[4*i+k]) * float64(m[4*j+k])
			}
			row += math.Abs(g)
			if i == j {
				sum += g
			}
		}
		most = max(most, row)
	}
	return float32(math.Sqrt(most) * (1 + 1e-6)), float32(math.Sqrt(sum) * (1 + 1e-6))
}

// cells halves parts along the longest side of their centres' box until they are few enough. It sorts them.
func cells(out [][]part, parts []part) [][]part {
	if len(parts) < leastParts {
		return out
	}
	if len(parts) <= cellParts {
		return append(out, parts)
	}
	box := geom.Empty()
	for i := range parts {
		box = box.Extend(parts[i].box.Center())
	}
	axis, size := 0, box.Size()
	for k := range 3 {
		if size[k] > size[axis] {
			axis = k
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.box.Center()[axis], b.box.Center()[axis]), cmp.Compare(a.node, b.node))
	})
	half := len(parts) / 2
	return cells(cells(out, parts[:half]), parts[half:])
}

// rootReader reads the coarsest level of hierarchies, each once.
type rootReader struct {
	ctx   context.Context
	pages map[pageOf]Page
	roots map[*Paged]*scene.Primitive
}

type pageOf struct {
	source PageSource
	page   uint32
}

// proxy merges the parts of a cell.
func (r *rootReader) proxy(m *scene.Model, cell []part) (scene.Proxy, error) {
	out := scene.Proxy{Mesh: &scene.Mesh{Name: "proxy"}, Bounds: geom.Empty()}
	type kind struct {
		material *scene.Material
		layout   [4]bool // primitives of equal attributes are merged
	}
	at := map[kind]int{}
	for i := range cell {
		c := &cell[i]
		out.Nodes = append(out.Nodes, c.node)
		out.Bounds = out.Bounds.Union(c.box)
		out.Error, out.Part = max(out.Error, c.err), max(out.Part, c.radius)
		ms := m.Meshes[m.Nodes[c.node].Mesh]
		for k := range ms.Primitives {
			src, err := r.read(ms.Primitives[k].Paged.(*Paged))
			if err != nil {
				return out, err
			}
			id := kind{ms.Primitives[k].Material, [4]bool{src.Normals != nil, src.UV0 != nil, src.UV1 != nil, src.Colors != nil}}
			n, ok := at[id]
			if !ok {
				n = len(out.Mesh.Primitives)
				at[id] = n
				out.Mesh.Primitives = append(out.Mesh.Primitives, scene.Primitive{Material: id.material})
			}
			merge(&out.Mesh.Primitives[n], src, &c.world)
		}
	}
	out.Mesh.Measure()
	return out, nil
}

// merge appends src, placed by world.
func merge(dst, src *scene.Primitive, world *geom.Mat4) {
	base := uint32(len(dst.Positions))
	for _, v := range src.Positions {
		dst.Positions = append(dst.Positions, world.Point(v))
	}
	// Normals are turned by the cofactors: the inverse transpose times the determinant, whose sign tells a mirror.
	x, y, z := geom.Vec3(world[0:3]), geom.Vec3(world[4:7]), geom.Vec3(world[8:11])
	cofactors := [3]geom.Vec3{y.Cross(z), z.Cross(x), x.Cross(y)}
	mirrored := x.Dot(cofactors[0]) < 0
	for _, n := range src.Normals {
		v := cofactors[0].Mul(n[0]).Add(cofactors[1].Mul(n[1])).Add(cofactors[2].Mul(n[2])).Normalize()
		if mirrored {
			v = v.Mul(-1)
		}
		dst.Normals = append(dst.Normals, v)
	}
	dst.UV0, dst.UV1 = append(dst.UV0, src.UV0...), append(dst.UV1, src.UV1...)
	dst.Colors = append(dst.Colors, src.Colors...)
	for i := 0; i+2 < len(src.Indices); i += 3 {
		a, b, c := src.Indices[i], src.Indices[i+1], src.Indices[i+2]
		if mirrored {
			b, c = c, b
		}
		dst.Indices = append(dst.Indices, base+a, base+b, base+c)
	}
}

// read returns the coarsest level of h, without a material.
func (r *rootReader) read(h *Paged) (*scene.Primitive, error) {
	if p := r.roots[h]; p != nil {
		return p, nil
	}
	p := &scene.Primitive{}
	for g := range h.rootGroups() {
		page, err := r.page(h, g.Page)
		if err != nil {
			return nil, err
		}
		for _, c := range h.Clusters[g.FirstCluster : g.FirstCluster+g.Clusters] {
			base := uint32(len(p.Positions))
			for v := c.FirstVertex; v < c.FirstVertex+c.Vertices; v++ {
				h.appendVertex(p, page, v)
			}
			for _, t := range page.Triangles[c.FirstTriangle : c.FirstTriangle+c.Triangles] {
				p.Indices = append(p.Indices, base+t&255, base+t>>8&255, base+t>>16&255)
			}
		}
	}
	r.roots[h] = p
	return p, nil
}

// appendVertex appends vertex v of a page of p, but for its tangent, which bears on nothing at the size of a proxy's parts.
func (p *Paged) appendVertex(dst *scene.Primitive, page *Page, v uint32) {
	s := page.Surface[4*v : 4*v+4]
	dst.Positions = append(dst.Positions, geom.Vec3{math.Float32frombits(s[0]), math.Float32frombits(s[1]), math.Float32frombits(s[2])})
	if p.HasNormals {
		dst.Normals = append(dst.Normals, unpackNormal(s[3]))
	}
	if p.HasUV0 {
		dst.UV0 = append(dst.UV0, geom.Vec2{math.Float32frombits(page.Detail[4*v]), math.Float32frombits(page.Detail[4*v+1])})
	}
	if p.HasUV1 {
		dst.UV1 = append(dst.UV1, geom.Vec2{page.UV1[2*v], page.UV1[2*v+1]})
	}
	if p.HasColors {
		var c geom.Vec4
		for k := range c {
			c[k] = float32(page.Detail[4*v+3]>>(8*k)&255) / 255
			if k < 3 {
				c[k] *= c[k]
			}
		}
		dst.Colors = append(dst.Colors, c)
	}
}

// unpackNormal is the inverse of packNormal.
func unpackNormal(w uint32) geom.Vec3 {
	const one = 1023 << 21
	return geom.Vec3{float32(int32(w<<21)) / one, float32(int32(w<<10)) / one, float32(int32(w)) / one}.Normalize()
}

// page reads a page, once. That tables fit to their pages is for those to check that make them of a file.
func (r *rootReader) page(h *Paged, i uint32) (*Page, error) {
	info := &h.Source.Pages()[i]
	id := pageOf{h.Source, i}
	p, ok := r.pages[id]
	if !ok {
		p = Page{
			Positions: make([]float32, 3*info.Vertices), Surface: make([]uint32, 4*info.Vertices), Triangles: make([]uint32, info.Triangles),
		}
		if info.Detail {
			p.Detail = make([]uint32, 4*info.Vertices)
		}
		if info.UV1 {
			p.UV1 = make([]float32, 2*info.Vertices)
		}
		if err := h.Source.ReadPage(r.ctx, int(i), p); err != nil {
			return nil, fmt.Errorf("mesh: page %d: %w", i, err)
		}
		r.pages[id] = p
	}
	return &p, nil
}

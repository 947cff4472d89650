package fbx

import (
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// vertex is all that makes a corner differ from others at its control point.
type vertex struct {
	normal  geom.Vec3
	uv      [2]geom.Vec2
	color   geom.Vec4
	tangent geom.Vec4
}

// longChain bounds the search for an equal vertex, which a hostile file could make long.
const longChain = 64

// weld makes the primitives of a surface, one for each material slot in use, and returns the control points of their vertices.
func (b *builder) weld(s *surface) ([][]int32, error) {
	order, starts := b.bySlot()
	head := make([]int32, len(b.soup.Positions)) // the last vertex made at a control point, counted over all parts, plus 1
	var next []int32                             // the one before it
	var points [][]int32
	made := int32(0)
	for k, start := range starts {
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		end := len(order)
		if k+1 < len(starts) {
			end = starts[k+1]
		}
		base := made
		next = next[:0]
		var vertices []vertex
		var at []int32
		indices := make([]uint32, 0, 3*(end-start))
		for _, t := range order[start:end] {
			for c := 3 * t; c < 3*t+3; c++ {
				v := b.vertex(c)
				p := b.soup.Corners[c].Position
				i, steps := head[p]-1, 0
				for i >= base && steps < longChain && vertices[i-base] != v {
					i, steps = next[i-base], steps+1
				}
				if i < base || steps == longChain {
					i = made
					next = append(next, head[p]-1)
					vertices, at = append(vertices, v), append(at, p)
					made++
					head[p] = made
				}
				indices = append(indices, uint32(i-base))
			}
		}
		s.triangles += int64(end - start)
		s.parts = append(s.parts, part{slot: int(b.slots[order[start]]), primitive: b.primitive(vertices, at, indices)})
		points = append(points, at)
	}
	return points, nil
}

// bySlot sorts the triangles by their slots, and returns where each slot starts.
func (b *builder) bySlot() (order []int32, starts []int) {
	counts := map[int32]int{}
	var slots []int32 // in the order of their first use
	for _, s := range b.slots {
		if counts[s] == 0 {
			slots = append(slots, s)
		}
		counts[s]++
	}
	fill := map[int32]int{}
	n := 0
	for _, s := range slots {
		fill[s] = n
		starts = append(starts, n)
		n += counts[s]
	}
	order = make([]int32, n)
	for t, s := range b.slots {
		order[fill[s]] = int32(t)
		fill[s]++
	}
	return order, starts
}

// vertex collects what a corner of the soup refers to.
func (b *builder) vertex(c int32) vertex {
	k := b.soup.Corners[c]
	v := vertex{normal: b.soup.Normals[k.Normal]}
	if b.uvs[0] != nil {
		v.uv[0] = b.uvs[0].uv(k.UV)
	}
	face := b.faces[c/3]
	if b.uvs[1] != nil {
		v.uv[1] = b.uvs[1].uv(b.uvs[1].at(int(face), int(b.corner[c]), int(k.Position)))
	}
	if b.colors != nil {
		v.color = b.colors.color(k.Color)
	}
	if b.tangents != nil && b.binormals != nil {
		v.tangent = b.tangent(int(face), int(b.corner[c]), int(k.Position), v.normal)
	}
	return v
}

// color is linear, white where there is none.
func (y *layer) color(i int32) geom.Vec4 {
	c := geom.Vec4{1, 1, 1, 1}
	if i < 0 {
		return c
	}
	for k, x := range y.values[4*i : 4*i+4] {
		switch {
		case !(x >= 0): // not a number as well
			x = 0
		case k < 3:
			x = importer.Linear(x)
		}
		c[k] = min(x, 1)
	}
	return c
}

// tangent has the handedness by which the binormal, the direction of V up, is cross(normal, tangent) * w.
func (b *builder) tangent(face, corner, point int, normal geom.Vec3) geom.Vec4 {
	i, k := b.tangents.at(face, corner, point), b.binormals.at(face, corner, point)
	if i < 0 || k < 0 {
		return geom.Vec4{}
	}
	t := importer.Unit(b.geometric.dir(b.tangents.vector(int(i))).geom())
	t = importer.Unit(t.Sub(normal.Mul(normal.Dot(t))))
	w := float32(1)
	if normal.Cross(t).Dot(b.geometric.dir(b.binormals.vector(int(k))).geom()) < 0 {
		w = -1
	}
	return geom.Vec4{t[0], t[1], t[2], w}
}

func (b *builder) primitive(vertices []vertex, at []int32, indices []uint32) scene.Primitive {
	p := scene.Primitive{Indices: indices, Positions: make([]geom.Vec3, len(at)), Normals: make([]geom.Vec3, len(at))}
	for i, v := range vertices {
		p.Positions[i], p.Normals[i] = b.soup.Positions[at[i]], v.normal
	}
	if b.uvs[0] != nil {
		p.UV0 = make([]geom.Vec2, len(at))
		for i, v := range vertices {
			p.UV0[i] = v.uv[0]
		}
	}
	if b.uvs[1] != nil {
		p.UV1 = make([]geom.Vec2, len(at))
		for i, v := range vertices {
			p.UV1[i] = v.uv[1]
		}
	}
	if b.colors != nil {
		p.Colors = make([]geom.Vec4, len(at))
		for i, v := range vertices {
			p.Colors[i] = v.color
		}
	}
	if b.tangents != nil && b.binormals != nil {
		p.Tangents = make([]geom.Vec4, len(at))
		for i, v := range vertices {
			if v.tangent == (geom.Vec4{}) { // a surface with some tangents only is better off with those of its UVs
				p.Tangents = nil
				break
			}
			p.Tangents[i] = v.tangent
		}
	}
	return p
}

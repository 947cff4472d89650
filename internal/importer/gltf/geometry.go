package gltf

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// Primitive modes of glTF 2.0 section 5.24.4. The ones between modePoints and modeTriangles are lines.
const (
	modePoints    = 0
	modeTriangles = 4
	modeStrip     = 5
	modeFan       = 6
)

// triangleCount is the number of triangles that n vertices make; incomplete ones are ignored (section 3.7.2.1).
func triangleCount(mode integer, n int64) int64 {
	switch mode {
	case modePoints:
		return 0
	case modeTriangles:
		return n / 3
	}
	return max(0, n-2)
}

// geometryJob decodes one geometry.
func (l *loader) geometryJob(g *geometry) error {
	k, p := &g.key, &g.primitive
	attr := g.at + "/attributes/"
	n := l.doc.Accessors[k.position].Count
	var order, pick []uint32
	var err error
	if k.indices >= 0 {
		if order, err = l.indices(k.indices, n, g.at+"/indices"); err != nil {
			return err
		}
		if pick, err = l.compact(k.position, order); err != nil {
			return err
		}
	}
	if p.Positions, err = attribute(l, k.position, n, pick, attr+"POSITION", geom.Vec3{}, "VEC3"); err != nil {
		return err
	}
	for i, v := range p.Positions {
		if !importer.Finite(v[:]...) {
			return fail(attr+"POSITION", "vertex %d lies at %v", i, v)
		}
	}
	if p.Normals, err = attribute(l, k.normal, n, pick, attr+"NORMAL", geom.Vec3{}, "VEC3"); err != nil {
		return err
	}
	if p.Tangents, err = attribute(l, k.tangent, n, pick, attr+"TANGENT", geom.Vec4{}, "VEC4"); err != nil {
		return err
	}
	if p.UV0, err = attribute(l, k.uv0, n, pick, attr+"TEXCOORD_0", geom.Vec2{}, "VEC2"); err != nil {
		return err
	}
	if p.UV1, err = attribute(l, k.uv1, n, pick, attr+"TEXCOORD_1", geom.Vec2{}, "VEC2"); err != nil {
		return err
	}
	if p.Colors, err = attribute(l, k.color, n, pick, attr+"COLOR_0", geom.Vec4{3: 1}, "VEC3", "VEC4"); err != nil {
		return err
	}
	if err := l.deform(g, n, pick); err != nil {
		return err
	}
	if k.mode == modePoints {
		p.IsPoints = true
		if order != nil {
			spreadAll(p, order)
		}
		sanitize(p)
		return nil
	}
	if err := l.triangles(g, order); err != nil {
		return err
	}
	sanitize(p)
	if p.Normals == nil {
		if err := l.flatten(g); err != nil {
			return err
		}
	}
	return nil
}

// attribute decodes an attribute of n vertices, or of the picked ones; accessor -1 is nil.
func attribute[V vector](l *loader, accessor, n integer, pick []uint32, at string, fill V, types ...string) ([]V, error) {
	if accessor < 0 {
		return nil, nil
	}
	if c := l.doc.Accessors[accessor].Count; c != n {
		return nil, fail(at, "%d elements for %d positions", c, n)
	}
	return vectors(l, accessor, pick, at, fill, types...)
}

// compact lists the vertices that order uses, ascending, and renumbers order to that list. It returns nil, and leaves
// order alone, where most are used. Some exporters let a hundred primitives index one vertex buffer.
func (l *loader) compact(position integer, order []uint32) ([]uint32, error) {
	v, err := l.view(position)
	if err != nil || v.data == nil || int64(len(order)) > v.count/2 {
		return nil, err
	}
	number := make([]uint32, v.count) // no larger than the file: its elements are in v.data
	for _, i := range order {
		number[i] = 1
	}
	pick := make([]uint32, 0, len(order))
	for i := range number {
		if number[i] != 0 {
			number[i] = uint32(len(pick))
			pick = append(pick, uint32(i))
		}
	}
	for k, i := range order {
		order[k] = number[i]
	}
	return pick, nil
}

// triangles sets the index list of g; order is what the file lists, nil = vertices in sequence.
func (l *loader) triangles(g *geometry, order []uint32) error {
	n := int64(len(g.primitive.Positions))
	if order != nil {
		n = int64(len(order))
	}
	count := triangleCount(g.key.mode, n)
	if g.key.mode == modeTriangles && order != nil {
		g.primitive.Indices = order[:3*count]
		return nil
	}
	if err := l.take(12*count, g.at); err != nil {
		return err
	}
	at := func(i int64) uint32 {
		if order != nil {
			return order[i]
		}
		return uint32(i)
	}
	tri := make([]uint32, 0, 3*count)
	for i := range count {
		switch g.key.mode { // section 3.7.2.1
		case modeTriangles:
			tri = append(tri, at(3*i), at(3*i+1), at(3*i+2))
		case modeFan:
			tri = append(tri, at(0), at(i+1), at(i+2))
		default:
			tri = append(tri, at(i), at(i+1+i%2), at(i+2-i%2))
		}
	}
	g.primitive.Indices = tri
	return nil
}

// sanitize makes the attributes what scene.Primitive promises: unit normals and tangents, finite UVs, colours in 0..1.
func sanitize(p *scene.Primitive) {
	bad := false
	for i, n := range p.Normals {
		p.Normals[i] = n.Normalize()
		if l := p.Normals[i].Len(); !(l > 0.9 && l < 1.1) {
			p.Normals[i], bad = geom.Vec3{}, true
		}
	}
	if bad {
		repairNormals(p)
	}
	for i, t := range p.Tangents {
		v := geom.Vec3{t[0], t[1], t[2]}.Normalize()
		if l := v.Len(); !(l > 0.9 && l < 1.1) {
			v = perpendicular(p.Normals[i])
		}
		p.Tangents[i] = geom.Vec4{v[0], v[1], v[2], sign(t[3])}
	}
	for _, uv := range [][]geom.Vec2{p.UV0, p.UV1} {
		for i := range uv {
			if !importer.Finite(uv[i][:]...) {
				uv[i] = geom.Vec2{}
			}
		}
	}
	for i := range p.Colors {
		for c, x := range p.Colors[i] {
			if !(x >= 0) { // NaN, too
				x = 0
			}
			p.Colors[i][c] = min(x, 1)
		}
	}
}

// repairNormals fills in zero normals from the faces around them.
func repairNormals(p *scene.Primitive) {
	sum := make([]geom.Vec3, len(p.Normals))
	for i := 0; i < len(p.Indices); i += 3 {
		f := faceNormal(p, i)
		for _, v := range p.Indices[i : i+3] {
			sum[v] = sum[v].Add(f)
		}
	}
	for i, n := range p.Normals {
		if n != (geom.Vec3{}) {
			continue
		}
		p.Normals[i] = sum[i].Normalize()
		if p.Normals[i] == (geom.Vec3{}) {
			p.Normals[i] = geom.Vec3{0, 1, 0}
		}
	}
}

// faceNormal is the unit normal of the triangle at index i, or zero.
func faceNormal(p *scene.Primitive, i int) geom.Vec3 {
	return importer.FaceNormal(p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]])
}

// flatten gives every triangle its own vertices and flat normals, as section 3.7.2.1 asks for meshes without normals.
func (l *loader) flatten(g *geometry) error {
	p := &g.primitive
	perVertex := int64(12 + 12 + 4)
	for _, has := range []struct {
		yes   bool
		bytes int64
	}{{p.UV0 != nil, 8}, {p.UV1 != nil, 8}, {p.Colors != nil, 16}, {p.Joints != nil, 24}} {
		if has.yes {
			perVertex += has.bytes
		}
	}
	perVertex += 36 * int64(len(p.Targets))
	if err := l.take(perVertex*int64(len(p.Indices)), g.at); err != nil {
		return err
	}
	normals := make([]geom.Vec3, len(p.Indices))
	for i := 0; i < len(p.Indices); i += 3 {
		n := faceNormal(p, i)
		if n == (geom.Vec3{}) {
			n = geom.Vec3{0, 1, 0} // a degenerate triangle: not visible
		}
		normals[i], normals[i+1], normals[i+2] = n, n, n
	}
	spreadAll(p, p.Indices)
	p.Normals = normals
	p.Indices = make([]uint32, len(normals))
	for i := range p.Indices {
		p.Indices[i] = uint32(i)
	}
	return nil
}

// spreadAll makes vertex i of p what vertex order[i] was.
func spreadAll(p *scene.Primitive, order []uint32) {
	p.Positions, p.Normals, p.Tangents = spread(p.Positions, order), spread(p.Normals, order), spread(p.Tangents, order)
	p.UV0, p.UV1, p.Colors = spread(p.UV0, order), spread(p.UV1, order), spread(p.Colors, order)
	p.Joints, p.Weights = spread(p.Joints, order), spread(p.Weights, order)
	for i, t := range p.Targets {
		p.Targets[i] = scene.MorphTarget{
			Positions: spread(t.Positions, order), Normals: spread(t.Normals, order), Tangents: spread(t.Tangents, order),
		}
	}
}

func spread[V any](values []V, indices []uint32) []V {
	if values == nil {
		return nil
	}
	out := make([]V, len(indices))
	for i, k := range indices {
		out[i] = values[k]
	}
	return out
}

// perpendicular returns some unit vector across n.
func perpendicular(n geom.Vec3) geom.Vec3 {
	axis := geom.Vec3{1, 0, 0}
	if math.Abs(float64(n[0])) > 0.7 {
		axis = geom.Vec3{0, 1, 0}
	}
	return axis.Sub(n.Mul(n.Dot(axis))).Normalize()
}

func sign(x float32) float32 {
	if x < 0 {
		return -1
	}
	return 1
}

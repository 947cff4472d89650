package fbx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

const crease = 30 * math.Pi / 180 // for files that say nothing of smoothing

// surfaceKey is what makes a surface: the same geometry under another geometric transform is another one.
type surfaceKey struct {
	geometry  *object
	geometric affine
}

// surface is a geometry cut into triangles, by the material slots of its polygons.
type surface struct {
	parts     []part
	triangles int64
	origin    vec3 // what the positions are relative to
	colored   bool
	uvSets    []string

	clusters []*cluster
	morphs   []*morph

	textures []textureLayer // version 6: which textures of the model lie on which slot
}

type part struct {
	slot      int
	primitive scene.Primitive
}

// builder makes one surface.
type builder struct {
	*loader
	node      *node
	geometric affine
	normal    affine // what turns normals
	flip      bool   // the geometric transform mirrors

	polygons []int32 // PolygonVertexIndex
	soup     importer.Soup
	corner   []int32 // soup corner -> index into polygons
	slots    []int32 // triangle -> material slot
	faces    []int32 // triangle -> polygon

	normals, tangents, binormals *layer
	uvs                          [2]*layer
	colors, materials            *layer
}

// surface reads a geometry.
func (l *loader) surface(g *object, geometric affine) (*surface, error) {
	b := &builder{loader: l, node: g.node, geometric: geometric, normal: identity, flip: geometric.det() < 0}
	if back, ok := geometric.linear().inverse(); ok { // the inverse, transposed
		for c := range 3 {
			for r := range 3 {
				b.normal[3*c+r] = back[3*r+c]
			}
		}
	}
	s := &surface{}
	if err := b.read(g, s); err != nil {
		return nil, err
	}
	if err := b.triangles(); err != nil {
		return nil, err
	}
	if err := b.smooth(); err != nil {
		return nil, err
	}
	var err error
	if s.textures, err = b.textureLayers(); err != nil {
		return nil, err
	}
	points, err := b.weld(s)
	if err != nil {
		return nil, err
	}
	return s, l.deform(g, s, b, points)
}

// read reads the points and the layers.
func (b *builder) read(g *object, s *surface) error {
	xyz, err := array[float64](b.file, b.node.child("Vertices"))
	if err != nil {
		return err
	}
	if b.polygons, err = array[int32](b.file, b.node.child("PolygonVertexIndex")); err != nil {
		return err
	}
	// Positions and what Soup and the result need of each corner.
	if err := b.budget.Take(12*int64(len(xyz)/3) + 200*int64(len(b.polygons))); err != nil {
		return err
	}
	b.soup.Positions = make([]geom.Vec3, len(xyz)/3)
	point := func(i int) vec3 { return b.geometric.point(vec3(xyz[3*i : 3*i+3]).times(b.unit)) }
	if s.origin = farOrigin(len(xyz)/3, point); deforms(g) {
		s.origin = vec3{}
	}
	for i := range b.soup.Positions {
		v := point(i).sub(s.origin).geom()
		if b.soup.Positions[i] = v; !importer.Finite(v[:]...) {
			return fmt.Errorf("vertex %d is not at finite numbers", i)
		}
	}
	uvs := 0
	for i := range b.node.nodes {
		n := &b.node.nodes[i]
		var to **layer
		var values, index string
		width := 3
		switch n.name {
		case "LayerElementNormal":
			to, values, index = &b.normals, "Normals", "NormalsIndex"
		case "LayerElementTangent":
			to, values, index = &b.tangents, "Tangents", "TangentsIndex"
		case "LayerElementBinormal":
			to, values, index = &b.binormals, "Binormals", "BinormalsIndex"
		case "LayerElementUV":
			if uvs == len(b.uvs) {
				continue
			}
			to, values, index, width = &b.uvs[uvs], "UV", "UVIndex", 2
			s.uvSets = append(s.uvSets, n.child("Name").text(0))
			uvs++
		case "LayerElementColor":
			to, values, index, width = &b.colors, "Colors", "ColorIndex", 4
		case "LayerElementMaterial":
			to, values, width = &b.materials, "Materials", 1
		default:
			continue
		}
		if *to != nil {
			continue
		}
		if *to, err = b.layer(n, values, index, width); err != nil {
			return err
		}
	}
	if b.version < objects {
		if err := b.legacyLayers(s); err != nil {
			return err
		}
	}
	s.colored = b.colors != nil
	return nil
}

// deforms reports whether a geometry has skins or shapes, which know its points where they are.
func deforms(g *object) bool {
	for range g.children("Deformer") {
		return true
	}
	return g.node.child("Shape") != nil
}

// farOrigin is the middle of points that float32 would blur, for they are much farther from the origin than from each other:
// programs put buildings at the coordinates of national grids. It is zero for all others.
func farOrigin(n int, point func(i int) vec3) vec3 {
	if n == 0 {
		return vec3{}
	}
	lo, hi := point(0), point(0)
	for i := 1; i < n; i++ {
		for k, x := range point(i) {
			lo[k], hi[k] = min(lo[k], x), max(hi[k], x)
		}
	}
	const far = 1 << 14 // leaves ten of float32's 24 bits
	middle, size := lo.add(hi).times(0.5), hi.sub(lo).len()
	if l := middle.len(); !(l > far*size) || !(l < math.MaxFloat32) || size == 0 {
		return vec3{}
	}
	for k := range middle { // exact in float32
		middle[k] = float64(float32(middle[k]))
	}
	return middle
}

// triangles cuts the polygons.
func (b *builder) triangles() error {
	var corners []int32
	var polygon []geom.Vec3
	soup, bad := &b.soup, false
	if len(b.polygons) > math.MaxInt32/3 {
		return errors.New("a mesh has more than 2^29 corners")
	}
	if n := len(b.polygons) - 2*b.countPolygons(); n > 0 { // polygons make two triangles less than they have corners
		soup.Corners, b.corner = make([]importer.Corner, 0, 3*n), make([]int32, 0, 3*n)
		b.slots, b.faces = make([]int32, 0, n), make([]int32, 0, n)
	}
	for i, face := 0, 0; i < len(b.polygons); face++ {
		corners, polygon = corners[:0], polygon[:0]
		proper := true
		for ; i < len(b.polygons); i++ {
			p := b.polygons[i]
			last := p < 0
			if last {
				p = ^p
			}
			if int(p) < len(soup.Positions) {
				corners = append(corners, int32(i))
				polygon = append(polygon, soup.Positions[p])
			} else {
				proper = false
			}
			if last {
				i++
				break
			}
		}
		if !proper || len(corners) < 3 {
			bad = bad || !proper
			continue
		}
		slot := int32(0)
		if b.materials != nil {
			slot = max(0, int32(b.materials.number(face, int(corners[0]), b.point(corners[0]))))
		}
		if !b.cut.Cut(polygon, func(x, y, z int) {
			if b.flip {
				y, z = z, y
			}
			for _, k := range [3]int{x, y, z} {
				soup.Corners = append(soup.Corners, b.resolve(face, corners[k]))
				b.corner = append(b.corner, corners[k])
			}
			b.slots, b.faces = append(b.slots, slot), append(b.faces, int32(face))
		}) {
			b.warnings.Add(importer.ImproperPolygons)
		}
	}
	if bad {
		b.warnings.Add("Faces that name vertices that are not there are left out.")
	}
	return b.ctx.Err()
}

// point is the control point of a corner.
func (b *builder) point(corner int32) int {
	if p := b.polygons[corner]; p >= 0 {
		return int(p)
	}
	return int(^b.polygons[corner])
}

func (b *builder) resolve(face int, corner int32) importer.Corner {
	p := b.point(corner)
	return importer.Corner{
		Position: int32(p), Normal: b.normals.at(face, int(corner), p),
		UV: b.uvs[0].at(face, int(corner), p), Color: b.colors.at(face, int(corner), p),
	}
}

// smooth reads the normals, and makes those that are not there.
func (b *builder) smooth() error {
	s := &b.soup
	if b.normals != nil {
		s.Normals = make([]geom.Vec3, b.normals.count())
		for i := range s.Normals {
			s.Normals[i] = importer.Unit(b.normal.dir(b.normals.vector(i)).geom())
		}
	}
	if !slices.ContainsFunc(s.Corners, func(c importer.Corner) bool { return c.Normal < 0 || s.Normals[c.Normal] == geom.Vec3{} }) {
		return nil
	}
	angle := float64(crease)
	if n := b.node.child("LayerElementSmoothing"); n != nil {
		y, err := b.layer(n, "Smoothing", "", 1)
		if err != nil {
			return err
		}
		if y != nil && y.mapping == byEdge {
			if err := b.hardEdges(y); err != nil {
				return err
			}
			angle = math.Pi
		} else if y != nil {
			b.groups(y)
		}
	}
	s.Smooth(angle)
	return nil
}

// groups takes the smoothing of polygons as groups; 0 is flat.
func (b *builder) groups(y *layer) {
	b.soup.Groups = make([]uint32, len(b.slots))
	for t := range b.slots {
		c := b.corner[3*t]
		b.soup.Groups[t] = uint32(y.number(int(b.faces[t]), int(c), b.point(c)))
	}
}

// hardEdges takes the smoothing of edges. Edge e starts at the corner Edges[e] and ends at the next one of the polygon.
func (b *builder) hardEdges(y *layer) error {
	edges, err := array[int32](b.file, b.node.child("Edges"))
	if err != nil {
		return err
	}
	next := make([]int32, len(b.polygons))
	for i, start := 0, 0; i < len(next); i++ {
		next[i] = int32(i + 1)
		if b.polygons[i] < 0 || i+1 == len(next) {
			next[i], start = int32(start), i+1
		}
	}
	hard := map[[2]int32]bool{}
	for e, c := range edges {
		if c >= 0 && int(c) < len(next) && y.number(e, e, e) == 0 {
			from, to := int32(b.point(c)), int32(b.point(next[c]))
			hard[[2]int32{min(from, to), max(from, to)}] = true
		}
	}
	b.soup.Hard = func(from, to int32) bool { return hard[[2]int32{min(from, to), max(from, to)}] }
	return nil
}

package gltf

import (
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// plan lists what must be decoded: everything the shown scene uses, each thing once.
type plan struct {
	materials []*scene.Material
	meshes    []*scene.Mesh
	meshOf    map[integer]int // glTF mesh -> index into meshes; -1 = nothing to draw

	geometries map[geometryKey]*geometry
	order      []*geometry // in document order: maps have none
	uses       []use
	images     []*imageJob
	glossy     []*glossy
	repacked   []repacked
	skinned    map[integer]bool // meshes that a node gives a skin

	materialOf map[integer]*scene.Material
	textureOf  map[integer]*scene.Texture
	missingOf  map[integer]string // texture -> the file that is not there
	missing    []scene.MissingTexture
	filling    string // name of the material whose textures are being resolved
	imageOf    map[integer]*imageJob
}

// geometryKey is what makes a primitive's geometry, so that primitives of equal accessors share it.
type geometryKey struct {
	position, normal, tangent, uv0, uv1, color, indices, mode integer // -1 = none

	joints, weights [2]integer // -1 = none
	targets         string     // the accessors of the morph targets
}

// drawn lists the attributes in it.
var drawn = []string{
	"POSITION", "NORMAL", "TANGENT", "TEXCOORD_0", "TEXCOORD_1", "COLOR_0", "JOINTS_0", "JOINTS_1", "WEIGHTS_0", "WEIGHTS_1",
}

// geometry is one such geometry; its primitive lacks the material.
type geometry struct {
	key       geometryKey
	targets   []map[string]integer
	at        string // where it was first used
	primitive scene.Primitive
	run       func() error
}

// use puts a geometry into a mesh.
type use struct {
	mesh      *scene.Mesh
	primitive int
	geometry  *geometry
}

func (l *loader) plan(f *forest) (*plan, error) {
	p := &plan{
		meshOf: map[integer]int{}, geometries: map[geometryKey]*geometry{}, skinned: map[integer]bool{},
		materialOf: map[integer]*scene.Material{}, textureOf: map[integer]*scene.Texture{}, missingOf: map[integer]string{},
		imageOf: map[integer]*imageJob{},
	}
	for _, i := range f.order {
		if n := &l.doc.Nodes[i]; n.Mesh != nil && n.Skin != nil {
			p.skinned[*n.Mesh] = true
		}
	}
	triangles := map[integer]int64{} // of each mesh
	var total int64
	for _, i := range f.order {
		n := &l.doc.Nodes[i]
		if n.Mesh == nil {
			continue
		}
		at := fmt.Sprintf("/nodes/%d/mesh", i)
		if *n.Mesh < 0 || *n.Mesh >= integer(len(l.doc.Meshes)) {
			return nil, fail(at, "there is no mesh %d", *n.Mesh)
		}
		if _, ok := p.meshOf[*n.Mesh]; !ok {
			count, err := l.planMesh(p, *n.Mesh)
			if err != nil {
				return nil, err
			}
			triangles[*n.Mesh] = count
		}
		instances := int64(1)
		if x := n.Extensions.Instancing; x != nil {
			instances = 0
			for _, a := range x.Attributes {
				v, err := l.view(a)
				if err != nil {
					return nil, err
				}
				instances = max(instances, v.count)
			}
		}
		if t := triangles[*n.Mesh]; t > 0 && instances > (math.MaxInt64-total)/t {
			total = math.MaxInt64
		} else {
			total += t * instances
		}
		if l.opts.TriangleBudget > 0 && total > l.opts.TriangleBudget {
			return nil, arr.Errorf(arr.CodeBadRequest, "The model has more than the %d triangles that this session may draw.", l.opts.TriangleBudget)
		}
	}
	for _, g := range p.order {
		g.run = func() error { return l.geometryJob(g) }
	}
	return p, nil
}

// jobs are independent of each other. Images come first: they take longest.
func (p *plan) jobs() []func() error {
	var jobs []func() error
	for _, im := range p.images {
		jobs = append(jobs, im.run)
	}
	for _, g := range p.order {
		jobs = append(jobs, g.run)
	}
	return jobs
}

// planMesh adds mesh i and returns its number of triangles.
func (l *loader) planMesh(p *plan, i integer) (triangles int64, err error) {
	src, out := &l.doc.Meshes[i], &scene.Mesh{Name: meshName(&l.doc, int(i))}
	for k := range src.Primitives {
		at := fmt.Sprintf("/meshes/%d/primitives/%d", i, k)
		n, err := l.planPrimitive(p, out, &src.Primitives[k], at, p.skinned[i])
		if err != nil {
			return 0, err
		}
		triangles += n
	}
	p.meshOf[i] = -1
	if len(out.Primitives) > 0 {
		p.meshOf[i] = len(p.meshes)
		p.meshes = append(p.meshes, out)
	}
	return triangles, nil
}

func (l *loader) planPrimitive(p *plan, out *scene.Mesh, src *primitive, at string, skinned bool) (
	triangles int64, err error,
) {
	key := geometryKey{mode: modeTriangles}
	for name, to := range map[string]*integer{
		"POSITION": &key.position, "NORMAL": &key.normal, "TANGENT": &key.tangent,
		"TEXCOORD_0": &key.uv0, "TEXCOORD_1": &key.uv1, "COLOR_0": &key.color,
		"JOINTS_0": &key.joints[0], "JOINTS_1": &key.joints[1], "WEIGHTS_0": &key.weights[0], "WEIGHTS_1": &key.weights[1],
	} {
		*to = -1
		if a, ok := src.Attributes[name]; ok {
			if a < 0 || a >= integer(len(l.doc.Accessors)) {
				return 0, fail(at+"/attributes/"+name, "there is no accessor %d", a)
			}
			*to = a
		}
	}
	key.indices = -1
	count := key.position
	if src.Indices != nil {
		key.indices, count = *src.Indices, *src.Indices
		if count < 0 || count >= integer(len(l.doc.Accessors)) {
			return 0, fail(at+"/indices", "there is no accessor %d", count)
		}
	}
	if src.Mode != nil {
		key.mode = *src.Mode
	}
	m, err := l.material(p, src.Material, at)
	if err != nil {
		return 0, err
	}
	switch {
	case key.mode < 0 || key.mode > modeFan:
		return 0, fail(at+"/mode", "%d is not a primitive mode", key.mode)
	case key.mode > modePoints && key.mode < modeTriangles:
		l.warn("Lines are left out.")
		return 0, nil
	case key.position < 0:
		l.warn("Parts of meshes without positions are left out.")
		return 0, nil
	}
	if !skinned || key.joints[0] < 0 || key.weights[0] < 0 {
		key.joints, key.weights = [2]integer{-1, -1}, [2]integer{-1, -1}
	}
	if key.mode == modePoints {
		src.Targets = nil // points neither deform nor are they looked at from close
	}
	if key.targets, err = l.targets(src.Targets, at); err != nil {
		return 0, err
	}
	variants, err := l.variants(p, src, at)
	if err != nil {
		return 0, err
	}
	if key.normal < 0 || m.NormalTex.Texture == nil {
		key.tangent = -1 // must be ignored without normals (section 3.7.2.1), is of no use without a normal map
	}
	g, ok := p.geometries[key]
	if !ok {
		g = &geometry{key: key, targets: src.Targets, at: at}
		p.geometries[key] = g
		p.order = append(p.order, g)
	}
	p.uses = append(p.uses, use{out, len(out.Primitives), g})
	out.Primitives = append(out.Primitives, scene.Primitive{Material: m, Variants: variants})
	return triangleCount(key.mode, int64(l.doc.Accessors[count].Count)), nil
}

// variants resolves KHR_materials_variants: one material for each variant of the file, nil where it changes nothing.
func (l *loader) variants(p *plan, src *primitive, at string) ([]*scene.Material, error) {
	x := src.Extensions.Variants
	if x == nil {
		return nil, nil
	}
	out := make([]*scene.Material, len(l.doc.Extensions.Variants.Variants))
	for k, mapping := range x.Mappings {
		at := fmt.Sprintf("%s/extensions/KHR_materials_variants/mappings/%d", at, k)
		m, err := l.material(p, &mapping.Material, at)
		if err != nil {
			return nil, err
		}
		for _, v := range mapping.Variants {
			if v < 0 || v >= integer(len(out)) {
				return nil, fail(at, "there is no variant %d", v)
			}
			out[v] = m
		}
	}
	return out, nil
}

// finish copies the decoded geometries into the meshes.
func (p *plan) finish() {
	for _, u := range p.uses {
		prim := &u.mesh.Primitives[u.primitive]
		m, variants := prim.Material, prim.Variants
		*prim = u.geometry.primitive
		prim.Material, prim.Variants = m, variants
	}
	for _, m := range p.meshes {
		m.Bounds = geom.Empty()
		m.Measure()
	}
}

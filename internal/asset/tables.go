package asset

import (
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// tables collects the tables of a file.
type tables struct {
	of        [endOfTables]encoder
	strings   map[string]uint32
	order     []string
	numbers   map[[sha256.Size]byte]uint32 // first of equal runs in the table of floats
	materials map[*scene.Material]uint32
	textures  []*scene.Texture // in the order of their records
	texture   map[*scene.Texture]uint32
	list      []*scene.Material
}

func newTables() *tables {
	t := &tables{
		strings: map[string]uint32{}, numbers: map[[sha256.Size]byte]uint32{},
		materials: map[*scene.Material]uint32{}, texture: map[*scene.Texture]uint32{},
	}
	t.str("")
	return t
}

// count is the number of records that a table has so far.
func (t *tables) count(id sectionID) uint32 {
	_, record := id.describe()
	return uint32(len(t.of[id].b) / record)
}

// str returns the number of a string.
func (t *tables) str(s string) uint32 {
	i, ok := t.strings[s]
	if !ok {
		i = uint32(len(t.order))
		t.strings[s] = i
		t.order = append(t.order, s)
	}
	return i
}

// links appends a list of numbers and returns where it is.
func (t *tables) links(list []uint32) (first, count uint32) {
	first = t.count(secLinks)
	t.of[secLinks].u32(list...)
	return first, uint32(len(list))
}

func (t *tables) nodes(list []int) (first, count uint32) {
	ids := make([]uint32, len(list))
	for i, n := range list {
		ids[i] = uint32(n)
	}
	return t.links(ids)
}

// floats puts numbers into the table of floats, equal runs once.
func (t *tables) floats(list []float32) (first, count uint32) {
	var e encoder
	e.f32(list...)
	sum := sha256.Sum256(e.b)
	first, ok := t.numbers[sum]
	if !ok {
		first = t.count(secFloats)
		t.numbers[sum] = first
		t.of[secFloats].b = append(t.of[secFloats].b, e.b...)
	}
	return first, uint32(len(list))
}

// material returns the number of a material, which gets its record in addMaterials.
func (t *tables) material(m *scene.Material) uint32 {
	i, ok := t.materials[m]
	if !ok {
		i = uint32(len(t.list))
		t.materials[m] = i
		t.list = append(t.list, m)
	}
	return i
}

// collectMaterials numbers all materials and their textures: those of the model's list first, others as primitives name them.
func (t *tables) collectMaterials(m *scene.Model) {
	for _, mat := range m.Materials {
		t.material(mat)
	}
	for _, ms := range m.Meshes {
		for i := range ms.Primitives {
			t.material(ms.Primitives[i].Material)
			for _, v := range ms.Primitives[i].Variants {
				if v != nil {
					t.material(v)
				}
			}
		}
	}
	for _, mat := range t.list {
		eachTexture(mat, func(r *scene.TextureRef, _ textureUse) {
			if _, ok := t.texture[r.Texture]; !ok {
				t.texture[r.Texture] = uint32(len(t.textures))
				t.textures = append(t.textures, r.Texture)
			}
		})
	}
}

// textureUse says what a texture's pixels mean.
type textureUse uint8

const (
	useColor  textureUse = 1 << iota // sRGB
	useData                          // linear numbers
	useNormal                        // a normal map
)

// eachTexture calls f for every texture of a material.
func eachTexture(m *scene.Material, f func(r *scene.TextureRef, use textureUse)) {
	visit := func(r *scene.TextureRef, use textureUse) {
		if r.Texture != nil {
			f(r, use)
		}
	}
	visit(&m.BaseColorTex, useColor)
	visit(&m.MetalRough, useData)
	visit(&m.NormalTex, useNormal)
	visit(&m.OcclusionTex, useData)
	visit(&m.EmissiveTex, useColor)
	if m.Layers == nil {
		return
	}
	for _, r := range layerTextures(m.Layers) {
		switch r {
		case &m.Layers.SpecularColorTex, &m.Layers.SheenColorTex:
			visit(r, useColor)
		case &m.Layers.ClearcoatNormalTex:
			visit(r, useNormal)
		default:
			visit(r, useData)
		}
	}
}

func (t *tables) textureRef(r scene.TextureRef) uint32 {
	if r.Texture == nil {
		return 0
	}
	e := &t.of[secTextureRefs]
	e.u32(t.texture[r.Texture], uint32(r.UV))
	e.f32(r.Matrix[:]...)
	return t.count(secTextureRefs)
}

func (t *tables) addMaterials() {
	for _, m := range t.list {
		var refs [5]uint32
		for i, r := range baseTextures(m) {
			refs[i] = t.textureRef(*r)
		}
		layers := uint32(0)
		if m.Layers != nil {
			l := *m.Layers
			var textures [12]uint32
			for i, r := range layerTextures(&l) {
				textures[i] = t.textureRef(*r)
			}
			e := &t.of[secLayers]
			for _, v := range layerScalars(&l) {
				e.f32(*v)
			}
			e.u32(textures[:]...)
			layers = t.count(secLayers)
		}
		var flags uint8
		if m.DoubleSided {
			flags |= flagDoubleSided
		}
		if m.Unlit {
			flags |= flagUnlit
		}
		if m.WritesDepth {
			flags |= flagWritesDepth
		}
		e := &t.of[secMaterials]
		e.u32(t.str(m.Name))
		e.f32(m.BaseColor[:]...)
		e.f32(m.Metallic, m.Roughness)
		e.vec3(m.Emissive)
		e.f32(m.NormalScale, m.Occlusion, m.AlphaCutoff)
		e.u8(uint8(m.Alpha), flags, 0, 0)
		e.u32(refs[:]...)
		e.u32(layers)
	}
}

// addModel writes the records of everything but geometry and textures.
func (t *tables) addModel(m *scene.Model) error {
	t.addMaterials()
	rootFirst, roots := t.nodes(m.Roots)
	names := make([]uint32, len(m.Variants))
	for i, v := range m.Variants {
		names[i] = t.str(v)
	}
	variantFirst, variants := t.links(names)
	var flags uint32
	if m.Static {
		flags = 1
	}
	t.of[secModel].u32(t.str(m.Name), flags, rootFirst, roots, variantFirst, variants, uint32(len(m.Materials)), 0)
	for i := range m.Nodes {
		if err := t.addNode(&m.Nodes[i]); err != nil {
			return fmt.Errorf("asset: node %d: %w", i, err)
		}
	}
	for _, s := range m.Skins {
		first, count := t.nodes(s.Joints)
		inverse := make([]float32, 0, 16*len(s.Inverse))
		for _, matrix := range s.Inverse {
			inverse = append(inverse, matrix[:]...)
		}
		at, n := t.floats(inverse)
		t.of[secSkins].u32(t.str(s.Name), first, count, at, n/16, uint32(int32(s.Skeleton)))
	}
	for _, a := range m.Animations {
		first := t.count(secChannels)
		for _, c := range a.Channels {
			times, keys := t.floats(c.Times)
			values, n := t.floats(c.Values)
			e := &t.of[secChannels]
			e.u32(uint32(c.Node))
			e.u8(uint8(c.Path), uint8(c.Interpolation), 0, 0)
			e.u32(times, keys, values, n)
		}
		t.of[secAnimations].u32(t.str(a.Name), first, uint32(len(a.Channels)))
	}
	return nil
}

func (t *tables) addNode(n *scene.Node) error {
	first, children := t.nodes(n.Children)
	weights, targets := t.floats(n.Weights)
	light := uint32(0)
	if l := n.Light; l != nil {
		e := &t.of[secLights]
		e.u32(uint32(l.Kind))
		e.vec3(l.Color)
		e.f32(l.Intensity, l.Range, l.InnerCone, l.OuterCone)
		light = t.count(secLights)
	}
	meta := t.count(secMetadata)
	for _, d := range n.Metadata {
		if err := t.addMetadata(d); err != nil {
			return err
		}
	}
	e := &t.of[secNodes]
	e.u32(t.str(n.Name), uint32(int32(n.Parent)), first, children)
	e.f32(n.Local[:]...)
	e.u32(uint32(int32(n.Mesh)), uint32(n.Skin), weights, targets, light, meta, uint32(len(n.Metadata)), 0)
	return nil
}

func (t *tables) addMetadata(d scene.Metadata) error {
	var v encoder
	var kind uint32
	switch x := d.Value.(type) {
	case string:
		kind = metaString
		v.u32(t.str(x))
	case bool:
		kind = metaBool
		if x {
			v.u32(1)
		}
	case int64:
		kind = metaInt
		v.u64(uint64(x))
	case float64:
		kind = metaFloat
		v.u64(math.Float64bits(x))
	case geom.Vec3:
		kind = metaVec3
		v.vec3(x)
	case geom.Vec4:
		kind = metaVec4
		v.f32(x[:]...)
	default:
		return fmt.Errorf("metadata %q is a %T", d.Key, d.Value)
	}
	e := &t.of[secMetadata]
	e.u32(t.str(d.Key), kind)
	e.b = append(e.b, append(v.b, make([]byte, 16-len(v.b))...)...)
	return nil
}

// addStrings writes the table of strings, after all others.
func (t *tables) addStrings() error {
	e := &t.of[secStrings]
	e.u32(uint32(len(t.order)))
	var at uint64
	for _, s := range t.order {
		e.u32(uint32(at))
		at += uint64(len(s))
	}
	if at > math.MaxUint32 {
		return fmt.Errorf("asset: %d bytes of names and metadata", at)
	}
	e.u32(uint32(at))
	for _, s := range t.order {
		e.b = append(e.b, s...)
	}
	return nil
}

// putCluster encodes a record of the table of clusters.
func putCluster(dst []byte, c mesh.Cluster, maker int32) {
	e := encoder{dst[:0]}
	e.vec3(c.Center)
	e.vec3(c.Half)
	e.f32(c.Radius)
	u, v := axisOct(c.ConeAxis)
	e.u16(u)
	e.u16(v)
	e.u16(packCutoff(c.ConeCutoff))
	e.u8(uint8(c.Vertices), uint8(c.Triangles))
	e.u32(uint32(maker))
}

// getCluster is the inverse of putCluster; the places in the page are for the caller to fill in.
func getCluster(b []byte) (c mesh.Cluster, maker int32) {
	d := decoder{b[:clusterRecord]}
	c.Center, c.Half, c.Radius = d.vec3(), d.vec3(), d.f32()
	u, v := d.u16(), d.u16()
	c.ConeCutoff = unpackCutoff(d.u16())
	if c.ConeCutoff <= 1 {
		c.ConeAxis = octAxis(u, v)
	}
	c.Vertices, c.Triangles = uint32(d.u8()), uint32(d.u8())
	return c, int32(d.u32())
}

// Package scene holds what is drawn: loaded models (immutable once built), and the live scene of entities that one
// Editor changes and the renderer reads as immutable Snapshots. Units and axes are geom's. It does no I/O and no drawing.
package scene

import (
	"image"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// Model is one loaded asset. It is immutable after its importer returned it; meshes, materials and textures are
// shared by every instance, and by pointer: a *Mesh is the identity the renderer caches by.
//
// Roots and Children form a forest: no node is reached twice. Nodes that no root reaches are not drawn.
type Model struct {
	Name      string
	Nodes     []Node // Nodes[i].Parent < i is NOT guaranteed; Roots starts the walk
	Roots     []int
	Meshes    []*Mesh
	Materials []*Material
	Bounds    geom.AABB // of the default pose, in model space
	Triangles int64     // of all mesh instances, i.e. counted once per node that draws the mesh; saturates
	Points    int64     // the same for points
	Warnings  []string  // what the importer had to leave out, in words for the user

	MissingTextures []MissingTexture // ARR's warning 4004 (ARR, "Get information about conversions")

	Skins      []Skin
	Animations []Animation
	Variants   []string // names of KHR_materials_variants; Primitive.Variants has a material for each
	Source     SourceInfo

	Proxies []Proxy // nil = none

	// Static says that the asset was made with sceneGraphMode "static": nodes may be moved, but get no other parent.
	Static bool
}

// MissingTexture is a texture that a material names and that is not beside the model. Warnings has a sentence on it too.
type MissingTexture struct {
	Texture  string `json:"texture"`
	Material string `json:"material"`
}

// SourceInfo is what an importer tells of the file that a model came from, for info.json.
type SourceInfo struct {
	Format        string `json:"format"`        // "glTF 2.0", "FBX binary", "LAS"
	FormatVersion string `json:"formatVersion"` // "2.0", "7400", "1.4"; "" = none
	Generator     string `json:"generator"`     // the program that wrote the file; "" = unknown

	// GammaSpaceColors says that the format keeps colours in sRGB by convention; importers return them linear all the same.
	GammaSpaceColors bool `json:"gammaSpaceColors"`
}

// Node is one entity of a model's hierarchy.
type Node struct {
	Name     string
	Parent   int // -1 = root
	Children []int
	Local    geom.Mat4
	Mesh     int // index into Meshes, -1 = none

	Skin     int        // index into Skins plus 1, 0 = none
	Weights  []float32  // of the mesh's morph targets; nil = none
	Light    *Light     // nil = none
	Metadata []Metadata // in file order; nil = none
}

// Metadata is one fact about a node as the source file has it (glTF extras, FBX user properties).
type Metadata struct {
	Key   string
	Value any // string, bool, int64, float64, geom.Vec3 or geom.Vec4; deeper values as their JSON text
}

// LightKind is the kind of a punctual light.
type LightKind uint8

// The kinds of KHR_lights_punctual.
const (
	LightDirectional LightKind = iota
	LightPoint
	LightSpot
)

// Light is a light of a node that shines along the node's -Z (KHR_lights_punctual).
type Light struct {
	Kind                 LightKind
	Color                geom.Vec3 // linear
	Intensity            float32   // candela, or lux for directional lights
	Range                float32   // metres, 0 = endless
	InnerCone, OuterCone float32   // radians, spots only
}

// Skin is a set of joints that deform a mesh (glTF 2.0 section 3.7.3.3).
type Skin struct {
	Name     string
	Joints   []int       // nodes
	Inverse  []geom.Mat4 // inverse bind matrices, one a joint
	Skeleton int         // node, -1 = none
}

// ChannelPath is what a channel of an animation moves.
type ChannelPath uint8

// The paths of glTF 2.0 section 3.11.
const (
	PathTranslation ChannelPath = iota // 3 values a key
	PathRotation                       // 4, a quaternion x, y, z, w
	PathScale                          // 3
	PathWeights                        // one a morph target
)

// Interpolation is how a channel's values are found between two keys.
type Interpolation uint8

// The interpolations of glTF 2.0 section 3.11.
const (
	InterpolateLinear Interpolation = iota
	InterpolateStep
	InterpolateCubic // three times the values: in-tangent, value, out-tangent
)

// Animation is a named set of channels.
type Animation struct {
	Name     string
	Channels []Channel
}

// Channel moves one property of one node.
type Channel struct {
	Node          int
	Path          ChannelPath
	Interpolation Interpolation
	Times         []float32 // seconds, strictly ascending
	Values        []float32
}

// Mesh is a list of primitives, each with its own material.
type Mesh struct {
	Name       string
	Primitives []Primitive
	Bounds     geom.AABB // object space
}

// Triangles is the number of triangles of all primitives.
func (m *Mesh) Triangles() int64 {
	var n int64
	for i := range m.Primitives {
		n += m.Primitives[i].Triangles()
	}
	return n
}

// Points is the number of points of all primitives.
func (m *Mesh) Points() int64 {
	var n int64
	for i := range m.Primitives {
		n += m.Primitives[i].NumPoints()
	}
	return n
}

// Measure sets Bounds from the positions.
func (m *Mesh) Measure() {
	m.Bounds = geom.Empty()
	for i := range m.Primitives {
		p := &m.Primitives[i]
		if p.Paged != nil {
			m.Bounds = m.Bounds.Union(p.Paged.Box())
		}
		for _, v := range p.Positions {
			m.Bounds = m.Bounds.Extend(v)
		}
	}
}

// Measure sets Bounds, Triangles and Points from the nodes and the meshes' bounds. It is an importer's last step.
func (m *Model) Measure() {
	m.Bounds, m.Triangles, m.Points = geom.Empty(), 0, 0
	world := make([]geom.Mat4, len(m.Nodes))
	for n := range m.preorder() {
		node := &m.Nodes[n]
		world[n] = node.Local
		if node.Parent >= 0 {
			world[n] = world[node.Parent].Mul(node.Local)
		}
		if node.Mesh >= 0 {
			mesh := m.Meshes[node.Mesh]
			m.Bounds = m.Bounds.Union(mesh.Bounds.Transform(world[n]))
			m.Triangles = addSaturated(m.Triangles, mesh.Triangles())
			m.Points = addSaturated(m.Points, mesh.Points())
		}
	}
}

// preorder yields the nodes that the roots reach, each before its descendants and every subtree without a gap.
// The stack is explicit: hierarchies of a million levels exist, made by hand or by malice.
func (m *Model) preorder() func(yield func(node int) bool) {
	return func(yield func(int) bool) {
		var stack []int
		push := func(nodes []int) {
			for i := len(nodes) - 1; i >= 0; i-- {
				stack = append(stack, nodes[i])
			}
		}
		push(m.Roots)
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if !yield(n) {
				return
			}
			push(m.Nodes[n].Children)
		}
	}
}

// addSaturated returns a+b for non-negative values, or the largest int64 where that overflows.
func addSaturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Primitive is an indexed triangle list, or a cloud of points. Every attribute slice is nil or has one entry per vertex.
type Primitive struct {
	Positions []geom.Vec3
	Normals   []geom.Vec3 // unit; nil = flat shading, the importer fills it
	Tangents  []geom.Vec4 // xyz unit, w = +-1 handedness; nil = derived from UVs where a normal map needs it
	UV0, UV1  []geom.Vec2
	Colors    []geom.Vec4 // linear RGBA 0..1
	Indices   []uint32    // three per triangle, counter-clockwise is front; all < len(Positions)
	Material  *Material   // never nil

	IsPoints bool        // every vertex is a point; Indices is nil
	Variants []*Material // one for each of Model.Variants, nil where the variant keeps Material; nil = none

	Joints  [][4]uint16 // indices into the Joints of the node's skin; nil = not skinned
	Weights []geom.Vec4 // of Joints, sum 1
	Targets []MorphTarget

	// Paged is the geometry where it is kept outside, as a hierarchy of clusters that is read page by page; all of the above
	// but Material and Variants is empty then.
	Paged Paged
}

// MorphTarget holds what a weight of 1 adds to each vertex; nil = nothing.
type MorphTarget struct{ Positions, Normals, Tangents []geom.Vec3 }

// Paged is what the scene knows of geometry kept outside. The renderer and the reader of assets know more: it is a
// *mesh.Paged.
type Paged interface {
	Triangles() int64 // at full detail
	Points() int64
	Box() geom.AABB // object space
}

// Triangles is the number of triangles at full detail.
func (p *Primitive) Triangles() int64 {
	if p.Paged != nil {
		return p.Paged.Triangles()
	}
	return int64(len(p.Indices) / 3)
}

// NumPoints is the number of points at full detail.
func (p *Primitive) NumPoints() int64 {
	switch {
	case p.Paged != nil:
		return p.Paged.Points()
	case p.IsPoints:
		return int64(len(p.Positions))
	}
	return 0
}

// Deforms reports whether a skin or morph targets move the vertices.
func (p *Primitive) Deforms() bool { return p.Joints != nil || p.Targets != nil }

// AlphaMode is glTF's alphaMode.
type AlphaMode uint8

// The alpha modes of glTF 2.0 section 3.9.4.
const (
	AlphaOpaque AlphaMode = iota
	AlphaMask
	AlphaBlend
)

// Material is glTF's metallic-roughness material (glTF 2.0 section 3.9) with KHR_materials_unlit and
// KHR_materials_emissive_strength. Factors are linear.
type Material struct {
	Name         string
	BaseColor    geom.Vec4
	Metallic     float32
	Roughness    float32
	Emissive     geom.Vec3 // factor times emissive strength
	NormalScale  float32
	Occlusion    float32 // strength
	Alpha        AlphaMode
	AlphaCutoff  float32
	DoubleSided  bool
	Unlit        bool
	WritesDepth  bool       // ARR's transparencyWritesDepth: where it is transparent, it hides what is drawn after it
	BaseColorTex TextureRef // sRGB
	MetalRough   TextureRef // G roughness, B metallic, linear
	NormalTex    TextureRef // linear
	OcclusionTex TextureRef // R, linear
	EmissiveTex  TextureRef // sRGB

	Layers *Layers // nil = none
}

// Layers are the parameters of the Khronos material extensions beyond metallic-roughness. The zero value of a factor is
// "without effect" unless the comment says otherwise; DefaultLayers has glTF's defaults. Textures are as in the extensions.
type Layers struct {
	IOR        float32 // KHR_materials_ior; 1.5 = none, 0 = the compatibility mode of the extension
	Dispersion float32 // KHR_materials_dispersion

	Specular         float32   // KHR_materials_specular; 1 = none
	SpecularColor    geom.Vec3 // linear; 1 = none
	SpecularTex      TextureRef
	SpecularColorTex TextureRef

	Clearcoat          float32 // KHR_materials_clearcoat
	ClearcoatRoughness float32
	ClearcoatTex       TextureRef
	ClearcoatRoughTex  TextureRef
	ClearcoatNormalTex TextureRef

	SheenColor     geom.Vec3 // KHR_materials_sheen
	SheenRoughness float32
	SheenColorTex  TextureRef
	SheenRoughTex  TextureRef

	Transmission    float32 // KHR_materials_transmission
	TransmissionTex TextureRef

	Thickness           float32 // KHR_materials_volume, object space
	ThicknessTex        TextureRef
	AttenuationDistance float32 // 0 = infinite
	AttenuationColor    geom.Vec3

	Iridescence             float32 // KHR_materials_iridescence
	IridescenceIOR          float32
	IridescenceThicknessMin float32 // nanometres
	IridescenceThicknessMax float32
	IridescenceTex          TextureRef
	IridescenceThicknessTex TextureRef

	Anisotropy         float32 // KHR_materials_anisotropy
	AnisotropyRotation float32 // radians
	AnisotropyTex      TextureRef
}

// DefaultLayers is what the extensions mean when none of their properties is given.
func DefaultLayers() *Layers {
	return &Layers{
		IOR: 1.5, Specular: 1, SpecularColor: geom.Vec3{1, 1, 1}, AttenuationColor: geom.Vec3{1, 1, 1},
		IridescenceIOR: 1.3, IridescenceThicknessMin: 100, IridescenceThicknessMax: 400,
	}
}

// DefaultMaterial is glTF's default: white, metallic 1, roughness 1.
func DefaultMaterial() *Material {
	return &Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Metallic: 1, Roughness: 1, NormalScale: 1, Occlusion: 1, AlphaCutoff: 0.5}
}

// TextureRef places a texture on a surface. The zero value means "no texture".
type TextureRef struct {
	Texture *Texture
	UV      int        // 0 or 1: which UV set
	Matrix  [6]float32 // KHR_texture_transform as u' = m0*u + m1*v + m2, v' = m3*u + m4*v + m5; importer sets identity {1,0,0,0,1,0}
}

// Wrap is a texture coordinate's behaviour outside 0..1.
type Wrap uint8

// The wrap modes of glTF 2.0 section 5.26.
const (
	WrapRepeat Wrap = iota
	WrapClamp
	WrapMirror
)

// Texture is decoded pixels, 8 bit RGBA, not premultiplied, first row at v = 0 (glTF: top left origin); or blocks that
// decode to that.
type Texture struct {
	Name         string
	Image        *image.NRGBA // nil = Blocks
	Blocks       *Blocks
	WrapU, WrapV Wrap
	Nearest      bool // magnification filter is NEAREST
}

// BlockFormat is a block compression of 4 x 4 texels.
type BlockFormat uint8

// The formats of assets.
const (
	BC1 BlockFormat = 1 // opaque colour, 8 bytes a block
	BC5 BlockFormat = 5 // two channels: x and y of a normal map, 16 bytes
	BC7 BlockFormat = 7 // colour and alpha, 16 bytes
)

// Blocks is a texture with its mips, block-compressed. Levels[0] is the full size; each further level halves both sides,
// rounding down, to no less than 1; the last one is 1 x 1.
type Blocks struct {
	Format        BlockFormat
	Width, Height int
	Levels        [][]byte
}

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
	Warnings  []string  // what the importer had to leave out, in words for the user
}

// Node is one entity of a model's hierarchy.
type Node struct {
	Name     string
	Parent   int // -1 = root
	Children []int
	Local    geom.Mat4
	Mesh     int // index into Meshes, -1 = none
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
		n += int64(len(m.Primitives[i].Indices) / 3)
	}
	return n
}

// Measure sets Bounds from the positions.
func (m *Mesh) Measure() {
	m.Bounds = geom.Empty()
	for i := range m.Primitives {
		for _, p := range m.Primitives[i].Positions {
			m.Bounds = m.Bounds.Extend(p)
		}
	}
}

// Measure sets Bounds and Triangles from the nodes and the meshes' bounds. It is an importer's last step.
func (m *Model) Measure() {
	m.Bounds, m.Triangles = geom.Empty(), 0
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

// Primitive is an indexed triangle list. Every attribute slice is nil or has one entry per vertex.
type Primitive struct {
	Positions []geom.Vec3
	Normals   []geom.Vec3 // unit; nil = flat shading, the importer fills it
	Tangents  []geom.Vec4 // xyz unit, w = +-1 handedness; nil = derived from UVs where a normal map needs it
	UV0, UV1  []geom.Vec2
	Colors    []geom.Vec4 // linear RGBA 0..1
	Indices   []uint32    // three per triangle, counter-clockwise is front; all < len(Positions)
	Material  *Material   // never nil
}

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
	BaseColorTex TextureRef // sRGB
	MetalRough   TextureRef // G roughness, B metallic, linear
	NormalTex    TextureRef // linear
	OcclusionTex TextureRef // R, linear
	EmissiveTex  TextureRef // sRGB
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

// Texture is decoded pixels, 8 bit RGBA, not premultiplied, first row at v = 0 (glTF: top left origin).
type Texture struct {
	Name         string
	Image        *image.NRGBA
	WrapU, WrapV Wrap
	Nearest      bool // magnification filter is NEAREST
}

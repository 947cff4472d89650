package scene

import "github.com/heliograph/heliograph/internal/geom"

// EntityID identifies an entity for the life of a session; never reused, 0 is none.
type EntityID uint32

// Instance is one mesh placed in the world: what the renderer draws.
type Instance struct {
	Entity EntityID
	Mesh   *Mesh
	World  geom.Mat4 // object to world
}

// DirectionalLight shines along Direction (unit, world space, pointing away from the light).
type DirectionalLight struct {
	Direction geom.Vec3
	Color     geom.Vec3 // linear, times intensity in lux-like units; (pi,pi,pi) lights a white diffuse wall to 1
}

// Snapshot is an immutable picture of the scene: hidden entities are left out. The renderer keeps none of it beyond
// its last picture except caches by *Mesh.
type Snapshot struct {
	Version   uint64 // grows with every edit; equal versions mean equal content
	Instances []Instance
	Proxies   []PlacedProxy // of some of Instances
	Bounds    geom.AABB     // world
	Triangles int64         // of Instances; saturates
	Entities  int           // of all models, hidden ones too
	Light     DirectionalLight
	Sky       Sky
}

// Sky selects the image-based light. Background is what pixels without geometry show.
type Sky struct {
	Name       string   // "studio" is the built-in procedural sky
	Intensity  float32  // 1 = as authored
	Background [3]uint8 // sRGB; used where nothing is drawn
}

// DefaultLight is the key light of a fresh scene: from the upper left behind the viewer, slightly warm.
func DefaultLight() DirectionalLight {
	return DirectionalLight{
		Direction: geom.Vec3{0.45, -0.75, -0.5}.Normalize(),
		Color:     geom.Vec3{1.7, 1.64, 1.55},
	}
}

// DefaultSky is the sky of a fresh scene. With DefaultLight it lights a white wall that faces both just below white.
func DefaultSky() Sky {
	return Sky{Name: "studio", Intensity: 0.7, Background: [3]uint8{38, 42, 48}}
}

// Package render says what a renderer is. Implementations: render/cpu (visibility buffer on the CPU) and, later,
// render/vulkan. They never import each other.
package render

import (
	"context"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// View is a pinhole camera. Position and orientation are camera to world; the camera looks along its -Z, +Y is up.
type View struct {
	Position    geom.Vec3
	Orientation geom.Quat
	FovY        float32 // vertical field of view, radians
	Near        float32 // near plane distance, metres; depth is reversed and infinite (1 at near, 0 at infinity)
}

// Engine draws snapshots. Prepare and Forget may run beside Render; Render itself is called by one goroutine a Target.
type Engine interface {
	// Prepare builds what drawing the model's meshes and textures needs. It reports done in 0..1, is safe to call
	// from any goroutine, and must have returned before a snapshot that draws the model is rendered.
	Prepare(ctx context.Context, m *scene.Model, progress func(done float64)) error
	// Forget drops what Prepare built.
	Forget(m *scene.Model)
	// OnArrival has f called, from any goroutine and often, when pages that a picture missed have been read. It is called before
	// the first Prepare, if at all; f must not block.
	OnArrival(f func())
	// NewTarget allocates a picture of width x height pixels (even, 16..8192) and its history.
	NewTarget(width, height int) (Target, error)
	// Close frees everything; no other call may run or follow.
	Close() error
}

// Target is one view's picture. Rendering the same snapshot and view again refines it (temporal accumulation);
// a change of either starts anew. Frames are bit-identical for equal sequences of calls, whatever the thread count.
type Target interface {
	Render(s *scene.Snapshot, v View) (Stats, error)
	// I420 is the last picture as BT.709 limited range planes, valid until the next Render.
	I420() (y, u, v []byte, strideY, strideUV int)
	// RGBA writes the last picture as sRGB, 8 bit, rows top down, 4*width*height bytes.
	RGBA(dst []byte)
	// Pick returns what pixel (x, y), origin top left, shows: entity 0 for nothing. Depth is distance along the view axis, metres.
	Pick(x, y int) (e scene.EntityID, depth float32)
	Size() (width, height int)
	Close() error
}

// Interrupter is a Target that can be asked, from any goroutine, to leave a Render that refines a view: it takes longest, and
// what it draws is not wanted any more once the view moves. Others are not interrupted.
type Interrupter interface {
	Interrupt()
}

// Stats tells what a Render did.
type Stats struct {
	// Interrupted says that Render was left: the picture is the one before, and the next Render starts anew.
	Interrupted bool
	Converged   bool // another Render of the same input would change nothing: stop drawing
	// PagesMissing is how many pages of geometry a finer picture waits for. Rendering the same again before Engine has told of an
	// arrival gives the same picture.
	PagesMissing              int
	Sample                    int   // 0 for the first frame of a view, then 1, 2, ...
	TrianglesDrawn            int64 // that reached the rasteriser
	TrianglesCulled           int64
	PointsDrawn               int64
	ClustersDrawn             int
	CullNS, RasterNS, ShadeNS int64 // wall time of the stages
}

package cpu

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	subpixel   = 256       // fixed-point steps of a pixel
	maxSnapped = 1 << 22   // |x|, |y| of a vertex on the fast path, in those steps: roundInt's range
	noID       = 1<<32 - 1 // nothing drawn
	maxItems   = 1 << 25   // an id is item<<7 | triangle
)

// draw is one primitive of one instance, with its transforms for this frame. World space is relative to the camera, so
// that float32 is precise near it wherever it is.
type draw struct {
	prim    *prim
	entity  scene.EntityID
	proxy   *scene.PlacedProxy // nil: entity alone
	clip    [12]float32        // rows: x and y in subpixels times w, then w (distance along the view axis)
	world   [12]float32        // rows: object to camera-relative world
	normal  [9]float32         // rows: inverse transpose of world
	eye     geom.Vec3          // camera in object space
	eyeOK   bool               // world is not singular: eye and rays are in object space
	rays    [3][3]float32      // as frame.ray0, rayX, rayY, but in object space; in world space if !eyeOK
	flip    bool               // mirrored: clockwise is front
	history int                // index of its first cluster in Target.visible
	lod     lod
}

// item is one cluster of one draw that is to be rasterised. Of points, it is a part of a cluster, and firstTriangle is how many.
type item struct {
	draw, cluster              uint32
	firstVertex, firstTriangle uint32  // the cluster's
	y0, y1                     int16   // rows it may touch, inclusive
	slow, textured             bool    // slow: needs clipping, an alpha test or 64-bit coordinates
	size                       float32 // of points, in half subpixels times w
}

// frame is everything one Render hands to its stages.
type frame struct {
	t                *Target
	near             float32
	ray0, rayX, rayY [3]float32 // direction of pixel (x, y): ray0 + (x+.5) rayX + (y+.5) rayY
	cam              camera
	draws            []draw
	items            []item
	toLight          [3]float32
	lightColor       [3]float32 // over pi
	lit              bool       // lightColor is not black
	sky              *sky
	skyIntensity     float32
	background       [3]float32 // linear
	lodScale         float32    // on squared texel footprints
	trilinear        bool

	// For levels of detail; directions are unit vectors in world space.
	right, up, forward        [3]float32
	sides                     [4][3]float32 // normals of the planes that bound the view at its sides, pointing in
	focal                     float32       // pixels
	tolerance, pointTolerance float32       // pixels
	resting                   bool          // Target.occ is of a picture of this same view
	clock                     uint64        // of the pool
}

// camera is a view in float64.
type camera struct {
	pos              [3]float64
	right, up, back  [3]float64
	focal            float64 // pixels
	centerX, centerY float64 // principal point, jitter included
}

func newCamera(v render.View, w, h int, jitter [2]float64) camera {
	q := v.Orientation
	var n float64
	for _, c := range q {
		n += float64(c) * float64(c)
	}
	n = 1 / math.Sqrt(n)
	x, y, z, s := float64(q[0])*n, float64(q[1])*n, float64(q[2])*n, float64(q[3])*n
	return camera{
		pos:     [3]float64{float64(v.Position[0]), float64(v.Position[1]), float64(v.Position[2])},
		right:   [3]float64{1 - 2*(y*y+z*z), 2 * (x*y + z*s), 2 * (x*z - y*s)},
		up:      [3]float64{2 * (x*y - z*s), 1 - 2*(x*x+z*z), 2 * (y*z + x*s)},
		back:    [3]float64{2 * (x*z + y*s), 2 * (y*z - x*s), 1 - 2*(x*x+y*y)},
		focal:   float64(h) / 2 / math.Tan(float64(v.FovY)/2),
		centerX: float64(w)/2 - jitter[0],
		centerY: float64(h)/2 - jitter[1],
	}
}

// rays fills f's ray basis: the direction with a view-axis component of 1.
func (f *frame) rays() {
	c := &f.cam
	for k := range 3 {
		f.rayX[k] = float32(c.right[k] / c.focal)
		f.rayY[k] = float32(-c.up[k] / c.focal)
		f.ray0[k] = float32(-c.back[k] - c.right[k]*c.centerX/c.focal + c.up[k]*c.centerY/c.focal)
	}
}

// planes fills what levels of detail need of the camera.
func (f *frame) planes() {
	c := &f.cam
	unit := func(x, y, z float64) (n [3]float32) { // in camera axes, x right, y up, z forward
		l := math.Sqrt(x*x + y*y + z*z)
		for k := range 3 {
			n[k] = float32((c.right[k]*x + c.up[k]*y - c.back[k]*z) / l)
		}
		return n
	}
	f.right, f.up, f.forward, f.focal = unit(1, 0, 0), unit(0, 1, 0), unit(0, 0, 1), float32(c.focal)
	w, h := float64(f.t.w), float64(f.t.h)
	f.sides = [4][3]float32{
		unit(c.focal, 0, c.centerX), unit(-c.focal, 0, w-c.centerX), unit(0, -c.focal, c.centerY), unit(0, c.focal, h-c.centerY),
	}
}

// shows reports whether an instance with this world transform and bounding sphere may show.
func (f *frame) shows(m *geom.Mat4, c *cachedMesh) bool {
	// The sphere holds the box, and any stretch is at most the root of the sum of squares.
	var s sphere
	var sum float32
	for r := range 3 {
		s.c[r] = float32(float64(m[r])*float64(c.center[0]) + float64(m[4+r])*float64(c.center[1]) + float64(m[8+r])*float64(c.center[2]) +
			float64(m[12+r]) - f.cam.pos[r])
		sum += m[r]*m[r] + m[4+r]*m[4+r] + m[8+r]*m[8+r]
	}
	s.r = c.radius * sqrt(sum)
	return !f.outside(&s) && (f.tolerance < tolerances[0] || !f.hardlyShows(s.r, &s))
}

// point is what pixel (x, y) shows at a depth, in world space.
func (f *frame) point(x, y int, depth float32) (p geom.Vec3) {
	for k := range p {
		p[k] = float32(f.cam.pos[k] + float64(depth*(f.ray0[k]+(float32(x)+0.5)*f.rayX[k]+(float32(y)+0.5)*f.rayY[k])))
	}
	return p
}

// addInstance appends the draws of one instance, unless it cannot be drawn. history is the index of its first cluster.
func (f *frame) addInstance(in *scene.Instance, prims []*prim, history int) {
	m := in.World
	for _, v := range m {
		if !(math.Abs(float64(v)) < math.MaxFloat32/4) {
			return
		}
	}
	d := draw{entity: in.Entity}
	c := &f.cam
	var rel [3][4]float64
	for r := range 3 {
		for k := range 4 {
			rel[r][k] = float64(m[4*k+r])
		}
		rel[r][3] -= c.pos[r]
	}
	for k := range 4 {
		var x, y, z float64
		for r := range 3 {
			x += c.right[r] * rel[r][k]
			y += c.up[r] * rel[r][k]
			z -= c.back[r] * rel[r][k]
			d.world[4*r+k] = float32(rel[r][k])
		}
		d.clip[k] = float32(subpixel * (c.focal*x + c.centerX*z))
		d.clip[4+k] = float32(subpixel * (-c.focal*y + c.centerY*z))
		d.clip[8+k] = float32(z)
	}
	d.invert(f, &rel)
	d.lod.scale = stretch(&rel)
	d.lod.focal = f.focal * d.lod.scale
	for _, p := range prims {
		d.prim, d.history = p, history
		history += len(p.Clusters)
		f.draws = append(f.draws, d)
	}
}

// invert derives what needs the inverse of the linear part. A singular one keeps cofactor normals and skips cone culling.
func (d *draw) invert(f *frame, m *[3][4]float64) {
	row := func(r int) [3]float64 { return [3]float64{m[r][0], m[r][1], m[r][2]} }
	cof := [3][3]float64{cross64(row(1), row(2)), cross64(row(2), row(0)), cross64(row(0), row(1))}
	det := m[0][0]*cof[0][0] + m[0][1]*cof[0][1] + m[0][2]*cof[0][2]
	d.flip = det < 0
	var most float64
	for _, r := range cof {
		for _, v := range r {
			most = max(most, math.Abs(v))
		}
	}
	if most > 0 {
		s := 1 / most
		if d.flip {
			s = -s // cofactors are det times the inverse transpose
		}
		for r := range 3 {
			for k := range 3 {
				d.normal[3*r+k] = float32(cof[r][k] * s)
			}
		}
	}
	for k := range 3 {
		d.eye[k] = float32(-(cof[0][k]*m[0][3] + cof[1][k]*m[1][3] + cof[2][k]*m[2][3]) / det)
	}
	d.eyeOK = det != 0 && finite(d.eye)
	d.rays = [3][3]float32{f.ray0, f.rayX, f.rayY}
	for i, r := range d.rays {
		for k := range 3 {
			d.rays[i][k] = float32((cof[0][k]*float64(r[0]) + cof[1][k]*float64(r[1]) + cof[2][k]*float64(r[2])) / det)
		}
		d.eyeOK = d.eyeOK && finite(d.rays[i])
	}
	if !d.eyeOK {
		d.rays = [3][3]float32{f.ray0, f.rayX, f.rayY}
	}
}

func cross64(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func finite(v geom.Vec3) bool {
	s := v[0]*0 + v[1]*0 + v[2]*0
	return s == 0
}

package importer

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Batch is some points as a file has them. Every slice is nil or as long as Positions.
type Batch struct {
	Positions [][3]float64
	Normals   []geom.Vec3 // of any length
	Colors    []geom.Vec4 // in the file's range until Cloud.Scale; alpha is final
}

// Cloud collects the points of one scan.
//
// Georeferenced coordinates are too large for float32: at 637 km its steps are 6 cm. So positions are kept relative to
// Origin, which becomes the translation of the node: where the coordinates of an axis are far greater than their spread,
// it is the middle of them, as the first points say, and itself exact in float32. Elsewhere it is zero.
//
// Points without a finite position are left out: programs write "nan" for what a scanner did not see.
type Cloud struct {
	Origin    geom.Vec3
	Positions []geom.Vec3
	Normals   []geom.Vec3 // unit
	Colors    []geom.Vec4
	Dropped   int64 // points without a finite position

	opts   Options
	expect int64
	first  Batch // the points that decide on Origin, until there are enough
	placed bool
}

// firstPoints is how many points decide on the origin of a cloud.
const firstPoints = 1 << 16

// maxPoints is how many points a cloud may have: their numbers are kept in 32 bits.
const maxPoints = math.MaxInt32

// NewCloud makes an empty cloud. expect is how many points will come, 0 = unknown; it must be bounded by the size of the
// file.
func NewCloud(opts Options, expect int64) *Cloud { return &Cloud{opts: opts, expect: expect} }

// Fits compares n points like those of b with the memory budget.
func (c *Cloud) Fits(n int64, b Batch) error {
	if n > maxPoints {
		return fmt.Errorf("there are more than %d points", int64(maxPoints))
	}
	if over := n*pointBytes(b) - c.opts.Memory(); over > 0 {
		return OverBudget(over)
	}
	return nil
}

// Append adds points; it may change the batch. All batches must have the same attributes.
func (c *Cloud) Append(b Batch) error {
	c.dropNotFinite(&b)
	if !c.placed {
		c.first.Positions = append(c.first.Positions, b.Positions...)
		c.first.Normals = append(c.first.Normals, b.Normals...)
		c.first.Colors = append(c.first.Colors, b.Colors...)
		if len(c.first.Positions) < firstPoints {
			return nil
		}
		return c.place()
	}
	return c.add(b)
}

// place decides on the origin, and takes the first points.
func (c *Cloud) place() error {
	c.placed = true
	// Not more than that, even where they are there: the result must not depend on the size of batches.
	c.Origin = origin(c.first.Positions[:min(firstPoints, len(c.first.Positions))])
	first := c.first
	c.first = Batch{}
	if n := max(c.expect, int64(len(first.Positions))); c.Fits(n, first) == nil {
		c.Positions = make([]geom.Vec3, 0, n)
		if first.Normals != nil {
			c.Normals = make([]geom.Vec3, 0, n)
		}
		if first.Colors != nil {
			c.Colors = make([]geom.Vec4, 0, n)
		}
	}
	return c.add(first)
}

// pointBytes is what a point like those of b takes in the scene.
func pointBytes(b Batch) int64 {
	n := int64(12)
	if b.Normals != nil {
		n += 12
	}
	if b.Colors != nil {
		n += 16
	}
	return n
}

func (c *Cloud) add(b Batch) error {
	if err := c.Fits(int64(len(c.Positions)+len(b.Positions)), b); err != nil {
		return err
	}
	ox, oy, oz := float64(c.Origin[0]), float64(c.Origin[1]), float64(c.Origin[2])
	for _, p := range b.Positions {
		v := geom.Vec3{float32(p[0] - ox), float32(p[1] - oy), float32(p[2] - oz)}
		if !Finite(v[:]...) {
			return errors.New("the model is too large for 32 bit coordinates")
		}
		c.Positions = append(c.Positions, v)
	}
	for _, n := range b.Normals {
		c.Normals = append(c.Normals, orUp(Unit(n)))
	}
	c.Colors = append(c.Colors, b.Colors...)
	return nil
}

func (c *Cloud) dropNotFinite(b *Batch) {
	kept := 0
	for i, p := range b.Positions {
		// Infinite minus infinite is not a number, as is all that was not one before.
		if x := p[0] - p[0] + p[1] - p[1] + p[2] - p[2]; x != 0 {
			continue
		}
		if kept < i {
			b.Positions[kept] = p
			if b.Normals != nil {
				b.Normals[kept] = b.Normals[i]
			}
			if b.Colors != nil {
				b.Colors[kept] = b.Colors[i]
			}
		}
		kept++
	}
	if kept == len(b.Positions) {
		return
	}
	c.Dropped += int64(len(b.Positions) - kept)
	b.Positions = b.Positions[:kept]
	if b.Normals != nil {
		b.Normals = b.Normals[:kept]
	}
	if b.Colors != nil {
		b.Colors = b.Colors[:kept]
	}
}

// origin is what coordinates should be relative to.
func origin(points [][3]float64) (o geom.Vec3) {
	const (
		samples = 1001
		far     = 16 // times the spread: four of float32's 24 bits
	)
	if len(points) == 0 {
		return o
	}
	step := max(1, len(points)/samples)
	for k := range 3 {
		var x []float64
		exact := true
		for i := 0; i < len(points); i += step {
			x = append(x, points[i][k])
			exact = exact && float64(float32(points[i][k])) == points[i][k]
		}
		slices.Sort(x)
		middle, spread := x[len(x)/2], x[len(x)*9/10]-x[len(x)/10] // without the outliers
		if f := float32(middle); !exact && math.Abs(middle) > far*spread && Finite(f) {
			o[k] = f
		}
	}
	return o
}

// Done ends the collection: after it the exported fields are complete.
func (c *Cloud) Done() error {
	if c.placed {
		return nil
	}
	return c.place()
}

// MaxColor is the greatest component of all colours but alpha.
func (c *Cloud) MaxColor() float32 {
	most := float32(0)
	for i := range c.Colors {
		p := &c.Colors[i]
		most = max(most, p[0], p[1], p[2])
	}
	return most
}

// Scale makes the colours linear: low and high are the file's black and white.
func (c *Cloud) Scale(low, high geom.Vec3) {
	if len(c.Colors) == 0 {
		return
	}
	const last = 1<<16 - 1
	var table [last + 1]float32 // filled as needed
	var factor geom.Vec3
	for k := range factor {
		if d := high[k] - low[k]; d > 0 {
			factor[k] = last / d
		}
	}
	for i := range c.Colors {
		p := &c.Colors[i]
		for k := range 3 {
			x := (p[k]-low[k])*factor[k] + 0.5
			if !(x > 0) {
				x = 0
			}
			i := int(min(x, last))
			if table[i] == 0 && i > 0 {
				table[i] = Linear(float32(i) / last)
			}
			p[k] = table[i]
		}
	}
}

// Stretch makes colours that are intensities linear: black is 0 or what is less than nearly all points have, white what
// nearly all points have at most. Files do not say what their scanner's range was. Without differences there are no
// colours.
func (c *Cloud) Stretch() {
	const samples = 100_000
	step := max(1, len(c.Colors)/samples)
	var x []float32
	for i := 0; i < len(c.Colors); i += step {
		if Finite(c.Colors[i][0]) {
			x = append(x, c.Colors[i][0])
		}
	}
	slices.Sort(x)
	if len(x) == 0 || !(x[len(x)-1] > x[0]) {
		c.Colors = nil
		return
	}
	low, high := min(0, x[len(x)/200]), x[len(x)-1-len(x)/200]
	if !(high > low) {
		high = x[len(x)-1]
	}
	c.Scale(geom.Vec3{low, low, low}, geom.Vec3{high, high, high})
}

// ColorRange is the white of colours of which only the greatest value is known: 1, 255 or 65535.
func ColorRange(most float32) geom.Vec3 {
	white := float32(math.MaxUint16)
	switch {
	case most <= 1:
		white = 1
	case most <= math.MaxUint8:
		white = math.MaxUint8
	}
	return geom.Vec3{white, white, white}
}

// Primitive is the cloud for the scene.
func (c *Cloud) Primitive() scene.Primitive {
	p := scene.Primitive{IsPoints: true, Positions: c.Positions, Material: PointMaterial(len(c.Colors) > 0, len(c.Normals) > 0)}
	if len(c.Normals) > 0 {
		p.Normals = c.Normals
	}
	if len(c.Colors) > 0 {
		p.Colors = c.Colors
	}
	return p
}

// PointMaterial is the material of points. Colours of a scan hold the light that was there; only normals without colours
// are worth lighting.
func PointMaterial(colored, normals bool) *scene.Material {
	m := PlainMaterial(colored)
	m.Name, m.Unlit = "points", colored || !normals
	return m
}

// ErrNoPoints is the error of a cloud without points.
var ErrNoPoints = errors.New("the file has no points")

// CloudModel is the model of a file with one scan.
func CloudModel(name string, c *Cloud, source scene.SourceInfo, w *Warnings) (*scene.Model, error) {
	if len(c.Positions) == 0 {
		return nil, ErrNoPoints
	}
	w.Dropped(c.Dropped)
	node := Node(name, -1, 0)
	node.Local[12], node.Local[13], node.Local[14] = c.Origin[0], c.Origin[1], c.Origin[2]
	m := &scene.Model{
		Name: name, Nodes: []scene.Node{node}, Source: source, Warnings: w.List(),
		Meshes: []*scene.Mesh{{Name: name, Primitives: []scene.Primitive{c.Primitive()}}},
	}
	return m, Finish(m)
}

// Dropped tells of points that have no finite position.
func (w *Warnings) Dropped(n int64) {
	if n > 0 {
		w.Add(fmt.Sprintf("%d points have no finite position; they are left out.", n))
	}
}

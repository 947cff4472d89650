package builtin

import (
	"context"
	"math"
	"runtime"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// The engine is a sectioned four-cylinder petrol engine, as museums show them: the side towards +Z is cut away, cut
// faces are red. X runs along the crankshaft to the timing drive, Y up; the origin is the crankshaft's rear third.
// Bore and stroke 86 mm, double overhead camshafts, sixteen valves. It stands still at one crank angle, and every part
// sits where that angle puts it.
const (
	bore        = 86.0
	crankRadius = 43.0
	rodLength   = 145.0
	pistonTop   = 32.0 // above the pin
	deck        = crankRadius + rodLength + pistonTop
	spacing     = 96.0 // of cylinders
	cylinders   = 4
	front       = 2 * spacing // x of the last main bearings
	crankAngle  = 52 * math.Pi / 180
	valveAngle  = 20 * math.Pi / 180 // of the stems, from the vertical
	seatZ       = 19.0               // of a valve, from the middle of the head
	seatY       = deck + 4
	camReach    = 121.0 // along the stem, from the seat to the middle of the camshaft
	camBase     = 17.0  // radius of the base circle
	camNose     = 7.0   // radius of the nose, around a point camBase off centre
)

// cylinderX is the place of cylinder i; crankPin its angle on the shaft, camDelay the crank angle of its intake stroke.
func cylinderX(i int) float32 { return (float32(i) - 1.5) * spacing }

var (
	crankPin = [cylinders]float64{0, math.Pi, math.Pi, 0}
	camDelay = [cylinders]float64{0, math.Pi, 3 * math.Pi, 2 * math.Pi} // firing order 1-3-4-2
)

// camCenter is where the camshaft of a side (-1 intake, +1 exhaust) turns.
func camCenter(side float32) (z, y float32) {
	sn, cs := math.Sincos(valveAngle)
	return side * (seatZ + camReach*float32(sn)), seatY + camReach*float32(cs)
}

// kit collects the engine's parts. Meshes are made by jobs, later and in parallel, so that the tree can be written down first.
type kit struct {
	assembly
	paints
	jobs     []func()
	camWheel *scene.Mesh
}

// body is a mesh in the making.
type body struct{ primitives []scene.Primitive }

// put adds a shape, given in millimetres.
func (b *body) put(m *scene.Material, s *shape) {
	for i := range s.pos {
		s.pos[i] = s.pos[i].Mul(0.001)
	}
	b.primitives = append(b.primitives, s.primitive(m))
}

// occlude darkens the shape that was put last, by vertex colours: f is how open a surface at p (millimetres) that faces
// n is to the sky, 0..1. The renderer has no shadows, and without any a look into a machine has no depth.
func (b *body) occlude(f func(p, n geom.Vec3) float32) {
	last := &b.primitives[len(b.primitives)-1]
	last.Colors = make([]geom.Vec4, len(last.Positions))
	for i := range last.Colors {
		v := f(last.Positions[i].Mul(1000), last.Normals[i])
		last.Colors[i] = geom.Vec4{v, v, v, 1}
	}
}

// ramp goes smoothly from low, where x <= a, to 1, where x >= b.
func ramp(low, a, b, x float32) float32 {
	t := min(max((x-a)/(b-a), 0), 1)
	return low + (1-low)*t*t*(3-2*t)
}

// mesh declares a mesh and how to make it.
func (k *kit) mesh(name string, build func(b *body)) *scene.Mesh {
	m := &scene.Mesh{Name: name}
	k.jobs = append(k.jobs, func() {
		var b body
		build(&b)
		m.Primitives = b.primitives
		m.Measure()
	})
	return m
}

// at places a part, in millimetres.
func at(x, y, z float32) geom.Mat4 { return move(x*0.001, y*0.001, z*0.001) }

func numbered(name string, i int) string { return name + " " + strconv.Itoa(i+1) }

// engine builds the model.
func engine(ctx context.Context, progress func(done float64)) (*scene.Model, error) {
	k := &kit{paints: newPaints()}
	root := k.add(-1, "engine", geom.Identity(), nil)
	bolts := k.bolts()
	k.block(root, bolts)
	k.crankTrain(root, bolts)
	k.head(root, bolts)
	k.timing(root, bolts)
	k.ancillaries(root, bolts)

	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for _, job := range k.jobs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			job()
			progress(float64(done.Add(1)) / float64(len(k.jobs)))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return k.model("engine"), nil
}

// paints are the materials.
type paints struct {
	iron, bore, aluminium, steel, polished, chrome, brass, copper, black, zinc, springSteel,
	red, cut, rubber, plastic, ceramic, gasket, cable, yellow, white *scene.Material
}

func newPaints() paints {
	paint := func(name string, r, g, b, metallic, roughness float32) *scene.Material {
		m := scene.DefaultMaterial()
		m.Name, m.BaseColor, m.Metallic, m.Roughness = name, geom.Vec4{r, g, b, 1}, metallic, roughness
		return m
	}
	return paints{
		iron:        paint("cast iron", 0.085, 0.105, 0.125, 0.3, 0.5),
		bore:        paint("honed bore", 0.34, 0.34, 0.35, 1, 0.28),
		aluminium:   paint("cast aluminium", 0.43, 0.44, 0.46, 1, 0.46),
		steel:       paint("brushed steel", 0.30, 0.305, 0.32, 1, 0.33),
		polished:    paint("ground steel", 0.52, 0.52, 0.54, 1, 0.15),
		chrome:      paint("chrome", 0.64, 0.65, 0.67, 1, 0.06),
		brass:       paint("brass", 0.70, 0.45, 0.13, 1, 0.24),
		copper:      paint("copper", 0.75, 0.31, 0.17, 1, 0.28),
		black:       paint("black oxide", 0.028, 0.028, 0.032, 0.7, 0.34),
		zinc:        paint("yellow zinc", 0.58, 0.42, 0.15, 1, 0.30),
		springSteel: paint("spring steel", 0.11, 0.15, 0.24, 1, 0.24),
		red:         paint("red enamel", 0.36, 0.006, 0.006, 0, 0.20),
		cut:         paint("cut face", 0.40, 0.016, 0.012, 0, 0.48),
		rubber:      paint("rubber", 0.012, 0.012, 0.013, 0, 0.58),
		plastic:     paint("black plastic", 0.016, 0.017, 0.019, 0, 0.30),
		ceramic:     paint("ceramic", 0.70, 0.69, 0.65, 0, 0.14),
		gasket:      paint("gasket", 0.05, 0.042, 0.035, 0.2, 0.6),
		cable:       paint("ignition cable", 0.008, 0.030, 0.17, 0, 0.34),
		yellow:      paint("yellow plastic", 0.62, 0.31, 0.006, 0, 0.32),
		white:       paint("white enamel", 0.60, 0.60, 0.58, 0, 0.25),
	}
}

// boltSet are the shared bolts.
type boltSet struct{ m12, m10, m8, m6 *scene.Mesh }

func (k *kit) bolts() boltSet {
	bolt := func(name string, m *scene.Material, d, length, pitch float32) *scene.Mesh {
		return k.mesh(name, func(b *body) { b.put(m, hexBolt(d, length, pitch)) })
	}
	return boltSet{
		m12: bolt("bolt M12x70", k.black, 12, 70, 1.75),
		m10: bolt("bolt M10x50", k.zinc, 10, 50, 1.5),
		m8:  bolt("bolt M8x32", k.steel, 8, 32, 1.25),
		m6:  bolt("bolt M6x20", k.zinc, 6, 20, 1),
	}
}

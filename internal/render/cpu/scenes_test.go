package cpu_test

import (
	"context"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
)

// surfaceGrid samples a closed surface of revolution-like parametrisation: u around, v from the top pole to the bottom one.
func surfaceGrid(nu, nv int, f func(u, v float64) [3]float64) scene.Primitive {
	var p scene.Primitive
	at := func(u, v float64) geom.Vec3 {
		q := f(u, v)
		return geom.Vec3{float32(q[0]), float32(q[1]), float32(q[2])}
	}
	const e = 1e-3
	for j := range nv + 1 {
		for i := range nu + 1 {
			u, v := float64(i)/float64(nu), float64(j)/float64(nv)
			pos := at(u, v)
			n := at(u, min(v+e, 1)).Sub(at(u, max(v-e, 0))).Cross(at(u+e, v).Sub(at(u-e, v)))
			if j == 0 || j == nv || n.Len() < 1e-12 {
				n = pos
			}
			p.Positions = append(p.Positions, pos)
			p.Normals = append(p.Normals, n.Normalize())
			p.UV0 = append(p.UV0, geom.Vec2{float32(u), float32(v)})
		}
	}
	for j := range nv {
		for i := range nu {
			a := uint32(j*(nu+1) + i)
			b, c, d := a+1, a+uint32(nu)+1, a+uint32(nu)+2
			if j > 0 {
				p.Indices = append(p.Indices, a, d, b)
			}
			if j < nv-1 {
				p.Indices = append(p.Indices, a, c, d)
			}
		}
	}
	return p
}

// bumpySphere has about tris triangles and a radius of about 1.
func bumpySphere(tris int, bump float64) scene.Primitive {
	nv := max(int(math.Sqrt(float64(tris)/4)), 4)
	return surfaceGrid(tris/(2*nv), nv, func(u, v float64) [3]float64 {
		th, ph := v*math.Pi, u*2*math.Pi
		s := math.Sin(th)
		r := 1 + bump*s*s*(0.08*math.Sin(5*ph)*math.Sin(6*th)+0.03*math.Sin(17*th)*math.Sin(23*ph))
		return [3]float64{r * s * math.Cos(ph), r * math.Cos(th), -r * s * math.Sin(ph)}
	})
}

// quad spans (-1,-1,0)..(1,1,0) and faces +Z; UVs have v = 0 at the top.
func quad() scene.Primitive {
	n := geom.Vec3{0, 0, 1}
	return scene.Primitive{
		Positions: []geom.Vec3{{-1, -1, 0}, {1, -1, 0}, {1, 1, 0}, {-1, 1, 0}},
		Normals:   []geom.Vec3{n, n, n, n},
		UV0:       []geom.Vec2{{0, 1}, {1, 1}, {1, 0}, {0, 0}},
		Indices:   []uint32{0, 1, 2, 0, 2, 3},
	}
}

// box spans -1..1 on all axes, outside is front.
func box() scene.Primitive {
	var p scene.Primitive
	for axis := range 3 {
		for side := float32(-1); side <= 1; side += 2 {
			base := uint32(len(p.Positions))
			for _, c := range [][2]float32{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
				var v, n geom.Vec3
				v[axis], v[(axis+1)%3], v[(axis+2)%3] = side, c[0]*side, c[1]
				n[axis] = side
				p.Positions, p.Normals = append(p.Positions, v), append(p.Normals, n)
				p.UV0 = append(p.UV0, geom.Vec2{c[0]/2 + 0.5, c[1]/2 + 0.5})
			}
			p.Indices = append(p.Indices, base, base+1, base+2, base, base+2, base+3)
		}
	}
	return p
}

func material(base geom.Vec4, metallic, roughness float32) *scene.Material {
	m := scene.DefaultMaterial()
	m.BaseColor, m.Metallic, m.Roughness = base, metallic, roughness
	return m
}

// stage collects instances for a snapshot.
type stage struct {
	model scene.Model
	snap  scene.Snapshot
}

func newStage() *stage {
	return &stage{snap: scene.Snapshot{Version: 1, Light: scene.DefaultLight(), Sky: scene.DefaultSky()}}
}

func (s *stage) mesh(p scene.Primitive, m *scene.Material) *scene.Mesh {
	p.Material = m
	sm := &scene.Mesh{Primitives: []scene.Primitive{p}}
	s.model.Meshes = append(s.model.Meshes, sm)
	return sm
}

func (s *stage) place(m *scene.Mesh, world geom.Mat4) scene.EntityID {
	id := scene.EntityID(len(s.snap.Instances) + 1)
	s.snap.Instances = append(s.snap.Instances, scene.Instance{Entity: id, Mesh: m, World: world})
	return id
}

func at(x, y, z, scale float32) geom.Mat4 {
	return geom.TRS(geom.Vec3{x, y, z}, geom.Quat{0, 0, 0, 1}, geom.Vec3{scale, scale, scale})
}

// lookAt is a view from eye towards target.
func lookAt(eye, target geom.Vec3) render.View {
	back := eye.Sub(target).Normalize()
	right := geom.Vec3{0, 1, 0}.Cross(back).Normalize()
	up := back.Cross(right)
	m := [3]geom.Vec3{right, up, back}
	w := math.Sqrt(max(0, 1+float64(m[0][0]+m[1][1]+m[2][2]))) / 2
	q := geom.Quat{
		float32(float64(m[1][2]-m[2][1]) / (4 * w)), float32(float64(m[2][0]-m[0][2]) / (4 * w)),
		float32(float64(m[0][1]-m[1][0]) / (4 * w)), float32(w),
	}
	return render.View{Position: eye, Orientation: q, FovY: 0.8, Near: 0.01}
}

// orbit looks at the origin from a distance, angle in degrees around +Y.
func orbit(distance, degrees float64) render.View {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return lookAt(geom.Vec3{float32(distance * sin), float32(distance * 0.35), float32(distance * cos)}, geom.Vec3{})
}

// grid is n*n*n bumpy spheres, each its own mesh and material, with about tris triangles altogether.
func grid(n, tris int) *stage {
	s := newStage()
	r := rand.New(rand.NewPCG(7, 11))
	for i := range n * n * n {
		m := material(geom.Vec4{0.3 + 0.7*r.Float32(), 0.3 + 0.7*r.Float32(), 0.3 + 0.7*r.Float32(), 1},
			float32(r.IntN(2)), 0.15+0.7*r.Float32())
		c := float32(n-1) / 2
		s.place(s.mesh(bumpySphere(tris/(n*n*n), 1), m),
			at(2*(float32(i%n)-c), 2*(float32(i/n%n)-c), 2*(float32(i/n/n)-c), 0.9))
	}
	return s
}

func checker(n, cell int, a, b [4]uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, n, n))
	for y := range n {
		for x := range n {
			c := a
			if (x/cell+y/cell)%2 == 1 {
				c = b
			}
			copy(img.Pix[img.PixOffset(x, y):], c[:])
		}
	}
	return img
}

func texture(img *image.NRGBA) scene.TextureRef {
	return scene.TextureRef{Texture: &scene.Texture{Image: img}, Matrix: [6]float32{1, 0, 0, 0, 1, 0}}
}

func newEngine(t testing.TB, c cpu.Config) *cpu.Engine {
	t.Helper()
	e, err := cpu.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func prepare(t testing.TB, e *cpu.Engine, s *stage) {
	t.Helper()
	if err := e.Prepare(context.Background(), &s.model, nil); err != nil {
		t.Fatal(err)
	}
}

func newTarget(t testing.TB, e *cpu.Engine, w, h int) render.Target {
	t.Helper()
	target, err := e.NewTarget(w, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func mustRender(t testing.TB, target render.Target, s *stage, v render.View) render.Stats {
	t.Helper()
	stats, err := target.Render(&s.snap, v)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// converge renders until nothing changes any more.
func converge(t testing.TB, target render.Target, s *stage, v render.View) {
	t.Helper()
	for range 100 {
		if mustRender(t, target, s, v).Converged {
			return
		}
	}
	t.Fatal("does not converge in 100 frames")
}

func picture(target render.Target) *image.NRGBA {
	w, h := target.Size()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	target.RGBA(img.Pix)
	return img
}

func writePNG(t testing.TB, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

package cpu_test

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everything exercises each feature of the renderer once.
func everything() *stage {
	s := newStage()
	stripes := checker(64, 8, [4]uint8{230, 60, 40, 255}, [4]uint8{250, 240, 220, 255})
	bumps := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for i := range 32 * 32 {
		x, y := i%32, i/32
		copy(bumps.Pix[4*i:], []uint8{uint8(128 + 50*math.Sin(float64(x))), uint8(128 + 50*math.Cos(float64(y))), 230, 255})
	}
	ball := bumpySphere(6000, 0.3)
	mapped := material(geom.Vec4{1, 1, 1, 1}, 1, 1)
	mapped.BaseColorTex, mapped.NormalTex = texture(stripes), texture(bumps)
	mapped.MetalRough = texture(checker(32, 4, [4]uint8{200, 40, 255, 255}, [4]uint8{255, 200, 0, 255}))
	mapped.OcclusionTex = mapped.MetalRough
	mapped.BaseColorTex.Matrix = [6]float32{4, 0.5, 0.1, -0.5, 4, 0.2}
	s.place(s.mesh(ball, mapped), at(-2.2, 0.8, 0, 1))

	s.place(s.mesh(bumpySphere(3000, 1), material(geom.Vec4{0.9, 0.7, 0.3, 1}, 1, 0.2)), at(0, 0.9, -0.5, 1))
	mirrored := geom.TRS(geom.Vec3{2.2, 0.8, 0}, geom.Quat{0, 0, 0, 1}, geom.Vec3{-1, 0.8, 1})
	colored := bumpySphere(3000, 1)
	for _, p := range colored.Positions {
		colored.Colors = append(colored.Colors, geom.Vec4{p[0]/2 + 0.5, p[1]/2 + 0.5, p[2]/2 + 0.5, 1})
	}
	colored.UV1 = colored.UV0
	glow := material(geom.Vec4{1, 1, 1, 1}, 0, 0.6)
	glow.Emissive, glow.EmissiveTex = geom.Vec3{0.4, 0.1, 0.6}, texture(stripes)
	glow.EmissiveTex.UV = 1
	glow.EmissiveTex.Texture.WrapU, glow.EmissiveTex.Texture.WrapV = scene.WrapMirror, scene.WrapClamp
	s.place(s.mesh(colored, glow), mirrored)

	fence := material(geom.Vec4{0.2, 0.7, 0.3, 1}, 0, 0.8)
	fence.Alpha, fence.DoubleSided = scene.AlphaMask, true
	fence.BaseColorTex = texture(checker(64, 8, [4]uint8{255, 255, 255, 255}, [4]uint8{255, 255, 255, 0}))
	fence.BaseColorTex.Texture.Nearest = true
	s.place(s.mesh(quad(), fence), at(-1, -0.9, 1.6, 0.6))

	for i, c := range []geom.Vec4{{0.9, 0.2, 0.2, 0.4}, {0.2, 0.4, 0.9, 0.5}} {
		glass := material(c, 0, 0.1)
		glass.Alpha, glass.DoubleSided = scene.AlphaBlend, true
		s.place(s.mesh(box(), glass), at(0.9+0.5*float32(i), -0.7, 1.5-0.3*float32(i), 0.4))
	}
	unlit := material(geom.Vec4{0.1, 0.5, 0.9, 1}, 0, 1)
	unlit.Unlit = true
	s.place(s.mesh(quad(), unlit), at(0, -0.6, -2, 0.5))
	floor := quad()
	floor.Normals = nil // flat shading
	tilt := geom.TRS(geom.Vec3{0, -1.5, 0}, geom.Quat{-math.Sqrt2 / 2, 0, 0, math.Sqrt2 / 2}, geom.Vec3{40, 40, 1})
	ground := material(geom.Vec4{0.5, 0.5, 0.5, 1}, 0, 0.9)
	ground.BaseColorTex = texture(checker(16, 8, [4]uint8{120, 120, 120, 255}, [4]uint8{220, 220, 220, 255}))
	ground.BaseColorTex.Matrix = [6]float32{20, 0, 0, 0, 20, 0}
	s.place(s.mesh(floor, ground), tilt)
	return s
}

// fingerprint hashes all a target gives away.
func fingerprint(t testing.TB, target render.Target) uint64 {
	t.Helper()
	h := fnv.New64a()
	h.Write(picture(target).Pix)
	y, u, v, _, _ := target.I420()
	for _, p := range [][]byte{y, u, v} {
		h.Write(p)
	}
	w, ht := target.Size()
	for i := range 50 {
		e, depth := target.Pick(i*w/50, i*ht/50)
		bits := math.Float32bits(depth)
		h.Write([]byte{byte(e), byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
	}
	return h.Sum64()
}

// TestBitIdentical: scalar and SIMD kernels, any thread count and a second run give the same bits.
func TestBitIdentical(t *testing.T) {
	// Nothing is blended in plain, so that its moving views interpolate. One of its objects is squashed to a disc.
	plain := grid(2, 8000)
	plain.place(plain.mesh(bumpySphere(2000, 1), material(geom.Vec4{0.8, 0.8, 0.9, 1}, 1, 0.3)),
		geom.TRS(geom.Vec3{0, 0.2, 2.5}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 0}))
	for name, s := range map[string]*stage{"everything": everything(), "plain": plain} {
		t.Run(name, func(t *testing.T) { testBitIdentical(t, s) })
	}
}

func testBitIdentical(t *testing.T, s *stage) {
	run := func(e *cpu.Engine, w, h int) (prints []uint64) {
		t.Cleanup(func() { _ = e.Close() })
		prepare(t, e, s)
		target := newTarget(t, e, w, h)
		for _, v := range []render.View{orbit(6, 10), orbit(6, 11), orbit(6, 11), orbit(6, 11), orbit(1.2, 200), orbit(0.5, 20)} {
			mustRender(t, target, s, v)
			prints = append(prints, fingerprint(t, target))
		}
		return prints
	}
	for _, size := range [][2]int{{318, 182}, {64, 30}, {80, 46}} {
		var want []uint64
		for _, threads := range []int{1, 3} {
			for level, e := range cpu.NewPerLevel(threads) {
				got := run(e, size[0], size[1])
				if want == nil {
					want = got
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("%v: level %d with %d threads: frame %d differs from the scalar one", size, level, threads, i)
					}
				}
			}
		}
	}
}

// TestOcclusion: a target that culls by what it saw before draws what one without a past, which draws much more, draws.
func TestOcclusion(t *testing.T) {
	s := grid(4, 200_000)
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	target := newTarget(t, e, 320, 180)
	culled := int64(0)
	for i := range 8 {
		v := orbit(7, float64(i)*5)
		stats := mustRender(t, target, s, v)
		fresh := newTarget(t, e, 320, 180)
		all := mustRender(t, fresh, s, v)
		if !bytes.Equal(picture(target).Pix, picture(fresh).Pix) {
			t.Fatalf("frame %d differs from the one without a past", i)
		}
		culled += all.TrianglesDrawn - stats.TrianglesDrawn
	}
	if culled < 15_000 {
		t.Errorf("the past saved %d triangles of 8 frames; the test shows nothing", culled)
	}
}

// TestInsideBox: with the camera inside a box, whose triangles all cross the near plane, every pixel shows the wall at its depth.
func TestInsideBox(t *testing.T) {
	s := newStage()
	m := material(geom.Vec4{0.8, 0.8, 0.8, 1}, 0, 1)
	m.DoubleSided = true
	s.place(s.mesh(box(), m), at(0, 0, 0, 5))
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	target := newTarget(t, e, 160, 120)
	for _, eye := range []geom.Vec3{{0, 0, 0}, {4.9, 0.3, -4.95}, {1, 2, 3}} {
		v := render.View{Position: eye, Orientation: geom.Quat{0, 0, 0, 1}, FovY: 2, Near: 0.001}
		mustRender(t, target, s, v)
		tan := math.Tan(float64(v.FovY) / 2)
		for y := range 120 {
			for x := range 160 {
				id, depth := target.Pick(x, y)
				d := [3]float64{(float64(x) + 0.5 - 80) / 60 * tan, (60 - float64(y) - 0.5) / 60 * tan, -1}
				want := math.Inf(1)
				for k := range 3 {
					wall := math.Copysign(5, d[k])
					want = min(want, (wall-float64(eye[k]))/d[k])
				}
				if id != 1 || math.Abs(float64(depth)-want) > 2e-3*want {
					t.Fatalf("eye %v, pixel (%d,%d): entity %d at %v m, want 1 at %v m", eye, x, y, id, depth, want)
				}
			}
		}
	}
}

// TestPick also covers far-away coordinates, which camera-relative transforms must survive.
func TestPick(t *testing.T) {
	const far = 1 << 20
	s := newStage()
	m := s.mesh(quad(), material(geom.Vec4{1, 1, 1, 1}, 0, 1))
	near := s.place(m, at(far-1, 0, 0, 1))
	back := s.place(m, at(far+1, 0, -2, 1))
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	target := newTarget(t, e, 200, 100)
	mustRender(t, target, s, render.View{Position: geom.Vec3{far, 0, 4}, Orientation: geom.Quat{0, 0, 0, 1}, FovY: 1, Near: 0.1})
	for _, c := range []struct {
		x, y  int
		want  scene.EntityID
		depth float32
	}{{80, 50, near, 4}, {110, 50, back, 6}, {199, 0, 0, 0}, {-1, 5, 0, 0}, {200, 100, 0, 0}} {
		if id, depth := target.Pick(c.x, c.y); id != c.want || math.Abs(float64(depth-c.depth)) > 1e-3 {
			t.Errorf("Pick(%d,%d) = %d at %v m, want %d at %v m", c.x, c.y, id, depth, c.want, c.depth)
		}
	}
}

// TestFurnace: in a uniform sky of radiance 1, without the directional light, a white surface of any roughness, metal or
// not, has radiance 1: no energy is lost or made. Radiance 0.7 is compared, which the tone curve leaves alone but for its offset.
func TestFurnace(t *testing.T) {
	e := newEngine(t, cpu.Config{})
	e.UseUniformSky()
	for _, metallic := range []float32{0, 1} {
		for _, rough := range []float32{0.05, 0.3, 0.6, 1} {
			s := newStage()
			s.snap.Light = scene.DirectionalLight{Direction: geom.Vec3{0, -1, 0}}
			s.snap.Sky.Intensity = 0.7
			s.place(s.mesh(bumpySphere(5000, 0), material(geom.Vec4{1, 1, 1, 1}, metallic, rough)), geom.Identity())
			prepare(t, e, s)
			target := newTarget(t, e, 64, 64)
			mustRender(t, target, s, orbit(4, 0))
			img := picture(target)
			want := 255 * (1.055*math.Pow(0.7-0.04, 1/2.4) - 0.055)
			for _, p := range []image.Point{{32, 32}, {40, 32}, {32, 44}, {25, 25}} {
				c := img.NRGBAAt(p.X, p.Y)
				for _, v := range []uint8{c.R, c.G, c.B} {
					if math.Abs(float64(v)-want) > 3 {
						t.Errorf("metallic %v, roughness %v: pixel %v is %v, want %.1f", metallic, rough, p, c, want)
					}
				}
			}
		}
	}
}

// TestExactColors: background and unlit surfaces appear as given.
func TestExactColors(t *testing.T) {
	s := newStage()
	s.snap.Sky.Background = [3]uint8{255, 17, 90}
	m := material(geom.Vec4{1, 1, 1, 1}, 0, 1)
	m.Unlit = true
	m.BaseColorTex = texture(checker(4, 2, [4]uint8{200, 0, 3, 255}, [4]uint8{11, 250, 128, 255}))
	m.BaseColorTex.Texture.WrapU, m.BaseColorTex.Texture.WrapV = scene.WrapClamp, scene.WrapClamp
	s.place(s.mesh(quad(), m), geom.Identity())
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	target := newTarget(t, e, 100, 100)
	v := render.View{Position: geom.Vec3{0, 0, 3}, Orientation: geom.Quat{0, 0, 0, 1}, FovY: 1, Near: 0.1}
	check := func(what string) {
		img := picture(target)
		for _, c := range []struct {
			x, y int
			want [3]uint8
		}{{2, 2, [3]uint8{255, 17, 90}}, {25, 25, [3]uint8{200, 0, 3}}, {75, 25, [3]uint8{11, 250, 128}}, {25, 75, [3]uint8{11, 250, 128}}} {
			got := img.NRGBAAt(c.x, c.y)
			if [3]uint8{got.R, got.G, got.B} != c.want {
				t.Errorf("%s: pixel (%d,%d) is %v, want %v", what, c.x, c.y, got, c.want)
			}
		}
	}
	mustRender(t, target, s, v)
	check("first frame")
	converge(t, target, s, v)
	check("converged")
	// BT.709 limited range of the background, ITU-R BT.709-6 section 3.
	y, u, vv, _, _ := target.I420()
	r, g, b := 255.0/255, 17.0/255, 90.0/255
	l := 0.2126*r + 0.7152*g + 0.0722*b
	for _, c := range []struct {
		got  byte
		want float64
	}{{y[0], 16 + 219*l}, {u[0], 128 + 224*(b-l)/1.8556}, {vv[0], 128 + 224*(r-l)/1.5748}} {
		if math.Abs(float64(c.got)-c.want) > 1 {
			t.Errorf("I420 sample is %d, want %.1f", c.got, c.want)
		}
	}
}

func TestAlphaMask(t *testing.T) {
	s := newStage()
	m := material(geom.Vec4{1, 1, 1, 1}, 0, 1)
	m.Alpha = scene.AlphaMask
	m.BaseColorTex = texture(checker(4, 2, [4]uint8{255, 255, 255, 255}, [4]uint8{255, 255, 255, 0}))
	m.BaseColorTex.Texture.Nearest = true
	front := s.place(s.mesh(quad(), m), geom.Identity())
	behind := s.place(s.mesh(quad(), material(geom.Vec4{1, 0, 0, 1}, 0, 1)), at(0, 0, -1, 2))
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	target := newTarget(t, e, 100, 100)
	mustRender(t, target, s, render.View{Position: geom.Vec3{0, 0, 3}, Orientation: geom.Quat{0, 0, 0, 1}, FovY: 1, Near: 0.1})
	for _, c := range []struct {
		x, y int
		want scene.EntityID
	}{{30, 30, front}, {70, 70, front}, {70, 30, behind}, {30, 70, behind}} {
		if id, _ := target.Pick(c.x, c.y); id != c.want {
			t.Errorf("pixel (%d,%d) shows entity %d, want %d", c.x, c.y, id, c.want)
		}
	}
}

// TestBlend: the order of instances does not matter, and layers compose as the over operator says.
func TestBlend(t *testing.T) {
	e := newEngine(t, cpu.Config{})
	v := render.View{Position: geom.Vec3{0, 0, 3}, Orientation: geom.Quat{0, 0, 0, 1}, FovY: 1, Near: 0.1}
	shot := func(order ...int) *image.NRGBA {
		s := newStage()
		s.snap.Sky.Background = [3]uint8{}
		colors := []geom.Vec4{{1, 0, 0, 0.5}, {0, 1, 0, 0.25}}
		for _, i := range order {
			m := material(colors[i], 0, 1)
			m.Unlit, m.Alpha = true, scene.AlphaBlend
			s.place(s.mesh(quad(), m), at(0, 0, -float32(i), 1+float32(i)))
		}
		prepare(t, e, s)
		target := newTarget(t, e, 64, 64)
		mustRender(t, target, s, v)
		return picture(target)
	}
	a, b := shot(0, 1), shot(1, 0)
	if !bytes.Equal(a.Pix, b.Pix) {
		t.Error("the picture depends on the order of instances")
	}
	enc := func(x float64) float64 { return 255 * (1.055*math.Pow(x, 1/2.4) - 0.055) }
	c := a.NRGBAAt(32, 32)
	if math.Abs(float64(c.R)-enc(0.5)) > 1 || math.Abs(float64(c.G)-enc(0.125)) > 1 || c.B != 0 {
		t.Errorf("middle is %v, want R %.1f G %.1f", c, enc(0.5), enc(0.125))
	}
}

// TestConverges: sixteen samples come close to 256 (a picture of 16 times the width and height, averaged in linear light),
// the edge-filtered first frame less so, and the count is as documented.
func TestConverges(t *testing.T) {
	s := grid(2, 8000)
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	const w, h, n = 96, 64, 16
	v := orbit(6, 30)
	big := newTarget(t, e, w*n, h*n)
	mustRender(t, big, s, v)
	reference := image.NewNRGBA(image.Rect(0, 0, w, h))
	src := picture(big)
	for i := range w * h * 4 {
		sum, x, y := 0.0, i/4%w, i/4/w
		for k := range n * n {
			sum += linear(src.Pix[src.PixOffset(x*n+k%n, y*n+k/n)+i%4])
		}
		reference.Pix[i] = uint8(math.Round(encoded(sum / (n * n))))
	}
	target := newTarget(t, e, w, h)
	mustRender(t, target, s, v)
	first := psnr(picture(target), reference)
	frames := 1
	for stats := (render.Stats{}); !stats.Converged; frames++ {
		stats = mustRender(t, target, s, v)
		if stats.Sample != frames {
			t.Fatalf("frame %d is sample %d", frames, stats.Sample)
		}
	}
	if frames != 17 {
		t.Errorf("converged after %d frames, want 17", frames)
	}
	last := psnr(picture(target), reference)
	t.Logf("PSNR against 256 samples: first frame %.1f dB, converged %.1f dB", first, last)
	if first < 24 || last < 34 {
		t.Errorf("PSNR: first %.1f dB (want >= 24), converged %.1f dB (want >= 34)", first, last)
	}
	before := picture(target)
	if stats := mustRender(t, target, s, v); !stats.Converged || !bytes.Equal(before.Pix, picture(target).Pix) {
		t.Error("a converged picture changed")
	}
	s.snap.Version++
	if stats := mustRender(t, target, s, v); stats.Converged || stats.Sample != 0 {
		t.Error("an edit did not start the picture anew")
	}
}

func linear(v uint8) float64 {
	x := float64(v) / 255
	if x < 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

func encoded(x float64) float64 {
	if x < 0.0031308 {
		return 255 * 12.92 * x
	}
	return 255 * (1.055*math.Pow(x, 1/2.4) - 0.055)
}

func psnr(a, b *image.NRGBA) float64 {
	var sum float64
	for i := range a.Pix {
		d := float64(a.Pix[i]) - float64(b.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255/(sum/float64(len(a.Pix))*4/3)) // alpha is equal
}

// FuzzGeometry: no geometry, transform or view crashes or hangs, whatever its numbers.
func FuzzGeometry(f *testing.F) {
	f.Add(uint64(1), uint8(3))
	f.Add(uint64(77), uint8(255))
	engines := cpu.NewPerLevel(1)
	f.Fuzz(func(t *testing.T, seed uint64, kinds uint8) {
		r := rand.New(rand.NewPCG(seed, uint64(kinds)))
		wild := []float32{0, 1, -1, 1e-38, 1e-20, 1e10, -1e30, math.MaxFloat32, float32(math.Inf(1)), float32(math.NaN()), 1e-45}
		num := func() float32 {
			if r.IntN(256) < int(kinds)/4 {
				return wild[r.IntN(len(wild))]
			}
			return r.Float32()*4 - 2
		}
		vec := func() geom.Vec3 { return geom.Vec3{num(), num(), num()} }
		s := newStage()
		for range 4 {
			var p scene.Primitive
			for range 60 {
				p.Positions, p.Normals = append(p.Positions, vec()), append(p.Normals, vec())
				p.UV0 = append(p.UV0, geom.Vec2{num(), num()})
				p.Colors = append(p.Colors, geom.Vec4{num(), num(), num(), num()})
				p.Indices = append(p.Indices, r.Uint32N(60), r.Uint32N(60), r.Uint32N(60))
			}
			m := material(geom.Vec4{num(), num(), num(), num()}, num(), num())
			m.Alpha, m.DoubleSided, m.Emissive = scene.AlphaMode(r.IntN(3)), r.IntN(2) == 0, vec()
			m.BaseColorTex = texture(checker(5, 2, [4]uint8{255, 0, 0, 255}, [4]uint8{0, 255, 0, 100}))
			m.BaseColorTex.Texture.WrapU = scene.Wrap(r.IntN(3))
			m.BaseColorTex.Matrix = [6]float32{num(), num(), num(), num(), num(), num()}
			m.NormalTex = m.BaseColorTex
			world := geom.Identity()
			for i := range 12 {
				world[i/3*4+i%3] += num() / 2
			}
			s.place(s.mesh(p, m), world)
		}
		v := render.View{Position: vec(), Orientation: geom.Quat{num(), num(), num(), num()}, FovY: num() + 1, Near: num()}
		var want *image.NRGBA
		for level, e := range engines {
			prepare(t, e, s)
			defer e.Forget(&s.model)
			target := newTarget(t, e, 48, 32)
			for range 3 {
				if _, err := target.Render(&s.snap, v); err != nil {
					return // a view that makes no sense is refused
				}
			}
			if want == nil {
				want = picture(target)
			} else if !bytes.Equal(want.Pix, picture(target).Pix) {
				t.Errorf("level %d differs from the scalar twin", level)
			}
		}
	})
}

func TestPrepare(t *testing.T) {
	s := everything()
	e := newEngine(t, cpu.Config{})
	target := newTarget(t, e, 64, 64)
	if _, err := target.Render(&s.snap, orbit(6, 0)); err == nil {
		t.Error("rendering a model that was not prepared succeeds")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Prepare(ctx, &s.model, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled Prepare returns %v", err)
	}
	if m, tex := e.Cached(); m != 0 || tex != 0 {
		t.Errorf("canceled Prepare leaves %d meshes and %d textures", m, tex)
	}
	last := 0.0
	if err := e.Prepare(context.Background(), &s.model, func(done float64) {
		if done < last {
			t.Errorf("progress goes from %v to %v", last, done)
		}
		last = done
	}); err != nil || last != 1 {
		t.Fatalf("Prepare: %v, progress ends at %v", err, last)
	}
	prepare(t, e, s)
	e.Forget(&s.model)
	mustRender(t, target, s, orbit(6, 0)) // still prepared once
	e.Forget(&s.model)
	if m, tex := e.Cached(); m != 0 || tex != 0 {
		t.Errorf("Forget leaves %d meshes and %d textures", m, tex)
	}
}

func TestRefuses(t *testing.T) {
	if _, err := cpu.New(cpu.Config{Threads: -1}); err == nil {
		t.Error("New accepts -1 threads")
	}
	e := newEngine(t, cpu.Config{})
	for _, size := range [][2]int{{15, 16}, {17, 16}, {8194, 16}, {16, 0}} {
		if _, err := e.NewTarget(size[0], size[1]); err == nil {
			t.Errorf("NewTarget accepts %v", size)
		}
	}
	s := newStage()
	target := newTarget(t, e, 16, 16)
	nan := float32(math.NaN())
	good := orbit(3, 0)
	for _, change := range []func(*render.View){
		func(v *render.View) { v.Position[1] = nan },
		func(v *render.View) { v.Orientation = geom.Quat{} },
		func(v *render.View) { v.FovY = 0 },
		func(v *render.View) { v.Near = nan },
	} {
		v := good
		change(&v)
		if _, err := target.Render(&s.snap, v); err == nil {
			t.Errorf("Render accepts %+v", v)
		}
	}
	mustRender(t, target, s, good)
}

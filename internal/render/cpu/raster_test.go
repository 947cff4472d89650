package cpu

import (
	"math/rand/v2"
	"testing"
)

// TestWatertight: of triangles that share edges, every pixel centre belongs to exactly one, also when it lies on an edge
// or a corner.
func TestWatertight(t *testing.T) {
	const w, h, cells = 96, 64, 7
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		// A lattice whose inner points are moved; in half of the rounds to pixel centres, where ties are decided.
		var pts [cells + 1][cells + 1]corner
		for j := range pts {
			for i := range pts[j] {
				x, y := (i*(w+20)/cells-10)*subpixel, (j*(h+20)/cells-10)*subpixel
				if i%cells != 0 && j%cells != 0 {
					x, y = x+r.IntN(2000)-1000, y+r.IntN(1000)-500
				}
				if round%2 == 0 {
					x, y = x&^(subpixel-1)|subpixel/2, y&^(subpixel-1)|subpixel/2
				}
				pts[j][i] = corner{int64(x), int64(y), 1}
			}
		}
		var hits [h][w]int
		for j := range cells {
			for i := range cells {
				a, b, c, d := pts[j][i], pts[j][i+1], pts[j+1][i], pts[j+1][i+1]
				for _, v := range [][3]corner{{a, b, d}, {a, d, c}} {
					var tri triangle
					if !tri.setup(&v, true, w, 0, h) {
						continue
					}
					for y := tri.y0; y <= tri.y1; y++ {
						from, to := tri.span(y)
						for x := from; x <= to; x++ {
							hits[y][x]++
						}
					}
				}
			}
		}
		for y := range h {
			for x := range w {
				if hits[y][x] != 1 {
					t.Fatalf("round %d: pixel (%d,%d) is covered %d times", round, x, y, hits[y][x])
				}
			}
		}
	}
}

// TestClip: clipping keeps the part in front of the near plane and is independent of the corners' order at a shared edge.
func TestClip(t *testing.T) {
	a, b, c, d := [3]float32{-300, 10, -0.5}, [3]float32{400, 20, 0.7}, [3]float32{10, 500, 0.9}, [3]float32{20, -600, 0.8}
	edge := func(p, q, r *[3]float32) map[corner]bool {
		var poly polygon
		poly.clip(p, q, r, 0.1)
		out := map[corner]bool{}
		for i := range poly.n {
			if poly.v[i].w < 0.1-1e-12 {
				t.Errorf("corner %d is behind the near plane", i)
			}
			out[poly.corner(i)] = true
		}
		return out
	}
	one, two := edge(&a, &b, &c), edge(&b, &a, &d)
	shared := 0
	for v := range one {
		if two[v] {
			shared++
		}
	}
	if shared != 2 { // b and the point cut from a-b
		t.Errorf("the two triangles at an edge share %d clipped corners, want 2: %v %v", shared, one, two)
	}
}

// TestSRGB: the polynomials are exact enough that 8-bit colours survive.
func TestSRGB(t *testing.T) {
	for i := range 256 {
		if got := int(mad(linearToSRGB(srgbToLinear(float32(i)/255)), 255, 0.5)); got != i {
			t.Errorf("%d becomes %d", i, got)
		}
	}
}

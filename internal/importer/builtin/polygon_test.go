package builtin

import (
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
)

func area(p []geom.Vec2) float64 {
	var a float64
	for i := range p {
		q := p[(i+1)%len(p)]
		a += float64(p[i][0]*q[1]-p[i][1]*q[0]) / 2
	}
	return a
}

func TestTriangulateCoversThePolygon(t *testing.T) {
	star := make([]geom.Vec2, 40)
	for i := range star {
		c, s := circle(i, len(star))
		r := float32(1 + i%2)
		star[i] = geom.Vec2{r * c, r * s}
	}
	hole := func(x, y, r float32, n int) points { return reversed(ringAt(x, y, r, n)) }
	for name, c := range map[string]struct {
		outline []geom.Vec2
		holes   []points
	}{
		"square":       {rect(0, 0, 1, 1), nil},
		"star":         {star, nil},
		"star, hole":   {star, []points{hole(0, 0, 0.7, 24)}},
		"plate, holes": {rect(0, 0, 9, 3), []points{hole(2, 1.5, 1, 32), hole(5, 1.5, 1, 32), hole(7.5, 2, 0.4, 9)}},
		"rows": {rect(0, 0, 4, 4), []points{hole(1, 1, 0.5, 16), hole(3, 1, 0.5, 16),
			hole(1, 3, 0.5, 16), hole(3, 3, 0.5, 16)}},
		"rounded": {rounded(points{{0, 0}, {4, 0}, {4, 1}, {1, 1}, {1, 4}, {0, 4}}, 0.2), nil},
	} {
		all := append([]geom.Vec2(nil), c.outline...)
		want := area(c.outline)
		for _, h := range c.holes {
			all = append(all, h...)
			want += area(h)
		}
		tri := triangulate(c.outline, c.holes)
		var got float64
		for i := 0; i < len(tri); i += 3 {
			a := float64(cross(all[tri[i]], all[tri[i+1]], all[tri[i+2]])) / 2
			if a < -1e-6 {
				t.Errorf("%s: triangle %d is turned over", name, i/3)
			}
			got += a
		}
		if math.Abs(got-want) > 1e-4 || len(tri)/3 != len(all)+2*len(c.holes)-2 {
			t.Errorf("%s: area %g, want %g; %d triangles, want %d", name, got, want, len(tri)/3, len(all)+2*len(c.holes)-2)
		}
	}
}

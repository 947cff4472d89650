package geom_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/geom"
)

func vec(t *rapid.T, label string, lo, hi float32) geom.Vec3 {
	return geom.Vec3{
		rapid.Float32Range(lo, hi).Draw(t, label), rapid.Float32Range(lo, hi).Draw(t, label), rapid.Float32Range(lo, hi).Draw(t, label),
	}
}

func transform(t *rapid.T) geom.Mat4 {
	axis := vec(t, "axis", -1, 1).Add(geom.Vec3{0, 0, 2}).Normalize()
	sin, cos := math.Sincos(rapid.Float64Range(-3, 3).Draw(t, "half angle"))
	a := axis.Mul(float32(sin))
	return geom.TRS(vec(t, "translation", -9, 9), geom.Quat{a[0], a[1], a[2], float32(cos)}, vec(t, "scale", 0.5, 2))
}

func near(a, b geom.Vec3) bool { return a.Sub(b).Len() < 1e-3 }

func TestInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, p := transform(t), vec(t, "p", -5, 5)
		inv, ok := m.Inverse()
		if !ok || !near(inv.Point(m.Point(p)), p) || !near(m.Mul(inv).Point(p), p) {
			t.Fatalf("inverse of %v is %v, %v", m, inv, ok)
		}
		if !near(m.Dir(p), m.Point(p).Sub(m.Point(geom.Vec3{}))) {
			t.Fatal("Dir is not the difference of two points")
		}
	})
	if m, ok := (geom.Mat4{15: 1}).Inverse(); ok || m != geom.Identity() {
		t.Errorf("a singular matrix has the inverse %v", m)
	}
}

func TestTransformedBoxHoldsItsPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, s := vec(t, "a", -5, 5), vec(t, "b", -5, 5), vec(t, "s", 0, 1)
		box, m := geom.Empty().Extend(a).Extend(b), transform(t)
		p := box.Min
		for k := range 3 {
			p[k] += s[k] * box.Size()[k]
		}
		if grown := box.Transform(m).Extend(m.Point(p)); !near(grown.Min, box.Transform(m).Min) || !near(grown.Max, box.Transform(m).Max) {
			t.Fatalf("%v is outside of %v transformed by %v", p, box, m)
		}
	})
	if e := geom.Empty(); !e.IsEmpty() || !e.Transform(geom.Identity()).IsEmpty() || !e.Union(e).IsEmpty() {
		t.Error("nothing is not empty")
	}
}

func TestRotationIsRightHanded(t *testing.T) {
	quarter := geom.Quat{0, 0, math.Sqrt2 / 2, math.Sqrt2 / 2} // 90 degrees around +Z
	if got := geom.TRS(geom.Vec3{}, quarter, geom.Vec3{1, 1, 1}).Point(geom.Vec3{1, 0, 0}); !near(got, geom.Vec3{0, 1, 0}) {
		t.Errorf("x turns to %v, want y", got)
	}
	if got := (geom.Vec3{1, 0, 0}).Cross(geom.Vec3{0, 1, 0}); got != (geom.Vec3{0, 0, 1}) {
		t.Errorf("x cross y is %v", got)
	}
}

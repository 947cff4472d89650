package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

const valveX = 19.0 // of a pair of valves, from the middle of the cylinder

// head adds the cylinder head with its valves, camshafts and cover.
func (k *kit) head(root int, bolts boltSet) {
	group := k.add(root, "cylinder head", geom.Identity(), nil)
	k.add(group, "head casting", geom.Identity(), k.mesh("head casting", k.headCasting))
	for i := range cylinders {
		for j, dx := range []float32{-36, 36} {
			k.add(group, numbered("head bolt rear", 2*i+j), at(cylinderX(i)+dx, deck+18, -62), bolts.m12)
			k.add(group, numbered("head bolt front", 2*i+j), at(cylinderX(i)+dx, deck+18, 66), bolts.m8)
		}
	}
	k.valveTrain(group, bolts)
	k.ignition(group)
	cover := k.add(group, "cam cover", geom.Identity(), k.mesh("cam cover", k.camCover))
	for i := range 4 {
		x := (float32(i) - 1.5) * 112
		k.add(cover, numbered("cover bolt rear", i), at(x, 352, -97), bolts.m6)
		k.add(cover, numbered("cover bolt front", i), at(x, 352, -25), bolts.m6)
	}
	k.add(cover, "oil filler cap", at(-130, 378, -60), k.mesh("oil filler cap", func(b *body) {
		b.put(k.yellow, lathe(filleted(points{{0, -6}, {20, -6}, {20, 0}, {24, 2}, {24, 14}, {20, 17}, {0, 15}}, 2.5), 72))
		grip := plateX(rounded(points{{-18, 12}, {18, 12}, {15, 24}, {-15, 24}}, 4), nil, -3.5, 3.5, 2)
		b.put(k.yellow, grip)
	}))
}

func (k *kit) headCasting(b *body) {
	z, y := camCenter(1)
	id := geom.Identity()
	var plugs [][]geom.Vec2
	for i := range cylinders {
		plugs = append(plugs, ringAt(cylinderX(i), 0, 9, 32))
	}
	s := plateY(rounded(rect(-201, -78, 201, 78), 8), plugs, deck+2, deck+18, 2)
	s.add(plateX(rounded(rect(-78, deck+14, -68, y-8), 3), nil, -199, 199, 2), id)
	web := join(points{{-74, deck + 14}, {74, deck + 14}, {74, 286}, {z + 25, y - 16}, {z + 25, y}, {z + 14.9, y}},
		shifted(halfCircle(14.9, 0, -180), z, y)[1:28],
		points{{z - 14.9, y}, {z - 25, y}, {z - 25, y - 14}, {14, 284}, {-14, 284}, {25 - z, y - 14}, {25 - z, y}, {14.9 - z, y}},
		shifted(halfCircle(14.9, 0, -180), -z, y)[1:28],
		points{{-14.9 - z, y}, {-25 - z, y}, {-25 - z, y - 16}, {-74, 286}})
	for i := range cylinders + 1 {
		x := bulkhead(i)
		s.add(plateX(web, nil, x-7, x+7, 0.8), id)
	}
	for i := range cylinders { // plug wells
		s.add(lathe(pipe(9, 13, deck+16, deck+40, 1.2), 48), move(cylinderX(i), 0, 0))
	}
	b.put(k.aluminium, s)
	b.occlude(func(p, _ geom.Vec3) float32 {
		if p[1] < deck+17 || p[2] < -68.5 {
			return 1 // the outside
		}
		return max(ramp(0.3, -68, 74, p[2]), ramp(0.3, y-50, y+10, p[1]))
	})
	b.put(k.cut, plateY(rounded(rect(-194, 77.4, 194, 78.6), 0.3), nil, deck+4.5, deck+15.5, 0))
}

func (k *kit) valveTrain(group int, bolts boltSet) {
	const seal, retainer, tappet = 17, 82, camReach - camBase // along the stem
	valve := map[float32]*scene.Mesh{}
	for side, m := range map[float32]struct {
		name   string
		radius float32
	}{-1: {"intake valve", 17}, 1: {"exhaust valve", 15}} {
		valve[side] = k.mesh(m.name, func(b *body) {
			r := m.radius
			p := filleted(points{{0, -2}, {r, -2}, {r, 0}, {r * 0.45, 5}, {4.5, 13}, {3, 24}, {3, retainer + 6}, {0, retainer + 6}}, 0.7)
			b.put(k.polished, lathe(p, 56))
		})
	}
	guide := k.mesh("valve guide", func(b *body) { b.put(k.brass, lathe(pipe(3.1, 6, 8, 44, 0.8), 40)) })
	coil := k.mesh("valve spring", func(b *body) { b.put(k.springSteel, spring(11.4, 1.9, retainer-seal, 7.5)) })
	plate := k.mesh("spring retainer", func(b *body) {
		b.put(k.zinc, lathe(append(filleted(points{{3.1, -3}, {8, -3}, {9, 0}, {14, 0}, {14, 3}, {6, 5},
			{3.1, 5}}, 0.7), geom.Vec2{3.1, -3}), 56))
	})
	bucket := k.mesh("tappet", func(b *body) {
		b.put(k.chrome, lathe(filleted(points{{0, -6}, {13, -6}, {13, -13}, {15.5, -13}, {15.5, 0}, {0, 0}}, 0.8), 72))
	})
	bearingCap := k.mesh("cam bearing cap", func(b *body) {
		outline := join(rounded(points{{26, 0}, {26, 10}, {17, 13}, {11, 23}, {-11, 23}, {-17, 13}, {-26, 10},
			{-26, 0}}, 2), halfCircle(14.9, 180, 0))
		b.put(k.aluminium, plateX(outline, nil, -7, 7, 0.8))
	})
	shafts := map[float32]*scene.Mesh{}
	for _, side := range []float32{-1, 1} {
		shafts[side] = k.mesh(sideName(side)+" camshaft", func(b *body) { k.camshaft(b, side) })
	}
	for _, side := range []float32{-1, 1} {
		name := sideName(side)
		z, y := camCenter(side)
		train := k.add(group, name+" side", geom.Identity(), nil)
		shaft := k.add(train, name+" camshaft", at(0, y, z).Mul(turn(0, crankAngle/2)), shafts[side])
		k.camPulley(shaft, bolts)
		for i := range cylinders + 1 {
			c := k.add(train, numbered(name+" cam cap", i), at(bulkhead(i), y, z), bearingCap)
			for j, dz := range []float32{-20.5, 20.5} {
				k.add(c, numbered("cap bolt", j), at(0, 11, dz), bolts.m6)
			}
		}
		for i := range cylinders {
			lift := camLift(i, side)
			for j, dx := range []float32{-valveX, valveX} {
				frame := at(cylinderX(i)+dx, seatY, side*seatZ).Mul(turn(0, float64(side)*valveAngle))
				v := k.add(train, numbered(name+" valve", 2*i+j), frame, nil)
				k.add(v, "valve", at(0, -lift, 0), valve[side])
				k.add(v, "guide", geom.Identity(), guide)
				squeeze := geom.TRS(geom.Vec3{}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, (retainer - seal - lift) / (retainer - seal), 1})
				k.add(v, "spring", at(0, seal, 0).Mul(squeeze), coil)
				k.add(v, "retainer", at(0, retainer-lift, 0), plate)
				k.add(v, "tappet", at(0, tappet-lift, 0), bucket)
			}
		}
	}
}

func sideName(side float32) string {
	if side < 0 {
		return "intake"
	}
	return "exhaust"
}

// peak is the crank angle at which the valves of cylinder i are open widest: 110 degrees after the top dead centre of
// gas exchange for the intake, and as much before it for the exhaust.
func peak(i int, side float32) float64 {
	return camDelay[i] - float64(side)*110*math.Pi/180
}

// camLift is how far the valves of cylinder i are open: a flat tappet rides on the support function of the cam.
func camLift(i int, side float32) float32 {
	a := (crankAngle - peak(i, side)) / 2
	return max(0, camBase*float32(math.Cos(a))+camNose-camBase)
}

func (k *kit) camshaft(b *body, side float32) {
	raw, ground := &shape{}, &shape{}
	raw.add(latheX(rod(10.5, -front-8, front+38, 1), 56), geom.Identity())
	for i := range cylinders + 1 {
		ground.add(latheX(rod(14.6, bulkhead(i)-10, bulkhead(i)+10, 0.8), 64), geom.Identity())
	}
	lobe := convexHull(append(ring(camBase, 96), ringAt(0, camBase, camNose, 48)...)) // the nose points to +Y
	for i := range cylinders {
		nose := math.Pi + float64(side)*valveAngle - peak(i, side)/2
		for _, dx := range []float32{-valveX, valveX} {
			ground.add(plateX(lobe, nil, -6.5, 6.5, 0.8), move(cylinderX(i)+dx, 0, 0).Mul(turn(0, nose)))
		}
	}
	b.put(k.steel, raw)
	b.put(k.polished, ground)
}

func (k *kit) camCover(b *body) {
	z, y := camCenter(1)
	id := geom.Identity()
	s := plateX(rounded(points{{-z - 42, y}, {-z + 40, y}, {-z + 40, y + 13}, {-z + 29, y + 15}, {-z + 26, y + 34},
		{-z - 28, y + 34}, {-z - 31, y + 15}, {-z - 42, y + 13}}, 5),
		nil, -204, 199, 2.5)
	b.put(k.red, s)
	fins := &shape{}
	for i := range 5 {
		c := -z - 17 + float32(i)*8
		fins.add(plateX(rounded(rect(c-1.4, y+32, c+1.4, y+38), 1.2), nil, -90, 178, 0.8), id)
	}
	b.put(k.white, fins)
}

func (k *kit) ignition(group int) {
	plug := k.mesh("spark plug", func(b *body) {
		b.put(k.steel, lathe(rod(7, 0, 14, 0.6), 40))
		hex := make([]geom.Vec2, 6)
		for i := range hex {
			c, s := circle(i, 6)
			hex[i] = geom.Vec2{11 * c, 11 * s}
		}
		b.put(k.chrome, extrude(rounded(hex, 1.4), nil, 10, 0.9).moved(move(0, 14, 0).Mul(turn(0, -math.Pi/2))))
		p := points{{0, 22}, {6.5, 22}, {6.5, 30}}
		for i := range 4 {
			y := 32 + 3*float32(i)
			p = append(p, geom.Vec2{5.2, y}, geom.Vec2{6, y + 1.5})
		}
		b.put(k.ceramic, lathe(filleted(append(p, geom.Vec2{5, 46}, geom.Vec2{4, 50}, geom.Vec2{0, 50}), 0.5), 48))
	})
	boot := k.mesh("plug boot", func(b *body) {
		b.put(k.rubber, lathe(filleted(points{{0, 44}, {8.5, 44}, {8.5, 50}, {7, 54}, {7, 72}, {5, 78}, {0, 78}}, 1.5), 48))
	})
	coilPack := k.add(group, "ignition coil", at(-232, 300, 0), k.mesh("ignition coil", func(b *body) {
		b.put(k.plastic, plateX(rounded(rect(-40, -18, 40, 18), 5), nil, -16, 20, 3))
		b.put(k.aluminium, plateX(rounded(rect(-46, -20, 46, -16), 1.5), nil, -20, 34, 1))
		for i := range cylinders {
			b.put(k.rubber, lathe(filleted(points{{0, 10}, {7, 10}, {7, 26}, {5, 32}, {0, 32}}, 1.5), 40).moved(move(0, 0, (float32(i)-1.5)*18)))
		}
	}))
	for i := range cylinders {
		x := cylinderX(i)
		p := k.add(group, numbered("spark plug", i), at(x, deck+22, 0), plug)
		k.add(p, "boot", geom.Identity(), boot)
		// The cable, in the coil's frame.
		lane := (float32(i) - 1.5) * 18
		start := geom.Vec3{x + 232, deck + 22 + 76 - 300, 0}
		points := []geom.Vec3{start, start.Add(geom.Vec3{-2, 22, 0}), start.Add(geom.Vec3{-30, 42, lane * 0.5})}
		for gx := x - 60; gx > -170; gx -= 60 {
			points = append(points, geom.Vec3{gx + 232, 62 + 3*float32(i%2), lane * 0.75})
		}
		points = append(points, geom.Vec3{34, 62, lane}, geom.Vec3{4, 52, lane}, geom.Vec3{0, 30, lane})
		k.add(coilPack, numbered("ignition cable", i), geom.Identity(), k.mesh(numbered("ignition cable", i), func(b *body) {
			b.put(k.cable, tube(spline(points, 12), 3.4, 20, false))
		}))
	}
}

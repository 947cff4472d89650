package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// ancillaries adds what is bolted to the back of the engine.
func (k *kit) ancillaries(root int, bolts boltSet) {
	group := k.add(root, "ancillaries", geom.Identity(), nil)
	k.intake(group, bolts)
	k.alternator(group)

	k.add(group, "oil filter", at(96, 30, -78), k.mesh("oil filter", func(b *body) {
		b.put(k.aluminium, latheZ(rod(34, -14, 2, 2), 80))
		p := points{{0, -112}, {34, -112}, {38, -106}, {38, -16}, {34, -13}, {0, -13}}
		b.put(k.white, latheZ(filleted(p, 5), 96))
		b.put(k.red, latheZ(pipe(37.5, 38.6, -76, -44, 0.3), 96))
	}))
	k.add(group, "starter motor", geom.Identity(), k.mesh("starter motor", func(b *body) {
		body := latheX(filleted(points{{0, -215}, {22, -215}, {22, -190}, {36, -182}, {36, -70}, {31, -62}, {0, -62}}, 4), 80)
		b.put(k.black, body.moved(move(0, 30, -118)))
		b.put(k.steel, latheX(pipe(35.5, 37, -150, -100, 0.5), 80).moved(move(0, 30, -118)))
		b.put(k.zinc, latheX(filleted(points{{0, -176}, {17, -176}, {17, -96}, {0, -96}}, 3), 56).moved(move(0, 76, -132)))
	}))
	k.add(group, "dipstick", geom.Identity(), k.mesh("dipstick", func(b *body) {
		path := spline([]geom.Vec3{{30, -40, -88}, {30, 60, -98}, {34, 180, -104}, {36, 280, -112}}, 14)
		b.put(k.steel, tube(path, 4, 20, false))
		loop := make([]geom.Vec3, 32)
		for i := range loop {
			c, s := circle(i, len(loop))
			loop[i] = geom.Vec3{36 + 11*c, 296 + 11*s, -112}
		}
		b.put(k.yellow, tube(loop, 3, 16, true))
	}))
	k.hose(group, "upper coolant hose", 17, []geom.Vec3{{front - 20, 262, -70}, {front + 10, 264, -100}, {front + 30, 300, -140},
		{front + 40, 330, -190}, {front + 50, 330, -250}})
	k.hose(group, "lower coolant hose", 17, []geom.Vec3{{front + 8, 120, 10}, {front + 2, 110, -60}, {front - 4, 60, -120},
		{front + 10, 20, -180}, {front + 50, 10, -250}})
	k.hose(group, "heater hose", 9, []geom.Vec3{{-front - 4, 256, -40}, {-front - 40, 256, -60}, {-front - 60, 230, -110},
		{-front - 60, 220, -190}})
}

// hose is a rubber hose with a clamp near each end.
func (k *kit) hose(group int, name string, radius float32, through []geom.Vec3) {
	path := spline(through, 16)
	n := k.add(group, name, geom.Identity(), k.mesh(name, func(b *body) { b.put(k.rubber, tube(path, radius, 40, false)) }))
	for i, at := range []int{8, len(path) - 9} {
		k.add(n, numbered("hose clamp", i), geom.Identity(), k.mesh(numbered(name+" clamp", i), func(b *body) {
			b.put(k.chrome, sweep(path[at-2:at+2], ring(radius+1, 56), false))
			screw := path[at].Add(geom.Vec3{0, radius + 3, 0})
			b.put(k.chrome, latheX(rod(3.4, -6, 9, 0.6), 24).moved(move(screw[0], screw[1], screw[2])))
		}))
	}
}

func (k *kit) intake(group int, bolts boltSet) {
	manifold := k.add(group, "intake manifold", geom.Identity(), nil)
	const plenumY, plenumZ = 372, -176
	k.add(manifold, "plenum", geom.Identity(), k.mesh("plenum", func(b *body) {
		p := filleted(points{{0, -196}, {30, -196}, {40, -184}, {40, 176}, {34, 190}, {30, 206}, {0, 206}}, 8)
		s := latheX(p, 96).moved(move(0, plenumY, plenumZ))
		for i := range 9 {
			s.add(latheX(pipe(39, 42.5, -2, 2, 1.2), 96), move((float32(i)-4)*42, plenumY, plenumZ))
		}
		b.put(k.aluminium, s)
	}))
	runner := k.mesh("intake runner", func(b *body) {
		path := spline([]geom.Vec3{{0, 268, -76}, {0, 270, -110}, {0, 284, -150}, {0, 318, -174}, {0, 352, -176}}, 14)
		b.put(k.aluminium, tube(path, 20, 56, false))
		flange := rounded(rect(-36, -24, 36, 24), 12)
		b.put(k.aluminium, extrude(flange, nil, 9, 1.5).moved(move(0, 268, -87)))
	})
	injector := k.mesh("injector", func(b *body) {
		p := filleted(points{{0, 0}, {5, 0}, {5, 12}, {8, 14}, {8, 34}, {6, 38}, {6, 46}, {0, 46}}, 1)
		b.put(k.plastic, lathe(p, 40))
		b.put(k.brass, lathe(pipe(4, 8.6, 38, 41, 0.5), 40))
		b.put(k.yellow, extrude(rounded(rect(-6, -5, 6, 5), 1.5), nil, 16, 1).moved(move(0, 26, 4)))
	})
	for i := range cylinders {
		x := cylinderX(i)
		r := k.add(manifold, numbered("runner", i), at(x, 0, 0), runner)
		for j, dx := range []float32{-29, 29} {
			k.add(r, numbered("flange bolt", j), at(dx, 268, -87).Mul(turn(0, -math.Pi/2)), bolts.m8)
		}
		k.add(r, "injector", at(0, 286, -108).Mul(turn(0, 0.35)), injector)
	}
	k.add(manifold, "fuel rail", geom.Identity(), k.mesh("fuel rail", func(b *body) {
		b.put(k.brass, latheX(filleted(points{{0, -190}, {8, -190}, {8, 186}, {5, 188}, {5, 204},
			{0, 204}}, 1.5), 48).moved(move(0, 334, -92)))
	}))
	k.add(manifold, "throttle body", at(206, plenumY, plenumZ), k.mesh("throttle body", func(b *body) {
		b.put(k.aluminium, latheX(pipe(28, 34, 0, 52, 1.5), 96))
		b.put(k.aluminium, latheX(pipe(28, 44, 0, 8, 1.5), 96))
		b.put(k.brass, latheX(rod(27.8, -1, 1, 0.4), 72).moved(move(30, 0, 0).Mul(turn(2, 0.5))))
		b.put(k.plastic, plateX(rounded(rect(30, -22, 58, 22), 6), nil, 14, 46, 3))
	}))
}

func (k *kit) alternator(group int) {
	place := at(driveX-120, alternator.y, alternator.z)
	a := k.add(group, "alternator", place, k.mesh("alternator housing", func(b *body) {
		s := latheX(filleted(points{{0, 6}, {50, 6}, {60, 14}, {60, 40}, {56, 40}, {56, 16}, {0, 12}}, 2), 96)
		s.add(latheX(filleted(points{{0, 92}, {56, 88}, {56, 66}, {60, 66}, {60, 90}, {50, 100}, {0, 100}}, 2), 96), geom.Identity())
		for i := range 36 { // cooling fins
			fin := plateX(rounded(rect(56, -1.2, 63, 1.2), 0.8), nil, 16, 38, 0.6)
			fin.add(plateX(rounded(rect(56, -1.2, 63, 1.2), 0.8), nil, 68, 88, 0.6), geom.Identity())
			s.add(fin, turn(0, 2*math.Pi*float64(i)/36))
		}
		b.put(k.aluminium, s)
	}))
	k.add(a, "stator", geom.Identity(), k.mesh("stator", func(b *body) {
		lamination := &shape{}
		for i := range 12 {
			x := 40 + float32(i)*2.2
			lamination.add(latheX(pipe(48, 61, x, x+1.7, 0.3), 96), geom.Identity())
		}
		b.put(k.steel, lamination)
		coils := &shape{}
		for i := range 36 {
			loop := make([]geom.Vec3, 20)
			for j := range loop {
				c, s := circle(j, len(loop))
				loop[j] = geom.Vec3{53 + 20*c, 52, 4 * s}
			}
			coils.add(tube(loop, 1.8, 8, true), turn(0, 2*math.Pi*float64(i)/36))
		}
		b.put(k.copper, coils)
	}))
	k.add(a, "alternator pulley", geom.Identity(), k.mesh("alternator pulley", func(b *body) {
		b.put(k.steel, latheX(rod(9, 98, 150, 1), 48))
		b.put(k.black, latheX(grooved(0, alternator.r, 120, 26), 96))
	}))
	k.add(group, "alternator bracket", geom.Identity(), k.mesh("alternator bracket", func(b *body) {
		arm := rounded(points{{-152, 76}, {-70, 60}, {-70, 130}, {-96, 96}, {-146, 92}}, 4)
		b.put(k.iron, plateX(arm, nil, driveX-88, driveX-78, 1.5))
	}))
}

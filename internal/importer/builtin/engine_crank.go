package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// crankTrain adds what turns and what goes up and down.
func (k *kit) crankTrain(root int, bolts boltSet) {
	group := k.add(root, "crank train", geom.Identity(), nil)
	shaft := k.add(group, "crankshaft", turn(0, crankAngle), k.mesh("crankshaft", k.crankshaft))
	k.flywheel(shaft, bolts)

	piston := k.mesh("piston", k.piston)
	var rings [3]ringMesh
	for i, m := range []ringMesh{{name: "compression ring", y: 24.4}, {name: "scraper ring", y: 19}, {name: "oil ring", y: 12.6}} {
		m.mesh = k.mesh(m.name, func(b *body) {
			wall, ends := arc(points{{39.4, -0.75}, {42.95, -0.75}, {42.95, 0.75}, {39.4, 0.75}}, 0.02, 2*math.Pi-0.02, 140)
			wall.add(ends, geom.Identity())
			b.put(k.polished, wall)
		})
		rings[i] = m
	}
	pin := k.mesh("piston pin", func(b *body) { b.put(k.polished, latheX(pipe(6, 11, -31, 31, 0.8), 64)) })
	circlip := k.mesh("circlip", func(b *body) {
		path := make([]geom.Vec3, 41)
		for i := range path {
			sn, cs := math.Sincos(2 * math.Pi * (0.06 + 0.88*float64(i)/40))
			path[i] = geom.Vec3{0, 10.4 * float32(cs), 10.4 * float32(sn)}
		}
		b.put(k.springSteel, tube(path, 0.7, 8, false))
	})
	rodMesh, capMesh := k.mesh("connecting rod", k.rod), k.mesh("rod cap", func(b *body) {
		outline := join(rounded(points{{-38.5, 0}, {-38.5, -15}, {-26, -15}, {-20, -34}, {20, -34}, {26, -15}, {38.5, -15}, {38.5, 0}}, 2.5),
			halfCircle(24.4, 0, -180))
		b.put(k.steel, plateX(outline, nil, -10.5, 10.5, 1))
	})
	shell := k.mesh("rod bearing shell", func(b *body) { b.put(k.copper, shellHalf(22.1, 24.5, 19)) })
	bush := k.mesh("small end bush", func(b *body) { b.put(k.brass, latheX(pipe(11.1, 13, -11, 11, 0.4), 56)) })

	for i := range cylinders {
		sn, cs := math.Sincos(crankAngle + crankPin[i])
		pinY, pinZ := crankRadius*cs, crankRadius*sn
		pistonY := pinY + math.Sqrt(rodLength*rodLength-pinZ*pinZ)
		assembly := k.add(group, numbered("piston", i), at(cylinderX(i), float32(pistonY), 0), piston)
		for _, r := range rings {
			k.add(assembly, r.name, at(0, r.y, 0).Mul(turn(1, float64(2*i)+float64(r.y))), r.mesh)
		}
		k.add(assembly, "piston pin", geom.Identity(), pin)
		k.add(assembly, "circlip left", at(-32, 0, 0), circlip)
		k.add(assembly, "circlip right", at(32, 0, 0), circlip)
		tilt := math.Atan2(-pinZ, pistonY-pinY)
		rod := k.add(group, numbered("connecting rod", i), at(cylinderX(i), float32(pinY), float32(pinZ)).Mul(turn(0, tilt)), rodMesh)
		k.add(rod, "small end bush", at(0, rodLength, 0), bush)
		k.add(rod, "upper shell", turn(0, math.Pi), shell)
		k.add(rod, "lower shell", geom.Identity(), shell)
		k.add(rod, "rod cap", geom.Identity(), capMesh)
		for j, z := range []float32{-32, 32} {
			k.add(rod, numbered("rod bolt", j), at(0, -15, z).Mul(turn(0, math.Pi)), bolts.m8)
		}
	}
}

type ringMesh struct {
	name string
	y    float32
	mesh *scene.Mesh
}

func (k *kit) crankshaft(b *body) {
	raw, ground := &shape{}, &shape{}
	id := geom.Identity()
	for i := range cylinders + 1 {
		x := bulkhead(i)
		ground.add(latheX(rod(25, x-20, x+20, 1.5), 72), id)
	}
	ground.add(latheX(filleted(points{{0, front + 15}, {21, front + 15}, {21, front + 26}, {16, front + 28}, {16, front + 65},
		{0, front + 65}}, 1.5), 64), id)
	ground.add(latheX(rod(46, -front-46, -front-18, 2), 96), id) // rear flange
	web := join(
		shifted(halfCircle(30, -18, 198), 0, crankRadius),
		points{{-33, 8}, {-40, -8}},
		halfCircle(79, -156, -24),
		points{{40, -8}, {33, 8}})
	for i := range cylinders {
		x, p := cylinderX(i), crankPin[i]
		sn, cs := math.Sincos(p)
		ground.add(latheX(rod(22, -15, 15, 0.5), 72), move(x, crankRadius*float32(cs), crankRadius*float32(sn)))
		for _, side := range []float32{-30, 14} {
			raw.add(plateX(rounded(web, 4), nil, x+side, x+side+16, 2.5), turn(0, p))
		}
	}
	b.put(k.steel, raw)
	b.occlude(func(p, n geom.Vec3) float32 {
		if n[0]*n[0] < 0.5 {
			return 1 // the rim
		}
		return ramp(0.45, 20, 80, geom.Vec3{0, p[1], p[2]}.Len())
	})
	b.put(k.polished, ground)
}

func (k *kit) flywheel(shaft int, bolts boltSet) {
	const x = -front - 46
	wheel := k.add(shaft, "flywheel", geom.Identity(), k.mesh("flywheel", func(b *body) {
		b.put(k.iron, latheX(filleted(points{{0, x - 12}, {52, x - 12}, {56, x - 8}, {74, x - 8}, {80, x - 22}, {124, x - 22},
			{130, x - 18}, {130, x - 2}, {60, x}, {0, x}}, 2), 128))
		b.put(k.polished, latheX(pipe(84, 120, x-23.5, x-20, 0.8), 128))
		b.put(k.steel, plateX(toothed(132, 134, 139), [][]geom.Vec2{ring(127, 132)}, x-16, x-3, 0.7))
	}))
	for i := range 8 {
		c, s := circle(i, 8)
		k.add(wheel, numbered("flywheel bolt", i), at(x-12, 34*c, 34*s).Mul(turn(2, math.Pi/2)), bolts.m10)
	}
	for i := range 6 {
		c, s := circle(2*i+1, 12)
		k.add(wheel, numbered("clutch bolt", i), at(x-22, 102*c, 102*s).Mul(turn(2, math.Pi/2)), bolts.m6)
	}
}

func (k *kit) piston(b *body) {
	const land = 42.6
	profile := points{{0, 19}, {33, 18}, {37.5, 8}, {38.6, -27}, {42.75, -27}, {42.85, 4}}
	for _, y := range []float32{12.6, 19, 24.4} {
		profile = append(profile, geom.Vec2{land, y - 1}, geom.Vec2{39, y - 1}, geom.Vec2{39, y + 1}, geom.Vec2{land, y + 1})
	}
	profile = append(profile, geom.Vec2{land, pistonTop}, geom.Vec2{33, pistonTop}, geom.Vec2{28, pistonTop - 4},
		geom.Vec2{0, pistonTop - 4})
	b.put(k.aluminium, lathe(filleted(profile, 0.5), 88))
	bosses := latheX(pipe(11.2, 17, -38, -13, 1.5), 56)
	bosses.add(latheX(pipe(11.2, 17, 13, 38, 1.5), 56), geom.Identity())
	b.put(k.aluminium, bosses)
}

func (k *kit) rod(b *body) {
	outline := join(points{{38.5, 0}},
		points{{38.5, 9}, {30, 24}, {13.5, 44}, {9.5, 121}},
		shifted(halfCircle(18.5, -50, 230), 0, rodLength),
		points{{-9.5, 121}, {-13.5, 44}, {-30, 24}, {-38.5, 9}, {-38.5, 0}},
		halfCircle(24.4, 180, 0))
	pocket := rounded(points{{-8.6, 44}, {8.6, 44}, {5.4, 119}, {-5.4, 119}}, 4)
	s := plateX(outline, [][]geom.Vec2{ringAt(0, rodLength, 13, 64), pocket}, -10.5, 10.5, 1.1)
	s.add(plateX(rounded(points{{-10, 42}, {10, 42}, {6.4, 121}, {-6.4, 121}}, 3), nil, -2.5, 2.5, 0), geom.Identity())
	b.put(k.steel, s)
}

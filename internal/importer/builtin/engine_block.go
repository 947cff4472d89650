package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// bulkhead returns the x of main bearing i.
func bulkhead(i int) float32 { return (float32(i) - cylinders/2) * spacing }

// halfCircle walks around the origin from angle a0 to a1, in degrees, in (z, y).
func halfCircle(r float32, a0, a1 float64) []geom.Vec2 {
	const n = 28
	p := make([]geom.Vec2, n+1)
	for i := range p {
		sn, cs := math.Sincos((a0 + (a1-a0)*float64(i)/n) * math.Pi / 180)
		p[i] = geom.Vec2{r * float32(cs), r * float32(sn)}
	}
	return p
}

func shifted(p []geom.Vec2, x, y float32) []geom.Vec2 {
	r := make([]geom.Vec2, len(p))
	for i := range p {
		r[i] = geom.Vec2{p[i][0] + x, p[i][1] + y}
	}
	return r
}

func join(parts ...[]geom.Vec2) []geom.Vec2 {
	var r []geom.Vec2
	for _, p := range parts {
		r = append(r, p...)
	}
	return r
}

// block adds what stands still below the head.
func (k *kit) block(root int, bolts boltSet) {
	group := k.add(root, "block", geom.Identity(), nil)
	k.add(group, "cylinder block", geom.Identity(), k.mesh("cylinder block", k.blockCasting))
	k.add(group, "head gasket", geom.Identity(), k.mesh("head gasket", func(b *body) {
		var holes [][]geom.Vec2
		for i := range cylinders {
			holes = append(holes, ringAt(cylinderX(i), 0, 44, 72))
		}
		b.put(k.gasket, plateY(rounded(rect(-201, -78, 201, 78), 8), holes, deck, deck+2, 0))
	}))
	cover := k.mesh("core plug", func(b *body) {
		b.put(k.brass, latheZ(filleted(points{{0, -3}, {17, -3}, {17, -6}, {19, -6}, {19, 4}, {0, 4}}, 1), 56))
	})
	for i := range cylinders {
		k.add(group, numbered("core plug", i), at(cylinderX(i), 120, -79), cover)
	}

	bearingCap := k.mesh("main bearing cap", func(b *body) {
		outline := join(points{{-50, 0}, {-50, -30}, {-28, -30}, {-23, -45}, {23, -45}, {28, -30}, {50, -30},
			{50, 0}}, halfCircle(28, 0, -180))
		b.put(k.iron, plateX(outline, nil, -11, 11, 1.2))
	})
	shell := k.mesh("main bearing shell", func(b *body) { b.put(k.copper, shellHalf(25.2, 28.1, 18)) })
	for i := range cylinders + 1 {
		main := k.add(group, numbered("main bearing", i), at(bulkhead(i), 0, 0), nil)
		k.add(main, "cap", geom.Identity(), bearingCap)
		k.add(main, "lower shell", geom.Identity(), shell)
		k.add(main, "upper shell", turn(0, math.Pi), shell)
		for j, z := range []float32{-39, 39} {
			k.add(main, numbered("cap bolt", j), at(0, -30, z).Mul(turn(0, math.Pi)), bolts.m12)
		}
	}

	k.add(group, "oil pan", geom.Identity(), k.mesh("oil pan", k.oilPan))
	for i := range 9 {
		x := float32(i-4) * 46
		k.add(group, numbered("pan bolt", i), at(x, -66, -88).Mul(turn(0, math.Pi)), bolts.m8)
	}
	plug := k.mesh("drain plug", func(b *body) { b.put(k.brass, hexBolt(14, 4, 1.5)) })
	k.add(group, "drain plug", at(0, -125, -69.5).Mul(turn(0, -math.Pi/2-0.46)), plug)
	stand := k.add(root, "stand", geom.Identity(), nil)
	k.add(stand, "base plate", geom.Identity(), k.mesh("base plate", func(b *body) {
		b.put(k.plastic, plateY(rounded(rect(-262, -150, 262, 120), 24), nil, -216, -198, 5))
		plaque := move(0, -187, 100).Mul(turn(0, -0.9))
		b.put(k.plastic, plateX(points{{84, -199}, {112, -199}, {86.5, -178}}, nil, -124, 124, 0))
		b.put(k.brass, extrude(rounded(rect(-130, -17, 130, 17), 4), nil, 5, 1).moved(plaque))
		b.put(k.plastic, lettering("HELIOGRAPH", 17, 2).moved(plaque.Mul(move(0, 0, 4.4))))
	}))
	post := k.mesh("post", func(b *body) {
		b.put(k.chrome, lathe(filleted(points{{0, 0}, {22, 0}, {22, 7}, {9, 14}, {9, 44}, {14, 50}, {14, 56}, {0, 56}}, 3), 64))
	})
	for i, p := range [][2]float32{{-160, -40}, {160, -40}, {-160, 40}, {160, 40}} {
		k.add(stand, numbered("post", i), at(p[0], -198, p[1]), post)
	}
}

// shellHalf is the lower half of a plain bearing around X.
func shellHalf(inner, outer, width float32) *shape {
	wall, cut := arc(points{{inner, -width / 2}, {outer, -width / 2}, {outer, width / 2}, {inner, width / 2}}, 0, math.Pi, 40)
	wall.add(cut, geom.Identity())
	// Around Y from +X over -Z to -X: bring Y to X, and -Z down.
	return wall.moved(turn(0, -math.Pi/2).Mul(turn(2, -math.Pi/2)))
}

func (k *kit) blockCasting(b *body) {
	iron, cut := &shape{}, &shape{}
	id := geom.Identity()
	iron.add(plateX(rounded(rect(-78, -62, -66, deck-0.5), 3), nil, -201, 201, 2.5), id)
	iron.add(plateX(rounded(rect(-94, -65, -66, -40), 4), nil, -203, 203, 2), id) // pan rail
	for i := range 9 {                                                            // ribs on the back
		x := float32(i-4) * spacing / 2
		if i%2 == 1 {
			continue
		}
		iron.add(plateX(rounded(points{{-90, -52}, {-70, -52}, {-70, 190}, {-80, 190}, {-86, 60}}, 4), nil, x-4, x+4, 2), id)
	}
	for _, y := range []float32{60, 176} {
		iron.add(plateX(rounded(rect(-84, y-4, -70, y+4), 3), nil, -198, 198, 2), id)
	}
	web := join(points{{-68, -60}, {-52, -60}, {-52, 0}, {-28, 0}}, halfCircle(28, 180, 0)[1:28], points{{28, 0}, {52, 0}, {52, 40},
		{12, 96}, {12, deck - 1}, {-68, deck - 1}})
	strip := points{{52, 0.5}, {53.2, 0.5}, {53.2, 40.4}, {13.2, 96.4}, {13.2, deck - 13}, {12, deck - 13}, {12, 96}, {52, 40}}
	for i := range cylinders + 1 {
		x, half := bulkhead(i), float32(9)
		if i == 0 || i == cylinders {
			half = 11
		}
		iron.add(plateX(web, nil, x-half, x+half, 0.8), id)
		cut.add(plateX(strip, nil, x-half+0.6, x+half-0.6, 0), id)
	}
	top := points{{-201, -78}, {201, -78}, {201, 0}}
	for i := cylinders - 1; i >= 0; i-- {
		top = append(top, shifted(halfCircle(bore/2, 0, -180), cylinderX(i), 0)...)
	}
	iron.add(plateY(append(top, geom.Vec2{-201, 0}), nil, deck-13, deck, 0), id)
	for i := range cylinders + 1 {
		x0, x1 := bulkhead(i)-spacing/2+bore/2, bulkhead(i)+spacing/2-bore/2
		cut.add(plateY(rect(max(x0, -201)+0.4, 0, min(x1, 201)-0.4, 1.2), nil, deck-12.6, deck-0.4, 0), id)
	}
	b.put(k.iron, iron)
	b.occlude(func(p, n geom.Vec3) float32 {
		if p[2] < -66.1 || n[2] < -0.5 {
			return 1 // the outside
		}
		return ramp(0.3, -66, 46, p[2])
	})

	liners := &shape{}
	for i := range cylinders {
		wall, ends := arc(points{{bore / 2, 66}, {47.8, 66}, {47.8, deck - 0.2}, {bore / 2, deck - 0.2}}, -0.06, math.Pi+0.06, 72)
		liners.add(wall, move(cylinderX(i), 0, 0))
		cut.add(ends, move(cylinderX(i), 0, 0))
	}
	b.put(k.bore, liners)
	b.occlude(func(p, _ geom.Vec3) float32 { return ramp(0.35, -46, 4, p[2]) * ramp(0.6, deck, deck-70, p[1]) })
	b.put(k.cut, cut)
}

func (k *kit) oilPan(b *body) {
	tray := rounded(points{{-92, -66}, {-92, -70}, {-82, -70}, {-82, -100}, {-56, -152}, {56, -152}, {80, -106}, {76, -104},
		{53.5, -148}, {-53.5, -148}, {-78, -99}, {-78, -66}}, 2.5)
	pan := plateX(tray, nil, -203, 203, 0.8)
	end := rounded(points{{-80, -66}, {-80, -100}, {-55, -151}, {55, -151}, {77.5, -106}, {52, -66}}, 3)
	pan.add(plateX(end, nil, -203, -199, 1), geom.Identity())
	pan.add(plateX(end, nil, 199, 203, 1), geom.Identity())
	for i := range 17 {
		x := float32(i-8) * 22
		pan.add(plateX(rounded(points{{-48, -160}, {48, -160}, {56, -150}, {-56, -150}}, 2), nil, x-2, x+2, 0.8), geom.Identity())
	}
	b.put(k.aluminium, pan)
	b.occlude(func(p, n geom.Vec3) float32 {
		inside := p[1] > -148.5 && (n[1] > 0.3 || n[2]*p[2] < -1 || n[0]*p[0] < -1)
		if !inside || p[1] > -67 {
			return 1
		}
		return ramp(0.3, -150, -80, p[1])
	})
	b.put(k.cut, plateX(points{{76, -104.6}, {80, -106.6}, {81, -104.6}, {76.4, -102.6}}, nil, -202, 202, 0))
	b.put(k.zinc, plateX(rect(-53, -147.9, 53, -141), nil, -198, 198, 0)) // oil
	b.occlude(func(p, _ geom.Vec3) float32 { return ramp(0.35, -60, 60, p[2]) })
}

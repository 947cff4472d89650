package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// The timing drive turns the camshafts at half speed: 24 and 48 teeth.
const (
	timingX      = front + 18 // rear face of the timing pulleys
	timingWidth  = 22.0
	crankPulleyR = 26.0
	camPulleyR   = 2 * crankPulleyR
	driveX       = timingX + timingWidth + 10 // rear face of the accessory pulleys
)

var (
	waterPump  = pulley{z: 50, y: 120, r: 29}
	tensioner  = pulley{z: -54, y: 128, r: 27}
	alternator = pulley{z: -150, y: 140, r: 29}
)

func timingPulleys() []pulley {
	z, y := camCenter(1)
	return []pulley{{0, 0, crankPulleyR}, waterPump, {z, y, camPulleyR}, {-z, y, camPulleyR}, tensioner}
}

// timing adds the front plate, the timing drive and the accessory drive.
func (k *kit) timing(root int, bolts boltSet) {
	group := k.add(root, "timing drive", geom.Identity(), nil)
	z, y := camCenter(1)
	k.add(group, "front plate", geom.Identity(), k.mesh("front plate", func(b *body) {
		outline := rounded(points{{-88, -56}, {56, -56}, {60, 60}, {88, 96}, {88, 146}, {74, 180}, {84, 250}, {z + 40, y - 20},
			{z + 30, y + 6},
			{-z - 30, y + 6}, {-z - 40, y - 20}, {-84, 250}, {-84, 60}}, 10)
		b.put(k.aluminium, plateX(outline, [][]geom.Vec2{ring(29, 72)}, front+11, front+15, 1.2))
	}))
	for i, p := range [][2]float32{{-60, -44}, {44, 22}, {-72, 70}, {-72, 230}, {72, 230}, {0, 268}, {0, 190}} {
		k.add(group, numbered("front plate bolt", i), at(front+15, p[1], p[0]).Mul(turn(2, -math.Pi/2)), bolts.m6)
	}
	k.add(group, "timing belt", geom.Identity(), k.mesh("timing belt", func(b *body) {
		outer, inner := beltAround(timingPulleys(), 4.2), beltAround(timingPulleys(), 1.4)
		s := plateX(outer, [][]geom.Vec2{inner}, timingX+1, timingX+timingWidth-1, 0)
		points, along := resample(inner, 148)
		for i, p := range points {
			d := along[i]
			var tooth []geom.Vec2
			for _, q := range [][2]float32{{-2.6, 0.3}, {2.6, 0.3}, {1.7, -1}, {-1.7, -1}} { // along the belt, outwards
				tooth = append(tooth, geom.Vec2{p[0] + q[0]*d[0] + q[1]*d[1], p[1] + q[0]*d[1] - q[1]*d[0]})
			}
			s.add(plateX(tooth, nil, timingX+1.5, timingX+timingWidth-1.5, 0), geom.Identity())
		}
		b.put(k.rubber, s)
	}))
	crank := k.add(group, "crank pulley", turn(0, crankAngle), k.mesh("crank timing pulley", func(b *body) {
		b.put(k.steel, plateX(toothed(24, crankPulleyR-2.4, crankPulleyR), [][]geom.Vec2{ring(16, 48)}, timingX, timingX+timingWidth, 0.4))
		b.put(k.steel, latheX(pipe(16, 31, timingX-2, timingX, 0.5), 72))
	}))
	k.add(crank, "damper", geom.Identity(), k.mesh("damper", func(b *body) {
		x := float32(driveX)
		b.put(k.iron, latheX(filleted(points{{0, x + 6}, {24, x + 6}, {28, x + 2}, {58, x + 2}, {58, x + 24}, {34, x + 24},
			{30, x + 16}, {0, x + 16}}, 2), 96))
		b.put(k.rubber, latheX(pipe(57.5, 63, x+1, x+25, 0.5), 96))
		b.put(k.black, latheX(grooved(62.5, 74, x, 26), 128))
	}))
	k.add(crank, "crank bolt", at(driveX+16, 0, 0).Mul(turn(2, -math.Pi/2)).Mul(geom.TRS(geom.Vec3{}, geom.Quat{0, 0, 0, 1},
		geom.Vec3{1.3, 1, 1.3})), bolts.m12)
	for i := range 3 {
		c, s := circle(2*i+1, 6)
		k.add(crank, numbered("damper bolt", i), at(driveX+16, 22*c, 22*s).Mul(turn(2, -math.Pi/2)), bolts.m6)
	}

	k.add(group, "belt tensioner", at(timingX, tensioner.y, tensioner.z), k.mesh("belt tensioner", func(b *body) {
		b.put(k.polished, latheX(filleted(points{{0, 0}, {12, 0}, {12, 2}, {tensioner.r + 1.6, 2}, {tensioner.r + 1, timingWidth},
			{12, timingWidth}, {12, timingWidth + 3}, {0, timingWidth + 3}}, 0.8), 80))
		b.put(k.black, plateX(rounded(points{{-12, -12}, {12, -12}, {12, 44}, {-4, 44}}, 6), nil, -3, 0, 0.8))
	}))
	k.add(group, "tensioner bolt", at(timingX+timingWidth+3, tensioner.y, tensioner.z).Mul(turn(2, -math.Pi/2)), bolts.m10)
	k.add(group, "water pump", at(timingX, waterPump.y, waterPump.z), k.mesh("water pump", func(b *body) {
		b.put(k.aluminium, latheX(filleted(points{{0, -8}, {44, -8}, {44, -2}, {30, 0}, {0, 0}}, 2), 80))
		b.put(k.polished, latheX(rod(waterPump.r+1.4, 1, timingWidth, 1), 80))
		b.put(k.polished, latheX(rod(10, timingWidth-2, timingWidth+14, 1), 48))
		b.put(k.black, latheX(grooved(0, 43, driveX-timingX, 26), 112))
	}))
	for i := range 4 {
		c, s := circle(2*i+1, 8)
		k.add(group, numbered("pump pulley bolt", i), at(driveX+26, waterPump.y+16*c, waterPump.z+16*s).Mul(turn(2, -math.Pi/2)), bolts.m6)
	}
	k.add(group, "accessory belt", geom.Identity(), k.mesh("accessory belt", func(b *body) {
		drive := []pulley{{0, 0, 73}, {waterPump.z, waterPump.y, 42}, alternator}
		b.put(k.rubber, plateX(beltAround(drive, 4), [][]geom.Vec2{beltAround(drive, 0.4)}, driveX+3, driveX+23, 0.8))
	}))
}

// grooved is the profile of a poly-V pulley of that radius and width, from h0 on; inner = 0 closes it at the axis.
func grooved(inner, radius, h0, width float32) []geom.Vec2 {
	p := points{{inner, h0}, {radius + 3, h0}, {radius + 3, h0 + 2}}
	for y := h0 + 3; y < h0+width-4; y += 3.4 {
		p = append(p, geom.Vec2{radius, y}, geom.Vec2{radius - 3, y + 1.7})
	}
	p = append(p, geom.Vec2{radius, h0 + width - 3}, geom.Vec2{radius + 3, h0 + width - 2}, geom.Vec2{radius + 3, h0 + width},
		geom.Vec2{inner, h0 + width})
	p = filleted(p, 0.4)
	if inner > 0 {
		p = append(p, p[0])
	}
	return p
}

func (k *kit) camPulley(shaft int, bolts boltSet) {
	if k.camWheel == nil {
		k.camWheel = k.mesh("cam pulley", func(b *body) {
			holes := append(boltCircle(5, 32, 9, 36), ring(10, 40))
			b.put(k.steel, plateX(toothed(48, camPulleyR-2.4, camPulleyR), [][]geom.Vec2{ring(45, 96)}, timingX, timingX+timingWidth, 0.4))
			b.put(k.steel, plateX(ring(46, 96), holes, timingX+6, timingX+15, 1))
			b.put(k.steel, latheX(pipe(9.5, 19, timingX+2, timingX+timingWidth, 1), 64))
		})
	}
	wheel := k.add(shaft, "pulley", geom.Identity(), k.camWheel)
	k.add(wheel, "pulley bolt", at(timingX+timingWidth-1, 0, 0).Mul(turn(2, -math.Pi/2)), bolts.m12)
}

package fbx

import (
	"math"
	"slices"
)

// ticksPerSecond is FBX's unit of time, KTime.
const ticksPerSecond = 46186158000

// curve is a number over time.
type curve struct {
	keys []key
}

type key struct {
	time          int64
	value         float64
	mode          uint32  // flags of the segment that starts here
	right, left   float64 // slopes a second: here, and where the segment ends
	rightW, leftW float64 // weights of these
}

// Flags of a key (FbxAnimCurveDef).
const (
	keyConstant     = 0x2
	keyLinear       = 0x4
	keyCubic        = 0x8
	keyConstantNext = 0x100 // with keyConstant: the value of the next key
	keyAuto         = 0x100
	keyTCB          = 0x200
	keyUser         = 0x400
	keyBreak        = 0x800
	keyClamp        = 0x1000

	keyTimeIndependent = 0x2000
	keyProgressive     = 0x4000 // clamp progressively
	keyWeightedRight   = 0x1000000
	keyWeightedLeft    = 0x2000000

	oneThird = 1.0 / 3
)

// readCurve reads an AnimationCurve of version 7.
func (l *loader) readCurve(n *node) (*curve, error) {
	if c := l.curves[n]; c != nil {
		return c, nil
	}
	times, err := array[int64](l.file, n.child("KeyTime"))
	if err != nil {
		return nil, err
	}
	values, err := array[float64](l.file, n.child("KeyValueFloat"))
	if err != nil {
		return nil, err
	}
	flags, err := array[int64](l.file, n.child("KeyAttrFlags"))
	if err != nil {
		return nil, err
	}
	counts, err := array[int64](l.file, n.child("KeyAttrRefCount"))
	if err != nil {
		return nil, err
	}
	data, err := l.keyData(n)
	if err != nil {
		return nil, err
	}
	c := &curve{}
	if err := l.budget.Take(80 * int64(min(len(times), len(values)))); err != nil {
		return nil, err
	}
	at, left := 0, int64(0)
	for i := range min(len(times), len(values)) {
		k := key{time: times[i], value: values[i], mode: keyLinear, rightW: oneThird, leftW: oneThird}
		if i == 0 && len(counts) > 0 {
			left = counts[0]
		}
		for left <= 0 && at+1 < len(counts) {
			at++
			left = counts[at]
		}
		left--
		if at < len(flags) {
			k.mode = uint32(flags[at])
		}
		if 4*at+4 <= len(data) {
			d := data[4*at : 4*at+4]
			k.right, k.left = float64(d[0]), float64(d[1])
			packed := math.Float32bits(d[2])
			if k.mode&keyWeightedRight != 0 {
				k.rightW = float64(packed&0xffff) / 9999
			}
			if k.mode&keyWeightedLeft != 0 {
				k.leftW = float64(packed>>16) / 9999
			}
		}
		c.keys = append(c.keys, k)
	}
	c.finish()
	l.curves[n] = c
	return c, nil
}

// keyData reads KeyAttrDataFloat, which newer ASCII files write as the bits of the numbers.
func (l *loader) keyData(n *node) ([]float32, error) {
	data := n.child("KeyAttrDataFloat")
	const bitsSince = 4008
	if l.binary || n.child("KeyVer").int(0) < bitsSince {
		return array[float32](l.file, data)
	}
	bits, err := array[int64](l.file, data)
	out := make([]float32, len(bits))
	for i, b := range bits {
		out[i] = math.Float32frombits(uint32(b))
	}
	return out, err
}

// letter is a value as the letter that it is in the key lists before version 7.
func (v value) letter() byte {
	switch {
	case v.kind == kindString && len(v.data) > 0:
		return v.data[0]
	case v.kind == kindInt && v.elem != 0:
		return byte(v.num)
	}
	return 0
}

// readKeys reads the channel of a take, as files before version 7 have them. Each key is a time, a value and letters with
// parameters; of letters that it does not know it makes a straight line.
func (l *loader) readKeys(n *node) (*curve, error) {
	list := n.child("Key")
	if list == nil {
		return nil, nil
	}
	c, rest := &curve{}, list.values
	if len(rest) == 1 && rest[0].kind == kindArray {
		return nil, nil
	}
	pop := func() (v value) {
		if len(rest) > 0 {
			v, rest = rest[0], rest[1:]
		}
		return v
	}
	number := func() float64 {
		f, _ := pop().float()
		return f
	}
	if err := l.budget.Take(30 * int64(len(rest))); err != nil {
		return nil, err
	}
	for len(rest) >= 3 {
		time, _ := pop().float()
		k := key{time: int64(time), value: number(), mode: keyLinear, rightW: oneThird, leftW: oneThird}
		weights := 1
		switch pop().letter() {
		case 'C':
			k.mode = keyConstant
			if pop().letter() == 'n' {
				k.mode |= keyConstantNext
			}
			weights = 0
		case 'U':
			k.mode = keyCubic | keyAuto
			switch pop().letter() {
			case 's', 'b':
				k.mode = keyCubic | keyUser
				k.right, k.left = number(), number()
			case 'p':
				weights = 2
			case 't':
				number()
				number()
				number()
			}
		default:
			weights = 0
		}
		for range weights {
			switch pop().letter() {
			case 'a':
				k.rightW, k.leftW = number(), number()
			case 'l':
				k.leftW = number()
			case 'r':
				k.rightW = number()
			}
		}
		c.keys = append(c.keys, k)
	}
	c.finish()
	return c, nil
}

// finish sorts the keys, drops what is not finite, and finds the slopes that the file leaves to its reader.
func (c *curve) finish() {
	c.keys = slices.DeleteFunc(c.keys, func(k key) bool { return !finite(k.value, k.right, k.left) })
	slices.SortStableFunc(c.keys, func(a, b key) int {
		switch {
		case a.time < b.time:
			return -1
		case a.time > b.time:
			return 1
		}
		return 0
	})
	c.keys = slices.CompactFunc(c.keys, func(a, b key) bool { return a.time == b.time })
	for i := range c.keys {
		if !c.keys[i].auto() {
			continue
		}
		slope := c.autoSlope(i)
		c.keys[i].right = slope
		if i > 0 {
			c.keys[i-1].left = slope
		}
	}
}

// auto reports whether the reader finds the slope of the curve at a key, to both sides.
func (k *key) auto() bool {
	return k.mode&keyCubic != 0 && k.mode&(keyAuto|keyTCB) != 0 && k.mode&keyUser == 0
}

// autoSlope is the slope of a smooth curve at a key: that of its neighbours, as a line between them or the mean of both lines
// to them. It may be flat, or no steeper than keeps the curve between the keys, where it is to be clamped.
func (c *curve) autoSlope(i int) float64 {
	k, first, last := &c.keys[i], i == 0, i+1 == len(c.keys)
	line := func(a, b *key) float64 { return (b.value - a.value) / seconds(b.time-a.time) }
	switch {
	case first && last, (first || last) && k.mode&keyProgressive != 0:
		return 0
	case first:
		return line(k, &c.keys[i+1])
	case last:
		return line(&c.keys[i-1], k)
	}
	a, b := &c.keys[i-1], &c.keys[i+1]
	slope := line(a, b)
	if k.mode&keyTimeIndependent == 0 {
		slope = (line(a, k) + line(k, b)) / 2
	}
	if k.mode&(keyClamp|keyProgressive) != 0 && (k.value == a.value || k.value == b.value) {
		return 0
	}
	if k.mode&keyProgressive != 0 {
		sign := 1.0
		if slope < 0 {
			sign = -1
		}
		left, right := sign*line(a, k)/a.leftW, sign*line(k, b)/k.rightW
		slope = sign * min(sign*slope, max(0, left), max(0, right))
	}
	return slope
}

func seconds(ticks int64) float64 { return float64(ticks) / ticksPerSecond }

// at is the value at a time; before the first key and after the last it is theirs.
func (c *curve) at(time int64) float64 {
	i, _ := slices.BinarySearchFunc(c.keys, time, func(k key, t int64) int {
		if k.time <= t {
			return -1
		}
		return 1
	})
	switch {
	case i == 0:
		return c.keys[0].value
	case i == len(c.keys):
		return c.keys[i-1].value
	}
	a, b := &c.keys[i-1], &c.keys[i]
	span := seconds(b.time - a.time)
	x := seconds(time-a.time) / span
	switch {
	case a.mode&keyConstant != 0:
		if a.mode&keyConstantNext != 0 {
			return b.value
		}
		return a.value
	case a.mode&keyCubic == 0 || x == 0:
		return a.value + x*(b.value-a.value)
	}
	// A Bezier curve in time and value.
	t := x
	x1, x2 := a.rightW, 1-a.leftW
	if math.Abs(x1-oneThird) > 1e-6 || math.Abs(a.leftW-oneThird) > 1e-6 {
		t = solveBezier(x1, x2, x)
	}
	y1, y2 := a.value+a.right*a.rightW*span, b.value-a.left*a.leftW*span
	u := 1 - t
	return u*u*u*a.value + 3*u*u*t*y1 + 3*u*t*t*y2 + t*t*t*b.value
}

// solveBezier finds where the Bezier curve 0, x1, x2, 1 is x, by bisection: x1 and x2 may make it turn back.
func solveBezier(x1, x2, x float64) float64 {
	lo, hi := 0.0, 1.0
	for range 40 {
		t := (lo + hi) / 2
		u := 1 - t
		if 3*u*u*t*x1+3*u*t*t*x2+t*t*t < x {
			lo = t
		} else {
			hi = t
		}
	}
	return (lo + hi) / 2
}

// curved reports whether the curve is neither straight nor constant between some keys.
func (c *curve) curved() bool {
	return slices.ContainsFunc(c.keys, func(k key) bool { return k.mode&keyCubic != 0 })
}

// axisOf is the axis that a curve of a curve node moves, -1 = none.
func axisOf(property string) int { return slices.Index([]string{"d|X", "d|Y", "d|Z"}, property) }

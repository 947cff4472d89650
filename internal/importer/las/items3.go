package las

import (
	"encoding/binary"
	"errors"
)

// Point records 6 to 10 are compressed in layers, each with a decoder of its own, so that what nobody asks for costs
// nothing (LASzip, "LASzip for LAS 1.4", specification). This package reads the layers of the coordinates, the intensity
// and the colour.

// Layers of the core of a point, in order.
const (
	layerXY = iota // also the scanner's channel, the returns, and what else changed
	layerZ
	layerClass
	layerFlags
	layerIntensity
	layerScanAngle
	layerUser
	layerSource
	layerTime
	coreLayers
)

// layers14 returns how many layers an item has, or 0 for one that this package does not know.
func layers14(i itemInfo) int {
	known := i.version == 3 || i.version == 4
	switch {
	case !known:
	case i.kind == itemPoint14 && i.size == 30:
		return coreLayers
	case i.kind == itemRGB14 && i.size == 6, i.kind == itemWavepacket14 && i.size == 29:
		return 1
	case i.kind == itemRGBNIR14 && i.size == 8:
		return 2
	case i.kind == itemByte14:
		return i.size
	}
	return 0
}

// returnContext gives points a context by the number of returns of their pulse and which one they are.
var returnContext = [16][16]uint8{
	{0, 1, 2, 3, 4, 5, 3, 4, 4, 5, 5, 5, 5, 5, 5, 5},
	{1, 0, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3},
	{2, 1, 2, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3},
	{3, 3, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4},
	{4, 3, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4},
	{5, 3, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4},
	{3, 3, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4},
	{4, 3, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4},
	{4, 3, 4, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4},
	{5, 3, 4, 4, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4},
	{5, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4},
	{5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 4, 4, 4},
	{5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 4, 4},
	{5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 4},
	{5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5},
	{5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5},
}

// channel is the state of one of the four channels of a scanner: points are predicted from those of the same one.
type channel struct {
	used              bool
	x, y, z           int32
	intensity         uint16
	returns, returned uint8 // the number of returns of the pulse, and which one this is
	timeChanged       bool

	changed                  [8]*symbolModel
	nextChannel, sameTime    *symbolModel
	numbers, ordinals        [16]*symbolModel
	dx, dy                   [12]medianOf5
	differenceX, differenceY *integers
	heights                  [8]int32
	height                   *integers
	intensities              [8]uint16
	brightness               *integers
	lastColor                [3]uint16
	colorUsed                bool
	colors                   colorModels
}

// begin starts a channel with what the last point of another one was.
func (c *channel) begin(from *channel) {
	*c = channel{
		used: true, x: from.x, y: from.y, z: from.z, intensity: from.intensity, returns: from.returns, returned: from.returned,
		differenceX: newIntegers(32, 2), differenceY: newIntegers(32, 22), height: newIntegers(32, 20), brightness: newIntegers(16, 4),
	}
	for i := range c.heights {
		c.heights[i], c.intensities[i] = c.z, c.intensity
	}
}

// points14 decompresses the points of one chunk.
type points14 struct {
	layers   [coreLayers]*decoder // nil = the attribute does not change, or is not read
	color    *decoder
	hasColor bool
	quirk    bool // see nextColor
	channels [4]channel
	current  int
	colored  int // the channel of the last colour
}

// newPoints14 prepares for the points after the first one of a chunk. data is what follows that one.
func newPoints14(items []itemInfo, first, data []byte) (*points14, error) {
	sizes := 0
	for _, i := range items {
		sizes += layers14(i)
	}
	const countBytes = 4
	if len(data) < countBytes+4*sizes {
		return nil, errEnd
	}
	table, data := data[countBytes:countBytes+4*sizes], data[countBytes+4*sizes:]
	p := &points14{}
	layer := func() ([]byte, error) {
		n := binary.LittleEndian.Uint32(table)
		if table = table[4:]; int64(n) > int64(len(data)) {
			return nil, errEnd
		}
		var l []byte
		l, data = data[:n], data[n:]
		return l, nil
	}
	record := first
	for _, i := range items {
		for k := range layers14(i) {
			l, err := layer()
			if err != nil {
				return nil, err
			}
			if len(l) == 0 {
				continue
			}
			switch {
			case i.kind == itemPoint14 && (k == layerXY || k == layerZ || k == layerIntensity):
				p.layers[k] = newDecoder(l)
			case (i.kind == itemRGB14 || i.kind == itemRGBNIR14) && k == 0:
				p.color = newDecoder(l)
			}
		}
		switch i.kind {
		case itemPoint14:
			p.begin(record)
		case itemRGB14, itemRGBNIR14:
			p.hasColor, p.quirk = true, i.version == 3
			c := &p.channels[p.current]
			c.colorUsed = true
			for k := range c.lastColor {
				c.lastColor[k] = binary.LittleEndian.Uint16(record[2*k:])
			}
		}
		record = record[i.size:]
	}
	if p.layers[layerXY] == nil {
		return nil, errors.New("a chunk of points has no coordinates")
	}
	return p, nil
}

// begin takes the first point.
func (p *points14) begin(record []byte) {
	le := binary.LittleEndian
	p.current = int(record[15] >> 4 & 3)
	p.colored = p.current
	p.channels[p.current].begin(&channel{
		x: int32(le.Uint32(record)), y: int32(le.Uint32(record[4:])), z: int32(le.Uint32(record[8:])), intensity: le.Uint16(record[12:]),
		returned: record[14] & 15, returns: record[14] >> 4,
	})
}

// Bits of what changed from the last point of a channel; the lowest two say how the return differs.
const (
	changedReturns = 1 << 2
	changedTime    = 1 << 4
	changedChannel = 1 << 6
)

// next reads a point.
func (p *points14) next() point {
	d := p.layers[layerXY]
	c := &p.channels[p.current]
	context := returnKind(c.returned, c.returns)
	if c.timeChanged {
		context += 4
	}
	changed := d.symbol(lazy(&c.changed[context], 128))
	if changed&changedChannel != 0 {
		p.current = (p.current + 1 + int(d.symbol(lazy(&c.nextChannel, 3)))) & 3
		old := c
		if c = &p.channels[p.current]; !c.used {
			c.begin(old)
		}
	}
	timeChanged := changed&changedTime != 0
	if changed&changedReturns != 0 {
		c.returns = uint8(d.symbol(lazy(&c.numbers[c.returns], 16)))
	}
	switch changed & 3 {
	case 1:
		c.returned = (c.returned + 1) & 15
	case 2:
		c.returned = (c.returned + 15) & 15
	case 3:
		if timeChanged {
			c.returned = uint8(d.symbol(lazy(&c.ordinals[c.returned], 16)))
		} else {
			c.returned = (c.returned + 2 + uint8(d.symbol(lazy(&c.sameTime, 13)))) & 15
		}
	}
	c.timeChanged = timeChanged
	p.coordinates(c)
	if d := p.layers[layerIntensity]; d != nil {
		kind := returnKind(c.returned, c.returns)
		last := &c.intensities[2*kind+bit(timeChanged)]
		*last = uint16(c.brightness.next(d, int32(*last), uint32(kind)))
		c.intensity = *last
	}
	out := point{x: c.x, y: c.y, z: c.z, intensity: c.intensity}
	if p.hasColor {
		out.color = p.nextColor()
	}
	return out
}

// returnKind is 0 for a return in the middle, 1 for the first, 2 for the last and 3 for the only one of a pulse.
func returnKind(returned, returns uint8) int { return bit(returned == 1) + 2*bit(returned >= returns) }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *points14) coordinates(c *channel) {
	d := p.layers[layerXY]
	m := 2*int(returnContext[c.returns][c.returned]) + bit(c.timeChanged)
	single := uint32(bit(c.returns == 1))
	dx := c.differenceX.next(d, c.dx[m].median(), single)
	c.dx[m].add(dx)
	c.x += dx
	dy := c.differenceY.next(d, c.dy[m].median(), single+evenUpTo(c.differenceX.k, 20))
	c.dy[m].add(dy)
	c.y += dy
	if d := p.layers[layerZ]; d != nil {
		last := &c.heights[min(7, max(c.returns, c.returned)-min(c.returns, c.returned))]
		*last = c.height.next(d, *last, single+evenUpTo((c.differenceX.k+c.differenceY.k)/2, 18))
		c.z = *last
	}
}

// nextColor reads the colour of a point of the current channel. Version 3 of the items, when it comes back to a channel,
// goes on from the colour of the channel before, and leaves its own where it was: its authors' slip, and part of the
// format since.
func (p *points14) nextColor() [3]uint16 {
	last := &p.channels[p.colored].lastColor
	c := &p.channels[p.current]
	if p.colored != p.current {
		p.colored = p.current
		if !c.colorUsed {
			c.colorUsed, c.lastColor = true, *last
			last = &c.lastColor
		} else if !p.quirk {
			last = &c.lastColor
		}
	}
	if p.color != nil {
		*last = c.colors.next(p.color, *last)
	}
	return *last
}

// ended reports whether a layer needed more bytes than there are.
func (p *points14) ended() bool {
	for _, d := range p.layers {
		if d != nil && d.ended() {
			return true
		}
	}
	return p.color != nil && p.color.ended()
}

package e57

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
)

// use says what a column is used for.
type use uint8

const (
	useX use = iota // or range
	useY            // or azimuth
	useZ            // or elevation
	useR
	useG
	useB
	useIntensity
	useInvalid
	useNoColor
	uses
)

var cartesian = map[string]use{"cartesianX": useX, "cartesianY": useY, "cartesianZ": useZ, "cartesianInvalidState": useInvalid}

var spherical = map[string]use{
	"sphericalRange": useX, "sphericalAzimuth": useY, "sphericalElevation": useZ, "sphericalInvalidState": useInvalid,
}

var appearance = map[string]use{
	"colorRed": useR, "colorGreen": useG, "colorBlue": useB, "intensity": useIntensity, "isColorInvalid": useNoColor,
}

// scan reads one scan; nil for one without points.
func (f *pages) scan(ctx context.Context, n *node, opts importer.Options) (*scan, error) {
	points := n.child("points")
	count, err := strconv.ParseUint(points.attr("recordCount"), 10, 64)
	if points == nil || err == nil && count == 0 {
		return nil, nil
	}
	offset, err2 := strconv.ParseUint(points.attr("fileOffset"), 10, 64)
	if err != nil || err2 != nil {
		return nil, errors.New("its points have no offset or no number")
	}
	// Columns of one value take no bytes. No honest scan has nothing but those.
	const most = 8
	if count > 1024+most*uint64(len(f.data)) {
		return nil, fmt.Errorf("there is no room for %d points", count)
	}
	v := &vector{count: int64(count)}
	if err := v.prototype(points.child("prototype").children()); err != nil {
		return nil, err
	}
	if err := v.choose(); err != nil {
		return nil, err
	}
	v.limits(n)
	if v.packets, err = f.packets(offset); err != nil {
		return nil, err
	}
	s := &scan{name: n.text("name"), cloud: importer.NewCloud(opts, int64(count))}
	s.setPose(n.child("pose"))
	if err := v.read(ctx, s.cloud); err != nil {
		return nil, err
	}
	if err := s.cloud.Done(); err != nil {
		return nil, err
	}
	if len(s.cloud.Positions) == 0 {
		return nil, nil
	}
	if v.stretch {
		s.cloud.Stretch()
	} else {
		s.cloud.Scale(geom.Vec3{}, geom.Vec3{1, 1, 1})
	}
	return s, nil
}

// packets returns what follows the header of a section of a compressed vector.
func (f *pages) packets(offset uint64) ([]byte, error) {
	const headerBytes, compressedVector = 32, 1
	h, err := f.at(offset)
	if err != nil {
		return nil, err
	}
	if len(h) < headerBytes || h[0] != compressedVector {
		return nil, errors.New("where its points should be there is something else")
	}
	return f.at(binary.LittleEndian.Uint64(h[16:]))
}

// vector is the points of a scan: columns whose values lie in packets.
type vector struct {
	count     int64
	columns   []*column
	used      [uses]*column // nil = not there
	spherical bool
	gray      bool // the intensity is the colour
	stretch   bool // its limits are not known
	low, high [uses]float64
	packets   []byte
}

// prototype takes the columns: the leaves of the prototype, in order.
func (v *vector) prototype(fields []*node) error {
	for _, n := range fields {
		if n.attr("type") == "Structure" {
			if err := v.prototype(n.kids); err != nil {
				return err
			}
			continue
		}
		c, err := newColumn(n)
		if err != nil {
			return fmt.Errorf("column %s: %w", n.name, err)
		}
		v.columns = append(v.columns, c)
	}
	return nil
}

// choose finds the columns that are used.
func (v *vector) choose() error {
	take := func(names map[string]use) {
		for _, c := range v.columns {
			if u, ok := names[c.name]; ok && c.known() {
				v.used[u] = c
			}
		}
	}
	there := func(all ...use) bool {
		for _, u := range all {
			if v.used[u] == nil {
				return false
			}
		}
		return true
	}
	take(cartesian)
	if !there(useX, useY, useZ) {
		v.used = [uses]*column{}
		take(spherical)
		v.spherical = true
		if !there(useX, useY, useZ) {
			return errors.New("its points have neither Cartesian nor spherical coordinates")
		}
	}
	take(appearance)
	if !there(useR, useG, useB) {
		v.used[useR], v.used[useG], v.used[useB] = nil, nil, nil
		v.gray = there(useIntensity)
	}
	return nil
}

// limits finds black and white of colours and intensity.
func (v *vector) limits(n *node) {
	colors, intensity := n.child("colorLimits"), n.child("intensityLimits")
	for _, l := range []struct {
		use   use
		limit *node
		name  string
	}{{useR, colors, "colorRed"}, {useG, colors, "colorGreen"}, {useB, colors, "colorBlue"}, {useIntensity, intensity, "intensity"}} {
		c := v.used[l.use]
		if c == nil {
			continue
		}
		low, high := c.limits()
		low, high = l.limit.number(l.name+"Minimum", low), l.limit.number(l.name+"Maximum", high)
		if !(high > low) {
			low, high = 0, 1
			v.stretch = v.gray
		}
		v.low[l.use], v.high[l.use] = low, high
	}
}

// read goes through the packets.
func (v *vector) read(ctx context.Context, cloud *importer.Cloud) error {
	const batch = 1 << 14
	for left := v.count; left > 0; {
		n := left
		for _, c := range v.used {
			if c != nil {
				n = min(n, c.available())
			}
		}
		if n == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := v.packet(); err != nil {
				return err
			}
			continue
		}
		if err := cloud.Append(v.batch(min(n, batch))); err != nil {
			return err
		}
		left -= min(n, batch)
	}
	return nil
}

// packet takes one packet: a type, flags, and the length less one; data has the lengths of all columns, then these.
func (v *vector) packet() error {
	const headerBytes, dataPacket = 6, 1
	le := binary.LittleEndian
	if len(v.packets) < headerBytes {
		return errEnd
	}
	length := int(le.Uint16(v.packets[2:])) + 1
	if length < 4 || length > len(v.packets) {
		return errEnd
	}
	p := v.packets[:length]
	v.packets = v.packets[length:]
	switch {
	case p[0] > 2:
		return fmt.Errorf("a packet of type %d", p[0])
	case p[0] != dataPacket:
		return nil
	}
	if length < headerBytes || int(le.Uint16(p[4:])) != len(v.columns) || length < headerBytes+2*len(v.columns) {
		return errors.New("a packet has other columns than the prototype")
	}
	lengths, p := p[headerBytes:headerBytes+2*len(v.columns)], p[headerBytes+2*len(v.columns):]
	for k, c := range v.columns {
		n := int(le.Uint16(lengths[2*k:]))
		if n > len(p) {
			return errEnd
		}
		if c.used {
			c.add(p[:n])
		}
		p = p[n:]
	}
	return nil
}

func (v *vector) batch(n int64) importer.Batch {
	b := importer.Batch{Positions: make([][3]float64, 0, n)}
	colored := v.gray || v.used[useR] != nil
	if colored {
		b.Colors = make([]geom.Vec4, 0, n)
	}
	var x [uses]float64
	for range n {
		for u, c := range v.used {
			if c != nil {
				x[u] = c.next()
			}
		}
		if x[useInvalid] != 0 {
			continue
		}
		position := [3]float64{x[useX], x[useY], x[useZ]}
		if v.spherical {
			sinA, cosA := math.Sincos(x[useY])
			sinE, cosE := math.Sincos(x[useZ])
			position = [3]float64{x[useX] * cosE * cosA, x[useX] * cosE * sinA, x[useX] * sinE}
		}
		b.Positions = append(b.Positions, position)
		switch {
		case !colored:
		case v.gray:
			i := v.channel(&x, useIntensity)
			b.Colors = append(b.Colors, geom.Vec4{i, i, i, 1})
		case x[useNoColor] != 0:
			b.Colors = append(b.Colors, geom.Vec4{0.5, 0.5, 0.5, 1})
		default:
			b.Colors = append(b.Colors, geom.Vec4{v.channel(&x, useR), v.channel(&x, useG), v.channel(&x, useB), 1})
		}
	}
	return b
}

// channel is a value between its limits, as 0..1.
func (v *vector) channel(x *[uses]float64, u use) float32 {
	return float32((x[u] - v.low[u]) / (v.high[u] - v.low[u]))
}

// kind is how the values of a column are stored.
type kind uint8

const (
	kindOther kind = iota // strings
	kindSingle
	kindDouble
	kindInteger
)

// column is the values of one field, as far as the packets were read.
type column struct {
	name          string
	kind          kind
	used          bool
	low, high     int64 // of integers, before scaling
	bits          int   // of an integer
	scale, offset float64
	data          []byte
	at            int // in bits
}

func newColumn(n *node) (*column, error) {
	c := &column{name: n.name, scale: 1, low: math.MinInt64, high: math.MaxInt64}
	real := func(name string, to *float64) error {
		s := n.attr(name)
		if s == "" {
			return nil
		}
		x, err := strconv.ParseFloat(s, 64)
		*to = x
		return err
	}
	integer := func(name string, to *int64) error {
		s := n.attr(name)
		if s == "" {
			return nil
		}
		x, err := strconv.ParseInt(s, 10, 64)
		*to = x
		return err
	}
	switch n.attr("type") {
	case "Float":
		c.kind, c.bits = kindDouble, 64
		if n.attr("precision") == "single" {
			c.kind, c.bits = kindSingle, 32
		}
	case "Integer", "ScaledInteger":
		c.kind = kindInteger
		err := errors.Join(integer("minimum", &c.low), integer("maximum", &c.high))
		if n.attr("type") == "ScaledInteger" {
			err = errors.Join(err, real("scale", &c.scale), real("offset", &c.offset))
		}
		if err != nil || c.high < c.low {
			return nil, errors.New("its limits or its scale are no numbers")
		}
		c.bits = bits.Len64(uint64(c.high) - uint64(c.low))
	}
	return c, nil
}

// known reports whether this package can read the column, and notes that it is used.
func (c *column) known() bool {
	c.used = c.kind != kindOther
	return c.used
}

// limits are those of the prototype; of numbers that have none 0 and 0.
func (c *column) limits() (low, high float64) {
	if c.kind != kindInteger || c.bits == 64 {
		return 0, 0
	}
	return float64(c.low)*c.scale + c.offset, float64(c.high)*c.scale + c.offset
}

// add takes the bytes of a packet.
func (c *column) add(b []byte) {
	c.data = append(c.data[:copy(c.data, c.data[c.at/8:])], b...)
	c.at %= 8
}

func (c *column) available() int64 {
	if c.bits == 0 {
		return math.MaxInt64
	}
	return int64(8*len(c.data)-c.at) / int64(c.bits)
}

func (c *column) next() float64 {
	raw := c.word()
	switch c.kind {
	case kindSingle:
		return float64(math.Float32frombits(uint32(raw)))
	case kindDouble:
		return math.Float64frombits(raw)
	}
	return float64(int64(uint64(c.low)+raw))*c.scale + c.offset
}

// word reads the next bits, lowest first.
func (c *column) word() uint64 {
	if c.bits == 0 {
		return 0
	}
	at, shift := c.at/8, c.at%8
	c.at += c.bits
	var w, top uint64
	if at+9 <= len(c.data) {
		w, top = binary.LittleEndian.Uint64(c.data[at:]), uint64(c.data[at+8])
	} else {
		var last [9]byte
		copy(last[:], c.data[at:])
		w, top = binary.LittleEndian.Uint64(last[:]), uint64(last[8])
	}
	return (w>>shift | top<<(63-shift)<<1) & (math.MaxUint64 >> (64 - c.bits))
}

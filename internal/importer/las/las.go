// Package las imports clouds of points as LAS 1.0 to 1.4 and LAZ (ASPRS, "LAS Specification 1.4 - R15"; LASzip), all point
// formats: 0 to 10, compressed by items of version 2 or in layers, in chunks of any size. COPC is LAZ with an order that
// does not matter here. It trusts no number in a file, and does no network I/O and no drawing.
//
// Coordinates are taken as given, as metres and +Y up, whatever the reference system says: ConversionSettings turns them.
// Georeferenced ones keep their precision by the node's transform (see importer.Cloud). Colours are sRGB, of 8 or 16 bits
// by the greatest of them; without any the intensity becomes grey. Points that are marked as withheld or as overlap are
// points.
package las

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

var errEnd = errors.New("the file ends too early")

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity; one over the budget
// has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "LAS", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

// file is what the header says.
type file struct {
	version      string
	generator    string
	format       int // of the points
	recordLength int
	points       int64
	start        int64 // of the points
	scale        [3]float64
	offset       [3]float64
	color        int  // where it is in a record, 0 = nowhere
	zip          *zip // nil = not compressed
}

// formats has the least length of a record of each point format, and where its colour is.
var formats = [...]struct{ length, color int }{
	{20, 0}, {28, 0}, {26, 20}, {34, 28}, {57, 0}, {63, 28}, {30, 0}, {36, 30}, {38, 30}, {59, 0}, {67, 30},
}

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	f, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	if f.points == 0 {
		return nil, importer.ErrNoPoints
	}
	if room := (in.Size - f.start) / int64(f.recordLength); f.zip == nil && f.points > room {
		return nil, fmt.Errorf("the header says %d points, but there is only room for %d", f.points, room)
	}
	cloud := importer.NewCloud(opts, f.points)
	if err := cloud.Fits(f.points, importer.Batch{Colors: []geom.Vec4{}}); err != nil {
		return nil, err
	}
	if f.zip == nil {
		err = f.readPlain(ctx, in, cloud)
	} else {
		err = f.readZip(ctx, in, cloud)
	}
	if err == nil {
		err = cloud.Done()
	}
	if err != nil {
		return nil, err
	}
	color(cloud)
	source := scene.SourceInfo{Format: "LAS", FormatVersion: f.version, Generator: f.generator, GammaSpaceColors: true}
	if f.zip != nil {
		source.Format = "LAZ"
	}
	return importer.CloudModel(src.ModelName(), cloud, source, &importer.Warnings{})
}

// color makes the colours linear; without any they become the intensity, which is their alpha until now.
func color(c *importer.Cloud) {
	most := c.MaxColor()
	for i := range c.Colors {
		p := &c.Colors[i]
		if most == 0 {
			*p = geom.Vec4{p[3], p[3], p[3]}
		}
		p[3] = 1
	}
	if most == 0 {
		c.Stretch()
		return
	}
	c.Scale(geom.Vec3{}, importer.ColorRange(max(most, 2))) // integers: 1 is nearly black
}

// readHeader reads all that is before the points.
func readHeader(in *importer.Stream) (*file, error) {
	const (
		shortest = 227 // of LAS 1.0 to 1.2
		longest  = 375 // of LAS 1.4
	)
	h := make([]byte, longest)
	if _, err := io.ReadFull(in, h[:shortest]); err != nil {
		return nil, end(err)
	}
	le := binary.LittleEndian
	if !bytes.HasPrefix(h, []byte("LASF")) || h[24] != 1 || h[25] > 4 {
		return nil, errors.New("the file does not begin as LAS 1.0 to 1.4 does")
	}
	size := int64(le.Uint16(h[94:]))
	if size < shortest {
		return nil, fmt.Errorf("a header of %d bytes is too short", size)
	}
	if _, err := io.ReadFull(in, h[shortest:min(size, longest)]); err != nil {
		return nil, end(err)
	}
	f := &file{
		version: fmt.Sprintf("1.%d", h[25]), generator: text(h[58:90]), start: int64(le.Uint32(h[96:])), format: int(h[104] & 0x3f),
		recordLength: int(le.Uint16(h[105:])), points: int64(le.Uint32(h[107:])),
	}
	if h[25] == 4 && size >= longest {
		if n := le.Uint64(h[247:]); n > math.MaxInt64 {
			return nil, fmt.Errorf("there is no room for %d points", n)
		} else if n > 0 {
			f.points = int64(n)
		}
	}
	if f.format >= len(formats) || f.recordLength < formats[f.format].length {
		return nil, fmt.Errorf("points of format %d with %d bytes are not known", f.format, f.recordLength)
	}
	f.color = formats[f.format].color
	for k := range 3 {
		f.scale[k] = math.Float64frombits(le.Uint64(h[131+8*k:]))
		f.offset[k] = math.Float64frombits(le.Uint64(h[155+8*k:]))
	}
	if compressed := h[104]&0xc0 != 0; compressed {
		if err := f.findZip(in, size, le.Uint32(h[100:])); err != nil {
			return nil, err
		}
		if f.zip == nil {
			return nil, errors.New("the points are compressed, but nothing says how")
		}
	}
	skip := f.start - in.Offset()
	if skip < 0 || f.start > in.Size {
		return nil, fmt.Errorf("the points cannot begin at byte %d", f.start)
	}
	_, err := in.Discard(int(skip))
	return f, end(err)
}

// findZip goes through the records between header and points.
func (f *file) findZip(in *importer.Stream, header int64, records uint32) error {
	if _, err := in.Discard(int(header - in.Offset())); err != nil {
		return end(err)
	}
	for range records {
		const fixed = 54
		h := make([]byte, fixed)
		if in.Offset()+fixed > f.start {
			return nil
		}
		if _, err := io.ReadFull(in, h); err != nil {
			return end(err)
		}
		data := make([]byte, binary.LittleEndian.Uint16(h[20:]))
		if in.Offset()+int64(len(data)) > f.start {
			return nil
		}
		if _, err := io.ReadFull(in, data); err != nil {
			return end(err)
		}
		if text(h[2:18]) == "laszip encoded" && binary.LittleEndian.Uint16(h[18:]) == 22204 {
			var err error
			f.zip, err = parseZip(data, f.recordLength)
			return err
		}
	}
	return nil
}

// text is a field of fixed length.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(bytes.ToValidUTF8(bytes.TrimSpace(b), nil))
}

func end(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errEnd
	}
	return err
}

// point is what is used of a point.
type point struct {
	x, y, z   int32
	intensity uint16
	color     [3]uint16
}

// point reads a record.
func (f *file) point(record []byte) point {
	le := binary.LittleEndian
	p := point{intensity: le.Uint16(record[12:])}
	p.x, p.y, p.z = int32(le.Uint32(record)), int32(le.Uint32(record[4:])), int32(le.Uint32(record[8:]))
	if f.color > 0 {
		for k := range p.color {
			p.color[k] = le.Uint16(record[f.color+2*k:])
		}
	}
	return p
}

func newBatch(n int64) importer.Batch {
	return importer.Batch{Positions: make([][3]float64, 0, n), Colors: make([]geom.Vec4, 0, n)}
}

// add adds a point to a batch; the alpha of its colour is the intensity (see color).
func (f *file) add(b *importer.Batch, p point) {
	b.Positions = append(b.Positions, [3]float64{
		float64(p.x)*f.scale[0] + f.offset[0], float64(p.y)*f.scale[1] + f.offset[1], float64(p.z)*f.scale[2] + f.offset[2],
	})
	b.Colors = append(b.Colors, geom.Vec4{float32(p.color[0]), float32(p.color[1]), float32(p.color[2]), float32(p.intensity)})
}

// readPlain reads points that are not compressed.
func (f *file) readPlain(ctx context.Context, in *importer.Stream, cloud *importer.Cloud) error {
	const batch = 1 << 14
	left := f.points
	next := func() ([]byte, bool, error) {
		n := min(left, batch)
		if left -= n; n == 0 {
			return nil, false, nil
		}
		records := make([]byte, n*int64(f.recordLength))
		_, err := io.ReadFull(in, records)
		return records, true, end(err)
	}
	work := func(records []byte) (importer.Batch, error) {
		b := newBatch(int64(len(records) / f.recordLength))
		for ; len(records) > 0; records = records[f.recordLength:] {
			f.add(&b, f.point(records))
		}
		return b, nil
	}
	return importer.Ordered(ctx, next, work, cloud.Append)
}

// readZip reads compressed points: all of the file, since the table of chunks is behind them.
func (f *file) readZip(ctx context.Context, in *importer.Stream, cloud *importer.Cloud) error {
	rest := make([]byte, in.Size-in.Offset())
	if _, err := io.ReadFull(in, rest); err != nil {
		return end(err)
	}
	list, err := f.zip.chunks(rest, f.start, f.points)
	if err != nil {
		return err
	}
	next := func() (chunk, bool, error) {
		if len(list) == 0 {
			return chunk{}, false, nil
		}
		c := list[0]
		list = list[1:]
		return c, true, nil
	}
	return importer.Ordered(ctx, next, f.unpack, cloud.Append)
}

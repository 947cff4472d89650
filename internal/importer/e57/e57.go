// Package e57 imports the scans of E57 files (ASTM E2807-11) as clouds of points. It trusts no number in a file, and does
// no network I/O and no drawing.
//
// Every scan of data3D becomes a node with the scan's pose, below one for the file. Points are Cartesian or spherical;
// those that are marked as invalid are left out. Colours are sRGB and reach from the lowest to the highest value that the
// file names; without colours the intensity becomes grey in the same way. Images, and all other columns, are ignored.
// Every page's checksum is verified. Coordinates are metres, Z up, as given: ConversionSettings turns them.
package e57

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

var errEnd = errors.New("a part of the file lies outside of it")

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity; one over the budget
// has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "E57", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

// maxXML bounds the description of the scans; usual are some kilobytes a scan.
const maxXML = 64 << 20

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	f, err := readPages(in)
	if err != nil {
		return nil, err
	}
	description, err := f.xml()
	if err != nil {
		return nil, err
	}
	root, err := parseXML(description)
	if err != nil {
		return nil, err
	}
	if opts.MemoryBudget == 0 {
		opts.MemoryBudget = importer.DefaultMemoryBudget
	}
	var scans []*scan
	var dropped int64
	for i, n := range root.child("data3D").children() {
		s, err := f.scan(ctx, n, opts)
		if err != nil {
			return nil, fmt.Errorf("scan %d: %w", i, err)
		}
		if s == nil {
			continue
		}
		if s.name == "" {
			s.name = fmt.Sprintf("scan %d", i)
		}
		opts.MemoryBudget -= s.bytes()
		scans, dropped = append(scans, s), dropped+s.cloud.Dropped
	}
	if len(scans) == 0 {
		return nil, importer.ErrNoPoints
	}
	m := model(src.ModelName(), scans)
	var warnings importer.Warnings
	warnings.Dropped(dropped)
	m.Warnings = warnings.List()
	m.Source = scene.SourceInfo{Format: "E57", FormatVersion: f.version, Generator: root.text("e57LibraryVersion"), GammaSpaceColors: true}
	return m, importer.Finish(m)
}

// model puts the scans below one node. It takes the offset of georeferenced scans, so that those of the scans stay exact.
func model(name string, scans []*scan) *scene.Model {
	m := &scene.Model{Name: name}
	top := importer.Node(name, -1, -1)
	for k := range 3 {
		at, spread, exact := scans[0].translation()[k], 0.0, true
		for _, s := range scans {
			t := s.translation()[k]
			spread = max(spread, math.Abs(t-at), s.extent())
			exact = exact && float64(float32(t)) == t
		}
		const far = 16 // as in importer.Cloud
		if !exact && math.Abs(at) > far*spread {
			top.Local[12+k] = float32(at)
		}
	}
	m.Nodes = append(m.Nodes, top)
	for i, s := range scans {
		node := importer.Node(s.name, 0, i)
		t := s.translation()
		for r := range 3 {
			for c := range 3 {
				node.Local[4*c+r] = float32(s.rotation[r][c])
			}
			node.Local[12+r] = float32(t[r] - float64(top.Local[12+r]))
		}
		m.Nodes = append(m.Nodes, node)
		m.Meshes = append(m.Meshes, &scene.Mesh{Name: s.name, Primitives: []scene.Primitive{s.cloud.Primitive()}})
	}
	return m
}

// pages is a file without the checksums of its pages. Offsets in a file count them, see at.
type pages struct {
	data          []byte
	size          uint64 // of a page, with its checksum
	version       string
	xmlAt, xmlLen uint64
}

const checksumBytes = 4

// readPages reads a file and verifies every page.
func readPages(in *importer.Stream) (*pages, error) {
	const headerBytes = 48
	data := make([]byte, in.Size)
	if n, err := io.ReadFull(in, data); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || n < headerBytes {
		return nil, errors.New("the file ends too early")
	} else if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if string(data[:8]) != "ASTM-E57" {
		return nil, errors.New("the file does not begin as E57 does")
	}
	f := &pages{
		size: le.Uint64(data[40:]), xmlAt: le.Uint64(data[24:]), xmlLen: le.Uint64(data[32:]),
		version: fmt.Sprintf("%d.%d", le.Uint32(data[8:]), le.Uint32(data[12:])),
	}
	length := le.Uint64(data[16:])
	if f.size < 64 || f.size > 1<<20 {
		return nil, fmt.Errorf("pages of %d bytes are not possible", f.size)
	}
	if length > uint64(len(data)) || length%f.size != 0 {
		return nil, fmt.Errorf("the header says %d bytes in pages of %d, the file has %d", length, f.size, len(data))
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	kept := 0
	for at := 0; at < int(length); at += int(f.size) {
		page := data[at : at+int(f.size)-checksumBytes]
		if crc32.Checksum(page, castagnoli) != binary.BigEndian.Uint32(data[at+len(page):]) {
			return nil, fmt.Errorf("the checksum of page %d is wrong: the file is damaged", at/int(f.size))
		}
		kept += copy(data[kept:], page) // to the front: it makes no copy of the file
	}
	f.data = data[:kept]
	return f, nil
}

// at returns the data from an offset of the file on.
func (f *pages) at(offset uint64) ([]byte, error) {
	page, in := offset/f.size, offset%f.size
	if in > f.size-checksumBytes || page > uint64(len(f.data))/(f.size-checksumBytes) {
		return nil, errEnd
	}
	at := page*(f.size-checksumBytes) + in
	if at > uint64(len(f.data)) {
		return nil, errEnd
	}
	return f.data[at:], nil
}

func (f *pages) xml() ([]byte, error) {
	b, err := f.at(f.xmlAt)
	if err != nil {
		return nil, err
	}
	if f.xmlLen > uint64(len(b)) || f.xmlLen > maxXML {
		return nil, fmt.Errorf("a description of %d bytes has no room, or is too long", f.xmlLen)
	}
	return b[:f.xmlLen], nil
}

// scan is one set of points.
type scan struct {
	name     string
	cloud    *importer.Cloud
	rotation [3][3]float64
	position [3]float64
}

// translation is where the origin of the cloud is.
func (s *scan) translation() (t [3]float64) {
	for r := range t {
		t[r] = s.position[r]
		for c := range 3 {
			t[r] += s.rotation[r][c] * float64(s.cloud.Origin[c])
		}
	}
	return t
}

// extent is how far the points are from the origin of the cloud at most, along an axis.
func (s *scan) extent() float64 {
	box := geom.Empty()
	for _, p := range s.cloud.Positions {
		box = box.Extend(p)
	}
	most := float32(0)
	for k := range 3 {
		most = max(most, -box.Min[k], box.Max[k])
	}
	return float64(most)
}

func (s *scan) bytes() int64 { return 12*int64(len(s.cloud.Positions)) + 16*int64(len(s.cloud.Colors)) }

// setPose takes a unit quaternion and a translation.
func (s *scan) setPose(pose *node) {
	r, t := pose.child("rotation"), pose.child("translation")
	w, x, y, z := r.number("w", 0), r.number("x", 0), r.number("y", 0), r.number("z", 0)
	if l := math.Sqrt(w*w + x*x + y*y + z*z); l > 0 && !math.IsInf(l, 0) {
		w, x, y, z = w/l, x/l, y/l, z/l
	} else {
		w, x, y, z = 1, 0, 0, 0
	}
	s.rotation = [3][3]float64{
		{1 - 2*(y*y+z*z), 2 * (x*y - w*z), 2 * (x*z + w*y)},
		{2 * (x*y + w*z), 1 - 2*(x*x+z*z), 2 * (y*z - w*x)},
		{2 * (x*z - w*y), 2 * (y*z + w*x), 1 - 2*(x*x+y*y)},
	}
	s.position = [3]float64{t.number("x", 0), t.number("y", 0), t.number("z", 0)}
}

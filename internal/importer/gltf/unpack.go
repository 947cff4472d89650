package gltf

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/gltf/draco"
	"github.com/heliograph/heliograph/internal/importer/gltf/meshopt"
)

// The progress of decoding at which all buffer views, and all Draco meshes, are decompressed.
const (
	viewsUnpacked = 0.3
	dracoUnpacked = 0.6
)

// unpackViews decompresses the views of EXT_meshopt_compression and KHR_meshopt_compression.
func (l *loader) unpackViews(ctx context.Context) error {
	var jobs []func() error
	for i := range l.doc.BufferViews {
		bv, at := &l.doc.BufferViews[i], fmt.Sprintf("/bufferViews/%d/extensions/", i)
		c := bv.Extensions.KHR
		if at += "KHR_meshopt_compression"; c == nil {
			c, at = bv.Extensions.EXT, strings.Replace(at, "/KHR", "/EXT", 1)
		}
		if c == nil {
			continue
		}
		job, err := l.unpackView(bv, c, at)
		if err != nil {
			return err
		}
		jobs = append(jobs, job)
	}
	return l.run(ctx, jobs, viewsUnpacked)
}

// unpackView checks one compressed view, and returns the job that decompresses it.
func (l *loader) unpackView(bv *bufferView, c *compression, at string) (func() error, error) {
	if c.Buffer == nil || *c.Buffer < 0 || *c.Buffer >= integer(len(l.buffers)) {
		return nil, fail(at+"/buffer", "there is no such buffer")
	}
	src := l.buffers[*c.Buffer]
	switch {
	case src == nil:
		return nil, errNoData(at + "/buffer")
	case c.ByteOffset < 0 || c.ByteLength < 1 || c.ByteOffset+c.ByteLength > integer(len(src)):
		return nil, fail(at, "%d bytes at offset %d exceed the %d bytes of buffer %d", c.ByteLength, c.ByteOffset, len(src), *c.Buffer)
	case bv.ByteStride != nil && *bv.ByteStride != c.ByteStride:
		return nil, fail(at+"/byteStride", "%d differs from the buffer view's %d", c.ByteStride, *bv.ByteStride)
	}
	src = src[c.ByteOffset:][:c.ByteLength]
	layout := meshopt.Layout{
		Mode: meshopt.Mode(c.Mode), Filter: meshopt.Filter(c.Filter), Count: int64(c.Count), Stride: int64(c.ByteStride),
	}
	size, err := layout.Size(len(src))
	if err != nil {
		return nil, asError(err, at, "")
	}
	if size != int64(bv.ByteLength) {
		return nil, fail(at+"/count", "%d elements of %d bytes do not fill the %d bytes of the buffer view", c.Count, c.ByteStride, bv.ByteLength)
	}
	return func() error {
		if err := l.take(size, at); err != nil {
			return err
		}
		data, err := meshopt.Decode(src, layout)
		if err != nil {
			return asError(err, at, "")
		}
		bv.unpacked = data
		return nil
	}, nil
}

// A Draco decoder may use so much memory, and more for each byte it decodes; the decoder of Draco itself trusts counts.
const (
	freeDraco    = 128 << 20
	dracoPerByte = 512
)

// dracoTypes are Draco's names for component types.
var dracoTypes = map[integer]draco.Type{
	typeByte: draco.Int8, typeUbyte: draco.Uint8, typeShort: draco.Int16, typeUshort: draco.Uint16,
	typeUint: draco.Uint32, typeFloat: draco.Float32,
}

// packedMesh is the Draco data of a primitive, and of all others that say the same.
type packedMesh struct {
	at         string
	data       []byte
	names      []string // of attributes
	want       []draco.Attribute
	primitives []*primitive
	mesh       *draco.Mesh
}

// unpackPrimitives decompresses what KHR_draco_mesh_compression compresses: it gives the primitives new accessors.
func (l *loader) unpackPrimitives(ctx context.Context) error {
	list, err := l.packedMeshes()
	if err != nil || len(list) == 0 {
		return err
	}
	longest := 0
	for _, p := range list {
		longest = max(longest, len(p.data))
	}
	memory := min(l.opts.MemoryBudget, freeDraco+dracoPerByte*int64(longest))
	if memory < draco.MinMemory {
		return asError(importer.OverBudget(draco.MinMemory), list[0].at, "")
	}
	decoder, err := draco.New(ctx, min(len(list), runtime.GOMAXPROCS(0)), memory)
	if err != nil {
		return asError(err, list[0].at, "")
	}
	jobs := make([]func() error, len(list))
	for i, p := range list {
		jobs[i] = func() (err error) {
			if p.mesh, err = decoder.Decode(ctx, p.data, p.want, l.geometry.Take); err != nil {
				return asError(err, p.at, "")
			}
			return nil
		}
	}
	err = l.run(ctx, jobs, dracoUnpacked)
	if closed := decoder.Close(context.WithoutCancel(ctx)); err == nil && closed != nil {
		err = asError(closed, list[0].at, "")
	}
	if err != nil {
		return err
	}
	for _, p := range list {
		l.adopt(p)
	}
	return nil
}

// packedMeshes lists the Draco data of the document.
func (l *loader) packedMeshes() (list []*packedMesh, err error) {
	known := map[string]*packedMesh{}
	for i := range l.doc.Meshes {
		for k := range l.doc.Meshes[i].Primitives {
			src := &l.doc.Meshes[i].Primitives[k]
			if src.Extensions.Draco == nil {
				continue
			}
			at := fmt.Sprintf("/meshes/%d/primitives/%d", i, k)
			p, err := l.packedMesh(src, at)
			if err != nil {
				return nil, err
			}
			key := fmt.Sprint(*src.Extensions.Draco.BufferView, p.names, p.want, src.Attributes)
			if known[key] == nil {
				known[key] = p
				list = append(list, p)
			}
			known[key].primitives = append(known[key].primitives, src)
		}
	}
	return list, nil
}

func (l *loader) packedMesh(src *primitive, at string) (*packedMesh, error) {
	x := src.Extensions.Draco
	p := &packedMesh{at: at + "/extensions/KHR_draco_mesh_compression"}
	if src.Mode != nil && *src.Mode != modeTriangles && *src.Mode != modeStrip {
		return nil, fail(at+"/mode", "Draco compresses triangles, not mode %d", *src.Mode)
	}
	var err error
	if p.data, err = l.bytesOf(x.BufferView, p.at); err != nil {
		return nil, err
	}
	for _, name := range drawn {
		id, packed := x.Attributes[name]
		i, ok := src.Attributes[name]
		if !packed || !ok {
			continue
		}
		if i < 0 || i >= integer(len(l.doc.Accessors)) {
			return nil, fail(at+"/attributes/"+name, "there is no accessor %d", i)
		}
		a := &l.doc.Accessors[i]
		if id < 0 || id > math.MaxUint32 {
			return nil, fail(p.at+"/attributes/"+name, "%d is not a unique id", id)
		}
		if strings.HasPrefix(a.Type, "MAT") {
			return nil, fail(at+"/attributes/"+name, "Draco compresses no %s", a.Type)
		}
		p.names = append(p.names, name)
		p.want = append(p.want, draco.Attribute{ID: uint32(id), Type: dracoTypes[a.ComponentType], Components: components[a.Type]})
	}
	return p, nil
}

// adopt makes accessors of a decoded mesh. Its counts are what is really there, whatever the file declares.
func (l *loader) adopt(p *packedMesh) {
	indices := integer(len(l.doc.Accessors))
	l.doc.Accessors = append(l.doc.Accessors, accessor{
		ComponentType: typeUint, Type: "SCALAR", Count: integer(len(p.mesh.Indices) / 4), unpacked: p.mesh.Indices, at: p.at,
	})
	for i, name := range p.names {
		old := p.primitives[0].Attributes[name]
		a := l.doc.Accessors[old]
		a.BufferView, a.ByteOffset, a.Count = nil, 0, integer(p.mesh.Vertices)
		a.unpacked, a.at = p.mesh.Attributes[i], fmt.Sprintf("/accessors/%d", old)
		for _, to := range p.primitives {
			to.Attributes[name] = integer(len(l.doc.Accessors))
		}
		l.doc.Accessors = append(l.doc.Accessors, a)
	}
	for _, to := range p.primitives {
		to.Indices, to.Mode = &indices, nil
	}
}

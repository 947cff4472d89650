package asset

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/bcn"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// tableReader makes a model of the tables. Nothing in them is trusted: numbers are checked before they are used, and no list
// becomes longer in memory than the tables are, whatever they say.
type tableReader struct {
	f      *File
	tables []byte // of the file, from its first table to the end
	bytes  [endOfTables][]byte

	strings []string
	links   []uint32
	linked  uint32 // numbers of the table of links that were copied
	floats  []float32

	materials []*scene.Material
	layers    []*scene.Layers
	refs      []scene.TextureRef
	lights    []*scene.Light
	m         *scene.Model

	metadata, channels, primitives uint32 // records that have an owner
	plainBytes                     int64  // that arrays have

	ctx context.Context // of Open
}

func (r *tableReader) read() error {
	for _, s := range r.f.h.sections {
		if s.id.table() {
			at := s.offset - r.f.h.tables
			r.bytes[s.id] = r.tables[at:][:s.length]
			if checksum(r.bytes[s.id]) != s.crc {
				return damaged("the checksum of the table of %v is wrong", s.id)
			}
		}
	}
	r.m = &scene.Model{}
	r.f.model = r.m
	for _, step := range []func() error{
		r.readStrings, r.readNumbers, r.readTextures, r.readMaterials, r.readPages, r.readGeometries, r.readCollisions, r.readInfo,
		r.readMeshes, r.readModel, r.readNodes, r.readSkins, r.readAnimations,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := checkModel(r.m); err != nil {
		return damaged("%w", err)
	}
	r.m.Measure()
	return r.f.fillAll(r.ctx, smallMip, nil)
}

// records is the number of records of a table.
func (r *tableReader) records(id sectionID) int {
	_, size := id.describe()
	return len(r.bytes[id]) / size
}

// record is a decoder over record i of a table.
func (r *tableReader) record(id sectionID, i int) decoder {
	_, size := id.describe()
	return decoder{r.bytes[id][i*size:][:size]}
}

func (r *tableReader) readStrings() error {
	b := r.bytes[secStrings]
	if len(b) < 8 {
		return damaged("no strings")
	}
	n := int64(le.Uint32(b))
	head := 4 + 4*(n+1)
	if n == 0 || head > int64(len(b)) {
		return damaged("%d strings", n)
	}
	text := string(b[head:])
	r.strings = make([]string, n)
	start := le.Uint32(b[4:])
	for i := range r.strings {
		end := le.Uint32(b[8+4*i:])
		if start > end || int64(end) > int64(len(text)) {
			return damaged("string %d lies outside of the table", i)
		}
		r.strings[i] = text[start:end]
		start = end
	}
	return nil
}

func (r *tableReader) str(i uint32) (string, error) {
	if int64(i) >= int64(len(r.strings)) {
		return "", damaged("string %d of %d", i, len(r.strings))
	}
	return r.strings[i], nil
}

func (r *tableReader) readNumbers() error {
	r.links = make([]uint32, r.records(secLinks))
	for i := range r.links {
		r.links[i] = le.Uint32(r.bytes[secLinks][4*i:])
	}
	r.floats = make([]float32, r.records(secFloats))
	for i := range r.floats {
		r.floats[i] = math.Float32frombits(le.Uint32(r.bytes[secFloats][4*i:]))
	}
	return nil
}

// part is a checked part of a list, nil if it is empty.
func part[T any](list []T, first, count uint32) ([]T, error) {
	if count == 0 {
		return nil, nil
	}
	if uint64(first)+uint64(count) > uint64(len(list)) {
		return nil, damaged("numbers %d to %d of a list of %d", first, uint64(first)+uint64(count), len(list))
	}
	return list[first : first+count : first+count], nil
}

// list is a part of the table of links. All that are asked for are no longer together than the table.
func (r *tableReader) list(first, count uint32) ([]uint32, error) {
	if uint64(r.linked)+uint64(count) > uint64(len(r.links)) {
		return nil, damaged("lists that overlap")
	}
	r.linked += count
	return part(r.links, first, count)
}

// nodes is a list of nodes.
func (r *tableReader) nodes(first, count uint32) ([]int, error) {
	list, err := r.list(first, count)
	if err != nil || list == nil {
		return nil, err
	}
	out := make([]int, len(list))
	for i, n := range list {
		out[i] = int(int32(n))
	}
	return out, nil
}

// follow checks that the records of an owner come right after those of the owner before.
func follow(next *uint32, first, count uint32, have int) error {
	if count == 0 {
		return nil
	}
	if first != *next || uint64(first)+uint64(count) > uint64(have) {
		return damaged("records %d to %d of %d, want those from %d", first, uint64(first)+uint64(count), have, *next)
	}
	*next += count
	return nil
}

// readTextures reads the tables of textures and mips.
func (r *tableReader) readTextures() error {
	levels := make([]levelEntry, r.records(secLevels))
	large, small := r.f.h.find(secTexels), r.f.h.find(secMips)
	entries := map[uint32]textureEntry{} // by first mip: textures share all their mips or none
	next, budget := uint32(0), large.length+small.length
	for i := range r.records(secTextures) {
		d := r.record(secTextures, i)
		name, err := r.str(d.u32())
		if err != nil {
			return err
		}
		w, h := d.u32(), d.u32()
		format, wrapU, wrapV, nearest := d.u8(), d.u8(), d.u8(), d.u8()
		first, count := d.u32(), d.u32()
		if w < 1 || h < 1 || w > maxSide || h > maxSide || wrapU > uint8(scene.WrapMirror) || wrapV > uint8(scene.WrapMirror) || nearest > 1 {
			return damaged("texture %d has %d x %d pixels or wraps in an unknown way", i, w, h)
		}
		want := bcn.Levels(int(w), int(h))
		if format == formatRGBA8 {
			want = 1
		} else if bcn.BlockBytes(scene.BlockFormat(format)) == 0 {
			return damaged("texture %d has format %d", i, format)
		}
		if int64(count) != int64(want) {
			return damaged("texture %d has %d mips, want %d", i, count, want)
		}
		e, ok := entries[first]
		if !ok {
			e = textureEntry{format: format, width: int(w), height: int(h)}
			if err := follow(&next, first, count, len(levels)); err != nil {
				return err
			}
			e.levels = levels[first : first+count]
			for k := range e.levels {
				lw, lh := bcn.LevelSize(e.width, e.height, k)
				size := int64(levelBytes(format, lw, lh))
				d := r.record(secLevels, int(first)+k)
				offset, s := d.u64(), large
				if offset&highBit != 0 {
					offset, s = offset&^highBit, small
				}
				if budget -= size; offset > uint64(s.length) || size > s.length-int64(offset) || budget < 0 {
					return damaged("mip %d of texture %d lies outside of its section", k, i)
				}
				e.levels[k] = levelEntry{offset: s.offset + int64(offset), crc: d.u32()}
			}
			entries[first] = e
		}
		if e.format != format || e.width != int(w) || e.height != int(h) {
			return damaged("texture %d shares mips of another size", i)
		}
		r.f.entries = append(r.f.entries, e)
		r.f.textures = append(r.f.textures,
			&scene.Texture{Name: name, WrapU: scene.Wrap(wrapU), WrapV: scene.Wrap(wrapV), Nearest: nearest == 1})
	}
	return nil
}

// readMaterials reads the tables of texture references, layers and materials.
func (r *tableReader) readMaterials() error {
	r.refs = make([]scene.TextureRef, r.records(secTextureRefs))
	for i := range r.refs {
		d := r.record(secTextureRefs, i)
		texture, uv := d.u32(), d.u32()
		if int64(texture) >= int64(len(r.f.textures)) || uv > 1 {
			return damaged("texture reference %d is to texture %d, coordinates %d", i, texture, uv)
		}
		r.refs[i].Texture, r.refs[i].UV = r.f.textures[texture], int(uv)
		d.floats(r.refs[i].Matrix[:])
	}
	ref := func(dst *scene.TextureRef, i uint32) error {
		if int64(i) > int64(len(r.refs)) {
			return damaged("texture reference %d of %d", i, len(r.refs))
		}
		if i > 0 {
			*dst = r.refs[i-1]
		}
		return nil
	}
	for i := range r.records(secLayers) {
		d := r.record(secLayers, i)
		l := &scene.Layers{}
		for _, v := range layerScalars(l) {
			*v = d.f32()
		}
		for _, t := range layerTextures(l) {
			if err := ref(t, d.u32()); err != nil {
				return err
			}
		}
		r.layers = append(r.layers, l)
	}
	for i := range r.records(secMaterials) {
		d := r.record(secMaterials, i)
		m := &scene.Material{}
		var err error
		if m.Name, err = r.str(d.u32()); err != nil {
			return err
		}
		d.floats(m.BaseColor[:])
		m.Metallic, m.Roughness, m.Emissive = d.f32(), d.f32(), d.vec3()
		m.NormalScale, m.Occlusion, m.AlphaCutoff = d.f32(), d.f32(), d.f32()
		m.Alpha = scene.AlphaMode(d.u8())
		flags := d.u8()
		d.u16()
		if m.Alpha > scene.AlphaBlend {
			return damaged("material %d has alpha mode %d", i, m.Alpha)
		}
		m.DoubleSided, m.Unlit, m.WritesDepth = flags&flagDoubleSided != 0, flags&flagUnlit != 0, flags&flagWritesDepth != 0
		for _, t := range baseTextures(m) {
			if err := ref(t, d.u32()); err != nil {
				return err
			}
		}
		if k := d.u32(); int64(k) > int64(len(r.layers)) {
			return damaged("material %d has layers %d of %d", i, k, len(r.layers))
		} else if k > 0 {
			m.Layers = r.layers[k-1]
		}
		r.materials = append(r.materials, m)
	}
	return nil
}

func (r *tableReader) material(i uint32) (*scene.Material, error) {
	if int64(i) >= int64(len(r.materials)) {
		return nil, damaged("material %d of %d", i, len(r.materials))
	}
	return r.materials[i], nil
}

// readMeshes reads the tables of primitives and meshes, and the arrays of primitives that deform.
func (r *tableReader) readMeshes() error {
	all := make([]scene.Primitive, r.records(secPrimitives))
	boxes := make([]geom.AABB, len(all))
	for i := range all {
		d := r.record(secPrimitives, i)
		id := d.u32()
		if int64(id) >= int64(len(r.f.geometries)) {
			return damaged("geometry %d of %d", id, len(r.f.geometries))
		}
		g := &r.f.geometries[id]
		p := &all[i]
		boxes[i] = g.box
		if g.kind == kindPlain {
			*p = g.plain
		} else {
			p.IsPoints, p.Paged = g.kind == kindPoints, g.paged
		}
		var err error
		if p.Material, err = r.material(d.u32()); err != nil {
			return err
		}
		variants, err := r.list(d.u32(), d.u32())
		if err != nil {
			return err
		}
		if len(variants) > 0 {
			p.Variants = make([]*scene.Material, len(variants))
		}
		for k, v := range variants {
			if v == 0 {
				continue
			}
			if p.Variants[k], err = r.material(v - 1); err != nil {
				return err
			}
		}
	}
	for i := range r.records(secMeshes) {
		d := r.record(secMeshes, i)
		name, err := r.str(d.u32())
		if err != nil {
			return err
		}
		count := d.u32()
		first := r.primitives
		if err := follow(&r.primitives, first, count, len(all)); err != nil {
			return err
		}
		ms := &scene.Mesh{Name: name, Bounds: geom.Empty()}
		for _, box := range boxes[first:r.primitives] {
			ms.Bounds = ms.Bounds.Union(box)
		}
		if ms.Primitives, err = part(all, first, count); err != nil {
			return err
		}
		r.m.Meshes = append(r.m.Meshes, ms)
	}
	return nil
}

func (r *tableReader) readModel() error {
	if n := r.records(secModel); n != 1 {
		return damaged("%d models", n)
	}
	d := r.record(secModel, 0)
	var err error
	if r.m.Name, err = r.str(d.u32()); err != nil {
		return err
	}
	r.m.Static = d.u32()&1 != 0
	if r.m.Roots, err = r.nodes(d.u32(), d.u32()); err != nil {
		return err
	}
	variants, err := r.list(d.u32(), d.u32())
	if err != nil {
		return err
	}
	for _, v := range variants {
		name, err := r.str(v)
		if err != nil {
			return err
		}
		r.m.Variants = append(r.m.Variants, name)
	}
	r.m.Materials, err = part(r.materials, 0, d.u32())
	return err
}

func (r *tableReader) readNodes() error {
	for i := range r.records(secLights) {
		d := r.record(secLights, i)
		kind := d.u32()
		if kind > uint32(scene.LightSpot) {
			return damaged("light %d is of kind %d", i, kind)
		}
		r.lights = append(r.lights, &scene.Light{
			Kind: scene.LightKind(kind), Color: d.vec3(), Intensity: d.f32(), Range: d.f32(), InnerCone: d.f32(), OuterCone: d.f32(),
		})
	}
	r.m.Nodes = make([]scene.Node, r.records(secNodes))
	for i := range r.m.Nodes {
		d := r.record(secNodes, i)
		n := &r.m.Nodes[i]
		var err error
		if n.Name, err = r.str(d.u32()); err != nil {
			return err
		}
		n.Parent = int(int32(d.u32()))
		if n.Children, err = r.nodes(d.u32(), d.u32()); err != nil {
			return err
		}
		d.floats(n.Local[:])
		n.Mesh, n.Skin = int(int32(d.u32())), int(d.u32())
		if n.Weights, err = part(r.floats, d.u32(), d.u32()); err != nil {
			return err
		}
		if k := d.u32(); int64(k) > int64(len(r.lights)) {
			return damaged("node %d has light %d of %d", i, k, len(r.lights))
		} else if k > 0 {
			n.Light = r.lights[k-1]
		}
		first, count := d.u32(), d.u32()
		if err := follow(&r.metadata, first, count, r.records(secMetadata)); err != nil {
			return err
		}
		for k := range count {
			m, err := r.readMetadata(int(first + k))
			if err != nil {
				return err
			}
			n.Metadata = append(n.Metadata, m)
		}
	}
	return nil
}

func (r *tableReader) readMetadata(i int) (m scene.Metadata, err error) {
	d := r.record(secMetadata, i)
	if m.Key, err = r.str(d.u32()); err != nil {
		return m, err
	}
	switch kind := d.u32(); kind {
	case metaString:
		m.Value, err = r.str(d.u32())
	case metaBool:
		m.Value = d.u32() != 0
	case metaInt:
		m.Value = int64(d.u64())
	case metaFloat:
		m.Value = math.Float64frombits(d.u64())
	case metaVec3:
		m.Value = d.vec3()
	case metaVec4:
		var v geom.Vec4
		d.floats(v[:])
		m.Value = v
	default:
		err = damaged("metadata of kind %d", kind)
	}
	return m, err
}

func (r *tableReader) readSkins() error {
	for i := range r.records(secSkins) {
		d := r.record(secSkins, i)
		var s scene.Skin
		var err error
		if s.Name, err = r.str(d.u32()); err != nil {
			return err
		}
		if s.Joints, err = r.nodes(d.u32(), d.u32()); err != nil {
			return err
		}
		first, count := d.u32(), d.u32()
		if int64(count) > int64(len(s.Joints)) {
			return damaged("skin %d has %d matrices for %d joints", i, count, len(s.Joints))
		}
		inverse, err := part(r.floats, first, 16*count)
		if err != nil {
			return err
		}
		for ; len(inverse) > 0; inverse = inverse[16:] {
			s.Inverse = append(s.Inverse, geom.Mat4(inverse[:16]))
		}
		s.Skeleton = int(int32(d.u32()))
		r.m.Skins = append(r.m.Skins, s)
	}
	return nil
}

func (r *tableReader) readAnimations() error {
	for i := range r.records(secAnimations) {
		d := r.record(secAnimations, i)
		name, err := r.str(d.u32())
		if err != nil {
			return err
		}
		first, count := d.u32(), d.u32()
		if err := follow(&r.channels, first, count, r.records(secChannels)); err != nil {
			return err
		}
		a := scene.Animation{Name: name}
		for k := range count {
			d := r.record(secChannels, int(first+k))
			c := scene.Channel{Node: int(int32(d.u32())), Path: scene.ChannelPath(d.u8()), Interpolation: scene.Interpolation(d.u8())}
			d.u16()
			if c.Times, err = part(r.floats, d.u32(), d.u32()); err != nil {
				return err
			}
			if c.Values, err = part(r.floats, d.u32(), d.u32()); err != nil {
				return err
			}
			a.Channels = append(a.Channels, c)
		}
		r.m.Animations = append(r.m.Animations, a)
	}
	return nil
}

func (r *tableReader) readInfo() error {
	if err := json.Unmarshal(r.bytes[secInfo], &r.f.info); err != nil {
		return fmt.Errorf("asset: damaged file: info: %w", err)
	}
	r.m.Source, r.m.Warnings, r.m.MissingTextures = r.f.info.Source, r.f.info.Warnings, r.f.info.MissingTextures
	return nil
}

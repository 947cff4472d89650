package asset

import (
	"fmt"
	"hash/crc32"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// The fixed part of the format; docs/asset-format.md explains every number.
const (
	magic         = "ARRA"
	versionMajor  = 1 // readers refuse others
	versionMinor  = 0 // readers accept any
	headerBytes   = 4096
	sectionTable  = 96 // offset in the header
	sectionRecord = 32
	maxSections   = (headerBytes - sectionTable) / sectionRecord
	dataAlign     = 4096
	tableAlign    = 64
)

// sectionID names a section. The numbers are part of the format.
type sectionID uint32

// Tables, which a reader has in memory. They follow each other in the file in this order.
const (
	secModel sectionID = 1 + iota
	secNodes
	secLinks
	secFloats
	secStrings
	secMetadata
	secLights
	secSkins
	secAnimations
	secChannels
	secMaterials
	secLayers
	secTextureRefs
	secTextures
	secLevels
	secMeshes
	secPrimitives
	secGeometries
	secArrays
	secCollisions
	secClusters
	secGroups
	secHierarchy
	secPages
	secInfo
	endOfTables
)

// Data, which is read piece by piece. It comes before the tables, in this order.
const (
	secDetail    sectionID = 64 + iota // pages of all levels but the roots
	secTexels                          // large mips
	secCollision                       // collision meshes
	secPlain                           // arrays of primitives that deform
	secRoots                           // pages of the roots
	secMips                            // small mips
	endOfData
)

// The sizes of records in bytes.
const (
	modelRecord      = 32
	nodeRecord       = 112
	metadataRecord   = 24
	lightRecord      = 32
	skinRecord       = 24
	animationRecord  = 12
	channelRecord    = 24
	materialRecord   = 80
	layersRecord     = 4*24 + 4*12
	textureRefRecord = 32
	textureRecord    = 24
	levelRecord      = 16
	meshRecord       = 8
	primitiveRecord  = 16
	geometryRecord   = 72
	arrayRecord      = 32
	collisionRecord  = 40
	clusterRecord    = 40
	groupRecord      = 28
	hierarchyRecord  = 28
	pageRecord       = 32
)

// describe returns a section's name and the size of its records, 1 where it has none.
func (id sectionID) describe() (name string, record int) {
	switch id {
	case secModel:
		return "model", modelRecord
	case secNodes:
		return "nodes", nodeRecord
	case secLinks:
		return "links", 4
	case secFloats:
		return "floats", 4
	case secStrings:
		return "strings", 1
	case secMetadata:
		return "metadata", metadataRecord
	case secLights:
		return "lights", lightRecord
	case secSkins:
		return "skins", skinRecord
	case secAnimations:
		return "animations", animationRecord
	case secChannels:
		return "channels", channelRecord
	case secMaterials:
		return "materials", materialRecord
	case secLayers:
		return "layers", layersRecord
	case secTextureRefs:
		return "texture references", textureRefRecord
	case secTextures:
		return "textures", textureRecord
	case secLevels:
		return "texture levels", levelRecord
	case secMeshes:
		return "meshes", meshRecord
	case secPrimitives:
		return "primitives", primitiveRecord
	case secGeometries:
		return "geometries", geometryRecord
	case secArrays:
		return "arrays", arrayRecord
	case secCollisions:
		return "collision directory", collisionRecord
	case secClusters:
		return "clusters", clusterRecord
	case secGroups:
		return "groups", groupRecord
	case secHierarchy:
		return "hierarchy", hierarchyRecord
	case secPages:
		return "page directory", pageRecord
	case secInfo:
		return "info", 1
	case secDetail:
		return "detail pages", 1
	case secTexels:
		return "large mips", 1
	case secCollision:
		return "collision meshes", 1
	case secPlain:
		return "plain arrays", 1
	case secRoots:
		return "root pages", 1
	case secMips:
		return "small mips", 1
	}
	return fmt.Sprintf("section %d", uint32(id)), 1
}

func (id sectionID) String() string {
	name, _ := id.describe()
	return name
}

// known reports whether this version of the format has the section.
func (id sectionID) known() bool {
	return id >= secModel && id < endOfTables || id >= secDetail && id < endOfData
}

func (id sectionID) table() bool { return id < endOfTables }

// checksum is CRC-32C (RFC 3720 section 12.1).
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// header is the first block of a file.
type header struct {
	size     int64   // of the file
	hash     [8]byte // conversionHash
	first    int64   // offset of what a first picture needs, all the rest of the file
	tables   int64   // offset of the tables, the last part of that
	bounds   geom.AABB
	sections []section // ascending ids
}

// section is where a section lies.
type section struct {
	id     sectionID
	offset int64
	length int64
	crc    uint32
}

// encode returns the first block of the file.
func (h *header) encode() []byte {
	e := encoder{b: make([]byte, 0, headerBytes)}
	e.b = append(e.b, magic...)
	e.u16(versionMajor)
	e.u16(versionMinor)
	e.u32(headerBytes, 0) // the checksum comes last
	e.u64(uint64(h.size))
	e.u8(h.hash[:]...)
	e.u64(uint64(h.first))
	e.u64(uint64(h.tables))
	e.box(h.bounds)
	e.u32(uint32(len(h.sections)), 0, 0, 0, 0, 0)
	for _, s := range h.sections {
		e.u32(uint32(s.id), s.crc)
		e.u64(uint64(s.offset))
		e.u64(uint64(s.length))
		e.u64(0)
	}
	b := e.b[:headerBytes]
	le.PutUint32(b[12:], checksum(b))
	return b
}

// parseHeader checks everything that the header says.
func parseHeader(b []byte, size int64) (*header, error) {
	if len(b) < 8 || string(b[:4]) != magic {
		return nil, fmt.Errorf("asset: not an %s file", Extension)
	}
	if v := le.Uint16(b[4:]); v != versionMajor {
		return nil, fmt.Errorf("asset: the file has version %d of the format, this program reads version %d", v, versionMajor)
	}
	if len(b) < headerBytes {
		return nil, damaged("it ends within its header")
	}
	d := decoder{b[8:headerBytes]}
	if n := d.u32(); n != headerBytes {
		return nil, damaged("a header of %d bytes", n)
	}
	crc := d.u32()
	whole := append([]byte(nil), b[:headerBytes]...)
	clear(whole[12:16])
	if checksum(whole) != crc {
		return nil, damaged("the header's checksum is wrong")
	}
	h := &header{size: int64(d.u64())}
	if h.size != size {
		return nil, damaged("it has %d bytes, its header says %d", size, h.size)
	}
	for i := range h.hash {
		h.hash[i] = d.u8()
	}
	h.first, h.tables = int64(d.u64()), int64(d.u64())
	h.bounds = d.box()
	n := d.u32()
	if n > maxSections {
		return nil, damaged("%d sections", n)
	}
	d = decoder{b[sectionTable:headerBytes]}
	end := int64(headerBytes)
	for range n {
		s := section{id: sectionID(d.u32()), crc: d.u32(), offset: int64(d.u64()), length: int64(d.u64())}
		d.u64()
		if !s.id.known() {
			continue // of a later minor version
		}
		if k := len(h.sections); k > 0 && h.sections[k-1].id >= s.id {
			return nil, damaged("its sections are out of order")
		}
		if s.offset < headerBytes || s.length < 0 || s.offset > size || s.length > size-s.offset {
			return nil, damaged("%v lies outside of the file", s.id)
		}
		if _, record := s.id.describe(); s.length%int64(record) != 0 {
			return nil, damaged("%v has %d bytes, no multiple of %d", s.id, s.length, record)
		}
		if s.id.table() && s.offset < h.tables {
			return nil, damaged("%v lies before the tables", s.id)
		}
		h.sections = append(h.sections, s)
		end = max(end, s.offset+s.length)
	}
	if h.first < headerBytes || h.first > h.tables || h.tables > size || end > size {
		return nil, damaged("its first part lies outside of the file")
	}
	return h, nil
}

// find returns a section; one that is not there has no length.
func (h *header) find(id sectionID) section {
	for _, s := range h.sections {
		if s.id == id {
			return s
		}
	}
	return section{id: id}
}

// The kinds of geometries.
const (
	kindTriangles = 0 // pages
	kindPoints    = 1 // pages
	kindPlain     = 2 // arrays
)

// formatRGBA8 is the format of textures that are kept as they are; the others are scene.BlockFormat.
const formatRGBA8 = 0

// rootLevel is the level of pages that hold the groups which nothing replaces.
const rootLevel = 255

// highBit in an offset tells that it counts in the second of two sections: root pages, small mips.
const highBit = 1 << 63

// Values of metadata.
const (
	metaString = iota
	metaBool
	metaInt
	metaFloat
	metaVec3
	metaVec4
)

// Flags of materials.
const (
	flagDoubleSided = 1 << iota
	flagUnlit
	flagWritesDepth
)

// layerScalars lists the numbers of layers in the order of their record.
func layerScalars(l *scene.Layers) []*float32 {
	return []*float32{
		&l.IOR, &l.Dispersion,
		&l.Specular, &l.SpecularColor[0], &l.SpecularColor[1], &l.SpecularColor[2],
		&l.Clearcoat, &l.ClearcoatRoughness,
		&l.SheenColor[0], &l.SheenColor[1], &l.SheenColor[2], &l.SheenRoughness,
		&l.Transmission,
		&l.Thickness, &l.AttenuationDistance, &l.AttenuationColor[0], &l.AttenuationColor[1], &l.AttenuationColor[2],
		&l.Iridescence, &l.IridescenceIOR, &l.IridescenceThicknessMin, &l.IridescenceThicknessMax,
		&l.Anisotropy, &l.AnisotropyRotation,
	}
}

// layerTextures lists the textures of layers in the order of their record.
func layerTextures(l *scene.Layers) []*scene.TextureRef {
	return []*scene.TextureRef{
		&l.SpecularTex, &l.SpecularColorTex,
		&l.ClearcoatTex, &l.ClearcoatRoughTex, &l.ClearcoatNormalTex,
		&l.SheenColorTex, &l.SheenRoughTex,
		&l.TransmissionTex, &l.ThicknessTex,
		&l.IridescenceTex, &l.IridescenceThicknessTex,
		&l.AnisotropyTex,
	}
}

// baseTextures lists the textures of a material without layers in the order of its record.
func baseTextures(m *scene.Material) []*scene.TextureRef {
	return []*scene.TextureRef{&m.BaseColorTex, &m.MetalRough, &m.NormalTex, &m.OcclusionTex, &m.EmissiveTex}
}

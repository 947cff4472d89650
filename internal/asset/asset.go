// Package asset writes and reads .arrAsset files: models of any size as tables, pages of geometry and block-compressed
// textures, readable piece by piece. docs/asset-format.md specifies the format. The package knows no source format, no
// network and no renderer.
package asset

import (
	"encoding/json"
	"io"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Extension is how the names of assets end.
const Extension = ".arrAsset"

// WriteOptions says how to write a model. The zero value is good.
type WriteOptions struct {
	// PositionBits is the resolution of positions: one step of the grid is at most 2^-PositionBits of the mesh's greatest extent
	// and a power of two. 0 = DefaultPositionBits; 10 to 24.
	PositionBits int
	// Settings is echoed in Info.
	Settings json.RawMessage
	// Generator names the program that writes, for Info.
	Generator string
	// Collision asks for the section that ray casts use.
	Collision bool
	// RawTextures keeps pixels as they are instead of compressing them into blocks.
	RawTextures bool
	// Threads is how many processors to use; 0 = all. The file does not depend on it.
	Threads int
	// Progress, if any, is told how much of which stage is done, 0 to 1, from any goroutine but one call at a time.
	Progress func(stage string, done float64)
}

// DefaultPositionBits resolves a quarter of a micrometre in a mesh of one metre.
const DefaultPositionBits = 22

// The stages that Write reports.
const (
	StageGeometry = "geometry"
	StageTextures = "textures"
	StageTables   = "tables"
)

// Summary is what Write made.
type Summary struct {
	Bytes          int64
	ConversionHash string // 16 hexadecimal digits over all that bears on the picture
	Geometries     int    // primitives that were stored; Primitives counts those that use them
	Primitives     int
	Textures       int // that were stored
	Triangles      int64
	Points         int64
	Clusters       int
	Pages          int
	RawPageBytes   int64 // before compression
	PageBytes      int64 // stored
}

// Source is where an asset's bytes are. ReadAt must be safe for concurrent use.
//
// A source that also has ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) is asked by that, so that a
// read over a network ends with its caller.
type Source interface {
	io.ReaderAt
	Size() int64
}

// OpenOptions says how to open an asset. The zero value is good for local files.
type OpenOptions struct {
	// ReadAhead is how many bytes of root pages and small mips to read together with the tables, in one request. A remote
	// reader should ask for some MiB; without it they are read one by one when wanted.
	ReadAhead int64
}

// Info is what an asset tells about itself. Its JSON form is stable.
type Info struct {
	Name           string           `json:"name"`
	Version        string           `json:"formatVersion"`
	Bytes          int64            `json:"bytes"`
	ConversionHash string           `json:"conversionHash"`
	Generator      string           `json:"generator,omitempty"`
	Source         scene.SourceInfo `json:"source"`
	Bounds         geom.AABB        `json:"bounds"`
	Counts         Counts           `json:"counts"`
	Levels         int              `json:"levels"` // of detail
	Pages          PageCounts       `json:"pages"`
	Sections       []SectionInfo    `json:"sections"`
	Textures       []TextureInfo    `json:"textures"`
	Warnings       []string         `json:"warnings,omitempty"`
	Settings       json.RawMessage  `json:"settings,omitempty"`

	MissingTextures []scene.MissingTexture `json:"missingTextures,omitempty"`
}

// Counts counts what is in an asset.
type Counts struct {
	Nodes           int   `json:"nodes"`
	Meshes          int   `json:"meshes"`
	Primitives      int   `json:"primitives"`
	Geometries      int   `json:"geometries"` // distinct ones
	Materials       int   `json:"materials"`
	Textures        int   `json:"textures"`
	Skins           int   `json:"skins"`
	Animations      int   `json:"animations"`
	Variants        int   `json:"variants"`
	Triangles       int64 `json:"triangles"`       // at full detail, of all mesh instances
	Points          int64 `json:"points"`          // the same for points
	StoredTriangles int64 `json:"storedTriangles"` // at full detail, every geometry once
	StoredPoints    int64 `json:"storedPoints"`
	AllTriangles    int64 `json:"allTriangles"` // of all levels of detail, every geometry once
	Clusters        int   `json:"clusters"`
	Groups          int   `json:"groups"`
	MetadataEntries int   `json:"metadataEntries"`
	CollisionMeshes int   `json:"collisionMeshes"`
	Deforming       int   `json:"deformingGeometries"`
	MeshInstances   int   `json:"meshInstances"`
}

// PageCounts describes the pages of geometry.
type PageCounts struct {
	Count     int   `json:"count"`
	Roots     int   `json:"roots"` // needed for the first picture
	RawBytes  int64 `json:"rawBytes"`
	Bytes     int64 `json:"bytes"`
	RootBytes int64 `json:"rootBytes"`
}

// SectionInfo is one section of the file.
type SectionInfo struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
}

// TextureInfo is one stored texture.
type TextureInfo struct {
	Name   string `json:"name"`
	Format string `json:"format"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Levels int    `json:"levels"`
	Bytes  int64  `json:"bytes"`
}

// Package formats knows every importer, and picks one by the extension of a file's name. It does nothing else.
package formats

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/e57"
	"github.com/heliograph/heliograph/internal/importer/fbx"
	"github.com/heliograph/heliograph/internal/importer/gltf"
	"github.com/heliograph/heliograph/internal/importer/las"
	"github.com/heliograph/heliograph/internal/importer/obj"
	"github.com/heliograph/heliograph/internal/importer/ply"
	"github.com/heliograph/heliograph/internal/importer/stl"
	"github.com/heliograph/heliograph/internal/importer/xyz"
	"github.com/heliograph/heliograph/internal/scene"
)

// Format is one source format.
type Format struct {
	Name       string
	Extensions []string // lower case, with the dot
	SingleFile bool     // never refers to other files
	PointCloud bool     // always points: material settings do not apply (ARR, "Configure the model conversion")
	Open       func(context.Context, importer.Source, importer.Options) (*scene.Model, error)
}

// All lists the formats, in the order in which people should read of them.
func All() []Format {
	return []Format{
		{Name: "glTF 2.0", Extensions: []string{".gltf", ".glb"}, Open: gltf.Open},
		{Name: "FBX", Extensions: []string{".fbx"}, Open: fbx.Open},
		{Name: "OBJ", Extensions: []string{".obj"}, Open: obj.Open},
		{Name: "STL", Extensions: []string{".stl"}, SingleFile: true, Open: stl.Open},
		{Name: "PLY", Extensions: []string{".ply"}, Open: ply.Open},
		{Name: "E57", Extensions: []string{".e57"}, SingleFile: true, PointCloud: true, Open: e57.Open},
		{Name: "LAS and LAZ", Extensions: []string{".las", ".laz"}, SingleFile: true, PointCloud: true, Open: las.Open},
		{Name: "XYZ", Extensions: []string{".xyz", ".pts", ".txt", ".asc", ".csv"}, SingleFile: true, PointCloud: true, Open: xyz.Open},
	}
}

// Of returns the format of a file, by its name.
func Of(name string) (Format, bool) {
	ext := strings.ToLower(path.Ext(name))
	for _, f := range All() {
		if slices.Contains(f.Extensions, ext) {
			return f, true
		}
	}
	return Format{}, false
}

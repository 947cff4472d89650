package conversion

import (
	"path"
	"slices"
	"strings"
)

// The names of files that may be converted, by extension. The importers live in another program, which may be older or
// newer: it has the last word. A test holds this against their own list.
var (
	// severalFiles may refer to others: all that is below the prefix is fetched.
	severalFiles = []string{".fbx", ".glb", ".gltf", ".obj", ".ply"}
	// singleFile never do (ARR, "Convert models": "point clouds: just the file").
	singleFile = []string{".asc", ".csv", ".e57", ".las", ".laz", ".pts", ".stl", ".txt", ".xyz"}
)

// kindOf judges a file by its name.
func kindOf(name string) (supported, single bool) {
	ext := strings.ToLower(path.Ext(name))
	single = slices.Contains(singleFile, ext)
	return single || slices.Contains(severalFiles, ext), single
}

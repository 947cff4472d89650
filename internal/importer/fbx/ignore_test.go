package fbx

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/importer"
)

func TestIgnore(t *testing.T) {
	all := []string{
		"DiffuseColor", "NormalMap", "Bump", "TransparentColor", "AmbientColor", "EmissiveColor", "SpecularColor", "ShininessExponent",
		"ReflectionColor",
		"Maya|baseColor", "Maya|TEX_normal_map", "3dsMax|Parameters|roughness_map", "3dsMax|main|metalness_map", "Custom",
	}
	for name, want := range map[string]string{
		"NormalMap": "NormalMap Maya|TEX_normal_map", "BumpMap": "Bump", "OpacityMap": "TransparentColor", "OcclusionMap": "AmbientColor",
		"AlbedoMap": "DiffuseColor Maya|baseColor", "DiffuseMap": "DiffuseColor Maya|baseColor", "EmissiveMap": "EmissiveColor",
		"SpecularMap": "SpecularColor", "ShininessMap": "ShininessExponent", "ReflectivityMap": "ReflectionColor",
		"RoughnessMap": "3dsMax|Parameters|roughness_map", "MetalnessMap": "3dsMax|main|metalness_map",
		"MetallicRoughnessMap": "3dsMax|Parameters|roughness_map 3dsMax|main|metalness_map",
	} {
		textures := map[string]*object{}
		for _, p := range all {
			textures[p] = &object{}
		}
		l := &loader{opts: importer.Options{Ignore: func(material, textureMap string) bool { return material == "m" && textureMap == name }}}
		l.ignore("other", textures)
		if len(textures) != len(all) {
			t.Fatalf("%s: another material lost a texture", name)
		}
		l.ignore("m", textures)
		gone := strings.Fields(want)
		for _, p := range all {
			if _, left := textures[p]; left == slices.Contains(gone, p) {
				t.Errorf("%s leaves %v", name, slices.Sorted(maps.Keys(textures)))
				break
			}
		}
	}
	(&loader{}).ignore("m", map[string]*object{"NormalMap": {}})
}

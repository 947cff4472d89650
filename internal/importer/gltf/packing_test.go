package gltf

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/scene"
)

// TestPacking: the maps of MSFT_packing_occlusionRoughnessMetallic arrive in glTF's channels, where the core has none.
func TestPacking(t *testing.T) {
	pixel := color.NRGBA{200, 100, 127, 255}
	im := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	im.SetNRGBA(0, 0, pixel)
	file := withImage(encodePNG(t, im))
	open := func(material string) *scene.Material {
		t.Helper()
		return mustOpen(t, strings.Replace(file, `{"pbrMetallicRoughness":{"baseColorTexture":{"index":0}}}`, material, 1)).Materials[0]
	}
	shown := func(ref scene.TextureRef) color.NRGBA {
		if ref.Texture == nil {
			return color.NRGBA{}
		}
		return ref.Texture.Image.NRGBAAt(0, 0)
	}
	rotated := color.NRGBA{127, 200, 100, 255}
	for _, c := range []struct {
		name, core, maps              string
		occlusion, metalRough, normal color.NRGBA
	}{
		{name: "as in the core", maps: `"occlusionRoughnessMetallicTexture":{"index":0}`, occlusion: pixel, metalRough: pixel},
		{name: "occlusion last", maps: `"roughnessMetallicOcclusionTexture":{"index":0}`, occlusion: rotated, metalRough: rotated},
		{name: "normals", maps: `"normalTexture":{"index":0}`, normal: color.NRGBA{200, 100, 229, 255}},
		{name: "beside the core", core: `"occlusionTexture":{"index":0},`, maps: `"roughnessMetallicOcclusionTexture":{"index":0}`,
			occlusion: pixel, metalRough: rotated},
	} {
		m := open(`{` + c.core + `"extensions":{"MSFT_packing_occlusionRoughnessMetallic":{` + c.maps + `}}}`)
		if shown(m.OcclusionTex) != c.occlusion || shown(m.MetalRough) != c.metalRough || shown(m.NormalTex) != c.normal {
			t.Errorf("%s: occlusion %v, metallic-roughness %v, normal %v", c.name, shown(m.OcclusionTex), shown(m.MetalRough), shown(m.NormalTex))
		}
	}
}

package gltf

import (
	"bytes"
	"image"
	"math"

	"github.com/heliograph/heliograph/internal/scene"
)

// packing is MSFT_packing_occlusionRoughnessMetallic: the maps of a material in textures of other channels than the core of
// glTF has them in. Azure Remote Rendering read it.
type packing struct {
	OcclusionRoughnessMetallic *texInfo `json:"occlusionRoughnessMetallicTexture"` // R, G, B
	RoughnessMetallicOcclusion *texInfo `json:"roughnessMetallicOcclusionTexture"` // R, G, B
	Normal                     *texInfo `json:"normalTexture"`                     // x and y in R and G
}

// order is in which channels a texture of a packing has its values.
type order uint8

const (
	coreOrder     order = iota
	occlusionLast       // roughness, metallic, occlusion
	normalsWithoutZ
)

// repacked is a texture that is to be put in the order of the core once it is decoded.
type repacked struct {
	from  *scene.Texture
	order order
	to    []*scene.TextureRef // of a material
}

// fillPacked gives m the maps that it has not from the core of the file.
func (l *loader) fillPacked(p *plan, m *scene.Material, src *packing, at string) error {
	surface := []*scene.TextureRef{&m.OcclusionTex, &m.MetalRough}
	for _, t := range []struct {
		info  *texInfo
		at    string
		order order
		to    []*scene.TextureRef
	}{
		{src.OcclusionRoughnessMetallic, "/occlusionRoughnessMetallicTexture", coreOrder, surface},
		{src.RoughnessMetallicOcclusion, "/roughnessMetallicOcclusionTexture", occlusionLast, surface},
		{src.Normal, "/normalTexture", normalsWithoutZ, []*scene.TextureRef{&m.NormalTex}},
	} {
		if t.info == nil {
			continue
		}
		ref, err := l.texture(p, t.info, at+t.at)
		if err != nil {
			return err
		}
		r := repacked{from: ref.Texture, order: t.order}
		for _, to := range t.to {
			if to.Texture == nil {
				*to = ref
				r.to = append(r.to, to)
			}
		}
		if r.from != nil && r.order != coreOrder && len(r.to) > 0 {
			p.repacked = append(p.repacked, r)
		}
	}
	return nil
}

// repack replaces textures by copies in the order of the core, one copy for all materials that show it.
func (l *loader) repack(all []repacked) error {
	type key struct {
		from  *scene.Texture
		order order
	}
	copies := map[key]*scene.Texture{}
	for _, r := range all {
		k := key{r.from, r.order}
		if copies[k] == nil {
			t := *r.from
			if im := t.Image; im != nil {
				if err := l.images.Take(int64(len(im.Pix))); err != nil {
					return err
				}
				t.Image = &image.NRGBA{Pix: bytes.Clone(im.Pix), Stride: im.Stride, Rect: im.Rect}
				for i := 0; i+3 < len(im.Pix); i += 4 {
					r.order.toCore(t.Image.Pix[i : i+3])
				}
			}
			copies[k] = &t
		}
		for _, to := range r.to {
			to.Texture = copies[k]
		}
	}
	return nil
}

// toCore reorders one pixel's R, G and B.
func (o order) toCore(p []byte) {
	switch o {
	case occlusionLast:
		p[0], p[1], p[2] = p[2], p[0], p[1]
	case normalsWithoutZ:
		x, y := float64(p[0])/127.5-1, float64(p[1])/127.5-1
		p[2] = byte(math.Round((math.Sqrt(max(0, 1-x*x-y*y)) + 1) * 127.5))
	}
}

package gltf

import (
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// layers are the material extensions beyond metallic-roughness, as the Khronos registry has them.
type layers struct {
	IOR *struct {
		IOR *float32 `json:"ior"`
	} `json:"KHR_materials_ior"`
	Dispersion *struct {
		Dispersion float32 `json:"dispersion"`
	} `json:"KHR_materials_dispersion"`
	Specular *struct {
		Factor   *float32    `json:"specularFactor"`
		Tex      *texInfo    `json:"specularTexture"`
		Color    *[3]float32 `json:"specularColorFactor"`
		ColorTex *texInfo    `json:"specularColorTexture"`
	} `json:"KHR_materials_specular"`
	Clearcoat *struct {
		Factor    float32  `json:"clearcoatFactor"`
		Tex       *texInfo `json:"clearcoatTexture"`
		Roughness float32  `json:"clearcoatRoughnessFactor"`
		RoughTex  *texInfo `json:"clearcoatRoughnessTexture"`
		NormalTex *texInfo `json:"clearcoatNormalTexture"`
	} `json:"KHR_materials_clearcoat"`
	Sheen *struct {
		Color     [3]float32 `json:"sheenColorFactor"`
		ColorTex  *texInfo   `json:"sheenColorTexture"`
		Roughness float32    `json:"sheenRoughnessFactor"`
		RoughTex  *texInfo   `json:"sheenRoughnessTexture"`
	} `json:"KHR_materials_sheen"`
	Transmission *struct {
		Factor float32  `json:"transmissionFactor"`
		Tex    *texInfo `json:"transmissionTexture"`
	} `json:"KHR_materials_transmission"`
	Volume *struct {
		Thickness           float32     `json:"thicknessFactor"`
		ThicknessTex        *texInfo    `json:"thicknessTexture"`
		AttenuationDistance float32     `json:"attenuationDistance"`
		AttenuationColor    *[3]float32 `json:"attenuationColor"`
	} `json:"KHR_materials_volume"`
	Iridescence *struct {
		Factor       float32  `json:"iridescenceFactor"`
		Tex          *texInfo `json:"iridescenceTexture"`
		IOR          *float32 `json:"iridescenceIor"`
		ThicknessMin *float32 `json:"iridescenceThicknessMinimum"`
		ThicknessMax *float32 `json:"iridescenceThicknessMaximum"`
		ThicknessTex *texInfo `json:"iridescenceThicknessTexture"`
	} `json:"KHR_materials_iridescence"`
	Anisotropy *struct {
		Strength float32  `json:"anisotropyStrength"`
		Rotation float32  `json:"anisotropyRotation"`
		Tex      *texInfo `json:"anisotropyTexture"`
	} `json:"KHR_materials_anisotropy"`
}

// fillLayers sets m.Layers where src has any; at is the JSON pointer of its extensions.
func (l *loader) fillLayers(p *plan, m *scene.Material, src *layers, at string) error {
	if *src == (layers{}) {
		return nil
	}
	out := scene.DefaultLayers()
	type reference struct {
		info *texInfo
		to   *scene.TextureRef
		at   string
	}
	var refs []reference
	if x := src.IOR; x != nil {
		set(&out.IOR, x.IOR)
		if !(out.IOR >= 1) && out.IOR != 0 {
			return fail(at+"/KHR_materials_ior/ior", "%g is neither 0 nor at least 1", out.IOR)
		}
	}
	if x := src.Dispersion; x != nil {
		out.Dispersion = max(0, x.Dispersion)
	}
	if x := src.Specular; x != nil {
		set(&out.Specular, x.Factor)
		out.Specular = unit(out.Specular)
		if x.Color != nil {
			out.SpecularColor = nonNegative(*x.Color)
		}
		refs = append(refs, reference{x.Tex, &out.SpecularTex, "/KHR_materials_specular/specularTexture"},
			reference{x.ColorTex, &out.SpecularColorTex, "/KHR_materials_specular/specularColorTexture"})
	}
	if x := src.Clearcoat; x != nil {
		out.Clearcoat, out.ClearcoatRoughness = unit(x.Factor), unit(x.Roughness)
		refs = append(refs, reference{x.Tex, &out.ClearcoatTex, "/KHR_materials_clearcoat/clearcoatTexture"},
			reference{x.RoughTex, &out.ClearcoatRoughTex, "/KHR_materials_clearcoat/clearcoatRoughnessTexture"},
			reference{x.NormalTex, &out.ClearcoatNormalTex, "/KHR_materials_clearcoat/clearcoatNormalTexture"})
	}
	if x := src.Sheen; x != nil {
		out.SheenColor, out.SheenRoughness = nonNegative(x.Color), unit(x.Roughness)
		refs = append(refs, reference{x.ColorTex, &out.SheenColorTex, "/KHR_materials_sheen/sheenColorTexture"},
			reference{x.RoughTex, &out.SheenRoughTex, "/KHR_materials_sheen/sheenRoughnessTexture"})
	}
	if x := src.Transmission; x != nil {
		out.Transmission = unit(x.Factor)
		refs = append(refs, reference{x.Tex, &out.TransmissionTex, "/KHR_materials_transmission/transmissionTexture"})
	}
	if x := src.Volume; x != nil {
		out.Thickness, out.AttenuationDistance = max(0, x.Thickness), max(0, x.AttenuationDistance)
		if x.AttenuationColor != nil {
			out.AttenuationColor = nonNegative(*x.AttenuationColor)
		}
		refs = append(refs, reference{x.ThicknessTex, &out.ThicknessTex, "/KHR_materials_volume/thicknessTexture"})
	}
	if x := src.Iridescence; x != nil {
		out.Iridescence = unit(x.Factor)
		set(&out.IridescenceIOR, x.IOR)
		set(&out.IridescenceThicknessMin, x.ThicknessMin)
		set(&out.IridescenceThicknessMax, x.ThicknessMax)
		refs = append(refs, reference{x.Tex, &out.IridescenceTex, "/KHR_materials_iridescence/iridescenceTexture"},
			reference{x.ThicknessTex, &out.IridescenceThicknessTex, "/KHR_materials_iridescence/iridescenceThicknessTexture"})
	}
	if x := src.Anisotropy; x != nil {
		out.Anisotropy, out.AnisotropyRotation = max(-1, min(1, x.Strength)), x.Rotation
		refs = append(refs, reference{x.Tex, &out.AnisotropyTex, "/KHR_materials_anisotropy/anisotropyTexture"})
	}
	for _, r := range refs {
		if r.info == nil {
			continue
		}
		var err error
		if *r.to, err = l.texture(p, r.info, at+r.at); err != nil {
			return err
		}
	}
	m.Layers = out
	return nil
}

// unit clamps a factor to 0..1.
func unit(x float32) float32 { return max(0, min(1, x)) }

// nonNegative makes a colour finite and not negative.
func nonNegative(c [3]float32) geom.Vec3 {
	for i, x := range c {
		if !importer.Finite(x) {
			x = 0
		}
		c[i] = max(0, x)
	}
	return c
}

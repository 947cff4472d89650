package gltf

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// material converts material i once; nil is the default material (glTF 2.0 section 3.9).
func (l *loader) material(p *plan, i *integer, at string) (*scene.Material, error) {
	index := integer(-1)
	if i != nil {
		index = *i
		if index < 0 || index >= integer(len(l.doc.Materials)) {
			return nil, fail(at+"/material", "there is no material %d", index)
		}
	}
	if m := p.materialOf[index]; m != nil {
		return m, nil
	}
	m := scene.DefaultMaterial()
	if index >= 0 {
		if err := l.fill(p, m, &l.doc.Materials[index], fmt.Sprintf("/materials/%d", index)); err != nil {
			return nil, err
		}
	}
	p.materialOf[index] = m
	p.materials = append(p.materials, m)
	return m, nil
}

func (l *loader) fill(p *plan, m *scene.Material, src *material, at string) error {
	m.Name, p.filling = src.Name, src.Name
	m.DoubleSided = src.DoubleSided
	pbr, ext := &src.PBR, &src.Extensions
	baseColorTex := pbr.BaseColorTex
	if f := pbr.BaseColorFactor; f != nil {
		m.BaseColor = geom.Vec4(*f)
	}
	set(&m.Metallic, pbr.MetallicFactor)
	set(&m.Roughness, pbr.RoughnessFactor)
	if sg := ext.SpecularGlossiness; sg != nil && baseColorTex == nil && pbr.BaseColorFactor == nil && pbr.MetalRoughTex == nil {
		if err := l.fillGlossy(p, m, sg, at+"/extensions/KHR_materials_pbrSpecularGlossiness"); err != nil {
			return err
		}
	}
	m.Emissive = geom.Vec3(src.EmissiveFactor)
	if s := ext.EmissiveStrength; s != nil && s.Strength != nil {
		m.Emissive = m.Emissive.Mul(max(0, *s.Strength))
	}
	m.Unlit = ext.Unlit != nil
	set(&m.AlphaCutoff, src.AlphaCutoff)
	switch src.AlphaMode {
	case "", "OPAQUE":
	case "MASK":
		m.Alpha = scene.AlphaMask
	case "BLEND":
		m.Alpha = scene.AlphaBlend
	default:
		return fail(at+"/alphaMode", "%q is not an alpha mode", src.AlphaMode)
	}
	for _, f := range []*float32{&m.BaseColor[0], &m.BaseColor[1], &m.BaseColor[2], &m.BaseColor[3], &m.Metallic, &m.Roughness} {
		*f = max(0, min(1, *f))
	}
	for _, t := range []struct {
		info *texInfo
		to   *scene.TextureRef
		at   string
	}{
		{baseColorTex, &m.BaseColorTex, "/pbrMetallicRoughness/baseColorTexture"},
		{pbr.MetalRoughTex, &m.MetalRough, "/pbrMetallicRoughness/metallicRoughnessTexture"},
		{src.NormalTex, &m.NormalTex, "/normalTexture"},
		{src.OcclusionTex, &m.OcclusionTex, "/occlusionTexture"},
		{src.EmissiveTex, &m.EmissiveTex, "/emissiveTexture"},
	} {
		if t.info == nil {
			continue
		}
		ref, err := l.texture(p, t.info, at+t.at)
		if err != nil {
			return err
		}
		*t.to = ref
	}
	if x := ext.Packing; x != nil {
		if err := l.fillPacked(p, m, x, at+"/extensions/MSFT_packing_occlusionRoughnessMetallic"); err != nil {
			return err
		}
	}
	if t := src.NormalTex; t != nil {
		set(&m.NormalScale, t.Scale)
	}
	if t := src.OcclusionTex; t != nil {
		set(&m.Occlusion, t.Strength)
	}
	return l.fillLayers(p, m, &ext.layers, at+"/extensions")
}

func set(to, from *float32) {
	if from != nil {
		*to = *from
	}
}

// texture resolves a reference to a texture. One whose image is missing or of an unknown format is left out.
func (l *loader) texture(p *plan, info *texInfo, at string) (scene.TextureRef, error) {
	none := scene.TextureRef{}
	if info.Index == nil || *info.Index < 0 || *info.Index >= integer(len(l.doc.Textures)) {
		return none, fail(at+"/index", "there is no such texture")
	}
	set, matrix := info.TexCoord, [6]float32{1, 0, 0, 0, 1, 0}
	if x := info.Extensions.Transform; x != nil {
		if x.TexCoord != nil {
			set = *x.TexCoord
		}
		scale := [2]float32{1, 1}
		if x.Scale != nil {
			scale = *x.Scale
		}
		// Counter-clockwise on screen; V points down (KHR_texture_transform, and what its sample images show).
		sn, cs := math.Sincos(float64(x.Rotation))
		s, c := float32(sn), float32(cs)
		matrix = [6]float32{c * scale[0], s * scale[1], x.Offset[0], -s * scale[0], c * scale[1], x.Offset[1]}
	}
	if set < 0 || set > 1 {
		l.warn("Textures on UV set %d are left out; only sets 0 and 1 are kept.", set)
		return none, nil
	}
	t, err := l.textureObject(p, *info.Index)
	if file, ok := p.missingOf[*info.Index]; ok {
		if gone := (scene.MissingTexture{Texture: file, Material: p.filling}); !slices.Contains(p.missing, gone) {
			p.missing = append(p.missing, gone)
		}
	}
	if err != nil || t == nil {
		return none, err
	}
	return scene.TextureRef{Texture: t, UV: int(set), Matrix: matrix}, nil
}

// textureObject returns texture i, whose image is decoded later; nil where there is none to decode.
func (l *loader) textureObject(p *plan, i integer) (*scene.Texture, error) {
	if t, ok := p.textureOf[i]; ok {
		return t, nil
	}
	src, at := &l.doc.Textures[i], fmt.Sprintf("/textures/%d", i)
	source := src.Source
	if w := src.Extensions.WebP.Source; w != nil {
		source = w
	}
	if source == nil { // any other image is as good, or better: what Basis saves is memory of a GPU
		source = src.Extensions.Basis.Source
	}
	p.textureOf[i] = nil
	if source == nil {
		l.warn("Texture %d has no image in a known format and is left out.", i)
		return nil, nil
	}
	if *source < 0 || *source >= integer(len(l.doc.Images)) {
		return nil, fail(at+"/source", "there is no image %d", *source)
	}
	t := &scene.Texture{Name: src.Name}
	if t.Name == "" {
		t.Name = l.doc.Images[*source].Name
	}
	if src.Sampler != nil {
		if *src.Sampler < 0 || *src.Sampler >= integer(len(l.doc.Samplers)) {
			return nil, fail(at+"/sampler", "there is no sampler %d", *src.Sampler)
		}
		const nearest = 9728
		s := &l.doc.Samplers[*src.Sampler]
		t.Nearest = s.MagFilter == nearest
		t.WrapU, t.WrapV = wrap(s.WrapS), wrap(s.WrapT)
	}
	im, err := l.planImage(p, *source)
	if errors.Is(err, importer.ErrNoFile) { // no failure: the surface shows its plain colour
		file := *l.doc.Images[*source].URI
		l.warn("Missing texture: %.200q is not beside the model.", file)
		p.missingOf[i] = file
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	im.textures = append(im.textures, t)
	p.textureOf[i] = t
	return t, nil
}

func wrap(mode *integer) scene.Wrap {
	const clampToEdge, mirroredRepeat = 33071, 33648
	switch {
	case mode == nil:
	case *mode == clampToEdge:
		return scene.WrapClamp
	case *mode == mirroredRepeat:
		return scene.WrapMirror
	}
	return scene.WrapRepeat
}

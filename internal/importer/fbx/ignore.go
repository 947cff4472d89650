package fbx

import "slices"

// ignore removes the textures of a material that are to be left out, so that others take their places: a bump map that of a
// normal map, the alpha of a colour that of an opacity map (ARR, "Override materials").
func (l *loader) ignore(material string, textures map[string]*object) {
	if l.opts.Ignore == nil {
		return
	}
	for property := range textures {
		if slices.ContainsFunc(arrMaps(property), func(name string) bool { return l.opts.Ignore(material, name) }) {
			delete(textures, property)
		}
	}
}

// arrMaps are ARR's names of the texture that drives a property.
func arrMaps(property string) []string {
	switch property {
	case "DiffuseColor", "Diffuse":
		return []string{"DiffuseMap", "AlbedoMap"}
	case "SpecularColor", "SpecularFactor":
		return []string{"SpecularMap"}
	case "Shininess", "ShininessExponent":
		return []string{"ShininessMap"}
	case "EmissiveColor":
		return []string{"EmissiveMap"}
	case "AmbientColor":
		return []string{"OcclusionMap"}
	case "NormalMap":
		return []string{"NormalMap"}
	case "Bump", "BumpFactor":
		return []string{"BumpMap"}
	case "TransparentColor", "TransparencyFactor", "Opacity":
		return []string{"OpacityMap"}
	case "ReflectionColor", "ReflectionFactor":
		return []string{"ReflectivityMap"}
	}
	name, ok := plainName(property)
	if !ok {
		return nil
	}
	switch parameter(slices.IndexFunc(parameterNames[:], func(names []string) bool { return slices.Contains(names, name) })) {
	case baseColor, baseWeight:
		return []string{"AlbedoMap", "DiffuseMap"}
	case metalness:
		return []string{"MetalnessMap", "MetallicRoughnessMap"}
	case roughness, glossiness:
		return []string{"RoughnessMap", "MetallicRoughnessMap"}
	case opacity, transparency:
		return []string{"OpacityMap"}
	case emissionColor, emissionWeight:
		return []string{"EmissiveMap"}
	case normalMap:
		return []string{"NormalMap"}
	case bumpMap:
		return []string{"BumpMap"}
	case occlusion:
		return []string{"OcclusionMap"}
	case specularWeight, specularColor:
		return []string{"SpecularMap"}
	}
	return nil
}

package fbx

import (
	"math"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// FBX lights shine along their model's -Y, those of a scene along their node's -Z.
var down = euler(vec3{-90, 0, 0}, 0)

// light gives a model its light, on a node below it where it has a direction. FBX gives intensity in percent of what makes a
// white surface white; a lux of pi does that to a diffuse one, and a light that does not decay is taken as if one metre away.
func (l *loader) light(m *placed) {
	var p properties
	switch {
	case l.version >= ids:
		found := false
		for a := range m.children("NodeAttribute") {
			if a.kind == "Light" {
				p, found = properties{l.properties(a).own, l.templates["NodeAttribute FbxLight"]}, true
			}
		}
		if !found {
			return
		}
	case m.kind == "Light":
		p = l.properties(m.object)
	default:
		return
	}
	if !p.bool("CastLight", true) {
		return
	}
	percent := p.number("Intensity", 100)
	light := &scene.Light{
		Color:     importer.LinearRGB(p.vector("Color", vec3{1, 1, 1}).geom()),
		Intensity: float32(max(0, min(percent/100, 1e6)) * math.Pi),
	}
	const point, directional, spot, quadratic = 0, 1, 2, 2
	kind := p.int("LightType", point)
	if p.int("DecayType", 0) == quadratic && kind != directional { // by the distance in the units of the file
		light.Intensity *= float32(l.unit * l.unit)
	}
	switch kind {
	case point:
		light.Kind = scene.LightPoint
		l.model.Nodes[m.node].Light = light
		return
	case directional:
		light.Kind = scene.LightDirectional
	case spot:
		light.Kind = scene.LightSpot
		outer := p.number("OuterAngle", p.number("Cone angle", 45)) * math.Pi / 360
		inner := p.number("InnerAngle", 0) * math.Pi / 360
		light.OuterCone = float32(max(1e-3, min(outer, math.Pi/2)))
		light.InnerCone = float32(max(0, min(inner, float64(light.OuterCone)-1e-3)))
	default: // areas and volumes
		l.warnings.Add("Area and volume lights are left out.")
		return
	}
	n := importer.Node(m.name, m.node, -1)
	n.Local, n.Light = down.geom(), light
	l.model.Nodes = append(l.model.Nodes, n)
}

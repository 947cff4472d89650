package converter

import (
	"slices"

	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// applied is what settings and overrides did to a model.
type applied struct {
	offset     geom.Vec3 // that recentering took away
	overridden int       // materials
	notes      []child.Note
}

// apply changes a model as the settings and the overrides say. The order is ARR's where that is documented: materials are
// deduplicated after overrides.
func apply(m *scene.Model, s settings.Settings, o *overrider, ext string) applied {
	var a applied
	points := isCloud(m)
	gamma(m, s, ext, points)
	if !points { // of points no more than their place and colour is changed (ARR, "Configure the model conversion")
		sides(m, s.SingleSided)
		if s.Unlit {
			for _, mat := range materials(m) {
				mat.Unlit = true
			}
		}
		a.overridden = o.apply(m)
		if s.Deduplicate {
			deduplicate(m)
		}
		a.notes = limitMaterials(m, maxMaterials)
		streams(m, s.Vertex)
	}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		n.Metadata = slices.DeleteFunc(n.Metadata, func(d scene.Metadata) bool { return !s.KeepsMetadata(d.Key) })
	}
	if s.Scaling != 1 || !s.Axis.Identity() {
		newBasis(s).apply(m)
	}
	switch {
	case points:
	case s.SceneGraphMode == settings.None:
		a.notes = append(a.notes, collapse(m)...)
	default:
		m.Static = s.SceneGraphMode == settings.Static
	}
	for _, mesh := range m.Meshes {
		mesh.Measure()
	}
	m.Measure()
	if s.RecenterToOrigin {
		a.offset = recenter(m)
	}
	return a
}

// isCloud reports whether the model is points and nothing else.
func isCloud(m *scene.Model) bool {
	cloud := false
	mixed := false
	primitives(m, func(p *scene.Primitive) {
		cloud = cloud || p.IsPoints
		mixed = mixed || !p.IsPoints
	})
	return cloud && !mixed
}

// streams drops what vertices are not to have. Without normals there are no tangents.
func streams(m *scene.Model, v settings.Vertex) {
	primitives(m, func(p *scene.Primitive) {
		if v.NoColor {
			p.Colors = nil
		}
		if v.NoNormal {
			p.Normals = nil
		}
		if v.NoNormal || v.NoTangent {
			p.Tangents = nil
		}
		if v.NoTexture0 {
			p.UV0 = nil
		}
		if v.NoTexture1 {
			p.UV1 = nil
		}
		for i := range p.Targets {
			if v.NoNormal {
				p.Targets[i].Normals = nil
			}
			if v.NoNormal || v.NoTangent {
				p.Targets[i].Tangents = nil
			}
		}
	})
}

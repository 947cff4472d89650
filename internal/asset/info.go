package asset

import (
	"fmt"

	"github.com/heliograph/heliograph/internal/bcn"
	"github.com/heliograph/heliograph/internal/geom"
)

// Info describes the asset.
func (f *File) Info() Info {
	m := f.model
	i := Info{
		Name: m.Name, Version: fmt.Sprintf("%d.%d", versionMajor, versionMinor), Bytes: f.h.size,
		ConversionHash: fmt.Sprintf("%x", f.h.hash), Generator: f.info.Generator, Source: m.Source, Bounds: m.Bounds, Levels: f.levels,
		Warnings: m.Warnings, Settings: f.info.Settings, MissingTextures: m.MissingTextures, Sections: []SectionInfo{}, Textures: []TextureInfo{},
	}
	c := &i.Counts
	*c = Counts{
		Nodes: len(m.Nodes), Meshes: len(m.Meshes), Geometries: len(f.geometries), Materials: len(m.Materials), Textures: len(f.textures),
		Skins: len(m.Skins), Animations: len(m.Animations), Variants: len(m.Variants), Triangles: m.Triangles, Points: m.Points,
		CollisionMeshes: len(f.collisions),
	}
	for _, ms := range m.Meshes {
		c.Primitives += len(ms.Primitives)
	}
	for _, n := range m.Nodes {
		c.MetadataEntries += len(n.Metadata)
		if n.Mesh >= 0 {
			c.MeshInstances++
		}
	}
	for k := range f.geometries {
		g := &f.geometries[k]
		if g.paged == nil {
			c.Deforming++
			c.StoredTriangles += g.plain.Triangles()
			c.StoredPoints += g.plain.NumPoints()
			continue
		}
		c.StoredTriangles += g.paged.FullTriangles
		c.StoredPoints += g.paged.FullPoints
		c.Clusters += len(g.paged.Clusters)
		c.Groups += len(g.paged.Groups)
	}
	i.Pages.Count = len(f.places)
	for _, p := range f.places {
		c.AllTriangles += int64(p.corners)
		i.Pages.RawBytes += int64(p.raw)
		i.Pages.Bytes += int64(p.stored)
		if p.level == rootLevel {
			i.Pages.Roots++
			i.Pages.RootBytes += int64(p.stored)
		}
	}
	for _, s := range f.h.sections {
		i.Sections = append(i.Sections, SectionInfo{s.id.String(), s.offset, s.length})
	}
	for k, e := range f.entries {
		t := TextureInfo{Name: f.textures[k].Name, Format: "RGBA8", Width: e.width, Height: e.height, Levels: len(e.levels)}
		if e.format != formatRGBA8 {
			t.Format = fmt.Sprintf("BC%d", e.format)
		}
		for l := range e.levels {
			w, h := bcn.LevelSize(e.width, e.height, l)
			t.Bytes += int64(levelBytes(e.format, w, h))
		}
		i.Textures = append(i.Textures, t)
	}
	if m.Bounds.IsEmpty() || !finite(m.Bounds.Min[:]...) || !finite(m.Bounds.Max[:]...) {
		i.Bounds = geom.AABB{} // JSON has no other numbers
	}
	return i
}

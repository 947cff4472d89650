package mesh

import (
	"context"
	"fmt"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// residentPage is about how many vertices a page of Resident has, as many as fill a page of an asset.
const residentPage = 4096

// Resident builds p's hierarchy and keeps all of it in memory, with a PageSource of its own: for tests and small things.
func Resident(ctx context.Context, p *scene.Primitive, o HierarchyOptions) (*Paged, error) {
	src := &resident{}
	out := &Paged{Bounds: geom.Empty(), Source: src}
	build := BuildHierarchy
	if p.IsPoints {
		build = BuildPoints
	}
	err := build(ctx, p, o, func(g Group, m *Mesh, makers []int32) error {
		if n := len(src.pages); n == 0 || src.pages[n-1].NumVertices() >= residentPage {
			src.pages = append(src.pages, &Mesh{})
		}
		page := src.pages[len(src.pages)-1]
		g.FirstCluster, g.Page = uint32(len(out.Clusters)), uint32(len(src.pages)-1)
		for i, c := range m.Clusters {
			if makers[i] < 0 {
				out.FullTriangles += int64(c.Triangles)
				if p.IsPoints {
					out.FullPoints += int64(c.Vertices)
				}
				out.Bounds = out.Bounds.Union(geom.AABB{Min: c.Center.Sub(c.Half), Max: c.Center.Add(c.Half)})
			}
			c.FirstVertex += uint32(page.NumVertices())
			c.FirstTriangle += uint32(len(page.Triangles))
			out.Clusters = append(out.Clusters, c)
		}
		out.Makers = append(out.Makers, makers...)
		out.Groups = append(out.Groups, g)
		out.HasNormals, out.HasTangents, out.HasColors = m.HasNormals, m.HasTangents, m.HasColors
		out.HasUV0, out.HasUV1 = m.HasUV0, m.UV1 != nil
		page.Positions = append(page.Positions, m.Positions...)
		page.Surface = append(page.Surface, m.Surface...)
		page.Detail = append(page.Detail, m.Detail...)
		page.UV1 = append(page.UV1, m.UV1...)
		page.Triangles = append(page.Triangles, m.Triangles...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Nodes = BuildNodes(out.Groups)
	needs := PageNeeds(out, len(src.pages))
	for i, m := range src.pages {
		src.infos = append(src.infos, PageInfo{
			Vertices: uint32(m.NumVertices()), Triangles: uint32(len(m.Triangles)), Detail: m.Detail != nil, UV1: m.UV1 != nil,
			Bytes: uint32(4 * (len(m.Positions) + len(m.Surface) + len(m.Detail) + len(m.UV1) + len(m.Triangles))), Needs: needs[i],
		})
	}
	return out, nil
}

// PageNeeds returns PageInfo.Needs of each of n pages, from p's Clusters, Makers and Groups. Pages that are filled with
// groups in their order never need each other in a circle, because a group's outputs are members of later groups.
func PageNeeds(p *Paged, n int) [][]uint32 {
	needs := make([][]uint32, n)
	for _, g := range p.Groups {
		for _, maker := range p.Makers[g.FirstCluster : g.FirstCluster+g.Clusters] {
			if maker < 0 {
				continue
			}
			if made := p.Groups[maker].Page; made != g.Page {
				needs[made] = append(needs[made], g.Page)
			}
		}
	}
	for i := range needs {
		slices.Sort(needs[i])
		needs[i] = slices.Compact(needs[i])
	}
	return needs
}

// resident is the PageSource of Resident.
type resident struct {
	pages []*Mesh
	infos []PageInfo
}

func (r *resident) Pages() []PageInfo { return r.infos }

func (r *resident) ReadPage(_ context.Context, i int, dst Page) error {
	if i < 0 || i >= len(r.pages) {
		return fmt.Errorf("page %d of %d", i, len(r.pages))
	}
	m := r.pages[i]
	copy(dst.Positions, m.Positions)
	copy(dst.Surface, m.Surface)
	copy(dst.Detail, m.Detail)
	copy(dst.UV1, m.UV1)
	copy(dst.Triangles, m.Triangles)
	return nil
}

package mesh

import (
	"context"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// groupClusters is about how many clusters are merged and simplified together: 8 leaves fewer triangles in a cut than 16
// or 32 do, at the same cost (feasibility notes, section 2.3).
const groupClusters = 8

// HierarchyOptions say how to build a hierarchy. None of them changes the result.
type HierarchyOptions struct {
	Threads  int                // 0 = GOMAXPROCS
	Progress func(done float64) // 0..1, never falling, from one goroutine at a time; nil = not wanted
}

// BuildHierarchy makes the cluster hierarchy of a triangle primitive and hands each group to sink, finest level first; group i is
// the i-th call. members holds the group's clusters laid out as Mesh (arrays start at 0). makers[k] is the index of the group that made
// members.Clusters[k], -1 = full detail. Calls of sink do not overlap; it may keep its arguments. g.Page is for the caller to set.
//
// Equal input gives equal calls, whatever the options are. Triangles without a finite position or with two equal corners are
// dropped, as by Build. It fails when ctx ends, or with sink's error.
func BuildHierarchy(ctx context.Context, p *scene.Primitive, o HierarchyOptions,
	sink func(g Group, members *Mesh, makers []int32) error) error {
	whole := Build(p)
	first := uint32(0)
	for at := 0; at < len(whole.Clusters); at += groupClusters {
		if err := ctx.Err(); err != nil {
			return err
		}
		members := whole.part(at, min(at+groupClusters, len(whole.Clusters)))
		makers := make([]int32, len(members.Clusters))
		for i := range makers {
			makers[i] = -1
		}
		g := Group{Error: float32(math.Inf(1)), FirstCluster: first, Clusters: uint32(len(makers))}
		g.Center = members.Bounds.Center()
		for _, c := range members.Clusters {
			g.Radius = max(g.Radius, reach(g.Center, c.Center, c.Radius))
		}
		first += g.Clusters
		if err := sink(g, members, makers); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(float64(first) / float64(len(whole.Clusters)))
		}
	}
	return nil
}

// part copies clusters lo to hi, without hi.
func (m *Mesh) part(lo, hi int) *Mesh {
	out := &Mesh{Bounds: geom.Empty(), HasNormals: m.HasNormals, HasTangents: m.HasTangents, HasColors: m.HasColors, HasUV0: m.HasUV0}
	v, t := m.Clusters[lo].FirstVertex, m.Clusters[lo].FirstTriangle
	vEnd, tEnd := uint32(m.NumVertices()), uint32(len(m.Triangles))
	if hi < len(m.Clusters) {
		vEnd, tEnd = m.Clusters[hi].FirstVertex, m.Clusters[hi].FirstTriangle
	}
	for _, c := range m.Clusters[lo:hi] {
		c.FirstVertex -= v
		c.FirstTriangle -= t
		out.Clusters = append(out.Clusters, c)
		out.Bounds = out.Bounds.Union(geom.AABB{Min: c.Center.Sub(c.Half), Max: c.Center.Add(c.Half)})
	}
	out.Positions = append(out.Positions, m.Positions[3*v:3*vEnd]...)
	out.Surface = append(out.Surface, m.Surface[4*v:4*vEnd]...)
	if m.Detail != nil {
		out.Detail = append(out.Detail, m.Detail[4*v:4*vEnd]...)
	}
	if m.UV1 != nil {
		out.UV1 = append(out.UV1, m.UV1[2*v:2*vEnd]...)
	}
	out.Triangles = append(out.Triangles, m.Triangles[t:tEnd]...)
	return out
}

package mesh

import (
	"context"

	"github.com/heliograph/heliograph/internal/geom"
)

// Paged is one primitive as a hierarchy of clusters of ever coarser levels (Karis, Stubbe and Wihlidal, "Nanite, a Deep
// Dive", SIGGRAPH 2021). The tables are in memory; vertices and triangles are read page by page from Source.
//
// Neighbouring clusters form a Group. A group was merged, simplified with its border locked, and split again: the clusters
// which that made are the group's output, each has the group as its Maker, and each is in turn a member of a coarser group.
// A cluster of full detail has no maker; a cluster that nothing replaces is a member of a group with the Error infinity.
//
// Which clusters to draw: call a group refined if its Error, seen from the camera at the nearest point of its sphere, is
// above the tolerance in pixels, and its page is usable. A cluster is drawn if its own group is refined and its maker is
// not. A group's sphere holds the spheres of all groups that made its members, and its Error is at least theirs, so the
// rule cuts every path of the hierarchy once; members of one group share their border with others only where the border
// was locked, so a cut has no cracks. A page is usable once it is in memory and every page that holds a group with an output
// of one of its groups among its members is usable (Page.Needs).
//
// A cloud of points has the same tables: a cluster is a set of points, and the clusters of a finer level are drawn in
// addition to those of the coarser ones, so a cluster is drawn if its group is refined, whatever its maker is; Error is the
// mean distance of the points of the levels above.
type Paged struct {
	Clusters []Cluster // members of Groups[0], then those of Groups[1], ...; FirstVertex and FirstTriangle count from the page's start
	Makers   []int32   // of each cluster the index of the group that made it, -1 = full detail
	Groups   []Group
	Nodes    []Node // hierarchy over Groups; Nodes[0] is the root; empty if Groups is

	Bounds                                     geom.AABB // object space, of full detail
	FullTriangles                              int64     // at full detail
	FullPoints                                 int64
	HasNormals, HasTangents, HasColors, HasUV0 bool
	HasUV1                                     bool

	Source PageSource // shared by all primitives of an asset
}

// Triangles implements scene.Paged.
func (p *Paged) Triangles() int64 { return p.FullTriangles }

// Points implements scene.Paged.
func (p *Paged) Points() int64 { return p.FullPoints }

// Box implements scene.Paged.
func (p *Paged) Box() geom.AABB { return p.Bounds }

// Group is a set of clusters that are replaced together.
type Group struct {
	Center       geom.Vec3 // of the sphere, object space
	Radius       float32
	Error        float32 // greatest distance, in object space, of what replaces the group from full detail; +Inf = nothing does
	FirstCluster uint32  // of its members, in Paged.Clusters
	Clusters     uint32
	Page         uint32 // of Source; a group never spans two
}

// Node is a node of a bounding volume hierarchy over groups. A subtree in which no group can be refined is left out.
type Node struct {
	Center geom.Vec3 // of a sphere around the spheres of all groups below
	Radius float32
	Error  float32 // the greatest of all groups below
	First  uint32  // leaf: of its groups in Paged.Groups; inner node: of its children in Paged.Nodes, after the node itself
	Count  uint32
	Leaf   bool
}

// PageInfo says what a page needs before it is read.
type PageInfo struct {
	Vertices  uint32 // with the padding of Lane
	Triangles uint32 // 0 = points
	Detail    bool   // its vertices have the words of Mesh.Detail
	UV1       bool
	Bytes     uint32   // stored
	Needs     []uint32 // pages that must be usable before this one is
}

// Page is what a page holds, laid out as in Mesh. Points have no Triangles; their colour is in Detail.
type Page struct {
	Positions []float32
	Surface   []uint32
	Detail    []uint32
	UV1       []float32
	Triangles []uint32
}

// PageSource reads pages. It is safe for concurrent use.
type PageSource interface {
	// Pages is the table of all pages; it must not be changed.
	Pages() []PageInfo
	// ReadPage reads page i into dst, whose slices the caller made: each as long as PageInfo says, or nil for what the caller
	// does not want. It fails on damaged data, and when ctx ends.
	ReadPage(ctx context.Context, i int, dst Page) error
}

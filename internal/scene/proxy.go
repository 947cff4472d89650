package scene

import (
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
)

// Proxy is one mesh that stands for many nodes of a model where they are small to the viewer. It is nothing of the model that
// an importer or an asset has: whoever loads a model for drawing may have it made (mesh.Proxies).
type Proxy struct {
	Nodes  []int     // with a mesh each; none is in two proxies
	Mesh   *Mesh     // in model space
	Bounds geom.AABB // of the nodes at full detail, model space
	Error  float32   // greatest distance of Mesh from full detail, model space
	Part   float32   // no node is larger than a sphere of this radius, model space
}

// PlacedProxy is a proxy in a snapshot: all of its nodes are visible, and where the model has them.
type PlacedProxy struct {
	*Proxy
	World     geom.Mat4 // model to world
	Instances []int32   // of its nodes, in Snapshot.Instances
}

// findProxies sets the entities that proxies stand for. entity is that of each node, 0 for those that no root reaches.
func (p *placed) findProxies(entity []int32) {
	for i := range p.model.Proxies {
		var parts []int32
		for _, n := range p.model.Proxies[i].Nodes {
			parts = append(parts, entity[n])
		}
		p.parts = append(p.parts, parts)
	}
}

// placeProxies lists the proxies that are good after the edits so far; all else is up to date.
func (p *placed) placeProxies() {
	if len(p.parts) == 0 {
		return
	}
	asLoaded := make([]bool, len(p.node))
	asLoaded[0] = p.enabled[0]
	for i := 1; i < len(p.node); i++ {
		asLoaded[i] = asLoaded[p.parent[i]] && p.enabled[i] && p.local[i] == p.model.Nodes[p.node[i]].Local
	}
	p.proxies = nil // readers hold the old ones
	for i, parts := range p.parts {
		if slices.ContainsFunc(parts, func(e int32) bool { return !asLoaded[e] || p.slot[e] < 0 }) {
			continue
		}
		placed := PlacedProxy{Proxy: &p.model.Proxies[i], World: p.world[0], Instances: make([]int32, len(parts))}
		for k, e := range parts {
			placed.Instances[k] = p.slot[e]
		}
		p.proxies = append(p.proxies, placed)
	}
}

// offset returns the proxies with their instances counted from base.
func offset(proxies []PlacedProxy, base int) []PlacedProxy {
	out := slices.Clone(proxies)
	for i := range out {
		out[i].Instances = slices.Clone(out[i].Instances)
		for k := range out[i].Instances {
			out[i].Instances[k] += int32(base)
		}
	}
	return out
}

package cpu

import (
	"fmt"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// addProxies adds the draws of proxies whose error is within the tolerance, and marks the instances that they stand for in
// t.replaced; also those of proxies that show nothing. A picture of full detail has no proxies.
func (t *Target) addProxies(s *scene.Snapshot) error {
	f := &t.frame
	t.standIn = false
	t.replaced = slices.Grow(t.replaced[:0], len(s.Instances))[:len(s.Instances)]
	clear(t.replaced)
	for i := range s.Proxies {
		p := &s.Proxies[i]
		c := t.e.lookup(p.Mesh)
		if c == nil {
			return fmt.Errorf("cpu: mesh %q was not prepared", p.Mesh.Name)
		}
		history, n := t.place(c), len(f.draws)
		if f.tolerance == 0 {
			continue
		}
		f.addInstance(&scene.Instance{World: p.World}, c.prims, history)
		if n == len(f.draws) {
			continue
		}
		d := &f.draws[n]
		around := d.sphere(p.Bounds.Center(), p.Bounds.Size().Len()/2*(1+1e-5))
		switch {
		case f.outside(&around) || f.tolerance == tolerances[0] && f.hardlyShows(p.Part*d.lod.scale, &around):
			f.draws = f.draws[:n]
		case f.exceeds(d, &around, p.Error, f.tolerance):
			f.draws = f.draws[:n]
			continue
		default:
			t.standIn = true
			for k := range f.draws[n:] {
				f.draws[n+k].proxy = p
			}
		}
		for _, in := range p.Instances {
			t.replaced[in] = true
		}
	}
	return nil
}

// hardlyShows reports that something of radius r is not drawn while the view moves, wherever in s it is.
func (f *frame) hardlyShows(r float32, s *sphere) bool { return r*f.focal < leastPart*f.distance(s) }

// partOf is the entity of the part of d's proxy that is nearest, in radii, to a point of the world.
func (t *Target) partOf(d *draw, at geom.Vec3) (nearest scene.EntityID) {
	least := float32(0)
	for _, i := range d.proxy.Instances {
		in := &t.scene.Instances[i]
		box := in.Mesh.Bounds.Transform(in.World)
		distance := box.Center().Sub(at).Len() / box.Size().Len()
		if nearest == 0 || distance < least {
			nearest, least = in.Entity, distance
		}
	}
	return nearest
}

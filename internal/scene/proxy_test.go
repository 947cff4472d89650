package scene

import (
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
)

// TestProxies: a proxy is there while all of its nodes are where the model has them, and goes with the model's root.
func TestProxies(t *testing.T) {
	m := family()
	m.Proxies = []Proxy{{Nodes: []int{0}, Mesh: cube()}, {Nodes: []int{1, 2}, Mesh: cube()}}
	e := NewEditor()
	id, root := e.AddModel(m)
	set := func(name string, local geom.Mat4) func() error {
		return func() error { return e.SetTransform(find(t, e, name), local) }
	}
	show := func(name string, on bool) func() error {
		return func() error { return e.SetEnabled(find(t, e, name), on) }
	}
	left, right := &m.Proxies[0], &m.Proxies[1]
	for _, c := range []struct {
		name string
		edit func() error
		want []*Proxy
	}{
		{"nothing", func() error { return nil }, []*Proxy{left, right}},
		{"move a part", set("tip", move(0, 3, 0)), []*Proxy{left}},
		{"move it back", set("tip", move(0, 2, 0)), []*Proxy{left, right}},
		{"move an ancestor", set("top", move(9, 0, 0)), nil},
		{"move it back", set("top", move(10, 0, 0)), []*Proxy{left, right}},
		{"hide a part", show("left", false), []*Proxy{right}},
		{"show it", show("left", true), []*Proxy{left, right}},
		{"hide an ancestor", show("top", false), nil},
		{"show it", show("top", true), []*Proxy{left, right}},
		{"hide the root", func() error { return e.SetEnabled(root, false) }, nil},
		{"show it", func() error { return e.SetEnabled(root, true) }, []*Proxy{left, right}},
		{"move the root", func() error { return e.SetTransform(root, move(0, 0, 7)) }, []*Proxy{left, right}},
	} {
		if err := c.edit(); err != nil {
			t.Fatal(err)
		}
		s := e.Snapshot()
		var got []*Proxy
		for _, p := range s.Proxies {
			got = append(got, p.Proxy)
			checkInstances(t, e, s, p, m)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %d proxies, want %d", c.name, len(got), len(c.want))
		}
	}
	s := e.Snapshot()
	if want := move(0, 0, 7); s.Proxies[1].World != want {
		t.Errorf("the proxy is at %v, want %v", s.Proxies[1].World, want)
	}

	// Of a second model, and of one that took the place of the first.
	second := family()
	e.AddModel(second)
	plain := family()
	e.AddModel(m)
	if err := e.ReplaceModel(id, plain); err != nil {
		t.Fatal(err)
	}
	s = e.Snapshot()
	if len(s.Proxies) != 2 {
		t.Fatalf("%d proxies, want those of the last model", len(s.Proxies))
	}
	for _, p := range s.Proxies {
		for i, n := range p.Nodes {
			in := s.Instances[p.Instances[i]]
			if info, err := e.Entity(in.Entity); err != nil || info.Model != e.Models()[2].ID || info.Name != m.Nodes[n].Name {
				t.Errorf("a proxy of node %q stands for %+v, %v", m.Nodes[n].Name, info, err)
			}
		}
	}
	if err := e.ReplaceModel(id, m); err != nil {
		t.Fatal(err)
	}
	if s = e.Snapshot(); len(s.Proxies) != 4 || s.Proxies[0].World != move(0, 0, 7) {
		t.Errorf("%d proxies after the replacement, want 4", len(s.Proxies))
	}
}

// checkInstances wants that p stands for the instances of its nodes.
func checkInstances(t *testing.T, e *Editor, s *Snapshot, p PlacedProxy, m *Model) {
	t.Helper()
	for i, n := range p.Nodes {
		if in := s.Instances[p.Instances[i]]; in.Entity != find(t, e, m.Nodes[n].Name) {
			t.Errorf("a proxy of node %q stands for entity %d", m.Nodes[n].Name, in.Entity)
		}
	}
}

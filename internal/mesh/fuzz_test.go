package mesh_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// arbitrary makes a primitive of any bytes: flags, then vertices of three int8 or float32, then indices.
func arbitrary(data []byte) *scene.Primitive {
	if len(data) < 3 {
		return nil
	}
	flags, n := data[0], int(data[1])+3
	data = data[2:]
	p := &scene.Primitive{Material: scene.DefaultMaterial()}
	for i := range n {
		var v geom.Vec3
		for k := range 3 {
			switch {
			case flags&1 != 0 && len(data) >= 4:
				v[k] = math.Float32frombits(binary.LittleEndian.Uint32(data))
				data = data[4:]
			case len(data) > 0:
				v[k] = float32(int8(data[0]))
				data = data[1:]
			}
		}
		p.Positions = append(p.Positions, v)
		if flags&2 != 0 {
			p.Normals = append(p.Normals, v.Normalize())
		}
		if flags&4 != 0 {
			p.UV0 = append(p.UV0, geom.Vec2{v[0], v[2]})
		}
		if flags&8 != 0 {
			p.Colors = append(p.Colors, geom.Vec4{float32(i % 2), v[1], 0, 1})
		}
	}
	for i := range min(len(data), 6000) {
		p.Indices = append(p.Indices, uint32(int(data[i])%n))
	}
	return p
}

// FuzzBuildHierarchy: any triangles give a hierarchy that holds all of them at full detail, and ends.
func FuzzBuildHierarchy(f *testing.F) {
	f.Add([]byte("\x02\x05abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte("\x0f\x0a012345678901234567890123456789\x00\x01\x02\x02\x01\x00\x00\x01\x02\x03\x04\x05\x05\x04\x03"))
	f.Add([]byte("\x01\x01\x00\x00\xc0\x7f\x00\x00\x80\x7f\xff\xff\x7f\x7f\x01\x00\x00\x00\x00\x00\x80\x3f0123456789abcdef\x00\x01\x02\x03"))
	long := []byte{0x06, 200}
	for i := range 3000 {
		long = append(long, byte(i*i>>3))
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := arbitrary(data)
		if p == nil {
			return
		}
		r, err := mesh.Resident(context.Background(), p, mesh.HierarchyOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if full := mesh.Build(p); int(r.FullTriangles) > len(full.Triangles) {
			t.Errorf("%d triangles of %d", r.FullTriangles, len(full.Triangles))
		}
		left := 0
		for _, g := range r.Groups {
			if !(g.Error >= 0) || !(g.Radius >= 0) {
				t.Fatalf("group %+v", g)
			}
			if math.IsInf(float64(g.Error), 1) {
				left += int(g.Clusters)
			}
		}
		if r.FullTriangles > 0 && left == 0 {
			t.Error("nothing is left at the coarsest level")
		}
		for _, c := range r.Clusters {
			if c.Triangles == 0 || c.Triangles > mesh.MaxTriangles || c.Vertices > mesh.MaxVertices {
				t.Fatalf("cluster %+v", c)
			}
		}
	})
}

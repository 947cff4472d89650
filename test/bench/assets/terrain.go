package assets

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
)

// terrain is a square of hills with rocks, cut into triangles: every one differs, so nothing can be shared or repeated.
type terrain struct{ side int } // quads along an edge; 2 side^2 triangles

// terrainOf returns the terrain of about so many triangles.
func terrainOf(triangles int) terrain {
	return terrain{int(math.Round(math.Sqrt(float64(triangles) / 2)))}
}

func (t terrain) triangles() int64 { return 2 * int64(t.side) * int64(t.side) }

// writeGLB writes the terrain as a GLB file with positions, normals and 32 bit indices, without holding it in memory.
func (t terrain) writeGLB(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = t.glb(w)
	if err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// extent is the edge of the terrain, in metres.
const extent = 1000

func (t terrain) glb(w io.Writer) error {
	n := int64(t.side) + 1
	vertices, indices := n*n, 3*t.triangles()
	view := func(offset, length int64) map[string]any {
		return map[string]any{"buffer": 0, "byteOffset": offset, "byteLength": length}
	}
	accessor := func(view int, componentType int, count int64, typ string) map[string]any {
		return map[string]any{"bufferView": view, "componentType": componentType, "count": count, "type": typ}
	}
	position := accessor(0, 5126, vertices, "VEC3")
	position["min"], position["max"] = []float64{0, -extent, 0}, []float64{extent, extent, extent}
	size := 24*vertices + 4*indices
	text, err := json.Marshal(map[string]any{
		"asset": map[string]any{"version": "2.0", "generator": "heliograph bench"}, "scenes": []any{map[string]any{"nodes": []int{0}}},
		"nodes": []any{map[string]any{"mesh": 0, "name": "terrain"}},
		"materials": []any{map[string]any{"pbrMetallicRoughness": map[string]any{
			"metallicFactor": 0, "roughnessFactor": 0.8, "baseColorFactor": []float64{0.5, 0.45, 0.35, 1},
		}}},
		"meshes": []any{map[string]any{"primitives": []any{map[string]any{
			"attributes": map[string]int{"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0,
		}}}},
		"accessors":   []any{position, accessor(1, 5126, vertices, "VEC3"), accessor(2, 5125, indices, "SCALAR")},
		"bufferViews": []any{view(0, 12*vertices), view(12*vertices, 12*vertices), view(24*vertices, 4*indices)},
		"buffers":     []any{map[string]any{"byteLength": size}},
	})
	if err != nil {
		return err
	}
	for len(text)%4 != 0 {
		text = append(text, ' ')
	}
	total := 12 + 8 + int64(len(text)) + 8 + size
	if total > math.MaxUint32 {
		return fmt.Errorf("%d triangles do not fit into a GLB file", t.triangles())
	}
	head := []byte("glTF")
	for _, x := range []uint32{2, uint32(total), uint32(len(text))} {
		head = binary.LittleEndian.AppendUint32(head, x)
	}
	head = append(append(head, "JSON"...), text...)
	head = binary.LittleEndian.AppendUint32(head, uint32(size))
	if _, err := w.Write(append(head, "BIN\x00"...)); err != nil {
		return err
	}
	if err := t.rows(w, func(row []byte, x int, rows [3][]float32) []byte {
		row = appendFloat(row, t.at(x))
		row = appendFloat(row, rows[1][x+1])
		return row
	}, true); err != nil {
		return err
	}
	if err := t.rows(w, func(row []byte, x int, rows [3][]float32) []byte {
		d := 2 * extent / float32(t.side)
		nx, nz := rows[1][x]-rows[1][x+2], rows[0][x+1]-rows[2][x+1]
		l := float32(math.Sqrt(float64(nx*nx + d*d + nz*nz)))
		return appendFloat(appendFloat(appendFloat(row, nx/l), d/l), nz/l)
	}, false); err != nil {
		return err
	}
	row := make([]byte, 0, 24*t.side)
	for z := range t.side {
		row = row[:0]
		for x := range t.side {
			a := uint32(z*(t.side+1) + x)
			b, c, d := a+1, a+uint32(t.side)+1, a+uint32(t.side)+2
			for _, i := range [6]uint32{a, c, b, b, c, d} {
				row = binary.LittleEndian.AppendUint32(row, i)
			}
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// rows calls vertex for each vertex with the heights of three rows around it, from one vertex before the edge; place
// appends z after what vertex returned.
func (t terrain) rows(w io.Writer, vertex func(row []byte, x int, rows [3][]float32) []byte, place bool) error {
	n := t.side + 1
	heights := func(z int) []float32 {
		h := make([]float32, n+2)
		for x := range h {
			h[x] = height(float64(x-1)/float64(t.side), float64(z)/float64(t.side))
		}
		return h
	}
	rows := [3][]float32{heights(-1), heights(0), heights(1)}
	row := make([]byte, 0, 12*n)
	for z := range n {
		row = row[:0]
		for x := range n {
			row = vertex(row, x, rows)
			if place {
				row = appendFloat(row, t.at(z))
			}
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
		rows = [3][]float32{rows[1], rows[2], heights(z + 2)}
	}
	return nil
}

func (t terrain) at(i int) float32 { return extent * float32(i) / float32(t.side) }

func appendFloat(b []byte, x float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
}

// height is fractal noise (Perlin, "An Image Synthesizer", 1985) with ridges, in metres; u and v are 0..1 over the square.
func height(u, v float64) float32 {
	sum, amplitude, frequency := 0.0, 90.0, 4.0
	for range 9 {
		n := noise(u*frequency+17, v*frequency+17)
		sum += amplitude * (1 - math.Abs(n)) * (1 - math.Abs(n))
		amplitude, frequency = amplitude*0.46, frequency*2.03
	}
	return float32(sum)
}

// noise is smooth value noise of -1..1.
func noise(x, y float64) float64 {
	x0, y0 := math.Floor(x), math.Floor(y)
	fx, fy := x-x0, y-y0
	fx, fy = fx*fx*(3-2*fx), fy*fy*(3-2*fy)
	i, j := int32(x0), int32(y0)
	a, b := lattice(i, j), lattice(i+1, j)
	c, d := lattice(i, j+1), lattice(i+1, j+1)
	return a + fx*(b-a) + fy*(c-a+fx*(a-b-c+d))
}

func lattice(i, j int32) float64 {
	h := uint32(i)*0x9e3779b1 ^ uint32(j)*0x85ebca77
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 12
	h *= 0x297a2d39
	h ^= h >> 15
	return float64(h)/float64(math.MaxUint32)*2 - 1
}

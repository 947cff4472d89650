package fbx

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/importer"
)

// BenchmarkOpen imports a grid of 180 000 triangles with normals and UVs.
func BenchmarkOpen(b *testing.B) {
	const n = 300
	var points, polygons, uvs, uvIndex strings.Builder
	for y := range n + 1 {
		for x := range n + 1 {
			fmt.Fprintf(&points, "%d,%d,%.3f,", x, y, float64((x*7+y*13)%17)*0.1)
			fmt.Fprintf(&uvs, "%.5f,%.5f,", float64(x)/n, float64(y)/n)
		}
	}
	for y := range n {
		for x := range n {
			a := y*(n+1) + x
			for _, c := range [][3]int{{a, a + 1, a + n + 2}, {a, a + n + 2, a + n + 1}} {
				fmt.Fprintf(&polygons, "%d,%d,%d,", c[0], c[1], ^c[2])
				fmt.Fprintf(&uvIndex, "%d,%d,%d,", c[0], c[1], c[2])
			}
		}
	}
	list := func(s string) string { return strings.TrimSuffix(s, ",") }
	text := document7("", model(1, "grid", "Mesh")+"Geometry: 2, \"Geometry::\", \"Mesh\" {\nVertices: "+list(points.String())+
		"\nPolygonVertexIndex: "+list(polygons.String())+"\n"+
		element("Normal", "Normals", "ByPolygonVertex", "Direct", list(strings.Repeat("0.12345,0.12345,0.98765,", 6*n*n)))+
		element("UV", "UV", "ByPolygonVertex", "IndexToDirect", list(uvs.String())+"\nUVIndex: "+list(uvIndex.String()))+"}\n",
		connections(1, 0, 2, 1))
	for name, data := range map[string][]byte{
		"text":   []byte(text),
		"binary": encodeBinary(b, text, encoding{7400, binary.LittleEndian, false}),
		"zlib":   encodeBinary(b, text, encoding{7400, binary.LittleEndian, true}),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Open(b.Context(), importer.Source{Name: "grid.fbx", Data: data}, importer.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(2*n*n*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtri/s")
		})
	}
}

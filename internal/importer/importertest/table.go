package importertest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Row says what a shared asset should be.
type Row struct {
	File              string
	Refused           bool
	Says              string // the error, if it is refused
	Triangles, Points int64
	Bounds            geom.AABB // of no geometry: zero
}

// ReadTable reads a table with the columns file, triangles ("12"), points ("12 points") or both ("12 and 12 points"),
// minimum and maximum of the bounds. A row with "refused" for the triangles names what the error says. Lines that begin
// with # are comments.
func ReadTable(tb testing.TB, table string) (rows []Row) {
	tb.Helper()
	b, err := os.ReadFile(table)
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(columns) < 3 {
			tb.Fatalf("%s: %q", table, line)
		}
		row := Row{File: columns[0]}
		if columns[1] == "refused" {
			row.Refused, row.Says = true, columns[2]
			rows = append(rows, row)
			continue
		}
		counts := strings.TrimSuffix(columns[1], " points")
		switch first, second, both := strings.Cut(counts, " and "); {
		case both:
			scan(tb, first, &row.Triangles)
			scan(tb, second, &row.Points)
		case counts != columns[1]:
			scan(tb, counts, &row.Points)
		default:
			scan(tb, counts, &row.Triangles)
		}
		b := &row.Bounds
		scan(tb, columns[2], &b.Min[0], &b.Min[1], &b.Min[2])
		scan(tb, columns[3], &b.Max[0], &b.Max[1], &b.Max[2])
		rows = append(rows, row)
	}
	return rows
}

func scan(tb testing.TB, s string, to ...any) {
	tb.Helper()
	if n, err := fmt.Sscan(s, to...); n != len(to) {
		tb.Fatalf("%q: %v", s, err)
	}
}

// Check compares what an import returned with the row.
func (r *Row) Check(tb testing.TB, m *scene.Model, err error) {
	tb.Helper()
	if r.Refused {
		WantError(tb, err, r.Says)
		return
	}
	if err != nil {
		tb.Fatal(err)
	}
	CheckModel(tb, m)
	if m.Triangles != r.Triangles || m.Points != r.Points {
		tb.Errorf("%d triangles and %d points, want %d and %d", m.Triangles, m.Points, r.Triangles, r.Points)
	}
	got := m.Bounds
	if got.IsEmpty() {
		got = geom.AABB{}
	}
	// Georeferenced coordinates round in float32.
	tolerance := 1e-5*r.Bounds.Size().Len() + (r.Bounds.Min.Len()+r.Bounds.Max.Len())*(1.0/(1<<23))
	if got.Min.Sub(r.Bounds.Min).Len() > tolerance || got.Max.Sub(r.Bounds.Max).Len() > tolerance {
		tb.Errorf("bounds %v, want %v", got, r.Bounds)
	}
}

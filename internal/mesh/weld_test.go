package mesh

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
)

// TestWeld: vertices have one id where they have one position, counted in the order of the first of each, for any number of
// threads, vertices and vertices a position.
func TestWeld(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name          string
		n, coordinate int
	}{
		{"none", 0, 1}, {"one", 1, 1}, {"few", 100, 3}, {"one place", 50_000, 1}, {"crowded", 50_000, 10}, {"apart", 50_000, 1000},
	} {
		pos := make([]geom.Vec3, c.n)
		for i := range pos {
			for k := range pos[i] {
				pos[i][k] = float32(random.IntN(c.coordinate))
			}
		}
		if c.n > 50 {
			pos[50][1] = float32(math.NaN()) // never used: whatever its id is, those of others count on
		}
		known := map[geom.Vec3]uint32{}
		want := make([]uint32, c.n)
		for i, p := range pos {
			id, ok := known[p]
			if !ok {
				id = uint32(len(known))
				known[p] = id
			}
			want[i] = id
		}
		for _, threads := range []int{1, 2, 3} {
			if ids, n := weld(pos, threads); n != len(known) || !slices.Equal(ids, want) {
				t.Errorf("%s: %d threads find %d positions of %d, or other ones", c.name, threads, n, len(known))
			}
		}
	}
}

package mesh

import "testing"

// TestStuckGroupsOwnNothing: a group that makes no level leaves no mark on the positions it shared, so that they are free as
// soon as one group has them all. Which of two groups had marked a position first is a matter of chance.
func TestStuckGroupsOwnNothing(t *testing.T) {
	h := &hierarchy{threads: 1, vertices: 3, welded: []uint32{0, 1, 2}, owners: make([]uint32, 3)}
	l := &level{pieces: pieces{
		clusters: []span{{vert: 0, verts: 2}, {vert: 2, verts: 2}},
		verts:    []uint32{0, 1, 1, 2},
	}}
	shared := func(groups ...[]uint32) (s [3]bool) {
		if err := h.own(t.Context(), l, groups); err != nil {
			t.Fatal(err)
		}
		for i, o := range h.owners {
			s[i] = o&sharedBit != 0
		}
		return s
	}
	if got := shared([]uint32{0}, []uint32{1}); got != [3]bool{1: true} {
		t.Errorf("of two groups with one position in common, these are shared: %v", got)
	}
	// Both are stuck: no group is handed out, and the next level has the same clusters.
	if got := shared([]uint32{0, 1}); got != [3]bool{} {
		t.Errorf("of one group of all clusters, these are shared: %v", got)
	}
}

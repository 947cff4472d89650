package mesh

// grouper puts the clusters of a chunk into groups that share as much border as possible inside, because what groups share
// cannot be simplified.
type grouper struct {
	h *hierarchy
	l *level

	positions idTable
	users     []userLink // of positions: lists of clusters
	heads     []uint32   // position -> users
	uses      []uint32   // positions of cluster i: uses[ends[i-1]:ends[i]]
	ends      []uint32
	groupOf   []int32 // -1 = none yet
	score     []uint32
	touched   []uint32
}

type userLink struct{ cluster, next uint32 }

// group returns the groups of the clusters, each as indices into the level.
func (g *grouper) group(cs []centroid) [][]uint32 {
	g.index(cs)
	var groups [][]uint32 // of indices into cs
	var sizes []int
	for seed := range uint32(len(cs)) {
		if g.groupOf[seed] >= 0 {
			continue
		}
		group, size := g.grow(cs, seed, int32(len(groups)))
		groups, sizes = append(groups, group), append(sizes, size)
	}
	return g.merge(cs, groups, sizes)
}

// index lists the positions of every cluster, and the clusters of every position.
func (g *grouper) index(cs []centroid) {
	n := 0
	for _, c := range cs {
		n += int(g.l.clusters[c.tri].count)
	}
	g.positions.reset(n * 2 / 3)
	g.users, g.heads, g.uses, g.ends = g.users[:0], g.heads[:0], g.uses[:0], g.ends[:0]
	for i, c := range cs {
		s := &g.l.clusters[c.tri]
		for _, id := range g.l.vertices(s) {
			p, known := g.positions.put(g.l.position(g.h, id), uint32(len(g.heads)))
			if !known {
				g.heads = append(g.heads, none)
			}
			if head := g.heads[p]; head == none || g.users[head].cluster != uint32(i) {
				g.users = append(g.users, userLink{uint32(i), head})
				g.heads[p] = uint32(len(g.users) - 1)
				g.uses = append(g.uses, p)
			}
		}
		g.ends = append(g.ends, uint32(len(g.uses)))
	}
	g.groupOf, g.score = sized(g.groupOf, len(cs)), sized(g.score, len(cs))
	for i := range g.groupOf {
		g.groupOf[i], g.score[i] = -1, 0
	}
}

// used are the positions of cluster i.
func (g *grouper) used(i uint32) []uint32 {
	first := uint32(0)
	if i > 0 {
		first = g.ends[i-1]
	}
	return g.uses[first:g.ends[i]]
}

// grow makes a group from seed by adding the free cluster that shares most positions with it, the nearest of several.
func (g *grouper) grow(cs []centroid, seed uint32, number int32) (group []uint32, size int) {
	g.touched = g.touched[:0]
	for next := seed; next != none; {
		group = append(group, next)
		size += int(g.l.clusters[cs[next].tri].count)
		g.groupOf[next] = number
		for _, p := range g.used(next) {
			for u := g.heads[p]; u != none; u = g.users[u].next {
				if c := g.users[u].cluster; g.groupOf[c] < 0 {
					if g.score[c] == 0 {
						g.touched = append(g.touched, c)
					}
					g.score[c]++
				}
			}
		}
		next = none
		var most uint32
		var nearest float64
		for _, c := range g.touched {
			if g.groupOf[c] >= 0 || g.score[c] < most || size+int(g.l.clusters[cs[c].tri].count) > groupTriangles {
				continue
			}
			d := dist([3]float32(cs[c].key[:3]), [3]float32(cs[seed].key[:3]))
			if next == none || g.score[c] > most || d < nearest || d == nearest && c < next {
				next, most, nearest = c, g.score[c], d
			}
		}
	}
	for _, c := range g.touched {
		g.score[c] = 0
	}
	return group, size
}

// merge adds groups that are too small to their closest neighbours, or else to the next small one, and returns all of them as
// indices into the level.
func (g *grouper) merge(cs []centroid, groups [][]uint32, sizes []int) [][]uint32 {
	share := make([]uint32, len(groups))
	var pool []uint32
	pooled := 0
	var out [][]uint32
	flush := func() {
		if len(pool) > 0 {
			out = append(out, pool)
		}
		pool, pooled = nil, 0
	}
	for i, group := range groups {
		if sizes[i] > groupTriangles/3 {
			continue
		}
		best := -1
		var touched []int32
		for _, c := range group {
			for _, p := range g.used(c) {
				for u := g.heads[p]; u != none; u = g.users[u].next {
					if o := g.groupOf[g.users[u].cluster]; int(o) != i {
						touched = append(touched, o)
						share[o]++
						if sizes[o]+sizes[i] <= groupTriangles*3/2 && (best < 0 || share[o] > share[best]) {
							best = int(o)
						}
					}
				}
			}
		}
		for _, o := range touched {
			share[o] = 0
		}
		if best >= 0 {
			for _, c := range group {
				g.groupOf[c] = int32(best)
			}
			groups[best], groups[i] = append(groups[best], group...), nil
			sizes[best] += sizes[i]
			sizes[i] = 0
		}
	}
	for i, group := range groups {
		for k, c := range group {
			group[k] = cs[c].tri
		}
		if sizes[i] > groupTriangles/3 {
			out = append(out, group)
			continue
		}
		if pooled+sizes[i] > groupTriangles {
			flush()
		}
		pool, pooled = append(pool, group...), pooled+sizes[i]
	}
	flush()
	return out
}

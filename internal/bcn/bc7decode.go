package bcn

import (
	"encoding/binary"
	"math/bits"
)

// bc7Mode is one row of table 113.
type bc7Mode struct {
	subsets, partitionBits    int
	rotationBits, selectBits  int
	colourBits, alphaBits     int // of an end; alphaBits 0 = opaque
	endBits, sharedBits       int // one low bit for each end, or for each subset
	indexBits, secondaryIndex int
}

var bc7Modes = [8]bc7Mode{
	{3, 4, 0, 0, 4, 0, 1, 0, 3, 0},
	{2, 6, 0, 0, 6, 0, 0, 1, 3, 0},
	{3, 6, 0, 0, 5, 0, 0, 0, 2, 0},
	{2, 6, 0, 0, 7, 0, 1, 0, 2, 0},
	{1, 0, 2, 1, 5, 6, 0, 0, 2, 3},
	{1, 0, 2, 0, 7, 8, 0, 0, 2, 2},
	{1, 0, 0, 0, 7, 7, 1, 0, 4, 0},
	{2, 6, 0, 0, 5, 5, 1, 0, 2, 0},
}

func decodeBC7(src []byte, texels *[64]byte) {
	mode := bits.TrailingZeros8(src[0])
	if mode == 8 { // reserved
		clear(texels[:])
		return
	}
	m := &bc7Modes[mode]
	r := bitReader{lo: binary.LittleEndian.Uint64(src), hi: binary.LittleEndian.Uint64(src[8:])}
	r.get(mode + 1)
	partition := r.get(m.partitionBits)
	rotation, swap := r.get(m.rotationBits), r.get(m.selectBits) == 1

	ends := m.ends(&r)
	first := r.indices(m.indexBits, m.anchors(partition))
	colour, alpha := first, first
	colourWeights := bc7WeightsOf(m.indexBits)
	alphaWeights := colourWeights
	if m.secondaryIndex > 0 {
		alpha = r.indices(m.secondaryIndex, 1)
		alphaWeights = bc7WeightsOf(m.secondaryIndex)
		if swap {
			colour, alpha, colourWeights, alphaWeights = alpha, colour, alphaWeights, colourWeights
		}
	}
	for i := range 16 {
		e := ends[2*m.subset(partition, i):]
		t := texels[4*i : 4*i+4]
		for c := range 3 {
			t[c] = uint8(lerp64(e[0][c], e[1][c], colourWeights[colour[i]]))
		}
		t[3] = uint8(lerp64(e[0][3], e[1][3], alphaWeights[alpha[i]]))
		if rotation > 0 { // alpha was stored as one of the colour channels, and that one as alpha
			t[3], t[rotation-1] = t[rotation-1], t[3]
		}
	}
}

// ends reads the end points, two a subset, as 0..255.
func (m *bc7Mode) ends(r *bitReader) (ends [6][4]int) {
	n := 2 * m.subsets
	for c := range 3 {
		for e := range n {
			ends[e][c] = r.get(m.colourBits)
		}
	}
	for e := range n {
		ends[e][3] = r.get(m.alphaBits)
	}
	colourBits, alphaBits := m.colourBits, m.alphaBits
	if m.endBits+m.sharedBits > 0 {
		low := 0
		for e := range n {
			if m.endBits == 1 || e%2 == 0 {
				low = r.get(1)
			}
			for c := range 4 {
				ends[e][c] = ends[e][c]<<1 | low
			}
		}
		colourBits++
		alphaBits++
	}
	for e := range n {
		for c := range 3 {
			ends[e][c] = widen(ends[e][c], colourBits)
		}
		if m.alphaBits == 0 {
			ends[e][3] = 255
		} else {
			ends[e][3] = widen(ends[e][3], alphaBits)
		}
	}
	return ends
}

// widen makes 8 bits of n by repeating the high ones.
func widen(v, n int) int {
	v <<= 8 - n
	return v | v>>n
}

// anchors has a bit for each texel whose index lacks its high bit.
func (m *bc7Mode) anchors(partition int) uint16 {
	switch m.subsets {
	case 2:
		return 1 | 1<<anchors2[partition]
	case 3:
		return 1 | 1<<anchors3b[partition] | 1<<anchors3c[partition]
	}
	return 1
}

func (m *bc7Mode) subset(partition, texel int) int {
	switch m.subsets {
	case 2:
		return int(partitions2[partition][texel] - '0')
	case 3:
		return int(partitions3[partition][texel] - '0')
	}
	return 0
}

func bc7WeightsOf(bits int) []int {
	switch bits {
	case 2:
		return bc7Weights2[:]
	case 3:
		return bc7Weights3[:]
	}
	return bc7Weights4[:]
}

// bitReader takes the 128 bits of a block apart, low bits first.
type bitReader struct{ lo, hi uint64 }

func (r *bitReader) get(bits int) int {
	v := r.lo & (1<<bits - 1)
	r.lo = r.lo>>bits | r.hi<<(64-bits)
	r.hi >>= bits
	return int(v)
}

func (r *bitReader) indices(bits int, anchors uint16) (k [16]uint8) {
	for i := range k {
		k[i] = uint8(r.get(bits - int(anchors>>i&1)))
	}
	return k
}

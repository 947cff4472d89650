package builtin

import "github.com/heliograph/heliograph/internal/geom"

// glyphs are capital letters on a grid at most 4 wide and 6 high, as strokes.
var glyphs = map[rune][][]geom.Vec2{
	'A': {{{0, 0}, {2, 6}, {4, 0}}, {{0.8, 2}, {3.2, 2}}},
	'E': {{{4, 0}, {0, 0}, {0, 6}, {4, 6}}, {{0, 3}, {3.2, 3}}},
	'G': {{{4, 4.8}, {4, 6}, {0, 6}, {0, 0}, {4, 0}, {4, 2.8}, {2.2, 2.8}}},
	'H': {{{0, 0}, {0, 6}}, {{4, 0}, {4, 6}}, {{0, 3}, {4, 3}}},
	'I': {{{0, 0}, {0, 6}}},
	'L': {{{0, 6}, {0, 0}, {4, 0}}},
	'O': {{{0, 0}, {0, 6}, {4, 6}, {4, 0}, {0, 0}}},
	'P': {{{0, 0}, {0, 6}, {4, 6}, {4, 2.8}, {0, 2.8}}},
	'R': {{{0, 0}, {0, 6}, {4, 6}, {4, 2.8}, {0, 2.8}}, {{1.8, 2.8}, {4, 0}}},
}

// lettering is raised text in the XY plane, standing towards +Z from z = 0 and centred on the origin. size is the
// height of a letter.
func lettering(text string, size, relief float32) *shape {
	unit, weight := size/6, size/6*0.42
	advance := func(r rune) float32 { // to the next letter
		width := float32(0)
		for _, stroke := range glyphs[r] {
			for _, p := range stroke {
				width = max(width, p[0])
			}
		}
		return (width + 2) * unit
	}
	x := unit // half of the gap behind the last letter
	for _, r := range text {
		x -= advance(r) / 2
	}
	s := &shape{}
	for _, r := range text {
		for _, stroke := range glyphs[r] {
			for i := 1; i < len(stroke); i++ {
				a, b := stroke[i-1], stroke[i]
				d := edgeNormal(a, b) // across; along is (-d[1], d[0])
				corner := func(p geom.Vec2, along, across float32) geom.Vec2 {
					return geom.Vec2{
						x + p[0]*unit + weight*(-d[1]*along+d[0]*across),
						(p[1]-3)*unit + weight*(d[0]*along+d[1]*across),
					}
				}
				bar := []geom.Vec2{corner(a, -1, 1), corner(b, 1, 1), corner(b, 1, -1), corner(a, -1, -1)}
				s.add(extrude(rounded(bar, weight*0.6), nil, relief, weight*0.4), geom.Identity())
			}
		}
		x += advance(r)
	}
	return s
}

package fbx

import "github.com/heliograph/heliograph/internal/geom"

type mapping uint8

const (
	byCorner mapping = iota // of each polygon
	byPoint
	byPolygon
	byEdge
	allSame
)

// layer is one attribute of a mesh: values, and how corners find theirs. Its methods may be called on nil, which has none.
type layer struct {
	values  []float32
	width   int     // numbers of a value
	index   []int32 // nil = none: direct
	mapping mapping
}

// layer reads the record of a layer element; index is the name of its indices, "" = the values are the indices.
func (b *builder) layer(n *node, values, index string, width int) (*layer, error) {
	y := &layer{width: width}
	var err error
	if y.values, err = array[float32](b.file, n.child(values)); err != nil {
		return nil, err
	}
	if n.child("ReferenceInformationType").text(0) != "Direct" && index != "" {
		if y.index, err = array[int32](b.file, n.child(index)); err != nil {
			return nil, err
		}
	}
	count := len(y.values) / width
	if count == 0 {
		return nil, nil
	}
	if len(y.index) == 0 {
		y.index = nil
	} else {
		count = len(y.index)
	}
	switch n.child("MappingInformationType").text(0) {
	case "ByPolygonVertex":
		y.mapping = byCorner
	case "ByVertice", "ByVertex", "ByControlPoint":
		y.mapping = byPoint
	case "ByPolygon":
		y.mapping = byPolygon
	case "ByEdge":
		y.mapping = byEdge
	case "AllSame":
		y.mapping = allSame
	default: // not said, or "NoMappingInformation": the number tells
		switch count {
		case len(b.polygons):
			y.mapping = byCorner
		case len(b.soup.Positions):
			y.mapping = byPoint
		case 1:
			y.mapping = allSame
		case b.countPolygons():
			y.mapping = byPolygon
		default:
			return nil, nil
		}
	}
	return y, nil
}

func (b *builder) countPolygons() (n int) {
	for _, p := range b.polygons {
		if p < 0 {
			n++
		}
	}
	return n
}

func (y *layer) count() int { return len(y.values) / y.width }

// at is the index of the value of a corner, -1 = none.
func (y *layer) at(polygon, corner, point int) int32 {
	if y == nil || y.mapping == byEdge {
		return -1
	}
	return y.resolve([]int{byCorner: corner, byPoint: point, byPolygon: polygon, byEdge: 0, allSame: 0}[y.mapping])
}

func (y *layer) resolve(i int) int32 {
	if y.index != nil {
		if i >= len(y.index) || y.index[i] < 0 {
			return -1
		}
		i = int(y.index[i])
	}
	if i >= y.count() {
		return -1
	}
	return int32(i)
}

// number is the value of a corner of a layer of single numbers, 0 where there is none. Layers of edges have edges for corners.
func (y *layer) number(polygon, corner, point int) int {
	i := y.at(polygon, corner, point)
	if y.mapping == byEdge {
		i = y.resolve(corner)
	}
	if i < 0 {
		return 0
	}
	return int(y.values[i])
}

func (y *layer) vector(i int) vec3 {
	v := y.values[y.width*i:]
	return vec3{float64(v[0]), float64(v[1]), float64(v[2])}
}

// uv has V down.
func (y *layer) uv(i int32) geom.Vec2 {
	if i < 0 {
		return geom.Vec2{}
	}
	u, v := y.values[2*i], 1-y.values[2*i+1]
	if !finite(float64(u), float64(v)) {
		return geom.Vec2{}
	}
	return geom.Vec2{u, v}
}

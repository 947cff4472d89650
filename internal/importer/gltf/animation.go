package gltf

import (
	"fmt"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// floats decodes accessor i, whatever its type, to its components one after the other; width is how many an element has.
func (l *loader) floats(i integer, at string) (values []float32, width int, err error) {
	v, err := l.view(i)
	if err != nil {
		return nil, 0, err
	}
	if v.missing {
		return nil, 0, errNoData(fmt.Sprintf("/accessors/%d", i))
	}
	width = int(v.components)
	if v.componentType == typeUint || l.doc.Accessors[i].Type != "MAT4" && width > 4 || width == 16 && v.componentType != typeFloat {
		return nil, 0, fail(at, "accessor %d has elements %s of type %d", i, l.doc.Accessors[i].Type, v.componentType)
	}
	if err := l.take(4*v.count*v.components, at); err != nil {
		return nil, 0, err
	}
	values = make([]float32, int(v.count)*width)
	component := componentBytes[v.componentType]
	read := func(to []float32, b []byte) {
		for c := range to {
			var one vec1
			element(&one, v, b[int64(c)*component:], 1)
			to[c] = one[0]
		}
	}
	if v.data != nil {
		for e := range int(v.count) {
			read(values[e*width:(e+1)*width], v.data[int64(e)*v.stride:])
		}
	}
	if v.sparse != nil {
		for k, e := range v.sparse.indices {
			read(values[int(e)*width:(int(e)+1)*width], v.sparse.values[int64(k)*v.size:])
		}
	}
	return values, width, nil
}

// animations decodes the animations of the file. Channels that move nothing known are left out.
func (l *loader) animations() ([]scene.Animation, error) {
	type sampled struct {
		accessor integer
		values   []float32
		width    int
	}
	seen := map[integer]sampled{} // animations share their accessors
	read := func(i integer, at string) (sampled, error) {
		if s, ok := seen[i]; ok {
			return s, nil
		}
		values, width, err := l.floats(i, at)
		if err != nil {
			return sampled{}, err
		}
		for k, x := range values {
			if !importer.Finite(x) {
				return sampled{}, fail(at, "value %d of accessor %d is %g", k, i, x)
			}
		}
		seen[i] = sampled{i, values, width}
		return seen[i], nil
	}
	var out []scene.Animation
	for i, src := range l.doc.Animations {
		at := fmt.Sprintf("/animations/%d", i)
		a := scene.Animation{Name: src.Name}
		for k, c := range src.Channels {
			at := fmt.Sprintf("%s/channels/%d", at, k)
			if c.Sampler < 0 || c.Sampler >= integer(len(src.Samplers)) {
				return nil, fail(at+"/sampler", "there is no sampler %d", c.Sampler)
			}
			if c.Target.Node == nil {
				continue // of an extension that is not known here
			}
			if n := *c.Target.Node; n < 0 || n >= integer(len(l.doc.Nodes)) {
				return nil, fail(at+"/target/node", "there is no node %d", n)
			}
			channel := scene.Channel{Node: int(*c.Target.Node)}
			width := 3
			switch c.Target.Path {
			case "translation":
			case "rotation":
				channel.Path, width = scene.PathRotation, 4
			case "scale":
				channel.Path = scene.PathScale
			case "weights":
				channel.Path, width = scene.PathWeights, 1
			default:
				continue
			}
			s := &src.Samplers[c.Sampler]
			per := 1
			switch s.Interpolation {
			case "", "LINEAR":
			case "STEP":
				channel.Interpolation = scene.InterpolateStep
			case "CUBICSPLINE":
				channel.Interpolation, per = scene.InterpolateCubic, 3
			default:
				return nil, fail(at, "%q is not an interpolation", s.Interpolation)
			}
			times, err := read(s.Input, at+"/input")
			if err != nil {
				return nil, err
			}
			values, err := read(s.Output, at+"/output")
			if err != nil {
				return nil, err
			}
			if times.width != 1 || values.width != width {
				return nil, fail(at, "keys of %d and values of %d components", times.width, values.width)
			}
			for t := 1; t < len(times.values); t++ {
				if !(times.values[t] > times.values[t-1]) {
					return nil, fail(at+"/input", "the time of key %d, %g, is not after %g", t, times.values[t], times.values[t-1])
				}
			}
			if each := len(times.values) * per * width; len(values.values)%each != 0 || len(values.values) == 0 ||
				channel.Path != scene.PathWeights && len(values.values) != each {
				return nil, fail(at+"/output", "%d values for %d keys", len(values.values), len(times.values))
			}
			channel.Times, channel.Values = times.values, values.values
			a.Channels = append(a.Channels, channel)
		}
		if len(a.Channels) > 0 {
			out = append(out, a)
		}
	}
	return out, nil
}

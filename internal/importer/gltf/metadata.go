package gltf

import (
	"bytes"
	"encoding/json"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// metadata is a node's extras: the members of an object, in the order of the file. Any other value has the key "extras".
func metadata(extras json.RawMessage) []scene.Metadata {
	if len(extras) == 0 || bytes.Equal(extras, []byte("null")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(extras))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return []scene.Metadata{{Key: "extras", Value: fact(extras)}}
	}
	var out []scene.Metadata
	for d.More() {
		key, err := d.Token()
		if err != nil {
			break // not to be had: the file was decoded before
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			break
		}
		out = append(out, scene.Metadata{Key: key.(string), Value: fact(value)})
	}
	return out
}

// fact is a JSON value as scene.Metadata has it.
func fact(raw json.RawMessage) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case string, bool:
		return v
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		var c geom.Vec4
		for i, x := range v {
			n, ok := x.(json.Number)
			f, err := n.Float64()
			if !ok || err != nil || i > 3 || math.Abs(f) > math.MaxFloat32 {
				return string(raw)
			}
			c[i] = float32(f)
		}
		switch len(v) {
		case 3:
			return geom.Vec3{c[0], c[1], c[2]}
		case 4:
			return c
		}
	}
	return string(raw)
}

package asset_test

import (
	"image"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// fill sets every field below v to something that is not zero, so that a field which the format forgets is noticed. Slices
// get one element; pointers to what is shared, and what has rules of its own, are left for the caller.
func fill(t *testing.T, rng *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case *scene.Texture, []*scene.Material, []scene.Metadata, []*scene.Mesh:
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(string(rune('a' + rng.IntN(26))))
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(1)
	case reflect.Float32:
		v.SetFloat(float64(float32(rng.Float64())))
	case reflect.Array:
		for i := range v.Len() {
			fill(t, rng, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, rng, v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, rng, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, rng, v.Field(i))
		}
	case reflect.Interface: // stays nil
	default:
		t.Fatalf("%v: the test does not know how to fill a %v", v.Type(), v.Kind())
	}
}

// fullModel has all that a model can have, but for hierarchies of geometry: a skinned, morphed primitive.
func fullModel(t *testing.T) *scene.Model {
	rng := rand.New(rand.NewPCG(3, 4))
	textures := make([]*scene.Texture, 3)
	for i := range textures {
		im := image.NewNRGBA(image.Rect(0, 0, 5, 3))
		for k := range im.Pix {
			im.Pix[k] = byte(rng.Uint32())
		}
		textures[i] = &scene.Texture{Name: "t", Image: im, WrapU: scene.WrapMirror, WrapV: scene.WrapClamp, Nearest: i == 1}
	}
	materials := make([]*scene.Material, 2)
	for i := range materials {
		m := &scene.Material{}
		fill(t, rng, reflect.ValueOf(m).Elem())
		v := reflect.ValueOf(m).Elem()
		for range 2 {
			for k := range v.NumField() {
				if r, ok := v.Field(k).Addr().Interface().(*scene.TextureRef); ok {
					r.Texture = textures[(i+k)%3]
				}
			}
			v = reflect.ValueOf(m.Layers).Elem()
		}
		materials[i] = m
	}
	vs := func(n int) (v []geom.Vec3) {
		for range n {
			v = append(v, geom.Vec3{rng.Float32(), rng.Float32(), rng.Float32()})
		}
		return v
	}
	p := scene.Primitive{
		Positions: vs(4), Normals: vs(4), Indices: []uint32{0, 1, 2, 0, 2, 3}, Material: materials[0],
		Variants: []*scene.Material{nil, materials[1]},
		Joints:   [][4]uint16{{0, 1}, {1, 0}, {0, 1}, {65535, 1, 2, 3}}, Weights: make([]geom.Vec4, 4),
		Tangents: make([]geom.Vec4, 4), UV0: make([]geom.Vec2, 4), UV1: make([]geom.Vec2, 4), Colors: make([]geom.Vec4, 4),
		Targets: []scene.MorphTarget{{Positions: vs(4)}, {Normals: vs(4), Tangents: vs(4)}},
	}
	for i := range 4 {
		p.Weights[i], p.Colors[i], p.UV0[i], p.UV1[i] = geom.Vec4{1, 2}, geom.Vec4{0.1, 0.2, 0.3, 0.4}, geom.Vec2{0.5, 1}, geom.Vec2{2, 3}
		p.Tangents[i] = geom.Vec4{0, 1, 0, -1}
	}
	m := &scene.Model{}
	fill(t, rng, reflect.ValueOf(m).Elem())
	m.Name = "füll"
	m.Materials = materials[:1] // the other one is known by the variant only
	m.Variants = []string{"day", "night"}
	m.Meshes = []*scene.Mesh{{Name: "mesh", Primitives: []scene.Primitive{p}}}
	m.Roots = []int{1}
	light := m.Nodes[0].Light
	light.Kind = scene.LightSpot
	m.Nodes = []scene.Node{
		{Name: "child", Parent: 1, Local: geom.TRS(geom.Vec3{1, 2, 3}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 2}), Mesh: 0, Skin: 1,
			Weights: []float32{0.25, 0.75}},
		{Name: "root", Parent: -1, Children: []int{0, 2}, Local: geom.Identity(), Mesh: -1, Metadata: []scene.Metadata{
			{Key: "a", Value: "text"}, {Key: "b", Value: true}, {Key: "c", Value: false}, {Key: "d", Value: int64(-5)},
			{Key: "e", Value: 1.5}, {Key: "f", Value: geom.Vec3{1, 2, 3}}, {Key: "g", Value: geom.Vec4{1, 2, 3, 4}},
		}},
		{Name: "lamp", Parent: 1, Local: geom.Identity(), Mesh: -1, Light: light},
		{Name: "unused", Parent: -1, Local: geom.Identity(), Mesh: -1},
	}
	m.Skins = []scene.Skin{{Name: "skin", Joints: []int{0, 2}, Inverse: []geom.Mat4{geom.Identity(), {1, 2, 3}}, Skeleton: -1}}
	m.Animations[0].Channels = []scene.Channel{
		{Node: 0, Path: scene.PathRotation, Interpolation: scene.InterpolateCubic, Times: []float32{0, 1}, Values: make([]float32, 24)},
		{Node: 2, Path: scene.PathWeights, Interpolation: scene.InterpolateStep, Times: []float32{0, 1}, Values: []float32{1, 2, 3, 4}},
	}
	for _, ms := range m.Meshes {
		ms.Measure()
	}
	m.Measure()
	m.Points, m.Proxies = 0, nil // proxies are made where a model is loaded
	wantFilled(t, []string{"Points", "Proxies"}, *m)
	wantFilled(t, nil, m.Nodes[0], m.Nodes[1], m.Nodes[2])
	wantFilled(t, []string{"IsPoints", "Paged"}, p)
	wantFilled(t, nil, m.Skins[0], scene.Skin{Skeleton: 1})
	wantFilled(t, nil, m.Animations[0])
	wantFilled(t, nil, m.Animations[0].Channels[0], m.Animations[0].Channels[1])
	wantFilled(t, []string{"Blocks"}, *textures[0], *textures[1])
	return m
}

// wantFilled wants every field of a type to be other than zero in one of the values: a new field must be in this test.
func wantFilled[T any](t *testing.T, but []string, values ...T) {
	t.Helper()
	for i := range reflect.TypeFor[T]().NumField() {
		name := reflect.TypeFor[T]().Field(i).Name
		zero := true
		for _, v := range values {
			zero = zero && reflect.ValueOf(v).Field(i).IsZero()
		}
		if zero && !slices.Contains(but, name) {
			t.Errorf("the model of this test has no %T.%s", values[0], name)
		}
	}
}

// TestEverythingSurvives writes a model with everything in it and wants the same back.
func TestEverythingSurvives(t *testing.T) {
	m := fullModel(t)
	f, _, _ := write(t, m, asset.WriteOptions{RawTextures: true})
	if diff := cmp.Diff(m, f.Model()); diff != "" {
		t.Error(diff)
	}
	if err := f.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

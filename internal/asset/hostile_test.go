package asset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// sampleModel has a record in every table, and little of everything.
func sampleModel() *scene.Model {
	rng := rand.New(rand.NewPCG(5, 6))
	im := image.NewNRGBA(image.Rect(0, 0, 70, 20))
	for i := range im.Pix {
		im.Pix[i] = byte(rng.Uint32()) | 15
	}
	tex := &scene.Texture{Name: "texture", Image: im}
	ref := scene.TextureRef{Texture: tex, Matrix: [6]float32{1, 0, 0, 0, 1, 0}}
	mat := scene.DefaultMaterial()
	mat.BaseColorTex, mat.NormalTex, mat.Layers = ref, scene.TextureRef{Texture: &scene.Texture{Image: im}}, scene.DefaultLayers()
	var hill scene.Primitive
	const n = 14
	for y := range n + 1 {
		for x := range n + 1 {
			hill.Positions = append(hill.Positions, geom.Vec3{float32(x), rng.Float32(), float32(y)})
			hill.Normals = append(hill.Normals, geom.Vec3{0, 1, 0})
			hill.UV0 = append(hill.UV0, geom.Vec2{float32(x) / n, float32(y) / n})
		}
	}
	for y := range uint32(n) {
		for x := range uint32(n) {
			a := y*(n+1) + x
			hill.Indices = append(hill.Indices, a, a+n+1, a+1, a+1, a+n+1, a+n+2)
		}
	}
	hill.Material, hill.Variants = mat, []*scene.Material{scene.DefaultMaterial()}
	points := scene.Primitive{IsPoints: true, Material: mat}
	for range 100 {
		points.Positions = append(points.Positions, geom.Vec3{rng.Float32(), rng.Float32(), rng.Float32()})
	}
	skinned := scene.Primitive{
		Material: mat, Positions: []geom.Vec3{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}}, Indices: []uint32{0, 1, 2},
		Joints: make([][4]uint16, 3), Weights: []geom.Vec4{{1}, {1}, {1}}, Targets: []scene.MorphTarget{{Positions: make([]geom.Vec3, 3)}},
	}
	m := &scene.Model{
		Name: "sample", Roots: []int{0}, Materials: []*scene.Material{mat}, Variants: []string{"other"},
		Meshes: []*scene.Mesh{{Name: "a", Primitives: []scene.Primitive{hill, points}}, {Name: "b", Primitives: []scene.Primitive{skinned}}},
		Nodes: []scene.Node{
			{Name: "root", Parent: -1, Children: []int{1, 2}, Local: geom.Identity(), Mesh: 0,
				Metadata: []scene.Metadata{{Key: "key", Value: "value"}, {Key: "number", Value: int64(7)}}},
			{Name: "skinned", Parent: 0, Local: geom.Identity(), Mesh: 1, Skin: 1, Weights: []float32{0.5}},
			{Name: "light", Parent: 0, Local: geom.Identity(), Mesh: -1, Light: &scene.Light{Intensity: 1}},
		},
		Skins: []scene.Skin{{Joints: []int{0, 1}, Inverse: []geom.Mat4{geom.Identity(), geom.Identity()}, Skeleton: -1}},
		Animations: []scene.Animation{{Name: "turn", Channels: []scene.Channel{
			{Node: 1, Path: scene.PathScale, Times: []float32{0, 1}, Values: []float32{1, 1, 1, 2, 2, 2}},
		}}},
	}
	for _, ms := range m.Meshes {
		ms.Measure()
	}
	m.Measure()
	return m
}

// encode writes a model and returns the file.
func encode(tb testing.TB, m *scene.Model, o WriteOptions) []byte {
	tb.Helper()
	file, err := os.Create(filepath.Join(tb.TempDir(), "model"))
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	if _, err := Write(context.Background(), file, m, o); err != nil {
		tb.Fatal(err)
	}
	b, err := os.ReadFile(file.Name())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// consume opens an asset, reads all of it and writes that to w.
func consume(data []byte, w io.Writer) error {
	ctx := context.Background()
	f, err := Open(ctx, bytes.NewReader(data), OpenOptions{})
	if err != nil {
		return err
	}
	defer f.Close()
	var buf pageBuffer
	for i, info := range f.Pages() {
		p := buf.room(info)
		if err := f.ReadPage(ctx, i, p); err != nil {
			return err
		}
		for _, part := range []any{p.Positions, p.Surface, p.Detail, p.UV1, p.Triangles} {
			if err := binary.Write(w, le, part); err != nil {
				return err
			}
		}
	}
	for _, ms := range f.Model().Meshes {
		for i := range ms.Primitives {
			c, err := f.Collision(ctx, &ms.Primitives[i])
			if err != nil {
				return err
			}
			fmt.Fprint(w, c)
		}
	}
	if err := f.LoadTextures(ctx, nil); err != nil {
		return err
	}
	for _, t := range f.textures {
		fmt.Fprint(w, t.Blocks, t.Image)
	}
	for _, n := range f.Model().Nodes {
		fmt.Fprint(w, n.Name, n.Local, n.Metadata)
	}
	fmt.Fprint(w, f.Info())
	return f.Verify(ctx)
}

// digest is equal for files with equal contents.
func digest(data []byte) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = consume(data, h)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// TestFlippedBits flips a bit in every region: each file must be refused, or say the same as before (padding).
func TestFlippedBits(t *testing.T) {
	data := encode(t, sampleModel(), WriteOptions{Collision: true})
	want, err := digest(data)
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseHeader(data, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	inside := func(at int) bool {
		for _, s := range h.sections {
			if int64(at) >= s.offset && int64(at) < s.offset+s.length {
				return true
			}
		}
		return at < headerBytes
	}
	rng := rand.New(rand.NewPCG(7, 8))
	accepted := 0
	for at := rng.IntN(40); at < len(data); at += 1 + rng.IntN(90) {
		bit := byte(1) << rng.IntN(8)
		data[at] ^= bit
		got, err := digest(data)
		if err == nil {
			accepted++
			if got != want || inside(at) {
				t.Errorf("a flip at byte %d of %d went unnoticed", at, len(data))
			}
		}
		data[at] ^= bit
	}
	t.Logf("%d flips hit padding", accepted)
}

// reseal makes all checksums of a changed file right, as a hostile writer would.
func reseal(data []byte) {
	if len(data) < headerBytes {
		return
	}
	sections := map[sectionID][]byte{}
	sealed := map[sectionID]func(crc uint32){}
	n := min(le.Uint32(data[72:]), maxSections)
	for i := range n {
		r := data[sectionTable+i*sectionRecord:]
		offset, length := le.Uint64(r[8:]), le.Uint64(r[16:])
		if offset > uint64(len(data)) || length > uint64(len(data))-offset {
			continue
		}
		id := sectionID(le.Uint32(r))
		sections[id] = data[offset:][:length]
		sealed[id] = func(crc uint32) { le.PutUint32(r[4:], crc) }
	}
	// part is what a record points at, nil where that is outside.
	part := func(s []byte, offset, length uint64) []byte {
		if offset > uint64(len(s)) || length > uint64(len(s))-offset {
			return nil
		}
		return s[offset:][:length]
	}
	for r := sections[secPages]; len(r) >= pageRecord; r = r[pageRecord:] {
		s, offset := sections[secDetail], le.Uint64(r)
		if offset&highBit != 0 {
			s, offset = sections[secRoots], offset&^highBit
		}
		le.PutUint32(r[16:], checksum(part(s, offset, uint64(le.Uint32(r[8:])))))
	}
	for r := sections[secArrays]; len(r) >= arrayRecord; r = r[arrayRecord:] {
		le.PutUint32(r[4:], checksum(part(sections[secPlain], le.Uint64(r[8:]), le.Uint64(r[16:]))))
	}
	for r := sections[secCollisions]; len(r) >= collisionRecord; r = r[collisionRecord:] {
		le.PutUint32(r[12:], checksum(part(sections[secCollision], le.Uint64(r[16:]), le.Uint64(r[24:]))))
	}
	for id, s := range sections {
		sealed[id](checksum(s))
	}
	le.PutUint64(data[16:], uint64(len(data)))
	clear(data[12:16])
	le.PutUint32(data[12:], checksum(data[:headerBytes]))
}

// TestHostileNumbers puts bad numbers into every field of every table and makes the checksums right again: each file must be
// refused or be readable, and nothing may panic or make much memory of it.
func TestHostileNumbers(t *testing.T) {
	valid := encode(t, sampleModel(), WriteOptions{Collision: true})
	h, err := parseHeader(valid, int64(len(valid)))
	if err != nil {
		t.Fatal(err)
	}
	resealed := bytes.Clone(valid)
	reseal(resealed)
	if !bytes.Equal(valid, resealed) {
		t.Fatal("the test makes other checksums than Write")
	}
	refused, read := 0, 0
	try := func(at int, value uint32) {
		data := bytes.Clone(valid)
		le.PutUint32(data[at:], value)
		reseal(data)
		if readHostile(t, data) == nil {
			read++
		} else {
			refused++
		}
	}
	rng := rand.New(rand.NewPCG(9, 10))
	values := []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fc00000, 5000}
	for at := 16; at < sectionTable+len(h.sections)*sectionRecord; at += 4 {
		try(at, values[rng.IntN(len(values))])
	}
	for _, s := range h.sections {
		stride := 4
		if s.length > 600 {
			stride = int(s.length / 100 &^ 3)
		}
		for at := s.offset; at+4 <= s.offset+s.length; at += int64(stride) {
			try(int(at), values[rng.IntN(len(values))])
		}
	}
	t.Logf("%d files refused, %d read", refused, read)
}

// readHostile reads all of a file and watches the memory that this takes.
func readHostile(tb testing.TB, data []byte) error {
	allocated := func() uint64 {
		m := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(m)
		return m[0].Value.Uint64()
	}
	before := allocated()
	err := consume(data, io.Discard)
	// The decoder of zstd and the buffers of one page are there for any file.
	if used := allocated() - before; used > 4<<20+maxShrink*uint64(len(data)) {
		tb.Errorf("reading %d bytes took %d bytes of memory", len(data), used)
	}
	return err
}

// FuzzOpen reads whatever comes, as it is and with its checksums made right.
func FuzzOpen(f *testing.F) {
	valid := encode(f, sampleModel(), WriteOptions{Collision: true})
	f.Add(valid, uint32(0), uint32(0))
	f.Add(encode(f, &scene.Model{}, WriteOptions{}), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, at, value uint32) {
		_ = readHostile(t, data)
		if len(data) < headerBytes {
			return
		}
		changed := bytes.Clone(data)
		le.PutUint32(changed[int(at)%(len(changed)-4):], value)
		reseal(changed)
		_ = readHostile(t, changed)
	})
}

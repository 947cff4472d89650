package asset_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// mixed is a model of large and small geometries, points and a texture.
func mixed() *scene.Model {
	prims := []scene.Primitive{bumpySphere(60, 1, true), cloud(5000, 2)}
	for i := range uint64(20) {
		prims = append(prims, bumpySphere(6, 10+i, false))
	}
	im := image.NewNRGBA(image.Rect(0, 0, 200, 100))
	for i := range im.Pix {
		im.Pix[i] = byte(i * i >> 7)
	}
	prims[0].Material = scene.DefaultMaterial()
	prims[0].Material.BaseColorTex = scene.TextureRef{Texture: &scene.Texture{Name: "tex", Image: im}, Matrix: [6]float32{1, 0, 0, 0, 1, 0}}
	return modelOf(prims...)
}

func TestEqualModelsGiveEqualFiles(t *testing.T) {
	var before []byte
	for _, threads := range []int{1, 2, 5} {
		_, sum, path := write(t, mixed(), asset.WriteOptions{Threads: threads})
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(data, before) {
			t.Errorf("%d threads make another file", threads)
		}
		before = data
		if len(sum.ConversionHash) != 16 {
			t.Errorf("hash %q", sum.ConversionHash)
		}
	}
}

func TestConversionHash(t *testing.T) {
	hash := func(change func(m *scene.Model, o *asset.WriteOptions)) string {
		m, o := mixed(), asset.WriteOptions{}
		change(m, &o)
		f, sum, _ := write(t, m, o)
		if got := f.Info().ConversionHash; got != sum.ConversionHash {
			t.Errorf("the file says %s, Write said %s", got, sum.ConversionHash)
		}
		return sum.ConversionHash
	}
	base := hash(func(*scene.Model, *asset.WriteOptions) {})
	if hash(func(_ *scene.Model, o *asset.WriteOptions) {
		o.Settings, o.Generator = []byte(`{"scaling":2}`), "other"
	}) != base {
		t.Error("the settings' echo changes the hash")
	}
	for name, change := range map[string]func(m *scene.Model, o *asset.WriteOptions){
		"a vertex": func(m *scene.Model, _ *asset.WriteOptions) { m.Meshes[2].Primitives[0].Positions[5][1] += 0.1 },
		"a factor": func(m *scene.Model, _ *asset.WriteOptions) { m.Materials[0].Roughness = 0.5 },
		"a texel":  func(m *scene.Model, _ *asset.WriteOptions) { m.Materials[0].BaseColorTex.Texture.Image.Pix[0] ^= 0x80 },
		"a node": func(m *scene.Model, _ *asset.WriteOptions) {
			m.Nodes[3].Local = geom.TRS(geom.Vec3{1}, geom.Quat{3: 1}, geom.Vec3{1, 1, 1})
		},
		"resolution": func(_ *scene.Model, o *asset.WriteOptions) { o.PositionBits = 12 },
	} {
		if hash(change) == base {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

func TestEqualThingsAreStoredOnce(t *testing.T) {
	twice := func() *scene.Model {
		a, b := mixed(), mixed()
		for i, ms := range b.Meshes {
			a.Meshes = append(a.Meshes, ms)
			a.Nodes = append(a.Nodes, scene.Node{Parent: -1, Local: geom.Identity(), Mesh: len(b.Meshes) + i})
			a.Roots = append(a.Roots, len(b.Meshes)+i)
		}
		a.Materials = append(a.Materials, b.Materials...)
		a.Measure()
		return a
	}()
	_, one, _ := write(t, mixed(), asset.WriteOptions{})
	f, two, _ := write(t, twice, asset.WriteOptions{})
	if two.Geometries != one.Geometries || two.Textures != one.Textures || two.PageBytes != one.PageBytes || two.Primitives != 2*one.Primitives {
		t.Errorf("twice the same: %+v, once: %+v", two, one)
	}
	m := f.Model()
	if n := len(m.Meshes) / 2; m.Meshes[0].Primitives[0].Paged != m.Meshes[n].Primitives[0].Paged {
		t.Error("equal primitives have two hierarchies")
	}
	if m.Materials[0].BaseColorTex.Texture == m.Materials[len(m.Materials)/2].BaseColorTex.Texture {
		t.Error("two textures became one")
	}
}

// remote counts the requests that a reader makes.
type remote struct {
	*bytes.Reader
	mu    sync.Mutex
	reads []int64 // offsets
	bytes int64
	fail  bool
}

func (r *remote) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if r.fail {
		return 0, errors.New("connection lost")
	}
	r.reads = append(r.reads, off)
	r.bytes += int64(len(p))
	return r.Reader.ReadAt(p, off)
}

// TestFewRequests opens an asset as over a network: two requests bring all that a first picture needs.
func TestFewRequests(t *testing.T) {
	_, _, path := write(t, mixed(), asset.WriteOptions{})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	src := &remote{Reader: bytes.NewReader(data)}
	f, err := asset.Open(t.Context(), src, asset.OpenOptions{ReadAhead: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	roots := f.RootPages()
	if len(roots) == 0 {
		t.Fatal("no root pages")
	}
	read := func(i int) error {
		info := f.Pages()[i]
		return f.ReadPage(t.Context(), i, mesh.Page{Positions: make([]float32, 3*info.Vertices)})
	}
	for _, i := range roots {
		if err := read(i); err != nil {
			t.Fatal(err)
		}
		if len(f.Pages()[i].Needs) > 0 {
			t.Errorf("root page %d needs %v", i, f.Pages()[i].Needs)
		}
	}
	if b := f.Model().Materials[0].BaseColorTex.Texture.Blocks; b == nil || b.Width != 50 || b.Height != 25 {
		t.Errorf("the coarse texture is %+v", b)
	}
	if len(src.reads) != 2 || src.bytes >= int64(len(data)) {
		t.Errorf("requests at %v for %d of %d bytes", src.reads, src.bytes, len(data))
	}
	// A page that is not there yet costs one request, at the place that PageRange tells.
	for i := range f.Pages() {
		if len(f.Pages()[i].Needs) == 0 {
			continue
		}
		if err := read(i); err != nil {
			t.Fatal(err)
		}
		offset, _ := f.PageRange(i)
		if len(src.reads) != 3 || src.reads[2] != offset {
			t.Errorf("requests at %v, want the last at %d", src.reads, offset)
		}
		src.fail = true
		if err := read(i); err == nil || !strings.Contains(err.Error(), "connection lost") {
			t.Errorf("reading without connection: %v", err)
		}
		break
	}
	src.fail = false
	if err := f.LoadTextures(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	full := f.Model().Materials[0].BaseColorTex.Texture
	if b := full.Blocks; b.Width != 200 || len(b.Levels) != 8 {
		t.Errorf("the texture is %d wide with %d mips", b.Width, len(b.Levels))
	}
}

// TestPagesNeedCoarserOnes follows what pages need up to the roots.
func TestPagesNeedCoarserOnes(t *testing.T) {
	f, _, _ := write(t, mixed(), asset.WriteOptions{})
	usable := map[uint32]bool{}
	for range f.Pages() {
		for i, p := range f.Pages() {
			ready := true
			for _, n := range p.Needs {
				ready = ready && usable[n]
			}
			if ready {
				usable[uint32(i)] = true
			}
		}
	}
	if len(usable) != len(f.Pages()) {
		t.Errorf("%d of %d pages can become usable", len(usable), len(f.Pages()))
	}
}

func TestWriteEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	file, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o := asset.WriteOptions{Progress: func(string, float64) { cancel() }}
	if _, err := asset.Write(ctx, file, mixed(), o); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v", err)
	}
	if _, err := asset.OpenFile(file.Name()); err == nil {
		t.Error("half an asset opens")
	}
}

func TestProgress(t *testing.T) {
	last := map[string]float64{}
	o := asset.WriteOptions{Progress: func(stage string, done float64) {
		if done < last[stage] || done > 1 {
			t.Errorf("%s goes from %v to %v", stage, last[stage], done)
		}
		last[stage] = done
	}}
	write(t, mixed(), o)
	for _, stage := range []string{asset.StageGeometry, asset.StageTextures, asset.StageTables} {
		if last[stage] != 1 {
			t.Errorf("%s ends at %v", stage, last[stage])
		}
	}
}

// TestFileCutShort truncates a file that is mapped: touching what is gone is an error, no crash.
func TestFileCutShort(t *testing.T) {
	f, _, path := write(t, mixed(), asset.WriteOptions{})
	if err := os.Truncate(path, 4096); err != nil {
		t.Skipf("the system does not let a file in use be cut: %v", err)
	}
	if err := f.Verify(t.Context()); err == nil {
		t.Error("a file that was cut short verifies")
	}
	if _, err := asset.OpenFile(path); err == nil {
		t.Error("a file that was cut short opens")
	}
}

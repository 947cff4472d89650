// Package cpu draws snapshots on the CPU: clusters are culled (frustum, cone, two-pass occlusion), rasterised into a
// visibility buffer of 1/w and ids, and shaded deferred. The hot loops exist twice, as C kernels for AVX2 and AVX-512 and
// as a scalar Go twin, with bit-identical results. It keeps no snapshot but that of a target's last picture, and does no I/O.
package cpu

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
)

// Config sets how much of the machine an Engine uses. The zero value uses all of it. No setting but FullDetail changes a pixel of a
// frame that has the same pages in memory.
type Config struct {
	Threads     int  // goroutines that work on one frame; 0 = GOMAXPROCS
	ForceScalar bool // use the Go twin even where SIMD kernels could run

	FullDetail bool // moving views as if there were no levels of detail: what others are compared with

	PageBytes int64        // memory for pages of geometry that is read while it is drawn; 0 = 512 MiB
	Log       *slog.Logger // told of pages that cannot be read; nil = nobody
}

// Engine implements render.Engine. Each stage of a frame starts its own goroutines and waits for them. Others read the pages
// that frames miss; they end when there is none to read, and Close waits for them.
type Engine struct {
	threads int
	full    bool // Config.FullDetail
	bind    binder
	simd    string      // instruction set of the kernels
	sky     func() *sky // built by the first Prepare or Render: 35 ms that a start need not wait for

	pool     *pool
	mu       sync.Mutex
	meshes   map[*scene.Mesh]*cachedMesh
	textures map[textureKey]*cachedTexture
}

var _ render.Engine = (*Engine)(nil)

// kernels are the hot loops, once in Go and once a SIMD width in C.
type kernels interface {
	// raster draws the triangles of items (indices into f.items, all kindFast) into rows y0 <= y < y1.
	raster(f *frame, items []uint32, y0, y1 int)
	// points draws items of points into rows y0 <= y < y1.
	points(f *frame, items []uint32, y0, y1 int)
	// hz reduces rows of 8x8 pixel tiles to their farthest depth.
	hz(f *frame, tileY0, tileY1 int)
	// paintRows shades what rows y0 <= y < y1 of all layers show, tone-maps it, adds it to the accumulated samples if any, and
	// writes Target.color. It notes in Target.seen which items the opaque layer shows.
	paintRows(f *frame, y0, y1 int)
	// resolveRows writes the final pixels and I420 planes of rows y0 <= y < y1; both are even.
	resolveRows(f *frame, y0, y1 int, filter bool)
}

// binder gives the kernels a frame, once its draws are known; release ends their use of it.
type binder func(*frame) (k kernels, release func())

// simdLevel is the kernels of one instruction set.
type simdLevel struct {
	name string
	bind binder
}

// New makes an engine; it fails only for a negative thread count.
func New(c Config) (*Engine, error) {
	if c.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads", c.Threads)
	}
	e := &Engine{
		threads:  c.Threads,
		full:     c.FullDetail,
		simd:     "scalar",
		bind:     func(*frame) (kernels, func()) { return scalar{}, func() {} },
		sky:      sync.OnceValue(newStudioSky),
		meshes:   map[*scene.Mesh]*cachedMesh{},
		textures: map[textureKey]*cachedTexture{},
		pool:     newPool(c.PageBytes, c.Log),
	}
	if e.threads == 0 {
		e.threads = runtime.GOMAXPROCS(0)
	}
	if l := simdLevels(); len(l) > 0 && !c.ForceScalar {
		e.simd, e.bind = l[0].name, l[0].bind
	}
	return e, nil
}

// Name describes the engine for people, such as "cpu (AVX2, 2 threads)".
func (e *Engine) Name() string { return fmt.Sprintf("cpu (%s, %d threads)", e.simd, e.threads) }

// NewTarget implements render.Engine.
func (e *Engine) NewTarget(width, height int) (render.Target, error) {
	if width < 16 || height < 16 || width > 8192 || height > 8192 || width%2 != 0 || height%2 != 0 {
		return nil, fmt.Errorf("cpu: target of %dx%d pixels; want even sizes in 16..8192", width, height)
	}
	return newTarget(e, width, height), nil
}

// OnArrival implements render.Engine.
func (e *Engine) OnArrival(f func()) { e.pool.changed = f }

// Close implements render.Engine.
func (e *Engine) Close() error {
	e.pool.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.meshes, e.textures = nil, nil
	return nil
}

// parallel calls work(0) .. work(n-1) from up to threads goroutines and returns when all have.
func (e *Engine) parallel(n int, work func(i int)) {
	var next atomic.Int64
	run := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			work(i)
		}
	}
	var wg sync.WaitGroup
	for range min(e.threads, n) - 1 {
		wg.Go(run)
	}
	run()
	wg.Wait()
}

// Prepare implements render.Engine.
func (e *Engine) Prepare(ctx context.Context, m *scene.Model, progress func(done float64)) error {
	return e.prepare(ctx, m, progress)
}

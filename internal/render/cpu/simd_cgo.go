//go:build cgo && amd64

package cpu

/*
#cgo CFLAGS: -std=c11 -O3 -Wall -Wno-psabi
#include "kernels.h"
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// The kernels read these Go types in place.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(mesh.Cluster{})-C.sizeof_hg_cluster]
	_ = [1]struct{}{}[unsafe.Offsetof(mesh.Cluster{}.FirstVertex)-unsafe.Offsetof(C.hg_cluster{}.first_vertex)]
	_ = [1]struct{}{}[unsafe.Sizeof(item{})-C.sizeof_hg_item]
	_ = [1]struct{}{}[unsafe.Offsetof(item{}.firstTriangle)-unsafe.Offsetof(C.hg_item{}.first_triangle)]
	_ = [1]struct{}{}[unsafe.Offsetof(item{}.textured)-unsafe.Offsetof(C.hg_item{}.textured)]
	_ = [1]struct{}{}[unsafe.Offsetof(item{}.size)-unsafe.Offsetof(C.hg_item{}.size)]
	_ = [1]struct{}{}[unsafe.Sizeof(atomic.Bool{})-4]
	_ = [1]struct{}{}[peelLayers-C.HG_PEEL]
	_ = [1]struct{}{}[unsafe.Sizeof(sky{}.sh)-unsafe.Sizeof(C.hg_sky{}.sh)]
)

// The ISO dialect (-std=c11) keeps GCC from fusing products and sums; clang gets a pragma in kernels.inc.h.
//
// level is one instruction set's kernels.
type level struct {
	raster  func(f *C.hg_frame, items *C.uint32_t, n, y0, y1 C.int32_t)
	points  func(f *C.hg_frame, items *C.uint32_t, n, y0, y1 C.int32_t)
	hz      func(f *C.hg_frame, y0, y1 C.int32_t)
	paint   func(f *C.hg_frame, y0, y1, peeled C.int32_t)
	resolve func(f *C.hg_frame, y0, y1, filter C.int32_t)
}

// simdLevels lists what this CPU can run, widest first.
func simdLevels() []simdLevel {
	var out []simdLevel
	if x := cpu.X86; x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		out = append(out, simdLevel{"AVX-512", (&level{
			raster:  func(f *C.hg_frame, items *C.uint32_t, n, y0, y1 C.int32_t) { C.hg_raster_avx512(f, items, n, y0, y1) },
			points:  func(f *C.hg_frame, items *C.uint32_t, n, y0, y1 C.int32_t) { C.hg_points_avx512(f, items, n, y0, y1) },
			hz:      func(f *C.hg_frame, y0, y1 C.int32_t) { C.hg_hz_avx512(f, y0, y1) },
			paint:   func(f *C.hg_frame, y0, y1, peeled C.int32_t) { C.hg_paint_avx512(f, y0, y1, peeled) },
			resolve: func(f *C.hg_frame, y0, y1, filter C.int32_t) { C.hg_resolve_avx512(f, y0, y1, filter) },
		}).bind})
	}
	if x := cpu.X86; x.HasAVX2 && x.HasBMI1 && x.HasBMI2 {
		out = append(out, simdLevel{"AVX2", (&level{
			raster:  func(f *C.hg_frame, items *C.uint32_t, n, y0, y1 C.int32_t) { C.hg_raster_avx2(f, items, n, y0, y1) },
			points:  func(f *C.hg_frame, items *C.uint32_t, n, y0, y1 C.int32_t) { C.hg_points_avx2(f, items, n, y0, y1) },
			hz:      func(f *C.hg_frame, y0, y1 C.int32_t) { C.hg_hz_avx2(f, y0, y1) },
			paint:   func(f *C.hg_frame, y0, y1, peeled C.int32_t) { C.hg_paint_avx2(f, y0, y1, peeled) },
			resolve: func(f *C.hg_frame, y0, y1, filter C.int32_t) { C.hg_resolve_avx2(f, y0, y1, filter) },
		}).bind})
	}
	return out
}

// bound is a frame as the kernels see it. Everything it points to is pinned until release.
type bound struct {
	*level
	c     *C.hg_frame
	pins  runtime.Pinner
	mats  map[*material]*C.hg_material
	texes map[*texture]*C.hg_texture
}

func (l *level) bind(f *frame) (kernels, func()) {
	t := f.t
	b := &bound{level: l, mats: map[*material]*C.hg_material{}, texes: map[*texture]*C.hg_texture{}}
	b.c = pinned(b, &C.hg_frame{
		w: C.int32_t(t.w), h: C.int32_t(t.h), stride: C.int32_t(t.stride), color_stride: C.int32_t(t.colorStride),
		depth: floats(b, t.depth), id: words(b, t.id), color: words(b, t.color), final: words(b, t.final),
		luma: bytes(b, t.luma), seen: (*C.uint32_t)(unsafe.Pointer(pinSlice(b, t.seen))),
		plane_y: bytes(b, t.planeY), plane_u: bytes(b, t.planeU), plane_v: bytes(b, t.planeV),
		sky: b.sky(f.sky), sky_intensity: C.float(f.skyIntensity), lod_scale: C.float(f.lodScale),
		lit: flag(f.lit), trilinear: flag(f.trilinear),
		near: C.float(f.near), hz: floats(b, t.occ.far[0]), hz_w: C.int32_t(t.occ.w[0]),
		draws: b.draws(f.draws), items: (*C.hg_item)(unsafe.Pointer(pinSlice(b, f.items[:cap(f.items)]))),
	})
	for _, v := range []struct {
		dst *[3]C.float
		src [3]float32
	}{
		{&b.c.ray0, f.ray0}, {&b.c.ray_x, f.rayX}, {&b.c.ray_y, f.rayY},
		{&b.c.to_light, f.toLight}, {&b.c.light_color, f.lightColor}, {&b.c.background, f.background},
	} {
		*v.dst = *(*[3]C.float)(unsafe.Pointer(&v.src))
	}
	for i := range t.peels {
		b.c.peel[i] = words(b, t.peels[i].id)
	}
	if t.sample > 0 {
		b.c.samples = C.int32_t(t.sum.samples)
		for k := range t.sum.plane {
			b.c.sum[k] = floats(b, t.sum.plane[k])
		}
	}
	return b, b.pins.Unpin
}

// draws translates ds, one material and texture once.
func (b *bound) draws(ds []draw) *C.hg_draw {
	if len(ds) == 0 {
		return nil
	}
	out := make([]C.hg_draw, len(ds))
	b.pins.Pin(&out[0])
	prims := map[*prim]*C.hg_draw{}
	for i := range ds {
		d, o := &ds[i], &out[i]
		if same := prims[d.prim]; same != nil {
			*o = *same
		} else {
			p := d.prim
			o.clusters = (*C.hg_cluster)(unsafe.Pointer(pinSlice(b, p.Clusters)))
			o.positions, o.surface = floats(b, p.Positions), words(b, p.Surface)
			if p.HasColors || p.mat.textured() {
				o.detail, o.uv1 = words(b, p.Detail), floats(b, p.UV1)
			}
			o.triangles = words(b, p.Triangles)
			o.has_normals, o.has_tangents = flag(p.HasNormals), flag(p.HasTangents)
			o.has_colors, o.has_uv0 = flag(p.HasColors), flag(p.HasUV0)
			o.points, o.mat = flag(p.points), b.material(p.mat)
			prims[d.prim] = o
		}
		o.clip = *(*[12]C.float)(unsafe.Pointer(&d.clip))
		o.world = *(*[12]C.float)(unsafe.Pointer(&d.world))
		o.normal = *(*[9]C.float)(unsafe.Pointer(&d.normal))
		o.eye = *(*[3]C.float)(unsafe.Pointer(&d.eye))
		o.ray0 = *(*[3]C.float)(unsafe.Pointer(&d.rays[0]))
		o.ray_x = *(*[3]C.float)(unsafe.Pointer(&d.rays[1]))
		o.ray_y = *(*[3]C.float)(unsafe.Pointer(&d.rays[2]))
		o.flip, o.flat = flag(d.flip), flag(!d.eyeOK)
	}
	return &out[0]
}

func (b *bound) material(m *material) *C.hg_material {
	if c := b.mats[m]; c != nil {
		return c
	}
	c := pinned(b, &C.hg_material{
		factor:             *(*[4]C.float)(unsafe.Pointer(&m.BaseColor)),
		emissive:           *(*[3]C.float)(unsafe.Pointer(&m.Emissive)),
		metallic:           C.float(m.Metallic),
		roughness:          C.float(m.Roughness),
		normal_scale:       C.float(m.NormalScale),
		occlusion_strength: C.float(m.Occlusion),
		blend:              flag(m.Alpha == scene.AlphaBlend),
		double_sided:       flag(m.DoubleSided),
		unlit:              flag(m.Unlit),
		shared_orm:         flag(m.sharedORM),
		textured:           flag(m.textured()),
		base:               b.sampler(&m.base),
		metal_rough:        b.sampler(&m.metalRough),
		normal:             b.sampler(&m.normal),
		occlusion:          b.sampler(&m.occlusion),
		emission:           b.sampler(&m.emissive),
	})
	b.mats[m] = c
	return c
}

func (b *bound) sampler(s *sampler) C.hg_sampler {
	if s.tex == nil {
		return C.hg_sampler{}
	}
	c := b.texes[s.tex]
	if c == nil {
		t := s.tex
		c = pinned(b, &C.hg_texture{
			texels: words(b, t.texels), levels: C.int32_t(t.levels), nearest: flag(t.nearest),
			wrap_u: C.int32_t(t.wrapU), wrap_v: C.int32_t(t.wrapV),
			offset: *(*[maxMips]C.int32_t)(unsafe.Pointer(&t.offset)),
			width:  *(*[maxMips]C.int32_t)(unsafe.Pointer(&t.width)),
			height: *(*[maxMips]C.int32_t)(unsafe.Pointer(&t.height)),
		})
		b.texes[s.tex] = c
	}
	return C.hg_sampler{tex: c, uv: C.int32_t(s.uv), m: *(*[6]C.float)(unsafe.Pointer(&s.m))}
}

func (b *bound) sky(s *sky) *C.hg_sky {
	return pinned(b, &C.hg_sky{
		sh:       *(*[9][3]C.float)(unsafe.Pointer(&s.sh)),
		specular: (*C.uint32_t)(unsafe.Pointer(pinSlice(b, s.specular))),
		dfg:      (*C.uint32_t)(unsafe.Pointer(pinSlice(b, s.dfg))),
		offset:   *(*[skyLevels]C.int32_t)(unsafe.Pointer(&s.offset)),
		size:     *(*[skyLevels]C.int32_t)(unsafe.Pointer(&s.size)),
	})
}

func (b *bound) raster(f *frame, items []uint32, y0, y1 int) {
	b.level.raster(b.c, (*C.uint32_t)(&items[0]), C.int32_t(len(items)), C.int32_t(y0), C.int32_t(y1))
}

func (b *bound) points(f *frame, items []uint32, y0, y1 int) {
	b.level.points(b.c, (*C.uint32_t)(&items[0]), C.int32_t(len(items)), C.int32_t(y0), C.int32_t(y1))
}

func (b *bound) hz(_ *frame, y0, y1 int) { b.level.hz(b.c, C.int32_t(y0), C.int32_t(y1)) }

func (b *bound) paintRows(f *frame, y0, y1 int) {
	b.paint(b.c, C.int32_t(y0), C.int32_t(y1), C.int32_t(f.t.peeled))
}

func (b *bound) resolveRows(_ *frame, y0, y1 int, filter bool) {
	b.resolve(b.c, C.int32_t(y0), C.int32_t(y1), flag(filter))
}

func pinned[T any](b *bound, p *T) *T {
	b.pins.Pin(p)
	return p
}

func pinSlice[T any](b *bound, s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return pinned(b, &s[0])
}

func floats(b *bound, s []float32) *C.float  { return (*C.float)(pinSlice(b, s)) }
func words(b *bound, s []uint32) *C.uint32_t { return (*C.uint32_t)(pinSlice(b, s)) }
func bytes(b *bound, s []byte) *C.uint8_t    { return (*C.uint8_t)(pinSlice(b, s)) }

func flag(v bool) C.int32_t {
	if v {
		return 1
	}
	return 0
}

// The C kernels' view of a frame. Layouts that mirror Go types are checked at compile time in simd_cgo.go.
#pragma once
#include <stdint.h>

enum { HG_MAX_MIPS = 15, HG_SKY_LEVELS = 12, HG_LUT = 32, HG_PIXEL_PAD = 16, HG_PEEL = 4 };

typedef struct {
	const uint32_t *texels;
	int32_t levels, wrap_u, wrap_v, nearest;
	int32_t offset[HG_MAX_MIPS], width[HG_MAX_MIPS], height[HG_MAX_MIPS];
} hg_texture;

typedef struct {
	const hg_texture *tex; // NULL: none
	int32_t uv;
	float m[6];
} hg_sampler;

typedef struct {
	float factor[4], emissive[3];
	float metallic, roughness, normal_scale, occlusion_strength;
	int32_t blend, double_sided, unlit, shared_orm, textured;
	hg_sampler base, metal_rough, normal, occlusion, emission;
} hg_material;

typedef struct { // mesh.Cluster
	float center[3], half[3], radius, axis[3], cutoff;
	uint32_t first_vertex, first_triangle, vertices, triangles;
} hg_cluster;

typedef struct { // item
	uint32_t draw, cluster, first_vertex, first_triangle;
	int16_t y0, y1;
	uint8_t slow, textured;
	float size; // of points
} hg_item;

typedef struct {
	float clip[12], world[12], normal[9];
	float eye[3], ray0[3], ray_x[3], ray_y[3];
	int32_t flip, flat;
	const hg_cluster *clusters;
	const float *positions;
	const uint32_t *surface, *detail, *triangles; // detail may be NULL
	const float *uv1;                             // may be NULL
	int32_t has_normals, has_tangents, has_colors, has_uv0, points;
	const hg_material *mat;
} hg_draw;

typedef struct {
	float sh[9][3];
	const uint32_t *specular, *dfg;
	int32_t offset[HG_SKY_LEVELS], size[HG_SKY_LEVELS];
} hg_sky;

typedef struct {
	int32_t w, h, stride, color_stride; // pixels
	float *depth;
	uint32_t *id, *color, *final;
	uint8_t *luma; // of color, for the edge filter
	uint8_t *plane_y, *plane_u, *plane_v;
	const uint32_t *peel[HG_PEEL]; // ids of blended layers, front to back
	uint32_t *seen; // by item: shows in the opaque layer
	const hg_item *items;
	const hg_draw *draws;
	const hg_sky *sky;
	float ray0[3], ray_x[3], ray_y[3]; // world space
	float to_light[3], light_color[3], background[3], sky_intensity, lod_scale;
	int32_t lit, trilinear;
	float *hz, near;
	int32_t hz_w;
	float *sum[3]; // NULL: no accumulation
	int32_t samples;
} hg_frame;

#define HG_KERNELS(isa)                                                                                        \
	void hg_raster_##isa(const hg_frame *f, const uint32_t *items, int32_t n, int32_t y0, int32_t y1);         \
	void hg_points_##isa(const hg_frame *f, const uint32_t *items, int32_t n, int32_t y0, int32_t y1);         \
	void hg_hz_##isa(const hg_frame *f, int32_t tile_y0, int32_t tile_y1);                                     \
	void hg_paint_##isa(const hg_frame *f, int32_t y0, int32_t y1, int32_t peeled);                            \
	void hg_resolve_##isa(const hg_frame *f, int32_t y0, int32_t y1, int32_t filter);
HG_KERNELS(avx2)
HG_KERNELS(avx512)

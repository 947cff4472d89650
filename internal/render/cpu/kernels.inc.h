// The kernels, written once for any vector width. The scalar twin in raster.go, shade.go and resolve.go says what each
// line is for; both compute the same roundings in the same order, so change them together.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
#define SPLAT(x) ((x) - (vf){}) // x - 0 is x; 0 + x is not, for -0
#define SPLATI(x) ((vi){} + (x))
#define ALL ((uint32_t)((1ull << VW) - 1))

static inline vf tof(vi x) { return __builtin_convertvector(x, vf); }
static inline vf loadf(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
static inline vi loadi(const void *p) { vi v; memcpy(&v, p, sizeof v); return v; }
static inline void storef(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline void storei(void *p, vi v) { memcpy(p, &v, sizeof v); }
static inline vf clampf(vf x, float lo, float hi) { return minf(maxf(x, SPLAT(lo)), SPLAT(hi)); }
static inline vf absf(vf x) { return (vf)((vi)x & 0x7fffffff); }
static inline vi absi(vi x) { return maxi(x, -x); }

typedef struct { vf x, y, z; } v3;
static inline vf dot(v3 a, v3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static inline v3 cross(v3 a, v3 b) {
	return (v3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
static inline v3 sub(v3 a, v3 b) { return (v3){a.x - b.x, a.y - b.y, a.z - b.z}; }
static inline v3 scale(v3 a, vf s) { return (v3){a.x * s, a.y * s, a.z * s}; }
static inline v3 splat3(const float *p) { return (v3){SPLAT(p[0]), SPLAT(p[1]), SPLAT(p[2])}; }
static inline v3 unit(v3 a) { return scale(a, 1.0f / vsqrt(maxf(dot(a, a), SPLAT(1e-30f)))); }
static inline v3 sel3(vi m, v3 a, v3 b) { return (v3){sel(m, a.x, b.x), sel(m, a.y, b.y), sel(m, a.z, b.z)}; }

// ---- rasterisation ----

enum { SUB = 256, HALF = 128, SMALL = 1 << 14 };

typedef struct { int32_t x, y; float z, pad; } corner;

static inline float min1(float a, float b) { return a < b ? a : b; }
static inline float max1(float a, float b) { return a > b ? a : b; }

// put draws the lanes of m that are nearer.
static inline void put(float *depth, uint32_t *id, vi m, vf z, uint32_t tri) {
	vf d = loadf(depth);
	m &= (vi)(z > d);
	if (!bits(m)) return;
	storef(depth, sel(m, z, d));
	storei(id, seli(m, SPLATI((int32_t)tri), loadi(id)));
}

// triangle draws one of any size: exact spans from 64-bit edge functions.
static __attribute__((noinline)) void triangle(const hg_frame *f, const corner *v0, const corner *v1, const corner *v2, uint32_t id, int two_sided,
                     int y0, int y1) {
	int64_t area = (int64_t)(v1->x - v0->x) * (v2->y - v0->y) - (int64_t)(v1->y - v0->y) * (v2->x - v0->x);
	if (area < 0 && two_sided) {
		const corner *t = v1;
		v1 = v2, v2 = t, area = -area;
	}
	if (area <= 0) return;
	int32_t ax = v0->x, ay = v0->y, bx = v1->x, by = v1->y, cx = v2->x, cy = v2->y;
	int32_t min_x = ax < bx ? ax : bx, max_x = ax > bx ? ax : bx, min_y = ay < by ? ay : by, max_y = ay > by ? ay : by;
	min_x = min_x < cx ? min_x : cx, max_x = max_x > cx ? max_x : cx;
	min_y = min_y < cy ? min_y : cy, max_y = max_y > cy ? max_y : cy;
	int px0 = (min_x + HALF - 1) >> 8, px1 = (max_x - HALF) >> 8, py0 = (min_y + HALF - 1) >> 8, py1 = (max_y - HALF) >> 8;
	if (px0 < 0) px0 = 0;
	if (px1 > f->w - 1) px1 = f->w - 1;
	if (py0 < y0) py0 = y0;
	if (py1 > y1 - 1) py1 = y1 - 1;
	if (px0 > px1 || py0 > py1) return;

	float k = (float)SUB / (float)area;
	float fa0 = (float)(ay - by), fa1 = (float)(by - cy), fa2 = (float)(cy - ay);
	float fb0 = (float)(bx - ax), fb1 = (float)(cx - bx), fb2 = (float)(ax - cx);
	float z0 = v0->z, z1 = v1->z, z2 = v2->z;
	float dx = (z0 * fa1 + z1 * fa2 + z2 * fa0) * k, dy = (z0 * fb1 + z1 * fb2 + z2 * fb0) * k;
	float x0f = (float)(ax - HALF) * (1.0f / SUB), y0f = (float)(ay - HALF) * (1.0f / SUB);
	vf zmin = SPLAT(min1(z0, min1(z1, z2))), zmax = SPLAT(max1(z0, max1(z1, z2)));
	vf lane = tof(LANES + px0) - x0f;
	int64_t qx = (int64_t)px0 * SUB + HALF, qy = (int64_t)py0 * SUB + HALF;
	int64_t e[3], a[3] = {ay - by, by - cy, cy - ay}, b[3] = {bx - ax, cx - bx, ax - cx};
	e[0] = a[0] * (qx - ax) + b[0] * (qy - ay);
	e[1] = a[1] * (qx - bx) + b[1] * (qy - by);
	e[2] = a[2] * (qx - cx) + b[2] * (qy - cy);
	for (int i = 0; i < 3; i++) {
		if (!(a[i] > 0 || (a[i] == 0 && b[i] > 0))) e[i]--;
		a[i] *= SUB, b[i] *= SUB;
	}
	for (int y = py0; y <= py1; y++, e[0] += b[0], e[1] += b[1], e[2] += b[2]) {
		int64_t from = 0, to = px1 - px0;
		for (int i = 0; i < 3; i++) {
			if (a[i] > 0 && e[i] < 0) {
				int64_t s = (-e[i] + a[i] - 1) / a[i];
				if (s > from) from = s;
			} else if (a[i] <= 0 && e[i] < 0) {
				to = -1;
			} else if (a[i] < 0) {
				int64_t s = e[i] / -a[i];
				if (s < to) to = s;
			}
		}
		size_t o = (size_t)y * (size_t)f->stride + (size_t)px0;
		float row = dy * ((float)y - y0f) + z0;
		for (int64_t x = from; x <= to; x += VW) {
			vf z = minf(maxf(dx * (lane + (float)x) + row, zmin), zmax);
			put(f->depth + o + x, f->id + o + x, SPLATI((int32_t)(to - x)) >= LANES, z, id);
		}
	}
}

static inline vi snap(vf x) { return (vi)(x + 12582912.0f) - 0x4B400000; }

// batch is VW small triangles set up together: all edge functions fit in 32 bits, even a vector beside the box.
typedef struct {
	vi e[3], a[3], b[3], px0, px1, py0, py1;
	vf dx, dy, z, x0, y0, min, max;
} batch;

static inline void small(const hg_frame *f, const batch *t, int k, uint32_t id) {
	// Vectors start at multiples of VW: loads meet the stores of neighbouring triangles whole.
	int px0 = t->px0[k], px1 = t->px1[k], xs = px0 & ~(VW - 1);
	int32_t a0 = t->a[0][k], a1 = t->a[1][k], a2 = t->a[2][k], back = xs - px0;
	vi e0 = LANES * a0 + (t->e[0][k] + a0 * back), e1 = LANES * a1 + (t->e[1][k] + a1 * back);
	vi e2 = LANES * a2 + (t->e[2][k] + a2 * back);
	vi b0 = SPLATI(t->b[0][k]), b1 = SPLATI(t->b[1][k]), b2 = SPLATI(t->b[2][k]);
	float dx = t->dx[k], dy = t->dy[k], z0 = t->z[k], x0 = t->x0[k], y0 = t->y0[k];
	vf zmin = SPLAT(t->min[k]), zmax = SPLAT(t->max[k]);
	int py0 = t->py0[k], py1 = t->py1[k];
	for (int x = xs; x <= px1; x += VW) {
		vi room = SPLATI(px1 - x) - LANES, g0 = e0, g1 = e1, g2 = e2;
		vf slope = dx * (tof(LANES + x) - x0);
		size_t o = (size_t)py0 * (size_t)f->stride + (size_t)x;
		for (int y = py0; y <= py1; y++, o += (size_t)f->stride, g0 += b0, g1 += b1, g2 += b2) {
			vf z = minf(maxf(slope + (dy * ((float)y - y0) + z0), zmin), zmax), d = loadf(f->depth + o);
			vi m = (vi)(z > d) & ~(g0 | g1 | g2 | room);
			// Storing always costs less than a branch that cannot be predicted.
			storef(f->depth + o, sel(m, z, d));
			storei(f->id + o, (vi)sel(m, (vf)SPLATI((int32_t)id), loadf((const float *)(f->id + o))));
		}
		e0 += a0 * VW, e1 += a1 * VW, e2 += a2 * VW;
	}
}

// project fills V with the vertices of an item, and keys with where pixel centres lie between them: each half of a key, x low and
// y high, is even between two centres, odd on one, and held to the pixels that are drawn. It returns false if the depth so far
// hides all of them.
static inline int project(const hg_frame *f, const hg_item *it, int y0, int y1, corner *V, int32_t *keys) {
	const hg_draw *d = &f->draws[it->draw];
	const hg_cluster *c = &d->clusters[it->cluster];
	const float *M = d->clip;
	vi least = SPLATI(0x7fff7fff), most = SPLATI(0);
	vf nearest = SPLAT(0);
	for (uint32_t v = 0; v < c->vertices; v += VW) {
		const float *p = d->positions + (size_t)((it->first_vertex + v) / 16) * 48 + v % 16;
		vf x = loadf(p), y = loadf(p + 16), z = loadf(p + 32);
		vf iw = 1.0f / (x * M[8] + y * M[9] + z * M[10] + M[11]);
		vi sx = snap((x * M[0] + y * M[1] + z * M[2] + M[3]) * iw), sy = snap((x * M[4] + y * M[5] + z * M[6] + M[7]) * iw);
		store_quads((float *)&V[v], (vf)sx, (vf)sy, iw, iw);
		vi kx = ((sx + (HALF - 1)) >> 8) + ((sx + HALF) >> 8), ky = ((sy + (HALF - 1)) >> 8) + ((sy + HALF) >> 8);
		vi key = mini(maxi(kx, SPLATI(0)), SPLATI(2 * f->w)) | mini(maxi(ky, SPLATI(2 * y0)), SPLATI(2 * y1)) << 16;
		storei(keys + v, key);
		least = min16(least, key), most = max16(most, key), nearest = maxf(iw, nearest);
	}
	int px0 = f->w, px1 = 0, py0 = y1, py1 = y0;
	float z = 0;
	for (int k = 0; k < VW; k++) {
		int lo = least[k], hi = most[k];
		if ((lo & 0xffff) / 2 < px0) px0 = (lo & 0xffff) / 2;
		if ((hi & 0xffff) / 2 > px1) px1 = (hi & 0xffff) / 2;
		if ((lo >> 16) / 2 < py0) py0 = (lo >> 16) / 2;
		if ((hi >> 16) / 2 > py1) py1 = (hi >> 16) / 2;
		z = max1(nearest[k], z);
	}
	for (int y = py0; y < y1 && y <= py1; y++)
		for (int x = px0; x < f->w && x <= px1; x += VW) {
			vi in = SPLATI(px1 - x) >= LANES;
			if (bits((vi)(z > loadf(f->depth + (size_t)y * (size_t)f->stride + (size_t)x)) & in)) return 1;
		}
	return 0;
}

// prefetch asks for what project and candidates read: memory is far, and the clusters that a picture shows do not fit into caches.
static inline __attribute__((always_inline)) void prefetch(const hg_frame *f, const hg_item *it) {
	const hg_draw *d = &f->draws[it->draw];
	const hg_cluster *c = &d->clusters[it->cluster];
	const char *p = (const char *)(d->positions + (size_t)(it->first_vertex / 16) * 48);
	for (uint32_t v = 0; v < c->vertices; v += 16, p += 192)
		for (int k = 0; k < 192; k += 64) __builtin_prefetch(p + k);
	const uint32_t *t = d->triangles + it->first_triangle;
	for (uint32_t k = 0; k < c->triangles; k += 16) __builtin_prefetch(t + k);
}

// candidates lists the triangles whose boxes hold a pixel centre, as corners | number << 24. Most of a dense mesh's do not.
static inline uint32_t candidates(const uint32_t *T, uint32_t n, const int32_t *keys, uint32_t *list) {
	uint32_t found = 0;
	for (uint32_t t = 0; t < n; t += VW) {
		uint32_t tail[VW], left = n - t;
		const uint32_t *src = T + t;
		if (left < VW) { // the last cluster's list ends here
			memset(tail, 0, sizeof tail);
			memcpy(tail, src, left * sizeof *src);
			src = tail;
		}
		vi q = loadi(src), a = gatheri(keys, q & 255), b = gatheri(keys, (q >> 8) & 255), c = gatheri(keys, (q >> 16) & 255);
		vi lo = min16(min16(a, b), c), hi = max16(max16(a, b), c), holds = (lo ^ hi) | (lo & 0x00010001);
		vi no = ((holds & 0xffff) == 0) | ((holds & (int32_t)0xffff0000) == 0);
		uint32_t yes = ~bits(no) & (left < VW ? (1u << left) - 1 : ALL);
		found += compress(list + found, (q & 0xffffff) | (LANES + (int32_t)t) << 24, yes);
	}
	return found;
}

void ISA(hg_raster)(const hg_frame *f, const uint32_t *items, int32_t n, int32_t y0, int32_t y1) {
	corner V[256] __attribute__((aligned(64)));
	int32_t keys[256];
	uint32_t list[128 + 2 * VW];
	for (int32_t j = 0; j < n; j++) {
		const hg_item *it = &f->items[items[j]];
		const hg_draw *d = &f->draws[it->draw];
		const hg_cluster *c = &d->clusters[it->cluster];
		if (j + 1 < n) prefetch(f, &f->items[items[j + 1]]);
		int two_sided = d->mat->double_sided;
		int shift1 = d->flip ? 8 : 16, shift2 = d->flip ? 16 : 8;
		if (!project(f, it, y0, y1, V, keys)) continue;
		uint32_t count = candidates(d->triangles + it->first_triangle, c->triangles, keys, list);
		for (uint32_t t = 0; t < count; t += VW) {
			uint32_t left = count - t;
			const uint32_t *src = list + t;
			batch s;
			vi q = loadi(src), i0 = q & 255, i1 = (q >> shift1) & 255, i2 = (q >> shift2) & 255;
			vi ax, ay, az, bx, by, bz, cx, cy, cz, pad;
			quad(V, i0 * 4, &ax, &ay, &az, &pad);
			quad(V, i1 * 4, &bx, &by, &bz, &pad);
			quad(V, i2 * 4, &cx, &cy, &cz, &pad);
			vi min_x = mini(mini(ax, bx), cx), max_x = maxi(maxi(ax, bx), cx);
			vi min_y = mini(mini(ay, by), cy), max_y = maxi(maxi(ay, by), cy);
			s.px0 = maxi((min_x + (HALF - 1)) >> 8, SPLATI(0)), s.px1 = mini((max_x - HALF) >> 8, SPLATI(f->w - 1));
			s.py0 = maxi((min_y + (HALF - 1)) >> 8, SPLATI(y0)), s.py1 = mini((max_y - HALF) >> 8, SPLATI(y1 - 1));
			vi ok = (s.px0 <= s.px1) & (s.py0 <= s.py1) & (LANES < (int32_t)(left < VW ? left : VW));
			// 32 bits hold the doubled area of small triangles only; triangle() decides on the others.
			vi big = (max_x - min_x >= SMALL) | (max_y - min_y >= SMALL);
			vi area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
			if (two_sided) {
				vi back = area < 0;
				vi tx = bx, ty = by, tz = bz;
				bx = seli(back, cx, bx), by = seli(back, cy, by), bz = seli(back, cz, bz);
				cx = seli(back, tx, cx), cy = seli(back, ty, cy), cz = seli(back, tz, cz);
				area = absi(area);
			}
			ok &= big | (area > 0);
			uint32_t todo = bits(ok), large = bits(ok & big);
			if (!todo) continue;
			vf za = (vf)az, zb = (vf)bz, zc = (vf)cz, scale = (float)SUB / tof(area);
			vi a[3] = {ay - by, by - cy, cy - ay}, b[3] = {bx - ax, cx - bx, ax - cx};
			s.dx = (za * tof(a[1]) + zb * tof(a[2]) + zc * tof(a[0])) * scale;
			s.dy = (za * tof(b[1]) + zb * tof(b[2]) + zc * tof(b[0])) * scale;
			s.z = za, s.x0 = tof(ax - HALF) * (1.0f / SUB), s.y0 = tof(ay - HALF) * (1.0f / SUB);
			s.min = minf(za, minf(zb, zc)), s.max = maxf(za, maxf(zb, zc));
			vi qx = s.px0 * SUB + HALF, qy = s.py0 * SUB + HALF;
			vi vx[3] = {ax, bx, cx}, vy[3] = {ay, by, cy};
			for (int i = 0; i < 3; i++) {
				vi top_left = (a[i] > 0) | ((a[i] == 0) & (b[i] > 0));
				s.e[i] = a[i] * (qx - vx[i]) + b[i] * (qy - vy[i]) + ~top_left;
				s.a[i] = a[i] * SUB, s.b[i] = b[i] * SUB;
			}
			// Triangles whose box holds up to 2x2 pixels are tested all at once.
			uint32_t tiny = bits(ok & ~big & (s.px1 - s.px0 <= 1) & (s.py1 - s.py0 <= 1));
			float z[4][VW];
			int32_t at[VW], hit[VW];
			if (tiny) {
				vi hits = SPLATI(0);
				storei(at, s.py0 * f->stride + s.px0);
				for (int i = 0; i < 4; i++) {
					vi x = s.px0 + (i & 1), y = s.py0 + (i >> 1), in = (x <= s.px1) & (y <= s.py1);
					vi e[3];
					for (int n = 0; n < 3; n++) e[n] = s.e[n] + (i & 1 ? s.a[n] : SPLATI(0)) + (i >> 1 ? s.b[n] : SPLATI(0));
					hits |= in & (~(e[0] | e[1] | e[2]) >> 31) & 1 << i;
					vf row = s.dy * (tof(y) - s.y0) + s.z;
					storef(z[i], minf(maxf(s.dx * (tof(x) - s.x0) + row, s.min), s.max));
				}
				storei(hit, hits);
				todo &= ~tiny | bits(hits != 0);
			}
			for (uint32_t m = todo; m; m &= m - 1) { // in order: of equal depths the first stays
				int k = __builtin_ctz(m);
				uint32_t id = items[j] << 7 | src[k] >> 24;
				if (tiny >> k & 1) {
					for (uint32_t h = (uint32_t)hit[k]; h; h &= h - 1) {
						int i = __builtin_ctz(h);
						size_t o = (size_t)(at[k] + (i & 1) + (i >> 1) * f->stride);
						float was = f->depth[o], is = z[i][k];
						uint32_t other = f->id[o];
						int nearer = is > was;
						f->depth[o] = nearer ? is : was, f->id[o] = nearer ? id : other;
					}
					continue;
				}
				if (!(large >> k & 1)) {
					small(f, &s, k, id);
					continue;
				}
				uint32_t w = src[k], i = w & 255, o = (w >> shift1) & 255, u = (w >> shift2) & 255;
				triangle(f, &V[i], &V[o], &V[u], id, two_sided, y0, y1);
			}
		}
	}
}

void ISA(hg_points)(const hg_frame *f, const uint32_t *items, int32_t n, int32_t y0, int32_t y1) {
	enum { LEAST = SUB / 2, DISC = 3 * SUB / 2, MOST = 16 * SUB };
	corner V[128] __attribute__((aligned(64)));
	int32_t half[128];
	for (int32_t j = 0; j < n; j++) {
		const hg_item *it = &f->items[items[j]];
		const hg_draw *d = &f->draws[it->draw];
		const float *M = d->clip;
		uint32_t count = it->first_triangle;
		for (uint32_t v = 0; v < count; v += VW) {
			const float *p = d->positions + (size_t)((it->first_vertex + v) / 16) * 48 + v % 16;
			vf x = loadf(p), y = loadf(p + 16), z = loadf(p + 32);
			vf w = x * M[8] + y * M[9] + z * M[10] + M[11], iw = 1.0f / w;
			vf sx = (x * M[0] + y * M[1] + z * M[2] + M[3]) * iw, sy = (x * M[4] + y * M[5] + z * M[6] + M[7]) * iw;
			const float far = (float)((1 << 22) - MOST);
			vi ok = (vi)(w > f->near) & (vi)(absf(sx) < far) & (vi)(absf(sy) < far);
			store_quads((float *)&V[v], (vf)snap(sx), (vf)snap(sy), iw, iw);
			storei(half + v, vtrunc(clampf(it->size * iw, LEAST, MOST)) & ok);
		}
		for (uint32_t v = 0; v < count; v++) {
			int32_t px = V[v].x, py = V[v].y, h = half[v];
			if (!h) continue;
			int32_t x0 = (px - h + 127) >> 8, x1 = (px + h - 129) >> 8, r0 = (py - h + 127) >> 8, r1 = (py + h - 129) >> 8;
			if (x0 < 0) x0 = 0;
			if (x1 > f->w - 1) x1 = f->w - 1;
			if (r0 < y0) r0 = y0;
			if (r1 > y1 - 1) r1 = y1 - 1;
			float z = V[v].z;
			uint32_t id = items[j] << 7 | v;
			for (int32_t row = r0; row <= r1; row++) {
				if (h >= DISC) {
					int32_t dy = row * SUB + HALF - py;
					int32_t k = _mm_cvttss_si32(_mm_sqrt_ss(_mm_set_ss((float)(h * h - dy * dy))));
					x0 = (px - k + 127) >> 8, x1 = (px + k - 129) >> 8;
					if (x0 < 0) x0 = 0;
					if (x1 > f->w - 1) x1 = f->w - 1;
				}
				float *depth = f->depth + (size_t)row * (size_t)f->stride;
				uint32_t *ids = f->id + (size_t)row * (size_t)f->stride;
				for (int32_t x = x0; x <= x1; x++)
					if (z > depth[x]) depth[x] = z, ids[x] = id;
			}
		}
	}
}

void ISA(hg_hz)(const hg_frame *f, int32_t ty0, int32_t ty1) {
	for (int ty = ty0; ty < ty1; ty++) {
		int end = ty * 8 + 8 < f->h ? ty * 8 + 8 : f->h;
		for (int tx = 0; tx < f->hz_w; tx++) {
			int cols = f->w - tx * 8 < 8 ? f->w - tx * 8 : 8;
			float far[8], least = 3.40282347e38f;
			for (int k = 0; k < 8; k++) far[k] = least;
			for (int y = ty * 8; y < end; y++) {
				const float *p = f->depth + (size_t)y * (size_t)f->stride + tx * 8;
				for (int k = 0; k < 8; k++) far[k] = min1(p[k], far[k]);
			}
			for (int k = 0; k < cols; k++) least = min1(far[k], least);
			f->hz[ty * f->hz_w + tx] = least;
		}
	}
}

// ---- shading ----

typedef struct {
	const hg_frame *f;
	const hg_draw *d;
	v3 facing;
	vf w0, w1, w2;
	vi back;
	vi normal[3], tangent[3], color[3]; // packed, by corner
	vf uv[2][2], uv_dx[2][2], uv_dy[2][2];
} surface;

static inline vf mix(const surface *s, vf a, vf b, vf c) { return a * s->w0 + b * s->w1 + c * s->w2; }

static inline void uv_set(surface *s, int set, vi t[3][2], const vf du[2], const vf dv[2]) {
	for (int k = 0; k < 2; k++) {
		vf t0 = (vf)t[0][k], t1 = (vf)t[1][k], t2 = (vf)t[2][k], g1 = t1 - t0, g2 = t2 - t0;
		s->uv[set][k] = mix(s, t0, t1, t2);
		s->uv_dx[set][k] = du[0] * g1 + dv[0] * g2;
		s->uv_dy[set][k] = du[1] * g1 + dv[1] * g2;
	}
}

static inline v3 to_world(const hg_draw *d, v3 p) {
	const float *m = d->world;
	return (v3){p.x * m[0] + p.y * m[1] + p.z * m[2] + m[3], p.x * m[4] + p.y * m[5] + p.z * m[6] + m[7],
	            p.x * m[8] + p.y * m[9] + p.z * m[10] + m[11]};
}

static inline v3 ray(const float *r0, const float *rx, const float *ry, vf x, float y) {
	return (v3){x * rx[0] + (y * ry[0] + r0[0]), x * rx[1] + (y * ry[1] + r0[1]), x * rx[2] + (y * ry[2] + r0[2])};
}

static inline v3 to_normal(const hg_draw *d, v3 n) {
	return unit((v3){dot(splat3(d->normal), n), dot(splat3(d->normal + 3), n), dot(splat3(d->normal + 6), n)});
}

// top_field interpolates a signed field that shifting by up makes a word's top bits, with all the bits below it.
static inline vf top_field(const surface *s, const vi w[3], int up) {
	return mix(s, tof(w[0] << up), tof(w[1] << up), tof(w[2] << up));
}

// locate_point makes a point the surface: all three corners of it.
static inline void locate_point(surface *s, vi vert, vf fx, float fy) {
	const hg_draw *d = s->d;
	vi pad, color = SPLATI(0);
	s->w0 = SPLAT(1), s->w1 = s->w2 = SPLAT(0), s->back = SPLATI(0);
	if (d->has_normals) {
		vi n;
		quad(d->surface, vert * 4, &pad, &pad, &pad, &n);
		for (int i = 0; i < 3; i++) s->normal[i] = n;
		v3 world = to_normal(d, (v3){top_field(s, s->normal, 21), top_field(s, s->normal, 10), top_field(s, s->normal, 0)});
		s->back = (vi)(dot(ray(s->f->ray0, s->f->ray_x, s->f->ray_y, fx, fy), world) > 0.0f);
	}
	if (d->detail) quad(d->detail, vert * 4, &pad, &pad, &pad, &color);
	for (int i = 0; i < 3; i++) s->color[i] = color;
}

// locate takes the vertices from the triangle id, whose item's first vertex and triangle are fv and ft.
static inline void locate(surface *s, vi id, vi fv, vi ft, vf fx, float fy) {
	const hg_draw *d = s->d;
	if (d->points) {
		locate_point(s, fv + (id & 127), fx, fy);
		return;
	}
	vi q = gatheri(d->triangles, ft + (id & 127)), vert[3];
	v3 p[3];
	for (int i = 0; i < 3; i++) {
		vi x, y, z;
		vert[i] = fv + ((q >> (8 * i)) & 255);
		quad(d->surface, vert[i] * 4, &x, &y, &z, &s->normal[i]);
		p[i] = (v3){(vf)x, (vf)y, (vf)z};
		p[i] = d->flat ? to_world(d, p[i]) : sub(p[i], splat3(d->eye));
	}
	v3 dir = ray(d->ray0, d->ray_x, d->ray_y, fx, fy);
	v3 e1 = sub(p[1], p[0]), e2 = sub(p[2], p[0]);
	v3 na = cross(e2, e1), nu = cross(p[0], e2), nv = cross(e1, p[0]);
	vf da = dot(dir, na), inv = 1.0f / da;
	vf u = clampf(dot(dir, nu) * inv, 0, 1), v = clampf(dot(dir, nv) * inv, 0, 1);
	s->w0 = 1.0f - u - v, s->w1 = u, s->w2 = v;
	s->back = (vi)(da < 0.0f);
	if (!d->has_normals) s->facing = sel3((vi)(da > 0.0f), (v3){-na.x, -na.y, -na.z}, na);
	if (!d->detail) return;
	vi uv[3][2];
	for (int i = 0; i < 3; i++) quad(d->detail, vert[i] * 4, &uv[i][0], &uv[i][1], &s->tangent[i], &s->color[i]);
	if (!d->mat->textured) return;
	v3 rx = splat3(d->ray_x), ry = splat3(d->ray_y);
	vf ax = dot(rx, na), ay = dot(ry, na);
	vf du[2] = {(dot(rx, nu) - u * ax) * inv, (dot(ry, nu) - u * ay) * inv};
	vf dv[2] = {(dot(rx, nv) - v * ax) * inv, (dot(ry, nv) - v * ay) * inv};
	if (d->has_uv0) uv_set(s, 0, uv, du, dv);
	if (!d->uv1) return;
	for (int i = 0; i < 3; i++) pair(d->uv1, vert[i] * 2, &uv[i][0], &uv[i][1]);
	uv_set(s, 1, uv, du, dv);
}

// bit_field interpolates a signed bit field of a vertex word, unscaled.
static inline vf bit_field(const surface *s, const vi w[3], int shift, int n) {
	vf t[3];
	for (int i = 0; i < 3; i++) t[i] = tof((vi)(w[i] << (32 - shift - n)) >> (32 - n));
	return mix(s, t[0], t[1], t[2]);
}

// texel wraps a coordinate and splits it into the left texel and its right neighbour's weight.
static inline vi texel(vf u, vf size, vi n, int wrap, int nearest, vf *frac) {
	vf x;
	if (wrap == 0) {
		x = clampf(u - vfloor(u), 0, 1) * size + -0.5f;
	} else {
		if (wrap == 2) {
			vf t = u * 0.5f;
			t = t - vfloor(t);
			u = 1.0f - absf(t * 2.0f - 1.0f);
		}
		x = minf(maxf(u * size + -0.5f, SPLAT(0)), size - 1.0f);
	}
	if (nearest) x = vfloor(x + 0.5f);
	vf whole = vfloor(x);
	vi i = vtrunc(whole);
	i += (i < 0) & n;
	i -= (i >= n) & n;
	*frac = x - whole;
	return i;
}

static inline vf byte_at(vi t, int k) { return tof((t >> (8 * k)) & 255); }

// bilinear fills the components in mask.
static inline void bilinear(const hg_texture *t, vi level, vf u, vf v, int mask, vf c[4]) {
	vi w, h, offset;
	int first = level[0];
	if (bits(level == first) == ALL) {
		w = SPLATI(t->width[first]), h = SPLATI(t->height[first]), offset = SPLATI(t->offset[first]);
	} else {
		w = gatheri(t->width, level), h = gatheri(t->height, level), offset = gatheri(t->offset, level);
	}
	vf fx, fy;
	vi x = texel(u, tof(w), w, t->wrap_u, t->nearest, &fx), y = texel(v, tof(h), h, t->wrap_v, t->nearest, &fy);
	vi i = offset + y * (w + 1) + x, t00, t10, t01, t11;
	pair(t->texels, i, &t00, &t10);
	pair(t->texels, i + w + 1, &t01, &t11);
	vf w11 = fx * fy, w10 = fx - w11, w01 = fy - w11, w00 = 1.0f - fx - w01;
	for (int k = 0; k < 4; k++) {
		if (!(mask >> k & 1)) continue;
		c[k] = byte_at(t00, k) * w00 + byte_at(t10, k) * w10 + byte_at(t01, k) * w01 + byte_at(t11, k) * w11;
	}
}

static inline vi mip_of(vf rho, int top) { return mini(maxi((((vi)rho >> 23) - 127) >> 1, SPLATI(0)), SPLATI(top)); }

static inline void sample(const surface *s, const hg_sampler *t, int mask, vf c[4]) {
	const hg_frame *f = s->f;
	const float *m = t->m;
	const vf *uv = s->uv[t->uv], *dx = s->uv_dx[t->uv], *dy = s->uv_dy[t->uv];
	vf u = m[0] * uv[0] + m[1] * uv[1] + m[2], v = m[3] * uv[0] + m[4] * uv[1] + m[5];
	float w = (float)t->tex->width[0], h = (float)t->tex->height[0];
	vf ux = (m[0] * dx[0] + m[1] * dx[1]) * w, vx = (m[3] * dx[0] + m[4] * dx[1]) * h;
	vf uy = (m[0] * dy[0] + m[1] * dy[1]) * w, vy = (m[3] * dy[0] + m[4] * dy[1]) * h;
	vf rho = maxf(ux * ux + vx * vx, uy * uy + vy * vy) * f->lod_scale;
	rho = maxf(rho, SPLAT(0));
	int top = t->tex->levels - 1;
	if (!f->trilinear) {
		bilinear(t->tex, mip_of(rho * 2.0f, top), u, v, mask, c);
		return;
	}
	vi level = mip_of(rho, top);
	vf frac = clampf(vsqrt(rho) * (vf)((127 - level) << 23) - 1.0f, 0, 1), b[4];
	bilinear(t->tex, level, u, v, mask, c);
	bilinear(t->tex, mini(level + 1, SPLATI(top)), u, v, mask, b);
	for (int k = 0; k < 4; k++)
		if (mask >> k & 1) c[k] = (b[k] - c[k]) * frac + c[k];
}

static inline vf srgb_to_linear(vf x) {
	vf p = x * 0.059778601f + -0.24116783f;
	p = x * p + 0.61138535f;
	p = x * p + 0.53886041f;
	p = x * p + 0.030153888f;
	p = x * p + 0.0010105697f;
	return sel((vi)(x < 0.04045f), x * (1.0f / 12.92f), p);
}

static inline vf linear_to_srgb(vf x) {
	vf s = vsqrt(x), p = s * 0.51715847f + -1.6232897f;
	p = s * p + 2.0312385f;
	p = s * p + -1.4026056f;
	p = s * p + 1.5179305f;
	p = s * p + -0.040108696f;
	return sel((vi)(x < 0.0031308f), x * 12.92f, p);
}

static inline void base_color(const surface *s, vf c[4]) {
	const hg_material *mat = s->d->mat;
	for (int k = 0; k < 4; k++) c[k] = SPLAT(1);
	if (s->d->has_colors) {
		for (int k = 0; k < 4; k++) {
			vf t[3];
			for (int i = 0; i < 3; i++) {
				t[i] = tof((s->color[i] >> (8 * k)) & 255) * (1.0f / 255);
				if (k < 3) t[i] *= t[i];
			}
			c[k] = mix(s, t[0], t[1], t[2]);
		}
	}
	for (int k = 0; k < 4; k++) c[k] *= mat->factor[k];
	if (!mat->base.tex) return;
	vf t[4];
	sample(s, &mat->base, mat->blend ? 15 : 7, t);
	for (int k = 0; k < 3; k++) c[k] *= srgb_to_linear(t[k] * (1.0f / 255));
	if (mat->blend) c[3] *= t[3] * (1.0f / 255);
}

static inline v3 normal(const surface *s) {
	const hg_draw *d = s->d;
	const hg_material *mat = d->mat;
	if (!d->has_normals) return d->flat ? unit(s->facing) : to_normal(d, s->facing);
	v3 n = to_normal(d, (v3){top_field(s, s->normal, 21), top_field(s, s->normal, 10), top_field(s, s->normal, 0)});
	vf side = mat->double_sided ? sel(s->back, SPLAT(-1), SPLAT(1)) : SPLAT(1);
	n = scale(n, side);
	if (!mat->normal.tex || !d->has_tangents) return n;
	v3 t = {bit_field(s, s->tangent, 0, 10), bit_field(s, s->tangent, 10, 10), bit_field(s, s->tangent, 20, 10)};
	vf sign = bit_field(s, s->tangent, 30, 2);
	v3 tan = scale(unit((v3){dot(splat3(d->world), t), dot(splat3(d->world + 4), t), dot(splat3(d->world + 8), t)}), side);
	side = sel((vi)(sign < 0.0f) ^ (d->flip ? -1 : 0), -side, side);
	v3 bit = scale(cross(n, tan), side);
	vf px[4];
	sample(s, &mat->normal, 7, px);
	vf x = (px[0] * (2.0f / 255) + -1.0f) * mat->normal_scale, y = (px[1] * (2.0f / 255) + -1.0f) * mat->normal_scale;
	vf z = px[2] * (2.0f / 255) + -1.0f;
	return unit((v3){tan.x * x + bit.x * y + n.x * z, tan.y * x + bit.y * y + n.y * z, tan.z * x + bit.z * y + n.z * z});
}

static inline vf copysign_v(vf x, vf sign) { return (vf)(((vi)x & 0x7fffffff) | ((vi)sign & (int32_t)0x80000000)); }

// table is a bilinear lookup in a table of three components, row after row of cells; x is in 0..cells-1.
static inline void table(const uint32_t *cells, vi first, vi stride, vf x, vf y, vf c[3]) {
	vi fixed = vtrunc(x * 32768.0f), yi = vtrunc(y), w = fixed & 32767, weights = (w << 16) - w + 32767;
	vf fy = y - tof(yi);
	vi i = (first + yi * stride + (fixed >> 15)) * 4, a[4], b[4];
	quad(cells, i, &a[0], &a[1], &a[2], &a[3]);
	quad(cells, i + stride * 4, &b[0], &b[1], &b[2], &b[3]);
	for (int k = 0; k < 3; k++) {
		vf up = tof(madd(a[k], weights)), down = tof(madd(b[k], weights));
		c[k] = ((down - up) * fy + up) * (1.0f / (32767.0f * 32767.0f));
	}
}

static inline v3 sky_radiance(const hg_sky *s, v3 d, vf rough) {
	vi level = vtrunc(rough * (float)(HG_SKY_LEVELS - 1) + 0.5f);
	vf inv = 1.0f / maxf(absf(d.x) + absf(d.y) + absf(d.z), SPLAT(1e-20f));
	vf x = d.x * inv, z = d.z * inv;
	vi down = (vi)(d.y < 0.0f);
	vf fx = copysign_v(1.0f - absf(z), x), fz = copysign_v(1.0f - absf(x), z), c[3];
	x = sel(down, fx, x), z = sel(down, fz, z);
	int first = level[0];
	vi n = SPLATI(s->size[first]), offset = SPLATI(s->offset[first]);
	if (bits(level == first) != ALL) n = gatheri(s->size, level), offset = gatheri(s->offset, level);
	vf most = tof(n - 1);
	vf u = minf(maxf((x * 0.5f + 0.5f) * most, SPLAT(0)), most), v = minf(maxf((z * 0.5f + 0.5f) * most, SPLAT(0)), most);
	table(s->specular, offset, n, u, v, c);
	for (int k = 0; k < 3; k++) c[k] = c[k] * c[k] * 16.0f;
	return (v3){c[0], c[1], c[2]};
}

static inline void sky_irradiance(const hg_sky *s, v3 n, vf c[3]) {
	vf basis[9] = {SPLAT(1), n.y, n.z, n.x, n.x * n.y, n.y * n.z, n.z * n.z * 3.0f + -1.0f, n.x * n.z, n.x * n.x - n.y * n.y};
	for (int k = 0; k < 3; k++) {
		vf v = SPLAT(s->sh[0][k]);
		for (int i = 1; i < 9; i++) v = s->sh[i][k] * basis[i] + v;
		c[k] = maxf(v, SPLAT(0));
	}
}

// eye_ray is what shading needs of a pixel, whatever it shows.
typedef struct {
	v3 view;              // unit, to the eye
	vf half_length, t5;   // of view plus light direction: 1/length; (1 - its cosine with view)^5
} eye_ray;

static inline eye_ray look(const hg_frame *f, vf fx, float fy) {
	eye_ray e;
	v3 dir = ray(f->ray0, f->ray_x, f->ray_y, fx, fy);
	e.view = scale(dir, -1.0f / vsqrt(dot(dir, dir)));
	vf h2 = maxf(dot(e.view, splat3(f->to_light)) * 2.0f + 2.0f, SPLAT(1e-6f));
	e.half_length = 1.0f / vsqrt(h2);
	vf q = 1.0f - h2 * 0.5f * e.half_length, q2 = q * q;
	e.t5 = q2 * q2 * q;
	return e;
}

// shade_draw evaluates VW pixels of one draw.
static inline void shade_draw(surface *s, const eye_ray *eye, vi id, vi fv, vi ft, vf fx, float fy, vf out[7]) {
	const hg_frame *f = s->f;
	const hg_material *mat = s->d->mat;
	locate(s, id, fv, ft, fx, fy);
	vf base[4], t[4];
	base_color(s, base);
	for (int k = 0; k < 6; k++) out[k] = SPLAT(0);
	out[6] = mat->blend ? clampf(base[3], 0, 1) : SPLAT(1);
	if (mat->unlit) {
		for (int k = 0; k < 3; k++) out[3 + k] = base[k];
		return;
	}
	v3 view = eye->view, n = normal(s);
	vf metallic = SPLAT(mat->metallic), rough = SPLAT(mat->roughness), ao = SPLAT(1);
	if (mat->metal_rough.tex) {
		sample(s, &mat->metal_rough, mat->shared_orm ? 7 : 6, t);
		rough *= t[1] * (1.0f / 255);
		metallic *= t[2] * (1.0f / 255);
		if (mat->shared_orm) ao = (t[0] * (1.0f / 255) - 1.0f) * mat->occlusion_strength + 1.0f;
	}
	if (mat->occlusion.tex && !mat->shared_orm) {
		sample(s, &mat->occlusion, 1, t);
		ao = (t[0] * (1.0f / 255) - 1.0f) * mat->occlusion_strength + 1.0f;
	}
	rough = clampf(rough, 0.045f, 1), metallic = clampf(metallic, 0, 1);

	vf ndotv = dot(n, view), nv = clampf(ndotv, 1e-3f, 1), dfg[3];
	table(f->sky->dfg, SPLATI(0), SPLATI(HG_LUT), nv * (float)(HG_LUT - 1), rough * (float)(HG_LUT - 1), dfg);
	vf scale_f = dfg[0], bias_f = dfg[1], boost = dfg[2] * 4.0f;
	vf twice = 2.0f * ndotv;
	v3 refl = {twice * n.x - view.x, twice * n.y - view.y, twice * n.z - view.z};
	v3 rad = sky_radiance(f->sky, refl, rough);
	vf radiance[3] = {rad.x, rad.y, rad.z}, irradiance[3];
	sky_irradiance(f->sky, n, irradiance);
	vf dv = SPLAT(0), nl = SPLAT(0), sky = ao * f->sky_intensity;
	if (f->lit) {
		vf ndotl = dot(n, splat3(f->to_light)), nh = clampf((ndotv + ndotl) * eye->half_length, 0, 1);
		nl = clampf(ndotl, 0, 1);
		vf a = rough * rough, a2 = a * a, d = nh * nh * (a2 - 1.0f) + 1.0f;
		vf both = nl * nv * 2.0f, lambda = (nl + nv - both) * a + both;
		dv = a2 * 0.5f / maxf(d * d * lambda, SPLAT(1e-10f));
	}
	for (int k = 0; k < 3; k++) {
		vf f0 = (base[k] - 0.04f) * metallic + 0.04f, diffuse = base[k] * (1.0f - metallic);
		vf comp = f0 * boost + 1.0f, e = (f0 * scale_f + bias_f) * comp;
		vf c = ((1.0f - e) * diffuse * irradiance[k] + e * radiance[k]) * sky;
		if (f->lit) {
			vf fresnel = (1.0f - f0) * eye->t5 + f0, spec = dv * fresnel * comp;
			c = ((1.0f - fresnel) * diffuse + spec) * (nl * f->light_color[k]) + c;
		}
		out[k] = c;
	}
	if (mat->emissive[0] != 0 || mat->emissive[1] != 0 || mat->emissive[2] != 0) {
		for (int k = 0; k < 3; k++) t[k] = SPLAT(255);
		if (mat->emission.tex) sample(s, &mat->emission, 7, t);
		for (int k = 0; k < 3; k++) out[k] = mat->emissive[k] * srgb_to_linear(t[k] * (1.0f / 255)) + out[k];
	}
}

// shade_pixels evaluates the pixels of id that are not empty; the others keep what c holds.
static __attribute__((noinline)) void shade_pixels(const hg_frame *f, const eye_ray *eye, vi id, vf fx, float fy, vf c[7]) {
	vi empty = id == -1, item = (id >> 7) & 0x1ffffff & ~empty, draw, cluster, fv, ft;
	quad(f->items, item * (int)(sizeof(hg_item) / 4), &draw, &cluster, &fv, &ft);
	draw |= empty;
	for (uint32_t left = bits(~empty); left;) { // each draw in turn: its matrices, material and textures are uniform
		int k = __builtin_ctz(left);
		int32_t which = draw[k];
		vi mask = draw == which;
		left &= ~bits(mask);
		surface s; // not cleared: it is large
		s.f = f, s.d = &f->draws[which];
		vf out[7];
		shade_draw(&s, eye, seli(mask, id, SPLATI(id[k])), seli(mask, fv, SPLATI(fv[k])), seli(mask, ft, SPLATI(ft[k])), fx, fy, out);
		for (int i = 0; i < 7; i++) c[i] = sel(mask, out[i], c[i]);
	}
}

// ---- picture ----

// encode makes sRGB pixels of radiance, adding it to the accumulated samples if any.
static inline vi encode(const hg_frame *f, const vf in[7], size_t pixel) {
	const float start = 0.76f;
	vf c[3];
	for (int k = 0; k < 3; k++) c[k] = clampf(in[k], 0, 1000);
	vf least = minf(c[0], minf(c[1], c[2]));
	vf offset = sel((vi)(least < 0.08f), least - 6.25f * least * least, SPLAT(0.04f));
	for (int k = 0; k < 3; k++) c[k] -= offset;
	vf peak = maxf(c[0], maxf(c[1], c[2]));
	vi over = (vi)(peak > start);
	if (bits(over)) {
		vf top = 1.0f - 0.0576f / (peak - 0.52f);
		vf fade = top / peak, desaturate = 1.0f - 1.0f / (0.15f * (peak - top) + 1.0f);
		for (int k = 0; k < 3; k++) {
			vf v = c[k] * fade;
			c[k] = sel(over, (top - v) * desaturate + v, c[k]);
		}
	}
	vi px = SPLATI((int32_t)0xff000000);
	for (int k = 0; k < 3; k++) {
		vf v = clampf(c[k] + in[3 + k], 0, 1);
		if (f->samples) {
			float *s = f->sum[k] + pixel;
			if (f->samples > 1) v += loadf(s);
			storef(s, v);
			v *= 1 / (float)f->samples;
		}
		px |= vtrunc(linear_to_srgb(v) * 255.0f + 0.5f) << (8 * k);
	}
	return px;
}

// weigh is the sum of a pixel's components, or of four pixels' added up, times weights below 2^15.
static inline vi weigh(vi rb, vi ga, int r, int g, int b) {
	return madd(rb, SPLATI((int32_t)((uint32_t)b << 16 | ((uint32_t)r & 0xffff)))) + madd(ga, SPLATI(g & 0xffff));
}

static inline vi red_blue(vi p) { return p & 0xff00ff; }
static inline vi green(vi p) { return (p >> 8) & 0xff; }

static inline vi luma(vi p) { return weigh(red_blue(p), green(p), 77, 150, 29) >> 8; }

// painter is what painting a row needs.
typedef struct {
	vf nothing[7]; // the background, as shade_pixels' c
	vi last;       // item noted last
} painter;

static inline void note(const hg_frame *f, painter *p, vi id) {
	vi item = (id >> 7) & 0x1ffffff;
	uint32_t present = bits(id != -1);
	if (!(bits(item != p->last) & present)) return;
	for (uint32_t m = present; m; m &= m - 1) f->seen[item[__builtin_ctz(m)]] = 1;
	p->last = SPLATI(item[31 - __builtin_clz(present)]);
}

// paint_opaque makes pixels of the opaque layer of a moving view.
static inline vi paint_opaque(const hg_frame *f, painter *p, vi id, vf fx, float fy) {
	vf c[7];
	memcpy(c, p->nothing, sizeof c);
	eye_ray eye = look(f, fx, fy);
	shade_pixels(f, &eye, id, fx, fy, c);
	note(f, p, id);
	return encode(f, c, 0);
}

enum { MAX_WIDTH = 8192, ALIKE = 16 };

// ask_triangles and ask_vertices ask for what locate reads of the triangles in id, the second once the first has come: where
// triangles are as small as pixels, most of the time that shading takes would be waiting for memory.
static inline __attribute__((always_inline)) void ask_triangles(const hg_frame *f, vi id) {
	uint32_t ids[VW], last = (uint32_t)-1;
	spill(ids, id);
	for (int k = 0; k < VW; k++) {
		if (ids[k] == last || ids[k] == (uint32_t)-1) continue;
		last = ids[k];
		const hg_item *it = &f->items[last >> 7];
		__builtin_prefetch(f->draws[it->draw].triangles + it->first_triangle + (last & 127));
	}
}

static inline __attribute__((always_inline)) void ask_vertices(const hg_frame *f, vi id) {
	uint32_t ids[VW], last = (uint32_t)-1;
	spill(ids, id);
	for (int k = 0; k < VW; k++) {
		if (ids[k] == last || ids[k] == (uint32_t)-1) continue;
		last = ids[k];
		const hg_item *it = &f->items[last >> 7];
		const hg_draw *d = &f->draws[it->draw];
		if (d->points) continue;
		uint32_t q = d->triangles[it->first_triangle + (last & 127)];
		for (int i = 0; i < 24; i += 8) {
			size_t word = ((size_t)it->first_vertex + ((q >> i) & 255)) * 4;
			__builtin_prefetch(d->surface + word);
			if (d->detail) __builtin_prefetch(d->detail + word);
		}
	}
}

// paint_half shades even pixels, and odd ones where their neighbours disagree; see interpolates in shade.go.
static void paint_half(const hg_frame *f, painter *p, vi empty, int y) {
	const uint32_t *ids = f->id + (size_t)y * (size_t)f->stride;
	uint32_t *row = f->color + (size_t)y * (size_t)f->color_stride + HG_PIXEL_PAD;
	uint32_t even[MAX_WIDTH / 2 + 2 * VW];
	int32_t todo[MAX_WIDTH / 2 + 2 * VW];
	float fy = (float)y + 0.5f;
	int n = 0;
	for (int x = 0; x < f->w; x += 2 * VW) {
		vi id, odd, at = LANES * 2 + x;
		pair(ids + x, LANES * 2, &id, &odd);
		id |= at >= f->w;
		vi soon, later;
		if (x + 4 * VW < f->w) {
			pair(ids + x + 2 * VW, LANES * 2, &soon, &odd);
			ask_vertices(f, soon);
		}
		if (x + 6 * VW < f->w) {
			pair(ids + x + 4 * VW, LANES * 2, &later, &odd);
			ask_triangles(f, later);
		}
		storei(even + x / 2, bits(id != -1) ? paint_opaque(f, p, id, tof(at) + 0.5f, fy) : empty);
	}
	storei(even + (f->w + 1) / 2, SPLATI(0));
	for (int x = 0; x < f->w; x += 2 * VW) {
		vi left, odd, right, at = LANES * 2 + x, px = empty;
		pair(ids + x, LANES * 2, &left, &odd);
		pair(ids + x + 1, LANES * 2, &odd, &right);
		odd |= at + 1 >= f->w;
		vi l = loadi(even + x / 2), present = odd != -1;
		if (bits(present)) {
			vi r = loadi(even + x / 2 + 1);
			vi item = (odd >> 7) & 0x1ffffff & present;
			vi alike = present & (at + 2 < f->w) & (((left ^ odd) | (right ^ odd)) < 128) & (((left ^ odd) | (right ^ odd)) >= 0);
			// No byte differs by ALIKE or more: none has a bit from that up.
			alike &= (spread(l, r) & (int32_t)(0x01010101u * (256 - ALIKE))) == 0;
			if (bits(alike)) {
				vi flags = gatheri((const int32_t *)f->items + 5, item * (int)(sizeof(hg_item) / 4));
				alike &= (flags & 0xff00) == 0;
			}
			px = seli(alike, avg_bytes(l, r), px);
			for (uint32_t m = bits(present & ~alike); m; m &= m - 1) todo[n++] = x + 2 * __builtin_ctz(m) + 1;
		}
		store_pairs(row + x, l, px);
	}
	for (int i = 0; i < n; i += VW) {
		if (i + 2 * VW <= n) ask_vertices(f, gatheri(ids, loadi(todo + i + VW)));
		if (i + 3 * VW <= n) ask_triangles(f, gatheri(ids, loadi(todo + i + 2 * VW)));
		vi at = loadi(todo + i), rest = LANES < n - i;
		at &= rest;
		vi px = paint_opaque(f, p, gatheri(ids, at) | ~rest, tof(at) + 0.5f, fy);
		for (int k = 0; k < VW && k < n - i; k++) row[at[k]] = (uint32_t)px[k];
	}
}

static void paint_full(const hg_frame *f, painter *p, vi empty, int y, int peeled) {
	size_t o = (size_t)y * (size_t)f->stride;
	uint32_t *row = f->color + (size_t)y * (size_t)f->color_stride + HG_PIXEL_PAD;
	float fy = (float)y + 0.5f;
	for (int x = 0; x < f->stride; x += VW) {
		vi id = loadi(f->id + o + x), any = id != -1;
		for (int n = 0; n < peeled; n++) any |= loadi(f->peel[n] + o + x) != -1;
		if (!bits(any) && !f->samples) {
			storei(row + x, empty);
			continue;
		}
		vf c[7], fx = tof(LANES + x) + 0.5f;
		memcpy(c, p->nothing, sizeof c);
		eye_ray eye = look(f, fx, fy);
		if (bits(id != -1)) {
			shade_pixels(f, &eye, id, fx, fy, c);
			note(f, p, id);
		}
		for (int n = peeled - 1; n >= 0; n--) {
			vi front = loadi(f->peel[n] + o + x), mask = front != -1;
			if (!bits(mask)) continue;
			vf s[7];
			shade_pixels(f, &eye, front, fx, fy, s);
			for (int k = 0; k < 6; k++) c[k] = sel(mask, s[k] * s[6] + c[k] * (1.0f - s[6]), c[k]);
		}
		storei(row + x, encode(f, c, o + (size_t)x));
	}
}

void ISA(hg_paint)(const hg_frame *f, int32_t y0, int32_t y1, int32_t peeled) {
	painter p;
	for (int k = 0; k < 7; k++) p.nothing[k] = SPLAT(0);
	for (int k = 0; k < 3; k++) p.nothing[3 + k] = SPLAT(f->background[k]);
	p.last = SPLATI(-1);
	vi empty = SPLATI(0);
	if (!f->samples) empty = encode(f, p.nothing, 0);
	for (int y = y0; y < y1; y++) {
		size_t o = (size_t)y * (size_t)f->color_stride + HG_PIXEL_PAD;
		uint32_t *row = f->color + o;
		uint8_t *lumas = f->luma + o;
		if (f->samples || peeled) paint_full(f, &p, empty, y, peeled);
		else paint_half(f, &p, empty, y);
		for (int x = 0; x < f->stride; x += VW) store_bytes(lumas + x, luma(loadi(row + x)), VW);
		row[-1] = row[0], row[f->w] = row[f->w - 1];
		lumas[-1] = lumas[0], lumas[f->w] = lumas[f->w - 1];
	}
}

// edges tells which of 32 pixels have contrast with a neighbour, given lumas.
static inline uint32_t edges(const uint8_t *up, const uint8_t *mid, const uint8_t *down) {
	const __m256i *p[5] = {(const __m256i *)mid, (const __m256i *)up, (const __m256i *)down, (const __m256i *)(mid - 1),
	                       (const __m256i *)(mid + 1)};
	__m256i lo = _mm256_loadu_si256(p[0]), hi = lo;
	for (int i = 1; i < 5; i++) {
		__m256i v = _mm256_loadu_si256(p[i]);
		lo = _mm256_min_epu8(lo, v), hi = _mm256_max_epu8(hi, v);
	}
	__m256i contrast = _mm256_sub_epi8(hi, lo), eighth = _mm256_and_si256(_mm256_srli_epi16(hi, 3), _mm256_set1_epi8(31));
	__m256i least = _mm256_max_epu8(eighth, _mm256_set1_epi8(12));
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(contrast, least), contrast));
}

// smooth is given pixels and their lumas.
static inline vi smooth(const uint32_t *up, const uint32_t *mid, const uint32_t *down, const uint8_t *lup, const uint8_t *lmid,
                        const uint8_t *ldown) {
	vi M = loadi(mid), N = loadi(up), S = loadi(down), W = loadi(mid - 1), E = loadi(mid + 1);
	vi m = load_bytes(lmid), n = load_bytes(lup), s = load_bytes(ldown), w = load_bytes(lmid - 1), e = load_bytes(lmid + 1);
	vi hi = maxi(maxi(maxi(m, n), maxi(s, w)), e), lo = mini(mini(mini(m, n), mini(s, w)), e), contrast = hi - lo;
	vi edge = contrast >= maxi(SPLATI(12), hi >> 3);
	vi nw = load_bytes(lup - 1), ne = load_bytes(lup + 1), sw = load_bytes(ldown - 1), se = load_bytes(ldown + 1);
	// Exact for quotients below 512; larger ones are cut to 256 below.
	vi off = vtrunc(tof(absi(2 * (n + s + w + e) + nw + ne + sw + se - 12 * m) * 256) / tof(maxi(12 * contrast, SPLATI(1))));
	vi q = mini(off, SPLATI(256)), blend = (q * q * (768 - 2 * q)) >> 16;
	blend = (blend * blend * 3) >> 10;
	vi horizontal = absi(n + s - 2 * m) * 2 + absi(ne + se - 2 * e) + absi(nw + sw - 2 * w) >=
	                absi(w + e - 2 * m) * 2 + absi(nw + ne - 2 * n) + absi(sw + se - 2 * s);
	vi a = seli(horizontal, n, w), b = seli(horizontal, s, e);
	vi other = seli(absi(b - m) > absi(a - m), seli(horizontal, S, E), seli(horizontal, N, W));
	vi out = SPLATI(0);
	for (int k = 0; k < 32; k += 8) {
		vi c = (M >> k) & 255, o = (other >> k) & 255;
		out |= (c + (((o - c) * blend + 128) >> 8)) << k;
	}
	return seli(edge, out, M);
}

void ISA(hg_resolve)(const hg_frame *f, int32_t y0, int32_t y1, int32_t filter) {
	const ptrdiff_t cs = f->color_stride;
	for (int y = y0; y < y1; y += 2) {
		for (int x = 0; x < f->w; x += 2 * VW) {
			vi rb[2] = {SPLATI(0), SPLATI(0)}, g[2] = {SPLATI(0), SPLATI(0)};
			for (int r = y; r < y + 2; r++) {
				ptrdiff_t o = r * cs + HG_PIXEL_PAD + x, up = r > 0 ? -cs : 0, down = r < f->h - 1 ? cs : 0;
				const uint32_t *px = f->color + o;
				const uint8_t *l = f->luma + o;
				uint32_t edge = filter ? edges(l + up, l, l + down) : 0;
				for (int i = 0; i < 2; i++) {
					if (x + i * VW >= f->stride) break;
					int at = i * VW;
					vi p = loadi(px + at);
					if (edge >> at & ALL) p = smooth(px + up + at, px + at, px + down + at, l + up + at, l + at, l + down + at);
					storei(f->final + (ptrdiff_t)r * f->stride + x + at, p);
					vi prb = red_blue(p), pg = green(p), luminance = (weigh(prb, pg, 5983, 20127, 2032) + (16 << 15) + (1 << 14)) >> 15;
					if (x + at < f->w) store_bytes(f->plane_y + (ptrdiff_t)r * f->w + x + at, luminance, f->w - x - at);
					rb[i] += prb, g[i] += pg;
				}
			}
			vi srb = add_pairs(rb[0], rb[1]), sg = add_pairs(g[0], g[1]);
			vi u = (weigh(srb, sg, -6596, -22189, 28785) + (128 << 18) + (1 << 17)) >> 18;
			vi v = (weigh(srb, sg, 28785, -26145, -2640) + (128 << 18) + (1 << 17)) >> 18;
			ptrdiff_t c = (ptrdiff_t)(y / 2) * (f->w / 2) + x / 2;
			store_bytes(f->plane_u + c, u, (f->w - x) / 2);
			store_bytes(f->plane_v + c, v, (f->w - x) / 2);
		}
	}
}

// Eight lanes of AVX2.
#pragma GCC target("avx2,bmi,bmi2,lzcnt")
#define VW 8
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint8_t vb __attribute__((vector_size(8)));
#define LANES ((vi){0, 1, 2, 3, 4, 5, 6, 7})

static inline vf gatherf(const void *p, vi i) { return (vf)_mm256_i32gather_ps((const float *)p, (__m256i)i, 4); }
static inline vi gatheri(const void *p, vi i) { return (vi)_mm256_i32gather_epi32((const int *)p, (__m256i)i, 4); }
// a = words[i], b = words[i+1]: one 64-bit load a lane.
static inline void pair(const void *p, vi i, vi *a, vi *b) {
	__m256i lo = _mm256_i32gather_epi64((const long long *)p, _mm256_castsi256_si128((__m256i)i), 4);
	__m256i hi = _mm256_i32gather_epi64((const long long *)p, _mm256_extracti128_si256((__m256i)i, 1), 4);
	__m256 x = _mm256_shuffle_ps((__m256)lo, (__m256)hi, 0x88), y = _mm256_shuffle_ps((__m256)lo, (__m256)hi, 0xdd);
	*a = (vi)_mm256_permute4x64_epi64((__m256i)x, 0xd8);
	*b = (vi)_mm256_permute4x64_epi64((__m256i)y, 0xd8);
}
// quad loads words i .. i+3 of each lane: eight 128-bit loads and a transposition, far cheaper than four gathers.
static inline void quad(const void *p, vi i, vi *a, vi *b, vi *c, vi *d) {
	const float *w = (const float *)p;
	int32_t n[8];
	memcpy(n, &i, sizeof n);
	__m256 r[4];
	for (int k = 0; k < 4; k++) r[k] = _mm256_loadu2_m128(w + n[k + 4], w + n[k]);
	__m256 lo0 = _mm256_unpacklo_ps(r[0], r[1]), lo1 = _mm256_unpacklo_ps(r[2], r[3]);
	__m256 hi0 = _mm256_unpackhi_ps(r[0], r[1]), hi1 = _mm256_unpackhi_ps(r[2], r[3]);
	*a = (vi)_mm256_shuffle_ps(lo0, lo1, 0x44), *b = (vi)_mm256_shuffle_ps(lo0, lo1, 0xee);
	*c = (vi)_mm256_shuffle_ps(hi0, hi1, 0x44), *d = (vi)_mm256_shuffle_ps(hi0, hi1, 0xee);
}
static inline vf vsqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }
static inline vf vfloor(vf x) { return (vf)_mm256_floor_ps((__m256)x); }
static inline vi vtrunc(vf x) { return (vi)_mm256_cvttps_epi32((__m256)x); }
static inline uint32_t bits(vi m) { return (uint32_t)_mm256_movemask_ps((__m256)m); }
static inline vf sel(vi m, vf a, vf b) { return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)m); }
static inline vi seli(vi m, vi a, vi b) { return (vi)_mm256_blendv_epi8((__m256i)b, (__m256i)a, (__m256i)m); }
static inline vi mini(vi a, vi b) { return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b); }
static inline vi maxi(vi a, vi b) { return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b); }
// minps and maxps return the second operand when either is NaN, as minf and maxf do.
static inline vf minf(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
static inline vf maxf(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }

// Eight lanes of AVX2.
#pragma GCC target("avx2,bmi,bmi2,lzcnt")
#define VW 8
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
#define LANES ((vi){0, 1, 2, 3, 4, 5, 6, 7})

static inline vi gatheri(const void *p, vi i) { return (vi)_mm256_i32gather_epi32((const int *)p, (__m256i)i, 4); }
// spill moves lanes to memory, where scalar loads fetch them faster than they can be extracted.
static inline void spill(uint32_t n[8], vi i) {
	memcpy(n, &i, sizeof i);
	__asm__("" : "+m"(*(uint32_t(*)[8])n));
}
// pair loads words i and i+1 of each lane: eight 64-bit loads, cheaper than two 64-bit gathers.
static inline void pair(const void *p, vi i, vi *a, vi *b) {
	const float *w = (const float *)p;
	uint32_t n[8];
	spill(n, i);
	__m128 r[4];
	for (int k = 0; k < 4; k++) {
		r[k] = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(w + n[2 * k]));
		r[k] = _mm_loadh_pi(r[k], (const __m64 *)(w + n[2 * k + 1]));
	}
	*a = (vi)_mm256_set_m128(_mm_shuffle_ps(r[2], r[3], 0x88), _mm_shuffle_ps(r[0], r[1], 0x88));
	*b = (vi)_mm256_set_m128(_mm_shuffle_ps(r[2], r[3], 0xdd), _mm_shuffle_ps(r[0], r[1], 0xdd));
}
// quad loads words i .. i+3 of each lane: eight 128-bit loads and a transposition, far cheaper than four gathers.
static inline void quad(const void *p, vi i, vi *a, vi *b, vi *c, vi *d) {
	const float *w = (const float *)p;
	uint32_t n[8];
	spill(n, i);
	__m256 r[4];
	for (int k = 0; k < 4; k++) r[k] = _mm256_loadu2_m128(w + n[k + 4], w + n[k]);
	__m256 lo0 = _mm256_unpacklo_ps(r[0], r[1]), lo1 = _mm256_unpacklo_ps(r[2], r[3]);
	__m256 hi0 = _mm256_unpackhi_ps(r[0], r[1]), hi1 = _mm256_unpackhi_ps(r[2], r[3]);
	*a = (vi)_mm256_shuffle_ps(lo0, lo1, 0x44), *b = (vi)_mm256_shuffle_ps(lo0, lo1, 0xee);
	*c = (vi)_mm256_shuffle_ps(hi0, hi1, 0x44), *d = (vi)_mm256_shuffle_ps(hi0, hi1, 0xee);
}
// store_quads writes the lanes as consecutive records of four words.
static inline void store_quads(float *p, vf a, vf b, vf c, vf d) {
	__m256 ab0 = _mm256_unpacklo_ps((__m256)a, (__m256)b), ab1 = _mm256_unpackhi_ps((__m256)a, (__m256)b);
	__m256 cd0 = _mm256_unpacklo_ps((__m256)c, (__m256)d), cd1 = _mm256_unpackhi_ps((__m256)c, (__m256)d);
	_mm256_storeu2_m128(p + 16, p, _mm256_shuffle_ps(ab0, cd0, 0x44));
	_mm256_storeu2_m128(p + 20, p + 4, _mm256_shuffle_ps(ab0, cd0, 0xee));
	_mm256_storeu2_m128(p + 24, p + 8, _mm256_shuffle_ps(ab1, cd1, 0x44));
	_mm256_storeu2_m128(p + 28, p + 12, _mm256_shuffle_ps(ab1, cd1, 0xee));
}
static inline vi madd(vi a, vi b) { return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
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
// min16 and max16 compare halves of words, signed.
static inline vi min16(vi a, vi b) { return (vi)_mm256_min_epi16((__m256i)a, (__m256i)b); }
static inline vi max16(vi a, vi b) { return (vi)_mm256_max_epi16((__m256i)a, (__m256i)b); }
// compress writes the lanes that are set in m one after the other, and anything in the rest of VW words; it returns how many.
static inline uint32_t compress(uint32_t *p, vi v, uint32_t m) {
	uint32_t w[8], n = 0;
	spill(w, v);
	for (int k = 0; k < 8; k++) p[n] = w[k], n += m >> k & 1;
	return n;
}
// store_pairs writes a0 b0 a1 b1 ...
static inline void store_pairs(uint32_t *p, vi a, vi b) {
	__m256i lo = _mm256_unpacklo_epi32((__m256i)a, (__m256i)b), hi = _mm256_unpackhi_epi32((__m256i)a, (__m256i)b);
	_mm256_storeu_si256((__m256i *)p, _mm256_permute2x128_si256(lo, hi, 0x20));
	_mm256_storeu_si256((__m256i *)(p + 8), _mm256_permute2x128_si256(lo, hi, 0x31));
}
static inline vi avg_bytes(vi a, vi b) { return (vi)_mm256_avg_epu8((__m256i)a, (__m256i)b); }
// spread is the difference of bytes.
static inline vi spread(vi a, vi b) {
	return (vi)_mm256_sub_epi8(_mm256_max_epu8((__m256i)a, (__m256i)b), _mm256_min_epu8((__m256i)a, (__m256i)b));
}
// add_pairs adds lanes 0 and 1, 2 and 3, ... of a, then of b.
static inline vi add_pairs(vi a, vi b) {
	return (vi)_mm256_permute4x64_epi64(_mm256_hadd_epi32((__m256i)a, (__m256i)b), 0xd8);
}
static inline vi load_bytes(const uint8_t *p) { return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
// store_bytes writes the low bytes of the first n lanes; all are 0..255.
static inline void store_bytes(uint8_t *p, vi v, int n) {
	__m128i w = _mm_packus_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
	uint64_t b = (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(w, w));
	if (n >= 8) memcpy(p, &b, 8);
	else memcpy(p, &b, (size_t)n);
}

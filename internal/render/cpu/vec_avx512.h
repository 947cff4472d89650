// Sixteen lanes of AVX-512 (F, BW, DQ, VL: x86-64-v4).
#pragma GCC target("avx2,bmi,bmi2,lzcnt,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#define VW 16
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
#define LANES ((vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

static inline vi gatheri(const void *p, vi i) { return (vi)_mm512_i32gather_epi32((__m512i)i, p, 4); }
// spill moves lanes to memory, where scalar loads fetch them faster than they can be extracted.
static inline void spill(uint32_t n[16], vi i) {
	memcpy(n, &i, sizeof i);
	__asm__("" : "+m"(*(uint32_t(*)[16])n));
}
// a = words[i], b = words[i+1]: one 64-bit load a lane.
static inline void pair(const void *p, vi i, vi *a, vi *b) {
	const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
	__m512i lo = _mm512_i32gather_epi64(_mm512_castsi512_si256((__m512i)i), p, 4);
	__m512i hi = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64((__m512i)i, 1), p, 4);
	*a = (vi)_mm512_permutex2var_epi32(lo, even, hi);
	*b = (vi)_mm512_permutex2var_epi32(lo, _mm512_add_epi32(even, _mm512_set1_epi32(1)), hi);
}
// quad loads words i .. i+3 of each lane: sixteen 128-bit loads and a transposition, far cheaper than four gathers.
static inline void quad(const void *p, vi i, vi *a, vi *b, vi *c, vi *d) {
	const float *w = (const float *)p;
	uint32_t n[16];
	spill(n, i);
	__m512 r[4];
	for (int k = 0; k < 4; k++) {
		r[k] = _mm512_castps128_ps512(_mm_loadu_ps(w + n[k]));
		r[k] = _mm512_insertf32x4(r[k], _mm_loadu_ps(w + n[k + 4]), 1);
		r[k] = _mm512_insertf32x4(r[k], _mm_loadu_ps(w + n[k + 8]), 2);
		r[k] = _mm512_insertf32x4(r[k], _mm_loadu_ps(w + n[k + 12]), 3);
	}
	__m512 lo0 = _mm512_unpacklo_ps(r[0], r[1]), lo1 = _mm512_unpacklo_ps(r[2], r[3]);
	__m512 hi0 = _mm512_unpackhi_ps(r[0], r[1]), hi1 = _mm512_unpackhi_ps(r[2], r[3]);
	*a = (vi)_mm512_shuffle_ps(lo0, lo1, 0x44), *b = (vi)_mm512_shuffle_ps(lo0, lo1, 0xee);
	*c = (vi)_mm512_shuffle_ps(hi0, hi1, 0x44), *d = (vi)_mm512_shuffle_ps(hi0, hi1, 0xee);
}
// store_quads writes the lanes as consecutive records of four words.
static inline void store_quads(float *p, vf a, vf b, vf c, vf d) {
	__m512 ab0 = _mm512_unpacklo_ps((__m512)a, (__m512)b), ab1 = _mm512_unpackhi_ps((__m512)a, (__m512)b);
	__m512 cd0 = _mm512_unpacklo_ps((__m512)c, (__m512)d), cd1 = _mm512_unpackhi_ps((__m512)c, (__m512)d);
	__m512 r[4] = {_mm512_shuffle_ps(ab0, cd0, 0x44), _mm512_shuffle_ps(ab0, cd0, 0xee),
	               _mm512_shuffle_ps(ab1, cd1, 0x44), _mm512_shuffle_ps(ab1, cd1, 0xee)};
	for (int k = 0; k < 4; k++) {
		_mm_storeu_ps(p + 4 * k, _mm512_extractf32x4_ps(r[k], 0));
		_mm_storeu_ps(p + 4 * k + 16, _mm512_extractf32x4_ps(r[k], 1));
		_mm_storeu_ps(p + 4 * k + 32, _mm512_extractf32x4_ps(r[k], 2));
		_mm_storeu_ps(p + 4 * k + 48, _mm512_extractf32x4_ps(r[k], 3));
	}
}
static inline vi madd(vi a, vi b) { return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
static inline vf vsqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }
static inline vf vfloor(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
static inline vi vtrunc(vf x) { return (vi)_mm512_cvttps_epi32((__m512)x); }
static inline uint32_t bits(vi m) { return _mm512_movepi32_mask((__m512i)m); }
static inline vf sel(vi m, vf a, vf b) { return (vf)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)m), (__m512)b, (__m512)a); }
static inline vi seli(vi m, vi a, vi b) {
	return (vi)_mm512_mask_blend_epi32(_mm512_movepi32_mask((__m512i)m), (__m512i)b, (__m512i)a);
}
static inline vi mini(vi a, vi b) { return (vi)_mm512_min_epi32((__m512i)a, (__m512i)b); }
static inline vi maxi(vi a, vi b) { return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b); }
// minps and maxps return the second operand when either is NaN, as minf and maxf do.
static inline vf minf(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
static inline vf maxf(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
// min16 and max16 compare halves of words, signed.
static inline vi min16(vi a, vi b) { return (vi)_mm512_min_epi16((__m512i)a, (__m512i)b); }
static inline vi max16(vi a, vi b) { return (vi)_mm512_max_epi16((__m512i)a, (__m512i)b); }
// compress writes the lanes that are set in m one after the other, and anything in the rest of VW words; it returns how many.
static inline uint32_t compress(uint32_t *p, vi v, uint32_t m) {
	_mm512_mask_compressstoreu_epi32(p, (__mmask16)m, (__m512i)v);
	return (uint32_t)__builtin_popcount(m);
}
// store_pairs writes a0 b0 a1 b1 ...
static inline void store_pairs(uint32_t *p, vi a, vi b) {
	const __m512i lo = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
	const __m512i hi = _mm512_add_epi32(lo, _mm512_set1_epi32(8));
	_mm512_storeu_si512(p, _mm512_permutex2var_epi32((__m512i)a, lo, (__m512i)b));
	_mm512_storeu_si512(p + 16, _mm512_permutex2var_epi32((__m512i)a, hi, (__m512i)b));
}
static inline vi avg_bytes(vi a, vi b) { return (vi)_mm512_avg_epu8((__m512i)a, (__m512i)b); }
// spread is the difference of bytes.
static inline vi spread(vi a, vi b) {
	return (vi)_mm512_sub_epi8(_mm512_max_epu8((__m512i)a, (__m512i)b), _mm512_min_epu8((__m512i)a, (__m512i)b));
}
// add_pairs adds lanes 0 and 1, 2 and 3, ... of a, then of b.
static inline vi add_pairs(vi a, vi b) {
	const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
	const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
	return (vi)_mm512_permutex2var_epi32((__m512i)a, even, (__m512i)b) + (vi)_mm512_permutex2var_epi32((__m512i)a, odd, (__m512i)b);
}
static inline vi load_bytes(const uint8_t *p) { return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
// store_bytes writes the low bytes of the first n lanes; all are 0..255.
static inline void store_bytes(uint8_t *p, vi v, int n) {
	__m128i b = _mm512_cvtepi32_epi8((__m512i)v);
	if (n >= 16) memcpy(p, &b, 16);
	else memcpy(p, &b, (size_t)n);
}

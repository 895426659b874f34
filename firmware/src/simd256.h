/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of eight elements on x86-64: what the AVX2 and the AVX-VNNI kernels share. */
#ifndef FTV_SIMD256_H
#define FTV_SIMD256_H

enum { LANES = 8, VECTORS = 2, PV_QUERIES = 4, PV_VECTORS = 2 };

typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));

static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf vf_load_f16(const uint8_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vf vf_keep_if_not_below(vf y, vf x, vf bound) {
    return _mm256_and_ps(_mm256_cmp_ps(x, bound, _CMP_GE_OQ), y);
}
static inline float vf_fold(vf a) {
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
/* The larger of values that are not negative, as their bits are ordered: NaN is kept. */
static inline vf vf_larger(vf a, vf b) { return (vf)_mm256_max_epi32((__m256i)a, (__m256i)b); }
static inline float vf_largest(vf a) {
    __m128i c = _mm_max_epi32(_mm256_castsi256_si128((__m256i)a), _mm256_extracti128_si256((__m256i)a, 1));
    c = _mm_max_epi32(c, _mm_unpackhi_epi64(c, c));
    return ftv_bits_float((uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(c, _mm_shuffle_epi32(c, 1))));
}
static inline vi vi_set(int32_t x) { return (vi)_mm256_set1_epi32(x); }
static inline vi vi_load(const void *p) { return (vi)_mm256_loadu_si256(p); }
static inline void vi_store(void *p, vi x) { _mm256_storeu_si256(p, (__m256i)x); }
static inline vi vi_load_u8(const void *p) { return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64(p)); }
static inline void vi_store_int8(int8_t *p, vi x) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(words, words));
}
static inline vi vi_shift_left(vi x, int n) { return (vi)_mm256_slli_epi32((__m256i)x, n); }
static inline vf vi_to_vf(vi x) { return _mm256_cvtepi32_ps((__m256i)x); }
static inline vi vf_to_vi(vf x) { return (vi)_mm256_cvttps_epi32(x); }
static inline vf vf_scale_exponent(vf x, vi n) {
    return (vf)_mm256_add_epi32((__m256i)x, _mm256_slli_epi32((__m256i)n, 23));
}

static inline void vi_transpose(vi row[8]) {
    __m256i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_epi32((__m256i)row[i], (__m256i)row[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi32((__m256i)row[i], (__m256i)row[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm256_unpacklo_epi64(a[i + j], a[i + j + 2]);
            b[i + 2 * j + 1] = _mm256_unpackhi_epi64(a[i + j], a[i + j + 2]);
        }
    for (int j = 0; j < 4; j++) { /* b[4 i + j]: in its 128-bit lane l, column 4 l + j of rows 4 i to 4 i + 3 */
        row[j] = (vi)_mm256_permute2x128_si256(b[j], b[4 + j], 0x20);
        row[4 + j] = (vi)_mm256_permute2x128_si256(b[j], b[4 + j], 0x31);
    }
}

/* `blocks` times 16 activations to the order of the codes; adds them to the lanes of `sum` */
static inline vi pack_blocks(int8_t *out, const int8_t *in, int blocks, vi sum) {
    const __m128i order = _mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const __m256i orders = _mm256_broadcastsi128_si256(order), ones = _mm256_set1_epi8(1),
                  ones16 = _mm256_set1_epi16(1);
    for (; blocks >= 2; blocks -= 2, in += 32, out += 32) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)in);
        _mm256_storeu_si256((__m256i *)(void *)out, _mm256_shuffle_epi8(x, orders));
        sum += (vi)_mm256_madd_epi16(_mm256_maddubs_epi16(ones, x), ones16);
    }
    if (blocks) {
        const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)in);
        _mm_storeu_si128((__m128i *)(void *)out, _mm_shuffle_epi8(x, order));
        sum += (vi)_mm256_madd_epi16(_mm256_maddubs_epi16(ones, _mm256_zextsi128_si256(x)), ones16);
    }
    return sum;
}

/* The sum of each of four vectors */
static inline void vi_sums(int32_t out[4], const vi v[4]) {
    const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32((__m256i)v[0], (__m256i)v[1]),
                                        _mm256_hadd_epi32((__m256i)v[2], (__m256i)v[3]));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1)));
}

/* The codes at bits [n, n + 2) of every byte; written out, or compilers keep the words in registers that the sums need.
 */
typedef int32_t memory __attribute__((vector_size(32), aligned(4), may_alias));
#define CODES(to, p, n)                                                                                                \
    do {                                                                                                               \
        __asm__("vmovdqu %1, %0" : "=x"(to) : "m"(*(const memory *)(const void *)(p)));                                \
        to = (vi)_mm256_srli_epi32((__m256i)to, n) & vi_set(0x03030303);                                               \
    } while (0)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 with AVX-512 VNNI: vpdpbusd adds 64 products of unsigned (codes 0..2) and signed bytes (activations). */
#include "kernels.h"

#ifdef FTV_HAVE_X86
#include <immintrin.h>
#include <string.h>

#include "bits.h"
#include "simd.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))),   \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#endif

#define TOKENS 6
#define KEYS 8
enum { LANES = 16, VECTORS = 4, PV_QUERIES = 4, PV_VECTORS = 4 };

typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));

static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
/* The larger of values that are not negative, as their bits are ordered: NaN is kept. */
static inline vf vf_larger(vf a, vf b) { return (vf)_mm512_max_epi32((__m512i)a, (__m512i)b); }
static inline float vf_largest(vf a) { return ftv_bits_float((uint32_t)_mm512_reduce_max_epi32((__m512i)a)); }
static inline vf vf_load_f16(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline vf vf_keep_if_not_below(vf y, vf x, vf bound) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, bound, _CMP_GE_OQ), y);
}
static inline float vf_fold(vf a) {
    const __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
static inline vi vi_set(int32_t x) { return (vi)_mm512_set1_epi32(x); }
static inline vi vi_load(const void *p) { return (vi)_mm512_loadu_si512(p); }
static inline void vi_store(void *p, vi x) { _mm512_storeu_si512(p, (__m512i)x); }
static inline vi vi_load_u8(const void *p) { return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128(p)); }
static inline void vi_store_int8(int8_t *p, vi x) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8((__m512i)x));
}
static inline vi vi_shift_left(vi x, int n) { return (vi)_mm512_slli_epi32((__m512i)x, (unsigned)n); }
static inline vf vi_to_vf(vi x) { return _mm512_cvtepi32_ps((__m512i)x); }
static inline vi vf_to_vi(vf x) { return (vi)_mm512_cvttps_epi32(x); }
static inline vf vf_scale_exponent(vf x, vi n) {
    return (vf)_mm512_add_epi32((__m512i)x, _mm512_slli_epi32((__m512i)n, 23));
}
static inline vi dot_u8_s8(vi acc, vi a, vi b) { return (vi)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)b); }

static inline void vi_transpose(vi row[16]) {
    __m512i a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32((__m512i)row[i], (__m512i)row[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32((__m512i)row[i], (__m512i)row[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + j + 2]);
            b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + j + 2]);
        }
    for (int j = 0; j < 4; j++) { /* b[4 i + j]: in its 128-bit lane l, column 4 l + j of rows 4 i to 4 i + 3 */
        const __m512i even01 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88),
                      odd01 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd),
                      even23 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88),
                      odd23 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);
        row[j] = (vi)_mm512_shuffle_i32x4(even01, even23, 0x88);
        row[8 + j] = (vi)_mm512_shuffle_i32x4(even01, even23, 0xdd);
        row[4 + j] = (vi)_mm512_shuffle_i32x4(odd01, odd23, 0x88);
        row[12 + j] = (vi)_mm512_shuffle_i32x4(odd01, odd23, 0xdd);
    }
}

/* `blocks` times 16 activations to the order of the codes; adds them to the lanes of `sum` */
static inline vi pack_blocks(int8_t *out, const int8_t *in, int blocks, vi sum) {
    const __m128i order = _mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const __m512i orders = _mm512_broadcast_i32x4(order), ones = _mm512_set1_epi8(1);
    for (; blocks >= 4; blocks -= 4, in += 64, out += 64) {
        const __m512i x = _mm512_loadu_si512(in);
        _mm512_storeu_si512(out, _mm512_shuffle_epi8(x, orders));
        sum = dot_u8_s8(sum, (vi)ones, (vi)x);
    }
    for (; blocks; blocks--, in += 16, out += 16) {
        const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)in);
        _mm_storeu_si128((__m128i *)(void *)out, _mm_shuffle_epi8(x, order));
        sum = dot_u8_s8(sum, (vi)ones, (vi)_mm512_zextsi128_si512(x));
    }
    return sum;
}

/* The sum of each of four vectors */
static inline void vi_sums(int32_t out[4], const vi v[4]) {
    const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32((__m512i)v[0], (__m512i)v[1]),
                                       _mm512_unpackhi_epi32((__m512i)v[0], (__m512i)v[1])),
                  b = _mm512_add_epi32(_mm512_unpacklo_epi32((__m512i)v[2], (__m512i)v[3]),
                                       _mm512_unpackhi_epi32((__m512i)v[2], (__m512i)v[3])),
                  c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    const __m256i d = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1)));
}

/* Instructions written out where compilers would keep more in registers than there are, and spill the sums. */
static inline vi dot(vi acc, vi codes, vi x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(x));
    return acc;
}
typedef int32_t memory __attribute__((vector_size(64), aligned(4), may_alias));
#define SHIFTED(p, n, to) __asm__("vpsrld $" #n ", %1, %0" : "=v"(to) : "m"(*(const memory *)(const void *)(p)))

#define CODES(to, p, n)                                                                                                \
    do {                                                                                                               \
        SHIFTED(p, n, to);                                                                                             \
        to &= vi_set(0x03030303);                                                                                      \
    } while (0)

INLINE void accumulate(const int tokens, vi acc[TOKENS][VECTORS], const uint32_t *tile, const int8_t *x, size_t stride,
                       int blocks) {
    for (; blocks; blocks--, tile += VECTORS * LANES, x += 16) STEPS(acc, dot);
}

static uint64_t peak(uint32_t rounds) {
    vi acc[24], codes = vi_set(0x01000102), x = vi_set(0x11223344);
    for (int i = 0; i < 24; i++) acc[i] = vi_set(i);
    for (uint32_t r = 0; r < rounds; r++) UNROLL
    for (int i = 0; i < 24; i++) acc[i] = dot(acc[i], codes, x);
    for (int i = 0; i < 24; i++) __asm__ volatile("" ::"v"(acc[i]));
    return (uint64_t)rounds * 24 * 64;
}

static bool supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

#include "kernels_simd.h"

const ftv_kernels ftv_kernels_avx512 = {.name = "avx512", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

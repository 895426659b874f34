/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 with AVX2: vpmaddubsw multiplies codes 0..2 and activations and adds pairs, in 16 bits. 64 of those sums still
 * fit (64 * 2 * 2 * 128 = 32768, on the negative side only), so 16 blocks go by before they are widened. */
#include "kernels.h"

#ifdef FTV_HAVE_X86
#include <immintrin.h>
#include <string.h>

#include "bits.h"
#include "simd.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

#define TOKENS 4
#define KEYS 6
#include "simd256.h"

/* Any unsigned by any signed bytes: vpmaddubsw would saturate. */
static inline vi dot_u8_s8(vi acc, vi a, vi b) {
    const __m256i low = _mm256_set1_epi16(0xff),
                  even = _mm256_madd_epi16(_mm256_and_si256((__m256i)a, low),
                                           _mm256_srai_epi16(_mm256_slli_epi16((__m256i)b, 8), 8)),
                  odd = _mm256_madd_epi16(_mm256_srli_epi16((__m256i)a, 8), _mm256_srai_epi16((__m256i)b, 8));
    return acc + (vi)even + (vi)odd;
}

/* Written out: compilers would rather add products to each other first, and run out of registers. */
static inline vi add_product(vi sum, vi codes, vi x) {
    vi product;
    __asm__("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(codes), "x"(x));
    return sum;
}

INLINE void accumulate(const int tokens, vi acc[TOKENS][VECTORS], const uint32_t *tile, const int8_t *x, size_t stride,
                       int blocks) {
    while (blocks) {
        vi sum[TOKENS][VECTORS];
        UNROLL
        for (int t = 0; t < tokens; t++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++) sum[t][v] = vi_set(0);
        }
        int now = blocks < 16 ? blocks : 16;
        blocks -= now;
        for (; now; now--, tile += VECTORS * LANES, x += 16) {
            STEPS(sum, add_product);
        }
        UNROLL
        for (int t = 0; t < tokens; t++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                acc[t][v] += (vi)_mm256_madd_epi16((__m256i)sum[t][v], _mm256_set1_epi16(1));
        }
    }
}

static uint64_t peak(uint32_t rounds) {
    vi acc[8], codes = vi_set(0x01010101), x = vi_set(0x03030303);
    for (int i = 0; i < 8; i++) acc[i] = vi_set(0);
    for (uint32_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < 8; i++) acc[i] = add_product(acc[i], codes, x);
    }
    for (int i = 0; i < 8; i++) __asm__ volatile("" ::"x"(acc[i]));
    return (uint64_t)rounds * 8 * 32;
}

static bool supported(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

#include "kernels_simd.h"

const ftv_kernels ftv_kernels_avx2 = {.name = "avx2", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit Arm with the dot-product instructions (Armv8.2 and later: Raspberry Pi 5, phones, Apple). */
#include "kernels.h"

#ifdef FTV_HAVE_NEON
#include <arm_neon.h>
#include <string.h>
#ifdef __linux__
#include <sys/auxv.h>
#endif

#include "bits.h"
#include "simd.h"

static bool supported(void) {
#if defined(__ARM_FEATURE_DOTPROD)
    return true;
#elif defined(__linux__)
    return getauxval(AT_HWCAP) & 1ul << 20; /* HWCAP_ASIMDDP */
#else
    return false;
#endif
}

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#include "simd128.h"
enum { VECTORS = 4 };

static inline vi dot(vi acc, int8x16_t a, int8x16_t b) { /* written out: clang before 16 has no name for it here */
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(a), "w"(b));
    return acc;
}

/* Unsigned as signed and 128: the product with 128 is added in two halves, 64 fits a signed byte. */
static inline vi dot_u8_s8(vi acc, vi a, vi b) {
    const int8x16_t x = vreinterpretq_s8_s32(b), half = vdupq_n_s8(64);
    acc = dot(acc, veorq_s8(vreinterpretq_s8_s32(a), vdupq_n_s8(-128)), x);
    return dot(dot(acc, half, x), half, x);
}

INLINE void accumulate(const int tokens, vi acc[TOKENS][VECTORS], const uint32_t *tile, const int8_t *x, size_t stride,
                       int blocks) {
    for (; blocks; blocks--, tile += VECTORS * LANES, x += 16) {
        UNROLL
        for (int s = 0; s < 4; s++) {
            int8x16_t code[VECTORS];
            UNROLL
            for (int v = 0; v < VECTORS; v++) code[v] = codes_at(tile + v * LANES, 2 * s);
            UNROLL
            for (int t = 0; t < tokens; t++) {
                const int8x16_t b = vreinterpretq_s8_s32(vi_set((int32_t)ftv_load_u32(x + (size_t)t * stride + 4 * s)));
                UNROLL
                for (int v = 0; v < VECTORS; v++) acc[t][v] = dot(acc[t][v], code[v], b);
            }
        }
    }
}

static uint64_t peak(uint32_t rounds) {
    vi acc[16];
    const int8x16_t codes = vdupq_n_s8(1), x = vdupq_n_s8(3);
    for (int i = 0; i < 16; i++) acc[i] = vi_set(i);
    for (uint32_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < 16; i++) acc[i] = dot(acc[i], codes, x);
    }
    for (int i = 0; i < 16; i++) __asm__ volatile("" ::"w"(acc[i]));
    return (uint64_t)rounds * 16 * 16;
}

#include "kernels_simd.h"

const ftv_kernels ftv_kernels_neondot = {.name = "neondot", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 with AVX-VNNI (from Alder Lake and Zen 5 on): vpdpbusd on 256 bits. */
#include "kernels.h"

#ifdef FTV_HAVE_AVXVNNI
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#include "bits.h"
#include "simd.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avxvnni,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avxvnni,avx2,fma,f16c")
#endif

#define TOKENS 6
#define KEYS 6
#include "simd256.h"

static inline vi dot_u8_s8(vi acc, vi a, vi b) { /* written out: compilers would move the sums about */
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
    return acc;
}

INLINE void accumulate(const int tokens, vi acc[TOKENS][VECTORS], const uint32_t *tile, const int8_t *x, size_t stride,
                       int blocks) {
    for (; blocks; blocks--, tile += VECTORS * LANES, x += 16) STEPS(acc, dot_u8_s8);
}

static uint64_t peak(uint32_t rounds) {
    vi acc[12], codes = vi_set(0x01000102), x = vi_set(0x11223344);
    for (int i = 0; i < 12; i++) acc[i] = vi_set(i);
    for (uint32_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < 12; i++) acc[i] = dot_u8_s8(acc[i], codes, x);
    }
    for (int i = 0; i < 12; i++) __asm__ volatile("" ::"x"(acc[i]));
    return (uint64_t)rounds * 12 * 32;
}

static bool supported(void) {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           a & 1u << 4;
}

#include "kernels_simd.h"

const ftv_kernels ftv_kernels_avxvnni = {.name = "avxvnni", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

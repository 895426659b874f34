/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit Arm without dot products: products of bytes are added in 16 bits. Code times activation is at most 2 * 128, so
 * 127 of them fit: 31 blocks of 4 go by before they are widened. */
#include "kernels.h"

#ifdef FTV_HAVE_NEON
#include <arm_neon.h>
#include <string.h>

#include "bits.h"
#include "simd.h"

#include "simd128.h"
enum { VECTORS = 2 };

static inline vi dot_u8_s8(vi acc, vi a, vi b) {
    const uint8x16_t u = vreinterpretq_u8_s32(a);
    const int8x16_t s = vreinterpretq_s8_s32(b);
    const int16x8_t u0 = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(u))), u1 = vreinterpretq_s16_u16(vmovl_high_u8(u)),
                    s0 = vmovl_s8(vget_low_s8(s)), s1 = vmovl_high_s8(s);
    const vi p0 = vpaddq_s32(vmull_s16(vget_low_s16(u0), vget_low_s16(s0)), vmull_high_s16(u0, s0)),
             p1 = vpaddq_s32(vmull_s16(vget_low_s16(u1), vget_low_s16(s1)), vmull_high_s16(u1, s1));
    return vaddq_s32(acc, vpaddq_s32(p0, p1));
}

INLINE void accumulate(const int tokens, vi acc[TOKENS][VECTORS], const uint32_t *tile, const int8_t *x, size_t stride,
                       int blocks) {
    while (blocks) {
        int16x8_t low[TOKENS][VECTORS], high[TOKENS][VECTORS]; /* rows 0 and 1, rows 2 and 3 of each vector */
        UNROLL
        for (int t = 0; t < tokens; t++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++) low[t][v] = high[t][v] = vdupq_n_s16(0);
        }
        int now = blocks < 31 ? blocks : 31;
        blocks -= now;
        for (; now; now--, tile += VECTORS * LANES, x += 16) {
            UNROLL
            for (int s = 0; s < 4; s++) {
                int8x16_t code[VECTORS];
                UNROLL
                for (int v = 0; v < VECTORS; v++) code[v] = codes_at(tile + v * LANES, 2 * s);
                UNROLL
                for (int t = 0; t < tokens; t++) {
                    const int8x16_t b =
                        vreinterpretq_s8_s32(vi_set((int32_t)ftv_load_u32(x + (size_t)t * stride + 4 * s)));
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        low[t][v] = vmlal_s8(low[t][v], vget_low_s8(code[v]), vget_low_s8(b));
                        high[t][v] = vmlal_high_s8(high[t][v], code[v], b);
                    }
                }
            }
        }
        UNROLL
        for (int t = 0; t < tokens; t++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                acc[t][v] = vaddq_s32(acc[t][v], vpaddq_s32(vpaddlq_s16(low[t][v]), vpaddlq_s16(high[t][v])));
        }
    }
}

static uint64_t peak(uint32_t rounds) {
    int16x8_t acc[16];
    const int8x8_t codes = vdup_n_s8(1), x = vdup_n_s8(3);
    for (int i = 0; i < 16; i++) acc[i] = vdupq_n_s16(0);
    for (uint32_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < 16; i++) acc[i] = vmlal_s8(acc[i], codes, x);
        for (int i = 0; i < 16; i++) __asm__ volatile("" : "+w"(acc[i]));
    }
    return (uint64_t)rounds * 16 * 8;
}

static bool supported(void) { return true; }

#include "kernels_simd.h"

const ftv_kernels ftv_kernels_neon = {.name = "neon", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};
#endif

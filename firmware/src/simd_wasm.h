/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of four elements in WebAssembly: what both of its kernel sets share but the fused product.
 *
 * Ternary products: i32x4.dot_i16x8_s adds two products of 16 bits. An activation needs 8 of its 16 bits; the other
 * factor takes the codes of two rows, code_a + 2^14 code_b, so that one instruction makes 16 products. While the first
 * row's sum stays below 2^13 (63 products of at most 128), both come apart again. */
#ifndef FTV_SIMD_WASM_H
#define FTV_SIMD_WASM_H

enum { LANES = 4, VECTORS = 2, PAIRS = VECTORS / 2, PV_QUERIES = 4, PV_VECTORS = 2, SHIFT = 14 };
#define TOKENS 6
#define KEYS 4
#define X_BYTES 2
/* The tokens of a tile lie interleaved, word by word: one pointer, and distances that instructions can hold. */
#define PACKED_AT(t, stride) ((size_t)((t) / TOKENS * TOKENS) * (stride) + (size_t)((t) % TOKENS) * 4)
#define PACKED_BLOCK (8 * TOKENS * 4)
#define CODE_WORDS 4 /* 8 steps of a block, for two vectors of rows */

#define UNROLLED_ONCE _Pragma("clang loop unroll(disable)")

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

static inline vf vf_set(float x) { return (vf)wasm_f32x4_splat(x); }
static inline vf vf_load(const float *p) { return (vf)wasm_v128_load(p); }
static inline void vf_store(float *p, vf x) { wasm_v128_store(p, (v128_t)x); }
static inline vf vf_max(vf a, vf b) {
    return (vf)wasm_f32x4_pmax((v128_t)b, (v128_t)a);
} /* a > b ? a : b, with NaN too */
static inline vf vf_min(vf a, vf b) { return (vf)wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
static inline vf vf_abs(vf a) { return (vf)wasm_f32x4_abs((v128_t)a); }
/* The larger of values that are not negative, as their bits are ordered: NaN is kept. */
static inline vf vf_larger(vf a, vf b) { return (vf)wasm_u32x4_max((v128_t)a, (v128_t)b); }
static inline float vf_largest(vf a) {
    const v128_t b = wasm_u32x4_max((v128_t)a, wasm_i32x4_shuffle((v128_t)a, (v128_t)a, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(wasm_u32x4_max(b, wasm_i32x4_shuffle(b, b, 1, 0, 3, 2)), 0);
}
static inline vf vf_load_f16(const uint8_t *p) { /* the exponent's bias by a product, which is exact */
    const v128_t h = wasm_u32x4_load16x4(p), size = wasm_v128_and(h, wasm_i32x4_splat(0x7fff)),
                 top = wasm_v128_and(wasm_i32x4_gt(size, wasm_i32x4_splat(0x7bff)), wasm_i32x4_splat(0x7f800000)),
                 x = wasm_f32x4_mul(wasm_i32x4_shl(size, 13), wasm_f32x4_splat(0x1p112f));
    return (vf)wasm_v128_or(wasm_v128_or(x, top), wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_splat(0x8000)), 16));
}
static inline vf vf_keep_if_not_below(vf y, vf x, vf bound) { return (vf)((x >= bound) & (vi)y); }
static inline float vf_fold(vf a) { return (a[0] + a[2]) + (a[1] + a[3]); }
static inline vi vi_set(int32_t x) { return (vi)wasm_i32x4_splat(x); }
static inline vi vi_load(const void *p) { return (vi)wasm_v128_load(p); }
static inline void vi_store(void *p, vi x) { wasm_v128_store(p, (v128_t)x); }
static inline vi vi_load_u8(const void *p) {
    return (vi)wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
}
static inline void vi_store_int8(int8_t *p, vi x) {
    const v128_t words = wasm_i16x8_narrow_i32x4((v128_t)x, (v128_t)x);
    wasm_v128_store32_lane(p, wasm_i8x16_narrow_i16x8(words, words), 0);
}
static inline vi vi_shift_left(vi x, int n) { return (vi)wasm_i32x4_shl((v128_t)x, (uint32_t)n); }
static inline vf vi_to_vf(vi x) { return (vf)wasm_f32x4_convert_i32x4((v128_t)x); }
/* of whole numbers below 2^22: a sum, where the conversion that WebAssembly defines is six instructions */
static inline vi vf_to_vi(vf x) { return (vi)(x + vf_set(FTV_ROUNDING)) - (vi)vf_set(FTV_ROUNDING); }
static inline vf vf_scale_exponent(vf x, vi n) { return (vf)((vi)x + vi_shift_left(n, 23)); }

static inline void vi_transpose(vi row[4]) {
    const v128_t a = wasm_i32x4_shuffle((v128_t)row[0], (v128_t)row[1], 0, 4, 1, 5),
                 b = wasm_i32x4_shuffle((v128_t)row[2], (v128_t)row[3], 0, 4, 1, 5),
                 c = wasm_i32x4_shuffle((v128_t)row[0], (v128_t)row[1], 2, 6, 3, 7),
                 d = wasm_i32x4_shuffle((v128_t)row[2], (v128_t)row[3], 2, 6, 3, 7);
    row[0] = (vi)wasm_i64x2_shuffle(a, b, 0, 2);
    row[1] = (vi)wasm_i64x2_shuffle(a, b, 1, 3);
    row[2] = (vi)wasm_i64x2_shuffle(c, d, 0, 2);
    row[3] = (vi)wasm_i64x2_shuffle(c, d, 1, 3);
}

/* `blocks` times 16 activations, widened, in pairs of those whose codes lie 16 bits apart, each pair TOKENS words from
 * the next. Codes are signed here: the sum is not needed. */
static inline vi pack_blocks(int8_t *out, const int8_t *in, int blocks, vi sum) {
    for (; blocks; blocks--, in += 16, out += PACKED_BLOCK) {
        const v128_t x = wasm_v128_load(in),
                     pairs = wasm_i8x16_shuffle(x, x, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        const vi half[2] = {(vi)wasm_i16x8_extend_low_i8x16(pairs), (vi)wasm_i16x8_extend_high_i8x16(pairs)};
        UNROLL
        for (int s = 0; s < 8; s++) {
            const int32_t pair = half[s / 4][s % 4];
            __builtin_memcpy(out + s * TOKENS * 4, &pair, 4);
        }
    }
    return sum;
}

static inline void vi_sums(int32_t out[4], const vi v[4]) {
    for (int i = 0; i < 4; i++) out[i] = v[i][0] + v[i][1] + v[i][2] + v[i][3];
}

/* out[block][step][pair][lane]: in each half of a word (code_a - 1) + 2^14 (code_b - 1), a and b rows of the pair's two
 * vectors */
static inline void expand_tile(uint32_t *out, const uint32_t *tile, int blocks) {
    const vi mask = vi_set(0x00030003);
    const v128_t ones = wasm_i16x8_splat(1 + (1 << SHIFT));
    for (; blocks; blocks--, out += 8 * PAIRS * LANES)
        for (int p = 0; p < PAIRS; p++, tile += 2 * LANES) {
            const v128_t a = (v128_t)vi_load(tile), b = (v128_t)vi_load(tile + LANES);
            UNROLL
            for (int s = 0; s < 8; s++) {
                const vi low = (vi)wasm_u32x4_shr(a, (uint32_t)(2 * s)) & mask,
                         high = (vi)wasm_u32x4_shr(b, (uint32_t)(2 * s)) & mask;
                vi_store(out + (s * PAIRS + p) * LANES,
                         (vi)wasm_i16x8_sub((v128_t)(low | vi_shift_left(high, SHIFT)), ones));
            }
        }
}

INLINE void accumulate(const int tokens, vi acc[TOKENS][VECTORS], const uint32_t *tile, const int8_t *x, size_t stride,
                       int blocks) {
    (void)stride;
    while (blocks) {
        v128_t sum[TOKENS][PAIRS];
        UNROLL
        for (int t = 0; t < tokens; t++) {
            UNROLL
            for (int p = 0; p < PAIRS; p++) sum[t][p] = wasm_i32x4_splat(0);
        }
        int now = blocks < 3 ? blocks : 3; /* 48 products */
        blocks -= now;
        now *= 8;
        UNROLLED_ONCE /* more, and compilers add products to each other first, and run out of registers */
            for (; now; now--, tile += PAIRS * LANES, x += TOKENS * 4) {
            v128_t codes[PAIRS];
            UNROLL
            for (int p = 0; p < PAIRS; p++) codes[p] = wasm_v128_load(tile + p * LANES);
            UNROLL
            for (int t = 0; t < tokens; t++) {
                const v128_t b = wasm_v128_load32_splat(x + 4 * t);
                UNROLL
                for (int p = 0; p < PAIRS; p++)
                    sum[t][p] = wasm_i32x4_add(sum[t][p], wasm_i32x4_dot_i16x8(codes[p], b));
            }
        }
        UNROLL
        for (int t = 0; t < tokens; t++) {
            UNROLL
            for (int p = 0; p < PAIRS; p++) {
                const v128_t low = wasm_i32x4_shr(wasm_i32x4_shl(sum[t][p], 32 - SHIFT), 32 - SHIFT);
                acc[t][2 * p] += (vi)low;
                acc[t][2 * p + 1] += (vi)wasm_i32x4_shr(wasm_i32x4_sub(sum[t][p], low), SHIFT);
            }
        }
    }
}

/* Any unsigned by any signed bytes */
static inline vi dot_u8_s8(vi acc, vi a, vi b) {
    const v128_t x = (v128_t)a, y = (v128_t)b,
                 even = wasm_i32x4_dot_i16x8(wasm_v128_and(x, wasm_i16x8_splat(0xff)),
                                             wasm_i16x8_shr(wasm_i16x8_shl(y, 8), 8)),
                 odd = wasm_i32x4_dot_i16x8(wasm_u16x8_shr(x, 8), wasm_i16x8_shr(y, 8));
    return acc + (vi)even + (vi)odd;
}

static uint64_t peak(uint32_t rounds) {
    v128_t acc[8], codes = wasm_i16x8_splat(1), x = wasm_i16x8_splat(3);
    for (int i = 0; i < 8; i++) acc[i] = wasm_i32x4_splat(i);
    for (uint32_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < 8; i++) acc[i] = wasm_i32x4_add(acc[i], wasm_i32x4_dot_i16x8(codes, x));
        for (int i = 0; i < 8; i++) __asm__ volatile("" ::"r"(wasm_i32x4_extract_lane(acc[i], 0)));
    }
    return (uint64_t)rounds * 8 * 16;
}

#endif

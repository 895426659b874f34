/* SPDX-License-Identifier: Apache-2.0 */
/* Ternary products by table, for machines without vector instructions.
 *
 * The sum of a byte's 4 (2bit) or 5 (base3) activations under every possible byte is computed once; each weight byte is
 * then one look-up, for four tokens at a time: their sums lie side by side, 16 bits apart, in one integer (a sum of s0
 * + s1 2^16 + ... stays recoverable while every |s| < 2^15). A slice of the inputs at a time keeps that bound, and the
 * tables small enough for a microcontroller's internal memory. The packed weights are used as they lie in the file. */
#include "kernels.h"
#include "packing.h"

typedef FTV_TABLE_WORD word;

enum {
    TOKENS = 4,
    WORDS = TOKENS * 2 / (int)sizeof(word), /* per table entry */
    PER_WORD = TOKENS / WORDS,
    SLICE_2BIT = 48,
    ENTRIES_2BIT = 0xaa + 1, /* bytes of a row per slice: 192 inputs; highest valid byte + 1 */
    SLICE_BASE3 = 39,
    ENTRIES_BASE3 = 243, /* 195 inputs */
};
_Static_assert(SLICE_2BIT * 4 * 128 < 32768 && SLICE_BASE3 * 5 * 128 < 32768, "a slice's sums must fit 16 bits");

static int slice_bytes(ftv_packing p) { return p == FTV_PACK_2BIT ? SLICE_2BIT : SLICE_BASE3; }
static int entries(ftv_packing p) { return p == FTV_PACK_2BIT ? ENTRIES_2BIT : ENTRIES_BASE3; }

/* Input k of four tokens in one entry; beyond the row's end, and for tokens that are not there, zero. */
static void gather(word e[WORDS], const int8_t *x, size_t x_stride, int tokens, int k, int cols) {
    for (int i = 0; i < WORDS; i++) e[i] = 0;
    if (k < cols)
        for (int t = 0; t < tokens; t++)
            e[t / PER_WORD] += (word)x[(size_t)t * x_stride + (size_t)k] << 16 * (t % PER_WORD);
}

/* table[byte] = sum over the byte's digits of (digit - 1) * x[digit's place], for all valid bytes */
static void build_2bit(word *table, word x[][WORDS]) {
    word s3[WORDS], s2[WORDS], s1[WORDS];
    for (int i = 0; i < WORDS; i++) s3[i] = (word)0 - x[0][i] - x[1][i] - x[2][i] - x[3][i];
    for (int d3 = 0; d3 < 3; d3++) {
        for (int i = 0; i < WORDS; i++) s2[i] = s3[i];
        for (int d2 = 0; d2 < 3; d2++) {
            for (int i = 0; i < WORDS; i++) s1[i] = s2[i];
            for (int d1 = 0; d1 < 3; d1++) {
                word *e = table + (d3 * 64 + d2 * 16 + d1 * 4) * WORDS;
                for (int i = 0; i < WORDS; i++) {
                    word s = s1[i], step = x[0][i];
                    e[i] = s;
                    e[WORDS + i] = s += step;
                    e[2 * WORDS + i] = s + step;
                    s1[i] += x[1][i];
                }
            }
            for (int i = 0; i < WORDS; i++) s2[i] += x[2][i];
        }
        for (int i = 0; i < WORDS; i++) s3[i] += x[3][i];
    }
}

static void build_base3(word *table, word x[][WORDS]) {
    for (int i = 0; i < WORDS; i++) table[i] = (word)0 - x[0][i] - x[1][i] - x[2][i] - x[3][i] - x[4][i];
    for (int digit = 0, n = WORDS; digit < 5; digit++, n *= 3)
        for (int i = 0; i < n; i++) {
            word step = x[digit][i % WORDS], s = table[i] + step;
            table[n + i] = s;
            table[2 * n + i] = s + step;
        }
}

/* The sums of one row's slice for all tokens. */
static inline void look_up(word sum[WORDS], const uint8_t *w, int bytes, const word *table, int step) {
    word s[WORDS] = {0};
#ifdef __GNUC__
#pragma GCC unroll 4
#endif
    for (int g = 0; g < bytes; g++, table += step)
        for (int i = 0; i < WORDS; i++) s[i] += table[w[g] * WORDS + i];
    for (int i = 0; i < WORDS; i++) sum[i] = s[i];
}

/* acc[t][r] (+)= the four sums in s */
static inline void spread(int32_t *const acc[TOKENS], int r, const word s[WORDS], bool first) {
    for (int i = 0; i < WORDS; i++) {
        word rest = s[i];
        for (int j = 0; j < PER_WORD; j++) {
            int32_t v = (int16_t)(uint16_t)rest;
            int32_t *out = acc[i * PER_WORD + j] + r;
            *out = first ? v : *out + v;
            rest = (rest - (word)v) >> 16;
        }
    }
}

static void matmul_tile(int32_t *out, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens,
                        void *scratch) {
    const ftv_packing p = w->packing;
    const int digits = ftv_packed_digits(p), step = entries(p) * WORDS, bytes = (int)ftv_packed_bytes(p, w->cols);
    word *const tables = scratch;
    int32_t *acc[TOKENS], *nowhere = (int32_t *)(void *)(tables + slice_bytes(p) * step);
    for (int t = 0; t < TOKENS; t++) acc[t] = t < tokens ? out + (size_t)t * (size_t)w->rows : nowhere;
    for (int at = 0; at < bytes; at += slice_bytes(p)) {
        const int n = bytes - at < slice_bytes(p) ? bytes - at : slice_bytes(p);
        for (int g = 0; g < n; g++) {
            word e[5][WORDS];
            for (int i = 0; i < digits; i++) gather(e[i], x, x_stride, tokens, (at + g) * digits + i, w->cols);
            if (p == FTV_PACK_2BIT)
                build_2bit(tables + g * step, e);
            else
                build_base3(tables + g * step, e);
        }
        const uint8_t *row = w->codes + at;
        for (int r = 0; r < w->rows; r++, row += w->stride) {
            word sums[WORDS];
            look_up(sums, row, n, tables, step);
            spread(acc, r, sums, at == 0);
        }
    }
}

static void matmul_table(int32_t *out, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens,
                         void *scratch) {
    for (int t = 0; t < tokens; t += TOKENS)
        matmul_tile(out + (size_t)t * (size_t)w->rows, x + (size_t)t * x_stride, x_stride, w,
                    tokens - t < TOKENS ? tokens - t : TOKENS, scratch);
}

static size_t align8(size_t n) { return (n + 7) & ~(size_t)7; }
static size_t table_bytes(ftv_packing p, int rows) {
    return (size_t)(slice_bytes(p) * entries(p) * WORDS) * sizeof(word) + align8((size_t)rows * sizeof(int32_t));
}

static void linear_table(float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
                         const ftv_matrix *w, float scale, const float *bias, int tokens, void *scratch) {
    uint8_t *acc = (uint8_t *)scratch + table_bytes(w->packing, w->rows);
    ftv_linear_from_matmul(&ftv_kernels_table, TOKENS, (int32_t *)(void *)acc, y, y_stride, x, x_stride, x_scale, w,
                           scale, bias, tokens, scratch);
}

static size_t scratch_table(ftv_packing packing, int rows, int cols, int chunk, int tokens, int head_dim) {
    (void)cols, (void)chunk;
    size_t linear = table_bytes(packing, rows) + (size_t)rows * TOKENS * sizeof(int32_t),
           attention = ftv_attention_scratch_scalar(tokens, head_dim);
    return linear > attention ? linear : attention;
}

const ftv_kernels ftv_kernels_table = {
    .name = "table",
    .chunk_tokens = 64,
    .token_step = TOKENS,
    .query_step = 1,
    .scratch_bytes = scratch_table,
    .matmul = matmul_table,
    .linear = linear_table,
    FTV_SCALAR_OPERATIONS,
    .attention_int8 = ftv_attention_int8_ref,
};

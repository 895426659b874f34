/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels for the ESP32-S3's vector unit: integer products in pie_gemm.S, the rest from `ref`.
 *
 * 16 outputs at a time are unpacked to int8 [inputs][16] in the scratch memory (internal RAM, if the caller can spare
 * 16 bytes an input) and used for all tokens of the call: unpacking costs 1/tokens of its price. */
#include <string.h>

#include "exp255.h"
#include "kernels.h"
#include "math32.h"
#include "packing.h"
#include "pie_gemm.h"

enum {
    LANES = 16,
    SLICE = 4080,            /* inputs whose sum surely fits 20 bits; a multiple of 16, and of 4 and 5 codes a byte */
    NARROW = 255,            /* and 16 bits */
    GROUP = 8,               /* tokens whose sums lie in the scratch memory at a time */
    ZERO_CODES = 0x55555555, /* 16 codes of zero */
};
_Static_assert(SLICE * 128 < 1 << 19 && SLICE % (16 * 5) == 0 && NARROW * 128 < 1 << 15, "sums must fit their lanes");

typedef struct {
    int8_t *tile;   /* [inputs][16], after 16 spare bytes */
    uint32_t *rows; /* [16][blocks] codes to unpack, where the matrix does not have them in that form */
    int8_t *x;   /* one aligned row of activations and 16 bytes; in the place of `rows`, which are done with by then */
    float *bias; /* [16] */
    int32_t *sums; /* [GROUP][16], and as many for rows in slices */
} room;

static int blocks_of(int cols) { return (cols + 15) / 16; }
static int smaller(int a, int b) { return a < b ? a : b; }

static size_t room_bytes(int cols) {
    return 15 + 16 + (size_t)blocks_of(smaller(cols, SLICE)) * (16 * LANES + 4 * LANES) + LANES * 4 +
           2 * GROUP * LANES * 4;
}

static room lay_out(void *scratch, int cols) {
    uint8_t *p = (uint8_t *)scratch + (0 - (uintptr_t)scratch) % 16 + 16;
    const size_t blocks = (size_t)blocks_of(smaller(cols, SLICE));
    room r = {.tile = (int8_t *)p};
    p += 16 * LANES * blocks;
    r.rows = (uint32_t *)(void *)p, r.x = (int8_t *)p;
    p += 4 * LANES * blocks;
    r.bias = (float *)(void *)p;
    r.sums = (int32_t *)(void *)(p + LANES * 4);
    return r;
}

/* One row's codes in words of 16, two bits each; zero codes beyond `cols`. */
static void spread_row(uint32_t *out, ftv_packing packing, const uint8_t *row, int cols) {
    const int bytes = (int)ftv_packed_bytes(packing, cols), bits = packing == FTV_PACK_2BIT ? 8 : 10;
    const uint32_t *const end = out + blocks_of(cols);
    uint64_t buffer = 0;
    int filled = 0;
    for (int i = 0; i < bytes; i++) {
        buffer |= (uint64_t)(packing == FTV_PACK_2BIT ? row[i] : ftv_digits_of_base3[row[i]]) << filled;
        filled += bits;
        if (filled >= 32 && out < end) *out++ = (uint32_t)buffer, buffer >>= 32, filled -= 32;
    }
    if (out < end) *out++ = (uint32_t)buffer;
    if (cols % 16) {
        const uint32_t codes = ((uint32_t)1 << 2 * (cols % 16)) - 1;
        out[-1] = (out[-1] & codes) | (ZERO_CODES & ~codes);
    }
}

/* r->tile <- inputs [first, first + cols) of outputs [row, row + n) */
static void unpack(const room *r, const ftv_matrix *w, int row, int n, int first, int cols) {
    const uint8_t *codes = w->codes + (size_t)row * w->stride + first / ftv_packed_digits(w->packing);
    const uintptr_t blocks = (uintptr_t)blocks_of(cols);
    if (w->packing == FTV_PACK_2BIT && n == LANES && cols % 16 == 0) {
        ftv_pie_unpack(r->tile, codes, w->stride, blocks);
        return;
    }
    for (int i = 0; i < LANES; i++) {
        uint32_t *out = r->rows + (size_t)i * blocks;
        if (i < n)
            spread_row(out, w->packing, codes + (size_t)i * w->stride, cols);
        else
            for (uintptr_t b = 0; b < blocks; b++) out[b] = ZERO_CODES;
    }
    ftv_pie_unpack(r->tile, (const uint8_t *)r->rows, 4 * blocks, blocks);
}

static bool aligned(const void *p, size_t stride) { return ((uintptr_t)p | stride) % 16 == 0; }

typedef void run_job(const ftv_pie_job *);

/* Runs the job over its tokens: at once if the rows of x are aligned, else through an aligned copy of each. */
static void for_tokens(const room *r, run_job *run, ftv_pie_job job, int cols) {
    if (aligned(job.x, job.x_stride)) {
        run(&job);
        return;
    }
    const int8_t *x = job.x;
    const uintptr_t tokens = job.tokens, x_stride = job.x_stride;
    job.x = r->x, job.x_stride = 0, job.tokens = 1;
    for (uintptr_t t = 0; t < tokens; t++, x += x_stride) {
        ftv_pie_align(r->x, x, ((uintptr_t)x % 16 + (uintptr_t)cols + 15) / 16);
        run(&job);
        job.y = (uint8_t *)job.y + job.y_stride;
        if (job.x_scale) job.x_scale++;
    }
}

/* r->sums <- sums of outputs [row, row + n) and up to GROUP tokens. A matrix of one slice keeps its tile. */
static void group_sums(const room *r, const int8_t *x, size_t x_stride, const ftv_matrix *w, int row, int n, int tokens,
                       bool unpacked) {
    int32_t *const total = r->sums + GROUP * LANES;
    memset(total, 0, GROUP * LANES * sizeof *total);
    for (int first = 0; first < w->cols; first += SLICE) {
        const int cols = smaller(w->cols - first, SLICE);
        if (!unpacked) unpack(r, w, row, n, first, cols);
        const ftv_pie_job job = {.tile = r->tile,
                                 .x = x + first,
                                 .x_stride = x_stride,
                                 .y = r->sums,
                                 .y_stride = LANES * 4,
                                 .blocks = (uintptr_t)blocks_of(cols),
                                 .tokens = (uintptr_t)tokens};
        for_tokens(r, ftv_pie_sums, job, cols);
        if (w->cols <= SLICE) return;
        for (int i = 0; i < tokens * LANES; i++) total[i] += r->sums[i];
    }
    for (int i = 0; i < tokens * LANES; i++) r->sums[i] = total[i];
}

static void matmul_pie(int32_t *acc, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens, void *scratch) {
    const room r = lay_out(scratch, w->cols);
    for (int row = 0; row < w->rows; row += LANES) {
        const int n = smaller(w->rows - row, LANES);
        if (n == LANES && w->cols <= SLICE) {
            unpack(&r, w, row, n, 0, w->cols);
            const ftv_pie_job job = {.tile = r.tile,
                                     .x = x,
                                     .x_stride = x_stride,
                                     .y = acc + row,
                                     .y_stride = (uintptr_t)w->rows * 4,
                                     .blocks = (uintptr_t)blocks_of(w->cols),
                                     .tokens = (uintptr_t)tokens};
            for_tokens(&r, ftv_pie_sums, job, w->cols);
        } else
            for (int first = 0; first < tokens; first += GROUP) {
                const int count = smaller(tokens - first, GROUP);
                group_sums(&r, x + (size_t)first * x_stride, x_stride, w, row, n, count, first && w->cols <= SLICE);
                for (int t = 0; t < count; t++)
                    memcpy(acc + (size_t)(first + t) * (size_t)w->rows + row, r.sums + t * LANES,
                           (size_t)n * sizeof *acc);
            }
    }
}

static void linear_pie(float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
                       const ftv_matrix *w, float scale, const float *bias, int tokens, void *scratch) {
    const room r = lay_out(scratch, w->cols);
    for (int i = 0; i < LANES && !bias; i++) r.bias[i] = -0.0f; /* v + -0 is v, whatever v */
    for (int row = 0; row < w->rows; row += LANES) {
        const int n = smaller(w->rows - row, LANES);
        if (bias) memcpy(r.bias, bias + row, (size_t)n * sizeof *bias);
        if (n == LANES && w->cols <= SLICE && aligned(y, y_stride * sizeof *y)) {
            unpack(&r, w, row, n, 0, w->cols);
            const ftv_pie_job job = {.tile = r.tile,
                                     .x = x,
                                     .x_stride = x_stride,
                                     .x_scale = x_scale,
                                     .y = y + row,
                                     .y_stride = y_stride * sizeof *y,
                                     .bias = r.bias,
                                     .blocks = (uintptr_t)blocks_of(w->cols),
                                     .tokens = (uintptr_t)tokens,
                                     .scale = scale};
            for_tokens(&r, w->cols <= NARROW ? ftv_pie_linear_narrow : ftv_pie_linear, job, w->cols);
        } else
            for (int first = 0; first < tokens; first += GROUP) {
                const int count = smaller(tokens - first, GROUP);
                group_sums(&r, x + (size_t)first * x_stride, x_stride, w, row, n, count, first && w->cols <= SLICE);
                for (int t = 0; t < count; t++) {
                    const float s = x_scale[first + t] * scale;
                    float *out = y + (size_t)(first + t) * y_stride + row;
                    for (int i = 0; i < n; i++) {
                        const float v = (float)r.sums[t * LANES + i] * s;
                        out[i] = v + r.bias[i];
                    }
                }
            }
    }
}

/* ---- attention over int8: heads of up to 64 columns, as 64 ---- */

enum { HEAD = 64 };
typedef struct {
    int16_t *values;  /* [8][tokens rounded up to 8][8] */
    int16_t *weights; /* [tokens rounded up to 8] */
    int32_t *dots;    /* [tokens], after 4 spare words */
    float *p;         /* [tokens] */
    int32_t *sums;    /* [64] */
    int8_t *q;        /* [64] */
    uint8_t *lower;   /* of exp255.h */
    int8_t *wide;     /* [tokens][64], for heads that are not of 64 aligned columns */
} attention_room;

static size_t padded_tokens(int tokens) { return ((size_t)tokens + 7) / 8 * 8; }
static size_t attention_bytes(int tokens, int head_dim) {
    return 15 + padded_tokens(tokens) * (2 * HEAD + 2 + 4 + 4) + 16 + HEAD * (4 + 1) + FTV_EXP255_INTERVALS +
           (head_dim == HEAD ? 0 : (size_t)tokens * HEAD);
}

static attention_room lay_out_attention(void *scratch, int tokens) {
    const size_t n = padded_tokens(tokens);
    attention_room r = {.values = (int16_t *)(void *)((uint8_t *)scratch + (0 - (uintptr_t)scratch) % 16)};
    r.weights = r.values + HEAD * n;
    r.dots = (int32_t *)(void *)(r.weights + n) + 4;
    r.p = (float *)(void *)(r.dots + n);
    r.sums = (int32_t *)(void *)(r.p + n);
    r.q = (int8_t *)(r.sums + HEAD);
    r.lower = (uint8_t *)(r.q + HEAD);
    r.wide = (int8_t *)(r.lower + FTV_EXP255_INTERVALS);
    return r;
}

/* to [tokens][64] <- rows of `head_dim` codes, and zeros */
static void widen_rows(int8_t *to, const int8_t *from, size_t stride, int tokens, int head_dim) {
    for (int t = 0; t < tokens; t++, to += HEAD, from += stride) {
        memcpy(to, from, (size_t)head_dim);
        memset(to + head_dim, 0, (size_t)(HEAD - head_dim));
    }
}

/* r->weights <- 255 times the softmax's numerators of a query whose products with the keys are in r->dots; their sum */
static int32_t weigh_keys(const attention_room *r, float s, const float *k_scale, size_t scale_stride, int tokens) {
    const int32_t *const dots = r->dots;
    float *const p = r->p;
    float top = p[0] = (float)dots[0] * (s * k_scale[0]);
    for (int j = 1; j < tokens; j++) {
        k_scale += scale_stride;
        const float v = (float)dots[j] * (s * *k_scale);
        p[j] = v;
        top = v > top ? v : top;
    }
    int32_t total = 0;
    for (int j = 0; j < tokens; j++) {
        const int32_t weight = ftv_exp255(p[j] - top, r->lower);
        r->weights[j] = (int16_t)weight;
        total += weight;
    }
    return total;
}

/* out[d] <- sums[d] * (v_scale[d] / total). The quotient from the reciprocal, once corrected by its exact remainder, is
 * correctly rounded for these sizes (Markstein): the division's bits without a division per column. */
static void finish_query(float *out, const int32_t *sums, const float *v_scale, int32_t total, int head_dim) {
    const float b = (float)total, r = 1.0f / b;
    for (int d = 0; d < head_dim; d++) {
        const float a = v_scale[d], y = a * r;
        const float share = a < 0x1p40f && total ? fmaf(fmaf(-b, y, a), r, y) : a / b;
        out[d] = (float)sums[d] * share;
    }
}

static void attention_int8_pie(float *out, size_t out_stride, const int8_t *q, const int8_t *k, const int8_t *v,
                               size_t stride, const float *q_scale, const float *k_scale, size_t scale_stride,
                               const float *v_scale, int tokens, int head_dim, float scale, int first, int last,
                               void *scratch) {
    const bool in_place = head_dim == HEAD && aligned(q, stride) && aligned(k, 0) && aligned(v, 0);
    if (head_dim > HEAD || (head_dim == HEAD && !in_place)) {
        ftv_attention_int8_ref(out, out_stride, q, k, v, stride, q_scale, k_scale, scale_stride, v_scale, tokens,
                               head_dim, scale, first, last, scratch);
        return;
    }
    const attention_room r = lay_out_attention(scratch, tokens);
    const size_t n = padded_tokens(tokens), key_stride = in_place ? stride : HEAD;
    if (!in_place) widen_rows(r.wide, v, stride, tokens, head_dim), v = r.wide;
    ftv_pie_widen(r.values, v, key_stride, (uintptr_t)tokens, 16 * n);
    if (!in_place) widen_rows(r.wide, k, stride, tokens, head_dim), k = r.wide;
    memset(r.weights, 0, n * sizeof *r.weights);
    ftv_exp255_prepare(r.lower);
    for (int i = first; i < last; i++) {
        const int8_t *query = q + (size_t)i * stride;
        if (!in_place) widen_rows(r.q, query, 0, 1, head_dim), query = r.q;
        ftv_pie_dots(r.dots, query, k, key_stride, (uintptr_t)tokens);
        const float s = q_scale[(size_t)i * scale_stride] * scale;
        const int32_t total = weigh_keys(&r, s, k_scale, scale_stride, tokens);
        ftv_pie_weigh(r.sums, r.weights, r.values, n / 8);
        finish_query(out + (size_t)i * out_stride, r.sums, v_scale, total, head_dim);
    }
}

static size_t scratch_pie(ftv_packing packing, int rows, int cols, int chunk, int tokens, int head_dim) {
    (void)packing, (void)rows, (void)chunk;
    const size_t linear = room_bytes(cols), ref = ftv_attention_scratch_scalar(tokens, head_dim),
                 attention = head_dim <= HEAD && attention_bytes(tokens, head_dim) > ref
                                 ? attention_bytes(tokens, head_dim)
                                 : ref;
    return linear > attention ? linear : attention;
}

const ftv_kernels ftv_kernels_pie = {
    .name = "pie",
    .chunk_tokens = 64,
    .token_step = 1,
    .query_step = 1,
    .scratch_bytes = scratch_pie,
    .matmul = matmul_pie,
    .linear = linear_pie,
    FTV_SCALAR_OPERATIONS,
    .attention_int8 = attention_int8_pie,
};

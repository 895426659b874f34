/* SPDX-License-Identifier: Apache-2.0 */
/* What the vector kernels of the ESP32-S3 (pie_gemm.S) and their callers share.
 *
 * A tile is 16 outputs of a matrix as int8 [inputs rounded up to 16][16], 16-byte aligned. Windowed ABI; every pointer
 * that is not said to be free is 16-byte aligned: the vector unit ignores the low address bits. */
#ifndef FTV_PIE_GEMM_H
#define FTV_PIE_GEMM_H

/* Offsets in ftv_pie_job */
#define FTV_PIE_TILE 0
#define FTV_PIE_X 4
#define FTV_PIE_X_STRIDE 8
#define FTV_PIE_X_SCALE 12
#define FTV_PIE_Y 16
#define FTV_PIE_Y_STRIDE 20
#define FTV_PIE_BIAS 24
#define FTV_PIE_BLOCKS 28
#define FTV_PIE_TOKENS 32
#define FTV_PIE_SCALE 36

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const int8_t *tile;   /* [16 * blocks][16] */
    const int8_t *x;      /* [tokens], rows of 16 * blocks; what lies beyond the inputs meets zeros of the tile */
    uintptr_t x_stride;   /* bytes, a multiple of 16 */
    const float *x_scale; /* [tokens], free */
    void *y;              /* [tokens][16]; free for ftv_pie_sums */
    uintptr_t y_stride;   /* bytes, a multiple of 16; of 4 for ftv_pie_sums */
    const float *bias;    /* [16] */
    uintptr_t blocks;     /* of 16 inputs, at least 1 */
    uintptr_t tokens;     /* at least 1 */
    float scale;
} ftv_pie_job;

#if UINTPTR_MAX == 0xffffffffu
_Static_assert(offsetof(ftv_pie_job, tile) == FTV_PIE_TILE && offsetof(ftv_pie_job, x) == FTV_PIE_X &&
                   offsetof(ftv_pie_job, x_stride) == FTV_PIE_X_STRIDE &&
                   offsetof(ftv_pie_job, x_scale) == FTV_PIE_X_SCALE && offsetof(ftv_pie_job, y) == FTV_PIE_Y &&
                   offsetof(ftv_pie_job, y_stride) == FTV_PIE_Y_STRIDE && offsetof(ftv_pie_job, bias) == FTV_PIE_BIAS &&
                   offsetof(ftv_pie_job, blocks) == FTV_PIE_BLOCKS && offsetof(ftv_pie_job, tokens) == FTV_PIE_TOKENS &&
                   offsetof(ftv_pie_job, scale) == FTV_PIE_SCALE,
               "pie_gemm.S reads ftv_pie_job at these offsets");
#endif

/* tile <- 16 rows of 2-bit codes, `stride` bytes apart (free), 4 * blocks bytes of each. Writes the 16 bytes before it,
 * too. */
void ftv_pie_unpack(int8_t *tile, const uint8_t *rows, uintptr_t stride, uintptr_t blocks);

/* y[t][r] = (float)sum * (x_scale[t] * scale) + bias[r], each operation rounded. Up to 4095 inputs; narrow: up to 255
 */
void ftv_pie_linear(const ftv_pie_job *job);
void ftv_pie_linear_narrow(const ftv_pie_job *job);

/* y[t][r] = sum as int32. Up to 4095 inputs */
void ftv_pie_sums(const ftv_pie_job *job);

/* to <- `blocks` blocks of 16 bytes from `from` (free): touches that many aligned blocks of it; the last one's end is
 * rubbish */
void ftv_pie_align(int8_t *to, const int8_t *from, uintptr_t blocks);

/* out[i] <- q . k_i over 64 columns, rows of k `stride` bytes apart (a multiple of 16). `out` is free; writes out[-1],
 * too. */
void ftv_pie_dots(int32_t *out, const int8_t *q, const int8_t *k, uintptr_t stride, uintptr_t keys);

/* tile [8][eighth bytes] <- 64 columns of v as int16, eight of them a vector: [8][tokens][8]. stride: a multiple of 16
 */
void ftv_pie_widen(int16_t *tile, const int8_t *v, uintptr_t stride, uintptr_t tokens, uintptr_t eighth);

/* sums[64] <- sum over 8 * blocks tokens of p[token] * the tile's values; below 2^31. `sums` is free. */
void ftv_pie_weigh(int32_t *sums, const int16_t *p, const int16_t *tile, uintptr_t blocks);
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One ternary layer at a time, for a caller whose network is not ours (PyTorch): the engine's kernels over a pool of
 * threads. */
#ifndef FTV_LAYER_H
#define FTV_LAYER_H

#include "ftervit.h"
#include "platform.h"

typedef struct {
    const char *kernels; /* as in ftv_options */
    platform_pool *pool; /* of at least `workers`; NULL: the caller alone */
    /* the caller's own threads in place of a pool: calls fn(data) on `threads` of them, as libgomp's GOMP_parallel */
    void (*parallel)(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
    int workers;
    int tokens;
    ftv_matrix weight;
} layer_t;

/* Bytes of scratch that the functions below need; 0 when there are no such kernels, or nothing to compute. */
size_t ftv_layer_scratch_bytes(const layer_t *layer);

/* acc[t][r] = sum_k x[t][k] * code[r][k]: int8 [tokens][cols] -> int32 [tokens][rows] */
void ftv_layer_matmul(const layer_t *layer, int32_t *acc, const int8_t *x, void *scratch);

/* y = int8(RMSNorm(x) * norm) . codes^T * scale + bias: [tokens][cols] -> [tokens][rows]; norm and bias may be NULL:
 * none. */
void ftv_layer_linear(const layer_t *layer, float *y, const float *x, const float *norm, float scale, const float *bias,
                      void *scratch);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Normalise, quantise: what precedes every ternary product of activations, in the one place that says it. */
#ifndef FTV_LINEAR_H
#define FTV_LINEAR_H

#include <string.h>

#include "kernels.h"

/* int8 codes q [rows][cols] and scale [rows] of x [rows] `stride` apart: of RMSNorm(x) * norm, or with norm NULL of x
 * itself. The normalised rows overwrite `own`, which is x or as many rows elsewhere. */
static inline void ftv_quantize_rows(const ftv_kernels *k, int8_t *q, float *scale, const float *x, float *own,
                                     size_t stride, const float *norm, int rows, int cols) {
    if (!norm) {
        for (int i = 0; i < rows; i++)
            scale[i] = k->quantize(q + (size_t)i * (size_t)cols, x + (size_t)i * stride, cols);
        return;
    }
    if (own != x) memcpy(own, x, (size_t)rows * stride * sizeof *x);
    k->rms_quantize(q, scale, own, stride, norm, rows, cols);
}

#endif

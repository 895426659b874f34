/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"

#include <stdlib.h>

#include "kernels.h"
#include "platform.h"

enum { NORM, QUANTIZE, GELU, ATTENTION_F32, ATTENTION_INT8, OPS };

const char *ftv_ops_text(int index) {
    static const char *const names[OPS] = {"LayerNorm", "RMSNorm, int8", "GELU", "attention, FP32", "attention, int8"};
    return index >= 0 && index < OPS ? names[index] : NULL;
}

static void fill(float *x, int8_t *q, size_t n) { /* between -1 and 1: no operation runs into subnormals */
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(int)(seed >> 16) * (1.0f / 32768.0f) - 1.0f;
        q[i] = (int8_t)(seed >> 24);
    }
}

static void once(const ftv_kernels *k, int op, float *x, float *y, int8_t *q, const float *ones, int tokens, int dim,
                 int heads, void *scratch) {
    const size_t d = (size_t)dim;
    const int h = dim / heads;
    switch (op) {
        case NORM: k->layer_norm(y, x, d, ones, ones, 1e-6f, tokens, dim); break;
        case QUANTIZE: k->rms_quantize(q, y, x, d, ones, tokens, dim); break;
        case GELU:
            for (size_t t = 0; t < (size_t)tokens; t++) k->gelu(x + t * 4 * d, 4 * dim);
            break;
        case ATTENTION_F32:
            for (int i = 0; i < dim; i += h)
                k->attention_f32(y + i, x + i, x + d + i, x + 2 * d + i, 3 * d, tokens, h, 0.125f, 0, tokens, scratch);
            break;
        default:
            for (int i = 0; i < dim; i += h)
                k->attention_int8(y + i, 3 * d, q + i, q + d + i, q + 2 * d + i, 3 * d, ones, ones, 0, ones, tokens, h,
                                  1e-4f, 0, tokens, scratch);
    }
}

double ftv_ops_seconds(const char *kernels, int index, int tokens, int dim, int heads, double seconds) {
    const ftv_kernels *k = ftv_find_kernels(kernels);
    if (!k || !ftv_ops_text(index) || tokens < 1 || heads < 1 || dim < heads) return 0;
    const size_t n = (size_t)tokens * (size_t)dim * 4,
                 scratch_bytes = k->scratch_bytes(FTV_PACK_2BIT, 1, 1, 1, tokens, dim / heads);
    float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), *ones = malloc((size_t)dim * sizeof *ones);
    int8_t *q = malloc(n);
    void *scratch = malloc(scratch_bytes + 64);
    uint64_t sum = 0, passes = 0;
    if (x && y && ones && q && scratch) {
        for (int i = 0; i < dim; i++) ones[i] = 1.0f;
        for (int warm = 1; (double)sum < seconds * 1e9; warm = 0) {
            fill(x, q, n); /* some operations change their input */
            const uint64_t start = ftv_platform_count().total;
            once(k, index, x, y, q, ones, tokens, dim, heads, (uint8_t *)scratch + (64 - (uintptr_t)scratch % 64));
            if (!warm) sum += ftv_platform_count().total - start, passes++;
        }
    }
    free(x), free(y), free(ones), free(q), free(scratch);
    return passes ? (double)sum * 1e-9 / (double)passes : 0;
}

double ftv_ops_peak(const char *kernels, double seconds) {
    const ftv_kernels *k = ftv_find_kernels(kernels);
    double best = 0;
    if (!k || !k->peak) return 0;
    for (uint64_t begin = ftv_platform_count().total; (double)(ftv_platform_count().total - begin) < seconds * 1e9;) {
        const uint64_t start = ftv_platform_count().total, macs = k->peak(1 << 16);
        const double rate = (double)macs / ((double)(ftv_platform_count().total - start) * 1e-9);
        if (rate > best) best = rate;
    }
    return best;
}

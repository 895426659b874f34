/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass as the equations say it. */
#include "kernels.h"
#include "math32.h"
#include "packing.h"

static void matmul_ref(int32_t *acc, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens, void *scratch) {
    (void)scratch;
    for (int t = 0; t < tokens; t++)
        for (int r = 0; r < w->rows; r++) {
            const uint8_t *row = w->codes + (size_t)r * w->stride;
            int32_t sum = 0;
            for (int k = 0; k < w->cols; k++)
                sum += x[(size_t)t * x_stride + (size_t)k] * ftv_unpack(w->packing, row, k);
            acc[(size_t)t * (size_t)w->rows + (size_t)r] = sum;
        }
}

void ftv_linear_from_matmul(const ftv_kernels *set, int tile, int32_t *acc, float *y, size_t y_stride, const int8_t *x,
                            size_t x_stride, const float *x_scale, const ftv_matrix *w, float scale, const float *bias,
                            int tokens, void *scratch) {
    for (int first = 0; first < tokens; first += tile) {
        const int n = tokens - first < tile ? tokens - first : tile;
        set->matmul(acc, x + (size_t)first * x_stride, x_stride, w, n, scratch);
        for (int t = 0; t < n; t++) {
            const float s = x_scale[first + t] * scale;
            float *out = y + (size_t)(first + t) * y_stride;
            for (int r = 0; r < w->rows; r++) {
                float v = (float)acc[(size_t)t * (size_t)w->rows + (size_t)r] * s;
                out[r] = bias ? v + bias[r] : v;
            }
        }
    }
}

enum { TILE = 4 };
static void linear_ref(float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
                       const ftv_matrix *w, float scale, const float *bias, int tokens, void *scratch) {
    ftv_linear_from_matmul(&ftv_kernels_ref, TILE, scratch, y, y_stride, x, x_stride, x_scale, w, scale, bias, tokens,
                           NULL);
}

void ftv_layer_norm_ref(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps,
                        int rows, int n) {
    for (; rows; rows--, x += x_stride, y += n) {
        const float mean = ftv_sum(x, n) / (float)n;
        const float r = ftv_inverse_deviation(ftv_sum_squares(x, mean, n) / (float)n, eps);
        for (int i = 0; i < n; i++) y[i] = (x[i] - mean) * r * gain[i] + bias[i];
    }
}

float ftv_quantize_ref(int8_t *q, const float *x, int n) {
    float s;
    const float scale = ftv_int8_scale(ftv_max_abs(x, n), &s);
    for (int i = 0; i < n; i++) q[i] = ftv_to_int8(x[i] * s);
    return scale;
}

void ftv_rms_quantize_ref(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows, int n) {
    for (; rows; rows--, x += x_stride, q += n) {
        const float r = ftv_inverse_rms(ftv_sum_squares(x, 0.0f, n), n);
        for (int i = 0; i < n; i++) x[i] = x[i] * r * weight[i];
        *scale++ = ftv_quantize_ref(q, x, n);
    }
}

void ftv_quantize_columns_ref(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows,
                              int cols) {
    for (int c = 0; c < cols; c++) {
        float top = 0.0f, s;
        for (int r = 0; r < rows; r++) top = ftv_larger(fabsf(x[(size_t)r * x_stride + (size_t)c]), top);
        scale[c] = ftv_int8_scale(top, &s);
        for (int r = 0; r < rows; r++)
            q[(size_t)r * q_stride + (size_t)c] = ftv_to_int8(x[(size_t)r * x_stride + (size_t)c] * s);
    }
}

void ftv_add_ref(float *x, const float *y, const float *gain, int n) {
    for (int i = 0; i < n; i++) x[i] += gain ? y[i] * gain[i] : y[i];
}

void ftv_load_f16_ref(float *x, const uint8_t *f16, int n) {
    for (int i = 0; i < n; i++) x[i] = ftv_load_f16(f16, i);
}

void ftv_gelu_ref(float *x, int n) {
    for (int i = 0; i < n; i++) x[i] = ftv_gelu(x[i]);
}

/* s <- e^(s - max s) */
static void exp_below_max(float *s, int n) {
    float top = s[0];
    for (int i = 1; i < n; i++) top = s[i] > top ? s[i] : top;
    for (int i = 0; i < n; i++) s[i] = ftv_exp(s[i] - top);
}

size_t ftv_attention_scratch_ref(int tokens, int head_dim) { return (size_t)(tokens + 2 * head_dim) * sizeof(float); }

void ftv_attention_f32_ref(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens,
                           int head_dim, float scale, int first, int last, void *scratch) {
    float *p = scratch, *qs = p + tokens, *sum = qs + head_dim;
    for (int i = first; i < last; i++) {
        for (int d = 0; d < head_dim; d++) qs[d] = q[(size_t)i * stride + (size_t)d] * scale;
        for (int j = 0; j < tokens; j++) {
            const float *kj = k + (size_t)j * stride;
            float dot = 0.0f;
            for (int d = 0; d < head_dim; d++) dot = fmaf(qs[d], kj[d], dot);
            p[j] = dot;
        }
        exp_below_max(p, tokens);
        const float norm = 1.0f / ftv_sum(p, tokens);
        for (int d = 0; d < head_dim; d++) sum[d] = 0.0f;
        for (int j = 0; j < tokens; j++)
            for (int d = 0; d < head_dim; d++) sum[d] = fmaf(p[j], v[(size_t)j * stride + (size_t)d], sum[d]);
        for (int d = 0; d < head_dim; d++) out[(size_t)i * stride + (size_t)d] = sum[d] * norm;
    }
}

void ftv_attention_int8_ref(float *out, size_t out_stride, const int8_t *q, const int8_t *k, const int8_t *v,
                            size_t stride, const float *q_scale, const float *k_scale, size_t scale_stride,
                            const float *v_scale, int tokens, int head_dim, float scale, int first, int last,
                            void *scratch) {
    float *p = scratch;
    int32_t *sum = (int32_t *)(void *)(p + tokens);
    for (int i = first; i < last; i++) {
        const int8_t *qi = q + (size_t)i * stride;
        const float s = q_scale[(size_t)i * scale_stride] * scale;
        for (int j = 0; j < tokens; j++) {
            const int8_t *kj = k + (size_t)j * stride;
            int32_t dot = 0;
            for (int d = 0; d < head_dim; d++) dot += qi[d] * kj[d];
            p[j] = (float)dot * (s * k_scale[(size_t)j * scale_stride]);
        }
        exp_below_max(p, tokens);
        int32_t total = 0; /* at most 65535 * 255 */
        for (int d = 0; d < head_dim; d++) sum[d] = 0;
        for (int j = 0; j < tokens; j++) {
            const int32_t pj = (int32_t)ftv_rint(p[j] * 255.0f); /* 0..255: the largest is 255 */
            const int8_t *vj = v + (size_t)j * stride;
            total += pj;
            if (pj)
                for (int d = 0; d < head_dim; d++) sum[d] += pj * vj[d]; /* below 2^31: 65535 * 255 * 128 */
        }
        for (int d = 0; d < head_dim; d++)
            out[(size_t)i * out_stride + (size_t)d] = (float)sum[d] * (v_scale[d] / (float)total);
    }
}

static size_t scratch_ref(ftv_packing packing, int rows, int cols, int chunk, int tokens, int head_dim) {
    (void)packing, (void)cols, (void)chunk;
    size_t acc = (size_t)rows * TILE * sizeof(int32_t), attention = ftv_attention_scratch_ref(tokens, head_dim);
    return acc > attention ? acc : attention;
}

const ftv_kernels ftv_kernels_ref = {
    .name = "ref",
    .chunk_tokens = 64,
    .token_step = 1,
    .query_step = 1,
    .scratch_bytes = scratch_ref,
    .matmul = matmul_ref,
    .linear = linear_ref,
    .layer_norm = ftv_layer_norm_ref,
    .rms_quantize = ftv_rms_quantize_ref,
    .quantize = ftv_quantize_ref,
    .quantize_columns = ftv_quantize_columns_ref,
    .gelu = ftv_gelu_ref,
    .add = ftv_add_ref,
    .load_f16 = ftv_load_f16_ref,
    .attention_f32 = ftv_attention_f32_ref,
    .attention_int8 = ftv_attention_int8_ref,
};

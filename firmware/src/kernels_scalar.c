/* SPDX-License-Identifier: Apache-2.0 */
/* Operations for cores without vectors: the same bits as `ref`, fewer instructions.
 *
 * The sums of `ref` are chains, each waiting for its last step, every operand loaded for one use. Here several of them
 * run side by side in registers, each in its own order: two queries by four keys, two queries by four columns. */
#include "kernels.h"
#include "math32.h"

enum { QUERIES = 2, KEYS = 4, COLUMNS = 4 };

size_t ftv_attention_scratch_scalar(int tokens, int head_dim) {
    const size_t ref = ftv_attention_scratch_ref(tokens, head_dim),
                 own = QUERIES * (size_t)(tokens + head_dim) * sizeof(float);
    return ref > own ? ref : own;
}

/* p[2][tokens] <- q . k for two queries [2][head_dim] */
static void scores(float *p, const float *q, const float *k, size_t stride, int tokens, int head_dim) {
    const float *const q0 = q, *const q1 = q + head_dim;
    float *const p0 = p, *const p1 = p + tokens;
    int j = 0;
    for (; j + KEYS <= tokens; j += KEYS, k += KEYS * stride) {
        const float *k0 = k, *k1 = k + stride, *k2 = k1 + stride, *k3 = k2 + stride;
        float a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
#ifdef __GNUC__
#pragma GCC unroll 4
#endif
        for (int d = 0; d < head_dim; d++) {
            const float x = q0[d], y = q1[d];
            a0 = fmaf(x, k0[d], a0), b0 = fmaf(y, k0[d], b0);
            a1 = fmaf(x, k1[d], a1), b1 = fmaf(y, k1[d], b1);
            a2 = fmaf(x, k2[d], a2), b2 = fmaf(y, k2[d], b2);
            a3 = fmaf(x, k3[d], a3), b3 = fmaf(y, k3[d], b3);
        }
        p0[j] = a0, p0[j + 1] = a1, p0[j + 2] = a2, p0[j + 3] = a3;
        p1[j] = b0, p1[j + 1] = b1, p1[j + 2] = b2, p1[j + 3] = b3;
    }
    for (; j < tokens; j++, k += stride) {
        float a = 0, b = 0;
        for (int d = 0; d < head_dim; d++) a = fmaf(q0[d], k[d], a), b = fmaf(q1[d], k[d], b);
        p0[j] = a, p1[j] = b;
    }
}

/* s <- e^(s - max s); returns 1 / sum */
static float softmax(float *s, int n) {
    float top = s[0];
    for (int i = 1; i < n; i++) top = s[i] > top ? s[i] : top;
    for (int i = 0; i < n; i++) s[i] = ftv_exp(s[i] - top);
    return 1.0f / ftv_sum(s, n);
}

/* out[2] <- p V * norm for two rows of p [2][tokens] */
static void weigh(float *out0, float *out1, const float *p, const float norm[QUERIES], const float *v, size_t stride,
                  int tokens, int head_dim) {
    const float *const p0 = p, *const p1 = p + tokens, n0 = norm[0], n1 = norm[1];
    int d = 0;
    for (; d + COLUMNS <= head_dim; d += COLUMNS) {
        const float *row = v + d;
        float a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
#ifdef __GNUC__
#pragma GCC unroll 4
#endif
        for (int j = 0; j < tokens; j++, row += stride) {
            const float x = p0[j], y = p1[j];
            a0 = fmaf(x, row[0], a0), b0 = fmaf(y, row[0], b0);
            a1 = fmaf(x, row[1], a1), b1 = fmaf(y, row[1], b1);
            a2 = fmaf(x, row[2], a2), b2 = fmaf(y, row[2], b2);
            a3 = fmaf(x, row[3], a3), b3 = fmaf(y, row[3], b3);
        }
        out0[d] = a0 * n0, out0[d + 1] = a1 * n0, out0[d + 2] = a2 * n0, out0[d + 3] = a3 * n0;
        out1[d] = b0 * n1, out1[d + 1] = b1 * n1, out1[d + 2] = b2 * n1, out1[d + 3] = b3 * n1;
    }
    for (; d < head_dim; d++) {
        float a = 0, b = 0;
        for (int j = 0; j < tokens; j++)
            a = fmaf(p0[j], v[(size_t)j * stride + (size_t)d], a),
            b = fmaf(p1[j], v[(size_t)j * stride + (size_t)d], b);
        out0[d] = a * n0, out1[d] = b * n1;
    }
}

void ftv_attention_f32_scalar(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens,
                              int head_dim, float scale, int first, int last, void *scratch) {
    float *const p = scratch, *const scaled = p + QUERIES * (size_t)tokens;
    int i = first;
    for (; i + QUERIES <= last; i += QUERIES) {
        float norm[QUERIES];
        for (int a = 0; a < QUERIES; a++)
            for (int d = 0; d < head_dim; d++)
                scaled[a * head_dim + d] = q[(size_t)(i + a) * stride + (size_t)d] * scale;
        scores(p, scaled, k, stride, tokens, head_dim);
        for (int a = 0; a < QUERIES; a++) norm[a] = softmax(p + (size_t)a * (size_t)tokens, tokens);
        weigh(out + (size_t)i * stride, out + (size_t)(i + 1) * stride, p, norm, v, stride, tokens, head_dim);
    }
    if (i < last) ftv_attention_f32_ref(out, q, k, v, stride, tokens, head_dim, scale, i, last, scratch);
}

/* a / b in products and sums: the reciprocal by Newton's steps from a linear guess of its bits, then the quotient and
 * one correction by its exact remainder (Markstein). Correctly rounded, so the same bits as the division, for 2^-40 <
 * |a| < 2^40 and b from 1 to 2^40; below that erf is too small to be seen beside 1. */
static inline float quotient(float a, float b) {
    float r = ftv_bits_float(0x7ef311c7u - ftv_float_bits(b));
    for (int i = 0; i < 3; i++) r = fmaf(r, fmaf(-b, r, 1.0f), r);
    const float y = a * r;
    return fmaf(r, fmaf(-b, y, a), y);
}

void ftv_gelu_scalar(float *x, int n) {
    for (int i = 0; i < n; i++) {
        float p, q;
        ftv_erf_parts(x[i] * FTV_GELU_PER_SQRT2, &p, &q);
        x[i] = 0.5f * x[i] * (1.0f + quotient(p, q));
    }
}

/* ---- rows: sums of eight lanes at a time in registers, sizes compared as integers, codes out of a float's bits ---- */

enum { HALF = FTV_LANES / 2 };
#ifdef __GNUC__
#define EACH_LANE(l) _Pragma("GCC unroll 8") for (int l = 0; l < HALF; l++)
#else
#define EACH_LANE(l) for (int l = 0; l < HALF; l++)
#endif

/* ftv_sum */
static float sum(const float *x, int n) {
    const int whole = n / FTV_LANES * FTV_LANES;
    float lane[FTV_LANES];
    for (int half = 0; half < FTV_LANES; half += HALF) {
        float a[HALF] = {0};
        for (const float *p = x + half; p < x + whole; p += FTV_LANES) EACH_LANE(l) a[l] += p[l];
        EACH_LANE(l) lane[half + l] = a[l];
    }
    for (int i = whole; i < n; i++) lane[i - whole] += x[i];
    return ftv_fold(lane);
}

/* ftv_sum_squares */
static float sum_squares(const float *x, float center, int n) {
    const int whole = n / FTV_LANES * FTV_LANES;
    float lane[FTV_LANES];
    for (int half = 0; half < FTV_LANES; half += HALF) {
        float a[HALF] = {0};
        for (const float *p = x + half; p < x + whole; p += FTV_LANES) EACH_LANE(l) {
                const float d = p[l] - center;
                a[l] = fmaf(d, d, a[l]);
            }
        EACH_LANE(l) lane[half + l] = a[l];
    }
    for (int i = whole; i < n; i++) {
        const float d = x[i] - center;
        lane[i - whole] = fmaf(d, d, lane[i - whole]);
    }
    return ftv_fold(lane);
}

void ftv_layer_norm_scalar(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps,
                           int rows, int n) {
    for (; rows; rows--, x += x_stride, y += n) {
        const float mean = sum(x, n) / (float)n;
        const float r = ftv_inverse_deviation(sum_squares(x, mean, n) / (float)n, eps);
        for (int i = 0; i < n; i++) y[i] = (x[i] - mean) * r * gain[i] + bias[i];
    }
}

/* |x| as an integer: ordered as the sizes are, NaN above all */
static uint32_t size_of(float x) { return ftv_float_bits(x) & 0x7fffffff; }

/* q[i * step] <- ftv_to_int8(x[i * step] * s) where no product is beyond 127 or s is NaN: the last byte of a float near
 * 1.5 * 2^23 is the integer */
static void to_codes(int8_t *q, size_t q_step, const float *x, size_t x_step, float s, int n) {
    for (int i = 0; i < n && isnan(s); i++, q += q_step, x += x_step) *q = ftv_to_int8(*x * s);
    for (int i = 0; i < n && !isnan(s); i++, q += q_step, x += x_step)
        *q = (int8_t)ftv_float_bits(*x * s + FTV_ROUNDING);
}

float ftv_quantize_scalar(int8_t *q, const float *x, int n) {
    uint32_t top = 0;
    for (int i = 0; i < n; i++) top = size_of(x[i]) > top ? size_of(x[i]) : top;
    float s;
    const float scale = ftv_int8_scale(ftv_bits_float(top), &s);
    to_codes(q, 1, x, 1, s, n);
    return scale;
}

void ftv_rms_quantize_scalar(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows, int n) {
    for (; rows; rows--, x += x_stride, q += n) {
        const float r = ftv_inverse_rms(sum_squares(x, 0.0f, n), n);
        for (int i = 0; i < n; i++) x[i] = x[i] * r * weight[i];
        *scale++ = ftv_quantize_scalar(q, x, n);
    }
}

void ftv_quantize_columns_scalar(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows,
                                 int cols) {
    for (int c = 0; c < cols; c++, q++, x++) {
        uint32_t top = 0;
        const float *p = x;
        for (int r = 0; r < rows; r++, p += x_stride) top = size_of(*p) > top ? size_of(*p) : top;
        float s;
        scale[c] = ftv_int8_scale(ftv_bits_float(top), &s);
        to_codes(q, q_stride, x, x_stride, s, rows);
    }
}

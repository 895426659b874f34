/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and columns to int8: one scale per row, RMSNorm before it, or one per column. A part of kernels_simd.h. */
INLINE vi simd_to_int8(vf x) {
    const vf magic = vf_set(FTV_ROUNDING);
    return vf_to_vi((vf_min(vf_max(x, vf_set(FTV_INT8_LEAST)), vf_set(FTV_INT8_MOST)) + magic) - magic);
}

INLINE float simd_quantize_below(int8_t *q, const float *x, int n, float top) {
    float factor;
    const float scale = ftv_int8_scale(top, &factor);
    const vf s = vf_set(factor);
    int i = 0;
    for (; i + LANES <= n; i += LANES) vi_store_int8(q + i, simd_to_int8(vf_load(x + i) * s));
    for (; i < n; i++) q[i] = ftv_to_int8(x[i] * factor);
    return scale;
}

static float simd_quantize(int8_t *q, const float *x, int n) {
    vf m = vf_set(0.0f);
    int i = 0;
    for (; i + LANES <= n; i += LANES) m = vf_larger(vf_abs(vf_load(x + i)), m);
    float top = vf_largest(m);
    for (; i < n; i++) top = ftv_larger(fabsf(x[i]), top);
    return simd_quantize_below(q, x, n, top);
}

INLINE void simd_rms_quantize_group(const int rows, int8_t *q, float *scale, float *x, size_t stride,
                                    const float *weight, int n) {
    float r[GROUP], top[GROUP];
    vf m[GROUP];
    simd_sums_squares(r, rows, x, stride, NULL, n);
    for (int k = 0; k < rows; k++) r[k] = ftv_inverse_rms(r[k], n);
    UNROLL
    for (int k = 0; k < rows; k++) m[k] = vf_set(0.0f);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf w = vf_load(weight + i);
        UNROLL
        for (int k = 0; k < rows; k++) {
            float *const at = x + (size_t)k * stride + i;
            const vf v = vf_load(at) * vf_set(r[k]) * w;
            vf_store(at, v);
            m[k] = vf_larger(vf_abs(v), m[k]);
        }
    }
    for (int k = 0; k < rows; k++) top[k] = vf_largest(m[k]);
    for (; i < n; i++)
        for (int k = 0; k < rows; k++) {
            float *const at = x + (size_t)k * stride + i;
            *at = *at * r[k] * weight[i];
            top[k] = ftv_larger(fabsf(*at), top[k]);
        }
    for (int k = 0; k < rows; k++) scale[k] = simd_quantize_below(q + k * n, x + (size_t)k * stride, n, top[k]);
}

static void simd_rms_quantize(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows,
                              int n) {
    for (; rows >= GROUP; rows -= GROUP, x += GROUP * x_stride, q += GROUP * n, scale += GROUP)
        simd_rms_quantize_group(GROUP, q, scale, x, x_stride, weight, n);
    for (; rows; rows--, x += x_stride, q += n, scale++) simd_rms_quantize_group(1, q, scale, x, x_stride, weight, n);
}

static void simd_quantize_columns(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows,
                                  int cols) {
    int c = 0;
    for (; c + LANES <= cols; c += LANES) {
        vf m = vf_set(FTV_INT8_SMALLEST_RANGE);
        for (int r = 0; r < rows; r++) m = vf_larger(vf_abs(vf_load(x + (size_t)r * x_stride + c)), m);
        const vf not_finite = m - m, s = vf_set(FTV_INT8_MOST) / m + not_finite; /* as ftv_int8_scale */
        vf_store(scale + c, m / vf_set(FTV_INT8_MOST) + not_finite);
        for (int r = 0; r < rows; r++)
            vi_store_int8(q + (size_t)r * q_stride + c, simd_to_int8(vf_load(x + (size_t)r * x_stride + c) * s));
    }
    ftv_quantize_columns_ref(q + c, q_stride, scale + c, x + c, x_stride, rows, cols - c);
}

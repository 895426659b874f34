/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of binary32: LayerNorm, addition, binary16. A part of kernels_simd.h. */
INLINE void simd_layer_norm_group(const int rows, float *y, const float *x, size_t stride, const float *gain,
                                  const float *bias, float eps, int n) {
    float mean[GROUP], r[GROUP];
    vf a[GROUP][WIDE];
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int j = 0; j < WIDE; j++) a[k][j] = vf_set(0.0f);
    }
    int i = 0;
    for (; i + FTV_LANES <= n; i += FTV_LANES) {
        UNROLL
        for (int k = 0; k < rows; k++) {
            UNROLL
            for (int j = 0; j < WIDE; j++) a[k][j] = a[k][j] + vf_load(x + (size_t)k * stride + i + j * LANES);
        }
    }
    for (int k = 0; k < rows; k++) mean[k] = simd_fold_rest(a[k], x + (size_t)k * stride, 0.0f, n, i, false) / (float)n;
    simd_sums_squares(r, rows, x, stride, mean, n);
    for (int k = 0; k < rows; k++) r[k] = ftv_inverse_deviation(r[k] / (float)n, eps);
    for (i = 0; i + LANES <= n; i += LANES) {
        const vf g = vf_load(gain + i), b = vf_load(bias + i);
        UNROLL
        for (int k = 0; k < rows; k++)
            vf_store(y + k * n + i, (vf_load(x + (size_t)k * stride + i) - vf_set(mean[k])) * vf_set(r[k]) * g + b);
    }
    for (; i < n; i++)
        for (int k = 0; k < rows; k++)
            y[k * n + i] = (x[(size_t)k * stride + (size_t)i] - mean[k]) * r[k] * gain[i] + bias[i];
}

static void simd_layer_norm(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps,
                            int rows, int n) {
    for (; rows >= GROUP; rows -= GROUP, x += GROUP * x_stride, y += GROUP * n)
        simd_layer_norm_group(GROUP, y, x, x_stride, gain, bias, eps, n);
    for (; rows; rows--, x += x_stride, y += n) simd_layer_norm_group(1, y, x, x_stride, gain, bias, eps, n);
}

static void simd_add(float *x, const float *y, const float *gain, int n) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = gain ? vf_load(y + i) * vf_load(gain + i) : vf_load(y + i);
        vf_store(x + i, vf_load(x + i) + v);
    }
    ftv_add_ref(x + i, y + i, gain ? gain + i : NULL, n - i);
}

static void simd_load_f16(float *x, const uint8_t *f16, int n) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(x + i, vf_load_f16(f16 + 2 * i));
    ftv_load_f16_ref(x + i, f16 + 2 * i, n - i);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over rows, in the virtual lanes that math32.h states. A part of kernels_simd.h. */
INLINE float simd_fold(vf a[WIDE]) {
    for (int w = WIDE / 2; w; w /= 2)
        for (int i = 0; i < w; i++) a[i] = a[i] + a[i + w];
    return vf_fold(a[0]);
}

/* Adds what a whole number of virtual lanes left over. */
INLINE float simd_fold_rest(vf a[WIDE], const float *x, float center, int n, int done, bool squares) {
    if (done == n) return simd_fold(a);
    float lane[FTV_LANES];
    for (int i = 0; i < WIDE; i++) vf_store(lane + i * LANES, a[i]);
    for (int i = done; i < n; i++) {
        float d = x[i] - center;
        lane[i - done] = squares ? fmaf(d, d, lane[i - done]) : lane[i - done] + x[i];
    }
    return ftv_fold(lane);
}

/* Rows are taken GROUP at a time: their chains of sums run beside each other. */
enum { GROUP = 4 };

#ifndef CHAINS
INLINE void simd_sums_squares(float *sum, const int rows, const float *x, size_t stride, const float *center, int n) {
    vf a[GROUP][WIDE];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int j = 0; j < WIDE; j++) a[r][j] = vf_set(0.0f);
    }
    int i = 0;
    for (; i + FTV_LANES <= n; i += FTV_LANES) {
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int j = 0; j < WIDE; j++) {
                const vf v = vf_load(x + (size_t)r * stride + i + j * LANES), d = center ? v - vf_set(center[r]) : v;
                a[r][j] = vf_fma(d, d, a[r][j]);
            }
        }
    }
    for (int r = 0; r < rows; r++)
        sum[r] = simd_fold_rest(a[r], x + (size_t)r * stride, center ? center[r] : 0.0f, n, i, true);
}
#endif

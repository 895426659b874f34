/* SPDX-License-Identifier: Apache-2.0 */
/* GELU and e^x: the polynomials of coefficients.h. A part of kernels_simd.h; with CHAINS, that header has them. */
#ifndef CHAINS
static void simd_gelu(float *x, int n) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = vf_load(x + i), low = vf_max(v * vf_set(FTV_GELU_PER_SQRT2), vf_set(-FTV_ERF_MOST)),
                 z = vf_min(low, vf_set(FTV_ERF_MOST)), t = z * z, p = FTV_HORNER_5(vf_fma, vf_set, t, FTV_ERF_P),
                 d = FTV_HORNER_5(vf_fma, vf_set, t, FTV_ERF_Q);
        vf_store(x + i, vf_set(0.5f) * v * (vf_set(1.0f) + z * p / d));
    }
    for (; i < n; i++) x[i] = ftv_gelu(x[i]);
}

INLINE vf simd_exp(vf x) {
    const vf magic = vf_set(FTV_ROUNDING), k = (x * vf_set(FTV_EXP_PER_LN2) + magic) - magic;
    vf r = vf_fma(k, vf_set(FTV_EXP_MINUS_LN2_HIGH), x);
    r = vf_fma(k, vf_set(FTV_EXP_MINUS_LN2_LOW), r);
    const vf p = FTV_HORNER_6(vf_fma, vf_set, r, FTV_EXP_TERMS);
    return vf_keep_if_not_below(vf_scale_exponent(p, vf_to_vi(k)), x, vf_set(FTV_EXP_LEAST));
}
#endif

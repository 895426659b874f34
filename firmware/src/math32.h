/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's binary32 arithmetic: one stated order, one stated rounding, the same bits everywhere.
 *
 * Products and sums are rounded separately except where the source says fmaf. Sums over an axis run in FTV_LANES
 * virtual lanes (element i belongs to lane i % FTV_LANES), folded in halves at the end: a vector unit of any width that
 * divides FTV_LANES can do the same. Nothing here calls libm but sqrtf and fmaf, which IEEE 754 defines exactly (not
 * every C library does: FTV_OWN_FMAF). */
#ifndef FTV_MATH32_H
#define FTV_MATH32_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "bits.h"
#include "coefficients.h"
#include "options.h"

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "floating-point expressions must be evaluated in binary32 (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#ifdef __FAST_MATH__
#error "fast-math changes results: build without it"
#endif

#ifdef FTV_OWN_FMAF
/* a * b + c rounded once, where the machine has no such instruction and libc's rounds twice in the subnormal range. The
 * product is exact in binary64, the sum almost: rounding it again to binary32 errs only where it lies half-way between
 * two of those, or below the normal ones. There the last bit says that something was lost (rounding to odd), and the
 * second rounding is right. */
static inline float ftv_fma(float a, float b, float c) {
    const double p = (double)a * (double)b, s = p + (double)c;
    uint64_t bits;
    __builtin_memcpy(&bits, &s, sizeof bits);
    if ((bits & 0x1fffffff) != 0x10000000 && (fabs(s) >= 0x1p-126 || s == 0.0)) return (float)s;
    const double t = s - p, lost = (p - (s - t)) + ((double)c - t);
    if ((lost < 0.0 || lost > 0.0) && !(bits & 1)) bits += (lost > 0.0) == (s > 0.0) ? 1u : ~(uint64_t)0;
    double odd;
    __builtin_memcpy(&odd, &bits, sizeof odd);
    return (float)odd;
}
#define fmaf ftv_fma
#endif

enum { FTV_LANES = 16 };

/* Round half to even of |x| < 2^22. */
static inline float ftv_rint(float x) { return (x + FTV_ROUNDING) - FTV_ROUNDING; }

/* clip(rint(x), -128, 127); NaN gives -128: a code that means nothing, its scale is NaN. */
static inline int8_t ftv_to_int8(float x) {
    float lower = x > FTV_INT8_LEAST ? x : FTV_INT8_LEAST;
    return (int8_t)ftv_rint(lower < FTV_INT8_MOST ? lower : FTV_INT8_MOST);
}

static inline float ftv_fold(float lane[FTV_LANES]) {
    for (int w = FTV_LANES / 2; w; w /= 2)
        for (int i = 0; i < w; i++) lane[i] += lane[i + w];
    return lane[0];
}

static inline float ftv_sum(const float *x, int n) {
    float lane[FTV_LANES] = {0};
    for (int i = 0; i < n; i++) lane[i % FTV_LANES] += x[i];
    return ftv_fold(lane);
}

/* sum of (x - center)^2 */
static inline float ftv_sum_squares(const float *x, float center, int n) {
    float lane[FTV_LANES] = {0};
    for (int i = 0; i < n; i++) {
        float d = x[i] - center;
        lane[i % FTV_LANES] = fmaf(d, d, lane[i % FTV_LANES]);
    }
    return ftv_fold(lane);
}

/* The larger of two that are not negative, as their bits are ordered: NaN is above infinity, so it is kept. */
static inline float ftv_larger(float a, float b) { return ftv_float_bits(a) > ftv_float_bits(b) ? a : b; }

static inline float ftv_max_abs(const float *x, int n) {
    float m = 0.0f;
    for (int i = 0; i < n; i++) m = ftv_larger(fabsf(x[i]), m);
    return m;
}

/* 1 / sqrt(variance + eps); a variance beyond binary32 gives NaN, not a row of biases. */
static inline float ftv_inverse_deviation(float variance, float eps) {
    return 1.0f / sqrtf(variance + eps) + (variance - variance);
}

/* Scale of the int8 codes of values of which the largest is `top`, and what to multiply them with. Infinity and NaN
 * give NaN, so that all that is computed from them is NaN, too: visible, as in PyTorch. */
static inline float ftv_int8_scale(float top, float *factor) {
    const float m = ftv_larger(top, FTV_INT8_SMALLEST_RANGE), not_finite = m - m;
    *factor = FTV_INT8_MOST / m + not_finite;
    return m / FTV_INT8_MOST + not_finite;
}

/* 1 / sqrt(mean square + eps): what RMSNorm multiplies a row with */
static inline float ftv_inverse_rms(float sum_squares, int n) {
    return 1.0f / sqrtf(sum_squares / (float)n + FTV_RMS_EPS);
}

#define FTV_SCALAR(x) (x)

/* e^x for x <= 88, relative error below 1.3e-7; 0 for x < -87 (every intermediate stays normal) and for NaN. */
static inline float ftv_exp(float x) {
    if (!(x >= FTV_EXP_LEAST)) return 0.0f;
    float k = ftv_rint(x * FTV_EXP_PER_LN2);
    float r = fmaf(k, FTV_EXP_MINUS_LN2_HIGH, x);
    r = fmaf(k, FTV_EXP_MINUS_LN2_LOW, r);
    const float p = FTV_HORNER_6(fmaf, FTV_SCALAR, r, FTV_EXP_TERMS);
    return ftv_bits_float(ftv_float_bits(p) + ((uint32_t)(int32_t)k << 23));
}

/* erf, absolute error below 4e-7, as a fraction */
static inline void ftv_erf_parts(float x, float *numerator, float *denominator) {
    float z = x > -FTV_ERF_MOST ? x : -FTV_ERF_MOST;
    z = z < FTV_ERF_MOST ? z : FTV_ERF_MOST;
    const float t = z * z;
    *numerator = z * FTV_HORNER_5(fmaf, FTV_SCALAR, t, FTV_ERF_P);
    *denominator = FTV_HORNER_5(fmaf, FTV_SCALAR, t, FTV_ERF_Q);
}
static inline float ftv_erf(float x) {
    float p, q;
    ftv_erf_parts(x, &p, &q);
    return p / q;
}

/* x Phi(x), the exact (erf) GELU */
static inline float ftv_gelu(float x) { return 0.5f * x * (1.0f + ftv_erf(x * FTV_GELU_PER_SQRT2)); }

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The constants of the engine's arithmetic, each once: math32.h, the vector kernels and chains64.h take them from here.
 */
#ifndef FTV_COEFFICIENTS_H
#define FTV_COEFFICIENTS_H

/* a x^6 + b x^5 + ... + g by Horner's rule: six products and sums by FMA, constants made by SET. */
#define FTV_HORNER_6(FMA, SET, x, ...) FTV_HORNER_6_(FMA, SET, x, __VA_ARGS__)
#define FTV_HORNER_6_(FMA, SET, x, a, b, c, d, e, f, g) FMA(FTV_HORNER_5_(FMA, SET, x, a, b, c, d, e, f), x, SET(g))
#define FTV_HORNER_5(FMA, SET, x, ...) FTV_HORNER_5_(FMA, SET, x, __VA_ARGS__)
#define FTV_HORNER_5_(FMA, SET, x, a, b, c, d, e, f)                                                                   \
    FMA(FMA(FMA(FMA(FMA(SET(a), x, SET(b)), x, SET(c)), x, SET(d)), x, SET(e)), x, SET(f))

/* x + FTV_ROUNDING - FTV_ROUNDING rounds |x| < 2^22 half to even: the sum's last bit has weight one. */
#define FTV_ROUNDING 12582912.0f

/* e^x = 2^k e^r: k = rint(x / ln 2), r = x - k ln 2 in two steps, the first exact; minimax polynomial of degree 6 */
#define FTV_EXP_LEAST (-87.0f) /* below it: 0, so that every intermediate stays normal */
#define FTV_EXP_PER_LN2 0x1.715476p+0f
#define FTV_EXP_MINUS_LN2_HIGH (-0x1.62e4p-1f)
#define FTV_EXP_MINUS_LN2_LOW (-0x1.7f7d1cp-20f)
#define FTV_EXP_TERMS 0x1.6ab8c6p-10f, 0x1.126dbep-7f, 0x1.55589ep-5f, 0x1.55540ap-3f, 0x1.fffffap-2f, 1.0f, 1.0f

/* erf(z) = z P(z^2) / Q(z^2) on |z| <= FTV_ERF_MOST, where it has become 1; GELU(x) = x / 2 (1 + erf(x / sqrt 2)) */
#define FTV_ERF_MOST 3.93f
#define FTV_GELU_PER_SQRT2 0x1.6a09e6p-1f
#define FTV_ERF_P 2.02699989e-06f, 2.87509115e-04f, 3.88445796e-03f, 5.31086390e-02f, 1.93183971e-01f, 1.12837902e+00f
#define FTV_ERF_Q 3.79924256e-05f, 1.19141886e-03f, 1.52046795e-02f, 1.15251534e-01f, 5.04536445e-01f, 1.0f

/* int8 codes: rint(x * FTV_INT8_MOST / m), m the largest size or this */
#define FTV_INT8_MOST 127.0f
#define FTV_INT8_LEAST (-128.0f)
#define FTV_INT8_SMALLEST_RANGE 1e-5f

#define FTV_RMS_EPS 1e-5f /* of every RMSNorm */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* binary32 arithmetic for a core without a floating-point unit, where Debian's libgcc for the lx106 has none: correctly
 * rounded (half to even), subnormals kept. tests/test_softfloat.c compares every function with the host's hardware.
 *
 * A number in work is (sign, e, m): m * 2^(e - 156), its leading one at bit 30 once normalised, so that e is the stored
 * exponent less one and the seven bits below the fraction hold what rounding needs (the last one is sticky). */
#include <stdint.h>

#ifdef FTV_SOFTFLOAT_TEST
#define NAME(f) test_##f /* beside the host's own */
#else
#define NAME(f) f
#endif

typedef union {
    float f;
    uint32_t u;
} bits;
typedef union {
    double f;
    uint64_t u;
} wide_bits;

float NAME(__addsf3)(float x, float y);
float NAME(__subsf3)(float x, float y);
float NAME(__mulsf3)(float x, float y);
float NAME(fmaf)(float x, float y, float z);
float NAME(__floatsisf)(int32_t v);
float NAME(__floatunsisf)(uint32_t v);
uint32_t NAME(__fixunssfsi)(float x);
double NAME(__extendsfdf2)(float x);
float NAME(__truncdfsf2)(double x);

static const uint32_t SIGN = 0x80000000u, INFINITE = 0x7f800000u, NOT_A_NUMBER = 0x7fc00000u, HIDDEN = 0x800000u;

static inline float number(uint32_t u) { return (bits){.u = u}.f; }
static inline uint32_t shift_sticky(uint32_t m, int n) {
    return n == 0 ? m : n < 32 ? m >> n | (m << (32 - n) != 0) : m != 0;
}

/* 32 x 32 -> 64 bits on 16-bit halves: a call of the library's would cost as much again. */
static inline uint64_t multiply(uint32_t a, uint32_t b) {
    uint32_t al = a & 0xffff, ah = a >> 16, bl = b & 0xffff, bh = b >> 16;
    uint32_t low = al * bl, cross1 = al * bh, cross2 = ah * bl,
             middle = (low >> 16) + (cross1 & 0xffff) + (cross2 & 0xffff);
    return (uint64_t)(ah * bh + (cross1 >> 16) + (cross2 >> 16) + (middle >> 16)) << 32 |
           (middle << 16 | (low & 0xffff));
}

static float round_pack(uint32_t sign, int e, uint32_t m) {
    if (e < 0) m = shift_sticky(m, -e), e = 0;
    uint32_t below = m & 0x7f;
    m = (m + 0x40) >> 7;
    if (below == 0x40) m &= ~1u;
    if (!m) return number(sign);
    uint32_t v = ((uint32_t)e << 23) + m; /* a carry out of the fraction raises the exponent */
    return number(sign | (e > 253 || v >= INFINITE ? INFINITE : v));
}

static float normalize_pack(uint32_t sign, int e, uint32_t m) {
    if (!m) return number(sign);
    int k = __builtin_clz(m) - 1;
    return k < 0 ? round_pack(sign, e + 1, shift_sticky(m, 1)) : round_pack(sign, e - k, m << k);
}

/* Fraction with its hidden bit at bit 23 and exponent of a finite number that is not zero. */
static inline uint32_t unpack(uint32_t magnitude, int *e) {
    uint32_t f = magnitude & (HIDDEN - 1);
    *e = (int)(magnitude >> 23);
    if (*e) return f | HIDDEN;
    int k = __builtin_clz(f) - 8;
    *e = 1 - k;
    return f << k;
}

static float add(uint32_t a, uint32_t b) {
    uint32_t ma = a & ~SIGN, mb = b & ~SIGN;
    if (ma < mb) {
        uint32_t t = a;
        a = b, b = t;
        t = ma, ma = mb, mb = t;
    }
    if (ma >= INFINITE) return number(ma > INFINITE || (mb == INFINITE && a != b) ? NOT_A_NUMBER : a);
    if (!mb) return number(ma ? a : a & b);
    int ea = (int)(ma >> 23), eb = (int)(mb >> 23);
    uint32_t fa = ma & (HIDDEN - 1), fb = mb & (HIDDEN - 1);
    if (ea)
        fa |= HIDDEN;
    else
        ea = 1;
    if (eb)
        fb |= HIDDEN;
    else
        eb = 1;
    fa <<= 6;
    fb = shift_sticky(fb << 6, ea - eb);
    if (!((a ^ b) & SIGN)) return normalize_pack(a & SIGN, ea, fa + fb);
    return fa == fb ? 0.0f : normalize_pack(a & SIGN, ea, fa - fb);
}

float NAME(__addsf3)(float x, float y) { return add((bits){x}.u, (bits){y}.u); }
float NAME(__subsf3)(float x, float y) { return add((bits){x}.u, (bits){y}.u ^ SIGN); }

float NAME(__mulsf3)(float x, float y) {
    uint32_t a = (bits){x}.u, b = (bits){y}.u, sign = (a ^ b) & SIGN, ma = a & ~SIGN, mb = b & ~SIGN;
    if (ma > INFINITE || mb > INFINITE) return number(NOT_A_NUMBER);
    if (ma == INFINITE || mb == INFINITE) return number(ma && mb ? sign | INFINITE : NOT_A_NUMBER);
    if (!ma || !mb) return number(sign);
    int ea, eb;
    uint32_t fa = unpack(ma, &ea), fb = unpack(mb, &eb);
    uint64_t p = multiply(fa << 7, fb << 8); /* leading one at bit 61 or 62 */
    return normalize_pack(sign, ea + eb - 127, (uint32_t)(p >> 32) | ((uint32_t)p != 0));
}

/* x * y + z, rounded once */
float NAME(fmaf)(float x, float y, float z) {
    uint32_t a = (bits){x}.u, b = (bits){y}.u, c = (bits){z}.u, sp = (a ^ b) & SIGN, sc = c & SIGN;
    uint32_t ma = a & ~SIGN, mb = b & ~SIGN, mc = c & ~SIGN;
    if (ma > INFINITE || mb > INFINITE || mc > INFINITE) return number(NOT_A_NUMBER);
    if (ma == INFINITE || mb == INFINITE)
        return number(!ma || !mb || (mc == INFINITE && sp != sc) ? NOT_A_NUMBER : sp | INFINITE);
    if (mc == INFINITE) return z;
    if (!ma || !mb) return number(mc ? c : sp & sc);
    int ea, eb, ec;
    uint32_t fa = unpack(ma, &ea), fb = unpack(mb, &eb);
    uint64_t p = multiply(fa << 7, fb << 8), q;
    int e = ea + eb - 127; /* p 2^-32 with exponent e, as in the product */
    if (!mc) return normalize_pack(sp, e, (uint32_t)(p >> 32) | ((uint32_t)p != 0));
    q = (uint64_t)unpack(mc, &ec) << 38; /* leading one at bit 61 */
    int d = e - ec;
    if (d < 0) { /* what is shifted out leaves a sticky bit: it can matter only when nothing cancels */
        p = d > -63 ? p >> -d | (p << (64 + d) != 0) : 1;
        e = ec;
    } else if (d > 0)
        q = d < 63 ? q >> d | (q << (64 - d) != 0) : 1;
    if (sp == sc)
        p += q;
    else if (p >= q)
        p -= q;
    else
        p = q - p, sp = sc;
    if (!p) return 0.0f;
    uint32_t high = (uint32_t)(p >> 32), low = (uint32_t)p;
    if (!high) return normalize_pack(sp, e - 32, low); /* so much cancels only when nothing was shifted out */
    int k = __builtin_clz(high) - 1;
    if (k < 0) return round_pack(sp, e + 1, shift_sticky(high, 1) | (low != 0));
    if (k) high = high << k | low >> (32 - k), low <<= k;
    return round_pack(sp, e - k, high | (low != 0));
}

float NAME(__floatunsisf)(uint32_t v) { return normalize_pack(0, 156, v); }
float NAME(__floatsisf)(int32_t v) {
    return v < 0 ? normalize_pack(SIGN, 156, 0u - (uint32_t)v) : normalize_pack(0, 156, (uint32_t)v);
}

uint32_t NAME(__fixunssfsi)(float x) {
    uint32_t u = (bits){x}.u, m = (u & (HIDDEN - 1)) | HIDDEN;
    int e = (int)(u >> 23 & 0xff) - 127;
    if (e < 0 || u & SIGN) return 0;
    if (e > 31) return 0xffffffffu;
    return e >= 23 ? m << (e - 23) : m >> (23 - e);
}

/* binary64 only passes through printf */
double NAME(__extendsfdf2)(float x) {
    uint32_t u = (bits){x}.u, m = u & (HIDDEN - 1);
    int e = (int)(u >> 23 & 0xff);
    uint64_t sign = (uint64_t)(u & SIGN) << 32;
    if (e == 255) return (wide_bits){.u = sign | 0x7ff0000000000000u | (uint64_t)m << 29}.f;
    if (!e && !m) return (wide_bits){.u = sign}.f;
    if (!e) m = unpack(m, &e) & (HIDDEN - 1);
    return (wide_bits){.u = sign | (uint64_t)(e + 896) << 52 | (uint64_t)m << 29}.f;
}

float NAME(__truncdfsf2)(double x) {
    uint64_t u = (wide_bits){x}.u, m = u & 0xfffffffffffffu;
    uint32_t sign = (uint32_t)(u >> 32) & SIGN;
    int e = (int)(u >> 52 & 0x7ff);
    if (e == 0x7ff) return number(m ? NOT_A_NUMBER : sign | INFINITE);
    if (e) m |= (uint64_t)1 << 52;
    return round_pack(sign, e - 897, (uint32_t)(m >> 22) | ((m & 0x3fffff) != 0));
}

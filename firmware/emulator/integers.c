/* SPDX-License-Identifier: Apache-2.0 */
/* Integer arithmetic that Debian's libgcc for the lx106 leaves to that chip's ROM: wide products, and division. */
#include <stdint.h>

uint64_t __umulsidi3(uint32_t a, uint32_t b);
uint64_t __muldi3(uint64_t a, uint64_t b);
uint32_t __udivsi3(uint32_t n, uint32_t d);
uint32_t __umodsi3(uint32_t n, uint32_t d);
int32_t __divsi3(int32_t n, int32_t d);
int32_t __modsi3(int32_t n, int32_t d);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

/* Schoolbook on 16-bit halves: the core multiplies 16 x 16 and the low half of 32 x 32. */
uint64_t __umulsidi3(uint32_t a, uint32_t b) {
    uint32_t al = a & 0xffff, ah = a >> 16, bl = b & 0xffff, bh = b >> 16;
    uint32_t low = al * bl, cross1 = al * bh, cross2 = ah * bl;
    uint32_t middle = (low >> 16) + (cross1 & 0xffff) + (cross2 & 0xffff);
    return (uint64_t)(ah * bh + (cross1 >> 16) + (cross2 >> 16) + (middle >> 16)) << 32 |
           (middle << 16 | (low & 0xffff));
}

uint64_t __muldi3(uint64_t a, uint64_t b) {
    uint32_t high = (uint32_t)(a >> 32) * (uint32_t)b + (uint32_t)a * (uint32_t)(b >> 32);
    return __umulsidi3((uint32_t)a, (uint32_t)b) + ((uint64_t)high << 32);
}

/* Shift and subtract; n / 0 = 0, remainder n. */
static uint32_t divide32(uint32_t n, uint32_t d, uint32_t *rest) {
    uint32_t q = 0;
    if (d && d <= n)
        for (int s = __builtin_clz(d) - __builtin_clz(n); s >= 0; s--) {
            q <<= 1;
            if (n >= d << s) n -= d << s, q |= 1;
        }
    *rest = n;
    return q;
}

static uint64_t divide64(uint64_t n, uint64_t d, uint64_t *rest) {
    uint64_t q = 0;
    int s = 0;
    if (d && d <= n) {
        while (!(d >> 63) && d << 1 <= n) d <<= 1, s++;
        for (; s >= 0; s--, d >>= 1) {
            q <<= 1;
            if (n >= d) n -= d, q |= 1;
        }
    }
    *rest = n;
    return q;
}

uint32_t __udivsi3(uint32_t n, uint32_t d) {
    uint32_t r;
    return divide32(n, d, &r);
}
uint32_t __umodsi3(uint32_t n, uint32_t d) {
    uint32_t r;
    divide32(n, d, &r);
    return r;
}
uint64_t __udivdi3(uint64_t n, uint64_t d) {
    uint64_t r;
    return divide64(n, d, &r);
}
uint64_t __umoddi3(uint64_t n, uint64_t d) {
    uint64_t r;
    divide64(n, d, &r);
    return r;
}

static uint32_t size32(int32_t x) { return x < 0 ? 0u - (uint32_t)x : (uint32_t)x; }
static uint64_t size64(int64_t x) { return x < 0 ? 0u - (uint64_t)x : (uint64_t)x; }

int32_t __divsi3(int32_t n, int32_t d) {
    uint32_t q = __udivsi3(size32(n), size32(d));
    return (int32_t)((n ^ d) < 0 ? 0u - q : q);
}
int32_t __modsi3(int32_t n, int32_t d) {
    uint32_t r = __umodsi3(size32(n), size32(d));
    return (int32_t)(n < 0 ? 0u - r : r);
}
int64_t __divdi3(int64_t n, int64_t d) {
    uint64_t q = __udivdi3(size64(n), size64(d));
    return (int64_t)((n ^ d) < 0 ? 0u - q : q);
}
int64_t __moddi3(int64_t n, int64_t d) {
    uint64_t r = __umoddi3(size64(n), size64(d));
    return (int64_t)(n < 0 ? 0u - r : r);
}

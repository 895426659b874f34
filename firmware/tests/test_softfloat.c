/* SPDX-License-Identifier: Apache-2.0 */
/* The emulator's software floating point against this machine's hardware. */
#include <math.h>

#include "check.h"

float test___addsf3(float x, float y);
float test___subsf3(float x, float y);
float test___mulsf3(float x, float y);
float test_fmaf(float x, float y, float z);
float test___floatsisf(int32_t v);
float test___floatunsisf(uint32_t v);
uint32_t test___fixunssfsi(float x);
double test___extendsfdf2(float x);
float test___truncdfsf2(double x);

/* Random bits, with exponents near each other half of the time, and the awkward values often. */
static float value(uint64_t *seed, float near) {
    static const uint32_t awkward[] = {0,          0x80000000, 1,          0x80000001, 0x7fffff,   0x800000,
                                       0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f800000, 0xbf800000};
    uint64_t r = check_random(seed);
    uint32_t u = (uint32_t)r;
    if (r >> 60 == 0)
        u = awkward[(r >> 32) % (sizeof awkward / sizeof *awkward)];
    else if (r >> 63)
        u = (u & 0x807fffff) |
            (uint32_t)((int32_t)(ftv_float_bits(near) & 0x7f800000) + ((int32_t)(r >> 40 & 63) - 32) * 0x800000) %
                0x7f800000u;
    return ftv_bits_float(u);
}

static bool same(float a, float b) { return ftv_float_bits(a) == ftv_float_bits(b) || (a != a && b != b); }

int main(void) {
    uint64_t seed = 1;
    for (int i = 0; i < 3000000; i++) {
        float x = value(&seed, 1.0f), y = value(&seed, x), z = value(&seed, x * y),
              third = i % 3 ? z : -(x * y); /* the last: all but cancels */
        volatile float sum = x + y, difference = x - y, product = x * y;
        CHECK(same(test___addsf3(x, y), sum), "%a + %a", (double)x, (double)y);
        CHECK(same(test___subsf3(x, y), difference), "%a - %a", (double)x, (double)y);
        CHECK(same(test___mulsf3(x, y), product), "%a * %a", (double)x, (double)y);
        CHECK(same(test_fmaf(x, y, third), fmaf(x, y, third)), "fmaf(%a, %a, %a) = %a, got %a", (double)x, (double)y,
              (double)third, (double)fmaf(x, y, third), (double)test_fmaf(x, y, third));
        uint32_t n = (uint32_t)check_random(&seed) >> (i & 31);
        CHECK(test___floatsisf((int32_t)n) == (float)(int32_t)n, "(float)%d", (int32_t)n);
        CHECK(test___floatunsisf(n) == (float)n, "(float)%u", n);
        if (x >= 0.0f && x < 4294967296.0f) CHECK(test___fixunssfsi(x) == (uint32_t)x, "(uint32_t)%a", (double)x);
        double wide = (double)x * (1.0 + (double)(int32_t)n * 0x1p-40);
        CHECK(x != x || test___extendsfdf2(x) == (double)x, "(double)%a", (double)x);
        CHECK(same(test___truncdfsf2(wide), (float)wide), "(float)%a", wide);
    }
    return check_done("software floating point");
}

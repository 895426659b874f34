/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian loads from any alignment, and binary16 to binary32. Copies of a fixed size are written as
 * __builtin_memcpy: an instruction or two also where the build forbids the compiler to know memcpy, as ESP-IDF does
 * (-fno-builtin-memcpy). */
#ifndef FTV_BITS_H
#define FTV_BITS_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian, and this engine reads them in place"
#endif

static inline uint32_t ftv_load_u32(const void *p) {
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t ftv_load_u64(const void *p) {
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline float ftv_load_f32(const void *p) {
    float v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t ftv_float_bits(float f) {
    uint32_t v;
    __builtin_memcpy(&v, &f, sizeof v);
    return v;
}
static inline float ftv_bits_float(uint32_t u) {
    float v;
    __builtin_memcpy(&v, &u, sizeof v);
    return v;
}

/* Element i of a binary16 array; exact, infinities and NaN kept (the loader refuses them). */
static inline float ftv_load_f16(const uint8_t *p, int i) {
    uint32_t h = (uint32_t)(p[2 * i] | p[2 * i + 1] << 8), sign = (h & 0x8000u) << 16, e = h >> 10 & 31, m = h & 1023;
    if (e == 31) return ftv_bits_float(sign | 0x7f800000u | m << 13);
    if (e == 0) {
        float f = (float)m * 0x1p-24f;
        return sign ? -f : f;
    }
    return ftv_bits_float(sign | (e + 112) << 23 | m << 13);
}

#endif

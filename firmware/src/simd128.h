/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of four elements on 64-bit Arm: what both NEON kernel sets share. */
#ifndef FTV_SIMD128_H
#define FTV_SIMD128_H

enum { LANES = 4, PV_QUERIES = 4, PV_VECTORS = 4 };
#define TOKENS 4
#define KEYS 8

typedef float32x4_t vf;
typedef int32x4_t vi;

static inline vf vf_set(float x) { return vdupq_n_f32(x); }
static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline void vf_store(float *p, vf x) { vst1q_f32(p, x); }
static inline vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
static inline vf vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); } /* a > b ? a : b, with NaN too */
static inline vf vf_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline vf vf_abs(vf a) { return vabsq_f32(a); }
/* The larger of values that are not negative, as their bits are ordered: NaN is kept. */
static inline vf vf_larger(vf a, vf b) {
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}
static inline float vf_largest(vf a) { return ftv_bits_float(vmaxvq_u32(vreinterpretq_u32_f32(a))); }
static inline vf vf_load_f16(const uint8_t *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
static inline vf vf_keep_if_not_below(vf y, vf x, vf bound) {
    return vreinterpretq_f32_u32(vandq_u32(vcgeq_f32(x, bound), vreinterpretq_u32_f32(y)));
}
static inline float vf_fold(vf a) {
    const float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
}
static inline vi vi_set(int32_t x) { return vdupq_n_s32(x); }
static inline vi vi_load(const void *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
static inline void vi_store(void *p, vi x) { vst1q_u8(p, vreinterpretq_u8_s32(x)); }
static inline vi vi_load_u8(const void *p) {
    uint32_t four;
    __builtin_memcpy(&four, p, 4);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}
static inline void vi_store_int8(int8_t *p, vi x) {
    const int16x4_t words = vmovn_s32(x);
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    __builtin_memcpy(p, &four, 4);
}
static inline vi vi_shift_left(vi x, int n) { return vshlq_s32(x, vdupq_n_s32(n)); }
static inline vf vi_to_vf(vi x) { return vcvtq_f32_s32(x); }
static inline vi vf_to_vi(vf x) { return vcvtq_s32_f32(x); }
static inline vf vf_scale_exponent(vf x, vi n) {
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), vshlq_n_s32(n, 23)));
}

static inline void vi_transpose(vi row[4]) {
    const int32x4x2_t a = vtrnq_s32(row[0], row[1]), b = vtrnq_s32(row[2], row[3]);
    row[0] = vcombine_s32(vget_low_s32(a.val[0]), vget_low_s32(b.val[0]));
    row[1] = vcombine_s32(vget_low_s32(a.val[1]), vget_low_s32(b.val[1]));
    row[2] = vcombine_s32(vget_high_s32(a.val[0]), vget_high_s32(b.val[0]));
    row[3] = vcombine_s32(vget_high_s32(a.val[1]), vget_high_s32(b.val[1]));
}

/* `blocks` times 16 activations to the order of the codes; adds them to the lanes of `sum` */
static inline vi pack_blocks(int8_t *out, const int8_t *in, int blocks, vi sum) {
    static const uint8_t order[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    const uint8x16_t orders = vld1q_u8(order);
    for (; blocks; blocks--, in += 16, out += 16) {
        const int8x16_t x = vld1q_s8(in);
        vst1q_s8(out, vqtbl1q_s8(x, orders));
        sum = vpadalq_s16(sum, vpaddlq_s8(x));
    }
    return sum;
}

/* The sum of each of four vectors */
static inline void vi_sums(int32_t out[4], const vi v[4]) {
    vst1q_s32(out, vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3])));
}

/* The codes at bits [n, n + 2) of every byte */
static inline int8x16_t codes_at(const uint32_t *p, int n) {
    return vreinterpretq_s8_u8(
        vandq_u8(vshlq_u8(vreinterpretq_u8_u32(vld1q_u32(p)), vdupq_n_s8((int8_t)-n)), vdupq_n_u8(3)));
}

#endif

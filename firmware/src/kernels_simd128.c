/* SPDX-License-Identifier: Apache-2.0 */
/* WebAssembly's fixed SIMD: no fused product. It is made of binary64, in whole chains (chains64.h). */
#include "kernels.h"

#ifdef FTV_HAVE_WASM
#include <string.h>
#include <wasm_simd128.h>

#include "bits.h"
#include "math32.h"
#include "simd.h"

#include "simd_wasm.h"

static __attribute__((noinline)) vf fma_by_lane(vf a, vf b, vf c) {
    vf r = c;
    for (int i = 0; i < 4; i++) r[i] = fmaf(a[i], b[i], c[i]);
    return r;
}

INLINE v128_t half_way(v128_t sum) {
    return wasm_i64x2_eq(wasm_v128_and(sum, wasm_i64x2_splat(0x1fffffff)), wasm_i64x2_splat(0x10000000));
}
INLINE v128_t upper(vf x) { return wasm_i64x2_shuffle((v128_t)x, (v128_t)x, 1, 0); }

/* As ftv_fma: the doubtful sums, and all that are not zero but below the normal ones, lane by lane. */
INLINE vf vf_fma(vf a, vf b, vf c) {
    const v128_t s0 = wasm_f64x2_add(
                     wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4((v128_t)a), wasm_f64x2_promote_low_f32x4((v128_t)b)),
                     wasm_f64x2_promote_low_f32x4((v128_t)c)),
                 s1 = wasm_f64x2_add(
                     wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4(upper(a)), wasm_f64x2_promote_low_f32x4(upper(b))),
                     wasm_f64x2_promote_low_f32x4(upper(c))),
                 r = wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(s0), wasm_f32x4_demote_f64x2_zero(s1), 0, 2),
                 small = wasm_f32x4_lt(wasm_f32x4_abs(r), wasm_f32x4_splat(0x1p-126f));
    if (__builtin_expect(wasm_v128_any_true(wasm_v128_or(small, wasm_v128_or(half_way(s0), half_way(s1)))), 0))
        return fma_by_lane(a, b, c);
    return (vf)r;
}

static bool supported(void) { return true; }

#define CHAINS "chains64.h"
#include "kernels_simd.h"

const ftv_kernels ftv_kernels_simd128 = {.name = "simd128", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};
#endif

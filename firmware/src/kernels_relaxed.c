/* SPDX-License-Identifier: Apache-2.0 */
/* WebAssembly with relaxed SIMD, where the processor fuses f32x4.relaxed_madd: it may also round twice, so it is asked.
 */
#include "kernels.h"

#ifdef FTV_HAVE_WASM_RELAXED
#include <string.h>
#include <wasm_simd128.h>

#include "bits.h"
#include "simd.h"

#include "math32.h"
#include "simd_wasm.h"

static inline vf vf_fma(vf a, vf b, vf c) { return (vf)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c); }

/* (1 + 2^-12)^2 - 1 - 2^-11 is 2^-24 when the product is not rounded; and a product that a second rounding would spoil.
 */
static bool supported(void) {
    volatile float a[4] = {0x1.001p0f, 0x1.001p0f, 0x1.000002p-75f, 0x1.001p0f},
                   b[4] = {0x1.001p0f, -0x1.001p0f, 0x1.fffffcp-53f, 0x1.001p0f},
                   c[4] = {-0x1.002p0f, 0x1.002p0f, 0x1.8p-128f, -0x1.002p0f};
    for (int i = 0; i < 4; i++) {
        const vf r = vf_fma(vf_set(a[i]), vf_set(b[i]), vf_set(c[i]));
        if (ftv_float_bits(r[0]) != ftv_float_bits(fmaf(a[i], b[i], c[i]))) return false;
    }
    return true;
}

#include "kernels_simd.h"

const ftv_kernels ftv_kernels_relaxed = {.name = "relaxed", .supported = supported, FTV_SIMD_OPERATIONS, .peak = peak};
#endif

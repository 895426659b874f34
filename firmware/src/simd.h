/* SPDX-License-Identifier: Apache-2.0 */
/* Words that the vector kernels share, before an instruction set's own. */
#ifndef FTV_SIMD_H
#define FTV_SIMD_H

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif

/* One shift of a block: the codes at bits [n, n + 2) of every byte, ADDed times their activations to the sums of all
 * tokens. Names what `accumulate` has: tile, x, stride, tokens; needs CODES. */
#define STEP(n, sums, ADD)                                                                                             \
    do {                                                                                                               \
        vi code[VECTORS];                                                                                              \
        UNROLL                                                                                                         \
        for (int v = 0; v < VECTORS; v++) CODES(code[v], tile + v * LANES, n);                                         \
        UNROLL                                                                                                         \
        for (int t = 0; t < tokens; t++) {                                                                             \
            const vi b = vi_set((int32_t)ftv_load_u32(x + (size_t)t * stride + 2 * n));                                \
            UNROLL                                                                                                     \
            for (int v = 0; v < VECTORS; v++) sums[t][v] = ADD(sums[t][v], code[v], b);                                \
        }                                                                                                              \
    } while (0)
#define STEPS(sums, ADD)                                                                                               \
    do {                                                                                                               \
        STEP(0, sums, ADD);                                                                                            \
        STEP(2, sums, ADD);                                                                                            \
        STEP(4, sums, ADD);                                                                                            \
        STEP(6, sums, ADD);                                                                                            \
    } while (0)

#endif

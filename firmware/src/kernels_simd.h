/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of a kernel set over vectors of LANES elements, a header per operation: included once per instruction
 * set. Every function here is static and begins with simd_; the file that includes this defines before
 *
 *   LANES                    vector width (divides FTV_LANES)
 *   TOKENS, VECTORS          tile of matmul: tokens x vectors of rows, in registers
 *   KEYS, PV_QUERIES, PV_VECTORS   tiles of attention's two products
 *   vf, vi                   vectors of binary32 and int32, for which + - * / and casts of C work
 *   vf_..., vi_...           one instruction or a few each: simd256.h has them all
 *   dot_u8_s8(acc, a, b)     acc + products of unsigned a and signed b, four bytes to a lane
 *   pack_blocks, vi_sums, vi_transpose   as simd256.h says them
 *   accumulate(n, acc, tile, x, stride, blocks)   acc[t][v] += codes of the tile . x[t], n tokens (a constant after
 *                            inlining)
 *   supported(), peak(rounds)   whether the processor has it; the widest product, on registers alone
 *   X_BYTES, PACKED_AT, PACKED_BLOCK   optional: bytes of an activation as pack_blocks writes it; where token t begins,
 *                            where its next block of 16, so that tokens of a tile may lie interleaved (1; a token after
 *                            the other)
 *   CODE_WORDS               optional: words that expand_tile makes of each word of a tile, once for all tokens, before
 *                            `accumulate` sees it (1: there is no expand_tile)
 *   CHAINS                   optional, where fused products are dear: a header with simd_sums_squares, simd_gelu,
 *                            simd_exp, simd_scores, simd_weighted, and simd_chains_fit, which says whether the last two
 *                            may be used
 *
 * and afterwards the set: const ftv_kernels ftv_kernels_NAME = {.name, .supported, FTV_SIMD_OPERATIONS, .peak}.
 *
 * Float operations keep the order that math32.h states, so every width gives the same bits. */
#include "math32.h"
#include "packing.h"
#include "simd.h"

#ifndef CODE_WORDS
#define X_BYTES 1
#define PACKED_AT(t, stride) ((size_t)(t) * (stride))
#define PACKED_BLOCK BLOCK
#define CODE_WORDS 1
#endif
enum { WIDE = FTV_LANES / LANES, ROWS = VECTORS * LANES, BLOCK = 16, QUERIES = 2 * LANES };
_Static_assert(FTV_LANES % LANES == 0, "vectors must divide the virtual lanes");

#include "kernels_simd_sums.h"
#ifdef CHAINS
#include CHAINS
#endif
#include "kernels_simd_rows.h"
#include "kernels_simd_quantize.h"
#include "kernels_simd_functions.h"
#include "kernels_simd_tiles.h"
#include "kernels_simd_products.h"
#include "kernels_simd_attention.h"
#include "kernels_simd_attention_int8.h"

static size_t simd_scratch_bytes(ftv_packing packing, int rows, int cols, int chunk, int tokens, int head_dim) {
    (void)packing, (void)rows;
    const size_t matmul = simd_matmul_scratch(cols, chunk),
                 attention = 64 + (size_t)(tokens + head_dim) * QUERIES * sizeof(float) +
                             simd_attention_int8_scratch(tokens, head_dim);
    return matmul > attention ? matmul : attention;
}

/* For the initialiser of the set, which its file writes out: .name, .supported, these, .peak */
#define FTV_SIMD_OPERATIONS                                                                                            \
    .chunk_tokens = 256, .token_step = 1, .query_step = LANES, .scratch_bytes = simd_scratch_bytes,                    \
    .matmul = simd_matmul, .linear = simd_linear, .layer_norm = simd_layer_norm, .rms_quantize = simd_rms_quantize,    \
    .quantize = simd_quantize, .quantize_columns = simd_quantize_columns, .gelu = simd_gelu, .add = simd_add,          \
    .load_f16 = simd_load_f16, .attention_f32 = simd_attention_f32, .attention_int8 = simd_attention_int8

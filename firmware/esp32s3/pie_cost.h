/* SPDX-License-Identifier: Apache-2.0 */
/* Executed instructions of one call of each function of pie_gemm.S: what the emulator counts where C stands in for it
 * (emulator/pie.c). tests/test_pie.c compares them with every call that it executes. */
#ifndef FTV_PIE_COST_H
#define FTV_PIE_COST_H
#include <stdint.h>

static inline uint64_t ftv_pie_unpack_cost(uint64_t blocks) { return 13 + 99 * blocks; }
static inline uint64_t ftv_pie_linear_cost(uint64_t blocks, uint64_t tokens) {
    return 14 + (110 + 17 * blocks) * tokens;
}
static inline uint64_t ftv_pie_narrow_cost(uint64_t blocks, uint64_t tokens) {
    return 15 + (93 + 17 * blocks) * tokens;
}
static inline uint64_t ftv_pie_sums_cost(uint64_t blocks, uint64_t tokens) { return 10 + (71 + 17 * blocks) * tokens; }
static inline uint64_t ftv_pie_align_cost(uint64_t blocks) { return 2 + 5 * blocks; }
static inline uint64_t ftv_pie_dots_cost(uint64_t keys) { return 15 + 8 * keys; }
static inline uint64_t ftv_pie_widen_cost(uint64_t tokens) { return 4 + 25 * tokens; }
static inline uint64_t ftv_pie_weigh_cost(uint64_t blocks) { return 284 + 72 * blocks; }

#endif

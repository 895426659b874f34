/* SPDX-License-Identifier: Apache-2.0 */
/* The vector functions of esp32s3/pie_gemm.S in C, for an emulated core without them: what the assembly would have
 * executed is counted in the place of their own instructions. */
#include "pie_cost.h"
#include "pie_gemm.h"

uint64_t ftv_pie_instructions;

/* Where nothing is counted, as in board-sim-s3 */
void ftv_sim_pause(void), ftv_sim_resume(void);
__attribute__((weak)) void ftv_sim_pause(void) {}
__attribute__((weak)) void ftv_sim_resume(void) {}

static void begin(uint64_t cost) {
    ftv_sim_pause();
    ftv_pie_instructions += cost;
}

void ftv_pie_unpack(int8_t *tile, const uint8_t *rows, uintptr_t stride, uintptr_t blocks) {
    begin(ftv_pie_unpack_cost(blocks));
    for (uintptr_t i = 0; i < 16 * blocks; i++)
        for (uintptr_t r = 0; r < 16; r++)
            tile[16 * i + r] = (int8_t)((rows[r * stride + i / 4] >> 2 * (i % 4) & 3) - 1);
    ftv_sim_resume();
}

static int32_t dot(const int8_t *x, const int8_t *y, uintptr_t y_stride, uintptr_t n) {
    int32_t sum = 0;
    for (uintptr_t i = 0; i < n; i++) sum += x[i] * y[i * y_stride];
    return sum;
}

void ftv_pie_sums(const ftv_pie_job *j) {
    begin(ftv_pie_sums_cost(j->blocks, j->tokens));
    for (uintptr_t t = 0; t < j->tokens; t++)
        for (int r = 0; r < 16; r++)
            ((int32_t *)(void *)((uint8_t *)j->y + t * j->y_stride))[r] =
                dot(j->x + t * j->x_stride, j->tile + r, 16, 16 * j->blocks);
    ftv_sim_resume();
}

static void linear(const ftv_pie_job *j) {
    for (uintptr_t t = 0; t < j->tokens; t++) {
        const float scale = j->x_scale[t] * j->scale;
        for (int r = 0; r < 16; r++)
            ((float *)(void *)((uint8_t *)j->y + t * j->y_stride))[r] =
                (float)dot(j->x + t * j->x_stride, j->tile + r, 16, 16 * j->blocks) * scale + j->bias[r];
    }
}
void ftv_pie_linear(const ftv_pie_job *j) {
    begin(ftv_pie_linear_cost(j->blocks, j->tokens));
    linear(j);
    ftv_sim_resume();
}
void ftv_pie_linear_narrow(const ftv_pie_job *j) {
    begin(ftv_pie_narrow_cost(j->blocks, j->tokens));
    linear(j);
    ftv_sim_resume();
}

void ftv_pie_align(int8_t *to, const int8_t *from, uintptr_t blocks) {
    begin(ftv_pie_align_cost(blocks));
    const uintptr_t n = 16 * blocks - (uintptr_t)from % 16; /* the rest of the last block is rubbish */
    for (uintptr_t i = 0; i < n; i++) to[i] = from[i];
    ftv_sim_resume();
}

void ftv_pie_dots(int32_t *out, const int8_t *q, const int8_t *k, uintptr_t stride, uintptr_t keys) {
    begin(ftv_pie_dots_cost(keys));
    for (uintptr_t i = 0; i < keys; i++) out[i] = dot(q, k + i * stride, 1, 64);
    ftv_sim_resume();
}

void ftv_pie_widen(int16_t *tile, const int8_t *v, uintptr_t stride, uintptr_t tokens, uintptr_t eighth) {
    begin(ftv_pie_widen_cost(tokens));
    for (uintptr_t t = 0; t < tokens; t++)
        for (uintptr_t d = 0; d < 64; d++) tile[d / 8 * (eighth / 2) + t * 8 + d % 8] = v[t * stride + d];
    ftv_sim_resume();
}

void ftv_pie_weigh(int32_t *sums, const int16_t *p, const int16_t *tile, uintptr_t blocks) {
    begin(ftv_pie_weigh_cost(blocks));
    for (uintptr_t d = 0; d < 64; d++) {
        const int16_t *v = tile + d / 8 * 64 * blocks + d % 8;
        sums[d] = 0;
        for (uintptr_t t = 0; t < 8 * blocks; t++) sums[d] += p[t] * v[8 * t];
    }
    ftv_sim_resume();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The chosen kernels against `ref` on made-up data, bit by bit: an operation that computes otherwise on this chip is
 * named. */
#include "check_kernels.h"

#include <string.h>

#include "kernels.h"
#include "packing.h"

enum { TOKENS = 6, ROWS = 35, COLS = 200, HEAD = 64, KEYS = 21, ALIGN = 64, FLOATS = TOKENS * COLS + 3 * KEYS * HEAD };

typedef struct {
    float x[FLOATS], gain[COLS], out[KEYS * HEAD + TOKENS * ROWS];
    float scale[KEYS > COLS ? KEYS : COLS];
    int8_t q[3 * KEYS * HEAD]; /* at least TOKENS * COLS */
    uint8_t codes[ROWS * COLS / 4];
} data;
_Static_assert(3 * KEYS * HEAD >= TOKENS * COLS && KEYS * HEAD >= TOKENS * COLS, "room for a layer's codes and rows");

static void fill(data *d) {
    uint32_t seed = 1;
    memset(d, 0, sizeof *d);
    for (int i = 0; i < FLOATS; i++) d->x[i] = (float)(int32_t)(seed = seed * 1664525u + 1013904223u) * 0x1p-30f;
    for (size_t i = 0; i < sizeof d->q; i++) d->q[i] = (int8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (size_t i = 0; i < sizeof d->codes; i++)
        d->codes[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24 & 0xaa);
    for (int i = 0; i < COLS; i++) d->gain[i] = 1.0f + d->x[i] * 0.25f, d->scale[i] = 0.01f + 0.001f * (float)(i % 7);
}

static const char *const names[] = {"matmul", "linear",        "layer_norm",    "rms_quantize",
                                    "gelu",   "attention_f32", "attention_int8"};
enum { OPERATIONS = sizeof names / sizeof *names };

static void run(const ftv_kernels *k, data *d, int operation, void *scratch) {
    const ftv_matrix w = {d->codes, COLS / 4, ROWS, COLS, FTV_PACK_2BIT};
    switch (operation) {
        case 0: k->matmul((int32_t *)(void *)d->out, d->q, COLS, &w, TOKENS, scratch); break;
        case 1: k->linear(d->out, ROWS, d->q, COLS, d->scale, &w, 0.02f, d->gain, TOKENS, scratch); break;
        case 2: k->layer_norm(d->out, d->x, COLS, d->gain, d->scale, 1e-6f, TOKENS, COLS); break;
        case 3: k->rms_quantize(d->q, d->scale, d->x, COLS, d->gain, TOKENS, COLS); break;
        case 4: k->gelu(d->x, FLOATS); break;
        case 5:
            k->attention_f32(d->x, d->x, d->x + HEAD, d->x + 2 * HEAD, 3 * HEAD, KEYS, HEAD, 0.125f, 0, KEYS, scratch);
            break;
        default:
            k->attention_int8(d->out, HEAD, d->q, d->q + HEAD, d->q + 2 * HEAD, 3 * HEAD, d->scale, d->scale, 1,
                              d->gain, KEYS, HEAD, 0.125f, 0, KEYS, scratch);
    }
}

static size_t aligned(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

const char *ftv_check_kernels(const ftv_board *board, const ftv_kernels *k) {
    const ftv_kernels *const sets[] = {k, &ftv_kernels_ref};
    size_t scratch_bytes = 0;
    for (int i = 0; i < 2; i++) {
        const size_t n = sets[i]->scratch_bytes(FTV_PACK_2BIT, ROWS, COLS, TOKENS, KEYS, HEAD);
        scratch_bytes = n > scratch_bytes ? n : scratch_bytes;
    }
    uint8_t *block = board->allocate(board->context, 2 * aligned(sizeof(data)) + scratch_bytes + 2 * ALIGN);
    if (!block) return "nothing: there is no memory for it";
    data *const ours = (data *)(void *)(block + (ALIGN - (uintptr_t)block % ALIGN) % ALIGN),
                *const wanted = (data *)(void *)((uint8_t *)ours + aligned(sizeof(data)));
    void *scratch = (uint8_t *)wanted + aligned(sizeof(data));
    const char *wrong = NULL;
    for (int i = 0; i < OPERATIONS && !wrong; i++) {
        fill(ours), fill(wanted);
        run(k, ours, i, scratch), run(&ftv_kernels_ref, wanted, i, scratch);
        if (memcmp(ours, wanted, sizeof(data))) wrong = names[i];
    }
    board->release(board->context, block);
    return wrong;
}

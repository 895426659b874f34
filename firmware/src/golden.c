/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bits.h"

void ftv_golden_open(ftv_golden *g, const ftv_model *m) {
    char error[FTV_ERROR_BYTES];
    ftv_value v;
    memset(g, 0, sizeof *g);
    ftv_gguf_open(&g->file, m->data, m->bytes, error); /* ftv_open has done it before */
    g->file.error = NULL;
    if (ftv_gguf_value(&g->file, "ftervit.golden.tolerance", &v) && v.type == GGUF_F32 && !v.array)
        g->tolerance = ftv_load_f32(v.value);
}

void ftv_golden_picture(const ftv_golden *g, const ftv_model *m, uint8_t *picture) {
    const size_t n = (size_t)m->image_size * (size_t)m->image_size * (size_t)m->channels;
    ftv_tensor t;
    uint32_t seed = 1;
    if (ftv_gguf_tensor(&g->file, "golden.input", &t) && t.type == FTV_TENSOR_I8 && t.bytes == n)
        memcpy(picture, t.data, n);
    else
        for (size_t i = 0; i < n; i++) picture[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
}

uint32_t ftv_stage_crc(const float *data, int rows, int cols, int row_stride) {
    uint32_t crc = 0;
    for (int i = 0; i < rows; i++)
        crc = ftv_crc32(crc, data + (size_t)i * (size_t)row_stride, (size_t)cols * sizeof(float));
    return crc;
}

bool ftv_golden_compare(ftv_golden *g, ftv_golden_result *r, ftv_stage stage, int block, const float *data, int rows,
                        int cols, int row_stride) {
    ftv_tensor t;
    memset(r, 0, sizeof *r);
    r->first = r->worst = -1;
    if (stage == FTV_STAGE_EMBED)
        strcpy(r->name, "golden.embed");
    else if (stage == FTV_STAGE_BLOCK)
        snprintf(r->name, sizeof r->name, "golden.blocks.%d", block);
    else if (stage == FTV_STAGE_HEAD)
        strcpy(r->name, "golden.logits");
    else
        return false;
    if (!ftv_gguf_tensor(&g->file, r->name, &t) || t.type != FTV_TENSOR_F32 ||
        t.bytes != (size_t)rows * (size_t)cols * 4)
        return false;
    for (int i = 0; i < rows * cols; i++) {
        const float want = ftv_load_f32(t.data + 4 * (size_t)i),
                    got = data[(size_t)(i / cols) * (size_t)row_stride + (size_t)(i % cols)], d = fabsf(got - want);
        const uint32_t bits[2] = {ftv_float_bits(got), ftv_float_bits(want)};
        r->largest = fabsf(want) > r->largest ? fabsf(want) : r->largest;
        if (bits[0] != bits[1] && r->first < 0) r->first = i, r->got[0] = bits[0], r->want[0] = bits[1];
        if (!(d <= r->largest_difference))
            r->largest_difference = d, r->worst = i, r->got[1] = bits[0], r->want[1] = bits[1];
    }
    r->ok = r->largest_difference <= g->tolerance * r->largest;
    g->compared++;
    g->wrong += !r->ok;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The golden tensors of a model file: a picture, and what PyTorch makes of it after the stages. Host, emulator and
 * board. */
#ifndef FTV_GOLDEN_H
#define FTV_GOLDEN_H

#include "gguf.h"

typedef struct ftv_golden {
    ftv_gguf file;
    float tolerance; /* share of a golden tensor's largest value */
    int compared, wrong;
} ftv_golden;

typedef struct {
    char name[32];
    float largest_difference, largest; /* of |got - want|, of |want| */
    int first, worst;         /* index of the first element whose bits differ, of the largest difference; -1: none */
    uint32_t got[2], want[2]; /* bits at first, at worst */
    bool ok;                  /* within the tolerance */
} ftv_golden_result;

/* Of an opened model. */
void ftv_golden_open(ftv_golden *g, const ftv_model *m);

/* The golden picture [size][size][channels]; a fixed pattern when the file has none. */
void ftv_golden_picture(const ftv_golden *g, const ftv_model *m, uint8_t *picture);

/* CRC-32 of the bits that a stage hands to ftv_on_stage: equal on every machine. */
uint32_t ftv_stage_crc(const float *data, int rows, int cols, int row_stride);

/* Compares a stage's output, counts it, and says how it went; false when the file has no golden tensor for it. */
bool ftv_golden_compare(ftv_golden *g, ftv_golden_result *r, ftv_stage stage, int block, const float *data, int rows,
                        int cols, int row_stride);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What commands do with the machine: memory, trigger pin, screen, a timed forward pass. */
#ifndef FTV_MACHINE_H
#define FTV_MACHINE_H

#include "draw.h"
#include "state.h"

void *ftv_app_allocate(ftv_app *app, size_t bytes); /* NULL when there is not enough */
void ftv_app_release(ftv_app *app, void *memory);   /* of ftv_app_allocate, or NULL */

void ftv_app_trigger(ftv_app *app, bool high); /* obeys the command `trigger` */

void ftv_app_show(ftv_app *app, const ftv_view *view); /* nothing without a screen */

/* The session's on_stage: keeps the time of each stage, and compares while app->golden is set. */
void ftv_app_on_stage(void *app, ftv_stage stage, int block, const float *data, int rows, int cols, int row_stride);

/* Classifies app->pixels; total microseconds and cycles of the forward pass. */
bool ftv_app_forward(ftv_app *app, uint64_t *us, uint64_t *cycles);

#endif

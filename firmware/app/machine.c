/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <inttypes.h>
#include <stdio.h>

#include "answer.h"
#include "golden.h"

void *ftv_app_allocate(ftv_app *a, size_t bytes) { return a->board->allocate(a->board->context, bytes ? bytes : 1); }

void ftv_app_release(ftv_app *a, void *memory) {
    if (memory) a->board->release(a->board->context, memory);
}

void ftv_app_trigger(ftv_app *a, bool high) {
    if (a->board->trigger) a->board->trigger(a->board->context, a->trigger ? a->trigger == 1 : high);
}

void ftv_app_show(ftv_app *a, const ftv_view *view) {
    if (!a->canvas) return;
    const ftv_canvas c = {a->canvas, FTV_SCREEN, FTV_SCREEN};
    ftv_draw_screen(&c, view);
    a->board->show(a->board->context, a->canvas);
}

/* The stage's bits, and the golden tensor of it beside them. */
static void say_golden(ftv_app *a, ftv_stage stage, int block, const float *data, int rows, int cols, int row_stride) {
    ftv_golden_result r;
    if (!a->quiet)
        ftv_say(a, "stage %s %d %08" PRIx32, ftv_stage_text(stage), block, ftv_stage_crc(data, rows, cols, row_stride));
    if (!ftv_golden_compare(a->golden, &r, stage, block, data, rows, cols, row_stride)) return;
    if (!r.ok && !*a->unsound) snprintf(a->unsound, sizeof a->unsound, "golden tensor %.40s", r.name);
    if (a->quiet) return;
    if (r.first < 0)
        ftv_say(a, "golden %s identical", r.name);
    else
        ftv_say(a, "golden %s %s %.3g %.3g %d %08" PRIx32 " %08" PRIx32, r.name, r.ok ? "close" : "wrong",
                (double)r.largest_difference, (double)r.largest, r.first, r.got[0], r.want[0]);
}

void ftv_app_on_stage(void *context, ftv_stage stage, int block, const float *data, int rows, int cols,
                      int row_stride) {
    ftv_app *a = context;
    const uint64_t now = a->board->microseconds(a->board->context);
    const uint32_t cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
    if (a->rows < FTV_MAX_ROWS) {
        a->row[a->rows].stage = (uint8_t)stage;
        a->row[a->rows].block = (uint8_t)block;
        a->row[a->rows].us = (uint32_t)(now - a->last_us);
        a->row[a->rows++].cycles = cycles - a->last_cycles;
    }
    if (a->golden) say_golden(a, stage, block, data, rows, cols, row_stride);
    a->last_us = a->board->microseconds(a->board->context);
    a->last_cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
}

bool ftv_app_forward(ftv_app *a, uint64_t *us, uint64_t *cycles) {
    a->rows = 0;
    ftv_app_trigger(a, true);
    a->last_us = a->board->microseconds(a->board->context);
    a->last_cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
    const ftv_status status = ftv_run_u8(&a->session, a->pixels, a->logits);
    ftv_app_trigger(a, false);
    *us = *cycles = 0;
    for (int i = 0; i < a->rows; i++) *us += a->row[i].us, *cycles += a->row[i].cycles;
    return status ? ftv_refuse(a, "model: %s", ftv_status_text(status)) : true;
}

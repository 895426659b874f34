/* SPDX-License-Identifier: Apache-2.0 */
/* The program of the board without the board: commands over a byte stream, pictures in, classes out.
 * esp32s3/PROTOCOL.md. */
#ifndef FTV_APP_H
#define FTV_APP_H

#include "answer.h"
#include "state.h"

/* Opens the model in `bytes` bytes at `file` (a partition: the file may end before), and lays out a session with
 * `wishes` (kernels, attention, workers, parallel-for). What goes wrong stays in app->trouble: the commands work all
 * the same. */
void ftv_app_start(ftv_app *app, const ftv_board *board, const void *file, size_t bytes, const ftv_options *wishes);

/* Without a model: `why` is what info and the screen say. */
void ftv_app_start_without(ftv_app *app, const ftv_board *board, const char *why, const ftv_options *wishes);

void ftv_app_stop(ftv_app *app); /* gives all memory back */

/* Takes bytes from the link, and carries out the requests that they complete. */
void ftv_app_receive(ftv_app *app, const uint8_t *bytes, size_t n);

/* The kernels against the scalar ones and the model's golden tensors: ready or not on the screen and, where the result
 * is not good, in app->unsound; then the camera's pictures are not classified until the command `selftest` passes.
 * True: all is well. */
bool ftv_app_self_test(ftv_app *app);

/* One picture of the camera onto the screen, classified; false when the camera is off or missing. */
bool ftv_app_live(ftv_app *app);

#endif

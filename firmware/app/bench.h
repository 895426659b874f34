/* SPDX-License-Identifier: Apache-2.0 */
/* The command `bench`. */
#ifndef FTV_BENCH_H
#define FTV_BENCH_H

#include "state.h"

/* `what` is "model", "fc1" or NULL for both */
bool ftv_bench(ftv_app *app, const char *what);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The command `info`: program, board, model, memory, in records. */
#ifndef FTV_INFO_H
#define FTV_INFO_H

#include "state.h"

void ftv_info(ftv_app *app);

#endif

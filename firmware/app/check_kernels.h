/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test's first half: kernels against `ref`. */
#ifndef FTV_CHECK_KERNELS_H
#define FTV_CHECK_KERNELS_H

#include "state.h"

/* The first operation of `kernels` whose bits differ from `ref`; NULL: none */
struct ftv_kernels;
const char *ftv_check_kernels(const ftv_board *board, const struct ftv_kernels *kernels);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations between the linear layers cost, one by one. */
#ifndef FTV_OPS_H
#define FTV_OPS_H

/* "LayerNorm", "RMSNorm, int8", "GELU", "attention, FP32", "attention, int8"; NULL after the last. */
const char *ftv_ops_text(int index);

/* Seconds that one block's worth of operation `index` takes on one thread: `tokens` rows of `dim` columns (GELU: 4 *
 * dim), or all heads. The mean over at least `seconds`; 0 when there are no such kernels, or not enough memory. */
double ftv_ops_seconds(const char *kernels, int index, int tokens, int dim, int heads, double seconds);

/* Multiply-accumulates per second of the instruction that these kernels multiply with, by registers alone: the best of
 * `seconds` of trying. 0 when they have none, or there are no such kernels. */
double ftv_ops_peak(const char *kernels, double seconds);

#endif

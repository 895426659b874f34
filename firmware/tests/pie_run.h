/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the text of pie_gemm.S on this machine: see pie_run.c. */
#ifndef FTV_PIE_RUN_H
#define FTV_PIE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What instructions are counted under: the nearest label above them begins with .L and this name. */
typedef enum {
    PIE_UNPACK,
    PIE_MULTIPLY,
    PIE_DRAIN,
    PIE_DEQUANTISE,
    PIE_CALL,
    PIE_ALIGN,
    PIE_ATTEND,
    PIE_PARTS
} pie_part;
extern const char *const pie_part_names[PIE_PARTS];
extern uint64_t pie_count[PIE_PARTS];

/* Reads the preprocessed assembly; exits with a message about the first line it does not understand. */
void pie_load(const char *path);

/* Memory that the program may touch: `bytes` bytes `shift` beyond a multiple of 64, with guard bytes around; zeroed.
 * pie_forget drops all, false if a guard byte changed. */
void *pie_memory(size_t bytes, size_t shift, bool writable);
bool pie_forget(void);
uint32_t pie_address(const void *p);

/* Calls a function with up to six words. False, and pie_error says why, when an instruction broke a rule. */
bool pie_call(const char *name, int words, const uint32_t *word);
extern char pie_error[300];

/* To see whether a test would notice: the statement of this number is passed over. -1: none */
extern int pie_omitted;
int pie_statements(void);
const char *pie_statement(int number); /* its mnemonic */
#endif

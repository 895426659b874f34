/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs need of the machine below them: a file, and a count of work done. */
#ifndef FTV_PLATFORM_H
#define FTV_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* The whole file (memory-mapped where that exists), or NULL. It stays until the program ends. */
const void *ftv_platform_file(const char *path, size_t *bytes);

typedef struct {
    uint64_t total, soft_float, vector, beside;
} platform_count_t; /* of the total: inside software floating point, in vector kernels that C stands in for, and at the
                       same time as more on another core */
platform_count_t ftv_platform_count(void);
const char *ftv_platform_unit(void); /* of the counts: "ns", "instructions" */

int ftv_platform_processors(void); /* that this process may use */

/* The engine's parallel-for over the machine's cores; NULL when there is none. A child of fork() may go on with it, or
 * stop it. */
typedef struct platform_pool platform_pool;
platform_pool *ftv_platform_pool_start(int workers);
void ftv_platform_pool_run(void *pool, int count, void (*task)(void *, int, int), void *arg);
void ftv_platform_pool_stop(platform_pool *pool);

#endif

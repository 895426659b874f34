/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's options on a command line, and their worker threads: the same words for every program. */
#ifndef FTV_ARGUMENTS_H
#define FTV_ARGUMENTS_H

#include <stdlib.h>
#include <string.h>

#include "ftervit.h"
#include "platform.h"

#define FTV_ARGUMENTS_USAGE "[--threads N] [--kernels NAME] [--attention f32|int8]"

/* Whether argv[*i] is this option and a value follows it; then *i is at the value. */
static inline bool ftv_argument_is(const char *option, int argc, char **argv, int *i) {
    if (strcmp(argv[*i], option) || *i + 1 >= argc) return false;
    ++*i;
    return true;
}

/* Takes an option of the engine at argv[*i], with its value; false: it is none, or has no value that is known. */
static inline bool ftv_argument(ftv_options *o, int argc, char **argv, int *i) {
    if (ftv_argument_is("--threads", argc, argv, i)) {
        o->workers = atoi(argv[*i]);
        return true;
    }
    if (ftv_argument_is("--kernels", argc, argv, i)) {
        o->kernels = argv[*i];
        return true;
    }
    if (!ftv_argument_is("--attention", argc, argv, i)) return false;
    o->attention = strcmp(argv[*i], "int8") ? FTV_ATTENTION_F32 : FTV_ATTENTION_INT8;
    return !strcmp(argv[*i], "int8") || !strcmp(argv[*i], "f32");
}

/* Threads for `workers` above 1; without them the caller works alone. ftv_platform_pool_stop(o->parallel_context) ends
 * them. */
static inline void ftv_arguments_pool(ftv_options *o) {
    if (o->workers > 1 && (o->parallel_context = ftv_platform_pool_start(o->workers)))
        o->parallel_for = ftv_platform_pool_run;
}

#endif

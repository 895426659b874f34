/* SPDX-License-Identifier: Apache-2.0 */
/* What the arena holds, and how much of it a task may take: plan.c lays it out, forward.c works in it. */
#ifndef FTV_PLAN_H
#define FTV_PLAN_H

#include "kernels.h"

enum {
    FTV_ALIGN = 64,    /* bytes: every part of the arena begins at a multiple */
    FTV_PATCHES = 32,  /* that one task embeds at most */
    FTV_NORM_ROWS = 4, /* normalised at a time */
};

static inline int ftv_smaller(int a, int b) { return a < b ? a : b; }
static inline int ftv_larger_int(int a, int b) { return a > b ? a : b; }
static inline int ftv_workers(const ftv_options *o) { return ftv_larger_int(o->workers, 1); }

/* Tokens that one task takes at most: an even share for every worker, or less. */
static inline int ftv_chunk_tokens(const ftv_session *s) {
    const int n = ftv_workers(&s->options), step = s->kernels->token_step, wanted = s->options.chunk_tokens;
    const int most = ftv_smaller(wanted ? wanted : s->kernels->chunk_tokens, (s->model->tokens + n - 1) / n);
    return (most + step - 1) / step * step;
}

/* Of one worker: sums and gathered pixels of FTV_PATCHES patches. */
static inline size_t ftv_patch_scratch(const ftv_model *m) {
    return FTV_PATCHES * ((size_t)m->embed_dim * sizeof(int32_t) + (size_t)(m->patch_size * m->patch_size) + FTV_ALIGN);
}

/* As ftv_plan, on a machine that can address `most` bytes. */
ftv_status ftv_plan_within(const ftv_model *model, const ftv_options *options, uint64_t most, size_t *bytes, char *why);

#endif

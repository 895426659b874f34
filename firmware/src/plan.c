/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: every buffer of a session, laid out once from the model's sizes and the caller's options. */
#include "plan.h"

#include <string.h>

#include "options.h"

static uint64_t larger64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Puts the next part behind the last; with a null arena only counts. */
static void *place(uint8_t *arena, uint64_t *at, uint64_t bytes) {
    uint64_t here = (*at + FTV_ALIGN - 1) / FTV_ALIGN * FTV_ALIGN;
    *at = here + bytes;
    return arena ? arena + here : NULL;
}

typedef struct {
    uint8_t *arena, *fast;
    uint64_t at, fast_at, fast_bytes;
} layout;

/* A part that is read again and again: in the fast memory while there is room. */
static void *place_hot(layout *l, uint64_t bytes) {
    uint64_t at = l->fast_at;
    void *p = place(l->fast, &at, bytes);
    if (at > l->fast_bytes) return place(l->arena, &l->at, bytes);
    l->fast_at = at;
    return p;
}

/* Lays out every buffer, the hottest first; `arena` NULL: only counts. */
static uint64_t lay_out(ftv_session *s, uint8_t *arena) {
    const ftv_model *m = s->model;
    const uint64_t t = (uint64_t)m->tokens, d = (uint64_t)m->embed_dim, h = (uint64_t)m->mlp_dim,
                   classes = (uint64_t)m->classes,
                   image = (uint64_t)m->channels * (uint64_t)m->image_size * (uint64_t)m->image_size,
                   c = (uint64_t)ftv_chunk_tokens(s), n = (uint64_t)ftv_workers(&s->options);
    const int max_rows = ftv_larger_int(ftv_larger_int(3 * m->embed_dim, m->mlp_dim), m->classes),
              max_cols = ftv_larger_int(ftv_larger_int(m->embed_dim, m->mlp_dim), m->patch_size * m->patch_size);
    layout l = {.arena = arena, .fast_bytes = s->options.fast ? s->options.fast_bytes : 0};
    if (arena && l.fast_bytes) {
        const size_t shift = (FTV_ALIGN - (uintptr_t)s->options.fast % FTV_ALIGN) % FTV_ALIGN;
        l.fast = (uint8_t *)s->options.fast + shift;
    }
    l.fast_bytes -= l.fast_bytes < FTV_ALIGN ? l.fast_bytes : FTV_ALIGN; /* room to align the caller's pointer */

    s->scratch_bytes = s->kernels->scratch_bytes(m->packing, max_rows, max_cols, ftv_larger_int((int)c, FTV_PATCHES),
                                                 m->tokens, m->embed_dim / m->heads);
    s->scratch_bytes = (s->scratch_bytes + FTV_ALIGN - 1) / FTV_ALIGN * FTV_ALIGN;
    s->hidden_stride = (size_t)larger64(h, d);
    s->codes_bytes = (size_t)((c * larger64(h, d) + FTV_ALIGN - 1) / FTV_ALIGN * FTV_ALIGN);
    s->scratch = place_hot(&l, s->scratch_bytes * n);
    s->parameters = place_hot(&l, 4 * larger64(6 * d + 2 * h, 3 * d + classes));
    s->codes = place_hot(&l, s->codes_bytes * n);
    s->scales = place_hot(&l, 4 * c * n);
    s->rows = place_hot(&l, 4 * FTV_NORM_ROWS * d * n);
    s->x = place_hot(&l, t * d * 4);
    const uint64_t int8_attention = (3 * t * d + 3) / 4 * 4 + 4 * (2 * t * (uint64_t)m->heads + d); /* codes, scales */
    s->attention = place_hot(&l, s->options.attention == FTV_ATTENTION_INT8 ? int8_attention : 0);
    uint64_t qkv = t * 3 * d * 4, hidden = n * c * s->hidden_stride * 4;
    s->image_bytes = (size_t)((image + FTV_ALIGN - 1) / FTV_ALIGN * FTV_ALIGN);
    s->work = place(l.arena, &l.at,
                    larger64(larger64(qkv, hidden), larger64(s->image_bytes + n * ftv_patch_scratch(m), 4 * classes)));
    return l.at;
}

/* Model and options into the session, checked. */
static ftv_status prepare(ftv_session *s, const ftv_model *m, const ftv_options *o, char *why) {
    if (!m) return ftv_fail(why, FTV_ERR_ARGUMENT, "no model");
    if (m->error[0]) return ftv_fail(why, FTV_ERR_ARGUMENT, "the model was not opened: %s", m->error);
    if (!m->depth) return ftv_fail(why, FTV_ERR_ARGUMENT, "the model has depth 0: it was not opened");
    s->model = m;
    return ftv_read_options(&s->options, &s->kernels, o, why);
}

/* Counts the bytes of a prepared session's arena; `most` is what the machine can address. */
static ftv_status count(ftv_session *s, uint64_t most, size_t *bytes, char *why) {
    const uint64_t n = lay_out(s, NULL) + FTV_ALIGN; /* room to align the caller's pointer */
    if (n > most)
        return ftv_fail(why, FTV_ERR_UNSUPPORTED,
                        "an arena of %llu bytes (%d tokens of %d, %d workers): this machine addresses %llu",
                        (unsigned long long)n, s->model->tokens, s->model->embed_dim, ftv_workers(&s->options),
                        (unsigned long long)most);
    *bytes = (size_t)n;
    return FTV_OK;
}

ftv_status ftv_plan_within(const ftv_model *m, const ftv_options *o, uint64_t most, size_t *bytes, char *why) {
    ftv_session s;
    size_t n = 0;
    memset(&s, 0, sizeof s);
    if (why) why[0] = 0;
    ftv_status status = prepare(&s, m, o, why);
    if (!status) status = count(&s, most, &n, why);
    if (bytes) *bytes = n;
    return status;
}

ftv_status ftv_plan(const ftv_model *m, const ftv_options *o, size_t *bytes, char *why) {
    return ftv_plan_within(m, o, SIZE_MAX, bytes, why);
}

size_t ftv_arena_bytes(const ftv_model *m, const ftv_options *o) {
    size_t n;
    return ftv_plan(m, o, &n, NULL) ? 0 : n;
}

ftv_status ftv_start(ftv_session *s, const ftv_model *m, const ftv_options *o, void *arena, size_t bytes) {
    if (!s) return FTV_ERR_ARGUMENT;
    size_t need = 0;
    memset(s, 0, sizeof *s);
    if (!arena) return ftv_fail(s->error, FTV_ERR_ARGUMENT, "no arena");
    ftv_status status = prepare(s, m, o, s->error);
    if (!status) status = count(s, SIZE_MAX, &need, s->error);
    if (status) return status;
    if (bytes < need) {
        return ftv_fail(s->error, FTV_ERR_MEMORY, "the arena has %llu bytes, %llu are needed",
                        (unsigned long long)bytes, (unsigned long long)need);
    }
    s->arena = (uint8_t *)arena + (FTV_ALIGN - (uintptr_t)arena % FTV_ALIGN) % FTV_ALIGN;
    s->arena_bytes = need - FTV_ALIGN;
    lay_out(s, s->arena);
    return FTV_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"

#include <inttypes.h>

#include "answer.h"
#include "bits.h"
#include "gguf.h"
#include "kernels.h"

static void say_part(ftv_app *a, const char *name, const void *start, const void *const *starts, int n) {
    const uint8_t *p = start, *fast = a->board->fast;
    const bool in_fast = fast && p >= fast && p < fast + a->board->fast_bytes;
    const uint8_t *base = in_fast ? fast : a->session.arena,
                  *end = base + (in_fast ? a->board->fast_bytes : a->session.arena_bytes);
    for (int i = 0; i < n; i++) { /* up to the next part of the same memory */
        const uint8_t *q = starts[i];
        if (q > p && q < end) end = q;
    }
    ftv_say(a, "part %s %s %zu %zu", name, in_fast ? "fast" : "arena", (size_t)(p - base), (size_t)(end - p));
}

static void say_parts(ftv_app *a) {
    const ftv_session *s = &a->session;
    const bool int8 = s->options.attention == FTV_ATTENTION_INT8;
    const uint8_t *fast = a->board->fast;
    const struct {
        const char *name;
        const void *start;
    } parts[] = {{"scratch", s->scratch},
                 {"parameters", s->parameters},
                 {"codes", s->codes},
                 {"scales", s->scales},
                 {"rows", s->rows},
                 {"x", s->x},
                 {int8 ? "attention" : "free", s->attention},
                 {"work", s->work}};
    enum { N = sizeof parts / sizeof *parts };
    const void *starts[N];
    for (int i = 0; i < N; i++) starts[i] = parts[i].start;
    const bool free_fast =
        fast && s->attention >= fast && s->attention < fast + a->board->fast_bytes; /* nothing behind it */
    for (int i = 0; i < N; i++)
        if (i != N - 2 || int8 || free_fast) say_part(a, parts[i].name, parts[i].start, starts, N);
}

static void say_file(ftv_app *a) {
    const ftv_model *m = &a->model;
    ftv_gguf g;
    ftv_value v;
    char error[FTV_ERROR_BYTES];
    ftv_say(a, "model_bytes %zu", m->bytes);
    if (!ftv_gguf_open(&g, m->data, m->bytes, error)) {
        if (ftv_gguf_value(&g, "ftervit.format_version", &v))
            ftv_say(a, "format_version %" PRIu32, ftv_load_u32(v.value));
        if (ftv_gguf_value(&g, "ftervit.checksum", &v)) ftv_say(a, "model_checksum %08" PRIx32, ftv_load_u32(v.value));
    }
}

static void say_sizes(ftv_app *a) {
    const ftv_model *m = &a->model;
    const struct {
        const char *key;
        int value;
    } sizes[] = {{"image_size", m->image_size}, {"channels", m->channels}, {"patch_size", m->patch_size},
                 {"embed_dim", m->embed_dim},   {"depth", m->depth},       {"num_heads", m->heads},
                 {"mlp_dim", m->mlp_dim},       {"classes", m->classes},   {"tokens", m->tokens}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) ftv_say(a, "%s %d", sizes[i].key, sizes[i].value);
}

void ftv_info(ftv_app *a) {
    const ftv_board *b = a->board;
    const ftv_model *m = &a->model;
    ftv_say(a, "firmware %s", FTV_APP_VERSION);
    ftv_say(a, "protocol %d", FTV_PROTOCOL_VERSION);
    ftv_say(a, "board %s", b->name);
    ftv_say(a, "cpu_freq_hz %" PRIu32, b->cpu_freq_hz);
    ftv_say(a, "cores %d", a->options.workers > 1 ? a->options.workers : 1);
    ftv_say(a, "camera %s", b->capture ? "yes" : "no");
    ftv_say(a, "lcd %s", b->show ? "yes" : "no");
    if (b->trigger)
        ftv_say(a, "trigger_pin %d", b->trigger_pin);
    else
        ftv_say(a, "trigger_pin none");
    ftv_say(a, "picture_bytes %d", FTV_PICTURE_BYTES);
    if (*a->unsound) ftv_say(a, "unsound %s", a->unsound);
    if (b->facts) b->facts(b->context, a);
    if (a->trouble) {
        ftv_say(a, "model_error %s", a->trouble);
        return;
    }
    say_file(a);
    say_sizes(a);
    ftv_say(a, "packing %s", m->packing == FTV_PACK_2BIT ? "2bit" : "base3");
    ftv_say(a, "ternary_macs %" PRIu64, ftv_ternary_macs(m));
    ftv_say(a, "kernels %s", a->session.kernels->name);
    ftv_say(a, "attention %s", a->options.attention == FTV_ATTENTION_INT8 ? "int8" : "f32");
    ftv_say(a, "arena_bytes %zu", a->arena_bytes);
    ftv_say(a, "fast_bytes %zu", b->fast ? b->fast_bytes : 0);
    say_parts(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a WebAssembly module: one model, one session, buffers that JavaScript reads in place (engine.js). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "ftervit.h"
#include "golden.h"
#include "kernels.h"
#include "math32.h"
#include "packing.h"

#define EXPORT(name) __attribute__((export_name(#name)))
__attribute__((import_module("env"), import_name("now"))) double now(void); /* milliseconds */

enum { WITH_CRC = 1, WITH_GOLDEN = 2, WITH_ROLLOUT = 4 };
enum { NO_GOLDEN = 0, SAME_BITS, WITHIN_TOLERANCE, WRONG };
enum { PHOTO_BYTES = 2 << 20 }; /* more than resampling needs for FTV_MAX-sized photographs */

typedef struct {
    int32_t stage, block;
    float ms;
    uint32_t crc;
    int32_t golden;
    float largest_difference, largest; /* from, and of, the golden tensor */
} record;

static ftv_model model;
static ftv_session session;
static ftv_golden golden;
static char why[FTV_ERROR_BYTES]; /* there is no session */
static record records[2 + 4 * FTV_MAX_DEPTH];
static ftv_class best[16];
static int count, flags;
static double last;
static void *arena;
static uint8_t *pixels;
static float *logits, *maps, *scores, *columns,
    *shares; /* rollout: [depth][tokens][tokens], [tokens], [head_dim][tokens], [2][tokens] */

/* ---- threads: other instances of this module, in Workers of their own, with the same memory (threads.js) ----
 * An instance's variables lie in that memory, too; its stack pointer does not: each has a stack of its own. */
#ifdef __wasm_atomics__
static struct {
    int posted, next, busy; /* jobs so far; the next task of the job; helpers that have not finished it: all atomic */
    int tasks;
    ftv_task task;
    void *arg;
} shared;
static int helpers;

enum { SPINS = 20000 }; /* a stage follows the one before within microseconds: going to sleep would cost more */

static void wait_while(int *value, int is) {
    for (int i = 0; i < SPINS; i++)
        if (__atomic_load_n(value, __ATOMIC_SEQ_CST) != is) return;
    while (__atomic_load_n(value, __ATOMIC_SEQ_CST) == is) __builtin_wasm_memory_atomic_wait32(value, is, -1);
}

static void take_tasks(int worker) {
    for (int i; (i = __atomic_fetch_add(&shared.next, 1, __ATOMIC_SEQ_CST)) < shared.tasks;)
        shared.task(shared.arg, i, worker);
}

static void parallel_for(void *context, int tasks, ftv_task task, void *arg) {
    (void)context;
    shared.tasks = tasks, shared.task = task, shared.arg = arg;
    __atomic_store_n(&shared.next, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shared.busy, helpers, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&shared.posted, 1, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&shared.posted, (unsigned)helpers);
    take_tasks(0);
    for (int n; (n = __atomic_load_n(&shared.busy, __ATOMIC_SEQ_CST));) wait_while(&shared.busy, n);
}

/* Never returns: takes its share of every job from the first one on. */
EXPORT(ftv_web_help) void ftv_web_help(int worker) {
    for (int seen = 0;; seen++) {
        wait_while(&shared.posted, seen);
        take_tasks(worker);
        if (__atomic_sub_fetch(&shared.busy, 1, __ATOMIC_SEQ_CST) == 0)
            __builtin_wasm_memory_atomic_notify(&shared.busy, 1);
    }
}

/* So many helpers are there; before the first job. */
EXPORT(ftv_web_helpers) void ftv_web_helpers(int n) { helpers = n; }
#endif

EXPORT(ftv_web_alloc) void *ftv_web_alloc(size_t bytes) { return malloc(bytes); }
EXPORT(ftv_web_free) void ftv_web_free(void *p) { free(p); }

/* ---- rollout: row 0 of the product of all blocks' (A + I) / 2, A the mean of the heads (Abnar and Zuidema, 2020) ----
 */

static void add_head(float *map, const float *qkv, int head) {
    const int n = model.tokens, d = model.embed_dim, head_dim = d / model.heads;
    const float *q = qkv + head * head_dim, *k = q + d, scale = 1.0f / sqrtf((float)head_dim);
    for (int j = 0; j < n; j++)
        for (int c = 0; c < head_dim; c++) columns[c * n + j] = k[(size_t)j * 3 * (size_t)d + (size_t)c] * scale;
    for (int i = 0; i < n; i++, q += 3 * d, map += n) {
        float top = -HUGE_VALF, total = 0.0f;
        memset(scores, 0, (size_t)n * sizeof *scores);
        for (int c = 0; c < head_dim; c++)
            for (int j = 0; j < n; j++) scores[j] += q[c] * columns[c * n + j];
        for (int j = 0; j < n; j++) top = scores[j] > top ? scores[j] : top;
        for (int j = 0; j < n; j++) total += scores[j] = ftv_exp(scores[j] - top);
        for (int j = 0; j < n; j++) map[j] += scores[j] / total / (float)model.heads;
    }
}

/* Share of each patch in the class token: `shares` [patches], its sum 1 */
static void roll_out(void) {
    const int n = model.tokens, prefix = model.prefix_tokens;
    float *row = shares, *next = shares + n, total = 0.0f;
    memset(row, 0, (size_t)n * sizeof *row);
    row[0] = 1.0f;
    for (int block = model.depth - 1; block >= 0; block--) {
        const float *map = maps + (size_t)block * (size_t)n * (size_t)n;
        for (int j = 0; j < n; j++) next[j] = row[j] * 0.5f;
        for (int i = 0; i < n; i++, map += n)
            for (int j = 0; j < n; j++) next[j] += row[i] * 0.5f * map[j];
        float *const other = row;
        row = next, next = other;
    }
    for (int j = prefix; j < n; j++) total += row[j];
    for (int j = prefix; j < n; j++) shares[j - prefix] = row[j] / total;
}

static bool room_for_rollout(void) {
    const size_t n = (size_t)model.tokens;
    if (!maps) maps = malloc((size_t)model.depth * n * n * sizeof *maps);
    if (!scores) scores = malloc(n * sizeof *scores);
    if (!columns) columns = malloc((size_t)(model.embed_dim / model.heads) * n * sizeof *columns);
    if (!shares) shares = malloc(2 * n * sizeof *shares);
    if (!maps || !scores || !columns || !shares) return false;
    memset(maps, 0, (size_t)model.depth * n * n * sizeof *maps);
    return true;
}

/* ---- stages ---- */

static void on_stage(void *context, ftv_stage stage, int block, const float *data, int rows, int cols, int stride) {
    (void)context;
    record *r = &records[count++];
    *r = (record){.stage = (int32_t)stage, .block = block, .ms = (float)(now() - last)};
    if (flags & WITH_CRC) r->crc = ftv_stage_crc(data, rows, cols, stride);
    ftv_golden_result g;
    if (flags & WITH_GOLDEN && ftv_golden_compare(&golden, &g, stage, block, data, rows, cols, stride)) {
        r->golden = g.first < 0 ? SAME_BITS : g.ok ? WITHIN_TOLERANCE : WRONG;
        r->largest_difference = g.largest_difference, r->largest = g.largest;
    }
    if (flags & WITH_ROLLOUT && stage == FTV_STAGE_QKV)
        for (int head = 0; head < model.heads; head++)
            add_head(maps + (size_t)block * (size_t)rows * (size_t)rows, data, head);
    last = now();
}

static void forget(float **p) {
    free(*p);
    *p = NULL;
}

static void close_session(void) {
    free(arena), free(pixels);
    arena = NULL, pixels = NULL;
    forget(&logits), forget(&maps), forget(&scores), forget(&columns), forget(&shares);
    memset(&session, 0, sizeof session);
}

/* ---- what JavaScript calls ---- */

/* The file's bytes stay where they are, allocated by ftv_web_alloc, until the next call. */
EXPORT(ftv_web_open) int ftv_web_open(const void *file, size_t bytes) {
    close_session();
    const ftv_status status = ftv_open(&model, file, bytes);
    if (!status) ftv_golden_open(&golden, &model);
    return (int)status;
}

/* kernels: a name, or NULL for the fastest that this processor runs */
EXPORT(ftv_web_start) int ftv_web_start(int attention, const char *kernels) {
    close_session();
    ftv_options options = {.attention = (ftv_attention)attention, .kernels = kernels, .on_stage = on_stage};
#ifdef __wasm_atomics__
    options.workers = helpers + 1, options.parallel_for = parallel_for;
#endif
    size_t need;
    ftv_status status = ftv_plan(&model, &options, &need, why);
    if (status) return (int)status;
    arena = malloc(need + PHOTO_BYTES);
    pixels = malloc((size_t)model.image_size * (size_t)model.image_size * (size_t)model.channels);
    logits = malloc((size_t)model.classes * sizeof *logits);
    if (!arena || !pixels || !logits) return FTV_ERR_MEMORY;
    status = ftv_start(&session, &model, &options, arena, need);
    session.arena_bytes += PHOTO_BYTES; /* a photograph may need more than the forward pass of a small model */
    return (int)status;
}

/* Pixels from a photograph of four bytes, red, green, blue and opacity, which is seen in front of white; it is
 * overwritten. */
EXPORT(ftv_web_photo) int ftv_web_photo(uint8_t *photo, int width, int height) {
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        for (size_t c = 0; c < 3; c++) {
            const uint32_t a = photo[4 * i + 3], v = photo[4 * i + c] * a + 255 * (255 - a);
            photo[3 * i + c] = (uint8_t)((v + 127) / 255);
        }
    const ftv_image image = {
        .data = photo, .width = width, .height = height, .stride = 3 * (size_t)width, .format = FTV_RGB888};
    return (int)ftv_preprocess(&session, &image, pixels);
}

EXPORT(ftv_web_golden_picture) void ftv_web_golden_picture(void) { ftv_golden_picture(&golden, &model, pixels); }

/* One forward pass of the pixels; its stages are in the records. */
EXPORT(ftv_web_run) int ftv_web_run(int with) {
    count = 0, flags = with;
    if (flags & WITH_ROLLOUT && !room_for_rollout()) return FTV_ERR_MEMORY;
    last = now();
    const ftv_status status = ftv_run_u8(&session, pixels, logits);
    if (!status && flags & WITH_ROLLOUT) roll_out();
    return (int)status;
}

EXPORT(ftv_web_top) const ftv_class *ftv_web_top(int k) {
    return ftv_top_k(logits, model.classes, k, best) ? NULL : best;
}
EXPORT(ftv_web_records) const record *ftv_web_records(void) { return records; }
EXPORT(ftv_web_count) int ftv_web_count(void) { return count; }
EXPORT(ftv_web_pixels) const uint8_t *ftv_web_pixels(void) { return pixels; }
EXPORT(ftv_web_logits) const float *ftv_web_logits(void) { return logits; }
EXPORT(ftv_web_rollout) const float *ftv_web_rollout(void) { return shares; }

/* ---- texts: where they start; not terminated: their length is the second value ---- */
static size_t length;
static const char *text(const char *s) {
    length = s ? strlen(s) : 0;
    return s;
}
EXPORT(ftv_web_length) size_t ftv_web_length(void) { return length; }
EXPORT(ftv_web_error) const char *ftv_web_error(void) { return text(*model.error ? model.error : why); }
EXPORT(ftv_web_status_text) const char *ftv_web_status_text(int status) {
    return text(ftv_status_text((ftv_status)status));
}
EXPORT(ftv_web_stage_text) const char *ftv_web_stage_text(int stage) { return text(ftv_stage_text((ftv_stage)stage)); }
EXPORT(ftv_web_class_name) const char *ftv_web_class_name(int index) { return ftv_class_name(&model, index, &length); }
EXPORT(ftv_web_kernels) const char *ftv_web_kernels(void) {
    return text(session.kernels ? session.kernels->name : NULL);
}
/* Name of the i-th kernel set that this module has and this processor runs right; NULL after the last */
EXPORT(ftv_web_kernels_text) const char *ftv_web_kernels_text(int i) {
    const char *name;
    for (int k = 0; (name = ftv_kernels_text(k)); k++)
        if (ftv_kernels_supported(name) && i-- == 0) break;
    return text(name);
}

/* ---- facts ---- */
EXPORT(ftv_web_fact) int ftv_web_fact(int i) {
    const int facts[] = {model.image_size,   model.channels,    model.patch_size, model.embed_dim,     model.depth,
                         model.heads,        model.mlp_dim,     model.classes,    model.prefix_tokens, model.tokens,
                         (int)model.packing, model.resize_size, (int)model.crop};
    return i >= 0 && i < (int)(sizeof facts / sizeof *facts) ? facts[i] : -1;
}

static double zeros, codes;
static void count_codes(const ftv_matrix *w, int groups) { /* a row is `groups` rows of cols, one after another */
    for (int r = 0; r < w->rows; r++)
        for (int g = 0; g < groups; g++) {
            const uint8_t *row = w->codes + (size_t)r * w->stride + (size_t)g * ftv_packed_bytes(w->packing, w->cols);
            int n = 0;
            for (int i = 0; i < w->cols; i++) n += ftv_unpack(w->packing, row, i) == 0;
            zeros += n, codes += w->cols;
        }
}

/* Share of the ternary codes that are zero */
EXPORT(ftv_web_zeros) double ftv_web_zeros(void) {
    zeros = codes = 0;
    count_codes(&model.patch, model.channels);
    for (int i = 0; i < model.depth; i++) {
        const ftv_block *b = &model.blocks[i];
        count_codes(&b->norm1.codes, 1), count_codes(&b->norm2.codes, 1);
        count_codes(&b->qkv.weight, 1), count_codes(&b->proj.weight, 1), count_codes(&b->fc1.weight, 1),
            count_codes(&b->fc2.weight, 1);
    }
    count_codes(&model.norm.codes, 1), count_codes(&model.head.weight, 1);
    if (model.distilled) count_codes(&model.head_dist.weight, 1);
    return zeros / codes;
}
EXPORT(ftv_web_codes) double ftv_web_codes(void) { return codes; } /* counted by ftv_web_zeros */
EXPORT(ftv_web_macs) double ftv_web_macs(void) { return (double)ftv_ternary_macs(&model); }

/* a * b + c as math32.h computes it, by bits */
EXPORT(ftv_web_fma) uint32_t ftv_web_fma(uint32_t a, uint32_t b, uint32_t c) {
    return ftv_float_bits(fmaf(ftv_bits_float(a), ftv_bits_float(b), ftv_bits_float(c)));
}

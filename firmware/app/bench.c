/* SPDX-License-Identifier: Apache-2.0 */
/* The command `bench`: stages of a forward pass, linear layers alone, and DeiT-Tiny's fc1 as the paper measured it. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "golden.h"
#include "linear.h"
#include "machine.h"
#include "packing.h"

enum { RANGE = 64, FC1_TOKENS = 197, FC1_INPUTS = 192, FC1_OUTPUTS = 768 }; /* RANGE: tokens of one task, at most */

/* ---- memory: one block from the board, and its internal memory, which a session uses only while it runs ---- */

typedef struct {
    uint8_t *at, *end;
} pool;

static pool aligned(void *memory, size_t bytes) {
    const size_t shift = -(uintptr_t)memory & 63;
    uint8_t *const p = memory;
    return p && shift < bytes ? (pool){p + shift, p + bytes} : (pool){NULL, NULL};
}
static void *take(pool *p, size_t bytes) {
    const size_t n = (bytes + 63) & ~(size_t)63;
    if (n > (size_t)(p->end - p->at)) return NULL;
    p->at += n;
    return p->at - n;
}
static void *take_either(pool *first, pool *second, size_t bytes) {
    void *p = take(first, bytes);
    return p ? p : take(second, bytes);
}

/* ---- one linear layer over all tokens: RMSNorm, int8, product ---- */

typedef struct {
    const ftv_kernels *kernels;
    ftv_linear layer;
    const float *norm, *bias;
    float *x, *y, *scales;
    int8_t *codes;
    uint8_t *scratch;
    size_t scratch_bytes; /* of one worker */
    int tokens, ranges;
} job;

/* Nearly equal ranges of tokens, as the engine cuts them. */
static void run_range(void *arg, int index, int worker) {
    const job *j = arg;
    const size_t cols = (size_t)j->layer.weight.cols, rows = (size_t)j->layer.weight.rows;
    const int step = j->kernels->token_step, steps = (j->tokens + step - 1) / step,
              end = steps * (index + 1) / j->ranges * step;
    const int first = steps * index / j->ranges * step, n = (end < j->tokens ? end : j->tokens) - first;
    int8_t *codes = j->codes + (size_t)first * cols;
    if (n <= 0) return;
    float *x = j->x + (size_t)first * cols;
    ftv_quantize_rows(j->kernels, codes, j->scales + first, x, x, cols, j->norm, n, (int)cols);
    j->kernels->linear(j->y + (size_t)first * rows, rows, codes, cols, j->scales + first, &j->layer.weight,
                       j->layer.scale, j->bias, n, j->scratch + (size_t)worker * j->scratch_bytes);
}

typedef struct {
    uint64_t us;
    uint32_t cycles;
} stopwatch;

static void start(ftv_app *a, stopwatch *w) {
    ftv_app_trigger(a, true);
    w->us = a->board->microseconds(a->board->context);
    w->cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
}
static void stop(ftv_app *a, const stopwatch *w, const char *name, uint64_t macs, int workers) {
    const uint32_t cycles = (a->board->cycles ? a->board->cycles(a->board->context) : 0) - w->cycles;
    const uint64_t us = a->board->microseconds(a->board->context) - w->us;
    ftv_app_trigger(a, false);
    ftv_say(a, "bench %s %" PRIu64 " %" PRIu32 " %" PRIu64 " %d", name, us, cycles, macs, workers);
}

static uint32_t next(uint32_t *seed) { return (*seed = *seed * 1664525u + 1013904223u) >> 16; }

static void fill_input(float *x, size_t n) {
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) x[i] = (float)(int32_t)(next(&seed) % 2001) * 0.001f - 1.0f;
}

static void run_job(ftv_app *a, job *j, const char *name, int workers) {
    const uint64_t macs = (uint64_t)j->tokens * (uint64_t)j->layer.weight.rows * (uint64_t)j->layer.weight.cols;
    stopwatch w;
    j->ranges = ((j->tokens + RANGE - 1) / RANGE + workers - 1) / workers * workers;
    fill_input(j->x, (size_t)j->tokens * (size_t)j->layer.weight.cols);
    start(a, &w);
    if (workers > 1)
        a->options.parallel_for(a->options.parallel_context, j->ranges, run_range, j);
    else
        for (int i = 0; i < j->ranges; i++) run_range(j, i, 0);
    stop(a, &w, name, macs, workers);
    ftv_say(a, "checksum %s %08" PRIx32, name,
            ftv_stage_crc(j->y, j->tokens, j->layer.weight.rows, j->layer.weight.rows));
}

static size_t kernel_scratch(const job *j) { /* of one worker */
    const ftv_matrix *w = &j->layer.weight;
    const int step = j->kernels->token_step, most = (RANGE + step - 1) / step * step;
    return (j->kernels->scratch_bytes(w->packing, w->rows, w->cols, most, 1, 1) + 63) & ~(size_t)63;
}

/* Lays a job's buffers out; false when the pools are too small. */
static bool lay_out(job *j, pool *fast, pool *slow, int workers) {
    const size_t t = (size_t)j->tokens, cols = (size_t)j->layer.weight.cols, rows = (size_t)j->layer.weight.rows;
    j->scratch_bytes = kernel_scratch(j);
    return (j->scratch = take_either(fast, slow, j->scratch_bytes * (size_t)workers)) &&
           (j->codes = take_either(fast, slow, t * cols)) && (j->scales = take_either(fast, slow, t * 4)) &&
           (j->x = take(slow, t * cols * 4)) && (j->y = take(slow, t * rows * 4));
}

/* What lay_out and the norms take at most. */
static size_t job_bytes(const job *j, int workers) {
    const size_t t = (size_t)j->tokens, cols = (size_t)j->layer.weight.cols, rows = (size_t)j->layer.weight.rows;
    return kernel_scratch(j) * (size_t)workers + t * cols * 5 + t * 4 + t * rows * 4 + 4 * (cols + rows) + 8 * 64;
}

static int workers(const ftv_app *a) {
    return a->options.parallel_for && a->options.workers > 1 ? a->options.workers : 1;
}

static bool reserve(ftv_app *a, size_t bytes, const char *name, uint8_t **block, pool *fast, pool *slow) {
    bytes += 64; /* room to align */
    *block = a->board->allocate(a->board->context, bytes);
    if (!*block) ftv_refuse(a, "memory: no %zu bytes for %s", bytes, name);
    if (!*block) return false;
    *slow = aligned(*block, bytes);
    *fast = aligned(a->board->fast, a->board->fast_bytes);
    return true;
}

static bool bench_layer(ftv_app *a, const char *name, const ftv_linear *layer) {
    job j = {.kernels = a->session.kernels, .layer = *layer, .tokens = a->model.tokens};
    uint8_t *block;
    pool fast, slow;
    const size_t cols = (size_t)layer->weight.cols, rows = (size_t)layer->weight.rows;
    if (!reserve(a, job_bytes(&j, workers(a)), name, &block, &fast, &slow)) return false;
    float *norm = take(&slow, cols * 4), *bias = take(&slow, rows * 4);
    const bool ok = norm && bias && lay_out(&j, &fast, &slow, workers(a));
    if (ok) {
        for (size_t i = 0; i < cols; i++) norm[i] = 1.0f;
        memset(bias, 0, rows * 4);
        j.norm = norm, j.bias = bias;
        run_job(a, &j, name, workers(a));
    } else
        ftv_refuse(a, "memory: the buffers of %s do not fit", name);
    a->board->release(a->board->context, block);
    return ok;
}

/* ---- stages of a forward pass, and block 0's layers ---- */

static uint64_t stage_macs(const ftv_model *m, int stage) {
    const uint64_t t = (uint64_t)m->tokens, d = (uint64_t)m->embed_dim, patches = t - (uint64_t)m->prefix_tokens,
                   area = (uint64_t)m->patch_size * (uint64_t)m->patch_size;
    switch (stage) {
        case FTV_STAGE_EMBED: return patches * (uint64_t)m->channels * area * d;
        case FTV_STAGE_QKV: return t * d * 3 * d;
        case FTV_STAGE_ATTENTION: return 2 * t * t * d;
        case FTV_STAGE_PROJ: return t * d * d;
        case FTV_STAGE_BLOCK: return 2 * t * d * (uint64_t)m->mlp_dim;
        default: return (m->distilled ? 2u : 1u) * d * (uint64_t)m->classes;
    }
}

static bool bench_model(ftv_app *a, int *done, int total) {
    const ftv_model *m = &a->model;
    const ftv_block *b = &m->blocks[0];
    const struct {
        const char *name;
        const ftv_linear *layer;
    } layers[] = {{"layer.qkv", &b->qkv}, {"layer.proj", &b->proj}, {"layer.fc1", &b->fc1}, {"layer.fc2", &b->fc2}};
    uint64_t us, cycles, macs = 0;
    if (!ftv_app_forward(a, &us, &cycles)) return false;
    for (int i = 0; i < a->rows; i++) macs += stage_macs(m, a->row[i].stage);
    ftv_say(a, "bench total %" PRIu64 " %" PRIu64 " %" PRIu64 " %d", us, cycles, macs, workers(a));
    for (int i = 0; i < a->rows; i++) {
        const int stage = a->row[i].stage;
        char name[32];
        if (stage == FTV_STAGE_EMBED || stage == FTV_STAGE_HEAD)
            snprintf(name, sizeof name, "%s", ftv_stage_text((ftv_stage)stage));
        else
            snprintf(name, sizeof name, "blocks.%d.%s", a->row[i].block, ftv_stage_text((ftv_stage)stage));
        ftv_say(a, "bench %s %" PRIu32 " %" PRIu32 " %" PRIu64 " %d", name, a->row[i].us, a->row[i].cycles,
                stage_macs(m, stage), workers(a));
    }
    ftv_say(a, "progress %d %d", ++*done, total);
    for (int i = 0; i < 4; i++) {
        if (!bench_layer(a, layers[i].name, layers[i].layer)) return false;
        ftv_say(a, "progress %d %d", ++*done, total);
    }
    return true;
}

/* ---- fc1 of DeiT-Tiny: 197 x 192 -> 768 ---- */

/* The plain loop, fused where the processor fuses. */
static float dot(const float *x, const float *w, int n) {
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
#ifdef __FP_FAST_FMAF
        sum = __builtin_fmaf(x[i], w[i], sum);
#else
        sum += x[i] * w[i];
#endif
    return sum;
}

typedef struct {
    job j;
    uint8_t *codes;
    float *fp32, *norm, *bias;
} fc1_job;

static void fill_fc1(fc1_job *f) {
    const size_t stride = f->j.layer.weight.stride;
    uint32_t seed = 2;
    for (size_t r = 0; r < FC1_OUTPUTS; r++) {
        int8_t row[FC1_INPUTS];
        for (size_t i = 0; i < FC1_INPUTS; i++) {
            row[i] = (int8_t)(next(&seed) % 3) - 1;
            f->fp32[r * FC1_INPUTS + i] = (float)row[i] * f->j.layer.scale;
        }
        ftv_pack(FTV_PACK_2BIT, f->codes + r * stride, row, FC1_INPUTS);
        f->bias[r] = 0.1f;
    }
    for (int i = 0; i < FC1_INPUTS; i++) f->norm[i] = 1.0f;
    f->j.layer.weight.codes = f->codes;
    f->j.norm = f->norm, f->j.bias = f->bias;
}

static void run_fp32(ftv_app *a, const fc1_job *f) {
    stopwatch w;
    fill_input(f->j.x, (size_t)FC1_TOKENS * FC1_INPUTS);
    start(a, &w);
    for (size_t t = 0; t < FC1_TOKENS; t++)
        for (size_t r = 0; r < FC1_OUTPUTS; r++)
            f->j.y[t * FC1_OUTPUTS + r] =
                dot(f->j.x + t * FC1_INPUTS, f->fp32 + r * FC1_INPUTS, FC1_INPUTS) + f->bias[r];
    stop(a, &w, "fc1.fp32", (uint64_t)FC1_TOKENS * FC1_INPUTS * FC1_OUTPUTS, 1);
}

static void run_fc1(ftv_app *a, fc1_job *f, int *done, int total) {
    fill_fc1(f);
    run_job(a, &f->j, "fc1.ternary", 1);
    ftv_say(a, "progress %d %d", ++*done, total);
    if (workers(a) > 1) {
        run_job(a, &f->j, "fc1.ternary", workers(a));
        ftv_say(a, "progress %d %d", ++*done, total);
    }
    run_fp32(a, f);
    ftv_say(a, "progress %d %d", ++*done, total);
}

static bool bench_fc1(ftv_app *a, int *done, int total) {
    const ftv_matrix weight = {NULL, ftv_packed_bytes(FTV_PACK_2BIT, FC1_INPUTS), FC1_OUTPUTS, FC1_INPUTS,
                               FTV_PACK_2BIT};
    fc1_job f = {.j = {.kernels = ftv_find_kernels(a->options.kernels),
                       .layer = {.weight = weight, .scale = 0.02f},
                       .tokens = FC1_TOKENS}};
    const size_t codes_bytes = weight.stride * FC1_OUTPUTS, fp32_bytes = 4u * FC1_INPUTS * FC1_OUTPUTS;
    uint8_t *block;
    pool fast, slow;
    if (!f.j.kernels) return ftv_refuse(a, "model: no kernels called %s", a->options.kernels);
    const size_t bytes = job_bytes(&f.j, workers(a)) + codes_bytes + fp32_bytes + 2 * 64;
    if (!reserve(a, bytes, "fc1", &block, &fast, &slow)) return false;
    f.codes = take(&slow, codes_bytes);
    f.fp32 = take(&slow, fp32_bytes), f.norm = take(&slow, 4 * FC1_INPUTS), f.bias = take(&slow, 4 * FC1_OUTPUTS);
    const bool ok = f.codes && f.fp32 && f.norm && f.bias && lay_out(&f.j, &fast, &slow, workers(a));
    if (ok)
        run_fc1(a, &f, done, total);
    else
        ftv_refuse(a, "memory: the buffers of fc1 do not fit");
    a->board->release(a->board->context, block);
    return ok;
}

bool ftv_bench(ftv_app *a, const char *what) {
    const bool model = what ? !strcmp(what, "model") : !a->trouble, fc1 = !what || !strcmp(what, "fc1");
    const int total = (model ? 5 : 0) + (fc1 ? 2 + (workers(a) > 1) : 0);
    int done = 0;
    if (model && a->trouble) return ftv_refuse(a, "model: %s", a->trouble);
    return (!fc1 || bench_fc1(a, &done, total)) && (!model || bench_model(a, &done, total));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "layer.h"

#include <stdatomic.h>

#include "linear.h"

enum {
    MOST = 256,
    ROWS = 16,
    ALIGN = 64
}; /* tokens of a task at most; rows normalised at a time, while they are near */

typedef struct {
    const layer_t *layer;
    const ftv_kernels *k;
    int32_t *acc;
    const int8_t *codes;
    float *y;
    const float *x, *norm, *bias;
    float scale;
    uint8_t *scratch;
    int step; /* tokens of a task */
} job_t;

static size_t aligned(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }
static size_t kernel_bytes(const layer_t *l, const ftv_kernels *k) {
    return aligned(k->scratch_bytes(l->weight.packing, l->weight.rows, l->weight.cols, MOST, 1, 1));
}
static size_t rows_bytes(const layer_t *l) { return aligned((size_t)l->weight.cols * ROWS * sizeof(float)); }
static size_t codes_bytes(const layer_t *l) { return aligned((size_t)l->weight.cols * MOST); }
static size_t worker_bytes(const layer_t *l, const ftv_kernels *k) {
    return kernel_bytes(l, k) + rows_bytes(l) + codes_bytes(l) + aligned(MOST * sizeof(float));
}

size_t ftv_layer_scratch_bytes(const layer_t *l) {
    const ftv_kernels *k = ftv_find_kernels(l->kernels);
    const bool valid = k && l->workers > 0 && l->tokens > 0 && l->weight.rows > 0 && l->weight.cols > 0 &&
                       l->weight.cols <= FTV_MAX_WIDTH;
    return valid ? worker_bytes(l, k) * (size_t)l->workers + ALIGN : 0;
}

static int smaller(int a, int b) { return a < b ? a : b; }

static void matmul_task(void *arg, int index, int worker) {
    const job_t *j = arg;
    const ftv_matrix *w = &j->layer->weight;
    uint8_t *scratch = j->scratch + worker_bytes(j->layer, j->k) * (size_t)worker;
    const size_t rows = (size_t)w->rows, cols = (size_t)w->cols;
    const int first = index * j->step, n = smaller(j->step, j->layer->tokens - first);
    j->k->matmul(j->acc + (size_t)first * rows, j->codes + (size_t)first * cols, cols, w, n, scratch);
}

static void linear_task(void *arg, int index, int worker) {
    const job_t *j = arg;
    const ftv_matrix *w = &j->layer->weight;
    uint8_t *scratch = j->scratch + worker_bytes(j->layer, j->k) * (size_t)worker;
    float *copy = (float *)(void *)(scratch + kernel_bytes(j->layer, j->k)); /* normalising changes its input */
    int8_t *q = (int8_t *)copy + rows_bytes(j->layer);
    float *scales = (float *)(void *)(q + codes_bytes(j->layer));
    const size_t rows = (size_t)w->rows, cols = (size_t)w->cols;
    const int first = index * j->step, n = smaller(j->step, j->layer->tokens - first);
    const float *x = j->x + (size_t)first * cols;
    for (int t = 0; t < n; t += ROWS, x += ROWS * cols) {
        const int m = smaller(ROWS, n - t);
        ftv_quantize_rows(j->k, q + (size_t)t * cols, scales + t, x, copy, cols, j->norm, m, w->cols);
    }
    j->k->linear(j->y + (size_t)first * rows, rows, q, cols, scales, w, j->scale, j->bias, n, scratch);
}

/* The tasks of a job, shared by threads that come without a number */
typedef struct {
    job_t *job;
    void (*task)(void *, int, int);
    int count;
    atomic_int next, workers;
} shared_t;

static void take_tasks(void *arg) {
    shared_t *s = arg;
    const int worker = atomic_fetch_add(&s->workers, 1);
    for (int i; (i = atomic_fetch_add(&s->next, 1)) < s->count;) s->task(s->job, i, worker);
}

static void run(job_t *j, void (*task)(void *, int, int), void *scratch) {
    const layer_t *l = j->layer;
    j->k = ftv_find_kernels(l->kernels);
    const int rounds = (l->tokens + MOST * l->workers - 1) / (MOST * l->workers), parts = rounds * l->workers;
    const int wanted = (l->tokens + parts - 1) / parts;
    j->step = smaller(MOST, (wanted + j->k->token_step - 1) / j->k->token_step * j->k->token_step);
    const int count = (l->tokens + j->step - 1) / j->step;
    j->scratch = (uint8_t *)scratch + (ALIGN - (uintptr_t)scratch % ALIGN) % ALIGN;
    if (l->parallel && l->workers > 1 && count > 1)
        l->parallel(take_tasks, &(shared_t){.job = j, .task = task, .count = count}, (unsigned)l->workers, 0);
    else if (l->pool && l->workers > 1 && count > 1)
        ftv_platform_pool_run(l->pool, count, task, j);
    else
        for (int i = 0; i < count; i++) task(j, i, 0);
}

void ftv_layer_matmul(const layer_t *layer, int32_t *acc, const int8_t *x, void *scratch) {
    run(&(job_t){.layer = layer, .acc = acc, .codes = x}, matmul_task, scratch);
}

void ftv_layer_linear(const layer_t *layer, float *y, const float *x, const float *norm, float scale, const float *bias,
                      void *scratch) {
    run(&(job_t){.layer = layer, .y = y, .x = x, .norm = norm, .bias = bias, .scale = scale}, linear_task, scratch);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass: one image at a time through the blocks, in the arena that plan.c has laid out; nothing allocated.
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "ftervit.h"
#include "kernels.h"
#include "linear.h"
#include "math32.h"
#include "packing.h"
#include "plan.h"

/* ---- tasks: ranges of tokens ----------------------------------------------------------------------------- */

static void run(const ftv_session *s, int count, ftv_task task, void *arg) {
    if (s->options.parallel_for && count > 1 && ftv_workers(&s->options) > 1)
        s->options.parallel_for(s->options.parallel_context, count, task, arg);
    else
        for (int i = 0; i < count; i++) task(arg, i, 0);
}

typedef struct {
    int first, last;
} range;

/* Part i of n nearly equal parts of [0, total), cut at multiples of `step`. */
static range part(int total, int i, int n, int step) {
    const int64_t steps = (total + step - 1) / step;
    const range r = {(int)(steps * i / n) * step, ftv_smaller((int)(steps * (i + 1) / n) * step, total)};
    return r;
}

/* Parts of at most `most`, as many for every worker. */
static int parts(const ftv_session *s, int total, int most) {
    const int n = ftv_workers(&s->options), all = (total + most - 1) / most;
    return (all + n - 1) / n * n;
}

static void stage_done(const ftv_session *s, ftv_stage stage, int block, const float *data, int rows, int cols,
                       int stride) {
    if (s->options.on_stage) s->options.on_stage(s->options.stage_context, stage, block, data, rows, cols, stride);
}

static void *scratch_of(const ftv_session *s, int worker) { return s->scratch + s->scratch_bytes * (size_t)worker; }

/* ---- parameters: one layer's norms and biases, from codes and binary16 to binary32 ---- */

static float *expand_f16(const ftv_session *s, float **at, const uint8_t *values, int n) {
    float *out = *at;
    if (!values) return NULL;
    s->kernels->load_f16(out, values, n);
    *at += n;
    return out;
}

static float *expand_codes(float **at, const ftv_matrix *w, int row, float scale) {
    float *out = *at;
    for (int i = 0; i < w->cols; i++)
        out[i] = (float)ftv_unpack(w->packing, w->codes + (size_t)row * w->stride, i) * scale;
    *at += w->cols;
    return out;
}

/* ---- quantised linear layers over a range of tokens, by one worker ---- */

typedef struct {
    const ftv_linear *layer;
    const float *gain, *shift;     /* LayerNorm before the RMSNorm; NULL: none */
    const float *norm, *bias, *ls; /* RMSNorm weight, linear bias, LayerScale; NULL: none */
    bool gelu;                     /* before the RMSNorm */
} linear_op;

/* in -> out; `residual` (rows of `layer->weight.rows`) gets out * ls added unless NULL. Rows of `in` may be destroyed.
 */
static void run_linear(const ftv_session *s, const linear_op *op, float *in, size_t in_stride, float *out,
                       size_t out_stride, float *residual, int tokens, int worker) {
    const ftv_kernels *k = s->kernels;
    const int cols = op->layer->weight.cols, rows = op->layer->weight.rows;
    int8_t *codes = s->codes + s->codes_bytes * (size_t)worker;
    float *scales = s->scales + (size_t)worker * (size_t)ftv_chunk_tokens(s),
          *own = s->rows + (size_t)worker * FTV_NORM_ROWS * (size_t)s->model->embed_dim;
    for (int t = 0; t < tokens; t += FTV_NORM_ROWS) {
        const int n = ftv_smaller(FTV_NORM_ROWS, tokens - t);
        float *rows_in = in + (size_t)t * in_stride;
        size_t stride = in_stride;
        if (op->gain) {
            k->layer_norm(own, rows_in, stride, op->gain, op->shift, s->model->norm_eps, n, cols);
            rows_in = own;
            stride = (size_t)cols;
        }
        if (op->gelu)
            for (int i = 0; i < n; i++) k->gelu(rows_in + (size_t)i * stride, cols);
        ftv_quantize_rows(k, codes + (size_t)t * (size_t)cols, scales + t, rows_in, rows_in, stride, op->norm, n, cols);
    }
    k->linear(out, out_stride, codes, (size_t)cols, scales, &op->layer->weight, op->layer->scale, op->bias, tokens,
              scratch_of(s, worker));
    if (residual)
        for (int t = 0; t < tokens; t++)
            k->add(residual + (size_t)t * (size_t)rows, out + (size_t)t * out_stride, op->ls, rows);
}

typedef struct {
    const ftv_session *s;
    linear_op op[2];
    int parts;
} block_job;

static range tokens_of(const block_job *j, int index) {
    return part(j->s->model->tokens, index, j->parts, j->s->kernels->token_step);
}

/* Runs `task` over ranges of all tokens; each fits a worker's buffers. */
static void run_tokens(block_job *j, ftv_task task) {
    const ftv_session *s = j->s;
    const int step = s->kernels->token_step;
    j->parts = parts(s, (s->model->tokens + step - 1) / step, ftv_chunk_tokens(s) / step);
    run(s, j->parts, task, j);
}

/* ---- patch embedding ---- */

typedef struct {
    const ftv_session *s;
    const float *scales; /* [channels] */
    const float *weight, *bias;
    int parts;
} patch_job;

static void patch_task(void *arg, int index, int worker) {
    const patch_job *j = arg;
    const ftv_session *s = j->s;
    const ftv_model *m = s->model;
    const ftv_kernels *k = s->kernels;
    const int p = m->patch_size, size = m->image_size, grid = size / p, area = p * p, d = m->embed_dim;
    const range r = part(grid * grid, index, j->parts, 1);
    const int n = r.last - r.first;
    const int8_t *image = (const int8_t *)s->work;
    int32_t *acc = (int32_t *)(void *)(s->work + s->image_bytes + ftv_patch_scratch(m) * (size_t)worker);
    int8_t *gathered = (int8_t *)(acc + FTV_PATCHES * d);
    float *x = s->x + (size_t)(m->prefix_tokens + r.first) * (size_t)d,
          *own = s->rows + (size_t)worker * FTV_NORM_ROWS * (size_t)d;
    for (int c = 0; c < m->channels; c++) {
        for (int t = 0; t < n; t++) {
            const int8_t *corner = image +
                                   ((size_t)c * (size_t)size + (size_t)((r.first + t) / grid * p)) * (size_t)size +
                                   (size_t)((r.first + t) % grid * p);
            for (int row = 0; row < p; row++)
                memcpy(gathered + t * area + row * p, corner + (size_t)row * (size_t)size, (size_t)p);
        }
        ftv_matrix w = m->patch;
        w.codes += (size_t)c * ftv_packed_bytes(w.packing, area);
        k->matmul(acc, gathered, (size_t)area, &w, n, scratch_of(s, worker));
        for (int i = 0; i < n * d; i++) {
            float v = (float)acc[i] * j->scales[c];
            x[i] = c ? x[i] + v : v;
        }
    }
    for (int t = 0; t < n; t++, x += d) {
        k->load_f16(own, m->pos_embed + 2 * (size_t)(m->prefix_tokens + r.first + t) * (size_t)d, d);
        for (int o = 0; o < d; o++) x[o] = x[o] * j->weight[o] + j->bias[o] + own[o];
    }
}

static void embed(ftv_session *s, const float *scales) {
    const ftv_model *m = s->model;
    const int patches = m->tokens - m->prefix_tokens;
    float *at = s->parameters, *weight = at;
    for (int o = 0; o < m->embed_dim; o++) *at++ = ftv_load_f32(m->patch_scale + 4 * o);
    patch_job j = {s, scales, weight, expand_f16(s, &at, m->patch_bias, m->embed_dim), parts(s, patches, FTV_PATCHES)};
    s->kernels->load_f16(s->x, m->pos_embed, m->prefix_tokens * m->embed_dim);
    run(s, j.parts, patch_task, &j);
    stage_done(s, FTV_STAGE_EMBED, 0, s->x, m->tokens, m->embed_dim, m->embed_dim);
}

/* ---- attention ---- */

typedef struct {
    const ftv_session *s;
    int8_t *q, *k, *v;        /* int8: [tokens][embed_dim] each */
    float *q_scale, *k_scale; /* [tokens][heads] */
    float *v_scale;           /* [embed_dim] */
    int parts;                /* of the queries, per head */
} attention_job;

static void attention_task(void *arg, int index, int worker) {
    const attention_job *j = arg;
    const ftv_session *s = j->s;
    const ftv_model *m = s->model;
    const int d = m->embed_dim, head_dim = d / m->heads, head = index / j->parts;
    const range r = part(m->tokens, index % j->parts, j->parts, s->kernels->query_step);
    const size_t column = (size_t)(head * head_dim);
    const float scale = 1.0f / sqrtf((float)head_dim);
    float *q = (float *)(void *)s->work + column;
    if (j->q)
        s->kernels->attention_int8(q, 3 * (size_t)d, j->q + column, j->k + column, j->v + column, (size_t)d,
                                   j->q_scale + head, j->k_scale + head, (size_t)m->heads, j->v_scale + column,
                                   m->tokens, head_dim, scale, r.first, r.last, scratch_of(s, worker));
    else
        s->kernels->attention_f32(q, q, q + d, q + 2 * d, 3 * (size_t)d, m->tokens, head_dim, scale, r.first, r.last,
                                  scratch_of(s, worker));
}

static void quantize_task(void *arg, int head, int worker) {
    const attention_job *j = arg;
    const ftv_model *m = j->s->model;
    const ftv_kernels *k = j->s->kernels;
    (void)worker;
    const int head_dim = m->embed_dim / m->heads;
    const size_t d = (size_t)m->embed_dim, column = (size_t)(head * head_dim);
    const float *row = (const float *)(const void *)j->s->work + column;
    k->quantize_columns(j->v + column, d, j->v_scale + column, row + 2 * d, 3 * d, m->tokens, head_dim);
    for (int t = 0; t < m->tokens; t++, row += 3 * d) {
        j->q_scale[t * m->heads + head] = k->quantize(j->q + (size_t)t * d + column, row, head_dim);
        j->k_scale[t * m->heads + head] = k->quantize(j->k + (size_t)t * d + column, row + d, head_dim);
    }
}

static int common_divisor(int a, int b) { return b ? common_divisor(b, a % b) : a; }

static void attention(ftv_session *s) {
    const ftv_model *m = s->model;
    const size_t t = (size_t)m->tokens, d = (size_t)m->embed_dim;
    const int n = ftv_workers(&s->options);
    attention_job j = {.s = s, .parts = n / common_divisor(n, m->heads)};
    if (s->options.attention == FTV_ATTENTION_INT8) {
        j.q = (int8_t *)s->attention; /* first: vector units want rows of codes aligned */
        j.k = j.q + t * d;
        j.v = j.k + t * d;
        j.q_scale = (float *)(void *)(s->attention + (3 * t * d + 3) / 4 * 4);
        j.k_scale = j.q_scale + t * (size_t)m->heads;
        j.v_scale = j.k_scale + t * (size_t)m->heads;
        run(s, m->heads, quantize_task, &j);
    }
    run(s, m->heads * j.parts, attention_task, &j);
}

/* ---- one block ---- */

static void qkv_task(void *arg, int index, int worker) {
    const block_job *j = arg;
    const ftv_session *s = j->s;
    const range r = tokens_of(j, index);
    const size_t d = (size_t)s->model->embed_dim;
    run_linear(s, &j->op[0], s->x + (size_t)r.first * d, d, (float *)(void *)s->work + (size_t)r.first * 3 * d, 3 * d,
               NULL, r.last - r.first, worker);
}

static void proj_task(void *arg, int index, int worker) {
    const block_job *j = arg;
    const ftv_session *s = j->s;
    const range r = tokens_of(j, index);
    const size_t d = (size_t)s->model->embed_dim;
    float *row =
        (float *)(void *)s->work + (size_t)r.first * 3 * d; /* attention's output, and over k, no longer needed, ours */
    run_linear(s, &j->op[0], row, 3 * d, row + d, 3 * d, s->x + (size_t)r.first * d, r.last - r.first, worker);
}

static void mlp_task(void *arg, int index, int worker) {
    const block_job *j = arg;
    const ftv_session *s = j->s;
    const range r = tokens_of(j, index);
    const size_t d = (size_t)s->model->embed_dim, stride = s->hidden_stride;
    float *hidden = (float *)(void *)s->work + (size_t)worker * (size_t)ftv_chunk_tokens(s) * stride,
          *x = s->x + (size_t)r.first * d;
    run_linear(s, &j->op[0], x, d, hidden, stride, NULL, r.last - r.first, worker);
    run_linear(s, &j->op[1], hidden, stride, hidden, stride, x, r.last - r.first, worker);
}

static void attention_half(ftv_session *s, const ftv_block *b, int index) {
    const ftv_model *m = s->model;
    const int d = m->embed_dim;
    float *const qkv = (float *)(void *)s->work, *at = s->parameters;
    block_job j = {.s = s, .op = {{.layer = &b->qkv}}};
    j.op->gain = expand_codes(&at, &b->norm1.codes, 0, b->norm1.scale);
    j.op->shift = expand_codes(&at, &b->norm1.codes, 1, b->norm1.bias_scale);
    j.op->norm = expand_f16(s, &at, b->qkv.norm, d);
    j.op->bias = expand_f16(s, &at, b->qkv.bias, 3 * d);
    run_tokens(&j, qkv_task);
    stage_done(s, FTV_STAGE_QKV, index, qkv, m->tokens, 3 * d, 3 * d);
    attention(s); /* overwrites q, head by head */
    stage_done(s, FTV_STAGE_ATTENTION, index, qkv, m->tokens, d, 3 * d);
    at = s->parameters;
    *j.op = (linear_op){.layer = &b->proj};
    j.op->norm = expand_f16(s, &at, b->proj.norm, d);
    j.op->bias = expand_f16(s, &at, b->proj.bias, d);
    j.op->ls = expand_f16(s, &at, b->ls1, d);
    run_tokens(&j, proj_task);
    stage_done(s, FTV_STAGE_PROJ, index, s->x, m->tokens, d, d);
}

static void mlp_half(ftv_session *s, const ftv_block *b, int index) {
    const ftv_model *m = s->model;
    const int d = m->embed_dim, h = m->mlp_dim;
    float *at = s->parameters;
    block_job j = {.s = s, .op = {{.layer = &b->fc1}, {.layer = &b->fc2, .gelu = true}}};
    j.op[0].gain = expand_codes(&at, &b->norm2.codes, 0, b->norm2.scale);
    j.op[0].shift = expand_codes(&at, &b->norm2.codes, 1, b->norm2.bias_scale);
    j.op[0].norm = expand_f16(s, &at, b->fc1.norm, d);
    j.op[0].bias = expand_f16(s, &at, b->fc1.bias, h);
    j.op[1].norm = expand_f16(s, &at, b->fc2.norm, h);
    j.op[1].bias = expand_f16(s, &at, b->fc2.bias, d);
    j.op[1].ls = expand_f16(s, &at, b->ls2, d);
    run_tokens(&j, mlp_task);
    stage_done(s, FTV_STAGE_BLOCK, index, s->x, m->tokens, d, d);
}

/* ---- head ---- */

static void classify(ftv_session *s, const ftv_linear *head, int token, float *logits) {
    const ftv_model *m = s->model;
    const int d = m->embed_dim;
    float *at = s->parameters;
    linear_op op = {.layer = head};
    op.gain = expand_codes(&at, &m->norm.codes, 0, m->norm.scale);
    op.shift = expand_codes(&at, &m->norm.codes, 1, m->norm.bias_scale);
    op.norm = expand_f16(s, &at, head->norm, d);
    op.bias = expand_f16(s, &at, head->bias, m->classes);
    run_linear(s, &op, s->x + (size_t)token * (size_t)d, (size_t)d, logits, (size_t)m->classes, NULL, 1, 0);
}

static ftv_status run_blocks(ftv_session *s, const float *scales, float *logits) {
    const ftv_model *m = s->model;
    embed(s, scales);
    for (int i = 0; i < m->depth; i++) {
        attention_half(s, &m->blocks[i], i);
        mlp_half(s, &m->blocks[i], i);
    }
    classify(s, &m->head, 0, logits);
    if (m->distilled) {
        float *second = (float *)(void *)s->work;
        classify(s, &m->head_dist, 1, second);
        for (int i = 0; i < m->classes; i++) logits[i] = (logits[i] + second[i]) * 0.5f;
    }
    for (int i = 0; i < m->classes; i++)
        if (isnan(logits[i])) logits[i] = NAN; /* one of the many, on every machine */
    stage_done(s, FTV_STAGE_HEAD, 0, logits, 1, m->classes, m->classes);
    return FTV_OK;
}

/* ---- pictures to int8: one scale per channel ---- */

ftv_status ftv_run_f32(ftv_session *s, const float *picture, float *logits) {
    if (!s || !s->arena || !picture || !logits) return FTV_ERR_ARGUMENT;
    const ftv_model *m = s->model;
    const int area = m->image_size * m->image_size;
    float scales[FTV_MAX_IN_CHANNELS];
    for (int c = 0; c < m->channels; c++)
        scales[c] = s->kernels->quantize((int8_t *)s->work + (size_t)c * (size_t)area,
                                         picture + (size_t)c * (size_t)area, area);
    return run_blocks(s, scales, logits);
}

ftv_status ftv_run_u8(ftv_session *s, const uint8_t *picture, float *logits) {
    enum { PIXELS = 16 }; /* at a time: a whole number of vectors for any number of channels */
    if (!s || !s->arena || !picture || !logits) return FTV_ERR_ARGUMENT;
    const ftv_model *m = s->model;
    const int area = m->image_size * m->image_size, n = m->channels, group = PIXELS * n, all = area * n;
    enum { EXTREMES = PIXELS * FTV_MAX_IN_CHANNELS };
    _Static_assert(256 + 2 * EXTREMES <= FTV_PATCHES * FTV_ALIGN, "they lie where the patches will be gathered");
    int8_t *const code = (int8_t *)s->work + s->image_bytes; /* [256] */
    uint8_t *restrict const low = (uint8_t *)code + 256, *restrict const high = low + EXTREMES;
    memset(low, 255, EXTREMES), memset(high, 0, EXTREMES);
    for (int first = 0; first < all; first += group)
        for (int i = 0; i < ftv_smaller(group, all - first); i++) {
            const uint8_t v = picture[first + i];
            low[i] = v < low[i] ? v : low[i];
            high[i] = v > high[i] ? v : high[i];
        }
    float scales[FTV_MAX_IN_CHANNELS];
    for (int c = 0; c < n; c++) {
        for (int i = c + n; i < group; i += n) {
            low[c] = low[i] < low[c] ? low[i] : low[c];
            high[c] = high[i] > high[c] ? high[i] : high[c];
        }
        /* |normalised| is largest at an end of the range */
        const float ends[2] = {((float)low[c] - m->mean[c]) / m->std[c], ((float)high[c] - m->mean[c]) / m->std[c]};
        float factor;
        scales[c] = ftv_int8_scale(ftv_max_abs(ends, 2), &factor);
        for (int v = 0; v < 256; v++) code[v] = ftv_to_int8(((float)v - m->mean[c]) / m->std[c] * factor);
        int8_t *out = (int8_t *)s->work + (size_t)c * (size_t)area;
        for (int i = 0; i < area; i++) out[i] = code[picture[(size_t)i * (size_t)n + (size_t)c]];
    }
    return run_blocks(s, scales, logits);
}

/* The forward pass: an arena laid out once, then one image at a time through the blocks, nothing allocated. */
#include <string.h>

#include "bits.h"
#include "ftervit.h"
#include "kernels.h"
#include "math32.h"
#include "packing.h"

enum { ALIGN = 64, DEFAULT_CHUNK = 64, MAX_CHUNK = 4096 };

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static uint64_t larger64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ---- the arena ------------------------------------------------------------------------------------------ */

static int chunk_tokens(const ftv_model *m, const ftv_options *o) {
    return smaller(o->chunk_tokens ? o->chunk_tokens : DEFAULT_CHUNK, m->tokens);
}
static int workers(const ftv_options *o) { return larger(o->workers, 1); }

/* Puts the next part behind the last; with a null arena only counts. */
static void *place(uint8_t *arena, uint64_t *at, uint64_t bytes) {
    uint64_t here = (*at + ALIGN - 1) / ALIGN * ALIGN;
    *at = here + bytes;
    return arena ? arena + here : NULL;
}

static uint64_t lay_out(ftv_session *s, uint8_t *arena) {
    const ftv_model *m = s->model;
    const uint64_t t = (uint64_t)m->tokens, d = (uint64_t)m->embed_dim, h = (uint64_t)m->mlp_dim,
                   c = (uint64_t)chunk_tokens(m, &s->options);
    const int max_rows = larger(larger(3 * m->embed_dim, m->mlp_dim), m->classes),
              max_cols = larger(larger(m->embed_dim, m->mlp_dim), m->patch_size * m->patch_size);
    const uint64_t tile = (uint64_t)s->kernels->token_tile, area = (uint64_t)(m->patch_size * m->patch_size);
    uint64_t at = 0;
    s->x = place(arena, &at, t * d * 4);
    uint64_t image = (uint64_t)m->channels * (uint64_t)m->image_size * (uint64_t)m->image_size;
    uint64_t hidden = c * larger64(h, d) * 4 + c * h;
    s->work = place(arena, &at, larger64(larger64(t * 3 * d * 4, hidden), larger64(image, 4 * (uint64_t)m->classes)));
    s->codes = place(arena, &at, c * d);
    s->scales = place(arena, &at, c * 4);
    s->parameters = place(arena, &at, 4 * larger64(6 * d + 2 * h, 3 * d + (uint64_t)m->classes));
    s->attention =
        place(arena, &at, s->options.attention == FTV_ATTENTION_INT8 ? 3 * t * d + 4 * (2 * t * (uint64_t)m->heads + d) : 0);
    uint64_t kernel = s->kernels->scratch_bytes(m->packing, max_rows, max_cols, m->tokens, m->embed_dim / m->heads);
    uint64_t own = larger64(d * 4, tile * d * 4 + tile * area);
    s->scratch_bytes = (size_t)((kernel + ALIGN - 1) / ALIGN * ALIGN + (own + ALIGN - 1) / ALIGN * ALIGN);
    s->scratch = place(arena, &at, s->scratch_bytes * (uint64_t)workers(&s->options));
    return at;
}

static ftv_status prepare(ftv_session *s, const ftv_model *m, const ftv_options *o) {
    memset(s, 0, sizeof *s);
    if (!m || !m->depth || m->error[0]) return FTV_ERR_ARGUMENT;
    s->model = m;
    if (o) s->options = *o;
    s->kernels = ftv_find_kernels(s->options.kernels);
    bool valid = s->kernels && s->options.workers >= 0 && s->options.workers <= FTV_MAX_WORKERS && s->options.chunk_tokens >= 0 &&
                 s->options.chunk_tokens <= MAX_CHUNK &&
                 (s->options.attention == FTV_ATTENTION_F32 || s->options.attention == FTV_ATTENTION_INT8);
    return valid ? FTV_OK : FTV_ERR_ARGUMENT;
}

size_t ftv_arena_bytes(const ftv_model *m, const ftv_options *o) {
    ftv_session s;
    if (prepare(&s, m, o)) return 0;
    uint64_t n = lay_out(&s, NULL) + ALIGN; /* room to align the caller's pointer */
    return n <= SIZE_MAX ? (size_t)n : 0;
}

ftv_status ftv_start(ftv_session *s, const ftv_model *m, const ftv_options *o, void *arena, size_t bytes) {
    if (!s || !arena) return FTV_ERR_ARGUMENT;
    ftv_status status = prepare(s, m, o);
    if (status) return status;
    size_t need = ftv_arena_bytes(m, o);
    if (!need || bytes < need) return FTV_ERR_MEMORY;
    s->arena = (uint8_t *)arena + (ALIGN - (uintptr_t)arena % ALIGN) % ALIGN;
    s->arena_bytes = need - ALIGN;
    lay_out(s, s->arena);
    return FTV_OK;
}

/* ---- work items ------------------------------------------------------------------------------------------ */

static void run(const ftv_session *s, int count, ftv_task task, void *arg) {
    if (s->options.parallel_for && count > 1 && workers(&s->options) > 1)
        s->options.parallel_for(s->options.parallel_context, count, task, arg);
    else
        for (int i = 0; i < count; i++) task(arg, i, 0);
}

static void stage_done(const ftv_session *s, ftv_stage stage, int block, const float *data, int rows, int cols, int stride) {
    if (s->options.on_stage) s->options.on_stage(s->options.stage_context, stage, block, data, rows, cols, stride);
}

static uint8_t *own_scratch(const ftv_session *s, int worker) { return s->scratch + s->scratch_bytes * (size_t)worker; }
static void *kernel_scratch(const ftv_session *s, int worker) {
    const size_t d = (size_t)s->model->embed_dim, tile = (size_t)s->kernels->token_tile,
                 area = (size_t)(s->model->patch_size * s->model->patch_size);
    size_t own = (size_t)larger64(d * 4, tile * d * 4 + tile * area);
    return own_scratch(s, worker) + (own + ALIGN - 1) / ALIGN * ALIGN;
}
static int tiles(int n, int tile) { return (n + tile - 1) / tile; }

/* ---- parameters: one layer's norms and biases, from codes and binary16 to binary32 ---- */

static float *expand_f16(float **at, const uint8_t *values, int n) {
    float *out = *at;
    if (!values) return NULL;
    for (int i = 0; i < n; i++) out[i] = ftv_load_f16(values, i);
    *at += n;
    return out;
}

static float *expand_codes(float **at, const ftv_matrix *w, int row, float scale) {
    float *out = *at;
    for (int i = 0; i < w->cols; i++) out[i] = (float)ftv_unpack(w->packing, w->codes + (size_t)row * w->stride, i) * scale;
    *at += w->cols;
    return out;
}

/* ---- quantised linear layers over a chunk of tokens ---- */

typedef struct {
    const ftv_session *s;
    const ftv_linear *layer;
    const float *gain, *shift;     /* LayerNorm before the RMSNorm; NULL: none */
    const float *norm, *bias, *ls; /* RMSNorm weight, linear bias, LayerScale */
    float *in, *out;               /* rows of one chunk */
    size_t in_stride, out_stride;
    int8_t *codes;
    size_t codes_stride;
    float *residual; /* rows of the residual stream */
    bool gelu;       /* apply it to `in` first */
    int tokens;
} linear_job;

static void quantize_task(void *arg, int t, int worker) {
    const linear_job *j = arg;
    const ftv_kernels *k = j->s->kernels;
    const int n = j->layer->weight.cols;
    float *row = j->in + (size_t)t * j->in_stride;
    if (j->gain) {
        float *y = (float *)(void *)own_scratch(j->s, worker);
        k->layer_norm(y, row, j->gain, j->shift, j->s->model->norm_eps, n);
        row = y;
    }
    if (j->gelu) k->gelu(row, n);
    j->s->scales[t] = k->rms_quantize(j->codes + (size_t)t * j->codes_stride, row, j->norm, n);
}

static void linear_task(void *arg, int index, int worker) {
    const linear_job *j = arg;
    const ftv_kernels *k = j->s->kernels;
    const int first = index * k->token_tile, n = smaller(k->token_tile, j->tokens - first);
    k->linear(j->out + (size_t)first * j->out_stride, j->out_stride, j->codes + (size_t)first * j->codes_stride, j->codes_stride,
              j->s->scales + first, &j->layer->weight, j->layer->scale, j->bias, n, kernel_scratch(j->s, worker));
}

static void residual_task(void *arg, int t, int worker) {
    const linear_job *j = arg;
    (void)worker;
    const float *y = j->out + (size_t)t * j->out_stride;
    const int n = j->layer->weight.rows;
    float *x = j->residual + (size_t)t * (size_t)n;
    for (int i = 0; i < n; i++) x[i] += j->ls ? y[i] * j->ls[i] : y[i];
}

static void run_linear(linear_job *j) {
    run(j->s, j->tokens, quantize_task, j);
    run(j->s, tiles(j->tokens, j->s->kernels->token_tile), linear_task, j);
    if (j->residual) run(j->s, j->tokens, residual_task, j);
}

/* ---- patch embedding ---- */

typedef struct {
    const ftv_session *s;
    const int8_t *image; /* [channels][size][size] */
    const float *scales; /* [channels] */
    const float *bias;
} patch_job;

static void patch_task(void *arg, int index, int worker) {
    const patch_job *j = arg;
    const ftv_session *s = j->s;
    const ftv_model *m = s->model;
    const ftv_kernels *k = s->kernels;
    const int p = m->patch_size, size = m->image_size, grid = size / p, area = p * p, d = m->embed_dim;
    const int first = index * k->token_tile, n = smaller(k->token_tile, grid * grid - first);
    int32_t *acc = (int32_t *)(void *)own_scratch(s, worker);
    int8_t *gathered = (int8_t *)(acc + k->token_tile * d);
    float *x = s->x + (size_t)(m->prefix_tokens + first) * (size_t)d;
    for (int c = 0; c < m->channels; c++) {
        for (int t = 0; t < n; t++) {
            const int8_t *corner = j->image + ((size_t)c * (size_t)size + (size_t)((first + t) / grid * p)) * (size_t)size +
                                   (size_t)((first + t) % grid * p);
            for (int row = 0; row < p; row++)
                memcpy(gathered + t * area + row * p, corner + (size_t)row * (size_t)size, (size_t)p);
        }
        ftv_matrix w = m->patch;
        w.codes += (size_t)c * ftv_packed_bytes(w.packing, area);
        k->matmul(acc, gathered, (size_t)area, &w, n, kernel_scratch(s, worker));
        for (int i = 0; i < n * d; i++) {
            float v = (float)acc[i] * j->scales[c];
            x[i] = c ? x[i] + v : v;
        }
    }
    const uint8_t *position = m->pos_embed + 2 * (size_t)(m->prefix_tokens + first) * (size_t)d;
    for (int t = 0, i = 0; t < n; t++)
        for (int o = 0; o < d; o++, i++)
            x[i] = x[i] * ftv_load_f32(m->patch_scale + 4 * o) + j->bias[o] + ftv_load_f16(position, i);
}

static void embed(ftv_session *s, const float *scales) {
    const ftv_model *m = s->model;
    float *at = s->parameters;
    patch_job j = {s, (const int8_t *)s->work, scales, expand_f16(&at, m->patch_bias, m->embed_dim)};
    for (int i = 0; i < m->prefix_tokens * m->embed_dim; i++) s->x[i] = ftv_load_f16(m->pos_embed, i);
    run(s, tiles(m->tokens - m->prefix_tokens, s->kernels->token_tile), patch_task, &j);
    stage_done(s, FTV_STAGE_EMBED, 0, s->x, m->tokens, m->embed_dim, m->embed_dim);
}

/* ---- attention ---- */

typedef struct {
    const ftv_session *s;
    int8_t *q, *k, *v;        /* int8: [tokens][embed_dim] each */
    float *q_scale, *k_scale; /* [tokens][heads] */
    float *v_scale;           /* [embed_dim] */
} attention_job;

static void attention_task(void *arg, int index, int worker) {
    const attention_job *j = arg;
    const ftv_session *s = j->s;
    const ftv_model *m = s->model;
    const int d = m->embed_dim, head_dim = d / m->heads, per_head = tiles(m->tokens, s->kernels->query_tile);
    const int head = index / per_head, first = index % per_head * s->kernels->query_tile,
              last = smaller(first + s->kernels->query_tile, m->tokens);
    const size_t column = (size_t)(head * head_dim);
    const float scale = 1.0f / sqrtf((float)head_dim);
    float *q = (float *)(void *)s->work + column;
    if (j->q)
        s->kernels->attention_int8(q, 3 * (size_t)d, j->q + column, j->k + column, j->v + column, (size_t)d, j->q_scale + head,
                                   j->k_scale + head, (size_t)m->heads, j->v_scale + column, m->tokens, head_dim, scale, first,
                                   last, kernel_scratch(s, worker));
    else
        s->kernels->attention_f32(q, q, q + d, q + 2 * d, 3 * (size_t)d, m->tokens, head_dim, scale, first, last,
                                  kernel_scratch(s, worker));
}

static void quantize_qk_task(void *arg, int t, int worker) {
    const attention_job *j = arg;
    const ftv_model *m = j->s->model;
    (void)worker;
    const int d = m->embed_dim, head_dim = d / m->heads;
    const float *row = (const float *)(const void *)j->s->work + (size_t)t * 3 * (size_t)d;
    for (int h = 0; h < m->heads; h++) {
        j->q_scale[t * m->heads + h] = ftv_quantize(j->q + (size_t)t * (size_t)d + h * head_dim, row + h * head_dim, head_dim);
        j->k_scale[t * m->heads + h] =
            ftv_quantize(j->k + (size_t)t * (size_t)d + h * head_dim, row + d + h * head_dim, head_dim);
    }
}

static void quantize_v_task(void *arg, int column, int worker) {
    const attention_job *j = arg;
    const ftv_model *m = j->s->model;
    (void)worker;
    const size_t d = (size_t)m->embed_dim;
    const float *v = (const float *)(const void *)j->s->work + 2 * d + (size_t)column;
    float top = 1e-5f;
    for (int t = 0; t < m->tokens; t++) {
        float a = fabsf(v[(size_t)t * 3 * d]);
        top = a > top ? a : top;
    }
    const float inverse = 127.0f / top;
    j->v_scale[column] = top / 127.0f;
    for (int t = 0; t < m->tokens; t++) j->v[(size_t)t * d + (size_t)column] = ftv_to_int8(v[(size_t)t * 3 * d] * inverse);
}

static void attention(ftv_session *s) {
    const ftv_model *m = s->model;
    const size_t t = (size_t)m->tokens, d = (size_t)m->embed_dim;
    attention_job j = {.s = s};
    if (s->options.attention == FTV_ATTENTION_INT8) {
        j.q_scale = (float *)(void *)s->attention;
        j.k_scale = j.q_scale + t * (size_t)m->heads;
        j.v_scale = j.k_scale + t * (size_t)m->heads;
        j.q = (int8_t *)(j.v_scale + d);
        j.k = j.q + t * d;
        j.v = j.k + t * d;
        run(s, m->tokens, quantize_qk_task, &j);
        run(s, m->embed_dim, quantize_v_task, &j);
    }
    run(s, m->heads * tiles(m->tokens, s->kernels->query_tile), attention_task, &j);
}

/* ---- one block ---- */

static void attention_half(ftv_session *s, const ftv_block *b, int index) {
    const ftv_model *m = s->model;
    const int d = m->embed_dim, chunk = chunk_tokens(m, &s->options);
    float *const qkv = (float *)(void *)s->work, *at = s->parameters;
    linear_job j = {.s = s,
                    .layer = &b->qkv,
                    .codes = s->codes,
                    .codes_stride = (size_t)d,
                    .in_stride = (size_t)d,
                    .out_stride = 3 * (size_t)d};
    j.gain = expand_codes(&at, &b->norm1.codes, 0, b->norm1.scale);
    j.shift = expand_codes(&at, &b->norm1.codes, 1, b->norm1.bias_scale);
    j.norm = expand_f16(&at, b->qkv.norm, d);
    j.bias = expand_f16(&at, b->qkv.bias, 3 * d);
    for (int t = 0; t < m->tokens; t += chunk) {
        j.tokens = smaller(chunk, m->tokens - t);
        j.in = s->x + (size_t)t * (size_t)d;
        j.out = qkv + (size_t)t * 3 * (size_t)d;
        run_linear(&j);
    }
    stage_done(s, FTV_STAGE_QKV, index, qkv, m->tokens, 3 * d, 3 * d);
    attention(s); /* overwrites q, head by head */
    stage_done(s, FTV_STAGE_ATTENTION, index, qkv, m->tokens, d, 3 * d);
    at = s->parameters;
    j = (linear_job){.s = s,
                     .layer = &b->proj,
                     .codes = s->codes,
                     .codes_stride = (size_t)d,
                     .in_stride = 3 * (size_t)d,
                     .out_stride = 3 * (size_t)d};
    j.norm = expand_f16(&at, b->proj.norm, d);
    j.bias = expand_f16(&at, b->proj.bias, d);
    j.ls = expand_f16(&at, b->ls1, d);
    for (int t = 0; t < m->tokens; t += chunk) {
        j.tokens = smaller(chunk, m->tokens - t);
        j.in = qkv + (size_t)t * 3 * (size_t)d;
        j.out = j.in + d; /* over k, which is no longer needed */
        j.residual = s->x + (size_t)t * (size_t)d;
        run_linear(&j);
    }
    stage_done(s, FTV_STAGE_PROJ, index, s->x, m->tokens, d, d);
}

static void mlp_half(ftv_session *s, const ftv_block *b, int index) {
    const ftv_model *m = s->model;
    const int d = m->embed_dim, h = m->mlp_dim, chunk = chunk_tokens(m, &s->options);
    const size_t hidden_stride = (size_t)larger(h, d);
    float *const hidden = (float *)(void *)s->work, *at = s->parameters;
    linear_job up = {.s = s,
                     .layer = &b->fc1,
                     .codes = s->codes,
                     .codes_stride = (size_t)d,
                     .in_stride = (size_t)d,
                     .out = hidden,
                     .out_stride = hidden_stride};
    up.gain = expand_codes(&at, &b->norm2.codes, 0, b->norm2.scale);
    up.shift = expand_codes(&at, &b->norm2.codes, 1, b->norm2.bias_scale);
    up.norm = expand_f16(&at, b->fc1.norm, d);
    up.bias = expand_f16(&at, b->fc1.bias, h);
    linear_job down = {.s = s,
                       .layer = &b->fc2,
                       .in = hidden,
                       .in_stride = hidden_stride,
                       .out = hidden,
                       .out_stride = hidden_stride,
                       .codes_stride = (size_t)h,
                       .gelu = true};
    down.norm = expand_f16(&at, b->fc2.norm, h);
    down.bias = expand_f16(&at, b->fc2.bias, d);
    down.ls = expand_f16(&at, b->ls2, d);
    down.codes = (int8_t *)(hidden + (size_t)chunk * hidden_stride);
    for (int t = 0; t < m->tokens; t += chunk) {
        up.tokens = down.tokens = smaller(chunk, m->tokens - t);
        up.in = down.residual = s->x + (size_t)t * (size_t)d;
        run_linear(&up);
        run_linear(&down);
    }
    stage_done(s, FTV_STAGE_BLOCK, index, s->x, m->tokens, d, d);
}

/* ---- head ---- */

static void classify(ftv_session *s, const ftv_linear *head, int token, float *logits) {
    const ftv_model *m = s->model;
    const int d = m->embed_dim;
    float *at = s->parameters;
    linear_job j = {.s = s,
                    .layer = head,
                    .codes = s->codes,
                    .codes_stride = (size_t)d,
                    .in = s->x + (size_t)token * (size_t)d,
                    .in_stride = (size_t)d,
                    .out = logits,
                    .out_stride = (size_t)m->classes,
                    .tokens = 1};
    j.gain = expand_codes(&at, &m->norm.codes, 0, m->norm.scale);
    j.shift = expand_codes(&at, &m->norm.codes, 1, m->norm.bias_scale);
    j.norm = expand_f16(&at, head->norm, d);
    j.bias = expand_f16(&at, head->bias, m->classes);
    run_linear(&j);
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
    stage_done(s, FTV_STAGE_HEAD, 0, logits, 1, m->classes, m->classes);
    return FTV_OK;
}

/* ---- pictures to int8: one scale per channel ---- */

ftv_status ftv_run_f32(ftv_session *s, const float *picture, float *logits) {
    if (!s || !s->arena || !picture || !logits) return FTV_ERR_ARGUMENT;
    const ftv_model *m = s->model;
    const int area = m->image_size * m->image_size;
    float scales[FTV_MAX_CHANNELS];
    for (int c = 0; c < m->channels; c++)
        scales[c] = ftv_quantize((int8_t *)s->work + (size_t)c * (size_t)area, picture + (size_t)c * (size_t)area, area);
    return run_blocks(s, scales, logits);
}

ftv_status ftv_run_u8(ftv_session *s, const uint8_t *picture, float *logits) {
    if (!s || !s->arena || !picture || !logits) return FTV_ERR_ARGUMENT;
    const ftv_model *m = s->model;
    const int area = m->image_size * m->image_size, n = m->channels;
    float scales[FTV_MAX_CHANNELS];
    for (int c = 0; c < n; c++) {
        uint8_t low = 255, high = 0; /* |normalised| is largest at an end of the range */
        for (int i = 0; i < area; i++) {
            uint8_t v = picture[(size_t)i * (size_t)n + (size_t)c];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        const float ends[2] = {((float)low - m->mean[c]) / m->std[c], ((float)high - m->mean[c]) / m->std[c]};
        int8_t code[256], of_ends[2];
        scales[c] = ftv_quantize(of_ends, ends, 2);
        const float top = ftv_max_abs(ends, 2), factor = 127.0f / (top > 1e-5f ? top : 1e-5f);
        for (int v = 0; v < 256; v++) code[v] = ftv_to_int8(((float)v - m->mean[c]) / m->std[c] * factor);
        int8_t *out = (int8_t *)s->work + (size_t)c * (size_t)area;
        for (int i = 0; i < area; i++) out[i] = code[picture[(size_t)i * (size_t)n + (size_t)c]];
    }
    return run_blocks(s, scales, logits);
}

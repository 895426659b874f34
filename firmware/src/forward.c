/* The forward pass: an arena laid out once, then one image at a time through the blocks, nothing allocated. */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "ftervit.h"
#include "kernels.h"
#include "math32.h"
#include "packing.h"

enum { ALIGN = 64, MAX_CHUNK = 4096, PATCHES = 32, NORM_ROWS = 4 };

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static uint64_t larger64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ---- the arena ------------------------------------------------------------------------------------------ */

static int workers(const ftv_options *o) { return larger(o->workers, 1); }

/* Tokens that one task takes at most: an even share for every worker, or less. */
static int chunk_tokens(const ftv_session *s) {
    const int n = workers(&s->options), step = s->kernels->token_step, wanted = s->options.chunk_tokens;
    const int most = smaller(wanted ? wanted : s->kernels->chunk_tokens, (s->model->tokens + n - 1) / n);
    return (most + step - 1) / step * step;
}

/* Puts the next part behind the last; with a null arena only counts. */
static void *place(uint8_t *arena, uint64_t *at, uint64_t bytes) {
    uint64_t here = (*at + ALIGN - 1) / ALIGN * ALIGN;
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

static size_t patch_scratch(const ftv_model *m) {
    return PATCHES * ((size_t)m->embed_dim * sizeof(int32_t) + (size_t)(m->patch_size * m->patch_size) + ALIGN);
}

/* Lays out every buffer, the hottest first; `arena` NULL: only counts. */
static uint64_t lay_out(ftv_session *s, uint8_t *arena) {
    const ftv_model *m = s->model;
    const uint64_t t = (uint64_t)m->tokens, d = (uint64_t)m->embed_dim, h = (uint64_t)m->mlp_dim, classes = (uint64_t)m->classes,
                   image = (uint64_t)m->channels * (uint64_t)m->image_size * (uint64_t)m->image_size,
                   c = (uint64_t)chunk_tokens(s), n = (uint64_t)workers(&s->options);
    const int max_rows = larger(larger(3 * m->embed_dim, m->mlp_dim), m->classes),
              max_cols = larger(larger(m->embed_dim, m->mlp_dim), m->patch_size * m->patch_size);
    layout l = {.arena = arena, .fast_bytes = s->options.fast ? s->options.fast_bytes : 0};
    if (arena && l.fast_bytes) {
        const size_t shift = (ALIGN - (uintptr_t)s->options.fast % ALIGN) % ALIGN;
        l.fast = (uint8_t *)s->options.fast + shift;
    }
    l.fast_bytes -= l.fast_bytes < ALIGN ? l.fast_bytes : ALIGN; /* room to align the caller's pointer */

    s->scratch_bytes = s->kernels->scratch_bytes(m->packing, max_rows, max_cols, larger((int)c, PATCHES), m->tokens,
                                                 m->embed_dim / m->heads);
    s->scratch_bytes = (s->scratch_bytes + ALIGN - 1) / ALIGN * ALIGN;
    s->hidden_stride = (size_t)larger64(h, d);
    s->codes_bytes = (size_t)((c * larger64(h, d) + ALIGN - 1) / ALIGN * ALIGN);
    s->scratch = place_hot(&l, s->scratch_bytes * n);
    s->parameters = place_hot(&l, 4 * larger64(6 * d + 2 * h, 3 * d + classes));
    s->codes = place_hot(&l, s->codes_bytes * n);
    s->scales = place_hot(&l, 4 * c * n);
    s->rows = place_hot(&l, 4 * NORM_ROWS * d * n);
    s->x = place_hot(&l, t * d * 4);
    const uint64_t int8_attention = (3 * t * d + 3) / 4 * 4 + 4 * (2 * t * (uint64_t)m->heads + d); /* codes, scales */
    s->attention = place_hot(&l, s->options.attention == FTV_ATTENTION_INT8 ? int8_attention : 0);
    uint64_t qkv = t * 3 * d * 4, hidden = n * c * s->hidden_stride * 4;
    s->image_bytes = (size_t)((image + ALIGN - 1) / ALIGN * ALIGN);
    s->work = place(l.arena, &l.at, larger64(larger64(qkv, hidden), larger64(s->image_bytes + n * patch_scratch(m), 4 * classes)));
    return l.at;
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

/* ---- tasks: ranges of tokens ----------------------------------------------------------------------------- */

static void run(const ftv_session *s, int count, ftv_task task, void *arg) {
    if (s->options.parallel_for && count > 1 && workers(&s->options) > 1)
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
    const range r = {(int)(steps * i / n) * step, smaller((int)(steps * (i + 1) / n) * step, total)};
    return r;
}

/* Parts of at most `most`, as many for every worker. */
static int parts(const ftv_session *s, int total, int most) {
    const int n = workers(&s->options), all = (total + most - 1) / most;
    return (all + n - 1) / n * n;
}

static void stage_done(const ftv_session *s, ftv_stage stage, int block, const float *data, int rows, int cols, int stride) {
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
    for (int i = 0; i < w->cols; i++) out[i] = (float)ftv_unpack(w->packing, w->codes + (size_t)row * w->stride, i) * scale;
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

/* in -> out; `residual` (rows of `layer->weight.rows`) gets out * ls added unless NULL. Rows of `in` may be destroyed. */
static void run_linear(const ftv_session *s, const linear_op *op, float *in, size_t in_stride, float *out, size_t out_stride,
                       float *residual, int tokens, int worker) {
    const ftv_kernels *k = s->kernels;
    const int cols = op->layer->weight.cols, rows = op->layer->weight.rows;
    int8_t *codes = s->codes + s->codes_bytes * (size_t)worker;
    float *scales = s->scales + (size_t)worker * (size_t)chunk_tokens(s),
          *own = s->rows + (size_t)worker * NORM_ROWS * (size_t)s->model->embed_dim;
    for (int t = 0; t < tokens; t += NORM_ROWS) {
        const int n = smaller(NORM_ROWS, tokens - t);
        float *rows_in = in + (size_t)t * in_stride;
        size_t stride = in_stride;
        if (op->gain) {
            k->layer_norm(own, rows_in, stride, op->gain, op->shift, s->model->norm_eps, n, cols);
            rows_in = own;
            stride = (size_t)cols;
        }
        if (op->gelu)
            for (int i = 0; i < n; i++) k->gelu(rows_in + (size_t)i * stride, cols);
        int8_t *q = codes + (size_t)t * (size_t)cols;
        if (op->norm)
            k->rms_quantize(q, scales + t, rows_in, stride, op->norm, n, cols);
        else
            for (int i = 0; i < n; i++) scales[t + i] = k->quantize(q + (size_t)i * (size_t)cols, rows_in + (size_t)i * stride, cols);
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
    j->parts = parts(s, (s->model->tokens + step - 1) / step, chunk_tokens(s) / step);
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
    int32_t *acc = (int32_t *)(void *)(s->work + s->image_bytes + patch_scratch(m) * (size_t)worker);
    int8_t *gathered = (int8_t *)(acc + PATCHES * d);
    float *x = s->x + (size_t)(m->prefix_tokens + r.first) * (size_t)d, *own = s->rows + (size_t)worker * NORM_ROWS * (size_t)d;
    for (int c = 0; c < m->channels; c++) {
        for (int t = 0; t < n; t++) {
            const int8_t *corner = image + ((size_t)c * (size_t)size + (size_t)((r.first + t) / grid * p)) * (size_t)size +
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
    patch_job j = {s, scales, weight, expand_f16(s, &at, m->patch_bias, m->embed_dim), parts(s, patches, PATCHES)};
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
        s->kernels->attention_int8(q, 3 * (size_t)d, j->q + column, j->k + column, j->v + column, (size_t)d, j->q_scale + head,
                                   j->k_scale + head, (size_t)m->heads, j->v_scale + column, m->tokens, head_dim, scale, r.first,
                                   r.last, scratch_of(s, worker));
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
    const int n = workers(&s->options);
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
    run_linear(s, &j->op[0], s->x + (size_t)r.first * d, d, (float *)(void *)s->work + (size_t)r.first * 3 * d, 3 * d, NULL,
               r.last - r.first, worker);
}

static void proj_task(void *arg, int index, int worker) {
    const block_job *j = arg;
    const ftv_session *s = j->s;
    const range r = tokens_of(j, index);
    const size_t d = (size_t)s->model->embed_dim;
    float *row = (float *)(void *)s->work + (size_t)r.first * 3 * d; /* attention's output, and over k, no longer needed, ours */
    run_linear(s, &j->op[0], row, 3 * d, row + d, 3 * d, s->x + (size_t)r.first * d, r.last - r.first, worker);
}

static void mlp_task(void *arg, int index, int worker) {
    const block_job *j = arg;
    const ftv_session *s = j->s;
    const range r = tokens_of(j, index);
    const size_t d = (size_t)s->model->embed_dim, stride = s->hidden_stride;
    float *hidden = (float *)(void *)s->work + (size_t)worker * (size_t)chunk_tokens(s) * stride,
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
    float scales[FTV_MAX_CHANNELS];
    for (int c = 0; c < m->channels; c++)
        scales[c] = s->kernels->quantize((int8_t *)s->work + (size_t)c * (size_t)area, picture + (size_t)c * (size_t)area, area);
    return run_blocks(s, scales, logits);
}

ftv_status ftv_run_u8(ftv_session *s, const uint8_t *picture, float *logits) {
    enum { PIXELS = 16 }; /* at a time: a whole number of vectors for any number of channels */
    if (!s || !s->arena || !picture || !logits) return FTV_ERR_ARGUMENT;
    const ftv_model *m = s->model;
    const int area = m->image_size * m->image_size, n = m->channels, group = PIXELS * n, all = area * n;
    enum { EXTREMES = PIXELS * FTV_MAX_CHANNELS };
    _Static_assert(256 + 2 * EXTREMES <= PATCHES * ALIGN, "they lie where the patches will be gathered");
    int8_t *const code = (int8_t *)s->work + s->image_bytes; /* [256] */
    uint8_t *restrict const low = (uint8_t *)code + 256, *restrict const high = low + EXTREMES;
    memset(low, 255, EXTREMES), memset(high, 0, EXTREMES);
    for (int first = 0; first < all; first += group)
        for (int i = 0; i < smaller(group, all - first); i++) {
            const uint8_t v = picture[first + i];
            low[i] = v < low[i] ? v : low[i];
            high[i] = v > high[i] ? v : high[i];
        }
    float scales[FTV_MAX_CHANNELS];
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

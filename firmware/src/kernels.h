/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch header: every operation of the forward pass that a machine may want in its own words.
 *
 * A set is one `ftv_kernels`; `ref` reads like the equations, and every other set gives the same bits. To add one:
 * write the functions that differ, take the others from the set below, list it in kernels.c (the fastest first), and
 * tests/test_kernels.c compares it with `ref` over lengths, misalignments and guard bytes. */
#ifndef FTV_KERNELS_H
#define FTV_KERNELS_H

#include "ftervit.h"
#include "options.h"

typedef struct ftv_kernels {
    const char *name;
    bool (*supported)(void); /* by the processor we run on; NULL: always */
    int chunk_tokens;        /* of a task, unless the options say otherwise */
    int token_step;          /* ranges of tokens are cut at multiples of it, */
    int query_step;          /* ranges of queries at multiples of it */

    /* Scratch of one call of the functions below: a matrix of `rows` outputs and `cols` inputs with up to `chunk`
     * tokens, or one head's attention over `tokens`. */
    size_t (*scratch_bytes)(ftv_packing packing, int rows, int cols, int chunk, int tokens, int head_dim);

    /* acc[t][r] = sum_k x[t][k] * code[r][k], exact; rows of acc are w->rows long */
    void (*matmul)(int32_t *acc, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens, void *scratch);

    /* y[t][r] = acc[t][r] * (x_scale[t] * scale) + bias[r]; bias may be NULL */
    void (*linear)(float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
                   const ftv_matrix *w, float scale, const float *bias, int tokens, void *scratch);

    /* y[r] = (x[r] - mean) / sqrt(variance + eps) * gain + bias over the n values of each row; y is [rows][n] */
    void (*layer_norm)(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps,
                       int rows, int n);

    /* x[r] <- RMSNorm(x[r]) * weight; q[r] = clip(rint(x * 127 / m)), scale[r] = m / 127, m = max(max|x|, 1e-5); q is
     * [rows][n]. The scale of a row with infinity or NaN is NaN, and so is what is multiplied with it; its codes mean
     * nothing. */
    void (*rms_quantize)(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows, int n);

    /* q = clip(rint(x * 127 / m)); returns m / 127, m as above */
    float (*quantize)(int8_t *q, const float *x, int n);

    /* The same with one m per column of x [rows][cols]; scale [cols] */
    void (*quantize_columns)(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows,
                             int cols);

    /* x <- x * Phi(x) */
    void (*gelu)(float *x, int n);

    /* x <- x + y * gain; gain may be NULL */
    void (*add)(float *x, const float *y, const float *gain, int n);

    /* binary16, any alignment, to binary32 */
    void (*load_f16)(float *x, const uint8_t *f16, int n);

    /* One head, queries [first, last): out[i] = softmax(q_i . K^T * scale) V. Rows of all are `stride` floats apart;
     * out may be q. head_dim columns. */
    void (*attention_f32)(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens,
                          int head_dim, float scale, int first, int last, void *scratch);

    /* The same over int8 rows `stride` apart: q and k with one scale per token (`scale_stride` apart), v with one per
     * column. */
    void (*attention_int8)(float *out, size_t out_stride, const int8_t *q, const int8_t *k, const int8_t *v,
                           size_t stride, const float *q_scale, const float *k_scale, size_t scale_stride,
                           const float *v_scale, int tokens, int head_dim, float scale, int first, int last,
                           void *scratch);

    /* Multiply-accumulates with nothing but registers, `rounds` times: their number. What no matmul can exceed; NULL:
     * none */
    uint64_t (*peak)(uint32_t rounds);
} ftv_kernels;

extern const ftv_kernels ftv_kernels_ref, ftv_kernels_table;
#ifdef FTV_HAVE_X86
extern const ftv_kernels ftv_kernels_avx512, ftv_kernels_avx2;
#endif
#ifdef FTV_HAVE_AVXVNNI
extern const ftv_kernels ftv_kernels_avxvnni;
#endif
#ifdef FTV_HAVE_NEON
extern const ftv_kernels ftv_kernels_neondot, ftv_kernels_neon;
#endif
#ifdef FTV_HAVE_WASM
extern const ftv_kernels ftv_kernels_simd128;
#endif
#ifdef FTV_HAVE_WASM_RELAXED
extern const ftv_kernels ftv_kernels_relaxed;
#endif
#ifdef FTV_HAVE_PIE
extern const ftv_kernels ftv_kernels_pie;
#endif

/* The set of that name, or when it is NULL the one that ftv_wanted_kernels names, or the fastest that runs here; NULL
 * when there is none. */
const ftv_kernels *ftv_find_kernels(const char *name);

/* ---- parts that sets share ---- */
/* linear by matmul, `tile` tokens at a time; acc: [tile][rows] */
void ftv_linear_from_matmul(const ftv_kernels *k, int tile, int32_t *acc, float *y, size_t y_stride, const int8_t *x,
                            size_t x_stride, const float *x_scale, const ftv_matrix *w, float scale, const float *bias,
                            int tokens, void *scratch);
void ftv_layer_norm_ref(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps,
                        int rows, int n);
void ftv_rms_quantize_ref(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows, int n);
float ftv_quantize_ref(int8_t *q, const float *x, int n);
void ftv_quantize_columns_ref(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows,
                              int cols);
void ftv_gelu_ref(float *x, int n);
void ftv_add_ref(float *x, const float *y, const float *gain, int n);
void ftv_load_f16_ref(float *x, const uint8_t *f16, int n);
void ftv_attention_f32_ref(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens,
                           int head_dim, float scale, int first, int last, void *scratch);
void ftv_attention_int8_ref(float *out, size_t out_stride, const int8_t *q, const int8_t *k, const int8_t *v,
                            size_t stride, const float *q_scale, const float *k_scale, size_t scale_stride,
                            const float *v_scale, int tokens, int head_dim, float scale, int first, int last,
                            void *scratch);
size_t ftv_attention_scratch_ref(int tokens, int head_dim);
/* kernels_scalar.c: the same bits with fewer instructions, for cores without vectors */
void ftv_layer_norm_scalar(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps,
                           int rows, int n);
void ftv_rms_quantize_scalar(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows, int n);
float ftv_quantize_scalar(int8_t *q, const float *x, int n);
void ftv_quantize_columns_scalar(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows,
                                 int cols);
void ftv_gelu_scalar(float *x, int n);
void ftv_attention_f32_scalar(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens,
                              int head_dim, float scale, int first, int last, void *scratch);
size_t ftv_attention_scratch_scalar(int tokens, int head_dim);

/* In the initialiser of a set that only multiplies, and attends to int8, in its own words: for cores without vectors */
#define FTV_SCALAR_OPERATIONS                                                                                          \
    .layer_norm = ftv_layer_norm_scalar, .rms_quantize = ftv_rms_quantize_scalar, .quantize = ftv_quantize_scalar,     \
    .quantize_columns = ftv_quantize_columns_scalar, .gelu = ftv_gelu_scalar, .add = ftv_add_ref,                      \
    .load_f16 = ftv_load_f16_ref, .attention_f32 = ftv_attention_f32_scalar

#endif

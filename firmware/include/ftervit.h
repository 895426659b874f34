/* SPDX-License-Identifier: Apache-2.0 */
/* ftervit: a fully ternary vision transformer from one GGUF file, in C11 and libc only.
 *
 *   static ftv_model model;                                   13 KiB, on 64 bits 21: too large for a task's stack
 *   static ftv_session session;
 *   ftv_open(&model, file, file_bytes);                       validates every byte, copies none
 *   size_t n = ftv_arena_bytes(&model, NULL);                 all the memory that inference needs
 *   ftv_start(&session, &model, NULL, arena, n);
 *   ftv_preprocess(&session, &photo, pixels);                 crop, resize -> size x size x channels
 *   ftv_run_u8(&session, pixels, logits);                     no allocation, no exit
 *   ftv_top_k(logits, classes, 5, best);
 *
 * A model is read-only and may be shared by threads; a session belongs to one caller at a time.
 * The same file and the same pixels give the same bits in `logits` on every machine with IEEE binary32,
 * with every compiler (built with -ffp-contract=off), kernel set and number of workers. */
#ifndef FTERVIT_H
#define FTERVIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions -------------------------------------------------------------------------------------------
 *
 * The library's, as semver.org says it: before 1.0.0 a new minor version may change this header. */
#define FTV_VERSION_MAJOR 0
#define FTV_VERSION_MINOR 1
#define FTV_VERSION_PATCH 0
#define FTV_VERSION (FTV_VERSION_MAJOR * 10000 + FTV_VERSION_MINOR * 100 + FTV_VERSION_PATCH)
#define FTV_VERSION_TEXT "0.1.0"

/* The model file's, key ftervit.format_version, counts apart from it. It grows by one whenever an engine that does not
 * know the change would compute something else, or would leave out a check; what such an engine refuses by itself
 * anyway (a tensor name or a word that it does not know) and keys that it may ignore need no new version. An engine
 * reads every version from 1 to its own and gives the same bits for an old file for ever; newer files it refuses with
 * FTV_ERR_UNSUPPORTED.
 *   1   the first
 *   2   key header_checksum over the metadata; files of version 1 are read without that check */
enum { FTV_FORMAT_VERSION = 2 };

/* ---- limits: the loader and ftv_plan name the value that exceeds one ------------------------------------ */

enum {
    FTV_MAX_IMAGE_SIZE = 4096,
    FTV_MAX_IN_CHANNELS = 16,
    FTV_MAX_PATCH_SIZE = 255,
    FTV_MAX_GRID = 1024, /* patches a side */
    FTV_MAX_PREFIX_TOKENS = 64,
    FTV_MAX_TOKENS = 65535, /* prefix and patches */
    FTV_MAX_WIDTH = 65535,  /* inputs of a linear layer: int8 x ternary sums stay exact in binary32 */
    FTV_MAX_EMBED_DIM = FTV_MAX_WIDTH / 4,
    FTV_MAX_MLP_DIM = FTV_MAX_WIDTH,
    FTV_MAX_DEPTH = 64, /* blocks */
    FTV_MAX_NUM_HEADS = 1024,
    FTV_MAX_NUM_CLASSES = 1 << 20,
    FTV_MAX_RESIZE_SIZE = 65535, /* shorter edge before the crop */
    FTV_MAX_WORKERS = 64,        /* of ftv_options */
    FTV_MAX_CHUNK_TOKENS = 4096, /* of ftv_options */
    FTV_ERROR_BYTES = 160,       /* of a message */
};

typedef enum {
    FTV_OK = 0,
    FTV_ERR_ARGUMENT,    /* a caller's mistake: null pointer, bad option, bad picture */
    FTV_ERR_FORMAT,      /* not a GGUF file of ours, truncated, or inconsistent with itself */
    FTV_ERR_UNSUPPORTED, /* well-formed, but beyond this engine */
    FTV_ERR_CHECKSUM,    /* the file is not what the exporter wrote */
    FTV_ERR_MEMORY,      /* the arena is too small */
} ftv_status;

typedef enum { FTV_PACK_2BIT = 0, FTV_PACK_BASE3 = 1 } ftv_packing; /* 4 codes, 5 codes per byte */
typedef enum { FTV_ATTENTION_F32 = 0, FTV_ATTENTION_INT8 = 1 } ftv_attention;
typedef enum { FTV_CROP_CENTER = 0, FTV_CROP_SQUASH = 1 } ftv_crop;
typedef enum { FTV_NEAREST = 0, FTV_BILINEAR = 2, FTV_BICUBIC = 3 } ftv_interpolation; /* Pillow's numbers */

/* A ternary matrix inside the file: row r starts at codes + r * stride. */
typedef struct {
    const uint8_t *codes;
    size_t stride;  /* bytes from row to row */
    int rows, cols; /* outputs, inputs */
    ftv_packing packing;
} ftv_matrix;

/* y = (int8 codes of x, or of RMSNorm(x)) . codes^T * scales + bias */
typedef struct {
    ftv_matrix weight;
    float scale;
    const uint8_t *norm; /* binary16 [cols]: the RMSNorm's weight; or NULL: x is quantised as it is */
    const uint8_t *bias; /* binary16 [rows], or NULL: none is added */
} ftv_linear;

typedef struct {
    ftv_matrix codes; /* [2][embed_dim]: weight, bias */
    float scale, bias_scale;
} ftv_layer_norm;

typedef struct {
    ftv_layer_norm norm1, norm2;
    ftv_linear qkv, proj, fc1, fc2;
    const uint8_t *ls1, *ls2; /* binary16 [embed_dim], or NULL: no LayerScale */
} ftv_block;

typedef struct {
    int image_size, channels, patch_size, embed_dim, depth, heads, mlp_dim, classes;
    int prefix_tokens, tokens; /* class (and distillation) tokens; those + patches */
    bool distilled;            /* two heads, averaged */
    float norm_eps;
    ftv_packing packing;

    float mean[FTV_MAX_IN_CHANNELS], std[FTV_MAX_IN_CHANNELS]; /* of 8-bit pixels, 0..255 */
    int resize_size; /* the shorter edge (squash: both) before the crop to image_size */
    ftv_crop crop;
    ftv_interpolation interpolation;

    ftv_matrix patch;           /* [embed_dim][channels * packed(patch_size^2)] */
    const uint8_t *patch_scale; /* binary32 [embed_dim] */
    const uint8_t *patch_bias;  /* binary16 [embed_dim] */
    const uint8_t *pos_embed;   /* binary16 [tokens][embed_dim]: prefix tokens whole, then positions of the patches */
    ftv_block blocks[FTV_MAX_DEPTH];
    ftv_layer_norm norm;
    ftv_linear head, head_dist;

    const uint8_t *class_names; /* GGUF strings one after another, or NULL */
    const uint8_t *data;
    size_t bytes;
    char error[FTV_ERROR_BYTES]; /* what ftv_open found wrong, in words */
} ftv_model;

/* ---- the caller's hooks -------------------------------------------------------------------------------- */

typedef void (*ftv_task)(void *arg, int index, int worker);
/* Runs task(arg, i, worker) for every i in [0, count), in any order, on workers numbered below options.workers
 * (each worker does one task at a time), and returns when all are done. NULL: one after another. */
typedef void (*ftv_parallel_for)(void *context, int count, ftv_task task, void *arg);

typedef enum {
    FTV_STAGE_EMBED = 0, /* tokens after patch embedding and position   [tokens][embed_dim] */
    FTV_STAGE_QKV,       /* LayerNorm, RMSNorm, fused projection        [tokens][3 * embed_dim] */
    FTV_STAGE_ATTENTION, /* heads side by side                          [tokens][embed_dim] */
    FTV_STAGE_PROJ,      /* residual stream after attention             [tokens][embed_dim] */
    FTV_STAGE_BLOCK,     /* residual stream after the MLP               [tokens][embed_dim] */
    FTV_STAGE_HEAD,      /* logits                                      [1][classes] */
    FTV_STAGES,
} ftv_stage;
/* Called after each stage with its output: row r starts at data + r * row_stride floats. */
typedef void (*ftv_on_stage)(void *context, ftv_stage stage, int block, const float *data, int rows, int cols,
                             int row_stride);

struct ftv_kernels; /* kernels.h */

typedef struct {
    const char *kernels; /* one of ftv_kernels_text; NULL: the environment's FTERVIT_KERNELS, or the fastest */
    ftv_attention attention;
    int workers;      /* 0 means 1; working memory grows with it */
    int chunk_tokens; /* tokens that share one pass over the weights; 0: as the kernels like it */
    void *fast; /* a second, faster memory (a microcontroller's internal RAM) of fast_bytes, or NULL: the parts that are
                 */
    size_t fast_bytes; /* used most lie there as far as they fit, and the arena is smaller by them */
    ftv_parallel_for parallel_for;
    void *parallel_context;
    ftv_on_stage on_stage;
    void *stage_context;
} ftv_options;

typedef struct {
    const ftv_model *model;
    const struct ftv_kernels *kernels;
    ftv_options options;
    uint8_t *arena;
    size_t arena_bytes;
    uint8_t *scratch;     /* per worker: the kernels' own */
    size_t scratch_bytes; /* of one worker */
    float *parameters;    /* one layer's norms and biases in binary32 */
    int8_t *codes;        /* per worker: int8 inputs of a linear layer [chunk][max(embed_dim, mlp_dim)] */
    size_t codes_bytes;   /* of one worker */
    float *scales;        /* per worker [chunk]: their scales */
    float *rows;          /* per worker: a few rows [embed_dim] */
    float *x;             /* [tokens][embed_dim]: the residual stream */
    uint8_t *attention;   /* int8 attention only */
    uint8_t *work;        /* qkv, or each worker's hidden layer, or the int8 image, whichever stage it is */
    size_t hidden_stride, image_bytes;
    char error[FTV_ERROR_BYTES]; /* what ftv_start found wrong, in words */
} ftv_session;

typedef enum { FTV_GREY8, FTV_RGB888, FTV_RGB565_LE, FTV_RGB565_BE } ftv_pixels;

typedef struct {
    const uint8_t *data;
    int width, height;
    size_t stride; /* bytes from row to row */
    ftv_pixels format;
} ftv_image;

typedef struct {
    int index;
    float probability;
} ftv_class;

/* ---- functions ----------------------------------------------------------------------------------------- */

/* Reads a model out of `bytes` bytes at `data` (memory, or a mapped file), which must outlive it. Every offset, shape,
 * count, code and the checksum is verified; on failure `model->error` says what and where. */
ftv_status ftv_open(ftv_model *model, const void *data, size_t bytes);

/* Bytes of the file at the start of a larger space (a flash partition); `room`, all of it, when that cannot be told. */
size_t ftv_file_bytes(const void *data, size_t room);

/* Whether there can be a session with these options (NULL: all defaults), and in *bytes the arena that it needs. If
 * not, *bytes is 0, and `why` (of FTV_ERROR_BYTES) names the value that is in the way. `bytes` and `why` may be NULL.
 */
ftv_status ftv_plan(const ftv_model *model, const ftv_options *options, size_t *bytes, char *why);

/* The same in short: bytes of arena, or 0. */
size_t ftv_arena_bytes(const ftv_model *model, const ftv_options *options);

/* Lays a session out in `arena` (any alignment; the engine aligns within the size that ftv_plan gave); on failure
 * `session->error` says why. */
ftv_status ftv_start(ftv_session *session, const ftv_model *model, const ftv_options *options, void *arena,
                     size_t bytes);

/* Logits [classes] of one normalised picture [channels][size][size] in binary32. Infinity or NaN in it: all logits are
 * NaN. */
ftv_status ftv_run_f32(ftv_session *session, const float *picture, float *logits);

/* Logits [classes] of one 8-bit picture [size][size][channels]: (v - mean) / std is applied on the way. */
ftv_status ftv_run_u8(ftv_session *session, const uint8_t *picture, float *logits);

/* Resize and crop as the training did (antialiased, as Pillow does it) into [size][size][channels], 8 bits.
 * Works in the session's arena. Grey and colour are converted to what the model reads. */
ftv_status ftv_preprocess(ftv_session *session, const ftv_image *photo, uint8_t *picture);

/* The k most probable classes, best first; ties go to the lower index. Probabilities are of the softmax over all. */
ftv_status ftv_top_k(const float *logits, int classes, int k, ftv_class *best);

/* Name of a class (not terminated; its length in *length), or NULL when the file carries none. */
const char *ftv_class_name(const ftv_model *model, int index, size_t *length);

/* Multiply-accumulates with ternary weights of one forward pass. */
uint64_t ftv_ternary_macs(const ftv_model *model);

/* FTV_VERSION_TEXT of the library that is linked, which may be another than the header's. */
const char *ftv_version(void);

const char *ftv_status_text(ftv_status status);
const char *ftv_stage_text(ftv_stage stage);
const char *ftv_kernels_text(int index);                          /* names for options.kernels, NULL after the last */
bool ftv_kernels_supported(const char *name);                     /* by the processor we run on */
uint32_t ftv_crc32(uint32_t crc, const void *data, size_t bytes); /* zlib's; start with 0 */

#ifdef __cplusplus
}
#endif
#endif

# SPDX-License-Identifier: Apache-2.0
"""The engine as a Python extension (`ftervit._engine`), declared for cffi. setup.py compiles it when the package is
installed; `python setup.py build_ext --inplace` compiles it into a checkout."""
from pathlib import Path

from cffi import FFI

# What Python sees of ftervit.h: `...` leaves the rest to the compiler.
DECLARATIONS = """
typedef enum { FTV_OK, ... } ftv_status;
typedef enum { FTV_PACK_2BIT, FTV_PACK_BASE3 } ftv_packing;
typedef enum { FTV_ATTENTION_F32, FTV_ATTENTION_INT8 } ftv_attention;
typedef enum { FTV_STAGE_EMBED, FTV_STAGE_QKV, FTV_STAGE_ATTENTION, FTV_STAGE_PROJ, FTV_STAGE_BLOCK, FTV_STAGE_HEAD, FTV_STAGES } ftv_stage;
typedef enum { FTV_GREY8, FTV_RGB888, FTV_RGB565_LE, FTV_RGB565_BE } ftv_pixels;

typedef struct {
    int image_size, channels, patch_size, embed_dim, depth, heads, mlp_dim, classes, prefix_tokens, tokens;
    ftv_packing packing;
    size_t bytes;
    char error[...];
    ...;
} ftv_model;

typedef struct { uint8_t *work; ...; } ftv_session;

typedef struct {
    const char *kernels;
    ftv_attention attention;
    int workers, chunk_tokens;
    void *fast;
    size_t fast_bytes;
    void (*parallel_for)(void *context, int count, void (*task)(void *, int, int), void *arg);
    void *parallel_context;
    void (*on_stage)(void *context, ftv_stage stage, int block, const float *data, int rows, int cols, int row_stride);
    void *stage_context;
    ...;
} ftv_options;

typedef struct { const uint8_t *data; int width, height; size_t stride; ftv_pixels format; } ftv_image;
typedef struct { int index; float probability; } ftv_class;

ftv_status ftv_open(ftv_model *model, const void *data, size_t bytes);
size_t ftv_arena_bytes(const ftv_model *model, const ftv_options *options);
ftv_status ftv_start(ftv_session *session, const ftv_model *model, const ftv_options *options, void *arena, size_t bytes);
ftv_status ftv_run_f32(ftv_session *session, const float *picture, float *logits);
ftv_status ftv_run_u8(ftv_session *session, const uint8_t *picture, float *logits);
ftv_status ftv_preprocess(ftv_session *session, const ftv_image *photo, uint8_t *picture);
typedef struct { ftv_image image; uint8_t *pixels; } picture;
const char *picture_read(const char *path, picture *p);
void free(void *);
ftv_status ftv_top_k(const float *logits, int classes, int k, ftv_class *best);
const char *ftv_class_name(const ftv_model *model, int index, size_t *length);
uint64_t ftv_ternary_macs(const ftv_model *model);
const char *ftv_status_text(ftv_status status);
const char *ftv_stage_text(ftv_stage stage);
const char *ftv_kernels_text(int index);
bool ftv_kernels_supported(const char *name);

typedef struct platform_pool platform_pool;
platform_pool *platform_pool_start(int workers);
void platform_pool_run(void *pool, int count, void (*task)(void *, int, int), void *arg);
void platform_pool_stop(platform_pool *pool);

typedef struct { const uint8_t *codes; size_t stride; int rows, cols; ftv_packing packing; } ftv_matrix;
typedef struct { const char *kernels; platform_pool *pool; int workers, tokens; ftv_matrix weight;
    void (*parallel)(void (*fn)(void *), void *data, unsigned threads, unsigned flags); ...; } layer_t;
size_t layer_scratch_bytes(const layer_t *layer);
void layer_matmul(const layer_t *layer, int32_t *acc, const int8_t *x, void *scratch);
void layer_linear(const layer_t *layer, float *y, const float *x, const float *norm, float scale, const float *bias, void *scratch);

void engine_repeat(const layer_t *layer, int32_t *acc, const int8_t *x, void *scratch, int times);
const char *ops_text(int index);
double ops_seconds(const char *kernels, int index, int tokens, int dim, int heads, double seconds);
double engine_peak(const char *kernels, double seconds);

void engine_pack(ftv_packing packing, uint8_t *row, const int8_t *codes, int n);
int engine_unpack(ftv_packing packing, const uint8_t *row, int8_t *codes, int n);

extern "Python" void engine_on_stage(void *context, ftv_stage stage, int block, const float *data, int rows, int cols, int row_stride);
"""

PROLOGUE = """
#include "ftervit.h"
#include "layer.h"
#include "ops.h"
#include "packing.h"
#include "picture.h"
#include "platform.h"
#include <stdlib.h>

/* The names that Python knows them by */
#define picture_read ftv_picture_read
#define platform_pool_start ftv_platform_pool_start
#define platform_pool_run ftv_platform_pool_run
#define platform_pool_stop ftv_platform_pool_stop
#define layer_scratch_bytes ftv_layer_scratch_bytes
#define layer_matmul ftv_layer_matmul
#define layer_linear ftv_layer_linear
#define ops_text ftv_ops_text
#define ops_seconds ftv_ops_seconds
#define engine_peak ftv_ops_peak

/* to be timed without the caller's own cost */
static void engine_repeat(const layer_t *layer, int32_t *acc, const int8_t *x, void *scratch, int times) {
    while (times-- > 0) ftv_layer_matmul(layer, acc, x, scratch);
}

static void engine_pack(ftv_packing packing, uint8_t *row, const int8_t *codes, int n) { ftv_pack(packing, row, codes, n); }

/* 0 when a byte is not ternary */
static int engine_unpack(ftv_packing packing, const uint8_t *row, int8_t *codes, int n) {
    for (size_t i = 0; i < ftv_packed_bytes(packing, n); i++)
        if (!ftv_packed_valid(packing, row[i])) return 0;
    for (int i = 0; i < n; i++) codes[i] = (int8_t)ftv_unpack(packing, row, i);
    return 1;
}
"""

here = Path(__file__).parent.resolve()
relative = here.name   # setuptools wants paths relative to setup.py
sources = [f"{relative}/src/{f.name}" for f in sorted((here / "src").glob("*.c"))] + [f"{relative}/host/{n}.c" for n in ("layer", "ops", "picture", "platform_posix")]

ffibuilder = FFI()
ffibuilder.cdef(DECLARATIONS)
ffibuilder.set_source(
    "ftervit._engine", PROLOGUE, sources=sources, libraries=["m"],
    include_dirs=[f"{relative}/{d}" for d in ("include", "src", "host", "third_party")],
    depends=[f"{relative}/{f.relative_to(here).as_posix()}" for f in sorted(here.glob("*/*.h"))],
    extra_compile_args=["-std=c11", "-O3", "-ffp-contract=off", "-pthread"], extra_link_args=["-pthread"],
    optional=True)  # the package installs without a C compiler; importing ftervit.engine then says what is missing

/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of the GGUF container, version 3: bounds-checked, copies nothing, allocates nothing. */
#ifndef FTV_GGUF_H
#define FTV_GGUF_H

#include "ftervit.h"

typedef enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
} ftv_gguf_type;

enum { FTV_TENSOR_F32 = 0, FTV_TENSOR_F16 = 1, FTV_TENSOR_I8 = 24 };

typedef struct {
    const uint8_t *data;
    size_t bytes;
    uint64_t keys, tensors;
    size_t keys_at, tensors_at, data_at; /* offsets into the file */
    uint32_t alignment;
    size_t end;  /* of the last tensor, padded: where the file ends when more bytes were given than it has */
    char *error; /* FTV_ERROR_BYTES, written once: the first finding */
} ftv_gguf;

typedef struct {
    uint32_t type; /* of the value, or of an array's elements when `array` */
    bool array;
    uint64_t count; /* 1, or the array's length */
    const uint8_t *value;
    size_t bytes; /* of all elements */
} ftv_value;

typedef struct {
    uint32_t type, dims;
    uint64_t shape[4]; /* fastest first */
    const uint8_t *data;
    size_t bytes;
} ftv_tensor;

/* Walks the whole directory once: after FTV_OK no later look-up can leave the file. */
ftv_status ftv_gguf_open(ftv_gguf *g, const void *data, size_t bytes, char *error);

/* False when there is no such key or tensor. */
bool ftv_gguf_value(const ftv_gguf *g, const char *key, ftv_value *v);
bool ftv_gguf_tensor(const ftv_gguf *g, const char *name, ftv_tensor *t);

/* Tensors whose name starts with `prefix`. */
uint64_t ftv_gguf_count(const ftv_gguf *g, const char *prefix);

/* Formats into g->error unless that already says something, and returns `status`. */
ftv_status ftv_gguf_fail(const ftv_gguf *g, ftv_status status, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#endif

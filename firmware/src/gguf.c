/* SPDX-License-Identifier: Apache-2.0 */
#include "gguf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bits.h"

enum { MOST = 8192 }; /* tensors, keys: FTV_MAX_DEPTH blocks have fewer than 1200 */

typedef struct {
    const uint8_t *data;
    size_t at, end;
    bool bad;
} cursor;

ftv_status ftv_gguf_fail(const ftv_gguf *g, ftv_status status, const char *format, ...) {
    if (!g->error[0]) {
        va_list args;
        va_start(args, format);
        vsnprintf(g->error, FTV_ERROR_BYTES, format, args);
        va_end(args);
    }
    return status;
}

static const uint8_t *take(cursor *c, uint64_t n) {
    if (c->bad || n > c->end - c->at) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->data + c->at;
    c->at += (size_t)n;
    return p;
}

static uint32_t take_u32(cursor *c) {
    const uint8_t *p = take(c, 4);
    return p ? ftv_load_u32(p) : 0;
}

static uint64_t take_u64(cursor *c) {
    const uint8_t *p = take(c, 8);
    return p ? ftv_load_u64(p) : 0;
}

/* A string: 8 bytes of length, then its bytes. */
static const uint8_t *take_string(cursor *c, size_t *length) {
    uint64_t n = take_u64(c);
    const uint8_t *p = take(c, n);
    *length = p ? (size_t)n : 0;
    return p;
}

static size_t scalar_bytes(uint32_t type) {
    static const uint8_t size[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof size ? size[type] : 0;
}

static bool take_value(cursor *c, ftv_value *v) {
    v->type = take_u32(c);
    v->array = v->type == GGUF_ARRAY;
    v->count = 1;
    if (v->array) {
        v->type = take_u32(c);
        v->count = take_u64(c);
    }
    size_t start = c->at;
    if (v->type == GGUF_STRING) {
        for (uint64_t i = 0; i < v->count && !c->bad; i++) { /* 8 bytes or more each: ends with the file */
            size_t n;
            take_string(c, &n);
        }
    } else {
        size_t n = scalar_bytes(v->type);
        if (!n || v->count > (c->end - c->at) / n)
            c->bad = true;
        else
            take(c, v->count * n);
    }
    if (c->bad) return false;
    v->value = c->data + start;
    v->bytes = c->at - start;
    return true;
}

static size_t tensor_type_bytes(uint32_t type) {
    return type == FTV_TENSOR_F32 ? 4 : type == FTV_TENSOR_F16 ? 2 : type == FTV_TENSOR_I8 ? 1 : 0;
}

/* One entry of the tensor directory; `data_at` = 0 while the data section's place is not known yet. */
static bool take_tensor(const ftv_gguf *g, cursor *c, const uint8_t **name, size_t *length, ftv_tensor *t) {
    *name = take_string(c, length);
    t->dims = take_u32(c);
    if (c->bad) return false;
    if (t->dims < 1 || t->dims > 4) {
        ftv_gguf_fail(g, FTV_ERR_FORMAT, "tensor %.*s has %u dimensions, 1 to 4 are possible",
                      (int)(*length < 64 ? *length : 64), (const char *)*name, (unsigned)t->dims);
        return false;
    }
    uint64_t n = 1;
    for (uint32_t i = 0; i < 4; i++) {
        t->shape[i] = i < t->dims ? take_u64(c) : 1;
        if (c->bad) return false;
        if (t->shape[i] < 1 || t->shape[i] > g->bytes || n > g->bytes / t->shape[i]) {
            ftv_gguf_fail(g, FTV_ERR_FORMAT, "tensor %.*s claims more elements than the file has bytes, or none",
                          (int)(*length < 64 ? *length : 64), (const char *)*name);
            return false;
        }
        n *= t->shape[i];
    }
    t->type = take_u32(c);
    uint64_t offset = take_u64(c);
    if (c->bad) return false;
    size_t element = tensor_type_bytes(t->type);
    if (!element) {
        ftv_gguf_fail(g, FTV_ERR_UNSUPPORTED, "tensor %.*s has type %u; F32, F16 and I8 are read",
                      (int)(*length < 64 ? *length : 64), (const char *)*name, (unsigned)t->type);
        return false;
    }
    if (!g->data_at) return true;
    size_t room = g->bytes - g->data_at;
    if (offset % g->alignment || offset > room || n > (room - (size_t)offset) / element) {
        ftv_gguf_fail(g, FTV_ERR_FORMAT, "tensor %.*s lies outside the file, or is not aligned: truncated?",
                      (int)(*length < 64 ? *length : 64), (const char *)*name);
        return false;
    }
    t->data = g->data + g->data_at + offset;
    t->bytes = (size_t)n * element;
    return true;
}

static bool same(const uint8_t *s, size_t length, const char *key) {
    return strlen(key) == length && memcmp(s, key, length) == 0;
}

/* Magic, version, counts */
static ftv_status read_start(ftv_gguf *g, cursor *c) {
    const uint8_t *magic = take(c, 4);
    if (!magic || memcmp(magic, "GGUF", 4) != 0)
        return ftv_gguf_fail(g, FTV_ERR_FORMAT, "not a GGUF file: it does not start with 'GGUF'");
    const uint32_t version = take_u32(c);
    if (version != 3)
        return ftv_gguf_fail(g, FTV_ERR_UNSUPPORTED, "GGUF version %u; version 3, little-endian, is read",
                             (unsigned)version);
    g->tensors = take_u64(c);
    g->keys = take_u64(c);
    if (g->tensors > MOST || g->keys > MOST) /* look-ups are linear */
        return ftv_gguf_fail(g, FTV_ERR_UNSUPPORTED, "more than %d tensors or keys: truncated, or not one of ours",
                             MOST);
    return FTV_OK;
}

static ftv_status read_keys(ftv_gguf *g, cursor *c) {
    g->keys_at = c->at;
    g->alignment = 32;
    for (uint64_t i = 0; i < g->keys; i++) { /* 13 bytes or more each: ends with the file */
        size_t n;
        ftv_value v;
        const uint8_t *key = take_string(c, &n);
        if (!take_value(c, &v))
            return ftv_gguf_fail(g, FTV_ERR_FORMAT, "key %llu does not fit into the file: truncated?",
                                 (unsigned long long)i);
        if (same(key, n, "general.alignment") && v.type == GGUF_U32 && !v.array) g->alignment = ftv_load_u32(v.value);
    }
    if (g->alignment < 4 || g->alignment > 4096 || (g->alignment & (g->alignment - 1)))
        return ftv_gguf_fail(g, FTV_ERR_FORMAT, "alignment %u is not a power of two from 4 to 4096",
                             (unsigned)g->alignment);
    return FTV_OK;
}

/* Where the tensors' data begin and end: every tensor fits into the file. */
static ftv_status read_tensors(ftv_gguf *g, cursor *c) {
    const uint8_t *name;
    size_t n;
    ftv_tensor t;
    g->tensors_at = c->at;
    for (uint64_t i = 0; i < g->tensors; i++)
        if (!take_tensor(g, c, &name, &n, &t))
            return ftv_gguf_fail(g, FTV_ERR_FORMAT, "tensor %llu does not fit into the file: truncated?",
                                 (unsigned long long)i);
    if (c->bad) return ftv_gguf_fail(g, FTV_ERR_FORMAT, "the file ends inside its header");
    const size_t data_at = (c->at + g->alignment - 1) & ~(size_t)(g->alignment - 1);
    if (data_at > g->bytes) return ftv_gguf_fail(g, FTV_ERR_FORMAT, "the file ends before its tensor data");
    g->data_at = g->end = data_at;
    c->at = g->tensors_at;
    for (uint64_t i = 0; i < g->tensors; i++) {
        if (!take_tensor(g, c, &name, &n, &t)) return FTV_ERR_FORMAT;
        const size_t end = (size_t)(t.data - g->data) + t.bytes;
        g->end = end > g->end ? end : g->end;
    }
    const size_t padding = -(g->end - data_at) & (g->alignment - 1);
    g->end += padding < g->bytes - g->end ? padding : g->bytes - g->end;
    return FTV_OK;
}

ftv_status ftv_gguf_open(ftv_gguf *g, const void *data, size_t bytes, char *error) {
    memset(g, 0, sizeof *g);
    g->error = error;
    error[0] = 0;
    g->data = data;
    g->bytes = bytes;
    cursor c = {g->data, 0, bytes, false};
    ftv_status status = read_start(g, &c);
    if (!status) status = read_keys(g, &c);
    return status ? status : read_tensors(g, &c);
}

size_t ftv_file_bytes(const void *data, size_t room) {
    ftv_gguf g;
    char error[FTV_ERROR_BYTES];
    return !data || ftv_gguf_open(&g, data, room, error) ? room : g.end;
}

bool ftv_gguf_value(const ftv_gguf *g, const char *key, ftv_value *v) {
    cursor c = {g->data, g->keys_at, g->bytes, false};
    for (uint64_t i = 0; i < g->keys; i++) {
        size_t n;
        const uint8_t *k = take_string(&c, &n);
        if (!take_value(&c, v)) return false;
        if (same(k, n, key)) return true;
    }
    return false;
}

bool ftv_gguf_tensor(const ftv_gguf *g, const char *name, ftv_tensor *t) {
    cursor c = {g->data, g->tensors_at, g->bytes, false};
    for (uint64_t i = 0; i < g->tensors; i++) {
        size_t n;
        const uint8_t *k;
        if (!take_tensor(g, &c, &k, &n, t)) return false;
        if (same(k, n, name)) return true;
    }
    return false;
}

uint64_t ftv_gguf_count(const ftv_gguf *g, const char *prefix) {
    cursor c = {g->data, g->tensors_at, g->bytes, false};
    const size_t length = strlen(prefix);
    uint64_t count = 0;
    for (uint64_t i = 0; i < g->tensors; i++) {
        size_t n;
        const uint8_t *k;
        ftv_tensor t;
        if (!take_tensor(g, &c, &k, &n, &t)) break;
        count += n >= length && memcmp(k, prefix, length) == 0;
    }
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Model file -> ftv_model: nothing in the file is believed before it has been checked. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bits.h"
#include "ftervit.h"
#include "gguf.h"
#include "packing.h"

typedef struct {
    ftv_gguf g;
    ftv_model *m;
    ftv_status status;
    uint64_t tensors; /* read so far */
    int version;      /* of the format */
} reader;

#define FAIL(r, code, ...) ((r)->status = (r)->status ? (r)->status : ftv_gguf_fail(&(r)->g, code, __VA_ARGS__))

/* ---- keys ---- */

static bool read_key(reader *r, const char *key, uint32_t type, ftv_value *v) {
    if (r->status) return false;
    if (!ftv_gguf_value(&r->g, key, v))
        FAIL(r, FTV_ERR_FORMAT, "key %s is missing", key);
    else if (v->type != type)
        FAIL(r, FTV_ERR_FORMAT, "key %s has type %u, expected %u", key, (unsigned)v->type, (unsigned)type);
    return !r->status;
}

static int read_int(reader *r, const char *key, int low, int high) {
    ftv_value v;
    if (!read_key(r, key, GGUF_U32, &v)) return low;
    uint32_t x = ftv_load_u32(v.value);
    if (v.array || x < (uint32_t)low || x > (uint32_t)high) {
        FAIL(r, FTV_ERR_UNSUPPORTED, "key %s is %u; %d to %d is supported", key, (unsigned)x, low, high);
        return low;
    }
    return (int)x;
}

static float read_float(reader *r, const char *key, float low, float high) {
    ftv_value v;
    if (!read_key(r, key, GGUF_F32, &v)) return low;
    float x = ftv_load_f32(v.value);
    if (v.array || !(x >= low && x <= high)) FAIL(r, FTV_ERR_FORMAT, "key %s is out of range", key);
    return x;
}

static void read_floats(reader *r, const char *key, float *out, int n, float low, float high) {
    ftv_value v;
    if (!read_key(r, key, GGUF_F32, &v)) return;
    if (!v.array || v.count != (uint64_t)n) {
        FAIL(r, FTV_ERR_FORMAT, "key %s needs %d values, one per channel", key, n);
        return;
    }
    for (int i = 0; i < n; i++) {
        out[i] = ftv_load_f32(v.value + 4 * i);
        if (!(out[i] >= low && out[i] <= high)) FAIL(r, FTV_ERR_FORMAT, "key %s[%d] is out of range", key, i);
    }
}

/* Index of a string key's value among `names` (NULL-terminated). */
static int read_choice(reader *r, const char *key, const char *const *names) {
    ftv_value v;
    if (!read_key(r, key, GGUF_STRING, &v)) return 0;
    if (!v.array)
        for (int i = 0; names[i]; i++)
            if (v.bytes - 8 == strlen(names[i]) && memcmp(v.value + 8, names[i], v.bytes - 8) == 0) return i;
    FAIL(r, FTV_ERR_UNSUPPORTED, "key %s: unknown value (%s is one that works)", key, names[0]);
    return 0;
}

/* ---- tensors ---- */

/* A tensor of exactly this type and shape (slowest first; a dimension of 0 is not there), or NULL. */
static const uint8_t *read_tensor(reader *r, const char *name, uint32_t type, size_t a, size_t b, size_t c) {
    size_t want[4] = {c, b, a, 0};
    uint32_t dims = 0;
    uint64_t shape[4] = {1, 1, 1, 1};
    ftv_tensor t;
    for (int i = 0; i < 3; i++)
        if (want[i]) shape[dims++] = want[i];
    if (r->status) return NULL;
    if (!ftv_gguf_tensor(&r->g, name, &t)) {
        FAIL(r, FTV_ERR_FORMAT, "tensor %s is missing", name);
        return NULL;
    }
    if (t.type != type) {
        FAIL(r, FTV_ERR_FORMAT, "tensor %s has type %u, expected %u", name, (unsigned)t.type, (unsigned)type);
        return NULL;
    }
    for (int i = 0; i < 4; i++)
        if (t.shape[i] != shape[i]) {
            FAIL(r, FTV_ERR_FORMAT, "tensor %s: dimension %d is %llu, expected %llu", name, i,
                 (unsigned long long)t.shape[i], (unsigned long long)shape[i]);
            return NULL;
        }
    r->tensors++;
    return t.data;
}

static const uint8_t *read_f16(reader *r, const char *name, size_t rows, size_t cols) {
    const uint8_t *p = read_tensor(r, name, FTV_TENSOR_F16, 0, rows, cols);
    for (size_t i = 0; p && i < (rows ? rows : 1) * cols; i++)
        if ((p[2 * i + 1] & 0x7c) == 0x7c) {
            FAIL(r, FTV_ERR_FORMAT, "tensor %s holds an infinity or NaN at %zu", name, i);
            return NULL;
        }
    return p;
}

/* NULL when the file has no such vector */
static const uint8_t *read_optional_f16(reader *r, const char *name, int n) {
    ftv_tensor t;
    return ftv_gguf_tensor(&r->g, name, &t) ? read_f16(r, name, 0, (size_t)n) : NULL;
}

static const uint8_t *read_f32(reader *r, const char *name, size_t n) {
    const uint8_t *p = read_tensor(r, name, FTV_TENSOR_F32, 0, 0, n);
    for (size_t i = 0; p && i < n; i++)
        if (!(fabsf(ftv_load_f32(p + 4 * i)) <= 1e30f)) {
            FAIL(r, FTV_ERR_FORMAT, "tensor %s holds an infinity, a NaN or a value beyond 1e30 at %zu", name, i);
            return NULL;
        }
    return p;
}

/* [rows][packed], or [rows][groups][packed] */
static ftv_matrix read_codes(reader *r, const char *name, int rows, int groups, int cols) {
    const size_t packed = ftv_packed_bytes(r->m->packing, cols);
    ftv_matrix w = {NULL, packed * (size_t)(groups ? groups : 1), rows, cols, r->m->packing};
    const size_t bytes = w.stride * (size_t)rows;
    w.codes = groups ? read_tensor(r, name, FTV_TENSOR_I8, (size_t)rows, (size_t)groups, packed)
                     : read_tensor(r, name, FTV_TENSOR_I8, 0, (size_t)rows, packed);
    for (size_t i = 0; w.codes && i < bytes; i++) /* the tables of the kernels have entries for valid codes only */
        if (!ftv_packed_valid(w.packing, w.codes[i])) {
            FAIL(r, FTV_ERR_FORMAT, "tensor %s: byte %zu (%u) is not ternary", name, i, w.codes[i]);
            w.codes = NULL;
        }
    return w;
}

static const char *join(char *buffer, const char *prefix, const char *suffix) {
    snprintf(buffer, 64, "%s%s", prefix, suffix);
    return buffer;
}

static void read_linear(reader *r, ftv_linear *l, const char *prefix, int rows, int cols) {
    char name[64];
    l->weight = read_codes(r, join(name, prefix, ".weight"), rows, 0, cols);
    l->norm = read_optional_f16(r, join(name, prefix, ".norm.weight"), cols);
    l->bias = read_optional_f16(r, join(name, prefix, ".bias"), rows);
}

static void read_layer_norm(reader *r, ftv_layer_norm *n, const char *name) {
    n->codes = read_codes(r, name, 2, 0, r->m->embed_dim);
}

static void read_block(reader *r, ftv_block *b, int index) {
    const int d = r->m->embed_dim, h = r->m->mlp_dim;
    char prefix[32], name[64];
    snprintf(prefix, sizeof prefix, "blocks.%d.", index);
    const uint8_t *s = read_f32(r, join(name, prefix, "scales"), 8);
    read_layer_norm(r, &b->norm1, join(name, prefix, "norm1"));
    read_layer_norm(r, &b->norm2, join(name, prefix, "norm2"));
    read_linear(r, &b->qkv, join(name, prefix, "attn.qkv"), 3 * d, d);
    read_linear(r, &b->proj, join(name, prefix, "attn.proj"), d, d);
    read_linear(r, &b->fc1, join(name, prefix, "mlp.fc1"), h, d);
    read_linear(r, &b->fc2, join(name, prefix, "mlp.fc2"), d, h);
    b->ls1 = read_optional_f16(r, join(name, prefix, "ls1.gamma"), d);
    b->ls2 = read_optional_f16(r, join(name, prefix, "ls2.gamma"), d);
    if (r->status) return;
    b->norm1.scale = ftv_load_f32(s);
    b->norm1.bias_scale = ftv_load_f32(s + 4);
    b->norm2.scale = ftv_load_f32(s + 8);
    b->norm2.bias_scale = ftv_load_f32(s + 12);
    b->qkv.scale = ftv_load_f32(s + 16);
    b->proj.scale = ftv_load_f32(s + 20);
    b->fc1.scale = ftv_load_f32(s + 24);
    b->fc2.scale = ftv_load_f32(s + 28);
}

static void read_head(reader *r) {
    ftv_model *m = r->m;
    read_layer_norm(r, &m->norm, "norm");
    read_linear(r, &m->head, "head", m->classes, m->embed_dim);
    if (m->distilled) read_linear(r, &m->head_dist, "head_dist", m->classes, m->embed_dim);
    const uint8_t *s = read_f32(r, "scales", m->distilled ? 4 : 3);
    if (r->status) return;
    m->norm.scale = ftv_load_f32(s);
    m->norm.bias_scale = ftv_load_f32(s + 4);
    m->head.scale = ftv_load_f32(s + 8);
    if (m->distilled) m->head_dist.scale = ftv_load_f32(s + 12);
}

static void read_hyperparameters(reader *r) {
    static const char *const architectures[] = {"ftervit", NULL}, *const packings[] = {"2bit", "base3", NULL};
    ftv_model *m = r->m;
    read_choice(r, "general.architecture", architectures);
    r->version = read_int(r, "ftervit.format_version", 1, FTV_FORMAT_VERSION);
    m->packing = (ftv_packing)read_choice(r, "ftervit.packing", packings);
    m->image_size = read_int(r, "ftervit.image_size", 1, FTV_MAX_IMAGE_SIZE);
    m->channels = read_int(r, "ftervit.in_channels", 1, FTV_MAX_IN_CHANNELS);
    m->patch_size = read_int(r, "ftervit.patch_size", 1, FTV_MAX_PATCH_SIZE);
    m->embed_dim = read_int(r, "ftervit.embed_dim", 1, FTV_MAX_EMBED_DIM);
    m->depth = read_int(r, "ftervit.depth", 1, FTV_MAX_DEPTH);
    m->heads = read_int(r, "ftervit.num_heads", 1, FTV_MAX_NUM_HEADS);
    m->mlp_dim = read_int(r, "ftervit.mlp_dim", 1, FTV_MAX_MLP_DIM);
    m->classes = read_int(r, "ftervit.num_classes", 1, FTV_MAX_NUM_CLASSES);
    m->prefix_tokens = read_int(r, "ftervit.prefix_tokens", 1, FTV_MAX_PREFIX_TOKENS);
    m->distilled = read_int(r, "ftervit.distilled", 0, 1) == 1;
    m->norm_eps = read_float(r, "ftervit.norm_eps", 0.0f, 1.0f);
    if (r->status) return;
    int grid = m->image_size / m->patch_size;
    if (grid * m->patch_size != m->image_size)
        FAIL(r, FTV_ERR_FORMAT, "image size %d is not a multiple of the patch size %d", m->image_size, m->patch_size);
    if (m->embed_dim % m->heads)
        FAIL(r, FTV_ERR_FORMAT, "embed_dim %d is not a multiple of num_heads %d", m->embed_dim, m->heads);
    if (m->distilled && m->prefix_tokens < 2) FAIL(r, FTV_ERR_FORMAT, "a distilled model needs two prefix tokens");
    if (grid > FTV_MAX_GRID || grid * grid + m->prefix_tokens > FTV_MAX_TOKENS)
        FAIL(r, FTV_ERR_UNSUPPORTED, "more than %d tokens", FTV_MAX_TOKENS);
    else
        m->tokens = grid * grid + m->prefix_tokens;
}

static void read_preprocessing(reader *r) {
    static const char *const crops[] = {"center", "squash", NULL}, *const filters[] = {"nearest", "bilinear", "bicubic",
                                                                                       NULL};
    static const ftv_interpolation numbers[] = {FTV_NEAREST, FTV_BILINEAR, FTV_BICUBIC};
    ftv_model *m = r->m;
    read_floats(r, "ftervit.preprocess.mean", m->mean, m->channels, -1e3f, 1e3f);
    read_floats(r, "ftervit.preprocess.std", m->std, m->channels, 1e-6f, 1e6f);
    m->resize_size = read_int(r, "ftervit.preprocess.resize_size", m->image_size, FTV_MAX_RESIZE_SIZE);
    m->crop = (ftv_crop)read_choice(r, "ftervit.preprocess.crop_mode", crops);
    m->interpolation = numbers[read_choice(r, "ftervit.preprocess.interpolation", filters)];
}

static void read_class_names(reader *r) {
    ftv_value v;
    if (r->status || !ftv_gguf_value(&r->g, "ftervit.class_names", &v)) return;
    if (v.type != GGUF_STRING || !v.array || v.count != (uint64_t)r->m->classes)
        FAIL(r, FTV_ERR_FORMAT, "ftervit.class_names must name each of %d classes", r->m->classes);
    else
        r->m->class_names = v.value;
}

/* A tensor that nobody reads is one with a damaged name, or of an engine yet to come: the answers would be wrong
 * without it. */
static void verify_tensors(reader *r) {
    const uint64_t known = r->tensors + ftv_gguf_count(&r->g, "golden.");
    if (!r->status && known != r->g.tensors)
        FAIL(r, FTV_ERR_FORMAT, "%llu of %llu tensors have names unknown here: a newer format, or damaged?",
             (unsigned long long)(r->g.tensors - known), (unsigned long long)r->g.tensors);
}

static const uint8_t *read_checksum(reader *r, const char *key) {
    ftv_value v;
    if (!read_key(r, key, GGUF_U32, &v)) return NULL;
    if (v.array) FAIL(r, FTV_ERR_FORMAT, "%s must be one number", key);
    return v.array ? NULL : v.value;
}

static void verify(reader *r, const char *what, const uint8_t *value, uint32_t got) {
    if (got != ftv_load_u32(value))
        FAIL(r, FTV_ERR_CHECKSUM, "checksum of the %s is %08x, the file says %08x: damaged?", what, (unsigned)got,
             (unsigned)ftv_load_u32(value));
}

static void verify_checksums(reader *r) {
    const uint8_t *d = r->g.data, *value = read_checksum(r, "ftervit.checksum");
    if (value) verify(r, "tensor data", value, ftv_crc32(0, d + r->g.data_at, r->g.bytes - r->g.data_at));
    if (r->status || r->version < 2 || !(value = read_checksum(r, "ftervit.header_checksum"))) return;
    const size_t at = (size_t)(value - d); /* its own four bytes count as zeros */
    const uint32_t crc = ftv_crc32(ftv_crc32(0, d, at), "\0\0\0", 4);
    verify(r, "metadata", value, ftv_crc32(crc, value + 4, r->g.data_at - at - 4));
}

ftv_status ftv_open(ftv_model *m, const void *data, size_t bytes) {
    if (!m) return FTV_ERR_ARGUMENT;
    memset(m, 0, sizeof *m);
    reader r = {.m = m};
    r.g.error = m->error;
    if (!data) return ftv_gguf_fail(&r.g, FTV_ERR_ARGUMENT, "no data");
    r.status = ftv_gguf_open(&r.g, data, bytes, m->error);
    if (r.status) return r.status;
    m->data = data;
    m->bytes = bytes;
    read_hyperparameters(&r);
    if (!r.status) verify_checksums(&r);
    if (!r.status) read_preprocessing(&r);
    if (r.status) return r.status;
    const size_t d = (size_t)m->embed_dim;
    m->patch = read_codes(&r, "patch_embed.proj.weight", m->embed_dim, m->channels, m->patch_size * m->patch_size);
    m->patch_scale = read_f32(&r, "patch_embed.proj.scale", d);
    m->patch_bias = read_f16(&r, "patch_embed.proj.bias", 0, d);
    m->pos_embed = read_f16(&r, "pos_embed", (size_t)m->tokens, d);
    for (int i = 0; i < m->depth && !r.status; i++) read_block(&r, &m->blocks[i], i);
    if (!r.status) read_head(&r);
    verify_tensors(&r);
    read_class_names(&r);
    return r.status;
}

const char *ftv_class_name(const ftv_model *m, int index, size_t *length) {
    const uint8_t *p = m->class_names;
    if (!p || index < 0 || index >= m->classes) return NULL;
    while (index--) p += 8 + ftv_load_u64(p);
    *length = (size_t)ftv_load_u64(p);
    return (const char *)p + 8;
}

uint64_t ftv_ternary_macs(const ftv_model *m) {
    uint64_t d = (uint64_t)m->embed_dim, t = (uint64_t)m->tokens, patches = t - (uint64_t)m->prefix_tokens;
    uint64_t block = t * d * (4 * d + 2 * (uint64_t)m->mlp_dim),
             area = (uint64_t)m->patch_size * (uint64_t)m->patch_size;
    return patches * (uint64_t)m->channels * area * d + (uint64_t)m->depth * block +
           (m->distilled ? 2u : 1u) * d * (uint64_t)m->classes;
}

const char *ftv_version(void) { return FTV_VERSION_TEXT; }

const char *ftv_status_text(ftv_status s) {
    static const char *const text[] = {"ok",          "bad argument",      "bad format",
                                       "unsupported", "checksum mismatch", "arena too small"};
    return (unsigned)s < sizeof text / sizeof *text ? text[s] : "unknown status";
}

const char *ftv_stage_text(ftv_stage s) {
    static const char *const text[] = {"embed", "qkv", "attention", "proj", "mlp", "head"};
    return (unsigned)s < sizeof text / sizeof *text ? text[s] : "unknown stage";
}

/* Four bits at a time: 64 bytes of table, a few instructions per byte. */
uint32_t ftv_crc32(uint32_t crc, const void *data, size_t bytes) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *p = data;
    crc = ~crc;
    while (bytes--) {
        crc ^= *p++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

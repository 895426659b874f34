/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: good files run, everything else is refused with a status and words. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ftervit.h"
#include "gguf.h"
#include "math32.h"
#include "platform.h"

static ftv_model model;
static const char *const PATH = "tests/models/deit.gguf";

/* A copy that ends exactly at the heap block's end, so that the sanitizer sees every read beyond it. */
static ftv_status open_copy(const uint8_t *data, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) exit(2);
    memcpy(copy, data, n);
    ftv_status s = ftv_open(&model, copy, n);
    CHECK((s == FTV_OK) == (model.error[0] == 0), "status %d with the words '%s'", s, model.error);
    free(copy);
    return s;
}

static uint8_t *find(uint8_t *d, size_t n, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= n; i++)
        if (!memcmp(d + i, text, length)) return d + i;
    printf("%s is not in %s\n", text, PATH);
    exit(2);
}

static void refused(uint8_t *d, size_t n, ftv_status want, const char *words, const char *what) {
    ftv_status s = open_copy(d, n);
    CHECK(s == want && strstr(model.error, words), "%s: status %d (%s), expected %d (... %s ...)", what, s, model.error,
          want, words);
}

/* One value that is not finite, anywhere in the picture: all logits are the same NaN, whatever computes them. */
static void test_not_finite(float picture[3 * 16 * 16]) {
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    const char *kernels;
    for (int i = 0; (kernels = ftv_kernels_text(i / 8)); i++) {
        if (!ftv_kernels_supported(kernels)) continue;
        const float was = picture[i * 97 % (3 * 256)], value = bad[i % 4];
        picture[i * 97 % (3 * 256)] = value;
        const ftv_options o = {.kernels = kernels, .attention = i / 4 % 2 ? FTV_ATTENTION_INT8 : FTV_ATTENTION_F32};
        const size_t bytes = ftv_arena_bytes(&model, &o);
        void *arena = malloc(bytes);
        ftv_session s;
        float logits[5];
        CHECK(arena && ftv_start(&s, &model, &o, arena, bytes) == FTV_OK && ftv_run_f32(&s, picture, logits) == FTV_OK,
              "%s: a picture with %g", kernels, (double)value);
        for (int c = 0; c < 5; c++)
            CHECK(ftv_float_bits(logits[c]) == 0x7fc00000u, "%s: logit %g of a picture with %g", kernels,
                  (double)logits[c], (double)value);
        CHECK(ftv_top_k(logits, 5, 1, &(ftv_class){0}) == FTV_ERR_ARGUMENT, "the best of NaN");
        picture[i * 97 % (3 * 256)] = was;
        free(arena);
    }
}

/* A pool's threads stay behind when the process forks: the child goes on with threads of its own, or just stops the
 * pool. */
enum { TASKS = 100 };
static void mark(void *done, int index, int worker) { ((int *)done)[index] += worker >= 0; }
static void test_fork(bool goes_on) {
    platform_pool *pool = ftv_platform_pool_start(3);
    int done[TASKS] = {0};
    ftv_platform_pool_run(pool, TASKS, mark, done);
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        alarm(20); /* seconds, then it hangs */
        if (goes_on) ftv_platform_pool_run(pool, TASKS, mark, done);
        bool all = true;
        for (int i = 0; i < TASKS; i++) all = all && done[i] == 1 + goes_on;
        ftv_platform_pool_stop(pool);
        _exit(all ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0, "a child of fork() that %s the pool: status %d", goes_on ? "runs" : "stops", status);
    ftv_platform_pool_run(pool, TASKS, mark, done);
    for (int i = 0; i < TASKS; i++) CHECK(done[i] == 2, "task %d ran %d times", i, done[i]);
    ftv_platform_pool_stop(pool);
}

static void put_header_checksum(uint8_t *d, size_t header) {
    uint8_t *value = find(d, header, "ftervit.header_checksum") + 23 + 4;
    memset(value, 0, 4);
    const uint32_t crc = ftv_crc32(0, d, header);
    memcpy(value, &crc, 4);
}

/* Format version 2: a checksum over the metadata, so that no changed bit of the file goes unnoticed. */
static void test_version_2(const uint8_t *file, size_t n, size_t header) {
    static const char pair[] =
        "\x17\0\0\0\0\0\0\0ftervit.header_checksum\4\0\0\0....\x0b\0\0\0\0\0\0\0general.pad\x08\0\0\0\x1a\0\0\0\0\0\0\0"
        "so many letters as it must";
    enum { MORE = sizeof pair - 1, AT = 24 }; /* behind the container's own header */
    _Static_assert(MORE % 32 == 0, "tensors stay aligned");
    uint8_t *d = malloc(n + MORE);
    if (!d) exit(2);
    memcpy(d, file, AT), memcpy(d + AT, pair, MORE), memcpy(d + AT + MORE, file + AT, n - AT);
    d[16] += 2; /* keys */
    find(d, n, "ftervit.format_version")[22 + 4] = 2;
    put_header_checksum(d, header + MORE);
    CHECK(open_copy(d, n + MORE) == FTV_OK, "version 2: %s", model.error);
    for (size_t i = 0; i < header + MORE; i++)
        for (int bit = 0; bit < 8; bit++) {
            d[i] ^= (uint8_t)(1 << bit);
            CHECK(open_copy(d, n + MORE) != FTV_OK, "version 2: bit %d of byte %zu changed, and nobody noticed", bit,
                  i);
            d[i] ^= (uint8_t)(1 << bit);
        }
    find(d, n, "class_names")[11 + 4 + 4 + 8 + 8] ^= 1; /* a letter */
    refused(d, n + MORE, FTV_ERR_CHECKSUM, "metadata", "another class name");
    free(d);
}

/* ---- the file, a copy to damage, and its directory ---- */

static const uint8_t *file;
static uint8_t *d;
static size_t n;
static ftv_gguf g;
#define FRESH memcpy(d, file, n)

static void test_bytes(void) {
    FRESH;
    CHECK(open_copy(d, n) == FTV_OK, "%s", model.error);
    for (size_t i = 0; i < n; i++) CHECK(open_copy(d, i) != FTV_OK, "the first %zu bytes pass for a file", i);
    for (size_t i = 0; i < g.data_at; i++) /* every bit of the header: refused, or harmless */
        for (int bit = 0; bit < 8; bit++) {
            d[i] ^= (uint8_t)(1 << bit);
            open_copy(d, n);
            d[i] = file[i];
        }
    for (size_t i = g.data_at; i < n; i += 7) {
        d[i] ^= 0x10;
        CHECK(open_copy(d, n) == FTV_ERR_CHECKSUM, "a changed byte at %zu is not noticed", i);
        d[i] = file[i];
    }
}

static void test_container(void) {
    refused((uint8_t[]){'G', 'G', 'M', 'L'}, 4, FTV_ERR_FORMAT, "GGUF", "another magic");
    FRESH, d[4] = 2, refused(d, n, FTV_ERR_UNSUPPORTED, "version 2", "an old version");
    FRESH, memset(d + 8, 0xff, 8), refused(d, n, FTV_ERR_UNSUPPORTED, "more than", "2^64 - 1 tensors");
    FRESH, memset(d + 16, 0xff, 8), refused(d, n, FTV_ERR_UNSUPPORTED, "more than", "2^64 - 1 keys");
    FRESH, d[8]++, refused(d, n, FTV_ERR_FORMAT, "tensor", "one tensor more than there are");
    FRESH, d[16]++, refused(d, n, FTV_ERR_FORMAT, "fit", "one key more than there are");
    FRESH, memset(d + 24, 0xff, 8), refused(d, n, FTV_ERR_FORMAT, "does not fit", "a key of 2^64 - 1 bytes");
}

static const struct {
    const char *key;
    int32_t value;
    ftv_status status;
    const char *words;
} wrong[] = {
    {"ftervit.format_version", 3, FTV_ERR_UNSUPPORTED, "format_version is 3"},
    {"ftervit.format_version", 2, FTV_ERR_FORMAT, "header_checksum is missing"},
    {"ftervit.image_size", 15, FTV_ERR_FORMAT, "multiple of the patch size"},
    {"ftervit.image_size", 0, FTV_ERR_UNSUPPORTED, "image_size is 0"},
    {"ftervit.image_size", 1 << 30, FTV_ERR_UNSUPPORTED, "image_size"},
    {"ftervit.in_channels", 17, FTV_ERR_UNSUPPORTED, "in_channels is 17"},
    {"ftervit.embed_dim", 25, FTV_ERR_FORMAT, "multiple of num_heads"},
    {"ftervit.embed_dim", 48, FTV_ERR_FORMAT, "patch_embed.proj.weight"},
    {"ftervit.depth", 3, FTV_ERR_FORMAT, "blocks.2.scales is missing"},
    {"ftervit.depth", 65, FTV_ERR_UNSUPPORTED, "depth is 65"},
    {"ftervit.mlp_dim", 92, FTV_ERR_FORMAT, "mlp.fc1"},
    {"ftervit.num_classes", 6, FTV_ERR_FORMAT, "head.weight"},
    {"ftervit.num_classes", -1, FTV_ERR_UNSUPPORTED, "num_classes is 4294967295"},
    {"ftervit.prefix_tokens", 2, FTV_ERR_FORMAT, "pos_embed"},
    {"ftervit.distilled", 1, FTV_ERR_FORMAT, "two prefix tokens"},
    {"ftervit.norm_eps", -1, FTV_ERR_FORMAT, "norm_eps"},
    {"ftervit.preprocess.resize_size", 3, FTV_ERR_UNSUPPORTED, "resize_size is 3"},
    {"ftervit.checksum", 1, FTV_ERR_CHECKSUM, "00000001"},
};

static void test_keys(void) {
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FRESH;
        memcpy(find(d, n, wrong[i].key) + strlen(wrong[i].key) + 4, &wrong[i].value, 4);
        refused(d, n, wrong[i].status, wrong[i].words, wrong[i].key);
    }
}

static void test_names(void) {
    FRESH, memcpy(find(d, n, "ftervit.packing") + 15 + 12, "3bit", 4),
        refused(d, n, FTV_ERR_UNSUPPORTED, "packing", "an unknown packing");
    FRESH, memcpy(find(d, n, "general.architecture") + 20 + 12, "another", 7),
        refused(d, n, FTV_ERR_UNSUPPORTED, "general.architecture", "a file of another project");
    FRESH, find(d, n, "blocks.1.mlp.fc2.weight")[7] = '7',
                      refused(d, n, FTV_ERR_FORMAT, "blocks.1.mlp.fc2.weight is missing", "a missing tensor");
    FRESH, find(d, n, "blocks.1.mlp.fc2.norm.weight")[7] = '7',
                      refused(d, n, FTV_ERR_FORMAT, "1 of ", "an optional tensor under a name nobody asks for");
}

/* Right checksum, wrong contents */
static void test_hostile(void) {
    ftv_tensor t;
    ftv_value v;
    static const struct {
        const char *tensor;
        uint8_t byte;
        const char *words;
    } hostile[] = {{"blocks.0.attn.qkv.weight", 0xff, "is not ternary"},
                   {"norm", 0x03, "is not ternary"},
                   {"pos_embed", 0x7e, "infinity or NaN"},
                   {"blocks.1.scales", 0x7f, "infinity, a NaN"}};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        FRESH;
        CHECK(ftv_gguf_tensor(&g, hostile[i].tensor, &t), "%s", hostile[i].tensor);
        memset(d + (t.data - file), hostile[i].byte, 4);
        uint32_t crc = ftv_crc32(0, d + g.data_at, n - g.data_at);
        memcpy(find(d, n, "ftervit.checksum") + 16 + 4, &crc, 4);
        refused(d, n, FTV_ERR_FORMAT, hostile[i].words, hostile[i].tensor);
    }
    CHECK(ftv_crc32(0, "123456789", 9) == 0xcbf43926, "CRC-32");
    CHECK(ftv_gguf_value(&g, "ftervit.checksum", &v) && !ftv_gguf_value(&g, "ftervit.nothing", &v) &&
              !ftv_gguf_tensor(&g, "nothing", &t),
          "look-ups");
}

/* ---- sessions: options, arena, and a file at any address ---- */

static float a[5], b[5];
static uint8_t pixels[16 * 16 * 3];
static ftv_session s;
static size_t need;
static void *arena;

static void test_first_session(void) {
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 7);
    FRESH;
    ftv_open(&model, d, n);
    need = ftv_arena_bytes(&model, NULL);
    arena = malloc(need);
    if (!arena) exit(2);
    CHECK(ftv_start(&s, &model, NULL, arena, need - 1) == FTV_ERR_MEMORY, "an arena one byte short");
    CHECK(ftv_start(&s, &model, NULL, arena, need) == FTV_OK && ftv_run_u8(&s, pixels, a) == FTV_OK, "a first run");
}

static void test_shifted(void) {
    uint8_t *shifted = malloc(n + 16);
    if (!shifted) exit(2);
    for (size_t shift = 1; shift < 16; shift++) {
        memcpy(shifted + shift, file, n);
        CHECK(ftv_open(&model, shifted + shift, n) == FTV_OK && ftv_start(&s, &model, NULL, arena, need) == FTV_OK &&
                  ftv_run_u8(&s, pixels, b) == FTV_OK && !memcmp(a, b, sizeof a),
              "a file %zu bytes off its alignment gives other logits", shift);
    }
    ftv_open(&model, d, n);
    free(shifted);
}

static void test_chunks(void) {
    for (int chunk = 1; chunk < 6; chunk++) {
        ftv_options o = {.chunk_tokens = chunk};
        size_t bytes = ftv_arena_bytes(&model, &o);
        void *own = malloc(bytes);
        CHECK(own && ftv_start(&s, &model, &o, own, bytes) == FTV_OK && ftv_run_u8(&s, pixels, b) == FTV_OK &&
                  !memcmp(a, b, sizeof a),
              "chunks of %d tokens give other logits", chunk);
        free(own);
    }
}

static void test_fast_memory(void) {
    uint8_t *fast = malloc(need + 128);
    if (!fast) exit(2);
    for (size_t bytes = 0, last = need; bytes <= need;
         bytes += 777) { /* any part of the working memory may lie elsewhere */
        memset(fast, 0xa5, need + 128);
        ftv_options o = {.fast = fast + 1, .fast_bytes = bytes};
        const size_t rest = ftv_arena_bytes(&model, &o);
        CHECK(rest <= last, "more fast memory, larger arena");
        last = rest;
        uint8_t *own = malloc(rest);
        CHECK(own && ftv_start(&s, &model, &o, own, rest) == FTV_OK && ftv_run_u8(&s, pixels, b) == FTV_OK &&
                  !memcmp(a, b, sizeof a),
              "%zu bytes of fast memory give other logits", bytes);
        bool inside = fast[0] == 0xa5;
        for (size_t i = 1 + bytes; i < need + 128; i++) inside = inside && fast[i] == 0xa5;
        CHECK(inside, "%zu bytes of fast memory were not enough", bytes);
        free(own);
    }
    free(fast);
}

static void test_pictures(void) {
    float picture[3 * 16 * 16];
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++) picture[c * 256 + i] = ((float)pixels[i * 3 + c] - model.mean[c]) / model.std[c];
    ftv_start(&s, &model, NULL, arena, need);
    CHECK(ftv_run_f32(&s, picture, b) == FTV_OK && !memcmp(a, b, sizeof a),
          "8-bit and binary32 pictures give other logits");
    test_not_finite(picture);
}

static void test_arguments(void) {
    CHECK(sizeof model <= 21 << 10, "ftv_model has %zu bytes, more than ftervit.h says", sizeof model);
    ftv_start(&s, &model, NULL, arena, need);
    CHECK(!ftv_arena_bytes(&model, &(ftv_options){.kernels = "none"}) &&
              !ftv_arena_bytes(&model, &(ftv_options){.workers = 65}) &&
              !ftv_arena_bytes(&model, &(ftv_options){.chunk_tokens = -1}),
          "bad options");
    CHECK(ftv_run_u8(NULL, pixels, a) == FTV_ERR_ARGUMENT && ftv_open(NULL, d, n) == FTV_ERR_ARGUMENT &&
              ftv_open(&model, NULL, 0) == FTV_ERR_ARGUMENT,
          "null pointers");
    size_t length;
    ftv_open(&model, d, n);
    CHECK(ftv_class_name(&model, 4, &length) && length == 2 && !ftv_class_name(&model, 5, &length), "class names");
}

int main(void) {
    test_fork(true), test_fork(false);
    file = ftv_platform_file(PATH, &n);
    d = malloc(n);
    if (!file || !d) return printf("cannot read %s\n", PATH), 2;
    ftv_gguf_open(&g, file, n, model.error);
    test_bytes();
    test_container();
    test_keys();
    test_names();
    test_hostile();
    test_version_2(file, n, g.data_at);
    test_first_session();
    test_shifted();
    test_chunks();
    test_fast_memory();
    test_pictures();
    test_arguments();
    free(arena), free(d);
    return check_done("model");
}

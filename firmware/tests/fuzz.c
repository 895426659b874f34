/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz N MODEL ... : mutates model files, reads them, and runs those that are accepted; the sanitizers watch.
 * Half of the mutants get a right checksum, else nearly all would end there. Built with -DFTV_LIBFUZZER and clang's
 * -fsanitize=fuzzer, the same target runs under libFuzzer instead. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ftervit.h"
#include "gguf.h"
#include "platform.h"

static ftv_model model;

/* Opens `n` bytes and runs the model if it is one that finishes soon. True when it was accepted. */
static bool try_file(const uint8_t *data, size_t n) {
    if (ftv_open(&model, data, n)) return false;
    const size_t pixels = (size_t)model.image_size * (size_t)model.image_size * (size_t)model.channels;
    ftv_options o = {.attention = (ftv_attention)(n & 1)};
    size_t need = ftv_arena_bytes(&model, &o);
    if (need && need < (1 << 20) && ftv_ternary_macs(&model) < 10000000) {
        ftv_session s;
        void *arena = malloc(need);
        float *logits = malloc((size_t)model.classes * sizeof *logits);
        uint8_t *picture = calloc(pixels, 1);
        size_t length;
        if (arena && logits && picture && !ftv_start(&s, &model, &o, arena, need)) {
            ftv_preprocess(&s, &(ftv_image){data, 5, 7, 15, FTV_RGB888}, picture);
            ftv_run_u8(&s, picture, logits);
            ftv_class_name(&model, model.classes - 1, &length);
        }
        free(arena), free(logits), free(picture);
    }
    return true;
}

#ifdef FTV_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n > 64) try_file(data, n);
    return 0;
}
#else

static void fix_checksum(uint8_t *d, size_t n) {
    char error[FTV_ERROR_BYTES];
    ftv_gguf g;
    ftv_value v;
    if (ftv_gguf_open(&g, d, n, error) || !ftv_gguf_value(&g, "ftervit.checksum", &v) || v.bytes != 4) return;
    uint32_t crc = ftv_crc32(0, d + g.data_at, n - g.data_at);
    memcpy(d + (v.value - d), &crc, 4);
    if (!ftv_gguf_value(&g, "ftervit.header_checksum", &v) || v.bytes != 4) return;
    memset(d + (v.value - d), 0, 4);
    crc = ftv_crc32(0, d, g.data_at);
    memcpy(d + (v.value - d), &crc, 4);
}

/* A few changes of the kinds that break readers: bits, bytes, 32 and 64-bit numbers, copies, cuts. */
static size_t mutate(uint8_t *d, size_t n, size_t header, uint64_t *seed) {
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       3,
                                       4,
                                       8,
                                       9,
                                       0x7f,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x100000000,
                                       0x7fffffffffffffff,
                                       0xffffffffffffffff};
    for (uint64_t k = 1 + check_random(seed) % 4; k--;) {
        uint64_t r = check_random(seed), value = numbers[r >> 40 & 15];
        size_t at = (size_t)(check_random(seed) % (r & 3 ? header : n)); /* mostly the header */
        if (at + 8 > n) continue;
        switch (r >> 8 & 7) {
            case 0: d[at] ^= (uint8_t)(1 << (r >> 16 & 7)); break;
            case 1: d[at] = (uint8_t)(r >> 16); break;
            case 2: memcpy(d + at, &value, 4); break;
            case 3: memcpy(d + at, &value, 8); break;
            case 4: d[at] = (uint8_t)(d[at] + (r & 16 ? 1 : -1)); break;
            case 5: memmove(d + at, d + r % (n - 8), 8); break;
            case 6: memset(d + at, (int)(r >> 20 & 255), r >> 30 & 7); break;
            default:
                if (!(r >> 60)) n = at + 1;
        }
        if (n < 16) return n;
        if (header > n) header = n;
    }
    return n;
}

int main(int argc, char **argv) {
    enum { MOST = 64 };
    static struct {
        const uint8_t *data;
        size_t bytes, header;
    } files[MOST];
    const int count = argc - 2;
    if (count < 1 || count > MOST) return printf("usage: fuzz N MODEL ... (up to %d)\n", MOST), 2;
    for (int i = 0; i < count; i++) {
        char error[FTV_ERROR_BYTES] = "cannot be read";
        ftv_gguf g;
        files[i].data = ftv_platform_file(argv[2 + i], &files[i].bytes);
        if (!files[i].data || ftv_gguf_open(&g, files[i].data, files[i].bytes, error))
            return printf("%s: %s\n", argv[2 + i], error), 2;
        files[i].header = g.data_at;
    }
    const long total = atol(argv[1]);
    long accepted = 0;
    uint64_t seed = 88172645463325252u, start = ftv_platform_count().total;
    for (long i = 0; i < total; i++) {
        const size_t n = files[i % count].bytes;
        uint8_t *d = malloc(n);
        if (!d) return 2;
        memcpy(d, files[i % count].data, n);
        const size_t cut = mutate(d, n, files[i % count].header, &seed);
        if (cut < n) { /* a block of exactly that size, so that the sanitizer sees every read beyond it */
            uint8_t *exact = malloc(cut ? cut : 1);
            if (!exact) return 2;
            memcpy(exact, d, cut);
            free(d);
            d = exact;
        }
        if (i & 1) fix_checksum(d, cut);
        accepted += try_file(d, cut);
        free(d);
    }
    printf("ok: %ld mutated files, %ld of them accepted and run, no sanitizer report, %.1f s\n", total, accepted,
           (double)(ftv_platform_count().total - start) * 1e-9);
    return 0;
}
#endif

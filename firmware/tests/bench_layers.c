/* SPDX-License-Identifier: Apache-2.0 */
/* bench_layers [KERNELS [TOKENS]]: cost of a ternary linear layer per multiply-accumulate, for DeiT's shapes and both
 * packings, with the fastest kernels or those named:
 *   product   int8 codes in, int32 sums out: table build included
 *   + scale   and (float)sum * scale + bias
 *   + quant   and RMSNorm with quantisation to int8 before it: all of the layer
 * In the emulator also without the instructions inside software floating point, which the ESP32-S3 does in hardware. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ftervit.h"
#include "kernels.h"
#include "packing.h"
#include "platform.h"

static int tokens = 8;

static uint32_t seed = 1;
static uint32_t next(void) { return (seed = seed * 1664525u + 1013904223u) >> 16; }

typedef struct {
    platform_count_t start;
    uint64_t macs;
} stopwatch;
static void print(stopwatch *w, const char *end) {
    platform_count_t now = ftv_platform_count();
    uint64_t total = now.total - w->start.total, soft = now.soft_float - w->start.soft_float;
    uint64_t a = total * 1000 / w->macs, b = (total - soft) * 1000 / w->macs;
    printf("  %3" PRIu64 ".%03" PRIu64, a / 1000, a % 1000);
    if (now.soft_float) printf(" (%" PRIu64 ".%03" PRIu64 ")", b / 1000, b % 1000);
    printf("%s", end);
}

static void measure(const ftv_kernels *k, ftv_packing packing, const char *name, int rows, int cols) {
    const size_t stride = ftv_packed_bytes(packing, cols);
    uint8_t *codes = malloc(stride * (size_t)rows);
    int8_t *row = malloc((size_t)cols), *x = malloc((size_t)(tokens * cols));
    float *in = malloc(sizeof(float) * (size_t)(tokens * cols)), *weight = malloc(sizeof(float) * (size_t)cols),
          *bias = malloc(sizeof(float) * (size_t)rows);
    float *y = malloc(sizeof(float) * (size_t)(tokens * rows)), *scales = malloc(sizeof(float) * (size_t)tokens);
    int32_t *acc = malloc(sizeof(int32_t) * (size_t)(tokens * rows));
    void *scratch = malloc(k->scratch_bytes(packing, rows, cols, tokens, 1, 1));
    if (!codes || !row || !x || !in || !weight || !bias || !y || !acc || !scratch || !scales) {
        printf("out of memory\n");
        exit(1);
    }
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < cols; i++) row[i] = (int8_t)(next() % 3) - 1;
        ftv_pack(packing, codes + (size_t)r * stride, row, cols);
        bias[r] = 0.1f;
    }
    for (int i = 0; i < cols; i++) weight[i] = 1.0f;
    for (int i = 0; i < tokens * cols; i++) in[i] = (float)(int)(next() % 2001) * 0.001f - 1.0f;
    const ftv_matrix w = {codes, stride, rows, cols, packing};
    stopwatch t = {.macs = (uint64_t)tokens * (uint64_t)rows * (uint64_t)cols};
    printf("%-6s %-12s %4d -> %4d", packing == FTV_PACK_2BIT ? "2bit" : "base3", name, cols, rows);
    for (int i = 0; i < tokens * cols; i++) x[i] = (int8_t)(next() & 255);
    t.start = ftv_platform_count();
    k->matmul(acc, x, (size_t)cols, &w, tokens, scratch);
    print(&t, "");
    for (int i = 0; i < tokens; i++) scales[i] = 0.01f;
    t.start = ftv_platform_count();
    k->linear(y, (size_t)rows, x, (size_t)cols, scales, &w, 0.02f, bias, tokens, scratch);
    print(&t, "");
    t.start = ftv_platform_count();
    k->rms_quantize(x, scales, in, (size_t)cols, weight, tokens, cols);
    k->linear(y, (size_t)rows, x, (size_t)cols, scales, &w, 0.02f, bias, tokens, scratch);
    print(&t, "\n");
    free(codes), free(row), free(x), free(in), free(weight), free(bias), free(y), free(acc), free(scratch),
        free(scales);
}

int main(int argc, char **argv) {
    const ftv_kernels *k = ftv_find_kernels(argc > 1 ? argv[1] : NULL);
    if (!k) return printf("no such kernels\n"), 1;
    if (argc > 2) tokens = atoi(argv[2]);
    if (tokens < 1) return printf("%s tokens: at least one\n", argv[2]), 1;
    printf("kernels %s, %s per multiply-accumulate (in parentheses: without software floating point)\n", k->name,
           ftv_platform_unit());
    printf("%-29s   %s\n", "layer", "product, + scale, + quant");
    for (int p = 0; p < 2; p++)
        for (int d = 192; d <= 384; d += 192) {
            const char *size = d == 192 ? "Tiny" : "Small";
            char name[16];
            measure(k, (ftv_packing)p, (snprintf(name, sizeof name, "%s qkv", size), name), 3 * d, d);
            measure(k, (ftv_packing)p, (snprintf(name, sizeof name, "%s proj", size), name), d, d);
            measure(k, (ftv_packing)p, (snprintf(name, sizeof name, "%s fc1", size), name), 4 * d, d);
            measure(k, (ftv_packing)p, (snprintf(name, sizeof name, "%s fc2", size), name), d, 4 * d);
        }
    return 0;
}

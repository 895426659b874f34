/* SPDX-License-Identifier: Apache-2.0 */
/* The ESP32-S3's vector kernels, executed from their assembly text (pie_run.c), against `ref`: bit by bit, over every
 * DeiT layer and odd sizes, with extreme values, misaligned data and guard bytes. And what they cost: instructions per
 * multiply-accumulate.
 *   test_pie          tests, and prints the table
 *   test_pie --csv    the table as comma-separated values, for the tokens of an inference at once */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "check.h"
#include "exp255.h"
#include "kernels.h"
#include "math32.h"
#include "packing.h"
#include "pie_cost.h"
#include "pie_gemm.h"
#include "pie_run.h"

extern const ftv_kernels ftv_kernels_pie;
static uint64_t seed = 1;
static bool broken; /* an instruction broke a rule in this case */
static uint32_t *job_words;

static uint64_t executed(void) {
    uint64_t n = 0;
    for (int i = 0; i < PIE_PARTS; i++) n += pie_count[i];
    return n;
}

static void run(const char *name, int words, const uint32_t *word, uint64_t cost) {
    const uint64_t before = executed();
    if (!broken) broken = !pie_call(name, words, word);
    if (!broken && pie_omitted < 0)
        CHECK(executed() - before == cost, "%s executed %llu instructions, pie_cost.h says %llu", name,
              (unsigned long long)(executed() - before), (unsigned long long)cost);
}

/* The functions of pie_gemm.S for this machine */
void ftv_pie_unpack(int8_t *tile, const uint8_t *rows, uintptr_t stride, uintptr_t blocks) {
    run("ftv_pie_unpack", 4, (uint32_t[]){pie_address(tile), pie_address(rows), (uint32_t)stride, (uint32_t)blocks},
        ftv_pie_unpack_cost(blocks));
}
void ftv_pie_align(int8_t *to, const int8_t *from, uintptr_t blocks) {
    run("ftv_pie_align", 3, (uint32_t[]){pie_address(to), pie_address(from), (uint32_t)blocks},
        ftv_pie_align_cost(blocks));
}
static void run_job(const char *name, const ftv_pie_job *j, uint64_t cost) {
    job_words[FTV_PIE_TILE / 4] = pie_address(j->tile);
    job_words[FTV_PIE_X / 4] = pie_address(j->x);
    job_words[FTV_PIE_X_STRIDE / 4] = (uint32_t)j->x_stride;
    job_words[FTV_PIE_X_SCALE / 4] = pie_address(j->x_scale);
    job_words[FTV_PIE_Y / 4] = pie_address(j->y);
    job_words[FTV_PIE_Y_STRIDE / 4] = (uint32_t)j->y_stride;
    job_words[FTV_PIE_BIAS / 4] = pie_address(j->bias);
    job_words[FTV_PIE_BLOCKS / 4] = (uint32_t)j->blocks;
    job_words[FTV_PIE_TOKENS / 4] = (uint32_t)j->tokens;
    memcpy(job_words + FTV_PIE_SCALE / 4, &j->scale, 4);
    run(name, 1, (uint32_t[]){pie_address(job_words)}, cost);
}
void ftv_pie_linear(const ftv_pie_job *j) { run_job("ftv_pie_linear", j, ftv_pie_linear_cost(j->blocks, j->tokens)); }
void ftv_pie_linear_narrow(const ftv_pie_job *j) {
    run_job("ftv_pie_linear_narrow", j, ftv_pie_narrow_cost(j->blocks, j->tokens));
}
void ftv_pie_sums(const ftv_pie_job *j) { run_job("ftv_pie_sums", j, ftv_pie_sums_cost(j->blocks, j->tokens)); }

void ftv_pie_dots(int32_t *out, const int8_t *q, const int8_t *k, uintptr_t stride, uintptr_t keys) {
    run("ftv_pie_dots", 5,
        (uint32_t[]){pie_address(out), pie_address(q), pie_address(k), (uint32_t)stride, (uint32_t)keys},
        ftv_pie_dots_cost(keys));
}
void ftv_pie_widen(int16_t *tile, const int8_t *v, uintptr_t stride, uintptr_t tokens, uintptr_t eighth) {
    run("ftv_pie_widen", 5,
        (uint32_t[]){pie_address(tile), pie_address(v), (uint32_t)stride, (uint32_t)tokens, (uint32_t)eighth},
        ftv_pie_widen_cost(tokens));
}
void ftv_pie_weigh(int32_t *sums, const int16_t *p, const int16_t *tile, uintptr_t blocks) {
    run("ftv_pie_weigh", 4, (uint32_t[]){pie_address(sums), pie_address(p), pie_address(tile), (uint32_t)blocks},
        ftv_pie_weigh_cost(blocks));
}

static float real(void) { return (float)(int32_t)(check_random(&seed) >> 32) * 0x1p-30f; }

typedef enum { RANDOM, MOST_NEGATIVE, MOST_POSITIVE, ALTERNATING, KINDS } kind;
typedef struct {
    ftv_packing packing;
    int cols, rows, tokens;
    size_t shift; /* 0: everything aligned */
    kind kind;
    bool bias;
} shape;

static int8_t code_of(const shape *s, int row, int col) {
    switch (s->kind) {
        case MOST_NEGATIVE: return 1;
        case MOST_POSITIVE: return -1;
        case ALTERNATING: return (int8_t)((row + col) % 3 - 1);
        default: return (int8_t)((int)(check_random(&seed) % 3) - 1);
    }
}

static void fill_codes(const shape *s, uint8_t *codes, size_t stride) {
    int8_t *row = malloc((size_t)s->cols);
    if (!row) exit(2);
    for (int r = 0; r < s->rows; r++) {
        for (int i = 0; i < s->cols; i++) row[i] = code_of(s, r, i);
        ftv_pack(s->packing, codes + (size_t)r * stride, row, s->cols);
    }
    free(row);
}

/* Does linear (or matmul) give the bits of ref, and leave its surroundings alone? */
static bool same(const shape *s, bool matmul) {
    const size_t shift = s->shift, stride = ftv_packed_bytes(s->packing, s->cols) + shift % 3;
    const size_t x_stride = (size_t)s->cols + shift % 5, y_stride = (size_t)s->rows + (shift ? 3 : 0);
    const size_t n = (size_t)s->tokens;
    job_words = pie_memory(40, 0, false);
    uint8_t *codes = pie_memory(stride * (size_t)s->rows, shift, false);
    int8_t *x = pie_memory(x_stride * n - (x_stride - (size_t)s->cols), shift * 7 % 16, false);
    float *scales = pie_memory(4 * n, shift % 4 * 4, false),
          *bias = pie_memory(4 * (size_t)s->rows, shift % 4 * 4, false);
    const size_t out = 4 * ((matmul ? (size_t)s->rows : y_stride) * (n - 1) + (size_t)s->rows);
    void *got = pie_memory(out, shift % 4 * 4, true), *want = pie_memory(out, 0, false);
    void *scratch =
        pie_memory(ftv_kernels_pie.scratch_bytes(s->packing, s->rows, s->cols, s->tokens, 1, 1), shift % 2 * 4, true);
    void *scratch_ref =
        pie_memory(ftv_kernels_ref.scratch_bytes(s->packing, s->rows, s->cols, s->tokens, 1, 1), 0, false);
    fill_codes(s, codes, stride);
    const size_t x_bytes = x_stride * (n - 1) + (size_t)s->cols;
    for (size_t i = 0; i < x_bytes; i++)
        x[i] = s->kind == RANDOM ? (int8_t)check_random(&seed) : s->kind == ALTERNATING && i & 1 ? 127 : -128;
    for (size_t t = 0; t < n; t++) scales[t] = fabsf(real());
    for (int r = 0; r < s->rows; r++) bias[r] = real();
    if (s->kind != RANDOM) scales[0] = 1.0f;
    const ftv_matrix w = {codes, stride, s->rows, s->cols, s->packing};
    const float scale = s->kind == ALTERNATING ? -0.37f : s->kind == MOST_NEGATIVE ? 0x1p-140f : 0.37f;
    memset(pie_count, 0, sizeof pie_count);
    broken = false;
    if (matmul) {
        ftv_kernels_pie.matmul(got, x, x_stride, &w, s->tokens, scratch);
        ftv_kernels_ref.matmul(want, x, x_stride, &w, s->tokens, scratch_ref);
    } else {
        ftv_kernels_pie.linear(got, y_stride, x, x_stride, scales, &w, scale, s->bias ? bias : NULL, s->tokens,
                               scratch);
        ftv_kernels_ref.linear(want, y_stride, x, x_stride, scales, &w, scale, s->bias ? bias : NULL, s->tokens,
                               scratch_ref);
    }
    const bool equal = !broken && !memcmp(got, want, out), guards = pie_forget();
    if (!broken && !(equal && guards))
        snprintf(pie_error, sizeof pie_error, equal ? "a guard byte changed" : "other bits");
    return equal && guards;
}

static void check(shape s) {
    for (int matmul = 0; matmul < 2; matmul++)
        CHECK(same(&s, matmul), "%s: packing %d, %d -> %d, %d tokens, shift %zu, kind %d: %s",
              matmul ? "matmul" : "linear", s.packing, s.cols, s.rows, s.tokens, s.shift, s.kind, pie_error);
}

/* The same of attention over int8: two heads side by side, the second one's queries [first, tokens). */
static bool same_attention(int tokens, int head_dim, int first, size_t shift, bool extreme) {
    const size_t stride = 2 * (size_t)head_dim, n = (size_t)tokens;
    int8_t *codes[3];
    for (int i = 0; i < 3; i++) {
        codes[i] = pie_memory(stride * n, i == (int)shift - 1 ? 8 : 0, false);
        for (size_t b = 0; b < stride * n; b++) codes[i][b] = extreme ? -128 : (int8_t)check_random(&seed);
        codes[i] += head_dim;
    }
    float *scales = pie_memory(4 * (2 * n + stride), 0, false);
    for (size_t i = 0; i < 2 * n + stride; i++) scales[i] = 0.003f + 0.003f * fabsf(real());
    if (shift == 2) scales[2 * n + 1] = 1e30f, scales[2 * n + 2] = INFINITY; /* of columns of v */
    const size_t out = 4 * ((n - 1) * stride + (size_t)head_dim);
    float *got = pie_memory(out, 4, true), *want = pie_memory(out, 0, true);
    void *scratch =
        pie_memory(ftv_kernels_pie.scratch_bytes(FTV_PACK_2BIT, 1, 1, 1, tokens, head_dim), shift * 4, true);
    void *scratch_ref = pie_memory(ftv_attention_scratch_ref(tokens, head_dim), 0, true);
    memset(pie_count, 0, sizeof pie_count);
    broken = false;
    ftv_kernels_pie.attention_int8(got, stride, codes[0], codes[1], codes[2], stride, scales, scales + 1, 2,
                                   scales + 2 * n, tokens, head_dim, 0.125f, first, tokens, scratch);
    ftv_attention_int8_ref(want, stride, codes[0], codes[1], codes[2], stride, scales, scales + 1, 2, scales + 2 * n,
                           tokens, head_dim, 0.125f, first, tokens, scratch_ref);
    const bool equal = !broken && !memcmp(got, want, out), guards = pie_forget();
    if (!broken && !(equal && guards))
        snprintf(pie_error, sizeof pie_error, equal ? "a guard byte changed" : "other bits");
    return equal && guards;
}

static void check_attention(void) {
    static const int tokens[] = {1, 2, 3, 7, 8, 9, 16, 17, 65, 197, 577}, heads[] = {64, 48, 32, 16, 7, 96};
    for (int t = 0; t < 11; t++)
        for (int h = 0; h < 6; h++)
            for (size_t shift = 0; shift < 4; shift++)
                for (int extreme = 0; extreme < 2; extreme++) {
                    const int first = tokens[t] > 3 ? tokens[t] - 3 : 0;
                    CHECK(same_attention(tokens[t], heads[h], first, shift, extreme),
                          "attention: %d tokens, head %d, shift %zu: %s", tokens[t], heads[h], shift, pie_error);
                }
}

/* The softmax's integers by table, at every step and around it, and across the whole range. All floats below zero were
 * compared once. */
static void check_exp255(void) {
    uint8_t lower[FTV_EXP255_INTERVALS];
    ftv_exp255_prepare(lower);
    const float others[] = {0.0f, -0.0f, -FTV_EXP255_INTERVALS * 0x1p-8f, -100.0f, -INFINITY, NAN, -NAN};
    uint64_t wrong = 0;
    for (int i = 0; i < 7; i++)
        wrong += ftv_exp255(others[i], lower) != (int32_t)ftv_rint(ftv_exp(others[i]) * 255.0f);
    for (int k = 1; k < 256; k++) {
        const uint32_t step = ftv_float_bits(ftv_exp255_steps[k]);
        for (uint32_t b = step - 500; b < step + 500; b++)
            wrong += ftv_exp255(ftv_bits_float(b), lower) != (int32_t)ftv_rint(ftv_exp(ftv_bits_float(b)) * 255.0f);
        CHECK(ftv_exp255(ftv_bits_float(step), lower) == k && ftv_exp255(ftv_bits_float(step + 1), lower) == k - 1,
              "255 e^d: step %d", k);
    }
    for (uint32_t b = 0x80000000u; b < 0xff800000u; b += 1009)
        wrong += ftv_exp255(ftv_bits_float(b), lower) != (int32_t)ftv_rint(ftv_exp(ftv_bits_float(b)) * 255.0f);
    CHECK(!wrong, "255 e^d differs in %llu places", (unsigned long long)wrong);
}

/* ---- DeiT ---- */

typedef struct {
    const char *model, *layer;
    int cols, rows, tokens, times; /* tokens of an inference, times it is run */
} layer;
enum { LAYERS = 6, PATCH = 16 * 16, BLOCKS = 12 };
static layer layer_of(int model, int index) {
    static const char *const models[] = {"DeiT-Tiny", "DeiT-Small", "DeiT-Base"};
    static const int widths[] = {192, 384, 768};
    const int d = widths[model];
    const layer all[LAYERS] = {
        {models[model], "patch", PATCH, d, 196, 3},    {models[model], "qkv", d, 3 * d, 197, BLOCKS},
        {models[model], "proj", d, d, 197, BLOCKS},    {models[model], "fc1", d, 4 * d, 197, BLOCKS},
        {models[model], "fc2", 4 * d, d, 197, BLOCKS}, {models[model], "head", d, 1000, 1, 1}};
    return all[index];
}

static void check_shapes(void) {
    for (int m = 0; m < 3; m++)
        for (int i = 0; i < LAYERS; i++) {
            const layer l = layer_of(m, i);
            for (int k = 0; k < 2; k++)
                check((shape){FTV_PACK_2BIT, l.cols, l.rows, 1, 0, k ? MOST_POSITIVE : RANDOM, true});
            check((shape){FTV_PACK_2BIT, l.cols, 32, 3, 0, ALTERNATING, false});
            check((shape){FTV_PACK_2BIT, l.cols, 32, 3, 0, MOST_NEGATIVE, true});
            check((shape){FTV_PACK_BASE3, l.cols, 48, 2, 0, RANDOM, true});
        }
    for (int p = 0; p < 2; p++) {
        const ftv_packing packing = (ftv_packing)p;
        for (int cols = 1; cols <= 131; cols++)
            check((shape){packing, cols, 1 + cols % 37, 1 + cols % 15, (size_t)cols % 16, (kind)(cols % KINDS),
                          cols & 1});
        for (size_t shift = 0; shift < 16; shift++)
            for (int tokens = 1; tokens <= 10; tokens++)
                check((shape){packing, 97, 19, tokens, shift, RANDOM, shift & 1});
        for (int tokens = 1; tokens <= 7; tokens++)
            check((shape){packing, 193, 10, tokens, (size_t)tokens, RANDOM, true});
        static const int widths[] = {191, 193, 240, 254, 255, 256, 257, 700, 4079, 4080, 4081, 4095, 4096, 8163};
        for (int i = 0; i < 14; i++)
            for (int k = 0; k < KINDS; k++) {
                check((shape){packing, widths[i], 17, 2, 0, (kind)k, false});
                check((shape){packing, widths[i], 16, 2, 5, (kind)k, true});
            }
    }
}

/* Would it be noticed if any one instruction were missing? */
static void check_omissions(void) {
    static const shape shapes[] = {{FTV_PACK_2BIT, 48, 32, 3, 0, RANDOM, true},
                                   {FTV_PACK_2BIT, 304, 32, 3, 0, RANDOM, true},
                                   {FTV_PACK_2BIT, 50, 16, 2, 3, RANDOM, true}};
    int noticed = 0, idle = 0;
    for (pie_omitted = 0; pie_omitted < pie_statements(); pie_omitted++) {
        bool differs = false;
        for (int i = 0; i < 3 && !differs; i++) differs = !same(&shapes[i], false) || !same(&shapes[i], true);
        differs = differs || !same_attention(24, 64, 22, 0, false) || !same_attention(1, 64, 0, 0, false);
        const bool nop = strcmp(pie_statement(pie_omitted), "nop") == 0;
        idle += nop, noticed += differs;
        CHECK(differs || nop, "nobody misses statement %d, %s", pie_omitted, pie_statement(pie_omitted));
    }
    printf("%d of %d instructions left out one at a time: noticed (the others: %d nop)\n", noticed, pie_omitted, idle);
    pie_omitted = -1;
}

/* ---- instructions per multiply-accumulate ---- */

static void measure(bool csv, int tokens_at_once) {
    if (csv)
        printf("model,layer,cols,rows,tokens,share_of_macs,unpack,multiply,drain,dequantise,call,total\n");
    else
        printf("instructions per multiply-accumulate, 2bit, %d tokens a call at most\n"
               "%-11s%-6s%6s%6s%7s  share  unpack  multiply   drain  dequantise    call   total\n",
               tokens_at_once, "", "layer", "cols", "rows", "tokens");
    for (int m = 0; m < 3; m++) {
        double macs = 0, sum[PIE_PARTS + 1] = {0}, all = 0;
        for (int i = 0; i < LAYERS; i++) {
            const layer l = layer_of(m, i);
            all += (double)l.cols * l.rows * l.tokens * l.times;
        }
        for (int i = 0; i <= LAYERS; i++) {
            const layer l = i < LAYERS ? layer_of(m, i) : (layer){layer_of(m, 0).model, "all", 0, 0, 0, 0};
            double part[PIE_PARTS + 1] = {0}, share = 1.0;
            if (i < LAYERS) { /* tiles cost the same: two of them stand for all; the head's last one is not full */
                const int rows = i == LAYERS - 1 ? l.rows : 32,
                          at_once = l.tokens < tokens_at_once ? l.tokens : tokens_at_once;
                const shape s = {FTV_PACK_2BIT, l.cols, rows, at_once, 0, RANDOM, true};
                CHECK(same(&s, i == 0), "%s %s: %s", l.model, l.layer, pie_error);
                macs = (double)l.cols * l.rows * l.tokens * l.times;
                for (int p = 0; p < PIE_PARTS; p++) part[p] = (double)pie_count[p] / ((double)l.cols * rows * at_once);
                share = macs / all;
                for (int p = 0; p < PIE_PARTS; p++) sum[p] += part[p] * share;
            } else
                memcpy(part, sum, sizeof part);
            for (int p = 0; p < PIE_PARTS; p++) part[PIE_PARTS] += part[p];
            if (l.tokens != 1) CHECK(part[PIE_PARTS] <= 0.15, "%s %s costs %.4f", l.model, l.layer, part[PIE_PARTS]);
            if (i == LAYERS) CHECK(part[PIE_PARTS] <= 0.10, "%s costs %.4f", l.model, part[PIE_PARTS]);
            printf(csv ? "%s,%s,%d,%d,%d,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f\n"
                       : "%-11s%-6s%6d%6d%7d%7.3f%8.4f%10.4f%8.4f%12.4f%8.4f%8.4f\n",
                   l.model, l.layer, l.cols, l.rows, l.tokens, share, part[PIE_UNPACK], part[PIE_MULTIPLY],
                   part[PIE_DRAIN], part[PIE_DEQUANTISE], part[PIE_CALL] + part[PIE_ALIGN], part[PIE_PARTS]);
        }
    }
}

int main(int argc, char **argv) {
    const bool csv = argc == 2 && strcmp(argv[1], "--csv") == 0;
    if (argc > 1 && !csv) return fprintf(stderr, "usage: test_pie [--csv]\n"), 2;
    pie_load(FTV_PIE_TEXT);
    if (csv) {
        measure(true, 197);
        return check_failures != 0;
    }
    check_shapes();
    check_exp255();
    check_attention();
    check_omissions();
    measure(false, 64);
    CHECK(same_attention(197, 64, 197 - 32, 0, false), "attention: %s", pie_error);
    printf("attention over int8, 197 tokens, 32 queries a call: %.4f instructions per multiply-accumulate (the softmax "
           "is not in "
           "it)\n",
           (double)pie_count[PIE_ATTEND] / (2.0 * 197 * 64 * 32));
    return check_done("pie");
}

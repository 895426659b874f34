/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel set against `ref`, bit by bit: lengths, misaligned data, guard bytes. And `ref` against plain
 * arithmetic. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kernels.h"
#include "math32.h"
#include "packing.h"

enum { MOST = 700, ROWS = 9, TOKENS = 15, GUARD = 64 };
static uint64_t seed = 1;

static float real(void) { return (float)(int32_t)(check_random(&seed) >> 32) * 0x1p-30f; }

/* `bytes` bytes at an address that is `shift` beyond a multiple of 64, with guards around them. */
typedef struct {
    uint8_t *base, *data;
    size_t bytes;
} guarded;
static guarded guard(size_t bytes, size_t shift) {
    guarded g = {malloc(bytes + 2 * GUARD + 128), NULL, bytes};
    if (!g.base) exit(2);
    g.data = g.base + (64 - (uintptr_t)g.base % 64) + 64 + shift;
    memset(g.base, 0xa5, bytes + 2 * GUARD + 128);
    return g;
}
static void unguard(guarded g, const char *what) {
    bool ok = true;
    for (const uint8_t *p = g.base; p < g.data; p++) ok = ok && *p == 0xa5;
    for (const uint8_t *p = g.data + g.bytes; p < g.base + g.bytes + 2 * GUARD + 128; p++) ok = ok && *p == 0xa5;
    CHECK(ok, "%s: wrote outside its output", what);
    free(g.base);
}

static void check_linear(const ftv_kernels *k, ftv_packing packing, int cols, int rows, int tokens, size_t shift,
                         bool extreme) {
    const size_t stride = ftv_packed_bytes(packing, cols) + shift % 3, x_stride = (size_t)cols + shift % 5;
    guarded codes = guard(stride * (size_t)rows, shift), x = guard(x_stride * (size_t)tokens, (shift * 7) % 16);
    guarded y = guard((size_t)(tokens * (rows + 3)) * 4, (shift % 4) * 4), y_ref = guard(y.bytes, 0),
            acc = guard((size_t)(tokens * rows) * 4, (shift % 4) * 4), acc_ref = guard(acc.bytes, 0);
    guarded scratch = guard(k->scratch_bytes(packing, rows, cols, tokens, 1, 1), 0),
            scratch_ref = guard(ftv_kernels_ref.scratch_bytes(packing, rows, cols, tokens, 1, 1), 0);
    int8_t row[MOST];
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < cols; i++) row[i] = extreme ? (r & 1 ? 1 : -1) : (int8_t)(check_random(&seed) % 3) - 1;
        ftv_pack(packing, codes.data + (size_t)r * stride, row, cols);
    }
    for (size_t i = 0; i < x.bytes; i++) x.data[i] = extreme ? (i & 4 ? 0x80 : 0x7f) : (uint8_t)check_random(&seed);
    if (extreme) memset(x.data, 0x80, x.bytes);
    float scales[64], bias[ROWS + 200];
    for (int i = 0; i < tokens; i++) scales[i] = fabsf(real());
    for (int i = 0; i < rows; i++) bias[i] = real();
    const ftv_matrix w = {codes.data, stride, rows, cols, packing};
    const int8_t *xs = (const int8_t *)x.data;
    memset(y.data, 0, y.bytes), memset(y_ref.data, 0, y.bytes);
    k->matmul((int32_t *)(void *)acc.data, xs, x_stride, &w, tokens, scratch.data);
    ftv_kernels_ref.matmul((int32_t *)(void *)acc_ref.data, xs, x_stride, &w, tokens, scratch_ref.data);
    CHECK(!memcmp(acc.data, acc_ref.data, acc.bytes), "%s matmul differs: packing %d, %d -> %d, %d tokens, shift %zu",
          k->name, packing, cols, rows, tokens, shift);
    const float *b = shift & 1 ? bias : NULL;
    k->linear((float *)(void *)y.data, (size_t)rows + 3, xs, x_stride, scales, &w, 0.37f, b, tokens, scratch.data);
    ftv_kernels_ref.linear((float *)(void *)y_ref.data, (size_t)rows + 3, xs, x_stride, scales, &w, 0.37f, b, tokens,
                           scratch_ref.data);
    CHECK(!memcmp(y.data, y_ref.data, y.bytes), "%s linear differs: packing %d, %d -> %d, %d tokens, shift %zu",
          k->name, packing, cols, rows, tokens, shift);
    unguard(codes, "linear"), unguard(x, "linear"), unguard(y, "linear"), unguard(y_ref, "linear"),
        unguard(acc, "matmul"), unguard(acc_ref, "matmul");
    unguard(scratch, "scratch of linear"), unguard(scratch_ref, "scratch of linear");
}

static void check_rows(const ftv_kernels *k, int n, size_t shift) {
    enum { R = 5 };
    const size_t stride = (size_t)n + shift % 3, all = stride * (R - 1) + (size_t)n;
    guarded a = guard(all * 4, shift * 4), b = guard(all * 4, 0), y = guard((size_t)(R * n) * 4, shift * 4),
            y_ref = guard(y.bytes, 0), q = guard((size_t)(R * n), shift), q_ref = guard(q.bytes, 0);
    float x[R * (MOST + 2)], gain[MOST], bias[MOST], s[R], s_ref[R];
    float *xa = (float *)(void *)a.data, *xb = (float *)(void *)b.data, *ya = (float *)(void *)y.data,
          *yb = (float *)(void *)y_ref.data;
    int8_t *qa = (int8_t *)q.data, *qb = (int8_t *)q_ref.data;
    for (size_t i = 0; i < all; i++) x[i] = real() * (shift == 3 ? 1e-7f : 4.0f);
    for (int i = 0; i < n; i++) gain[i] = real(), bias[i] = real();
    memcpy(xa, x, a.bytes), memcpy(xb, x, a.bytes);
    k->layer_norm(ya, xa, stride, gain, bias, 1e-6f, R, n), ftv_layer_norm_ref(yb, xb, stride, gain, bias, 1e-6f, R, n);
    CHECK(!memcmp(ya, yb, y.bytes), "%s layer_norm differs: length %d", k->name, n);
    k->gelu(xa, (int)all), ftv_gelu_ref(xb, (int)all);
    CHECK(!memcmp(xa, xb, a.bytes), "%s gelu differs: length %zu", k->name, all);
    k->rms_quantize(qa, s, xa, stride, gain, R, n), ftv_rms_quantize_ref(qb, s_ref, xb, stride, gain, R, n);
    CHECK(!memcmp(s, s_ref, sizeof s) && !memcmp(qa, qb, q.bytes) && !memcmp(xa, xb, a.bytes),
          "%s rms_quantize differs: length %d", k->name, n);
    CHECK(k->quantize(qa, x, n) == ftv_quantize_ref(qb, x, n) && !memcmp(qa, qb, q.bytes),
          "%s quantize differs: length %d", k->name, n);
    memcpy(xa, gain, (size_t)n * 4), memcpy(xb, gain, (size_t)n * 4);
    k->add(xa, x, shift & 1 ? bias : NULL, n), ftv_add_ref(xb, x, shift & 1 ? bias : NULL, n);
    CHECK(!memcmp(xa, xb, a.bytes), "%s add differs: length %d", k->name, n);
    for (size_t i = 0; i < q.bytes / 2; i++) /* every kind of binary16 but NaN, whose payload is nobody's business */
        q.data[2 * i] = (uint8_t)check_random(&seed), q.data[2 * i + 1] = (uint8_t)(check_random(&seed) & 0xfb);
    k->load_f16(xa, q.data, n), ftv_load_f16_ref(xb, q.data, n);
    CHECK(!memcmp(xa, xb, a.bytes), "%s load_f16 differs: length %d", k->name, n);
    unguard(a, "rows"), unguard(b, "rows"), unguard(y, "rows"), unguard(y_ref, "rows"), unguard(q, "rows"),
        unguard(q_ref, "rows");
}

/* One value that is not finite: the row's (the column's) scale is NaN, the codes are those of `ref`, the others' rows
 * stay. */
static void check_not_finite(const ftv_kernels *k, int n, int at, float value) {
    enum { R = 5, SPOILT = 2 };
    float x[R * MOST], y[R * MOST], gain[MOST], s[R], s_ref[R], column[MOST], column_ref[MOST];
    int8_t q[R * MOST], q_ref[R * MOST];
    for (int i = 0; i < R * n; i++) x[i] = real();
    for (int i = 0; i < n; i++) gain[i] = real();
    x[SPOILT * n + at] = value;
    const float one = k->quantize(q, x + SPOILT * n, n), one_ref = ftv_quantize_ref(q_ref, x + SPOILT * n, n);
    CHECK(isnan(one) && isnan(one_ref) && !memcmp(q, q_ref, (size_t)n), "%s quantize of %g at %d of %d", k->name,
          (double)value, at, n);
    k->quantize_columns(q, (size_t)n, column, x, (size_t)n, R, n);
    ftv_quantize_columns_ref(q_ref, (size_t)n, column_ref, x, (size_t)n, R, n);
    bool same = !memcmp(q, q_ref, (size_t)(R * n));
    for (int i = 0; i < n; i++)
        same = same && (i == at ? isnan(column[i]) && isnan(column_ref[i]) : column[i] == column_ref[i]);
    CHECK(same, "%s quantize_columns of %g at %d of %d", k->name, (double)value, at, n);
    memcpy(y, x, sizeof x);
    k->rms_quantize(q, s, x, (size_t)n, gain, R, n), ftv_rms_quantize_ref(q_ref, s_ref, y, (size_t)n, gain, R, n);
    same = !memcmp(q, q_ref, (size_t)(R * n));
    for (int r = 0; r < R; r++) same = same && (r == SPOILT ? isnan(s[r]) && isnan(s_ref[r]) : s[r] == s_ref[r]);
    CHECK(same, "%s rms_quantize of %g at %d of %d", k->name, (double)value, at, n);
}

static void check_attention(const ftv_kernels *k, int tokens, int head_dim) {
    const size_t stride = 3 * (size_t)head_dim;
    const size_t n = stride * (size_t)tokens;
    float *a = malloc(n * 4), *b = malloc(n * 4), scales[3 * MOST];
    int8_t *codes = malloc(n);
    if (!a || !b || !codes) exit(2);
    const int d = head_dim;
    guarded scratch = guard(k->scratch_bytes(FTV_PACK_2BIT, 1, 1, 1, tokens, d), 0),
            scratch_ref = guard(ftv_attention_scratch_ref(tokens, d), 0);
    for (size_t i = 0; i < n; i++) a[i] = b[i] = 3.0f * real(), codes[i] = (int8_t)check_random(&seed);
    for (int i = 0; i < 3 * MOST; i++) scales[i] = 0.01f + 0.01f * fabsf(real());
    for (int first = 0; first < tokens; first += 2 * k->query_step) {
        int last = first + 2 * k->query_step < tokens ? first + 2 * k->query_step : tokens;
        k->attention_f32(a, a, a + d, a + 2 * d, stride, tokens, d, 0.125f, first, last, scratch.data);
    }
    ftv_attention_f32_ref(b, b, b + d, b + 2 * d, stride, tokens, d, 0.125f, 0, tokens, scratch_ref.data);
    CHECK(!memcmp(a, b, n * 4), "%s attention_f32 differs: %d tokens, head %d", k->name, tokens, d);
    for (int first = 0; first < tokens; first += 2 * k->query_step) {
        int last = first + 2 * k->query_step < tokens ? first + 2 * k->query_step : tokens;
        k->attention_int8(a, stride, codes, codes + d, codes + 2 * d, stride, scales, scales + 1, 2, scales, tokens, d,
                          0.125f, first, last, scratch.data);
    }
    ftv_attention_int8_ref(b, stride, codes, codes + d, codes + 2 * d, stride, scales, scales + 1, 2, scales, tokens, d,
                           0.125f, 0, tokens, scratch_ref.data);
    CHECK(!memcmp(a, b, n * 4), "%s attention_int8 differs: %d tokens, head %d", k->name, tokens, d);
    unguard(scratch, "scratch of attention"), unguard(scratch_ref, "scratch of attention");
    free(a), free(b), free(codes);
}

static void check_columns(const ftv_kernels *k, int rows, int cols) {
    float x[MOST], scale[64], scale_ref[64];
    int8_t q[MOST], q_ref[MOST];
    const size_t stride = (size_t)cols + 3;
    for (int i = 0; i < MOST; i++) x[i] = 5.0f * real(), q[i] = q_ref[i] = 99;
    k->quantize_columns(q, stride, scale, x, stride, rows, cols);
    ftv_quantize_columns_ref(q_ref, stride, scale_ref, x, stride, rows, cols);
    CHECK(!memcmp(q, q_ref, sizeof q) && !memcmp(scale, scale_ref, (size_t)cols * 4),
          "%s quantize_columns differs: %d x %d", k->name, rows, cols);
}

/* The elementary functions against the C library's in binary64. */
static void check_functions(void) {
    float worst_exp = 0, worst_erf = 0;
    for (int i = 0; i <= 870000; i++) {
        float x = (float)i * -1e-4f;
        double e = exp((double)x);
        float d = (float)fabs((double)ftv_exp(x) / e - 1.0);
        worst_exp = d > worst_exp ? d : worst_exp;
    }
    for (int i = -60000; i <= 60000; i++) {
        float x = (float)i * 1e-4f, d = (float)fabs((double)ftv_erf(x) - erf((double)x));
        worst_erf = d > worst_erf ? d : worst_erf;
    }
    CHECK(worst_exp < 1.3e-7f, "exp: relative error %g", (double)worst_exp);
    CHECK(worst_erf < 4e-7f, "erf: absolute error %g", (double)worst_erf);
    CHECK(ftv_exp(0.0f) == 1.0f && ftv_exp(-1000.0f) == 0.0f && ftv_exp(-INFINITY) == 0.0f && ftv_exp(NAN) == 0.0f,
          "exp at its ends");
    CHECK(ftv_to_int8(0.5f) == 0 && ftv_to_int8(1.5f) == 2 && ftv_to_int8(-2.5f) == -2 && ftv_to_int8(126.5f) == 126,
          "half to even");
    CHECK(ftv_to_int8(1e30f) == 127 && ftv_to_int8(-1e30f) == -128 && ftv_to_int8(INFINITY) == 127 &&
              ftv_to_int8(NAN) == -128,
          "clipping");
    for (int h = 0; h < 65536; h++) {
        uint8_t bytes[2] = {(uint8_t)h, (uint8_t)(h >> 8)};
        int e = h >> 10 & 31, m = h & 1023;
        double want = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
        float got = ftv_load_f16(bytes, 0);
        CHECK((got != got && want != want) || (double)got == (h & 0x8000 ? -want : want), "binary16 %04x", (unsigned)h);
    }
    printf("largest relative error of exp %.3g, absolute of erf %.3g\n", (double)worst_exp, (double)worst_erf);
}

int main(void) {
    const char *name;
    check_functions();
    for (int i = 0; (name = ftv_kernels_text(i)); i++) {
        const ftv_kernels *k = ftv_find_kernels(name);
        if (!k) {
            printf("skipped: this processor does not run the kernels %s\n", name);
            continue;
        }
        for (int p = 0; p < 2; p++) {
            for (int cols = 1; cols <= 131; cols++)
                check_linear(k, (ftv_packing)p, cols, 1 + cols % ROWS, 1 + cols % TOKENS, (size_t)cols % 16, false);
            for (size_t shift = 0; shift < 16; shift++)
                for (int tokens = 1; tokens <= TOKENS; tokens++)
                    check_linear(k, (ftv_packing)p, 97, ROWS, tokens, shift, false);
            static const int widths[] = {191, 192, 193, 195, 196, 383, 384, 576, 700};
            for (int j = 0; j < 9; j++) {
                check_linear(k, (ftv_packing)p, widths[j], 130, TOKENS, 1, false);
                check_linear(k, (ftv_packing)p, widths[j], 70, TOKENS, 0, true);
            }
        }
        for (int n = 1; n <= 100; n++) check_rows(k, n, (size_t)n % 16);
        check_rows(k, 384, 0);
        for (int n = 1; n <= 67; n += 3)
            for (int at = 0; at < n; at += 5) {
                check_not_finite(k, n, at, NAN), check_not_finite(k, n, at, -NAN);
                check_not_finite(k, n, at, INFINITY), check_not_finite(k, n, at, -INFINITY);
            }
        for (int cols = 1; cols <= 40; cols++) check_columns(k, 1 + cols % 15, cols);
        static const int tokens[] = {1, 2, 5, 16, 17, 31, 33, 65}, heads[] = {1, 7, 16, 24, 64};
        for (int t = 0; t < 8; t++)
            for (int h = 0; h < 5; h++) check_attention(k, tokens[t], heads[h]);
    }
    CHECK(!ftv_find_kernels("no such kernels"), "an unknown name must give nothing");
    return check_done("kernels");
}

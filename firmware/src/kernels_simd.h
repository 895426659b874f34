/* The operations of a kernel set over vectors of LANES elements: included once per instruction set, which defines before
 *
 *   LANES, KERNELS           vector width (divides FTV_LANES), name of the set, as an identifier
 *   TOKENS, VECTORS          tile of matmul: tokens x vectors of rows, in registers
 *   KEYS, PV_QUERIES, PV_VECTORS   tiles of attention's two products
 *   vf, vi                   vectors of binary32 and int32, for which + - * / and casts of C work
 *   the functions below whose names begin with vf_ and vi_, and
 *   accumulate(n, acc, tile, x, stride, blocks)   acc[t][v] += codes of the tile . x[t], n tokens (a constant after inlining)
 *   peak(rounds)             the widest product, on registers alone
 *   X_BYTES, PACKED_AT, PACKED_BLOCK   optional: bytes of an activation as pack_blocks writes it; where token t begins, where its
 *                            next block of 16, so that tokens of a tile may lie interleaved (1; a token after the other)
 *   CODE_WORDS               optional: words that expand_tile makes of each word of a tile, once for all tokens, before `accumulate`
 *                            sees it (1: there is no expand_tile)
 *   CHAINS                   optional, where fused products are dear: a header with FN(sums_squares), FN(gelu), FN(exp), FN(scores),
 *                            FN(weighted), and FN(chains_fit), which says whether the last two may be used
 *
 * Float operations keep the order that math32.h states, so every width gives the same bits. */
#include "math32.h"
#include "packing.h"
#include "simd.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define FN(name) JOIN(name, KERNELS)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#ifndef CODE_WORDS
#define X_BYTES 1
#define PACKED_AT(t, stride) ((size_t)(t) * (stride))
#define PACKED_BLOCK BLOCK
#define CODE_WORDS 1
#endif
enum { WIDE = FTV_LANES / LANES, ROWS = VECTORS * LANES, BLOCK = 16, QUERIES = 2 * LANES };
_Static_assert(FTV_LANES % LANES == 0, "vectors must divide the virtual lanes");

/* ---- rows ---- */

INLINE float FN(fold)(vf a[WIDE]) {
    for (int w = WIDE / 2; w; w /= 2)
        for (int i = 0; i < w; i++) a[i] = a[i] + a[i + w];
    return vf_fold(a[0]);
}

/* Adds what a whole number of virtual lanes left over. */
INLINE float FN(fold_rest)(vf a[WIDE], const float *x, float center, int n, int done, bool squares) {
    if (done == n) return FN(fold)(a);
    float lane[FTV_LANES];
    for (int i = 0; i < WIDE; i++) vf_store(lane + i * LANES, a[i]);
    for (int i = done; i < n; i++) {
        float d = x[i] - center;
        lane[i - done] = squares ? fmaf(d, d, lane[i - done]) : lane[i - done] + x[i];
    }
    return ftv_fold(lane);
}

/* Rows are taken GROUP at a time: their chains of sums run beside each other. */
enum { GROUP = 4 };

#ifdef CHAINS
#include CHAINS
#else
INLINE void FN(sums_squares)(float *sum, const int rows, const float *x, size_t stride, const float *center, int n) {
    vf a[GROUP][WIDE];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int j = 0; j < WIDE; j++) a[r][j] = vf_set(0.0f);
    }
    int i = 0;
    for (; i + FTV_LANES <= n; i += FTV_LANES) {
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int j = 0; j < WIDE; j++) {
                const vf v = vf_load(x + (size_t)r * stride + i + j * LANES), d = center ? v - vf_set(center[r]) : v;
                a[r][j] = vf_fma(d, d, a[r][j]);
            }
        }
    }
    for (int r = 0; r < rows; r++)
        sum[r] = FN(fold_rest)(a[r], x + (size_t)r * stride, center ? center[r] : 0.0f, n, i, true);
}
#endif

INLINE void FN(layer_norm_group)(const int rows, float *y, const float *x, size_t stride, const float *gain, const float *bias,
                                 float eps, int n) {
    float mean[GROUP], r[GROUP];
    vf a[GROUP][WIDE];
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int j = 0; j < WIDE; j++) a[k][j] = vf_set(0.0f);
    }
    int i = 0;
    for (; i + FTV_LANES <= n; i += FTV_LANES) {
        UNROLL
        for (int k = 0; k < rows; k++) {
            UNROLL
            for (int j = 0; j < WIDE; j++) a[k][j] = a[k][j] + vf_load(x + (size_t)k * stride + i + j * LANES);
        }
    }
    for (int k = 0; k < rows; k++) mean[k] = FN(fold_rest)(a[k], x + (size_t)k * stride, 0.0f, n, i, false) / (float)n;
    FN(sums_squares)(r, rows, x, stride, mean, n);
    for (int k = 0; k < rows; k++) r[k] = ftv_inverse_deviation(r[k] / (float)n, eps);
    for (i = 0; i + LANES <= n; i += LANES) {
        const vf g = vf_load(gain + i), b = vf_load(bias + i);
        UNROLL
        for (int k = 0; k < rows; k++)
            vf_store(y + k * n + i, (vf_load(x + (size_t)k * stride + i) - vf_set(mean[k])) * vf_set(r[k]) * g + b);
    }
    for (; i < n; i++)
        for (int k = 0; k < rows; k++) y[k * n + i] = (x[(size_t)k * stride + (size_t)i] - mean[k]) * r[k] * gain[i] + bias[i];
}

static void FN(layer_norm)(float *y, const float *x, size_t x_stride, const float *gain, const float *bias, float eps, int rows,
                           int n) {
    for (; rows >= GROUP; rows -= GROUP, x += GROUP * x_stride, y += GROUP * n)
        FN(layer_norm_group)(GROUP, y, x, x_stride, gain, bias, eps, n);
    for (; rows; rows--, x += x_stride, y += n) FN(layer_norm_group)(1, y, x, x_stride, gain, bias, eps, n);
}

INLINE vi FN(to_int8)(vf x) {
    const vf magic = vf_set(12582912.0f);
    return vf_to_vi((vf_min(vf_max(x, vf_set(-128.0f)), vf_set(127.0f)) + magic) - magic);
}

INLINE float FN(quantize_below)(int8_t *q, const float *x, int n, float top) {
    float factor;
    const float scale = ftv_int8_scale(top, &factor);
    const vf s = vf_set(factor);
    int i = 0;
    for (; i + LANES <= n; i += LANES) vi_store_int8(q + i, FN(to_int8)(vf_load(x + i) * s));
    for (; i < n; i++) q[i] = ftv_to_int8(x[i] * factor);
    return scale;
}

static float FN(quantize)(int8_t *q, const float *x, int n) {
    vf m = vf_set(0.0f);
    int i = 0;
    for (; i + LANES <= n; i += LANES) m = vf_larger(vf_abs(vf_load(x + i)), m);
    float top = vf_largest(m);
    for (; i < n; i++) top = ftv_larger(fabsf(x[i]), top);
    return FN(quantize_below)(q, x, n, top);
}

INLINE void FN(rms_quantize_group)(const int rows, int8_t *q, float *scale, float *x, size_t stride, const float *weight, int n) {
    float r[GROUP], top[GROUP];
    vf m[GROUP];
    FN(sums_squares)(r, rows, x, stride, NULL, n);
    for (int k = 0; k < rows; k++) r[k] = 1.0f / sqrtf(r[k] / (float)n + 1e-5f);
    UNROLL
    for (int k = 0; k < rows; k++) m[k] = vf_set(0.0f);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf w = vf_load(weight + i);
        UNROLL
        for (int k = 0; k < rows; k++) {
            float *const at = x + (size_t)k * stride + i;
            const vf v = vf_load(at) * vf_set(r[k]) * w;
            vf_store(at, v);
            m[k] = vf_larger(vf_abs(v), m[k]);
        }
    }
    for (int k = 0; k < rows; k++) top[k] = vf_largest(m[k]);
    for (; i < n; i++)
        for (int k = 0; k < rows; k++) {
            float *const at = x + (size_t)k * stride + i;
            *at = *at * r[k] * weight[i];
            top[k] = ftv_larger(fabsf(*at), top[k]);
        }
    for (int k = 0; k < rows; k++) scale[k] = FN(quantize_below)(q + k * n, x + (size_t)k * stride, n, top[k]);
}

static void FN(rms_quantize)(int8_t *q, float *scale, float *x, size_t x_stride, const float *weight, int rows, int n) {
    for (; rows >= GROUP; rows -= GROUP, x += GROUP * x_stride, q += GROUP * n, scale += GROUP)
        FN(rms_quantize_group)(GROUP, q, scale, x, x_stride, weight, n);
    for (; rows; rows--, x += x_stride, q += n, scale++) FN(rms_quantize_group)(1, q, scale, x, x_stride, weight, n);
}

static void FN(quantize_columns)(int8_t *q, size_t q_stride, float *scale, const float *x, size_t x_stride, int rows, int cols) {
    int c = 0;
    for (; c + LANES <= cols; c += LANES) {
        vf m = vf_set(1e-5f);
        for (int r = 0; r < rows; r++) m = vf_larger(vf_abs(vf_load(x + (size_t)r * x_stride + c)), m);
        const vf not_finite = m - m, s = vf_set(127.0f) / m + not_finite; /* as ftv_int8_scale */
        vf_store(scale + c, m / vf_set(127.0f) + not_finite);
        for (int r = 0; r < rows; r++)
            vi_store_int8(q + (size_t)r * q_stride + c, FN(to_int8)(vf_load(x + (size_t)r * x_stride + c) * s));
    }
    ftv_quantize_columns_ref(q + c, q_stride, scale + c, x + c, x_stride, rows, cols - c);
}

#ifndef CHAINS
static void FN(gelu)(float *x, int n) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = vf_load(x + i), low = vf_max(v * vf_set(0x1.6a09e6p-1f), vf_set(-3.93f)), z = vf_min(low, vf_set(3.93f)),
                 t = z * z;
        vf p = vf_set(2.02699989e-06f), d = vf_set(3.79924256e-05f);
        p = vf_fma(p, t, vf_set(2.87509115e-04f));
        d = vf_fma(d, t, vf_set(1.19141886e-03f));
        p = vf_fma(p, t, vf_set(3.88445796e-03f));
        d = vf_fma(d, t, vf_set(1.52046795e-02f));
        p = vf_fma(p, t, vf_set(5.31086390e-02f));
        d = vf_fma(d, t, vf_set(1.15251534e-01f));
        p = vf_fma(p, t, vf_set(1.93183971e-01f));
        d = vf_fma(d, t, vf_set(5.04536445e-01f));
        p = vf_fma(p, t, vf_set(1.12837902e+00f));
        d = vf_fma(d, t, vf_set(1.0f));
        vf_store(x + i, vf_set(0.5f) * v * (vf_set(1.0f) + z * p / d));
    }
    for (; i < n; i++) x[i] = ftv_gelu(x[i]);
}
#endif

static void FN(add)(float *x, const float *y, const float *gain, int n) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = gain ? vf_load(y + i) * vf_load(gain + i) : vf_load(y + i);
        vf_store(x + i, vf_load(x + i) + v);
    }
    ftv_add_ref(x + i, y + i, gain ? gain + i : NULL, n - i);
}

static void FN(load_f16)(float *x, const uint8_t *f16, int n) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(x + i, vf_load_f16(f16 + 2 * i));
    ftv_load_f16_ref(x + i, f16 + 2 * i, n - i);
}

/* ---- ternary products ----
 * A tile of ROWS rows is transposed to [block][vector][lane] words of 16 codes, still 2 bits each; the activations' bytes are
 * put in the order in which (word >> 2 s) & 0x03030303 takes the codes out: code 4 j + s of a block is byte j for shift s. */

INLINE size_t FN(blocks)(int cols) { return ((size_t)cols + BLOCK - 1) / BLOCK; }

/* A row of base3 as words of 2-bit codes */
INLINE void FN(row_words)(uint32_t *words, const ftv_matrix *w, int row) {
    const uint8_t *bytes = w->codes + (size_t)row * w->stride;
    const size_t n = ftv_packed_bytes(w->packing, w->cols);
    uint64_t bits = 0;
    int filled = 0;
    for (size_t i = 0; i < n; i++) {
        bits |= (uint64_t)ftv_digits_of_base3[bytes[i]] << filled;
        filled += 10;
        if (filled >= 32) {
            *words++ = (uint32_t)bits;
            bits >>= 32;
            filled -= 32;
        }
    }
    if (filled) *words = (uint32_t)bits; /* digits beyond the last column meet activations that are zero */
}

/* tile[block][row] of rows [first, first + ROWS): rows that are not there repeat the last */
static void FN(pack_tile)(uint32_t *tile, uint32_t *words, const ftv_matrix *w, int first) {
    const int blocks = (int)FN(blocks)(w->cols), stride = (blocks + LANES - 1) / LANES * LANES + LANES;
    const size_t row_bytes = ftv_packed_bytes(w->packing, w->cols);
    for (int v = 0; v < VECTORS; v++) {
        const uint8_t *source[LANES];
        size_t readable[LANES];
        for (int i = 0; i < LANES; i++) {
            const int row = first + v * LANES + i < w->rows ? first + v * LANES + i : w->rows - 1;
            source[i] = w->codes + (size_t)row * w->stride;
            readable[i] = row + 1 < w->rows && w->stride >= row_bytes ? w->stride + row_bytes : row_bytes;
            if (w->packing != FTV_PACK_2BIT) {
                FN(row_words)(words + i * stride, w, row);
                source[i] = (const uint8_t *)(words + i * stride);
                readable[i] = (size_t)stride * 4;
            }
        }
        for (int b = 0; b < blocks; b += LANES) {
            vi rows[LANES];
            for (int i = 0; i < LANES; i++) {
                if ((size_t)(b + LANES) * 4 <= readable[i])
                    rows[i] = vi_load(source[i] + 4 * b);
                else {
                    uint32_t rest[LANES] = {0};
                    memcpy(rest, source[i] + 4 * b, row_bytes - 4 * (size_t)b < sizeof rest ? row_bytes - 4 * (size_t)b : sizeof rest);
                    rows[i] = vi_load(rest);
                }
            }
            vi_transpose(rows);
            for (int i = 0; i < LANES && b + i < blocks; i++) vi_store(tile + ((b + i) * VECTORS + v) * LANES, rows[i]);
        }
    }
}

/* Activations in the order of the codes, and minus their sum: codes are 0..2, one more than what they mean. Four rows at a
 * time, whose sums are added up together. */
static void FN(pack_tokens)(int8_t *packed, int32_t *minus_sum, const int8_t *x, size_t x_stride, int cols, int tokens) {
    const int whole = cols / BLOCK, rest = cols % BLOCK;
    const size_t stride = FN(blocks)(cols) * BLOCK * X_BYTES;
    for (int t = 0; t < tokens; t += 4) {
        vi sums[4] = {vi_set(0), vi_set(0), vi_set(0), vi_set(0)};
        for (int i = 0; i < 4 && t + i < tokens; i++, x += x_stride) {
            int8_t *const out = packed + PACKED_AT(t + i, stride);
            sums[i] = pack_blocks(out, x, whole, sums[i]);
            if (rest) {
                int8_t last[BLOCK] = {0};
                memcpy(last, x + whole * BLOCK, (size_t)rest);
                sums[i] = pack_blocks(out + whole * PACKED_BLOCK, last, 1, sums[i]);
            }
        }
        int32_t four[4];
        vi_sums(four, sums);
        for (int i = 0; i < 4 && t + i < tokens; i++) minus_sum[t + i] = -four[i];
    }
}

/* Where a tile's sums go: as they are, or y = sum * (x_scale * scale) (+ bias) */
typedef struct {
    void *out; /* int32 or binary32 [tokens][stride] */
    const float *x_scale, *bias;
    size_t stride;
    float scale;
} FN(target);
enum { SUMS, SCALED, BIASED };

INLINE void FN(tile)(const int kind, const int n, const uint32_t *tile, const int8_t *x, size_t stride, int blocks,
                     const int32_t *minus_sum, const FN(target) * to) {
    vi acc[TOKENS][VECTORS];
    UNROLL
    for (int t = 0; t < n; t++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++) acc[t][v] = vi_set(minus_sum[t]);
    }
    accumulate(n, acc, tile, x, stride, blocks);
    const float *const x_scale = to->x_scale, *const bias = to->bias;
    const float scale = to->scale;
    const size_t row = to->stride;
    float *out = to->out;
    UNROLL
    for (int t = 0; t < n; t++) {
        const vf s = vf_set(kind == SUMS ? 0.0f : x_scale[t] * scale);
        UNROLL
        for (int v = 0; v < VECTORS; v++) {
            float *const at = out + (size_t)t * row + v * LANES;
            if (kind == SUMS)
                vi_store(at, acc[t][v]);
            else if (kind == SCALED)
                vf_store(at, vi_to_vf(acc[t][v]) * s);
            else
                vf_store(at, vi_to_vf(acc[t][v]) * s + vf_load(bias + v * LANES));
        }
    }
}

/* Functions of their own, so that each gets all registers. */
#define TILE(kind, n)                                                                                                            \
    static __attribute__((noinline)) void FN(tile_##kind##_##n)(const uint32_t *tile, const int8_t *x, size_t stride,            \
                                                                int blocks, const int32_t *minus_sum, const FN(target) * to) {   \
        FN(tile)(kind, n, tile, x, stride, blocks, minus_sum, to);                                                               \
    }
#if TOKENS == 6
#define TILES(kind) TILE(kind, 1) TILE(kind, 2) TILE(kind, 3) TILE(kind, 4) TILE(kind, 5) TILE(kind, 6)
#define NAMES(kind)                                                                                                              \
    { FN(tile_##kind##_1), FN(tile_##kind##_2), FN(tile_##kind##_3), FN(tile_##kind##_4), FN(tile_##kind##_5), FN(tile_##kind##_6) }
#else
#define TILES(kind) TILE(kind, 1) TILE(kind, 2) TILE(kind, 3) TILE(kind, 4)
#define NAMES(kind)                                                                                                              \
    { FN(tile_##kind##_1), FN(tile_##kind##_2), FN(tile_##kind##_3), FN(tile_##kind##_4) }
#endif
TILES(SUMS)
TILES(SCALED)
TILES(BIASED)

static size_t FN(matmul_scratch)(int cols, int chunk) {
    const size_t blocks = FN(blocks)(cols), words = (blocks + LANES - 1) / LANES * LANES + LANES;
    return 64 + blocks * ROWS * 4 * (CODE_WORDS > 1 ? CODE_WORDS + 1 : 1) + LANES * words * 4 +
           blocks * BLOCK * X_BYTES * (size_t)(chunk + TOKENS - 1) + 4 * (size_t)chunk;
}

static void FN(products)(const int kind, float *out, size_t out_stride, const int8_t *x, size_t x_stride, const float *x_scale,
                         const ftv_matrix *w, float scale, const float *bias, int tokens, void *scratch) {
    static void (*const tiles[][TOKENS])(const uint32_t *, const int8_t *, size_t, int, const int32_t *, const FN(target) *) = {
        NAMES(SUMS), NAMES(SCALED), NAMES(BIASED)};
    const int blocks = (int)FN(blocks)(w->cols);
    const size_t stride = (size_t)blocks * BLOCK * X_BYTES, words = ((size_t)blocks + LANES - 1) / LANES * LANES + LANES;
    uint32_t *const tile = (uint32_t *)(void *)((uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64),
                    *const expanded = tile + (CODE_WORDS > 1 ? (size_t)blocks * ROWS : 0),
                    *const row_words = expanded + (size_t)blocks * ROWS * CODE_WORDS;
    int32_t *const minus_sum = (int32_t *)(void *)(row_words + LANES * words);
    int8_t *const packed = (int8_t *)(minus_sum + tokens);
    FN(pack_tokens)(packed, minus_sum, x, x_stride, w->cols, tokens);
    for (int row = 0; row < w->rows; row += ROWS) {
        const int rest = w->rows - row;
        float last_bias[ROWS], last_out[TOKENS * ROWS];
        FN(target) to = {.x_scale = x_scale, .bias = bias ? bias + row : NULL, .stride = out_stride, .scale = scale};
        if (rest < ROWS) { /* the last tile, not whole: aside, then as much as there is */
            to.stride = ROWS;
            if (bias) memcpy(last_bias, to.bias, (size_t)rest * sizeof(float)), to.bias = last_bias;
        }
        FN(pack_tile)(tile, row_words, w, row);
#if CODE_WORDS > 1
        expand_tile(expanded, tile, blocks);
#endif
        for (int t = 0; t < tokens; t += TOKENS) {
            const int n = tokens - t < TOKENS ? tokens - t : TOKENS;
            float *const at = out + (size_t)t * out_stride + (size_t)row;
            to.out = rest < ROWS ? last_out : at;
            tiles[kind][n - 1](expanded, packed + (size_t)t * stride, stride, blocks, minus_sum + t, &to);
            if (rest < ROWS)
                for (int i = 0; i < n; i++)
                    memcpy(at + (size_t)i * out_stride, last_out + i * ROWS, (size_t)rest * sizeof(float));
            if (to.x_scale) to.x_scale += n;
        }
    }
}

static void FN(matmul)(int32_t *acc, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens, void *scratch) {
    FN(products)(SUMS, (float *)(void *)acc, (size_t)w->rows, x, x_stride, NULL, w, 0.0f, NULL, tokens, scratch);
}

static void FN(linear)(float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale, const ftv_matrix *w,
                       float scale, const float *bias, int tokens, void *scratch) {
    FN(products)(bias ? BIASED : SCALED, y, y_stride, x, x_stride, x_scale, w, scale, bias, tokens, scratch);
}

/* ---- attention: a lane is a query, so that the sum over keys keeps its order ---- */

#ifndef CHAINS
INLINE vf FN(exp)(vf x) {
    const vf magic = vf_set(12582912.0f), k = (x * vf_set(0x1.715476p+0f) + magic) - magic;
    vf r = vf_fma(k, vf_set(-0x1.62e4p-1f), x);
    r = vf_fma(k, vf_set(-0x1.7f7d1cp-20f), r);
    vf p = vf_set(0x1.6ab8c6p-10f);
    p = vf_fma(p, r, vf_set(0x1.126dbep-7f));
    p = vf_fma(p, r, vf_set(0x1.55589ep-5f));
    p = vf_fma(p, r, vf_set(0x1.55540ap-3f));
    p = vf_fma(p, r, vf_set(0x1.fffffap-2f));
    p = vf_fma(p, r, vf_set(1.0f));
    p = vf_fma(p, r, vf_set(1.0f));
    return vf_keep_if_not_below(vf_scale_exponent(p, vf_to_vi(k)), x, vf_set(-87.0f));
}
#endif

/* s[tokens][QUERIES] <- e^(s - max over tokens); sum[QUERIES]: over the tokens, in the order of ftv_sum */
INLINE void FN(exp_below_max)(const int vectors, float *s, int tokens, vf *sum) {
    for (int v = 0; v < vectors; v++) {
        float *at = s + v * LANES;
        vf top = vf_load(at), lane[FTV_LANES];
        for (int j = 1; j < tokens; j++) top = vf_max(vf_load(at + j * QUERIES), top);
        for (int i = 0; i < FTV_LANES; i++) lane[i] = vf_set(0.0f);
        int j = 0;
        for (; j + FTV_LANES <= tokens; j += FTV_LANES)
            for (int i = 0; i < FTV_LANES; i++) {
                const vf e = FN(exp)(vf_load(at + (j + i) * QUERIES) - top);
                vf_store(at + (j + i) * QUERIES, e);
                lane[i] = lane[i] + e;
            }
        for (int i = 0; j + i < tokens; i++) {
            const vf e = FN(exp)(vf_load(at + (j + i) * QUERIES) - top);
            vf_store(at + (j + i) * QUERIES, e);
            lane[i] = lane[i] + e;
        }
        for (int w = FTV_LANES / 2; w; w /= 2)
            for (int i = 0; i < w; i++) lane[i] = lane[i] + lane[i + w];
        sum[v] = lane[0];
    }
}

/* out[d][QUERIES] = rows [0, n) of q, transposed, times scale; columns that are not there are zero */
INLINE void FN(transpose_queries)(float *out, const float *q, size_t stride, int n, int head_dim, float scale) {
    const vf s = vf_set(scale);
    for (int v = 0; v < QUERIES / LANES; v++) {
        int d = 0;
        for (; d + LANES <= head_dim; d += LANES) {
            vi rows[LANES];
            for (int i = 0; i < LANES; i++)
                rows[i] = v * LANES + i < n ? (vi)(vf_load(q + (size_t)(v * LANES + i) * stride + d) * s) : vi_set(0);
            vi_transpose(rows);
            for (int i = 0; i < LANES; i++) vi_store(out + (d + i) * QUERIES + v * LANES, rows[i]);
        }
        for (; d < head_dim; d++)
            for (int i = 0; i < LANES; i++)
                out[d * QUERIES + v * LANES + i] = v * LANES + i < n ? q[(size_t)(v * LANES + i) * stride + (size_t)d] * scale : 0.0f;
    }
}

#ifndef CHAINS
/* s[key][QUERIES] = q . k */
INLINE void FN(scores)(const int vectors, const int keys, float *s, const float *q, const float *k, size_t stride, int head_dim) {
    vf acc[KEYS][2];
    for (int j = 0; j < keys; j++)
        for (int v = 0; v < vectors; v++) acc[j][v] = vf_set(0.0f);
    for (int d = 0; d < head_dim; d++, q += QUERIES) {
        vf x[2];
        for (int v = 0; v < vectors; v++) x[v] = vf_load(q + v * LANES);
        for (int j = 0; j < keys; j++) {
            const vf b = vf_set(k[(size_t)j * stride + (size_t)d]);
            for (int v = 0; v < vectors; v++) acc[j][v] = vf_fma(x[v], b, acc[j][v]);
        }
    }
    for (int j = 0; j < keys; j++)
        for (int v = 0; v < vectors; v++) vf_store(s + j * QUERIES + v * LANES, acc[j][v]);
}

/* out[i][d] = sum_j p[j][i] v[j][d] / sum_i for PV_QUERIES queries, of which n are there, and PV_VECTORS vectors of columns */
INLINE void FN(weighted)(const int vectors, float *out, const float *p, const float *v, size_t stride, int tokens, const float *norm,
                         int n) {
    vf acc[PV_QUERIES][PV_VECTORS];
    for (int i = 0; i < PV_QUERIES; i++)
        for (int c = 0; c < vectors; c++) acc[i][c] = vf_set(0.0f);
    for (int j = 0; j < tokens; j++, p += QUERIES, v += stride) {
        vf x[PV_VECTORS];
        for (int c = 0; c < vectors; c++) x[c] = vf_load(v + c * LANES);
        for (int i = 0; i < PV_QUERIES; i++) {
            const vf b = vf_set(p[i]);
            for (int c = 0; c < vectors; c++) acc[i][c] = vf_fma(b, x[c], acc[i][c]);
        }
    }
    for (int i = 0; i < PV_QUERIES && i < n; i++) {
        const vf b = vf_set(norm[i]);
        for (int c = 0; c < vectors; c++) vf_store(out + (size_t)i * stride + c * LANES, acc[i][c] * b);
    }
}
#endif

INLINE void FN(all_scores)(const int vectors, float *s, const float *q, const float *k, size_t stride, int tokens, int head_dim) {
    int j = 0;
    for (; j + KEYS <= tokens; j += KEYS) FN(scores)(vectors, KEYS, s + j * QUERIES, q, k + (size_t)j * stride, stride, head_dim);
    s += j * QUERIES, k += (size_t)j * stride;
    switch (tokens - j) {
#define REST(n)                                                                                                                  \
    case n: FN(scores)(vectors, n, s, q, k, stride, head_dim); break;
        REST(1) REST(2) REST(3) REST(4) REST(5)
#if KEYS > 6
        REST(6) REST(7)
#endif
#undef REST
    }
}

static void FN(attention_f32)(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens, int head_dim,
                              float scale, int first, int last, void *scratch) {
    float *const s = (float *)(void *)((uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64), *const qt = s + tokens * QUERIES;
    float norm[QUERIES];
#ifdef CHAINS
    if (!FN(chains_fit)(q, k, v, stride, tokens, head_dim)) {
        ftv_attention_f32_ref(out, q, k, v, stride, tokens, head_dim, scale, first, last, scratch);
        return;
    }
#endif
    for (int i = first; i < last; i += QUERIES) {
        const int n = last - i < QUERIES ? last - i : QUERIES, vectors = n > LANES ? 2 : 1;
        const vf one = vf_set(1.0f);
        vf sum[2] = {one, one};
        FN(transpose_queries)(qt, q + (size_t)i * stride, stride, n, head_dim, scale);
        if (vectors == 2) {
            FN(all_scores)(2, s, qt, k, stride, tokens, head_dim);
            FN(exp_below_max)(2, s, tokens, sum);
        } else {
            FN(all_scores)(1, s, qt, k, stride, tokens, head_dim);
            FN(exp_below_max)(1, s, tokens, sum);
        }
        vf_store(norm, one / sum[0]), vf_store(norm + LANES, one / sum[1]);
        for (int a = 0; a < n; a += PV_QUERIES) {
            float *const row = out + (size_t)(i + a) * stride;
            int d = 0;
            for (; d + PV_VECTORS * LANES <= head_dim; d += PV_VECTORS * LANES)
                FN(weighted)(PV_VECTORS, row + d, s + a, v + d, stride, tokens, norm + a, n - a);
            for (; d + LANES <= head_dim; d += LANES) FN(weighted)(1, row + d, s + a, v + d, stride, tokens, norm + a, n - a);
            for (; d < head_dim; d++)
                for (int b = a; b < n && b < a + PV_QUERIES; b++) {
                    float total = 0.0f;
                    for (int j = 0; j < tokens; j++) total = fmaf(s[j * QUERIES + b], v[(size_t)j * stride + (size_t)d], total);
                    out[(size_t)(i + b) * stride + (size_t)d] = total * norm[b];
                }
        }
    }
}

/* ---- the same in int8: products of bytes, four at a time ---- */

static size_t FN(attention_int8_scratch)(int tokens, int head_dim) {
    const size_t quads = ((size_t)tokens + 3) / 4;
    return (quads * (size_t)head_dim + (quads + (size_t)head_dim) * QUERIES) * 4;
}

/* out[word][QUERIES]: rows [0, n) of q as words of four codes, transposed */
INLINE void FN(transpose_codes)(uint32_t *out, const int8_t *q, size_t stride, int n, int words) {
    memset(out, 0, (size_t)words * QUERIES * 4);
    for (int i = 0; i < n; i++)
        for (int w = 0; w < words; w++) __builtin_memcpy(out + w * QUERIES + i, q + (size_t)i * stride + 4 * w, 4);
}

INLINE void FN(int8_scores)(const int keys, float *s, const uint32_t *q, const vi minus[2], const vf scale[2], const int8_t *k,
                            size_t stride, const float *k_scale, size_t scale_stride, int words) {
    const vi sign = vi_set((int32_t)0x80808080u);
    vi acc[KEYS][2];
    for (int j = 0; j < keys; j++)
        for (int v = 0; v < 2; v++) acc[j][v] = minus[v];
    for (int w = 0; w < words; w++, q += QUERIES) {
        const vi x[2] = {vi_load(q), vi_load(q + LANES)};
        for (int j = 0; j < keys; j++) {
            const vi b = vi_set((int32_t)ftv_load_u32(k + (size_t)j * stride + 4 * w)) ^ sign; /* code + 128 */
            for (int v = 0; v < 2; v++) acc[j][v] = dot_u8_s8(acc[j][v], b, x[v]);
        }
    }
    for (int j = 0; j < keys; j++) {
        const vf b = vf_set(k_scale[(size_t)j * scale_stride]);
        for (int v = 0; v < 2; v++) vf_store(s + j * QUERIES + v * LANES, vi_to_vf(acc[j][v]) * (scale[v] * b));
    }
}

INLINE void FN(int8_weighted)(const int vectors, float *out, size_t out_stride, const uint32_t *p, const uint32_t *v, int quads,
                              int head_dim, const float *v_scale, const float *total, int n) {
    vi acc[PV_QUERIES][PV_VECTORS];
    for (int i = 0; i < PV_QUERIES; i++)
        for (int c = 0; c < vectors; c++) acc[i][c] = vi_set(0);
    for (int j = 0; j < quads; j++, p += QUERIES, v += head_dim) {
        vi x[PV_VECTORS];
        for (int c = 0; c < vectors; c++) x[c] = vi_load(v + c * LANES);
        for (int i = 0; i < PV_QUERIES; i++) {
            const vi b = vi_set((int32_t)p[i]);
            for (int c = 0; c < vectors; c++) acc[i][c] = dot_u8_s8(acc[i][c], b, x[c]);
        }
    }
    for (int i = 0; i < PV_QUERIES && i < n; i++) {
        const vf b = vf_set(total[i]);
        for (int c = 0; c < vectors; c++)
            vf_store(out + (size_t)i * out_stride + c * LANES, vi_to_vf(acc[i][c]) * (vf_load(v_scale + c * LANES) / b));
    }
}

static void FN(attention_int8)(float *out, size_t out_stride, const int8_t *q, const int8_t *k, const int8_t *v, size_t stride,
                               const float *q_scale, const float *k_scale, size_t scale_stride, const float *v_scale, int tokens,
                               int head_dim, float scale, int first, int last, void *scratch) {
    if (head_dim % LANES) {
        ftv_attention_int8_ref(out, out_stride, q, k, v, stride, q_scale, k_scale, scale_stride, v_scale, tokens, head_dim, scale,
                               first, last, scratch);
        return;
    }
    const int quads = (tokens + 3) / 4, words = head_dim / 4;
    float *const s = (float *)(void *)((uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64);
    uint32_t *const p = (uint32_t *)(void *)(s + tokens * QUERIES), *const qt = p + quads * QUERIES, *const vt = qt + words * QUERIES;
    for (int j = 0; j < quads; j++)
        for (int d = 0; d < head_dim; d += LANES) {
            vi four = vi_set(0);
            for (int b = 0; b < 4 && 4 * j + b < tokens; b++)
                four = four | vi_shift_left(vi_load_u8(v + (size_t)(4 * j + b) * stride + d), 8 * b);
            vi_store(vt + j * head_dim + d, four);
        }
    for (int i = first; i < last; i += QUERIES) {
        const int n = last - i < QUERIES ? last - i : QUERIES;
        float total[QUERIES], scales[QUERIES] = {0};
        for (int a = 0; a < n; a++) scales[a] = q_scale[(size_t)(i + a) * scale_stride] * scale;
        FN(transpose_codes)(qt, q + (size_t)i * stride, stride, n, words);
        const vf sq[2] = {vf_load(scales), vf_load(scales + LANES)};
        vi minus[2] = {vi_set(0), vi_set(0)}; /* -128 times the sum of the codes */
        for (int w = 0; w < words; w++)
            for (int a = 0; a < 2; a++) minus[a] = dot_u8_s8(minus[a], vi_set((int32_t)0x80808080u), vi_load(qt + w * QUERIES + a * LANES));
        for (int a = 0; a < 2; a++) minus[a] = vi_set(0) - minus[a];
        int j = 0;
        for (; j + KEYS <= tokens; j += KEYS)
            FN(int8_scores)(KEYS, s + j * QUERIES, qt, minus, sq, k + (size_t)j * stride, stride, k_scale + (size_t)j * scale_stride,
                            scale_stride, words);
        for (; j < tokens; j++)
            FN(int8_scores)(1, s + j * QUERIES, qt, minus, sq, k + (size_t)j * stride, stride, k_scale + (size_t)j * scale_stride,
                            scale_stride, words);
        const vf magic = vf_set(12582912.0f);
        for (int a = 0; a < QUERIES; a += LANES) {
            vf top = vf_load(s + a);
            for (int b = 1; b < tokens; b++) top = vf_max(vf_load(s + b * QUERIES + a), top);
            vi sum = vi_set(0);
            for (int b = 0; b < quads; b++) {
                vi four = vi_set(0);
                for (int c = 0; c < 4 && 4 * b + c < tokens; c++) {
                    const vf e = FN(exp)(vf_load(s + (4 * b + c) * QUERIES + a) - top);
                    const vi code = vf_to_vi((e * vf_set(255.0f) + magic) - magic);
                    sum = sum + code;
                    four = four | vi_shift_left(code, 8 * c);
                }
                vi_store(p + b * QUERIES + a, four);
            }
            vf_store(total + a, vi_to_vf(sum));
        }
        for (int a = 0; a < n; a += PV_QUERIES) {
            float *const row = out + (size_t)(i + a) * out_stride;
            int d = 0;
            for (; d + PV_VECTORS * LANES <= head_dim; d += PV_VECTORS * LANES)
                FN(int8_weighted)(PV_VECTORS, row + d, out_stride, p + a, vt + d, quads, head_dim, v_scale + d, total + a, n - a);
            for (; d < head_dim; d += LANES)
                FN(int8_weighted)(1, row + d, out_stride, p + a, vt + d, quads, head_dim, v_scale + d, total + a, n - a);
        }
    }
}

static size_t FN(scratch_bytes)(ftv_packing packing, int rows, int cols, int chunk, int tokens, int head_dim) {
    (void)packing, (void)rows;
    const size_t matmul = FN(matmul_scratch)(cols, chunk),
                 attention = 64 + (size_t)(tokens + head_dim) * QUERIES * sizeof(float) + FN(attention_int8_scratch)(tokens, head_dim);
    return matmul > attention ? matmul : attention;
}

const ftv_kernels JOIN(ftv_kernels, KERNELS) = {
    .name = TEXT(KERNELS),
    .supported = supported,
    .chunk_tokens = 256,
    .token_step = 1,
    .query_step = LANES,
    .scratch_bytes = FN(scratch_bytes),
    .matmul = FN(matmul),
    .linear = FN(linear),
    .layer_norm = FN(layer_norm),
    .rms_quantize = FN(rms_quantize),
    .quantize = FN(quantize),
    .quantize_columns = FN(quantize_columns),
    .gelu = FN(gelu),
    .add = FN(add),
    .load_f16 = FN(load_f16),
    .attention_f32 = FN(attention_f32),
    .attention_int8 = FN(attention_int8),
    .peak = peak,
};

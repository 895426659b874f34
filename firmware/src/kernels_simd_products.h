/* SPDX-License-Identifier: Apache-2.0 */
/* Ternary products: tiles of TOKENS x ROWS sums in registers. A part of kernels_simd.h. */
/* Where a tile's sums go: as they are, or y = sum * (x_scale * scale) (+ bias) */
typedef struct {
    void *out; /* int32 or binary32 [tokens][stride] */
    const float *x_scale, *bias;
    size_t stride;
    float scale;
} simd_target;
enum { SUMS, SCALED, BIASED };

INLINE void simd_tile(const int kind, const int n, const uint32_t *tile, const int8_t *x, size_t stride, int blocks,
                      const int32_t *minus_sum, const simd_target *to) {
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
#define TILE(kind, n)                                                                                                  \
    static __attribute__((noinline)) void simd_tile_##kind##_##n(const uint32_t *tile, const int8_t *x, size_t stride, \
                                                                 int blocks, const int32_t *minus_sum,                 \
                                                                 const simd_target *to) {                              \
        simd_tile(kind, n, tile, x, stride, blocks, minus_sum, to);                                                    \
    }
#if TOKENS == 6
#define TILES(kind) TILE(kind, 1) TILE(kind, 2) TILE(kind, 3) TILE(kind, 4) TILE(kind, 5) TILE(kind, 6)
#define NAMES(kind)                                                                                                    \
    {simd_tile_##kind##_1, simd_tile_##kind##_2, simd_tile_##kind##_3,                                                 \
     simd_tile_##kind##_4, simd_tile_##kind##_5, simd_tile_##kind##_6}
#else
#define TILES(kind) TILE(kind, 1) TILE(kind, 2) TILE(kind, 3) TILE(kind, 4)
#define NAMES(kind) {simd_tile_##kind##_1, simd_tile_##kind##_2, simd_tile_##kind##_3, simd_tile_##kind##_4}
#endif
TILES(SUMS)
TILES(SCALED)
TILES(BIASED)

static size_t simd_matmul_scratch(int cols, int chunk) {
    const size_t blocks = simd_blocks(cols), words = (blocks + LANES - 1) / LANES * LANES + LANES;
    return 64 + blocks * ROWS * 4 * (CODE_WORDS > 1 ? CODE_WORDS + 1 : 1) + LANES * words * 4 +
           blocks * BLOCK * X_BYTES * (size_t)(chunk + TOKENS - 1) + 4 * (size_t)chunk;
}

static void simd_products(const int kind, float *out, size_t out_stride, const int8_t *x, size_t x_stride,
                          const float *x_scale, const ftv_matrix *w, float scale, const float *bias, int tokens,
                          void *scratch) {
    static void (*const tiles[][TOKENS])(const uint32_t *, const int8_t *, size_t, int, const int32_t *,
                                         const simd_target *) = {NAMES(SUMS), NAMES(SCALED), NAMES(BIASED)};
    const int blocks = (int)simd_blocks(w->cols);
    const size_t stride = (size_t)blocks * BLOCK * X_BYTES,
                 words = ((size_t)blocks + LANES - 1) / LANES * LANES + LANES;
    uint32_t *const tile = (uint32_t *)(void *)((uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64),
                    *const expanded = tile + (CODE_WORDS > 1 ? (size_t)blocks * ROWS : 0),
                    *const row_words = expanded + (size_t)blocks * ROWS * CODE_WORDS;
    int32_t *const minus_sum = (int32_t *)(void *)(row_words + LANES * words);
    int8_t *const packed = (int8_t *)(minus_sum + tokens);
    simd_pack_tokens(packed, minus_sum, x, x_stride, w->cols, tokens);
    for (int row = 0; row < w->rows; row += ROWS) {
        const int rest = w->rows - row;
        float last_bias[ROWS], last_out[TOKENS * ROWS];
        simd_target to = {.x_scale = x_scale, .bias = bias ? bias + row : NULL, .stride = out_stride, .scale = scale};
        if (rest < ROWS) { /* the last tile, not whole: aside, then as much as there is */
            to.stride = ROWS;
            if (bias) memcpy(last_bias, to.bias, (size_t)rest * sizeof(float)), to.bias = last_bias;
        }
        simd_pack_tile(tile, row_words, w, row);
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

static void simd_matmul(int32_t *acc, const int8_t *x, size_t x_stride, const ftv_matrix *w, int tokens,
                        void *scratch) {
    simd_products(SUMS, (float *)(void *)acc, (size_t)w->rows, x, x_stride, NULL, w, 0.0f, NULL, tokens, scratch);
}

static void simd_linear(float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
                        const ftv_matrix *w, float scale, const float *bias, int tokens, void *scratch) {
    simd_products(bias ? BIASED : SCALED, y, y_stride, x, x_stride, x_scale, w, scale, bias, tokens, scratch);
}

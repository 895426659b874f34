/* SPDX-License-Identifier: Apache-2.0 */
/* Attention over int8: products of bytes, four at a time. A part of kernels_simd.h. */
static size_t simd_attention_int8_scratch(int tokens, int head_dim) {
    const size_t quads = ((size_t)tokens + 3) / 4;
    return (quads * (size_t)head_dim + (quads + (size_t)head_dim) * QUERIES) * 4;
}

/* out[word][QUERIES]: rows [0, n) of q as words of four codes, transposed */
INLINE void simd_transpose_codes(uint32_t *out, const int8_t *q, size_t stride, int n, int words) {
    memset(out, 0, (size_t)words * QUERIES * 4);
    for (int i = 0; i < n; i++)
        for (int w = 0; w < words; w++) __builtin_memcpy(out + w * QUERIES + i, q + (size_t)i * stride + 4 * w, 4);
}

INLINE void simd_int8_scores(const int keys, float *s, const uint32_t *q, const vi minus[2], const vf scale[2],
                             const int8_t *k, size_t stride, const float *k_scale, size_t scale_stride, int words) {
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

INLINE void simd_int8_weighted(const int vectors, float *out, size_t out_stride, const uint32_t *p, const uint32_t *v,
                               int quads, int head_dim, const float *v_scale, const float *total, int n) {
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
            vf_store(out + (size_t)i * out_stride + c * LANES,
                     vi_to_vf(acc[i][c]) * (vf_load(v_scale + c * LANES) / b));
    }
}

/* The products above over all columns, for queries [0, n) */
INLINE void simd_all_int8_weighted(int n, float *out, size_t out_stride, const uint32_t *p, const uint32_t *v,
                                   int quads, int head_dim, const float *v_scale, const float *total) {
    for (int a = 0; a < n; a += PV_QUERIES) {
        float *const row = out + (size_t)a * out_stride;
        int d = 0;
        for (; d + PV_VECTORS * LANES <= head_dim; d += PV_VECTORS * LANES)
            simd_int8_weighted(PV_VECTORS, row + d, out_stride, p + a, v + d, quads, head_dim, v_scale + d, total + a,
                               n - a);
        for (; d < head_dim; d += LANES)
            simd_int8_weighted(1, row + d, out_stride, p + a, v + d, quads, head_dim, v_scale + d, total + a, n - a);
    }
}

/* v_words[quad][head_dim]: four tokens' codes of a column in a word; tokens that are not there are zero */
INLINE void simd_pack_values(uint32_t *v_words, const int8_t *v, size_t stride, int tokens, int head_dim) {
    for (int j = 0; j < (tokens + 3) / 4; j++)
        for (int d = 0; d < head_dim; d += LANES) {
            vi four = vi_set(0);
            for (int b = 0; b < 4 && 4 * j + b < tokens; b++)
                four = four | vi_shift_left(vi_load_u8(v + (size_t)(4 * j + b) * stride + d), 8 * b);
            vi_store(v_words + j * head_dim + d, four);
        }
}

/* -128 times the sum of each query's codes: what the products with code + 128 start from */
INLINE void simd_minus_sums(vi minus[2], const uint32_t *q_words, int words) {
    minus[0] = minus[1] = vi_set(0);
    for (int w = 0; w < words; w++)
        for (int a = 0; a < 2; a++)
            minus[a] = dot_u8_s8(minus[a], vi_set((int32_t)0x80808080u), vi_load(q_words + w * QUERIES + a * LANES));
    for (int a = 0; a < 2; a++) minus[a] = vi_set(0) - minus[a];
}

/* p[quad][QUERIES] <- rint(255 e^(s - max over tokens)), four tokens to a word; total[QUERIES]: their sums */
INLINE void simd_probabilities(uint32_t *p, float *total, const float *s, int tokens) {
    const vf magic = vf_set(FTV_ROUNDING);
    for (int a = 0; a < QUERIES; a += LANES) {
        vf top = vf_load(s + a);
        for (int b = 1; b < tokens; b++) top = vf_max(vf_load(s + b * QUERIES + a), top);
        vi sum = vi_set(0);
        for (int b = 0; b < (tokens + 3) / 4; b++) {
            vi four = vi_set(0);
            for (int c = 0; c < 4 && 4 * b + c < tokens; c++) {
                const vf e = simd_exp(vf_load(s + (4 * b + c) * QUERIES + a) - top);
                const vi code = vf_to_vi((e * vf_set(255.0f) + magic) - magic);
                sum = sum + code;
                four = four | vi_shift_left(code, 8 * c);
            }
            vi_store(p + b * QUERIES + a, four);
        }
        vf_store(total + a, vi_to_vf(sum));
    }
}

static void simd_attention_int8(float *out, size_t out_stride, const int8_t *q, const int8_t *k, const int8_t *v,
                                size_t stride, const float *q_scale, const float *k_scale, size_t scale_stride,
                                const float *v_scale, int tokens, int head_dim, float scale, int first, int last,
                                void *scratch) {
    if (head_dim % LANES) {
        ftv_attention_int8_ref(out, out_stride, q, k, v, stride, q_scale, k_scale, scale_stride, v_scale, tokens,
                               head_dim, scale, first, last, scratch);
        return;
    }
    const int quads = (tokens + 3) / 4, words = head_dim / 4;
    float *const s = (float *)(void *)((uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64);
    uint32_t *const p = (uint32_t *)(void *)(s + tokens * QUERIES), *const qt = p + quads * QUERIES,
                    *const vt = qt + words * QUERIES;
    simd_pack_values(vt, v, stride, tokens, head_dim);
    for (int i = first; i < last; i += QUERIES) {
        const int n = last - i < QUERIES ? last - i : QUERIES;
        float total[QUERIES], scales[QUERIES] = {0};
        for (int a = 0; a < n; a++) scales[a] = q_scale[(size_t)(i + a) * scale_stride] * scale;
        simd_transpose_codes(qt, q + (size_t)i * stride, stride, n, words);
        const vf sq[2] = {vf_load(scales), vf_load(scales + LANES)};
        vi minus[2];
        simd_minus_sums(minus, qt, words);
        int j = 0;
        for (; j + KEYS <= tokens; j += KEYS)
            simd_int8_scores(KEYS, s + j * QUERIES, qt, minus, sq, k + (size_t)j * stride, stride,
                             k_scale + (size_t)j * scale_stride, scale_stride, words);
        for (; j < tokens; j++)
            simd_int8_scores(1, s + j * QUERIES, qt, minus, sq, k + (size_t)j * stride, stride,
                             k_scale + (size_t)j * scale_stride, scale_stride, words);
        simd_probabilities(p, total, s, tokens);
        simd_all_int8_weighted(n, out + (size_t)i * out_stride, out_stride, p, vt, quads, head_dim, v_scale, total);
    }
}

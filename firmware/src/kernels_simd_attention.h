/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in FP32: a lane is a query, so that the sum over keys keeps its order. A part of kernels_simd.h. */
/* s[tokens][QUERIES] <- e^(s - max over tokens); sum[QUERIES]: over the tokens, in the order of ftv_sum */
INLINE void simd_exp_below_max(const int vectors, float *s, int tokens, vf *sum) {
    for (int v = 0; v < vectors; v++) {
        float *at = s + v * LANES;
        vf top = vf_load(at), lane[FTV_LANES];
        for (int j = 1; j < tokens; j++) top = vf_max(vf_load(at + j * QUERIES), top);
        for (int i = 0; i < FTV_LANES; i++) lane[i] = vf_set(0.0f);
        int j = 0;
        for (; j + FTV_LANES <= tokens; j += FTV_LANES)
            for (int i = 0; i < FTV_LANES; i++) {
                const vf e = simd_exp(vf_load(at + (j + i) * QUERIES) - top);
                vf_store(at + (j + i) * QUERIES, e);
                lane[i] = lane[i] + e;
            }
        for (int i = 0; j + i < tokens; i++) {
            const vf e = simd_exp(vf_load(at + (j + i) * QUERIES) - top);
            vf_store(at + (j + i) * QUERIES, e);
            lane[i] = lane[i] + e;
        }
        for (int w = FTV_LANES / 2; w; w /= 2)
            for (int i = 0; i < w; i++) lane[i] = lane[i] + lane[i + w];
        sum[v] = lane[0];
    }
}

/* out[d][QUERIES] = rows [0, n) of q, transposed, times scale; columns that are not there are zero */
INLINE void simd_transpose_queries(float *out, const float *q, size_t stride, int n, int head_dim, float scale) {
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
                out[d * QUERIES + v * LANES + i] =
                    v * LANES + i < n ? q[(size_t)(v * LANES + i) * stride + (size_t)d] * scale : 0.0f;
    }
}

#ifndef CHAINS
/* s[key][QUERIES] = q . k */
INLINE void simd_scores(const int vectors, const int keys, float *s, const float *q, const float *k, size_t stride,
                        int head_dim) {
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

/* out[i][d] = sum_j p[j][i] v[j][d] / sum_i for PV_QUERIES queries, of which n are there, and PV_VECTORS vectors of
 * columns */
INLINE void simd_weighted(const int vectors, float *out, const float *p, const float *v, size_t stride, int tokens,
                          const float *norm, int n) {
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

INLINE void simd_all_scores(const int vectors, float *s, const float *q, const float *k, size_t stride, int tokens,
                            int head_dim) {
    int j = 0;
    for (; j + KEYS <= tokens; j += KEYS)
        simd_scores(vectors, KEYS, s + j * QUERIES, q, k + (size_t)j * stride, stride, head_dim);
    s += j * QUERIES, k += (size_t)j * stride;
    switch (tokens - j) {
#define REST(n)                                                                                                        \
    case n: simd_scores(vectors, n, s, q, k, stride, head_dim); break;
        REST(1)
        REST(2)
        REST(3)
        REST(4)
        REST(5)
#if KEYS > 6
            REST(6) REST(7)
#endif
#undef REST
    }
}

/* out[i] = sum_j p[j][i] v[j] * norm[i] over all columns, for queries [0, n) */
INLINE void simd_all_weighted(int n, float *out, const float *p, const float *v, size_t stride, int tokens,
                              int head_dim, const float *norm) {
    for (int a = 0; a < n; a += PV_QUERIES) {
        float *const row = out + (size_t)a * stride;
        int d = 0;
        for (; d + PV_VECTORS * LANES <= head_dim; d += PV_VECTORS * LANES)
            simd_weighted(PV_VECTORS, row + d, p + a, v + d, stride, tokens, norm + a, n - a);
        for (; d + LANES <= head_dim; d += LANES)
            simd_weighted(1, row + d, p + a, v + d, stride, tokens, norm + a, n - a);
        for (; d < head_dim; d++)
            for (int b = a; b < n && b < a + PV_QUERIES; b++) {
                float total = 0.0f;
                for (int j = 0; j < tokens; j++)
                    total = fmaf(p[j * QUERIES + b], v[(size_t)j * stride + (size_t)d], total);
                out[(size_t)b * stride + (size_t)d] = total * norm[b];
            }
    }
}

static void simd_attention_f32(float *out, const float *q, const float *k, const float *v, size_t stride, int tokens,
                               int head_dim, float scale, int first, int last, void *scratch) {
    float *const s = (float *)(void *)((uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64), *const qt =
                                                                                                      s +
                                                                                                      tokens * QUERIES;
    float norm[QUERIES];
#ifdef CHAINS
    if (!simd_chains_fit(q, k, v, stride, tokens, head_dim)) {
        ftv_attention_f32_ref(out, q, k, v, stride, tokens, head_dim, scale, first, last, scratch);
        return;
    }
#endif
    for (int i = first; i < last; i += QUERIES) {
        const int n = last - i < QUERIES ? last - i : QUERIES, vectors = n > LANES ? 2 : 1;
        const vf one = vf_set(1.0f);
        vf sum[2] = {one, one};
        simd_transpose_queries(qt, q + (size_t)i * stride, stride, n, head_dim, scale);
        if (vectors == 2) {
            simd_all_scores(2, s, qt, k, stride, tokens, head_dim);
            simd_exp_below_max(2, s, tokens, sum);
        } else {
            simd_all_scores(1, s, qt, k, stride, tokens, head_dim);
            simd_exp_below_max(1, s, tokens, sum);
        }
        vf_store(norm, one / sum[0]), vf_store(norm + LANES, one / sum[1]);
        simd_all_weighted(n, out + (size_t)i * stride, s, v, stride, tokens, head_dim, norm);
    }
}

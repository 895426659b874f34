/* Attention's chains of fused products, y = fl(a b + y), in binary64: for kernels_simd128.c.
 *
 * The product of two binary32 numbers is exact in binary64. The sum is rounded to 53 bits and then, by an integer addition and a
 * mask, to 24: wrong only where it lies half-way between two numbers of 24 bits, about once in 2^29, so that is looked for, and
 * a tile in which it occurred is computed again, exactly. Ranges are checked before: no sum overflows, and every product is a
 * multiple of 2^-149, so that no sum has bits that binary32's subnormal numbers lack. */
typedef struct {
    v128_t half[2]; /* lanes 0 and 1, 2 and 3 */
} FN(chain);

INLINE FN(chain) FN(chain_of)(vf x) {
    const FN(chain) c = {{wasm_f64x2_promote_low_f32x4((v128_t)x), wasm_f64x2_promote_low_f32x4(upper(x))}};
    return c;
}
INLINE vf FN(chain_value)(FN(chain) c) {
    return (vf)wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(c.half[0]), wasm_f32x4_demote_f64x2_zero(c.half[1]), 0, 2);
}
INLINE v128_t FN(chain_step)(v128_t a, v128_t b, v128_t c, v128_t *doubtful) {
    const v128_t t = wasm_i64x2_add(wasm_f64x2_add(wasm_f64x2_mul(a, b), c), wasm_i64x2_splat(0x10000000)),
                 r = wasm_v128_and(t, wasm_i64x2_splat(~(int64_t)0x1fffffff));
    *doubtful = wasm_v128_or(*doubtful, wasm_i64x2_eq(t, r));
    return r;
}

/* Zero, or of a size within [low, high]: all of x [rows][cols] */
INLINE bool FN(within)(const float *x, size_t stride, int rows, int cols, float low, float high) {
    for (; rows; rows--, x += stride) {
        vi outside = vi_set(0);
        int i = 0;
        for (; i + LANES <= cols; i += LANES) {
            const vf a = vf_abs(vf_load(x + i));
            outside |= ~((a >= vf_set(low)) & (a <= vf_set(high))) & ~(a == vf_set(0.0f));
        }
        if (wasm_v128_any_true((v128_t)outside)) return false;
        for (; i < cols; i++)
            if (!(fabsf(x[i]) >= low && fabsf(x[i]) <= high) && !(x[i] == 0.0f)) return false;
    }
    return true;
}

/* Products are at least 2^-35 2^-6 (the scale) 2^-35 before the softmax, 2^-67 2^-35 after it: their last bits 2^-149 or more. */
static bool FN(chains_fit)(const float *q, const float *k, const float *v, size_t stride, int tokens, int head_dim) {
    return head_dim < 4096 && FN(within)(q, stride, tokens, head_dim, 0x1p-35f, 0x1p50f) &&
           FN(within)(k, stride, tokens, head_dim, 0x1p-35f, 0x1p50f) && FN(within)(v, stride, tokens, head_dim, 0x1p-35f, 0x1p50f);
}

INLINE void FN(scores_exact)(const int vectors, const int keys, float *s, const float *q, const float *k, size_t stride, int head_dim) {
    for (int j = 0; j < keys; j++)
        for (int v = 0; v < vectors; v++) {
            vf acc = vf_set(0.0f);
            for (int d = 0; d < head_dim; d++) acc = vf_fma(vf_load(q + d * QUERIES + v * LANES), vf_set(k[(size_t)j * stride + (size_t)d]), acc);
            vf_store(s + j * QUERIES + v * LANES, acc);
        }
}

/* s[key][QUERIES] = q . k */
INLINE void FN(scores)(const int vectors, const int keys, float *s, const float *q, const float *k, size_t stride, int head_dim) {
    v128_t doubtful = wasm_i64x2_splat(0);
    for (int v = 0; v < vectors; v++) {
        v128_t acc[KEYS][2];
        UNROLL
        for (int j = 0; j < keys; j++) acc[j][0] = acc[j][1] = wasm_f64x2_splat(0.0);
        for (int d = 0; d < head_dim; d++) {
            const FN(chain) x = FN(chain_of)(vf_load(q + d * QUERIES + v * LANES));
            UNROLL
            for (int j = 0; j < keys; j++) {
                const v128_t b = wasm_f64x2_splat((double)k[(size_t)j * stride + (size_t)d]);
                acc[j][0] = FN(chain_step)(x.half[0], b, acc[j][0], &doubtful);
                acc[j][1] = FN(chain_step)(x.half[1], b, acc[j][1], &doubtful);
            }
        }
        UNROLL
        for (int j = 0; j < keys; j++) {
            const FN(chain) c = {{acc[j][0], acc[j][1]}};
            vf_store(s + j * QUERIES + v * LANES, FN(chain_value)(c));
        }
    }
    if (__builtin_expect(wasm_v128_any_true(doubtful), 0)) FN(scores_exact)(vectors, keys, s, q, k, stride, head_dim);
}

static __attribute__((noinline)) void FN(weighted_exact)(float *out, const float *p, const float *v, size_t stride, int tokens, vf norm) {
    vf acc = vf_set(0.0f);
    for (int j = 0; j < tokens; j++) acc = vf_fma(vf_set(p[j * QUERIES]), vf_load(v + (size_t)j * stride), acc);
    vf_store(out, acc * norm);
}

/* out[i][d] = sum_j p[j][i] v[j][d] / sum_i for PV_QUERIES queries, of which n are there, and `vectors` vectors of columns */
INLINE void FN(weighted)(const int vectors, float *out, const float *p, const float *v, size_t stride, int tokens, const float *norm,
                         int n) {
    const bool fits = FN(within)(p, QUERIES, tokens, PV_QUERIES, 0x1p-67f, 1.0f);
    for (int c = 0; c < vectors; c++, v += LANES, out += LANES) {
        v128_t acc[PV_QUERIES][2], doubtful = wasm_i64x2_splat(0);
        UNROLL
        for (int i = 0; i < PV_QUERIES; i++) acc[i][0] = acc[i][1] = wasm_f64x2_splat(0.0);
        for (int j = 0; j < tokens; j++) {
            const FN(chain) x = FN(chain_of)(vf_load(v + (size_t)j * stride));
            UNROLL
            for (int i = 0; i < PV_QUERIES; i++) {
                const v128_t b = wasm_f64x2_splat((double)p[j * QUERIES + i]);
                acc[i][0] = FN(chain_step)(b, x.half[0], acc[i][0], &doubtful);
                acc[i][1] = FN(chain_step)(b, x.half[1], acc[i][1], &doubtful);
            }
        }
        const bool exact = fits && !wasm_v128_any_true(doubtful);
        UNROLL
        for (int i = 0; i < PV_QUERIES; i++)
            if (i < n) {
                const FN(chain) sum = {{acc[i][0], acc[i][1]}};
                if (exact)
                    vf_store(out + (size_t)i * stride, FN(chain_value)(sum) * vf_set(norm[i]));
                else
                    FN(weighted_exact)(out + (size_t)i * stride, p + i, v, stride, tokens, vf_set(norm[i]));
            }
    }
}

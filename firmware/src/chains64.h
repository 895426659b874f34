/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of fused products, y = fl(a b + y), in binary64: for kernels_simd128.c.
 *
 * The product of two binary32 numbers is exact in binary64. The sum is rounded to 53 bits and then, by an integer
 * addition and a mask, to 24: wrong only where it lies half-way between two numbers of 24 bits. That is looked for, and
 * what is `doubtful` is computed again, exactly. Sums below the normal numbers of binary32 have fewer bits: either
 * there are none, or every product is a multiple of 2^-149, and such a sum is exact. */
typedef struct {
    v128_t half, mask, doubtful;
} chain_rounding;

/* Vectors that the compiler cannot know: constants V8 makes anew in every turn of a loop. */
INLINE v128_t chain_fixed(int64_t x) {
    __asm__("" : "+r"(x));
    return wasm_i64x2_splat(x);
}
INLINE chain_rounding chain_rounded(void) {
    const chain_rounding r = {chain_fixed(0x10000000), chain_fixed(~(int64_t)0x1fffffff), wasm_i64x2_splat(0)};
    return r;
}
INLINE bool chain_is_doubtful(const chain_rounding *r) { return __builtin_expect(wasm_v128_any_true(r->doubtful), 0); }

INLINE v128_t chain_step(v128_t a, v128_t b, v128_t c, chain_rounding *r) {
    const v128_t t = wasm_i64x2_add(wasm_f64x2_add(wasm_f64x2_mul(a, b), c), r->half), y = wasm_v128_and(t, r->mask);
    r->doubtful = wasm_v128_or(r->doubtful, wasm_i64x2_eq(t, y));
    return y;
}

/* The same where sums half-way are common, but exact: only those that are not are doubtful. */
INLINE v128_t chain_careful_step(v128_t a, v128_t b, v128_t c, chain_rounding *r) {
    const v128_t p = wasm_f64x2_mul(a, b), s = wasm_f64x2_add(p, c), t = wasm_f64x2_sub(s, p),
                 lost = wasm_f64x2_add(wasm_f64x2_sub(p, wasm_f64x2_sub(s, t)), wasm_f64x2_sub(c, t));
    r->doubtful = wasm_v128_or(r->doubtful, wasm_v128_and(half_way(s), wasm_f64x2_ne(lost, wasm_f64x2_splat(0.0))));
    return wasm_f64x2_promote_low_f32x4(wasm_f32x4_demote_f64x2_zero(s));
}

INLINE v128_t chain_low(vf x) { return wasm_f64x2_promote_low_f32x4((v128_t)x); }
INLINE v128_t chain_high(vf x) { return wasm_f64x2_promote_low_f32x4(upper(x)); }
INLINE vf chain_joined(v128_t low, v128_t high) {
    return (vf)wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(low), wasm_f32x4_demote_f64x2_zero(high), 0, 2);
}

/* ---- sums of squares: 16 lanes, a row at a time ---- */

static float chain_row_squares(const float *x, const float *center, int n) {
    chain_rounding r = chain_rounded();
    const vf c = vf_set(center ? *center : 0.0f);
    const vi least = vi_set((64 << 23) * 2 - 1); /* the square of 2^-63 is normal */
    v128_t a[2 * WIDE], small = wasm_i32x4_splat(-1);
    UNROLL
    for (int j = 0; j < 2 * WIDE; j++) a[j] = wasm_f64x2_splat(0.0);
    int i = 0;
    for (; i + FTV_LANES <= n; i += FTV_LANES) {
        UNROLL
        for (int j = 0; j < WIDE; j++) {
            const vf v = vf_load(x + i + j * LANES), d = center ? v - c : v;
            small = wasm_u32x4_min(
                small, wasm_i32x4_sub(wasm_i32x4_shl((v128_t)d, 1), wasm_i32x4_splat(1))); /* zero is the largest */
            const v128_t low = chain_low(d), high = chain_high(d);
            a[2 * j] = chain_step(low, low, a[2 * j], &r);
            a[2 * j + 1] = chain_step(high, high, a[2 * j + 1], &r);
        }
    }
    if (chain_is_doubtful(&r) || wasm_v128_any_true(wasm_u32x4_lt(small, (v128_t)least)))
        return ftv_sum_squares(x, c[0], n);
    vf lanes[WIDE];
    UNROLL
    for (int j = 0; j < WIDE; j++) lanes[j] = chain_joined(a[2 * j], a[2 * j + 1]);
    return simd_fold_rest(lanes, x, c[0], n, i, true);
}

INLINE void simd_sums_squares(float *sum, const int rows, const float *x, size_t stride, const float *center, int n) {
    for (int r = 0; r < rows; r++) sum[r] = chain_row_squares(x + (size_t)r * stride, center ? center + r : NULL, n);
}

/* ---- polynomials: coefficients from memory, for the same reason ---- */

INLINE v128_t chain_coefficient(const double *at) { return wasm_v128_load64_splat(at); }
INLINE const double *chain_unknown(const double *at) {
    __asm__("" : "+r"(at));
    return at;
}

static void simd_gelu(float *x, int n) {
    static const double table[] = {FTV_ERF_P, FTV_ERF_Q};
    const double *const c = chain_unknown(table);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        chain_rounding r = chain_rounded();
        const vf v = vf_load(x + i), least = vf_max(v * vf_set(FTV_GELU_PER_SQRT2), vf_set(-FTV_ERF_MOST)),
                 z = vf_min(least, vf_set(FTV_ERF_MOST)), t = z * z;
        const v128_t low = chain_low(t), high = chain_high(t);
        v128_t p[2], d[2];
        p[0] = p[1] = chain_coefficient(c), d[0] = d[1] = chain_coefficient(c + 6);
        UNROLL
        for (int k = 1; k < 6; k++) {
            const v128_t cp = chain_coefficient(c + k), cd = chain_coefficient(c + 6 + k);
            p[0] = chain_step(p[0], low, cp, &r), p[1] = chain_step(p[1], high, cp, &r);
            d[0] = chain_step(d[0], low, cd, &r), d[1] = chain_step(d[1], high, cd, &r);
        }
        if (chain_is_doubtful(&r))
            for (int k = 0; k < LANES; k++) x[i + k] = ftv_gelu(x[i + k]);
        else
            vf_store(x + i,
                     vf_set(0.5f) * v * (vf_set(1.0f) + z * chain_joined(p[0], p[1]) / chain_joined(d[0], d[1])));
    }
    for (; i < n; i++) x[i] = ftv_gelu(x[i]);
}

static __attribute__((noinline)) vf chain_exp_exact(vf x) {
    vf r = x;
    for (int i = 0; i < LANES; i++) r[i] = ftv_exp(x[i]);
    return r;
}

/* x <= 88, as ftv_exp: of the two reductions the first is exact, and no sum is small. */
INLINE vf simd_exp(vf x) {
    static const double table[] = {FTV_EXP_MINUS_LN2_HIGH, FTV_EXP_MINUS_LN2_LOW, FTV_EXP_TERMS};
    const double *const c = chain_unknown(table);
    chain_rounding r = chain_rounded();
    const vf magic = vf_set(FTV_ROUNDING), k = (x * vf_set(FTV_EXP_PER_LN2) + magic) - magic;
    v128_t y[2] = {chain_low(x), chain_high(x)}, n[2] = {chain_low(k), chain_high(k)}, p[2];
    p[0] = p[1] = chain_coefficient(c + 2);
    UNROLL
    for (int i = 0; i < 2; i++)
        for (int h = 0; h < 2; h++) y[h] = chain_step(n[h], chain_coefficient(c + i), y[h], &r);
    UNROLL
    for (int i = 3; i < 9; i++)
        for (int h = 0; h < 2; h++) p[h] = chain_step(p[h], y[h], chain_coefficient(c + i), &r);
    if (chain_is_doubtful(&r)) return chain_exp_exact(x);
    return vf_keep_if_not_below(vf_scale_exponent(chain_joined(p[0], p[1]), vf_to_vi(k)), x, vf_set(FTV_EXP_LEAST));
}

/* ---- attention ---- */

/* Zero, or of a size within [low, high]: all of x [rows][cols] */
INLINE bool chain_within(const float *x, size_t stride, int rows, int cols, float low, float high) {
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

/* Products are at least 2^-35 2^-6 (the scale) 2^-35 before the softmax, 2^-67 2^-35 after it: their last bits 2^-149
 * or more. */
static bool simd_chains_fit(const float *q, const float *k, const float *v, size_t stride, int tokens, int head_dim) {
    return head_dim < 4096 && chain_within(q, stride, tokens, head_dim, 0x1p-35f, 0x1p50f) &&
           chain_within(k, stride, tokens, head_dim, 0x1p-35f, 0x1p50f) &&
           chain_within(v, stride, tokens, head_dim, 0x1p-35f, 0x1p50f);
}

static __attribute__((noinline)) void chain_scores_exact(float *s, const float *q, const float *k, int head_dim) {
    vf acc = vf_set(0.0f);
    for (int d = 0; d < head_dim; d++) acc = vf_fma(vf_load(q + d * QUERIES), vf_set(k[d]), acc);
    vf_store(s, acc);
}

/* s[key][QUERIES] = q . k */
INLINE void simd_scores(const int vectors, const int keys, float *s, const float *q, const float *k, size_t stride,
                        int head_dim) {
    for (int v = 0; v < vectors; v++, q += LANES, s += LANES) {
        chain_rounding r = chain_rounded();
        v128_t acc[KEYS][2];
        UNROLL
        for (int j = 0; j < keys; j++) acc[j][0] = acc[j][1] = wasm_f64x2_splat(0.0);
        for (int d = 0; d < head_dim; d++) {
            const vf x = vf_load(q + d * QUERIES);
            const v128_t low = chain_low(x), high = chain_high(x);
            UNROLL
            for (int j = 0; j < keys; j++) {
                const v128_t b = wasm_f64x2_splat((double)k[(size_t)j * stride + (size_t)d]);
                acc[j][0] = chain_step(low, b, acc[j][0], &r);
                acc[j][1] = chain_step(high, b, acc[j][1], &r);
            }
        }
        const bool again = chain_is_doubtful(&r);
        UNROLL
        for (int j = 0; j < keys; j++) {
            if (again)
                chain_scores_exact(s + j * QUERIES, q, k + (size_t)j * stride, head_dim);
            else
                vf_store(s + j * QUERIES, chain_joined(acc[j][0], acc[j][1]));
        }
    }
}

static __attribute__((noinline)) vf chain_weighted_exact(const float *p, const float *v, size_t stride, int tokens) {
    vf acc = vf_set(0.0f);
    for (int j = 0; j < tokens; j++) acc = vf_fma(vf_set(p[j * QUERIES]), vf_load(v + (size_t)j * stride), acc);
    return acc;
}

/* out[i][d] = sum_j p[j][i] v[j][d] / sum_i for PV_QUERIES queries, of which n are there, and `vectors` vectors of
 * columns. The largest probability is e^0: with it a sum of two numbers of 24 bits is rounded, often half-way. */
INLINE void simd_weighted(const int vectors, float *out, const float *p, const float *v, size_t stride, int tokens,
                          const float *norm, int n) {
    const bool fits = chain_within(p, QUERIES, tokens, PV_QUERIES, 0x1p-67f, 1.0f);
    for (int c = 0; c < vectors; c++, v += LANES, out += LANES) {
        chain_rounding r = chain_rounded();
        v128_t acc[PV_QUERIES][2];
        UNROLL
        for (int i = 0; i < PV_QUERIES; i++) acc[i][0] = acc[i][1] = wasm_f64x2_splat(0.0);
        for (int j = 0; j < tokens; j++) {
            const vf x = vf_load(v + (size_t)j * stride);
            const v128_t low = chain_low(x), high = chain_high(x);
            const float *const pj = p + j * QUERIES;
            if (__builtin_expect(wasm_v128_any_true((v128_t)(vf_load(pj) == vf_set(1.0f))), 0)) {
                UNROLL
                for (int i = 0; i < PV_QUERIES; i++) {
                    const v128_t b = wasm_f64x2_splat((double)pj[i]);
                    acc[i][0] = chain_careful_step(b, low, acc[i][0], &r);
                    acc[i][1] = chain_careful_step(b, high, acc[i][1], &r);
                }
            } else {
                UNROLL
                for (int i = 0; i < PV_QUERIES; i++) {
                    const v128_t b = wasm_f64x2_splat((double)pj[i]);
                    acc[i][0] = chain_step(b, low, acc[i][0], &r);
                    acc[i][1] = chain_step(b, high, acc[i][1], &r);
                }
            }
        }
        const bool again = !fits || chain_is_doubtful(&r);
        UNROLL
        for (int i = 0; i < PV_QUERIES; i++)
            if (i < n) {
                const vf sum =
                    again ? chain_weighted_exact(p + i, v, stride, tokens) : chain_joined(acc[i][0], acc[i][1]);
                vf_store(out + (size_t)i * stride, sum * vf_set(norm[i]));
            }
    }
}

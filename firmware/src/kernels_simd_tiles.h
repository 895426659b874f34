/* SPDX-License-Identifier: Apache-2.0 */
/* Ternary weights and int8 activations, laid out for products.
 * A tile of ROWS rows is transposed to [block][vector][lane] words of 16 codes, still 2 bits each; the activations'
 * bytes are put in the order in which (word >> 2 s) & 0x03030303 takes the codes out: code 4 j + s of a block is byte j
 * for shift s. A part of kernels_simd.h. */
INLINE size_t simd_blocks(int cols) { return ((size_t)cols + BLOCK - 1) / BLOCK; }

/* A row of base3 as words of 2-bit codes */
INLINE void simd_row_words(uint32_t *words, const ftv_matrix *w, int row) {
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
static void simd_pack_tile(uint32_t *tile, uint32_t *words, const ftv_matrix *w, int first) {
    const int blocks = (int)simd_blocks(w->cols), stride = (blocks + LANES - 1) / LANES * LANES + LANES;
    const size_t row_bytes = ftv_packed_bytes(w->packing, w->cols);
    for (int v = 0; v < VECTORS; v++) {
        const uint8_t *source[LANES];
        size_t readable[LANES];
        for (int i = 0; i < LANES; i++) {
            const int row = first + v * LANES + i < w->rows ? first + v * LANES + i : w->rows - 1;
            source[i] = w->codes + (size_t)row * w->stride;
            readable[i] = row + 1 < w->rows && w->stride >= row_bytes ? w->stride + row_bytes : row_bytes;
            if (w->packing != FTV_PACK_2BIT) {
                simd_row_words(words + i * stride, w, row);
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
                    memcpy(rest, source[i] + 4 * b,
                           row_bytes - 4 * (size_t)b < sizeof rest ? row_bytes - 4 * (size_t)b : sizeof rest);
                    rows[i] = vi_load(rest);
                }
            }
            vi_transpose(rows);
            for (int i = 0; i < LANES && b + i < blocks; i++) vi_store(tile + ((b + i) * VECTORS + v) * LANES, rows[i]);
        }
    }
}

/* Activations in the order of the codes, and minus their sum: codes are 0..2, one more than what they mean. Four rows
 * at a time, whose sums are added up together. */
static void simd_pack_tokens(int8_t *packed, int32_t *minus_sum, const int8_t *x, size_t x_stride, int cols,
                             int tokens) {
    const int whole = cols / BLOCK, rest = cols % BLOCK;
    const size_t stride = simd_blocks(cols) * BLOCK * X_BYTES;
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

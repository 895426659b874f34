/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of ternary weights and int8 activations on the ESP32-S3's vector unit (PIE). Prototypes: pie_gemm.h.
 *
 * One EE.VSMULAS multiplies 16 weights (one input of 16 outputs) by one activation into 16 accumulators of 20 bits, and
 * loads the next 16 weights: 16 multiply-accumulates an instruction. Ternary times int8 stays below 2^19 for 4095
 * inputs, so nothing ever saturates. tests/pie_run.c executes this text instruction by instruction on the development
 * machine, checks addresses and distances, and counts, under the parts that labels name (.Lmultiply..., .Ldrain...,
 * .Lcall...).
 *
 * Distances (technical reference manual, section 1.7): a loaded vector, a product and an accumulator are ready one
 * instruction late; accumulating back to back is free. The processor would wait, so distances cost time, not truth;
 * here nothing waits, and the accumulators are read two instructions after the last product. */
#include "pie_gemm.h"

#define FUNCTION(name, frame) .align 4; .global name; .type name, @function; name: entry a1, frame
#define END(name) retw; .size name, . - name

    .text

/* ---- multiply ----
 * a2: x, a3: tile. q0: 16 activations; weights of input i in q1..q4 by i % 4, loaded two products ahead.
 * No load touches memory beyond the tile or the row's blocks: the last block is written out without them. */
#define PRODUCT(i, w, next) ee.vsmulas.s8.qacc.ld.incp next, a3, w, q0, i
#define PRODUCTS_0_TO_13                                                                                               \
    ee.vld.128.ip q2, a3, 16;                                                                                          \
    PRODUCT(0, q1, q3); PRODUCT(1, q2, q4); PRODUCT(2, q3, q1); PRODUCT(3, q4, q2);                                    \
    PRODUCT(4, q1, q3); PRODUCT(5, q2, q4); PRODUCT(6, q3, q1); PRODUCT(7, q4, q2);                                    \
    PRODUCT(8, q1, q3); PRODUCT(9, q2, q4); PRODUCT(10, q3, q1); PRODUCT(11, q4, q2);                                  \
    PRODUCT(12, q1, q3); PRODUCT(13, q2, q4)
#define MULTIPLY(last)                                                                                                 \
    mov a2, a5;                                                                                                        \
    ee.vld.128.ip q0, a2, 16;                                                                                          \
    mov a3, a4;                                                                                                        \
    ee.vld.128.ip q1, a3, 16;                                                                                          \
    ee.zero.qacc;                                                                                                      \
    loopnez a12, last;                                                                                                 \
    PRODUCTS_0_TO_13;                                                                                                  \
    PRODUCT(14, q3, q1);                                                                                               \
    ee.vsmulas.s8.qacc.ld.incp q0, a2, q4, q0, 15;                                                                     \
last:                                                                                                                  \
    PRODUCTS_0_TO_13;                                                                                                  \
    ee.vsmulas.s8.qacc q3, q0, 14;                                                                                     \
    ee.vsmulas.s8.qacc q4, q0, 15

/* a4: tile, a5: x, a6: its stride, a7: x_scale, a8: y, a9: its stride, a10: bias, a11: tokens, a12: blocks - 1; f14:
 * scale. In a token the dequantisation moves y on by 64 bytes and the bias round to where it was: its y stride is 64
 * less. */
#define ARGUMENTS                                                                                                      \
    l32i a4, a2, FTV_PIE_TILE;                                                                                         \
    l32i a5, a2, FTV_PIE_X;                                                                                            \
    l32i a6, a2, FTV_PIE_X_STRIDE;                                                                                     \
    l32i a12, a2, FTV_PIE_BLOCKS;                                                                                      \
    l32i a8, a2, FTV_PIE_Y;                                                                                            \
    l32i a9, a2, FTV_PIE_Y_STRIDE;                                                                                     \
    addi a12, a12, -1;                                                                                                 \
    l32i a11, a2, FTV_PIE_TOKENS
#define FLOAT_ARGUMENTS                                                                                                \
    ARGUMENTS;                                                                                                         \
    l32i a7, a2, FTV_PIE_X_SCALE;                                                                                      \
    l32i a10, a2, FTV_PIE_BIAS;                                                                                        \
    lsi f14, a2, FTV_PIE_SCALE;                                                                                        \
    addi a9, a9, -64
#define NEXT_SCALE addi a7, a7, 4
#define COUNT addi a11, a11, -1
#define NEXT_TOKEN(loop) add a8, a8, a9; bnez a11, loop

/* ---- drain, up to 4095 inputs ----
 * QACC_L and QACC_H are 8 sums of 20 bits each in five words w0..w4, sum i at bits 20 i. Each goes to the top of a
 * register (SHIFTED, with 12 zeros below) or to its value (WHOLE). a2, a3: neighbouring words of L, a13, a14: of H */
#define SUMS_0_TO_3(SHIFTED, WHOLE)                                                                                    \
    rur.qacc_l_0 a2;                                                                                                   \
    rur.qacc_l_1 a3;                                                                                                   \
    rur.qacc_h_0 a13;                                                                                                  \
    rur.qacc_h_1 a14;                                                                                                  \
    slli a15, a2, 12; SHIFTED(a15, f0, 0);                                                                             \
    ssai 8;                                                                                                            \
    src a2, a3, a2; srai a2, a2, 12; WHOLE(a2, f1, 4);                                                                 \
    slli a15, a13, 12; SHIFTED(a15, f4, 32);                                                                           \
    src a13, a14, a13; srai a13, a13, 12; WHOLE(a13, f5, 36);                                                          \
    slli a15, a3, 4; srai a15, a15, 12; WHOLE(a15, f2, 8);                                                             \
    rur.qacc_l_2 a2;                                                                                                   \
    slli a15, a14, 4; srai a15, a15, 12; WHOLE(a15, f6, 40);                                                           \
    rur.qacc_h_2 a13;                                                                                                  \
    ssai 16;                                                                                                           \
    src a15, a2, a3; srai a15, a15, 12; WHOLE(a15, f3, 12);                                                            \
    src a15, a13, a14; srai a15, a15, 12; WHOLE(a15, f7, 44)
#define WORD_3_L rur.qacc_l_3 a3
#define WORD_3_H rur.qacc_h_3 a14
#define SUMS_4_TO_7(SHIFTED, WHOLE)                                                                                    \
    src a15, a3, a2; slli a15, a15, 12; SHIFTED(a15, f0, 16);                                                          \
    src a15, a14, a13; slli a15, a15, 12; SHIFTED(a15, f4, 48);                                                        \
    slli a15, a3, 8; srai a15, a15, 12; WHOLE(a15, f1, 20);                                                            \
    rur.qacc_l_4 a2;                                                                                                   \
    slli a15, a14, 8; srai a15, a15, 12; WHOLE(a15, f5, 52);                                                           \
    rur.qacc_h_4 a13;                                                                                                  \
    ssai 12;                                                                                                           \
    src a15, a2, a3; srai a15, a15, 12; WHOLE(a15, f2, 24);                                                            \
    src a15, a13, a14; srai a15, a15, 12; WHOLE(a15, f6, 56);                                                          \
    srai a2, a2, 12; WHOLE(a2, f3, 28);                                                                                \
    srai a13, a13, 12; WHOLE(a13, f7, 60)

#define TO_FLOAT_SHIFTED(a, f, at) float.s f, a, 12
#define TO_FLOAT(a, f, at) float.s f, a, 0
#define STORE_SHIFTED(a, f, at) srai a, a, 12; s32i a, a8, at
#define STORE(a, f, at) s32i a, a8, at

/* ---- dequantise ----
 * f0..f7: eight sums; f15: x_scale * scale. bias and y move on by `skip`, then by `back` or `end`. Two instructions of
 * what follows, OP and OP_2, fill the gaps before the second bias and the last sum are ready. */
#define DEQUANTISE(skip, back, end, OP, OP_2)                                                                          \
    ee.ldf.128.ip f11, f10, f9, f8, a10, skip;                                                                         \
    mul.s f0, f0, f15; mul.s f1, f1, f15; mul.s f2, f2, f15; mul.s f3, f3, f15;                                        \
    mul.s f4, f4, f15; mul.s f5, f5, f15; mul.s f6, f6, f15; mul.s f7, f7, f15;                                        \
    add.s f0, f0, f8; add.s f1, f1, f9; add.s f2, f2, f10; add.s f3, f3, f11;                                          \
    ee.ldf.128.ip f11, f10, f9, f8, a10, back;                                                                         \
    OP;                                                                                                                \
    add.s f4, f4, f8; add.s f5, f5, f9; add.s f6, f6, f10; add.s f7, f7, f11;                                          \
    OP_2;                                                                                                              \
    ee.stf.128.ip f3, f2, f1, f0, a8, skip;                                                                            \
    ee.stf.128.ip f7, f6, f5, f4, a8, end

/* ---- linear, up to 4095 inputs ---- */
FUNCTION(ftv_pie_linear, 32)
.Lcall_linear:
    FLOAT_ARGUMENTS
.Lmultiply_linear:
    MULTIPLY(.Llast_linear)
.Ldrain_linear:
    lsi f15, a7, 0
    add a5, a5, a6
    mul.s f15, f15, f14
    SUMS_0_TO_3(TO_FLOAT_SHIFTED, TO_FLOAT)
.Ldequantise_linear:
    DEQUANTISE(32, -16, -16, WORD_3_L, WORD_3_H)
.Ldrain_linear_2:
    SUMS_4_TO_7(TO_FLOAT_SHIFTED, TO_FLOAT)
.Ldequantise_linear_2:
    DEQUANTISE(32, -48, 16, NEXT_SCALE, COUNT)
.Lcall_linear_2:
    NEXT_TOKEN(.Lmultiply_linear)
    END(ftv_pie_linear)

/* ---- sums, up to 4095 inputs ---- */
FUNCTION(ftv_pie_sums, 32)
.Lcall_sums:
    ARGUMENTS
.Lmultiply_sums:
    MULTIPLY(.Llast_sums)
.Ldrain_sums:
    add a5, a5, a6
    COUNT
    SUMS_0_TO_3(STORE_SHIFTED, STORE)
    WORD_3_L
    WORD_3_H
    SUMS_4_TO_7(STORE_SHIFTED, STORE)
.Lcall_sums_2:
    NEXT_TOKEN(.Lmultiply_sums)
    END(ftv_pie_sums)

/* ---- linear, up to 255 inputs ----
 * The sums fit 16 bits. In memory, those of even number begin at a byte: sum 2 j at byte 5 j of QACC_L or QACC_H; four
 * of the eight are misaligned, which the core's loads allow. Those of odd number are the upper halves of QACC's lanes
 * of 40 bits: one EE.SRCMB brings all eight as 16 bits. The frame: 0 QACC_L, 32 QACC_H, 64 the odd sums */
#define SUM_9 l16si a2, a1, 72
#define SUM_10 l16si a13, a3, 36
#define THREE(at, i, at2, j, at3, k) l16si a2, at, i; l16si a13, at2, j; l16si a14, at3, k
FUNCTION(ftv_pie_linear_narrow, 112)
.Lcall_narrow:
    FLOAT_ARGUMENTS
    movi a15, 20
.Lmultiply_narrow:
    MULTIPLY(.Llast_narrow)
.Ldrain_narrow:
    lsi f15, a7, 0
    mov a13, a1
    add a5, a5, a6
    ee.st.qacc_l.l.128.ip a13, 16
    ee.st.qacc_l.h.32.ip a13, 16
    ee.st.qacc_h.l.128.ip a13, 16
    ee.st.qacc_h.h.32.ip a13, 16
    ee.srcmb.s16.qacc q1, a15, 0
    addi a3, a1, 1
    ee.vst.128.ip q1, a13, 0
    mul.s f15, f15, f14
    THREE(a1, 0, a1, 64, a3, 4)
    float.s f0, a2, 0; float.s f1, a13, 0; float.s f2, a14, 0
    THREE(a1, 66, a1, 10, a1, 68)
    float.s f3, a2, 0; float.s f4, a13, 0; float.s f5, a14, 0
    THREE(a3, 14, a1, 70, a1, 32)
    float.s f6, a2, 0; float.s f7, a13, 0
.Ldequantise_narrow:
    DEQUANTISE(16, 16, 16, SUM_9, SUM_10)
.Ldrain_narrow_2:
    float.s f0, a14, 0; float.s f1, a2, 0; float.s f2, a13, 0
    THREE(a1, 74, a1, 42, a1, 76)
    float.s f3, a2, 0; float.s f4, a13, 0; float.s f5, a14, 0
    l16si a2, a3, 46; l16si a13, a1, 78
    float.s f6, a2, 0; float.s f7, a13, 0
.Ldequantise_narrow_2:
    DEQUANTISE(16, -48, 16, NEXT_SCALE, COUNT)
.Lcall_narrow_2:
    NEXT_TOKEN(.Lmultiply_narrow)
    END(ftv_pie_linear_narrow)

/* ---- unpack ----
 * a2: tile, a3: rows, a4: stride, a5: blocks. 16 codes of each of 16 rows (a word a row) are transposed by bytes:
 * vector b holds byte b of every row; then digit d of its bytes is input 4 b + d of all 16 outputs. q6: 3, q7: 1. Each
 * result is stored while the next one is computed, so the first store goes to the 16 bytes before the tile. */
#define ROW(q, lane) l32i a7, a6, 0; add a6, a6, a4; ee.movi.32.q q, a7, lane
#define ROWS(q) ROW(q, 0); ROW(q, 1); ROW(q, 2); ROW(q, 3)
#define LAST_ROWS(q) ROW(q, 0); ROW(q, 1); ROW(q, 2); l32i a7, a6, 0; addi a3, a3, 4; ee.movi.32.q q, a7, 3
#define DIGIT(q, result, previous) ee.andq result, q, q6; ee.vsubs.s8.st.incp previous, a2, result, result, q7
#define DIGITS(q)                                                                                                      \
    DIGIT(q, q4, q5);                                                                                                  \
    ee.vsr.32 q, q; DIGIT(q, q5, q4);                                                                                  \
    ee.vsr.32 q, q; DIGIT(q, q4, q5);                                                                                  \
    ee.vsr.32 q, q; DIGIT(q, q5, q4)
FUNCTION(ftv_pie_unpack, 48)
.Lunpack:
    movi a6, 3
    s8i a6, a1, 0
    movi a7, 1
    s8i a7, a1, 1
    ee.vldbc.8 q6, a1
    addi a6, a1, 1
    ee.vldbc.8 q7, a6
    ee.zero.q q5
    ssai 2
    addi a2, a2, -16
.Lunpack_block:
    mov a6, a3
    ROWS(q0)
    ROWS(q1)
    ROWS(q2)
    LAST_ROWS(q3)
    ee.vunzip.8 q0, q1
    ee.vunzip.8 q2, q3
    ee.vunzip.8 q0, q2
    ee.vunzip.8 q1, q3
    DIGITS(q0)
    DIGITS(q1)
    DIGITS(q2)
    DIGITS(q3)
    addi a5, a5, -1
    bnez a5, .Lunpack_block
    ee.vst.128.ip q5, a2, 16
    END(ftv_pie_unpack)

/* ---- align ---- a2: to, a3: from, a4: blocks */
FUNCTION(ftv_pie_align, 32)
.Lalign:
    addi a4, a4, -1
    ee.ld.128.usar.ip q0, a3, 16
    loopnez a4, .Lalign_last
    ee.ld.128.usar.ip q1, a3, 16
    nop
    ee.src.q q2, q0, q1
    mv.qr q0, q1
    ee.vst.128.ip q2, a2, 16
.Lalign_last:
    ee.src.q q2, q0, q0
    ee.vst.128.ip q2, a2, 16
    END(ftv_pie_align)

/* ---- attention, heads of 64 columns ---- */

/* dots: a2: out, a3: q, a4: k, a5: stride, a6: keys. q0..q3: the query, q4..q7: a key, loaded two blocks ahead.
 * Each result is stored while the next one is computed, so the first store goes to the word before `out`. */
#define DOT_BEGIN                                                                                                      \
    ee.vmulas.s8.accx.ld.ip q6, a4, 16, q0, q4;                                                                        \
    ee.vmulas.s8.accx.ld.xp q7, a4, a5, q1, q5
FUNCTION(ftv_pie_dots, 32)
.Lattend_dots:
    ee.vld.128.ip q0, a3, 16
    ee.vld.128.ip q1, a3, 16
    ee.vld.128.ip q2, a3, 16
    ee.vld.128.ip q3, a3, 16
    ee.vld.128.ip q4, a4, 16
    ee.vld.128.ip q5, a4, 16
    addi a5, a5, -48
    addi a6, a6, -1
    addi a2, a2, -4
    movi a8, 0
    ee.zero.accx
    loopnez a6, .Llast_dot
    DOT_BEGIN
    ee.vmulas.s8.accx.ld.ip q4, a4, 16, q2, q6
    ee.vmulas.s8.accx.ld.ip q5, a4, 16, q3, q7
    s32i a8, a2, 0
    addi a2, a2, 4
    rur.accx_0 a8
    ee.zero.accx
.Llast_dot:
    DOT_BEGIN
    ee.vmulas.s8.accx q2, q6
    ee.vmulas.s8.accx q3, q7
    s32i a8, a2, 0
    nop
    rur.accx_0 a8
    nop
    s32i a8, a2, 4
    END(ftv_pie_dots)

/* widen: a2: tile, a3: v, a4: stride, a5: tokens, a6: bytes of an eighth of the tile. q7: 0 */
#define WIDEN(q, sign) ee.vcmp.lt.s8 sign, q, q7; ee.vzip.8 q, sign
FUNCTION(ftv_pie_widen, 32)
.Lattend_widen:
    ee.zero.q q7
    addi a4, a4, -64
.Lattend_widen_token:
    ee.vld.128.ip q0, a3, 16
    ee.vld.128.ip q2, a3, 16
    WIDEN(q0, q1)
    WIDEN(q2, q3)
    mov a7, a2
    ee.vst.128.xp q0, a7, a6
    ee.vst.128.xp q1, a7, a6
    ee.vst.128.xp q2, a7, a6
    ee.vst.128.xp q3, a7, a6
    ee.vld.128.ip q0, a3, 16
    ee.vld.128.ip q2, a3, 16
    WIDEN(q0, q1)
    WIDEN(q2, q3)
    ee.vst.128.xp q0, a7, a6
    ee.vst.128.xp q1, a7, a6
    ee.vst.128.xp q2, a7, a6
    ee.vst.128.xp q3, a7, a6
    addi a2, a2, 16
    add a3, a3, a4
    addi a5, a5, -1
    bnez a5, .Lattend_widen_token
    END(ftv_pie_widen)

/* weigh: a2: sums, a3: p, a4: tile, a5: blocks of 8 tokens. q0: 8 weights, q1..q4: the values of token i by i % 4.
 * QACC: 8 lanes of 40 bits, of which the lower 32 hold every sum */
#define WEIGHT(i, v, next) ee.vsmulas.s16.qacc.ld.incp next, a4, v, q0, i
#define WEIGHTS_0_TO_5                                                                                                 \
    ee.vld.128.ip q2, a4, 16;                                                                                          \
    WEIGHT(0, q1, q3); WEIGHT(1, q2, q4); WEIGHT(2, q3, q1); WEIGHT(3, q4, q2);                                        \
    WEIGHT(4, q1, q3); WEIGHT(5, q2, q4)
FUNCTION(ftv_pie_weigh, 32)
.Lattend_weigh:
    addi a5, a5, -1
    movi a6, 8
.Lattend_weigh_eight:
    mov a7, a3
    ee.vld.128.ip q0, a7, 16
    ee.vld.128.ip q1, a4, 16
    ee.zero.qacc
    loopnez a5, .Llast_weights
    WEIGHTS_0_TO_5
    WEIGHT(6, q3, q1)
    ee.vsmulas.s16.qacc.ld.incp q0, a7, q4, q0, 7
.Llast_weights:
    WEIGHTS_0_TO_5
    ee.vsmulas.s16.qacc q3, q0, 6
    ee.vsmulas.s16.qacc q4, q0, 7
    addi a6, a6, -1
    ssai 8
    rur.qacc_l_0 a7
    rur.qacc_h_0 a8
    s32i a7, a2, 0
    s32i a8, a2, 16
    rur.qacc_l_1 a8
    rur.qacc_l_2 a9
    rur.qacc_h_1 a12
    rur.qacc_h_2 a13
    src a8, a9, a8
    rur.qacc_l_3 a10
    src a12, a13, a12
    rur.qacc_h_3 a14
    ssai 16
    src a9, a10, a9
    rur.qacc_l_4 a11
    src a13, a14, a13
    rur.qacc_h_4 a15
    ssai 24
    src a10, a11, a10
    src a14, a15, a14
    s32i a8, a2, 4
    s32i a9, a2, 8
    s32i a10, a2, 12
    s32i a12, a2, 20
    s32i a13, a2, 24
    s32i a14, a2, 28
    addi a2, a2, 32
    bnez a6, .Lattend_weigh_eight
    END(ftv_pie_weigh)

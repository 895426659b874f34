/* SPDX-License-Identifier: Apache-2.0 */
/* The vector instructions (PIE) of the ESP32-S3 that pie_gemm.S uses, one C function each: what it does to the
 * registers.
 *
 * From the operation sections of the technical reference manual (v1.8, chapter 1), with the two corrections that
 * silicon made to Espressif's emulator: negative saturation ends at -2^(n-1), not one above. */
#ifndef FTV_PIE_MODEL_H
#define FTV_PIE_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t b[16]; /* b[0]: bits 7..0 */
} pie_vector;

typedef struct {
    pie_vector q[8];
    int32_t qacc[16]; /* QACC_L: lanes 0..7, QACC_H: 8..15; signed 20 bits each */
    int64_t accx;     /* signed 40 bits */
    uint32_t sar, sar_byte;
    bool saturated; /* an accumulator was clipped since this was cleared */
} pie_state;

static inline int32_t pie_signed(uint32_t bits, int n) { return (int32_t)(bits << (32 - n)) >> (32 - n); }
static inline int pie_clip(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

static inline void pie_zero_qacc(pie_state *s) { memset(s->qacc, 0, sizeof s->qacc); }

/* EE.VSMULAS.S8.QACC: every lane of x times one lane of y */
static inline void pie_vsmulas_s8_qacc(pie_state *s, int x, int y, int lane) {
    const int factor = (int8_t)s->q[y].b[lane];
    for (int i = 0; i < 16; i++) {
        const int sum = s->qacc[i] + (int8_t)s->q[x].b[i] * factor, clipped = pie_clip(sum, -(1 << 19), (1 << 19) - 1);
        s->saturated = s->saturated || sum != clipped;
        s->qacc[i] = clipped;
    }
}

/* QACC as eight lanes of 40 bits */
static inline int64_t pie_qacc_40(const pie_state *s, int lane) {
    return (int64_t)s->qacc[2 * lane + 1] * (1 << 20) + (s->qacc[2 * lane] & 0xfffff);
}
static inline void pie_set_qacc_40(pie_state *s, int lane, int64_t v) {
    s->qacc[2 * lane] = pie_signed((uint32_t)v & 0xfffff, 20);
    s->qacc[2 * lane + 1] = pie_signed((uint32_t)(v >> 20) & 0xfffff, 20);
}
static inline int16_t pie_16(const pie_state *s, int q, int lane) {
    return (int16_t)(uint16_t)(s->q[q].b[2 * lane] | s->q[q].b[2 * lane + 1] << 8);
}
static inline int64_t pie_clip_40(pie_state *s, int64_t v) {
    const int64_t high = ((int64_t)1 << 39) - 1, clipped = v > high ? high : v < -high - 1 ? -high - 1 : v;
    s->saturated = s->saturated || v != clipped;
    return clipped;
}

/* EE.VSMULAS.S16.QACC: every 16-bit lane of x times one of y */
static inline void pie_vsmulas_s16_qacc(pie_state *s, int x, int y, int lane) {
    const int32_t factor = pie_16(s, y, lane);
    for (int i = 0; i < 8; i++)
        pie_set_qacc_40(s, i, pie_clip_40(s, pie_qacc_40(s, i) + (int64_t)pie_16(s, x, i) * factor));
}

/* EE.VMULAS.S8.ACCX: the sum of the 16 products */
static inline void pie_vmulas_s8_accx(pie_state *s, int x, int y) {
    int64_t sum = s->accx;
    for (int i = 0; i < 16; i++) sum += (int8_t)s->q[x].b[i] * (int8_t)s->q[y].b[i];
    s->accx = pie_clip_40(s, sum);
}

/* The 160 bits of QACC_L (half 0) or QACC_H (1), lowest byte first */
static inline void pie_qacc_bytes(const pie_state *s, int half, uint8_t out[20]) {
    for (int i = 0; i < 4; i++) {
        const uint64_t pair = ((uint64_t)(uint32_t)s->qacc[8 * half + 2 * i + 1] & 0xfffff) << 20 |
                              ((uint32_t)s->qacc[8 * half + 2 * i] & 0xfffff);
        for (int b = 0; b < 5; b++) out[5 * i + b] = (uint8_t)(pair >> 8 * b);
    }
}

/* EE.SRCMB.S16.QACC: QACC as eight lanes of 40 bits: each is shifted right in place, and clipped to a lane of 16 bits
 * of u */
static inline void pie_srcmb_s16_qacc(pie_state *s, int u, uint32_t shift) {
    for (int i = 0; i < 8; i++) {
        const int64_t lane = pie_qacc_40(s, i) >> (shift & 63);
        const int v = lane < -32768 ? -32768 : lane > 32767 ? 32767 : (int)lane;
        s->saturated = s->saturated || v != lane;
        pie_set_qacc_40(s, i, lane);
        s->q[u].b[2 * i] = (uint8_t)v, s->q[u].b[2 * i + 1] = (uint8_t)(v >> 8);
    }
}

/* EE.VUNZIP.8: x <- the even bytes of x, then of y; y <- the odd ones */
static inline void pie_vunzip_8(pie_state *s, int x, int y) {
    const pie_vector a = s->q[x], b = s->q[y];
    for (int i = 0; i < 8; i++) {
        s->q[x].b[i] = a.b[2 * i], s->q[x].b[i + 8] = b.b[2 * i];
        s->q[y].b[i] = a.b[2 * i + 1], s->q[y].b[i + 8] = b.b[2 * i + 1];
    }
}

/* EE.VZIP.8: the bytes of x and y in turn: x <- those of the lower halves, y <- of the upper ones */
static inline void pie_vzip_8(pie_state *s, int x, int y) {
    const pie_vector a = s->q[x], b = s->q[y];
    for (int i = 0; i < 8; i++) {
        s->q[x].b[2 * i] = a.b[i], s->q[x].b[2 * i + 1] = b.b[i];
        s->q[y].b[2 * i] = a.b[i + 8], s->q[y].b[2 * i + 1] = b.b[i + 8];
    }
}

/* EE.VCMP.LT.S8: all ones where x < y */
static inline void pie_vcmp_lt_s8(pie_state *s, int a, int x, int y) {
    for (int i = 0; i < 16; i++) s->q[a].b[i] = (int8_t)s->q[x].b[i] < (int8_t)s->q[y].b[i] ? 0xff : 0;
}

static inline void pie_andq(pie_state *s, int a, int x, int y) {
    for (int i = 0; i < 16; i++) s->q[a].b[i] = s->q[x].b[i] & s->q[y].b[i];
}

/* EE.VSUBS.S8: a <- x - y, clipped */
static inline void pie_vsubs_s8(pie_state *s, int a, int x, int y) {
    for (int i = 0; i < 16; i++)
        s->q[a].b[i] = (uint8_t)pie_clip((int8_t)s->q[x].b[i] - (int8_t)s->q[y].b[i], -128, 127);
}

/* EE.VSR.32: each of four lanes arithmetically right by SAR */
static inline void pie_vsr_32(pie_state *s, int a, int x) {
    for (int i = 0; i < 4; i++) {
        uint32_t v;
        memcpy(&v, s->q[x].b + 4 * i, 4);
        v = (uint32_t)((int32_t)v >> (s->sar & 31));
        memcpy(s->q[a].b + 4 * i, &v, 4);
    }
}

/* EE.VLDBC.8 */
static inline void pie_broadcast_8(pie_state *s, int u, uint8_t v) { memset(s->q[u].b, v, 16); }

/* EE.MOVI.32.Q */
static inline void pie_movi_32_q(pie_state *s, int u, uint32_t v, int lane) { memcpy(s->q[u].b + 4 * lane, &v, 4); }

/* EE.SRC.Q: the 16 bytes that begin at byte SAR_BYTE of x, y */
static inline void pie_src_q(pie_state *s, int a, int x, int y) {
    uint8_t both[32];
    memcpy(both, s->q[x].b, 16), memcpy(both + 16, s->q[y].b, 16);
    memcpy(s->q[a].b, both + (s->sar_byte & 15), 16);
}

#endif

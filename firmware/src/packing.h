/* SPDX-License-Identifier: Apache-2.0 */
/* Ternary codes in bytes: element i of a row is digit i % n of byte i / n, lowest digit first, each digit code + 1.
 * 2bit: n = 4 digits of 2 bits. base3: n = 5 digits of base 3. A row's last byte is filled with the zero code. */
#ifndef FTV_PACKING_H
#define FTV_PACKING_H

#include "ftervit.h"

static inline int ftv_packed_digits(ftv_packing p) { return p == FTV_PACK_2BIT ? 4 : 5; }

static inline size_t ftv_packed_bytes(ftv_packing p, int n) {
    int digits = ftv_packed_digits(p);
    return (size_t)((n + digits - 1) / digits);
}

static inline bool ftv_packed_valid(ftv_packing p, uint8_t byte) {
    return p == FTV_PACK_2BIT ? !(byte & byte >> 1 & 0x55) : byte < 243;
}

/* Code (-1, 0, 1) of element i of a row. */
static inline int ftv_unpack(ftv_packing p, const uint8_t *row, int i) {
    static const uint8_t power[] = {1, 3, 9, 27, 81};
    if (p == FTV_PACK_2BIT) return (row[i >> 2] >> 2 * (i & 3) & 3) - 1;
    return row[i / 5] / power[i % 5] % 3 - 1;
}

extern const uint16_t ftv_digits_of_base3[256]; /* the five digits of a byte, two bits each */

static inline void ftv_pack(ftv_packing p, uint8_t *row, const int8_t *codes, int n) {
    static const uint8_t power[] = {1, 3, 9, 27, 81};
    int digits = ftv_packed_digits(p), filled = (int)ftv_packed_bytes(p, n) * digits;
    for (int i = 0; i < filled; i++) {
        int digit = (i < n ? codes[i] : 0) + 1, place = i % digits;
        if (!place) row[i / digits] = 0;
        row[i / digits] = (uint8_t)(row[i / digits] + (p == FTV_PACK_2BIT ? digit << 2 * place : digit * power[place]));
    }
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Packed trits: every byte value, every tail. */
#include <string.h>

#include "check.h"
#include "packing.h"

int main(void) {
    uint64_t seed = 1;
    for (int p = 0; p < 2; p++) {
        const ftv_packing packing = (ftv_packing)p;
        const int digits = ftv_packed_digits(packing);
        int valid = 0;
        for (int b = 0; b < 256; b++) {
            uint8_t byte = (uint8_t)b, back;
            int8_t codes[5];
            bool ternary = true;
            for (int i = 0; i < digits; i++) {
                int c = ftv_unpack(packing, &byte, i);
                ternary = ternary && c >= -1 && c <= 1;
                codes[i] = (int8_t)c;
            }
            if (packing == FTV_PACK_BASE3) ternary = b < 243;
            CHECK(ftv_packed_valid(packing, byte) == ternary, "byte %d, packing %d", b, p);
            if (!ternary) continue;
            valid++;
            ftv_pack(packing, &back, codes, digits);
            CHECK(back == byte, "byte %d, packing %d: packed again %d", b, p, back);
        }
        CHECK(valid == (p ? 243 : 81), "%d valid bytes", valid);
        for (int n = 1; n <= 64; n++) {
            int8_t codes[64];
            uint8_t row[24];
            memset(row, 0xa5, sizeof row);
            for (int i = 0; i < n; i++) codes[i] = (int8_t)(check_random(&seed) % 3) - 1;
            ftv_pack(packing, row, codes, n);
            size_t bytes = ftv_packed_bytes(packing, n);
            for (int i = 0; i < (int)bytes * digits; i++)
                CHECK(ftv_unpack(packing, row, i) == (i < n ? codes[i] : 0), "length %d, code %d", n, i);
            for (size_t i = bytes; i < sizeof row; i++)
                CHECK(row[i] == 0xa5, "length %d wrote beyond its %zu bytes", n, bytes);
        }
    }
    return check_done("packing");
}

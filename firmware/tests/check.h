/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests share: a check that prints the first failure and counts all, and a deterministic random number. */
#ifndef FTV_CHECK_H
#define FTV_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bits.h"

static long check_count, check_failures;

#define CHECK(ok, ...)                                                                                                 \
    do {                                                                                                               \
        check_count++;                                                                                                 \
        if (!(ok) && !check_failures++) {                                                                              \
            printf("%s:%d: first failure: ", __FILE__, __LINE__);                                                      \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)

static inline int check_done(const char *what) {
    printf("%s: %s, %ld checks, %ld failed\n", check_failures ? "FAILED" : "ok", what, check_count, check_failures);
    return check_failures != 0;
}

/* xorshift64* */
static inline uint64_t check_random(uint64_t *s) {
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 0x2545f4914f6cdd1du;
}

#endif

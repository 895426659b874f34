/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include <string.h>

static const ftv_kernels *const sets[] = {/* the fastest first */
#ifdef FTV_HAVE_X86
                                          &ftv_kernels_avx512,
#ifdef FTV_HAVE_AVXVNNI
                                          &ftv_kernels_avxvnni,
#endif
                                          &ftv_kernels_avx2,
#endif
#ifdef FTV_HAVE_PIE
                                          &ftv_kernels_pie,
#endif
#ifdef FTV_HAVE_NEON
                                          &ftv_kernels_neondot, &ftv_kernels_neon,
#endif
#ifdef FTV_HAVE_WASM_RELAXED
                                          &ftv_kernels_relaxed,
#endif
#ifdef FTV_HAVE_WASM
                                          &ftv_kernels_simd128,
#endif
                                          &ftv_kernels_table,   &ftv_kernels_ref};
enum { SETS = sizeof sets / sizeof *sets };

const char *ftv_kernels_text(int index) { return index >= 0 && index < SETS ? sets[index]->name : NULL; }

bool ftv_kernels_supported(const char *name) { return name && ftv_find_kernels(name); }

const ftv_kernels *ftv_find_kernels(const char *name) {
    name = ftv_wanted_kernels(name);
    for (int i = 0; i < SETS; i++)
        if ((!name || strcmp(name, sets[i]->name) == 0) && (!sets[i]->supported || sets[i]->supported()))
            return sets[i];
    return NULL;
}

#define DIGITS(b) ((b) % 3 | (b) / 3 % 3 << 2 | (b) / 9 % 3 << 4 | (b) / 27 % 3 << 6 | (b) / 81 % 3 << 8)
#define FOUR(b) DIGITS(b), DIGITS((b) + 1), DIGITS((b) + 2), DIGITS((b) + 3)
#define SIXTEEN(b) FOUR(b), FOUR((b) + 4), FOUR((b) + 8), FOUR((b) + 12)
#define SIXTY_FOUR(b) SIXTEEN(b), SIXTEEN((b) + 16), SIXTEEN((b) + 32), SIXTEEN((b) + 48)
const uint16_t ftv_digits_of_base3[256] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};

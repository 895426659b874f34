#include "kernels.h"

#include <stdlib.h>
#include <string.h>

static const ftv_kernels *const sets[] = {&ftv_kernels_table, &ftv_kernels_ref}; /* the fastest first */
enum { SETS = sizeof sets / sizeof *sets };

const char *ftv_kernels_text(int index) { return index >= 0 && index < SETS ? sets[index]->name : NULL; }

const ftv_kernels *ftv_find_kernels(const char *name) {
    if (!name) name = getenv("FTERVIT_KERNELS");
    for (int i = 0; i < SETS; i++)
        if ((!name || strcmp(name, sets[i]->name) == 0) && (!sets[i]->supported || sets[i]->supported())) return sets[i];
    return NULL;
}

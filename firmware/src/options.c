/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may choose, checked value by value. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"

ftv_status ftv_fail(char *why, ftv_status status, const char *format, ...) {
    if (!why) return status;
    va_list values;
    va_start(values, format);
    vsnprintf(why, FTV_ERROR_BYTES, format, values);
    va_end(values);
    return status;
}

const char *ftv_wanted_kernels(const char *given) { return given ? given : getenv("FTERVIT_KERNELS"); }

ftv_status ftv_read_options(ftv_options *out, const ftv_kernels **kernels, const ftv_options *given, char *why) {
    const ftv_options defaults = {0};
    *out = given ? *given : defaults;
    *kernels = ftv_find_kernels(out->kernels);
    if (!*kernels) {
        const char *name = ftv_wanted_kernels(out->kernels);
        return ftv_fail(why, FTV_ERR_ARGUMENT, "option kernels%s: there is no set %.60s that runs here",
                        out->kernels ? "" : " (environment FTERVIT_KERNELS)", name ? name : "at all");
    }
    if (out->attention != FTV_ATTENTION_F32 && out->attention != FTV_ATTENTION_INT8)
        return ftv_fail(why, FTV_ERR_ARGUMENT, "option attention is %d: 0 (f32) or 1 (int8)", (int)out->attention);
    if (out->workers < 0 || out->workers > FTV_MAX_WORKERS)
        return ftv_fail(why, FTV_ERR_ARGUMENT, "option workers is %d: 0 to %d", out->workers, FTV_MAX_WORKERS);
    if (out->chunk_tokens < 0 || out->chunk_tokens > FTV_MAX_CHUNK_TOKENS)
        return ftv_fail(why, FTV_ERR_ARGUMENT, "option chunk_tokens is %d: 0 to %d", out->chunk_tokens,
                        FTV_MAX_CHUNK_TOKENS);
    return FTV_OK;
}

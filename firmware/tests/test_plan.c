/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200112L
/* Why an arena cannot be planned: each value that is in the way is named, with what it may be. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ftervit.h"
#include "plan.h"
#include "platform.h"

static ftv_model model;

static void refused(const ftv_model *m, ftv_options o, ftv_status want, const char *words) {
    char why[FTV_ERROR_BYTES] = "";
    size_t bytes = 1;
    const ftv_status got = ftv_plan(m, &o, &bytes, why);
    CHECK(got == want && strstr(why, words) && !bytes, "wanted \"%s\", got %s, \"%s\", %zu bytes", words,
          ftv_status_text(got), why, bytes);
    CHECK(ftv_plan(m, &o, NULL, NULL) == want && !ftv_arena_bytes(m, &o), "%s: the short forms differ", words);
    ftv_session s;
    uint64_t arena[8];
    CHECK(ftv_start(&s, m, &o, arena, sizeof arena) == want && !strcmp(s.error, why), "%s: a session says \"%s\"",
          words, s.error);
    CHECK(ftv_run_u8(&s, (const uint8_t *)arena, (float *)(void *)arena) == FTV_ERR_ARGUMENT, "%s: it runs", words);
}

static void test_environment(void) {
    setenv("FTERVIT_KERNELS", "none", 1);
    refused(&model, (ftv_options){0}, FTV_ERR_ARGUMENT, "FTERVIT_KERNELS");
    CHECK(ftv_plan(&model, &(ftv_options){.kernels = "ref"}, NULL, NULL) == FTV_OK, "the option overrules it");
    unsetenv("FTERVIT_KERNELS");
}

static void test_memory(void) {
    char why[FTV_ERROR_BYTES];
    size_t need, bytes;
    ftv_session s;
    CHECK(ftv_plan(&model, NULL, &need, why) == FTV_OK && need && !*why, "a plan: %s", why);
    CHECK(ftv_plan_within(&model, NULL, need, &bytes, why) == FTV_OK && bytes == need, "the arena fits exactly: %s",
          why);
    CHECK(ftv_plan_within(&model, NULL, need - 1, &bytes, why) == FTV_ERR_UNSUPPORTED && !bytes, "one byte too many");
    char words[40];
    snprintf(words, sizeof words, "an arena of %zu bytes", need);
    CHECK(strstr(why, words), "the bytes are not named: %s", why);
    void *arena = malloc(need);
    CHECK(arena && ftv_start(&s, &model, NULL, arena, need) == FTV_OK && !*s.error, "a session: %s", s.error);
    CHECK(ftv_start(&s, &model, NULL, arena, need - 1) == FTV_ERR_MEMORY && strstr(s.error, "are needed"), "%s",
          s.error);
    CHECK(ftv_start(&s, &model, NULL, NULL, need) == FTV_ERR_ARGUMENT && strstr(s.error, "no arena"), "%s", s.error);
    free(arena);
}

int main(void) {
    size_t n;
    const void *file = ftv_platform_file("tests/models/odd.gguf", &n);
    if (!file || ftv_open(&model, file, n)) return printf("cannot open tests/models/odd.gguf\n"), 2;
    refused(&model, (ftv_options){.kernels = "none"}, FTV_ERR_ARGUMENT, "kernels: there is no set none");
    refused(&model, (ftv_options){.attention = (ftv_attention)2}, FTV_ERR_ARGUMENT, "attention is 2");
    refused(&model, (ftv_options){.workers = FTV_MAX_WORKERS + 1}, FTV_ERR_ARGUMENT, "workers is 65: 0 to 64");
    refused(&model, (ftv_options){.workers = -1}, FTV_ERR_ARGUMENT, "workers is -1");
    refused(&model, (ftv_options){.chunk_tokens = FTV_MAX_CHUNK_TOKENS + 1}, FTV_ERR_ARGUMENT, "chunk_tokens is 4097");
    refused(&model, (ftv_options){.chunk_tokens = -1}, FTV_ERR_ARGUMENT, "chunk_tokens is -1");
    refused(NULL, (ftv_options){0}, FTV_ERR_ARGUMENT, "no model");
    static ftv_model closed;
    refused(&closed, (ftv_options){0}, FTV_ERR_ARGUMENT, "depth 0");
    CHECK(ftv_open(&closed, "GGML", 4) != FTV_OK, "another magic");
    refused(&closed, (ftv_options){0}, FTV_ERR_ARGUMENT, "was not opened: ");
    test_environment();
    test_memory();
    CHECK(!strcmp(ftv_version(), FTV_VERSION_TEXT), "version %s", ftv_version());
    return check_done("plan");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ftervit-run MODEL.gguf PICTURE ... : the most probable classes of pictures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "ftervit.h"
#include "kernels.h"
#include "picture.h"
#include "platform.h"

typedef struct {
    uint64_t last, ns[FTV_STAGES];
} profile;

static void on_stage(void *context, ftv_stage stage, int block, const float *data, int rows, int cols, int stride) {
    (void)block, (void)data, (void)rows, (void)cols, (void)stride;
    profile *p = context;
    uint64_t now = ftv_platform_count().total;
    p->ns[stage] += now - p->last;
    p->last = now;
}

static int usage(const char *why) {
    fprintf(
        stderr,
        "%s\nusage: ftervit-run MODEL.gguf PICTURE ... [--top K] [--threads N] [--attention f32|int8] [--kernels NAME] "
        "[--profile]\n"
        "  --top K        classes to print (5)\n  --threads N    worker threads (1)\n  --attention    f32: the "
        "definition; "
        "int8: quantised\n"
        "  --kernels      one of selftest --list (the fastest that runs here)\n  --profile      memory, and "
        "milliseconds per stage\n",
        why);
    return 2;
}

static int classify(ftv_session *s, const char *path, int top, float *logits, uint8_t *pixels, ftv_class *best) {
    picture photo;
    const char *why = ftv_picture_read(path, &photo);
    if (why) {
        fprintf(stderr, "%s: %s\n", path, why);
        return 1;
    }
    profile *p = s->options.stage_context;
    ftv_status status = ftv_preprocess(s, &photo.image, pixels);
    free(photo.pixels);
    if (p) p->last = ftv_platform_count().total;
    if (!status) status = ftv_run_u8(s, pixels, logits);
    if (!status) status = ftv_top_k(logits, s->model->classes, top, best);
    if (status) {
        fprintf(stderr, "%s: %s\n", path, ftv_status_text(status));
        return 1;
    }
    printf("%s\n", path);
    for (int i = 0; i < top; i++) {
        size_t n = 0;
        const char *name = ftv_class_name(s->model, best[i].index, &n);
        printf("  %6.2f %%  %d %.*s\n", (double)best[i].probability * 100, best[i].index, (int)(n < 200 ? n : 200),
               name ? name : "");
    }
    return 0;
}

typedef struct {
    const char *model;
    char **pictures; /* the front of argv, behind the program's name */
    int count, top;
    bool show;
    ftv_options options;
} command;

/* NULL, or the word that is wrong */
static const char *read_command(command *c, int argc, char **argv) {
    c->pictures = argv + 1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--profile"))
            c->show = true;
        else if (ftv_argument_is("--top", argc, argv, &i))
            c->top = atoi(argv[i]);
        else if (!ftv_argument(&c->options, argc, argv, &i)) {
            if (!strncmp(argv[i], "--", 2)) return argv[i];
            if (c->model)
                c->pictures[c->count++] = argv[i]; /* never ahead of i */
            else
                c->model = argv[i];
        }
    }
    return c->model && c->count ? NULL : "a model and a picture are needed";
}

static void print_profile(const ftv_session *s, const profile *times, size_t arena_bytes, int pictures) {
    printf("model %zu bytes, arena %zu bytes, %s kernels\n", s->model->bytes, arena_bytes, s->kernels->name);
    for (int i = 0; i < FTV_STAGES; i++)
        printf("  %-10s %9.3f ms\n", ftv_stage_text((ftv_stage)i), (double)times->ns[i] / 1e6 / pictures);
}

/* All pictures of the command; the number of those that failed, or -1 when there can be no session. */
static int run(const ftv_model *model, command *c) {
    char why[FTV_ERROR_BYTES];
    size_t arena_bytes;
    profile times = {0};
    if (c->show) c->options.on_stage = on_stage, c->options.stage_context = &times;
    if (ftv_plan(model, &c->options, &arena_bytes, why)) return usage(why), -1;
    const int top = c->top < 1 ? 1 : c->top > model->classes ? model->classes : c->top;
    void *arena = malloc(arena_bytes);
    float *logits = malloc((size_t)model->classes * sizeof *logits);
    uint8_t *pixels = malloc((size_t)model->image_size * (size_t)model->image_size * (size_t)model->channels);
    ftv_class *best = malloc((size_t)top * sizeof *best);
    ftv_session session;
    int failures = 0;
    if (arena && logits && pixels && best && !ftv_start(&session, model, &c->options, arena, arena_bytes)) {
        for (int i = 0; i < c->count; i++) failures += classify(&session, c->pictures[i], top, logits, pixels, best);
        if (c->show) print_profile(&session, &times, arena_bytes, c->count);
    } else {
        fprintf(stderr, "out of memory: %zu bytes\n", arena_bytes);
        failures = 1;
    }
    free(arena), free(logits), free(pixels), free(best);
    return failures;
}

int main(int argc, char **argv) {
    static ftv_model model;
    command c = {.top = 5};
    const char *wrong = read_command(&c, argc, argv);
    if (wrong) return usage(wrong);
    size_t bytes = 0;
    const void *file = ftv_platform_file(c.model, &bytes);
    if (!file) return usage("cannot read the model file");
    ftv_status status = ftv_open(&model, file, bytes);
    if (status) {
        fprintf(stderr, "%s: %s: %s\n", c.model, ftv_status_text(status), model.error);
        return 1;
    }
    ftv_arguments_pool(&c.options);
    const int failures = run(&model, &c);
    ftv_platform_pool_stop(c.options.parallel_context);
    return failures < 0 ? 2 : failures != 0;
}

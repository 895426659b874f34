/* ftervit-run MODEL.gguf PICTURE ... : the most probable classes of pictures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    uint64_t now = platform_count().total;
    p->ns[stage] += now - p->last;
    p->last = now;
}

static int usage(const char *why) {
    fprintf(stderr,
            "%s\nusage: ftervit-run MODEL.gguf PICTURE ... [--top K] [--threads N] [--attention f32|int8] [--kernels NAME] "
            "[--profile]\n"
            "  --top K        classes to print (5)\n  --threads N    worker threads (1)\n  --attention    f32: the definition; "
            "int8: quantised\n"
            "  --kernels      one of selftest --list (the fastest that runs here)\n  --profile      memory, and milliseconds per stage\n",
            why);
    return 2;
}

static int classify(ftv_session *s, const char *path, int top, float *logits, uint8_t *pixels, ftv_class *best) {
    picture photo;
    const char *why = picture_read(path, &photo);
    if (why) {
        fprintf(stderr, "%s: %s\n", path, why);
        return 1;
    }
    profile *p = s->options.stage_context;
    ftv_status status = ftv_preprocess(s, &photo.image, pixels);
    free(photo.pixels);
    if (p) p->last = platform_count().total;
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

int main(int argc, char **argv) {
    static ftv_model model;
    ftv_options options = {0};
    profile times = {0};
    const char *path = NULL;
    int top = 5, pictures = 0, failures = 0;
    bool show = false;
    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--profile"))
            show = true;
        else if (!strcmp(argv[i], "--top") && more)
            top = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--threads") && more)
            options.workers = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--kernels") && more)
            options.kernels = argv[++i];
        else if (!strcmp(argv[i], "--attention") && more && !strcmp(argv[i + 1], "int8"))
            options.attention = FTV_ATTENTION_INT8, i++;
        else if (!strcmp(argv[i], "--attention") && more && !strcmp(argv[i + 1], "f32"))
            i++;
        else if (!strncmp(argv[i], "--", 2))
            return usage(argv[i]);
        else if (!path)
            path = argv[i];
        else
            argv[1 + pictures++] = argv[i]; /* never ahead of i */
    }
    if (!path || !pictures) return usage("a model and a picture are needed");
    size_t bytes = 0;
    const void *file = platform_file(path, &bytes);
    if (!file) return usage("cannot read the model file");
    ftv_status status = ftv_open(&model, file, bytes);
    if (status) {
        fprintf(stderr, "%s: %s: %s\n", path, ftv_status_text(status), model.error);
        return 1;
    }
    if (options.workers > 1 && (options.parallel_context = platform_pool_start(options.workers)))
        options.parallel_for = platform_pool_run;
    if (show) options.on_stage = on_stage, options.stage_context = &times;
    size_t arena_bytes = ftv_arena_bytes(&model, &options);
    if (!arena_bytes) return usage("no such kernels, or more threads than 64");
    if (top < 1 || top > model.classes) top = top < 1 ? 1 : model.classes;
    void *arena = malloc(arena_bytes);
    float *logits = malloc((size_t)model.classes * sizeof *logits);
    uint8_t *pixels = malloc((size_t)model.image_size * (size_t)model.image_size * (size_t)model.channels);
    ftv_class *best = malloc((size_t)top * sizeof *best);
    ftv_session session;
    if (!arena || !logits || !pixels || !best || ftv_start(&session, &model, &options, arena, arena_bytes)) {
        fprintf(stderr, "out of memory: %zu bytes\n", arena_bytes);
        return 1;
    }
    for (int i = 0; i < pictures; i++) failures += classify(&session, argv[1 + i], top, logits, pixels, best);
    if (show) {
        printf("model %zu bytes, arena %zu bytes, %s kernels\n", model.bytes, arena_bytes, session.kernels->name);
        for (int i = 0; i < FTV_STAGES; i++)
            printf("  %-10s %9.3f ms\n", ftv_stage_text((ftv_stage)i), (double)times.ns[i] / 1e6 / pictures);
    }
    platform_pool_stop(options.parallel_context);
    return failures != 0;
}

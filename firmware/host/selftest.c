/* SPDX-License-Identifier: Apache-2.0 */
/* selftest MODEL.gguf [--kernels NAME] [--attention f32|int8] [--threads N] [--count]
 * selftest MODEL.gguf --pictures FILE [...]    a CRC-32 of each picture's logits; 8-bit pictures one after another
 * selftest --list                              names of the kernels that run here
 *
 * Runs the picture that the model file carries (tensor golden.input; a fixed pattern when there is none) and prints a
 * CRC-32 of every stage's bits: two machines agree when these lines do. Compares with the file's golden tensors, within
 * its tolerance. Exit status 0, or 1 with the first value that differs. Runs on the host and in the emulator. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "bits.h"
#include "ftervit.h"
#include "golden.h"
#include "platform.h"

typedef struct {
    ftv_golden golden;
    bool count;
    platform_count_t last, stages[FTV_STAGES];
} report;

static void compare(report *r, ftv_stage stage, int block, const float *data, int rows, int cols, int stride) {
    ftv_golden_result g;
    if (!ftv_golden_compare(&r->golden, &g, stage, block, data, rows, cols, stride)) return;
    printf("  %-12s largest difference %.3g of %.3g%s\n", g.name, (double)g.largest_difference, (double)g.largest,
           g.first < 0 ? " (bit-identical)"
           : g.ok      ? ""
                       : " WRONG");
    if (!g.ok && r->golden.wrong == 1)
        printf("first wrong: %s[%d] got %.9g want %.9g\n", g.name, g.worst, (double)ftv_bits_float(g.got[1]),
               (double)ftv_bits_float(g.want[1]));
}

static void on_stage(void *context, ftv_stage stage, int block, const float *data, int rows, int cols, int stride) {
    report *r = context;
    platform_count_t now = ftv_platform_count();
    r->stages[stage].total += now.total - r->last.total;
    r->stages[stage].soft_float += now.soft_float - r->last.soft_float;
    r->stages[stage].vector += now.vector - r->last.vector;
    r->stages[stage].beside += now.beside - r->last.beside;
    printf("%-10s %3d %08" PRIx32 "\n", ftv_stage_text(stage), block, ftv_stage_crc(data, rows, cols, stride));
    compare(r, stage, block, data, rows, cols, stride);
    r->last = ftv_platform_count();
}

static void print_counts(const report *r, const ftv_model *m) {
    platform_count_t all = {0};
    for (int i = 0; i < FTV_STAGES; i++) {
        printf("count %-10s %15" PRIu64 " %s", ftv_stage_text((ftv_stage)i), r->stages[i].total, ftv_platform_unit());
        if (r->stages[i].soft_float) printf(", %15" PRIu64 " of them software floating point", r->stages[i].soft_float);
        if (r->stages[i].vector) printf(", %15" PRIu64 " in vector kernels", r->stages[i].vector);
        if (r->stages[i].beside) printf(", %15" PRIu64 " at the same time as others", r->stages[i].beside);
        printf("\n");
        all.total += r->stages[i].total;
        all.soft_float += r->stages[i].soft_float;
    }
    const uint64_t macs = ftv_ternary_macs(m),
                   per[2] = {all.total * 1000 / macs, (all.total - all.soft_float) * 1000 / macs};
    printf("count %-10s %15" PRIu64 " %s, %" PRIu64 ".%03" PRIu64 " per ternary MAC (%" PRIu64 ".%03" PRIu64
           " without software floating point)\n",
           "all", all.total, ftv_platform_unit(), per[0] / 1000, per[0] % 1000, per[1] / 1000, per[1] % 1000);
}

static int list_kernels(void) {
    const char *name;
    for (int i = 0; (name = ftv_kernels_text(i)); i++)
        if (ftv_kernels_supported(name)) printf("%s\n", name);
    return 0;
}

/* Every picture of a file, without looking into the stages. */
static ftv_status run_pictures(ftv_session *s, const uint8_t *pictures, size_t bytes, float *logits) {
    const ftv_model *m = s->model;
    const size_t one = (size_t)m->image_size * (size_t)m->image_size * (size_t)m->channels;
    for (size_t i = 0; i < bytes / one; i++) {
        ftv_status status = ftv_run_u8(s, pictures + i * one, logits);
        if (status) return status;
        printf("%5u %08" PRIx32 "\n", (unsigned)i, ftv_crc32(0, logits, (size_t)m->classes * sizeof *logits));
    }
    printf("%u pictures\n", (unsigned)(bytes / one));
    return FTV_OK;
}

/* The picture that the file carries, or those of `pictures`: FTV_OK, or what went wrong. */
static ftv_status run(report *r, const ftv_model *m, ftv_options *options, const uint8_t *pictures, size_t bytes) {
    char why[FTV_ERROR_BYTES];
    size_t arena_bytes;
    ftv_session session;
    options->on_stage = pictures ? NULL : on_stage;
    options->stage_context = r;
    ftv_status status = ftv_plan(m, options, &arena_bytes, why);
    if (status) {
        printf("%s: %s\n", ftv_status_text(status), why);
        return status;
    }
    void *arena = malloc(arena_bytes);
    float *logits = malloc((size_t)m->classes * sizeof *logits);
    uint8_t *input = malloc((size_t)m->image_size * (size_t)m->image_size * (size_t)m->channels);
    if (input) ftv_golden_picture(&r->golden, m, input);
    status = arena && logits && input ? ftv_start(&session, m, options, arena, arena_bytes) : FTV_ERR_MEMORY;
    r->last = ftv_platform_count();
    if (!status)
        status = pictures ? run_pictures(&session, pictures, bytes, logits) : ftv_run_u8(&session, input, logits);
    if (status) printf("%s\n", ftv_status_text(status));
    free(arena);
    free(logits);
    free(input);
    return status;
}

static int usage(const char *why) {
    printf("usage: selftest MODEL.gguf " FTV_ARGUMENTS_USAGE " [--count] [--pictures FILE]; selftest --list; %s\n",
           why);
    return 2;
}

int main(int argc, char **argv) {
    static ftv_model model; /* static: too large for a small stack */
    static report r;
    ftv_options options = {0};
    const char *path = NULL, *picture_path = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) return list_kernels();
        if (!strcmp(argv[i], "--count"))
            r.count = true;
        else if (ftv_argument_is("--pictures", argc, argv, &i))
            picture_path = argv[i];
        else if (!ftv_argument(&options, argc, argv, &i))
            path = argv[i];
    }
    if (!path) return usage("no file given");
    size_t bytes = 0, picture_bytes = 0;
    const void *file = ftv_platform_file(path, &bytes);
    if (!file) return usage("cannot read that file");
    ftv_status status = ftv_open(&model, file, bytes);
    if (status) return printf("%s: %s: %s\n", path, ftv_status_text(status), model.error), 2;
    const uint8_t *pictures = picture_path ? ftv_platform_file(picture_path, &picture_bytes) : NULL;
    if (picture_path && !pictures) return printf("cannot read %s\n", picture_path), 2;
    ftv_golden_open(&r.golden, &model);
    ftv_arguments_pool(&options);
    status = run(&r, &model, &options, pictures, picture_bytes);
    ftv_platform_pool_stop(options.parallel_context);
    if (status) return 2;
    if (pictures) return 0;
    if (r.count) print_counts(&r, &model);
    printf("%s: %d golden tensors compared, %d wrong\n", r.golden.wrong ? "FAILED" : "ok", r.golden.compared,
           r.golden.wrong);
    return r.golden.wrong != 0;
}

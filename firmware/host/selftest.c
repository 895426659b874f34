/* selftest MODEL.gguf [--kernels NAME] [--attention f32|int8] [--threads N] [--count]
 * selftest MODEL.gguf --pictures FILE [...]          a CRC-32 of each picture's logits; 8-bit pictures one after another
 * selftest --list                                   names of the kernels that run here
 *
 * Runs the picture that the model file carries (tensor golden.input; a fixed pattern when there is none) and prints a CRC-32
 * of every stage's bits: two machines agree when these lines do. Compares with the file's golden tensors, within its
 * tolerance. Exit status 0, or 1 with the first value that differs. Runs on the host and in the emulator. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    platform_count_t now = platform_count();
    r->stages[stage].total += now.total - r->last.total;
    r->stages[stage].soft_float += now.soft_float - r->last.soft_float;
    r->stages[stage].calls += now.calls - r->last.calls;
    r->stages[stage].vector += now.vector - r->last.vector;
    r->stages[stage].divisions += now.divisions - r->last.divisions;
    printf("%-10s %3d %08" PRIx32 "\n", ftv_stage_text(stage), block, ftv_stage_crc(data, rows, cols, stride));
    compare(r, stage, block, data, rows, cols, stride);
    r->last = platform_count();
}

static void print_counts(const report *r, const ftv_model *m) {
    platform_count_t all = {0};
    for (int i = 0; i < FTV_STAGES; i++) {
        printf("count %-10s %15" PRIu64 " %s", ftv_stage_text((ftv_stage)i), r->stages[i].total, platform_unit());
        if (r->stages[i].soft_float) printf(", %15" PRIu64 " of them software floating point, %" PRIu64 " operations, %" PRIu64 " divisions",
                   r->stages[i].soft_float, r->stages[i].calls, r->stages[i].divisions);
        if (r->stages[i].vector) printf(", %" PRIu64 " in vector kernels beside", r->stages[i].vector);
        printf("\n");
        all.total += r->stages[i].total;
        all.soft_float += r->stages[i].soft_float;
    }
    const uint64_t macs = ftv_ternary_macs(m), per[2] = {all.total * 1000 / macs, (all.total - all.soft_float) * 1000 / macs};
    printf("count %-10s %15" PRIu64 " %s, %" PRIu64 ".%03" PRIu64 " per ternary MAC (%" PRIu64 ".%03" PRIu64
           " without software floating point)\n",
           "all", all.total, platform_unit(), per[0] / 1000, per[0] % 1000, per[1] / 1000, per[1] % 1000);
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

int main(int argc, char **argv) {
    static ftv_model model; /* static: too large for a small stack */
    static report r;
    ftv_options options = {0};
    const char *path = NULL, *picture_path = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) return list_kernels();
        if (!strcmp(argv[i], "--count"))
            r.count = true;
        else if (!strcmp(argv[i], "--kernels") && i + 1 < argc)
            options.kernels = argv[++i];
        else if (!strcmp(argv[i], "--attention") && i + 1 < argc)
            options.attention = strcmp(argv[++i], "int8") ? FTV_ATTENTION_F32 : FTV_ATTENTION_INT8;
        else if (!strcmp(argv[i], "--pictures") && i + 1 < argc)
            picture_path = argv[++i];
        else if (!strcmp(argv[i], "--threads") && i + 1 < argc)
            options.workers = atoi(argv[++i]);
        else
            path = argv[i];
    }
    size_t bytes = 0;
    const void *file = path ? platform_file(path, &bytes) : NULL;
    if (!file) {
        printf("usage: selftest MODEL.gguf [--kernels NAME] [--attention f32|int8] [--threads N] [--count] [--pictures FILE]; selftest --list; %s\n",
               path ? "cannot read that file" : "no file given");
        return 2;
    }
    ftv_status status = ftv_open(&model, file, bytes);
    if (status) {
        printf("%s: %s: %s\n", path, ftv_status_text(status), model.error);
        return 2;
    }
    ftv_golden_open(&r.golden, &model);
    if (options.workers > 1 && (options.parallel_context = platform_pool_start(options.workers)))
        options.parallel_for = platform_pool_run;
    size_t picture_bytes = 0;
    const uint8_t *pictures = picture_path ? platform_file(picture_path, &picture_bytes) : NULL;
    if (picture_path && !pictures) return printf("cannot read %s\n", picture_path), 2;
    if (!pictures) options.on_stage = on_stage;
    options.stage_context = &r;
    size_t arena_bytes = ftv_arena_bytes(&model, &options);
    void *arena = malloc(arena_bytes ? arena_bytes : 1);
    float *logits = malloc((size_t)model.classes * sizeof *logits);
    uint8_t *input = malloc((size_t)model.image_size * (size_t)model.image_size * (size_t)model.channels);
    if (input) ftv_golden_picture(&r.golden, &model, input);
    ftv_session session;
    status = arena && logits && input ? ftv_start(&session, &model, &options, arena, arena_bytes) : FTV_ERR_MEMORY;
    r.last = platform_count();
    if (!status) status = pictures ? run_pictures(&session, pictures, picture_bytes, logits) : ftv_run_u8(&session, input, logits);
    platform_pool_stop(options.parallel_context);
    free(arena);
    free(logits);
    free(input);
    if (status) {
        printf("%s\n", ftv_status_text(status));
        return 2;
    }
    if (pictures) return 0;
    if (r.count) print_counts(&r, &model);
    printf("%s: %d golden tensors compared, %d wrong\n", r.golden.wrong ? "FAILED" : "ok", r.golden.compared, r.golden.wrong);
    return r.golden.wrong != 0;
}

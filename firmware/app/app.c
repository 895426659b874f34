#include "app.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "draw.h"
#include "golden.h"
#include "kernels.h"
#include "pixels.h"

/* ---- answers ---- */

static void send(ftv_app *a, ftv_frame_type type, const char *text, size_t n) {
    const ftv_frame f = {FTV_PROTOCOL_VERSION, (uint8_t)type, a->sequence, (const uint8_t *)text, n};
    a->board->write(a->board->context, a->wire, ftv_frame_encode(a->wire, sizeof a->wire, &f));
}

void ftv_say(ftv_app *a, const char *format, ...) {
    char *const text = a->record;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof a->record - 1, format, args);
    va_end(args);
    n = n < 0 ? 0 : n > (int)sizeof a->record - 2 ? (int)sizeof a->record - 2 : n;
    for (int i = 0; i < n; i++) /* names come from a file: one record stays one line */
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) text[i] = '?';
    text[n++] = '\n';
    if (a->framed)
        send(a, FTV_RECORDS, text, (size_t)n);
    else
        a->board->write(a->board->context, text, (size_t)n);
}

bool ftv_refuse(ftv_app *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(a->error, sizeof a->error - sizeof "error \n", format, args);
    va_end(args);
    return false;
}

static void answer(ftv_app *a, bool ok) {
    if (a->framed)
        send(a, ok ? FTV_DONE : FTV_ERROR, a->error, ok ? 0 : strlen(a->error));
    else if (ok)
        a->board->write(a->board->context, "ok\n", 3);
    else
        ftv_say(a, "error %s", a->error);
}

/* ---- the model ---- */

static void *allocate(ftv_app *a, size_t bytes) { return a->board->allocate(a->board->context, bytes ? bytes : 1); }
static void release(ftv_app *a, void *memory) {
    if (memory) a->board->release(a->board->context, memory);
}

static void trouble(ftv_app *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void trouble(ftv_app *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(a->trouble_text, sizeof a->trouble_text, format, args);
    va_end(args);
    a->trouble = a->trouble_text;
}

static void on_stage(void *context, ftv_stage stage, int block, const float *data, int rows, int cols, int row_stride) {
    ftv_app *a = context;
    const uint64_t now = a->board->microseconds(a->board->context);
    const uint32_t cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
    if (a->rows < FTV_MAX_ROWS) {
        a->row[a->rows].stage = (uint8_t)stage;
        a->row[a->rows].block = (uint8_t)block;
        a->row[a->rows].us = (uint32_t)(now - a->last_us);
        a->row[a->rows++].cycles = cycles - a->last_cycles;
    }
    if (a->golden) {
        ftv_golden_result r;
        if (!a->quiet) ftv_say(a, "stage %s %d %08" PRIx32, ftv_stage_text(stage), block, ftv_stage_crc(data, rows, cols, row_stride));
        if (ftv_golden_compare(a->golden, &r, stage, block, data, rows, cols, row_stride)) {
            if (!r.ok && !*a->unsound) snprintf(a->unsound, sizeof a->unsound, "golden tensor %.40s", r.name);
            if (a->quiet) {
            } else if (r.first < 0)
                ftv_say(a, "golden %s identical", r.name);
            else
                ftv_say(a, "golden %s %s %.3g %.3g %d %08" PRIx32 " %08" PRIx32, r.name, r.ok ? "close" : "wrong",
                        (double)r.largest_difference, (double)r.largest, r.first, r.got[0], r.want[0]);
        }
    }
    a->last_us = a->board->microseconds(a->board->context);
    a->last_cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
}

void ftv_app_trigger(ftv_app *a, bool high) {
    if (a->board->trigger) a->board->trigger(a->board->context, a->trigger ? a->trigger == 1 : high);
}

bool ftv_app_forward(ftv_app *a, uint64_t *us, uint64_t *cycles) {
    a->rows = 0;
    ftv_app_trigger(a, true);
    a->last_us = a->board->microseconds(a->board->context);
    a->last_cycles = a->board->cycles ? a->board->cycles(a->board->context) : 0;
    const ftv_status status = ftv_run_u8(&a->session, a->pixels, a->logits);
    ftv_app_trigger(a, false);
    *us = *cycles = 0;
    for (int i = 0; i < a->rows; i++) *us += a->row[i].us, *cycles += a->row[i].cycles;
    return status ? ftv_refuse(a, "model: %s", ftv_status_text(status)) : true;
}

static void show(ftv_app *a, const ftv_view *view) {
    if (!a->canvas) return;
    const ftv_canvas c = {a->canvas, FTV_SCREEN, FTV_SCREEN};
    ftv_draw_screen(&c, view);
    a->board->show(a->board->context, a->canvas);
}

static void begin(ftv_app *a, const ftv_board *board, const ftv_options *wishes) {
    memset(a, 0, sizeof *a);
    a->board = board;
    if (wishes) a->options = *wishes;
    a->options.fast = board->fast;
    a->options.fast_bytes = board->fast_bytes;
    a->options.on_stage = on_stage;
    a->options.stage_context = a;
    a->camera = board->capture != NULL;
    if (board->show) a->canvas = allocate(a, 2 * FTV_SCREEN * FTV_SCREEN);
    ftv_app_trigger(a, false);
}

void ftv_app_start_without(ftv_app *a, const ftv_board *board, const char *why, const ftv_options *wishes) {
    begin(a, board, wishes);
    trouble(a, "%s", why);
    show(a, &(ftv_view){.message = "no model\nsee: info"});
}

/* The length of the file at the start of a larger space; all of it when that cannot be told. */
static size_t file_bytes(const void *file, size_t bytes) {
    ftv_gguf g;
    char error[FTV_ERROR_BYTES];
    return ftv_gguf_open(&g, file, bytes, error) ? bytes : g.end;
}

void ftv_app_start(ftv_app *a, const ftv_board *board, const void *file, size_t bytes, const ftv_options *wishes) {
    begin(a, board, wishes);
    ftv_status status = ftv_open(&a->model, file, file_bytes(file, bytes));
    if (status)
        trouble(a, "%s: %s", ftv_status_text(status), a->model.error);
    else {
        char why[FTV_ERROR_BYTES];
        status = ftv_plan(&a->model, &a->options, &a->arena_bytes, why);
        const size_t pixels = (size_t)a->model.image_size * (size_t)a->model.image_size * (size_t)a->model.channels,
                     logits = (size_t)a->model.classes * sizeof *a->logits;
        if (status)
            trouble(a, "%s", why);
        else if (!(a->arena = allocate(a, a->arena_bytes)) || !(a->pixels = allocate(a, pixels)) ||
                 !(a->logits = allocate(a, logits)))
            trouble(a, "not enough memory: the model needs %zu bytes of arena, %zu of picture, %zu of logits", a->arena_bytes,
                    pixels, logits);
        else if ((status = ftv_start(&a->session, &a->model, &a->options, a->arena, a->arena_bytes)))
            trouble(a, "%s", a->session.error);
        else
            memset(a->pixels, 0, pixels);
    }
    if (a->trouble) { /* what it took is free for bench and pictures */
        release(a, a->logits), release(a, a->pixels), release(a, a->arena);
        a->arena = a->pixels = NULL, a->logits = NULL;
    }
    show(a, &(ftv_view){.message = a->trouble ? "model refused\nsee: info" : "ready"});
}

void ftv_app_stop(ftv_app *a) {
    release(a, a->picture), release(a, a->logits), release(a, a->pixels), release(a, a->arena), release(a, a->canvas);
    memset(a, 0, sizeof *a);
}

/* ---- commands ---- */

static bool parse(const char *word, int low, int high, int *value) {
    char *end;
    const long v = strtol(word, &end, 10);
    *value = (int)v;
    return end != word && !*end && v >= low && v <= high;
}

static bool have_model(ftv_app *a) { return a->trouble ? ftv_refuse(a, "model: %s", a->trouble) : true; }

static void say_part(ftv_app *a, const char *name, const void *start, const void *const *starts, int n) {
    const uint8_t *p = start, *fast = a->board->fast;
    const bool in_fast = fast && p >= fast && p < fast + a->board->fast_bytes;
    const uint8_t *base = in_fast ? fast : a->session.arena,
                  *end = base + (in_fast ? a->board->fast_bytes : a->session.arena_bytes);
    for (int i = 0; i < n; i++) { /* up to the next part of the same memory */
        const uint8_t *q = starts[i];
        if (q > p && q < end) end = q;
    }
    ftv_say(a, "part %s %s %zu %zu", name, in_fast ? "fast" : "arena", (size_t)(p - base), (size_t)(end - p));
}

static void say_parts(ftv_app *a) {
    const ftv_session *s = &a->session;
    const bool int8 = s->options.attention == FTV_ATTENTION_INT8;
    const uint8_t *fast = a->board->fast;
    const struct {
        const char *name;
        const void *start;
    } parts[] = {{"scratch", s->scratch},
                 {"parameters", s->parameters},
                 {"codes", s->codes},
                 {"scales", s->scales},
                 {"rows", s->rows},
                 {"x", s->x},
                 {int8 ? "attention" : "free", s->attention},
                 {"work", s->work}};
    enum { N = sizeof parts / sizeof *parts };
    const void *starts[N];
    for (int i = 0; i < N; i++) starts[i] = parts[i].start;
    const bool free_fast = fast && s->attention >= fast && s->attention < fast + a->board->fast_bytes; /* nothing behind it */
    for (int i = 0; i < N; i++)
        if (i != N - 2 || int8 || free_fast) say_part(a, parts[i].name, parts[i].start, starts, N);
}

static void say_file(ftv_app *a) {
    const ftv_model *m = &a->model;
    ftv_gguf g;
    ftv_value v;
    char error[FTV_ERROR_BYTES];
    ftv_say(a, "model_bytes %zu", m->bytes);
    if (!ftv_gguf_open(&g, m->data, m->bytes, error)) {
        if (ftv_gguf_value(&g, "ftervit.format_version", &v)) ftv_say(a, "format_version %" PRIu32, ftv_load_u32(v.value));
        if (ftv_gguf_value(&g, "ftervit.checksum", &v)) ftv_say(a, "model_checksum %08" PRIx32, ftv_load_u32(v.value));
    }
}

static void say_sizes(ftv_app *a) {
    const ftv_model *m = &a->model;
    const struct {
        const char *key;
        int value;
    } sizes[] = {{"image_size", m->image_size}, {"channels", m->channels}, {"patch_size", m->patch_size},
                 {"embed_dim", m->embed_dim},   {"depth", m->depth},       {"num_heads", m->heads},
                 {"mlp_dim", m->mlp_dim},       {"classes", m->classes},   {"tokens", m->tokens}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) ftv_say(a, "%s %d", sizes[i].key, sizes[i].value);
}

static bool info(ftv_app *a, int words, char **word) {
    (void)words, (void)word;
    const ftv_board *b = a->board;
    const ftv_model *m = &a->model;
    ftv_say(a, "firmware %s", FTV_APP_VERSION);
    ftv_say(a, "protocol %d", FTV_PROTOCOL_VERSION);
    ftv_say(a, "board %s", b->name);
    ftv_say(a, "cpu_freq_hz %" PRIu32, b->cpu_freq_hz);
    ftv_say(a, "cores %d", a->options.workers > 1 ? a->options.workers : 1);
    ftv_say(a, "camera %s", b->capture ? "yes" : "no");
    ftv_say(a, "lcd %s", b->show ? "yes" : "no");
    if (b->trigger)
        ftv_say(a, "trigger_pin %d", b->trigger_pin);
    else
        ftv_say(a, "trigger_pin none");
    ftv_say(a, "picture_bytes %d", FTV_PICTURE_BYTES);
    if (*a->unsound) ftv_say(a, "unsound %s", a->unsound);
    if (b->facts) b->facts(b->context, a);
    if (a->trouble) {
        ftv_say(a, "model_error %s", a->trouble);
        return true;
    }
    say_file(a);
    say_sizes(a);
    ftv_say(a, "packing %s", m->packing == FTV_PACK_2BIT ? "2bit" : "base3");
    ftv_say(a, "ternary_macs %" PRIu64, ftv_ternary_macs(m));
    ftv_say(a, "kernels %s", a->session.kernels->name);
    ftv_say(a, "attention %s", a->options.attention == FTV_ATTENTION_INT8 ? "int8" : "f32");
    ftv_say(a, "arena_bytes %zu", a->arena_bytes);
    ftv_say(a, "fast_bytes %zu", b->fast ? b->fast_bytes : 0);
    say_parts(a);
    return true;
}

static bool run_selftest(ftv_app *a) {
    static ftv_golden golden;
    uint64_t us, cycles;
    const char *differs = ftv_check_kernels(a, a->session.kernels);
    a->unsound[0] = 0;
    if (differs) snprintf(a->unsound, sizeof a->unsound, "kernels %s: %s", a->session.kernels->name, differs);
    if (!a->quiet) ftv_say(a, "kernels %s", differs ? a->unsound : "identical");
    ftv_golden_open(&golden, &a->model);
    ftv_golden_picture(&golden, &a->model, a->pixels);
    a->golden = &golden;
    const bool ok = ftv_app_forward(a, &us, &cycles);
    a->golden = NULL;
    if (!ok) return false;
    if (!a->quiet) ftv_say(a, "compared %d", golden.compared), ftv_say(a, "wrong %d", golden.wrong);
    if (golden.wrong) return ftv_refuse(a, "failed: %d of %d golden tensors are out of tolerance", golden.wrong, golden.compared);
    return differs ? ftv_refuse(a, "failed: %s", a->unsound) : true;
}

static bool selftest(ftv_app *a, int words, char **word) {
    (void)words, (void)word;
    return have_model(a) && run_selftest(a);
}

bool ftv_app_self_test(ftv_app *a) {
    if (a->trouble) return false;
    a->quiet = true;
    const bool ok = run_selftest(a);
    a->quiet = false;
    char message[sizeof a->unsound + 24];
    snprintf(message, sizeof message, "self-test FAILED\n%s", a->unsound);
    show(a, &(ftv_view){.message = ok ? "self-test passed\nready" : message});
    return ok;
}

static bool image(ftv_app *a, int words, char **word) {
    static const char *const formats[] = {"grey8", "rgb888", "rgb565le", "rgb565be", "pixels"};
    int width, height, format = 0;
    if (words != 4 || !parse(word[1], 1, 16384, &width) || !parse(word[2], 1, 16384, &height))
        return ftv_refuse(a, "argument: image WIDTH HEIGHT FORMAT, sides from 1 to 16384");
    while (format < 5 && strcmp(word[3], formats[format])) format++;
    if (format == 5)
        return ftv_refuse(a, "argument: format %.32s; grey8, rgb888, rgb565le, rgb565be and pixels are read", word[3]);
    const bool is_pixels = format == 4;
    if (is_pixels && (!have_model(a) || width != a->model.image_size || height != a->model.image_size))
        return a->trouble
                   ? false
                   : ftv_refuse(a, "argument: pixels are %d x %d for this model", a->model.image_size, a->model.image_size);
    const size_t pixel = is_pixels ? (size_t)a->model.channels : ftv_pixel_bytes((ftv_pixels)format),
                 bytes = (size_t)width * (size_t)height * pixel;
    if (bytes > FTV_PICTURE_BYTES)
        return ftv_refuse(a, "picture: %d x %d %s takes %zu bytes, the most is %d", width, height, word[3], bytes,
                          FTV_PICTURE_BYTES);
    release(a, a->picture);
    a->expected = a->received = 0;
    a->picture = allocate(a, bytes);
    if (!a->picture) return ftv_refuse(a, "memory: no %zu bytes for the picture", bytes);
    a->expected = bytes;
    a->is_pixels = is_pixels;
    a->photo = (ftv_image){a->picture, width, height, (size_t)width * pixel, (ftv_pixels)format};
    ftv_say(a, "expect %zu", bytes);
    return true;
}

static bool take_data(ftv_app *a, const uint8_t *payload, size_t n) {
    if (n < 5) return ftv_refuse(a, "picture: a data frame is an offset of 4 bytes, then data");
    const size_t offset = ftv_load_u32(payload);
    n -= 4;
    if (!a->expected) return ftv_refuse(a, "picture: none has been announced; send the command image first");
    if (offset > a->expected || n > a->expected - offset)
        return ftv_refuse(a, "picture: %zu bytes at %zu end behind the picture's %zu", n, offset, a->expected);
    if (offset > a->received) return ftv_refuse(a, "picture: a gap, the next offset is %zu, not %zu", a->received, offset);
    memcpy(a->picture + offset, payload + 4, n);
    a->received = offset + n > a->received ? offset + n : a->received;
    ftv_say(a, "received %zu", a->received);
    return true;
}

/* The screen after a classification of `photo`, or of the pixels that were sent. */
static void show_class(ftv_app *a, const ftv_image *photo, uint64_t us) {
    const ftv_model *m = &a->model;
    size_t length = 0;
    const char *name = ftv_class_name(m, a->best[0].index, &length);
    const ftv_pixels shown = m->channels == 3 ? FTV_RGB888 : FTV_GREY8;
    const ftv_image pixels = {a->pixels, m->image_size, m->image_size, (size_t)m->image_size * (size_t)m->channels, shown};
    show(a, &(ftv_view){.photo = photo                                  ? photo
                                 : m->channels == 3 || m->channels == 1 ? &pixels
                                                                        : NULL,
                        .name = name,
                        .name_length = length,
                        .best = a->best[0],
                        .latency_ms = (float)us * 1e-3f});
}

/* Time per stage, the `top` classes, and to a program all logits. */
static void say_answer(ftv_app *a, int top) {
    const ftv_model *m = &a->model;
    for (int s = 0; s < FTV_STAGES; s++) {
        uint64_t sum = 0;
        for (int i = 0; i < a->rows; i++) sum += a->row[i].stage == s ? a->row[i].us : 0;
        ftv_say(a, "stage_us %s %" PRIu64, ftv_stage_text((ftv_stage)s), sum);
    }
    for (int i = 0; i < top; i++) {
        size_t length = 0;
        const char *name = ftv_class_name(m, a->best[i].index, &length);
        ftv_say(a, "top %d %d %.6f %.*s", i, a->best[i].index, (double)a->best[i].probability,
                name ? (int)(length < 200 ? length : 200) : 0, name ? name : "");
    }
    enum { LOGITS = 24 }; /* of a record */
    for (int first = 0; a->framed && first < m->classes; first += LOGITS) {
        char line[LOGITS * 9 + 1] = "";
        for (int i = first; i < m->classes && i < first + LOGITS; i++)
            snprintf(line + 9 * (i - first), 10, " %08" PRIx32, ftv_float_bits(a->logits[i]));
        ftv_say(a, "logits %d%s", first, line);
    }
}

/* Classifies `photo` (NULL: the pixels that were sent), shows it, and reports unless `quiet`. */
static bool classify_photo(ftv_app *a, const ftv_image *photo, int top, bool quiet) {
    const ftv_model *m = &a->model;
    uint64_t us, cycles, start = a->board->microseconds(a->board->context);
    ftv_status status = FTV_OK;
    if (photo)
        status = ftv_preprocess(&a->session, photo, a->pixels);
    else
        memcpy(a->pixels, a->picture, a->expected);
    if (status)
        return ftv_refuse(a, "picture: %d x %d: %s", photo->width, photo->height,
                          status == FTV_ERR_MEMORY ? "too large to be resized in this model's arena" : ftv_status_text(status));
    const uint64_t preprocess_us = a->board->microseconds(a->board->context) - start;
    if (!ftv_app_forward(a, &us, &cycles)) return false;
    status = ftv_top_k(a->logits, m->classes, top, a->best);
    if (status) return ftv_refuse(a, "model: top %d of its logits: %s", top, ftv_status_text(status));
    show_class(a, photo, us);
    if (quiet) return true;
    ftv_say(a, "preprocess_us %" PRIu64, preprocess_us);
    ftv_say(a, "latency_us %" PRIu64, us);
    ftv_say(a, "cycles %" PRIu64, cycles);
    say_answer(a, top);
    return true;
}

static bool classify(ftv_app *a, int words, char **word) {
    if (!have_model(a)) return false;
    const bool camera = words > 1 && !strcmp(word[1], "camera");
    const int most = a->model.classes < FTV_MAX_TOP ? a->model.classes : FTV_MAX_TOP;
    int top = most < 5 ? most : 5;
    if (words > 2 + camera || (words == 2 + camera && !parse(word[1 + camera], 1, most, &top)))
        return ftv_refuse(a, "argument: classify [camera] [K], K from 1 to %d", most);
    if (!camera && (!a->expected || a->received < a->expected))
        return ftv_refuse(a, "picture: %zu of %zu bytes have been sent", a->received, a->expected);
    if (!camera) return classify_photo(a, a->is_pixels ? NULL : &a->photo, top, false);
    if (!a->board->capture) return ftv_refuse(a, "hardware: there is no camera");
    ftv_image photo;
    if (!a->board->capture(a->board->context, &photo)) return ftv_refuse(a, "hardware: the camera gave no picture");
    return classify_photo(a, &photo, top, false);
}

bool ftv_app_live(ftv_app *a) {
    ftv_image photo;
    if (!a->camera || !a->board->capture || a->trouble || *a->unsound || !a->board->capture(a->board->context, &photo)) return false;
    a->framed = false;
    return classify_photo(a, &photo, 1, true);
}

static bool bench(ftv_app *a, int words, char **word) {
    if (words > 2 || (words == 2 && strcmp(word[1], "model") && strcmp(word[1], "fc1")))
        return ftv_refuse(a, "argument: bench [model|fc1]");
    return ftv_bench(a, words == 2 ? word[1] : NULL);
}

static bool trigger(ftv_app *a, int words, char **word) {
    static const char *const modes[] = {"auto", "on", "off"};
    int mode = 0;
    while (words == 2 && mode < 3 && strcmp(word[1], modes[mode])) mode++;
    if (words != 2 || mode == 3) return ftv_refuse(a, "argument: trigger on|off|auto");
    if (!a->board->trigger) return ftv_refuse(a, "hardware: there is no trigger pin");
    a->trigger = mode;
    ftv_app_trigger(a, false);
    return true;
}

static bool camera(ftv_app *a, int words, char **word) {
    const bool on = words == 2 && !strcmp(word[1], "on");
    if (words != 2 || (!on && strcmp(word[1], "off"))) return ftv_refuse(a, "argument: camera on|off");
    if (!a->board->capture) return ftv_refuse(a, "hardware: there is no camera");
    a->camera = on;
    return true;
}

static bool help(ftv_app *a, int words, char **word);

static const struct {
    const char *name;
    bool (*run)(ftv_app *, int words, char **word);
    const char *help;
} commands[] = {
    {"help", help, "help: this list"},
    {"info", info, "info: program, board, model, memory"},
    {"selftest", selftest, "selftest: the kernels against the scalar ones, the golden tensors of the model file"},
    {"image", image, "image WIDTH HEIGHT FORMAT: announces a picture (frames follow)"},
    {"classify", classify, "classify [camera] [K]: the picture sent last, or one of the camera"},
    {"bench", bench, "bench [model|fc1]: time per stage and layer"},
    {"trigger", trigger, "trigger on|off|auto: the pin for the power probe"},
    {"camera", camera, "camera on|off: classify its picture between commands"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static bool help(ftv_app *a, int words, char **word) {
    (void)words, (void)word;
    for (int i = 0; i < COMMANDS; i++) ftv_say(a, "help %s", commands[i].help);
    return true;
}

static bool run_command(ftv_app *a, const uint8_t *text, size_t n) {
    char line[FTV_MAX_LINE + 1], *word[FTV_MAX_WORDS];
    int words = 0;
    if (n > FTV_MAX_LINE) return ftv_refuse(a, "command: %zu characters, the most is %d", n, FTV_MAX_LINE);
    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~') return ftv_refuse(a, "command: byte %02x at %zu is not printable ASCII", text[i], i);
    memcpy(line, text, n);
    line[n] = 0;
    for (char *p = line; *p;) {
        if (*p == ' ') {
            *p++ = 0;
            continue;
        }
        if (words == FTV_MAX_WORDS) return ftv_refuse(a, "argument: more than %d words", FTV_MAX_WORDS);
        word[words++] = p;
        while (*p && *p != ' ') p++;
    }
    for (int i = 0; words && i < COMMANDS; i++)
        if (!strcmp(word[0], commands[i].name)) return commands[i].run(a, words, word);
    return ftv_refuse(a, "command: %.40s is none; try help", words ? word[0] : "(empty)");
}

void ftv_app_receive(ftv_app *a, const uint8_t *bytes, size_t n) {
    ftv_frame f;
    for (size_t i = 0; i < n; i++) {
        const ftv_event event = ftv_receive(&a->receiver, bytes[i], &f);
        if (event == FTV_NOTHING) continue;
        a->framed = event == FTV_FRAME || event == FTV_BAD_FRAME;
        a->sequence = event == FTV_FRAME ? f.sequence : 0;
        if (event == FTV_BAD_FRAME || event == FTV_BAD_LINE)
            answer(a, ftv_refuse(a, "frame: %s", a->receiver.why));
        else if (event == FTV_LINE)
            answer(a, run_command(a, f.payload, f.bytes));
        else if (f.version != FTV_PROTOCOL_VERSION)
            answer(a, ftv_refuse(a, "version: %d; this firmware speaks %d", f.version, FTV_PROTOCOL_VERSION));
        else if (f.type == FTV_COMMAND)
            answer(a, run_command(a, f.payload, f.bytes));
        else if (f.type == FTV_DATA)
            answer(a, take_data(a, f.payload, f.bytes));
        else
            answer(a, ftv_refuse(a, "command: a frame of type %d is neither a command (1) nor data (2)", f.type));
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "app.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "bench.h"
#include "check_kernels.h"
#include "classify.h"
#include "golden.h"
#include "info.h"
#include "kernels.h"
#include "machine.h"

/* ---- the model ---- */

static void trouble(ftv_app *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void trouble(ftv_app *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(a->trouble_text, sizeof a->trouble_text, format, args);
    va_end(args);
    a->trouble = a->trouble_text;
}

static void begin(ftv_app *a, const ftv_board *board, const ftv_options *wishes) {
    memset(a, 0, sizeof *a);
    a->board = board;
    if (wishes) a->options = *wishes;
    a->options.fast = board->fast;
    a->options.fast_bytes = board->fast_bytes;
    a->options.on_stage = ftv_app_on_stage;
    a->options.stage_context = a;
    a->camera = board->capture != NULL;
    if (board->show) a->canvas = ftv_app_allocate(a, 2 * FTV_SCREEN * FTV_SCREEN);
    ftv_app_trigger(a, false);
}

void ftv_app_start_without(ftv_app *a, const ftv_board *board, const char *why, const ftv_options *wishes) {
    begin(a, board, wishes);
    trouble(a, "%s", why);
    ftv_app_show(a, &(ftv_view){.message = "no model\nsee: info"});
}

void ftv_app_start(ftv_app *a, const ftv_board *board, const void *file, size_t bytes, const ftv_options *wishes) {
    begin(a, board, wishes);
    ftv_status status = ftv_open(&a->model, file, ftv_file_bytes(file, bytes));
    if (status)
        trouble(a, "%s: %s", ftv_status_text(status), a->model.error);
    else {
        char why[FTV_ERROR_BYTES];
        status = ftv_plan(&a->model, &a->options, &a->arena_bytes, why);
        const size_t pixels = (size_t)a->model.image_size * (size_t)a->model.image_size * (size_t)a->model.channels,
                     logits = (size_t)a->model.classes * sizeof *a->logits;
        if (status)
            trouble(a, "%s", why);
        else if (!(a->arena = ftv_app_allocate(a, a->arena_bytes)) || !(a->pixels = ftv_app_allocate(a, pixels)) ||
                 !(a->logits = ftv_app_allocate(a, logits)))
            trouble(a, "not enough memory: the model needs %zu bytes of arena, %zu of picture, %zu of logits",
                    a->arena_bytes, pixels, logits);
        else if ((status = ftv_start(&a->session, &a->model, &a->options, a->arena, a->arena_bytes)))
            trouble(a, "%s", a->session.error);
        else
            memset(a->pixels, 0, pixels);
    }
    if (a->trouble) { /* what it took is free for bench and pictures */
        ftv_app_release(a, a->logits), ftv_app_release(a, a->pixels), ftv_app_release(a, a->arena);
        a->arena = a->pixels = NULL, a->logits = NULL;
    }
    ftv_app_show(a, &(ftv_view){.message = a->trouble ? "model refused\nsee: info" : "ready"});
}

void ftv_app_stop(ftv_app *a) {
    ftv_app_release(a, a->picture), ftv_app_release(a, a->logits), ftv_app_release(a, a->pixels),
        ftv_app_release(a, a->arena), ftv_app_release(a, a->canvas);
    memset(a, 0, sizeof *a);
}

/* ---- commands ---- */

static bool info(ftv_app *a, int words, char **word) {
    (void)words, (void)word;
    ftv_info(a);
    return true;
}

static bool run_selftest(ftv_app *a) {
    static ftv_golden golden;
    uint64_t us, cycles;
    const char *differs = ftv_check_kernels(a->board, a->session.kernels);
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
    if (golden.wrong)
        return ftv_refuse(a, "failed: %d of %d golden tensors are out of tolerance", golden.wrong, golden.compared);
    return differs ? ftv_refuse(a, "failed: %s", a->unsound) : true;
}

static bool selftest(ftv_app *a, int words, char **word) {
    (void)words, (void)word;
    return ftv_have_model(a) && run_selftest(a);
}

bool ftv_app_self_test(ftv_app *a) {
    if (a->trouble) return false;
    a->quiet = true;
    const bool ok = run_selftest(a);
    a->quiet = false;
    char message[sizeof a->unsound + 24];
    snprintf(message, sizeof message, "self-test FAILED\n%s", a->unsound);
    ftv_app_show(a, &(ftv_view){.message = ok ? "self-test passed\nready" : message});
    return ok;
}

bool ftv_app_live(ftv_app *a) {
    ftv_image photo;
    if (!a->camera || !a->board->capture || a->trouble || *a->unsound || !a->board->capture(a->board->context, &photo))
        return false;
    a->framed = false;
    return ftv_classify_photo(a, &photo, 1, true);
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
    {"image", ftv_announce, "image WIDTH HEIGHT FORMAT: announces a picture (frames follow)"},
    {"classify", ftv_classify, "classify [camera] [K]: the picture sent last, or one of the camera"},
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
        if (text[i] < ' ' || text[i] > '~')
            return ftv_refuse(a, "command: byte %02x at %zu is not printable ASCII", text[i], i);
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
            ftv_answer(a, ftv_refuse(a, "frame: %s", a->receiver.why));
        else if (event == FTV_LINE)
            ftv_answer(a, run_command(a, f.payload, f.bytes));
        else if (f.version != FTV_PROTOCOL_VERSION)
            ftv_answer(a, ftv_refuse(a, "version: %d; this firmware speaks %d", f.version, FTV_PROTOCOL_VERSION));
        else if (f.type == FTV_COMMAND)
            ftv_answer(a, run_command(a, f.payload, f.bytes));
        else if (f.type == FTV_DATA)
            ftv_answer(a, ftv_take_data(a, f.payload, f.bytes));
        else
            ftv_answer(a, ftv_refuse(a, "command: a frame of type %d is neither a command (1) nor data (2)", f.type));
    }
}

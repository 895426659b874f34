/* SPDX-License-Identifier: Apache-2.0 */
/* test_app [MODEL ...]: every command against the engine called directly, framed and typed; refusals, and what works
 * after. */
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "check.h"
#include "check_kernels.h"
#include "draw.h"
#include "golden.h"
#include "kernels.h"
#include "platform.h"

/* ---- a machine in memory ---- */

typedef struct {
    char text[1 << 18]; /* everything outside frames */
    char records[1 << 18];
    size_t text_bytes, record_bytes;
    int frames, done, errors;
    uint16_t sequence; /* of the last frame */
    ftv_receiver receiver;
    size_t memory; /* that may still be allocated */
    int allocations, shown, edges;
    bool high, no_camera;
    uint64_t clock;
    uint8_t photo[2 * 24 * 20], screen[2 * FTV_SCREEN * FTV_SCREEN];
} machine;
static machine m;
static ftv_app app;

static void append(char *to, size_t *n, const uint8_t *bytes, size_t count) {
    CHECK(*n + count < sizeof m.text, "output overflows");
    if (*n + count >= sizeof m.text) exit(1);
    memcpy(to + *n, bytes, count);
    to[ *n += count] = 0;
}

static void take(void *context, const void *bytes, size_t n) {
    (void)context;
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++) {
        ftv_frame f;
        const ftv_event e = ftv_receive(&m.receiver, b[i], &f);
        CHECK(e != FTV_BAD_FRAME && e != FTV_BAD_LINE, "the board wrote what it could not read itself: %s",
              m.receiver.why);
        if (e == FTV_LINE)
            append(m.text, &m.text_bytes, f.payload, f.bytes), append(m.text, &m.text_bytes, (const uint8_t *)"\n", 1);
        if (e != FTV_FRAME) continue;
        m.frames++;
        m.sequence = f.sequence;
        m.done += f.type == FTV_DONE;
        m.errors += f.type == FTV_ERROR;
        append(m.records, &m.record_bytes, f.payload, f.bytes);
        if (f.type == FTV_ERROR) append(m.records, &m.record_bytes, (const uint8_t *)"\n", 1);
    }
}
static uint64_t clock_us(void *context) {
    (void)context;
    return m.clock += 7;
}
static uint32_t clock_cycles(void *context) {
    (void)context;
    return (uint32_t)(m.clock * 240 + 0xfffffe00u); /* wraps */
}
static void *allocate(void *context, size_t bytes) {
    (void)context;
    if (bytes > m.memory) return NULL;
    m.allocations++;
    void *p = aligned_alloc(16, (bytes + 15) & ~(size_t)15);
    if (p) memset(p, 0xa5, bytes);
    return p;
}
static void release(void *context, void *memory) {
    (void)context;
    m.allocations--;
    free(memory);
}
static void trigger(void *context, bool high) {
    (void)context;
    m.edges += high != m.high;
    m.high = high;
}
static bool capture(void *context, ftv_image *photo) {
    (void)context;
    *photo = (ftv_image){m.photo, 24, 20, 48, FTV_RGB565_BE};
    return !m.no_camera;
}
static void show(void *context, const uint8_t *pixels) {
    (void)context;
    memcpy(m.screen, pixels, sizeof m.screen);
    m.shown++;
}
static const ftv_board full = {.name = "test",
                               .write = take,
                               .microseconds = clock_us,
                               .cycles = clock_cycles,
                               .allocate = allocate,
                               .release = release,
                               .trigger = trigger,
                               .capture = capture,
                               .show = show,
                               .trigger_pin = 39},
                       bare = {.name = "bare",
                               .write = take,
                               .microseconds = clock_us,
                               .allocate = allocate,
                               .release = release};

static void reset(void) {
    memset(&m, 0, sizeof m);
    m.memory = 16u << 20;
}
static void quiet(void) {
    m.text_bytes = m.record_bytes = 0;
    m.text[0] = m.records[0] = 0;
    m.frames = m.done = m.errors = 0;
}

/* Sends a frame, and checks that exactly one end of the answer came, with its sequence. */
static const char *request(ftv_frame_type type, const void *payload, size_t n) {
    static uint16_t sequence;
    static uint8_t wire[FTV_MAX_WIRE];
    quiet();
    sequence++;
    ftv_app_receive(&app, wire,
                    ftv_frame_encode(wire, sizeof wire, &(ftv_frame){1, (uint8_t)type, sequence, payload, n}));
    CHECK(m.done + m.errors == 1 && m.sequence == sequence && !m.text_bytes, "one answer: %d done, %d errors; %s%s",
          m.done, m.errors, m.text, m.records);
    return m.records;
}
static const char *command(const char *line) { return request(FTV_COMMAND, line, strlen(line)); }
static const char *typed(const char *line) {
    quiet();
    ftv_app_receive(&app, (const uint8_t *)line, strlen(line));
    ftv_app_receive(&app, (const uint8_t *)"\n", 1);
    CHECK(!m.frames, "a typed line is answered as text");
    return m.text;
}
static void refused(const char *line, const char *code) {
    const char *answer = command(line);
    CHECK(m.errors == 1 && strstr(answer, code), "'%s' must be refused with '%s', not: %s", line, code, answer);
    answer = typed(line);
    CHECK(strstr(answer, "error ") && strstr(answer, code), "'%s', typed: %s", line, answer);
}
/* Where the value of a key starts; "" when there is no such record. */
static const char *value(const char *records, const char *key) {
    const size_t n = strlen(key);
    for (const char *p = records; p && *p; p = strchr(p, '\n'), p += p != NULL)
        if (!strncmp(p, key, n) && p[n] == ' ') return p + n + 1;
    return "";
}
static const char *send_data(uint32_t offset, const uint8_t *bytes, size_t n) {
    static uint8_t payload[FTV_MAX_PAYLOAD];
    memcpy(payload, &offset, 4);
    memcpy(payload + 4, bytes, n);
    return request(FTV_DATA, payload, n + 4);
}

/* ---- tests ---- */

static void test_info(const ftv_model *model) {
    const char *r = command("info");
    CHECK(m.done == 1 && atoi(value(r, "classes")) == model->classes && atoi(value(r, "tokens")) == model->tokens &&
              (size_t)atol(value(r, "model_bytes")) == model->bytes &&
              !strncmp(value(r, "kernels"), ftv_kernels_text(0), 3) && !strncmp(value(r, "trigger_pin"), "39\n", 3) &&
              !strncmp(value(r, "camera"), "yes\n", 4),
          "info: %s", r);
    size_t end = 0, n = 0; /* the parts tile the arena */
    for (const char *p = strstr(r, "part "); p; p = strstr(p + 1, "part ")) {
        size_t offset, bytes;
        char name[16];
        if (sscanf(p, "part %15s arena %zu %zu", name, &offset, &bytes) != 3) break;
        CHECK(offset == end, "part %s starts at %zu, the last ended at %zu", name, offset, end);
        end = offset + bytes, n++;
    }
    CHECK(n >= 6 && end + 64 == (size_t)atol(value(r, "arena_bytes")), "%zu parts end at %zu of %s", n, end,
          value(r, "arena_bytes"));
    char framed[1 << 12];
    CHECK(strlen(r) < sizeof framed, "length of info");
    strcpy(framed, r);
    r = typed("  info  ");
    CHECK(!strncmp(r, framed, strlen(framed)) && !strcmp(r + strlen(framed), "ok\n"), "the same records when typed: %s",
          r);
    CHECK(strstr(typed("help"), "help selftest"), "help");
}

static void wrong_gelu(float *x, int n) {
    ftv_kernels_ref.gelu(x, n);
    x[n - 1] += 0x1p-20f;
}
static void test_check_kernels(void) {
    const char *name;
    for (int i = 0; (name = ftv_kernels_text(i)); i++)
        if (ftv_kernels_supported(name))
            CHECK(!ftv_check_kernels(app.board, ftv_find_kernels(name)), "%s: %s", name,
                  ftv_check_kernels(app.board, ftv_find_kernels(name)));
    ftv_kernels wrong = ftv_kernels_table;
    wrong.gelu = wrong_gelu;
    const char *found = ftv_check_kernels(app.board, &wrong);
    CHECK(found && !strcmp(found, "gelu"), "a wrong GELU is not found: %s", found ? found : "nothing");
    CHECK(ftv_app_self_test(&app) && !*app.unsound && ftv_app_live(&app), "the self-test at boot: %s", app.unsound);
    m.edges = 0; /* of the passes above */
}

static void test_selftest(const ftv_model *model, bool golden) {
    const char *r = command("selftest");
    CHECK(m.done == 1 && atoi(value(r, "wrong")) == 0 && (atoi(value(r, "compared")) > 0) == golden, "selftest: %s", r);
    int stages = 0;
    for (const char *p = r; (p = strstr(p, "stage ")); p++) stages++;
    CHECK(stages == 2 + 4 * model->depth, "%d stages", stages);
    CHECK(m.edges == 2 && !m.high, "the trigger goes up and down once: %d edges", m.edges);
}

/* A damaged golden tensor: what, where, got and wanted. */
static void test_damaged_golden(const void *file, size_t bytes) {
    ftv_golden g;
    ftv_tensor t;
    ftv_model *model = malloc(sizeof *model);
    uint8_t *copy = malloc(bytes);
    if (!model || !copy) exit(2);
    memcpy(copy, file, bytes);
    CHECK(!ftv_open(model, copy, bytes), "the copy");
    ftv_golden_open(&g, model);
    if (ftv_gguf_tensor(&g.file, "golden.logits", &t)) {
        uint8_t *logits = copy + (t.data - copy);
        const float wrong = 1e6f;
        memcpy(logits + 4, &wrong, 4);
        const uint8_t *from = copy + g.file.data_at;
        ftv_value v;
        const uint32_t crc = ftv_crc32(0, from, bytes - g.file.data_at);
        CHECK(ftv_gguf_value(&g.file, "ftervit.checksum", &v), "a checksum");
        memcpy(copy + (v.value - copy), &crc, 4);
        ftv_app_start(&app, &full, copy, bytes, NULL);
        const char *r = command("selftest");
        CHECK(m.errors == 1 && strstr(r, "golden golden.logits wrong 1e+06 1e+06 1 ") && strstr(r, " 49742400\n") &&
                  strstr(r, "wrong 1\n") && strstr(r, "failed: 1 of "),
              "a damaged golden tensor: %s", r);
        CHECK(!ftv_app_live(&app) && strstr(value(command("info"), "unsound"), "golden.logits"),
              "it goes on classifying: %s", m.records);
        ftv_app_stop(&app);
        ftv_app_start(&app, &full, copy, bytes, NULL);
        const int shown = m.shown;
        CHECK(!ftv_app_self_test(&app) && strstr(app.unsound, "golden.logits") && m.shown == shown + 1 &&
                  !ftv_app_live(&app),
              "the self-test at boot passes a damaged golden tensor: %s", app.unsound);
        ftv_app_stop(&app);
    }
    free(copy);
    free(model);
}

static void check_logits(const char *r, const float *want, int classes, const char *what) {
    int seen = 0;
    for (const char *p = r; (p = strstr(p, "logits ")); p++) {
        int first, n = 0, used;
        if (sscanf(p, "logits %d%n", &first, &used) != 1) break;
        const char *q = p + used;
        for (unsigned bits; *q == ' ' && sscanf(q, " %8x", &bits) == 1; q += 9, n++)
            CHECK(bits == ftv_float_bits(want[first + n]), "%s: logit %d", what, first + n);
        seen += n;
    }
    CHECK(seen == classes, "%s: %d of %d logits", what, seen, classes);
}

static uint8_t picture[64 * 64 * 4], pixels[64 * 64 * 4];
static float logits[2048];
static uint64_t picture_seed;
static ftv_session session;
static const char *const format_names[] = {"grey8", "rgb888", "rgb565le", "rgb565be", "pixels"};

/* In pieces, with a gap and a repetition on the way. */
static void send_picture(size_t bytes) {
    size_t at = 0;
    while (at < bytes) {
        const size_t n = bytes - at < 700 ? bytes - at : 700;
        refused("classify", "bytes have been sent");
        const char *r = send_data((uint32_t)at, picture + at, n);
        CHECK((size_t)atol(value(r, "received")) == at + n, "%s", r);
        if (at == 700 && bytes > 1402)
            CHECK(strstr(send_data(1401, picture, 1), "picture: a gap, the next offset is 1400"), "a gap: %s",
                  m.records);
        if (at == 700) CHECK(send_data(0, picture, 700) && m.done == 1, "a repeated chunk: %s", m.records);
        at += n;
    }
}

/* What the command `classify` says of the picture that was sent, beside the engine itself. */
static void check_answer(const ftv_model *model, int format, int w, int h, size_t bytes) {
    const char *r = command("classify 3");
    const ftv_image photo = {picture, w, h, bytes / (size_t)h, (ftv_pixels)format};
    if (format == 4) memcpy(pixels, picture, bytes);
    ftv_class best[3];
    CHECK((format == 4 || !ftv_preprocess(&session, &photo, pixels)) && !ftv_run_u8(&session, pixels, logits) &&
              !ftv_top_k(logits, model->classes, 3, best),
          "the engine itself");
    check_logits(r, logits, model->classes, format_names[format]);
    int rank, index;
    CHECK(sscanf(value(r, "top"), "%d %d", &rank, &index) == 2 && rank == 0 && index == best[0].index, "%s", r);
    CHECK(!strstr(r, "\ntop 3 ") && strstr(r, "\ntop 2 "), "three classes: %s", r);
    CHECK(atol(value(r, "latency_us")) == 7 * (2 + 4 * model->depth) &&
              atol(value(r, "cycles")) == 240 * 7 * (2 + 4 * model->depth),
          "time and cycles add up over the stages: %s", r);
    CHECK(!strstr(typed("classify"), "logits"), "no logits for people");
}

static void test_format(const ftv_model *model, int format) {
    char line[64];
    const int w = format == 4 ? model->image_size : 50, h = format == 4 ? model->image_size : 31;
    const size_t bytes = (size_t)(w * h) * (format == 4   ? (size_t)model->channels
                                            : format == 0 ? 1
                                            : format == 1 ? 3
                                                          : 2);
    for (size_t i = 0; i < bytes; i++) picture[i] = (uint8_t)check_random(&picture_seed);
    snprintf(line, sizeof line, "image %d %d %s", w, h, format_names[format]);
    CHECK((size_t)atol(value(command(line), "expect")) == bytes, "%s", line);
    send_picture(bytes);
    snprintf(line, sizeof line, "end behind the picture's %zu", bytes);
    CHECK(strstr(send_data((uint32_t)bytes - 1, picture, 2), line), "beyond the end: %s", m.records);
    CHECK(strstr(send_data(0xffffffffu, picture, 2), line), "far beyond the end: %s", m.records);
    check_answer(model, format, w, h, bytes);
}

/* The same engine on the camera's frame */
static void test_camera(const ftv_model *model) {
    for (size_t i = 0; i < sizeof m.photo; i++) m.photo[i] = (uint8_t)check_random(&picture_seed);
    const ftv_image photo = {m.photo, 24, 20, 48, FTV_RGB565_BE};
    CHECK(!ftv_preprocess(&session, &photo, pixels) && !ftv_run_u8(&session, pixels, logits), "the engine itself");
    check_logits(command("classify camera 1"), logits, model->classes, "camera");
    m.shown = 0;
    quiet();
    CHECK(ftv_app_live(&app) && m.shown == 1 && !m.frames && !m.text_bytes, "live: on the screen, nothing on the link");
    CHECK(m.screen[0] == m.photo[4] && m.screen[1] == m.photo[5],
          "the middle 20 columns of the camera's picture, bit by bit");
    CHECK(command("camera off") && m.done && !ftv_app_live(&app) && command("camera on") && ftv_app_live(&app),
          "camera off, camera on");
    m.no_camera = true;
    CHECK(!ftv_app_live(&app), "a camera that gives nothing");
    refused("classify camera", "hardware: the camera gave no picture");
    m.no_camera = false;
}

static void test_pictures(const ftv_model *model) {
    picture_seed = 5;
    const size_t arena_bytes = ftv_arena_bytes(model, NULL);
    void *arena = malloc(arena_bytes);
    CHECK(arena && model->classes <= 2048 && model->image_size <= 64 &&
              !ftv_start(&session, model, NULL, arena, arena_bytes),
          "start");
    refused("classify", "picture: 0 of 0");
    CHECK(strstr(send_data(0, picture, 10), "picture: none has been announced"), "data before image");
    for (int format = 0; format < 5; format++) {
        test_format(model, format);
    }
    test_camera(model);
    free(arena);
}

static void test_payloads(void) {
    static char huge[FTV_MAX_PAYLOAD];
    memset(huge, 'x', sizeof huge);
    CHECK(strstr(request(FTV_COMMAND, huge, sizeof huge), "command: 4096 characters"), "a long command: %.80s",
          m.records);
    CHECK(strstr(request(FTV_COMMAND, "info\0", 5), "command: byte 00 at 4"), "a command with a zero: %s", m.records);
    CHECK(strstr(request(FTV_COMMAND, "inf\xc3", 4), "command: byte c3 at 3"), "a command that is not ASCII: %s",
          m.records);
    CHECK(strstr(request((ftv_frame_type)9, "x", 1), "command: a frame of type 9"), "another type: %s", m.records);
    CHECK(strstr(request(FTV_DATA, "abcd", 4), "picture: a data frame is"), "an empty data frame: %s", m.records);
}

/* Unreadable frames: one error of sequence 0 each, and the next one works. */
static void test_frames(const ftv_model *model) {
    uint8_t wire[64];
    for (int damage = 0; damage < 3; damage++) {
        size_t n = ftv_frame_encode(wire, sizeof wire, &(ftv_frame){1, FTV_COMMAND, 9, (const uint8_t *)"info", 4});
        quiet();
        if (damage == 0) wire[12] ^= 1;
        if (damage == 1) n -= 3;
        if (damage == 2) wire[2] ^= 4;
        ftv_app_receive(&app, wire, n);
        ftv_app_receive(&app, (const uint8_t *)"\0", 1);
        CHECK(m.errors == 1 && !m.done && m.sequence == 0 && !strncmp(m.records, "frame: ", 7), "damage %d: %s", damage,
              m.records);
        CHECK(atoi(value(command("info"), "classes")) == model->classes, "and the next one works");
    }
    wire[0] = 0;
    size_t n = ftv_frame_encode(wire, sizeof wire, &(ftv_frame){3, FTV_COMMAND, 9, (const uint8_t *)"info", 4});
    quiet();
    ftv_app_receive(&app, wire, n);
    CHECK(m.errors == 1 && m.sequence == 9 && strstr(m.records, "version: 3; this firmware speaks 1"),
          "another version: %s", m.records);
}

static void test_flood(void) {
    static uint8_t flood[3 * FTV_MAX_WIRE];
    memset(flood, 3, sizeof flood);
    flood[0] = 0, flood[1] = 2, flood[sizeof flood - 1] = 0;
    quiet();
    ftv_app_receive(&app, flood, sizeof flood);
    CHECK(m.errors == 1 && strstr(m.records, "frame: longer"), "an oversized frame: %s", m.records);
    CHECK(strstr(typed("\x01info"), "error frame: a line with bytes"), "an unprintable line");
    CHECK(strstr(typed("info"), "ok\n"), "and the next one works");
}

static void test_refusals(const ftv_model *model) {
    static const char *const wrong[][2] = {
        {"", "command: (empty)"},
        {"inf", "command: inf is none"},
        {"info2", "command: info2 is none"},
        {"image", "argument: image WIDTH HEIGHT FORMAT"},
        {"image 0 4 grey8", "argument"},
        {"image 4 -4 grey8", "argument"},
        {"image 4x 4 grey8", "argument"},
        {"image 99999999999999999999 4 grey8", "argument"},
        {"image 4 4 jpeg", "argument: format jpeg"},
        {"image 16384 16384 rgb888", "picture: 16384 x 16384 rgb888 takes 805306368 bytes, the most is 1048576"},
        {"image 3 3 pixels", "argument: pixels are"},
        {"classify 0", "argument: classify [camera] [K], K from 1 to"},
        {"classify 33", "argument"},
        {"classify camera 2 3", "argument"},
        {"bench all", "argument: bench [model|fc1]"},
        {"trigger", "argument: trigger on|off|auto"},
        {"trigger high", "argument"},
        {"camera maybe", "argument: camera on|off"},
        {"a b c d e f g", "argument: more than 6 words"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (*wrong[i][0])
            refused(wrong[i][0], wrong[i][1]);
        else
            CHECK(strstr(command(""), wrong[i][1]), "the empty command");
    test_payloads();
    test_frames(model);
    test_flood();
}

static void test_trigger(void) {
    m.edges = 0;
    command("trigger on");
    CHECK(m.high, "on");
    command("selftest");
    CHECK(m.high && m.edges == 1, "stays on");
    command("trigger off");
    command("selftest");
    CHECK(!m.high && m.edges == 2, "stays off");
    command("trigger auto");
    command("bench model");
    CHECK(!m.high && m.edges == 2 + 2 * 5, "up during the forward pass and each layer: %d edges", m.edges);
}

static void test_bench(const ftv_model *model) {
    const char *r = command("bench");
    int rows = 0, done, total;
    unsigned long long sum = 0, all = 0;
    CHECK(m.done == 1, "bench: %s", r);
    for (const char *p = r; (p = strstr(p, "bench ")); p++) {
        char name[40];
        unsigned long long us, cycles, macs;
        int workers;
        CHECK(sscanf(p, "bench %39s %llu %llu %llu %d", name, &us, &cycles, &macs, &workers) == 5 && us > 0 &&
                  (cycles == 240 * us || cycles == 240 * (us - 7)) && workers >= 1,
              "a row of bench: %.60s", p);
        if (!strcmp(name, "total")) all = macs;
        if (!strncmp(name, "blocks.", 7) || !strcmp(name, "embed") || !strcmp(name, "head")) sum += macs, rows++;
        if (!strncmp(name, "fc1.", 4)) CHECK(macs == 197ull * 192 * 768, "%s: %llu", name, macs);
    }
    const unsigned long long t = (unsigned)model->tokens, d = (unsigned)model->embed_dim;
    CHECK(rows == 2 + 4 * model->depth && sum == all &&
              all == ftv_ternary_macs(model) + (unsigned)model->depth * 2 * t * t * d,
          "%d stages, %llu of %llu", rows, sum, all);
    const char *last = NULL;
    for (const char *p = r; (p = strstr(p, "progress ")); p++) last = p;
    CHECK(last && sscanf(last, "progress %d %d", &done, &total) == 2 && done == total,
          "progress ends at its total: %.20s", last ? last : "");
}

/* What follows `before` in the records, line by line. */
static void lines_with(const char *records, const char *before, char *out, size_t room) {
    size_t n = 0;
    for (const char *p = records; p && *p; p = strchr(p, '\n'), p += p != NULL) {
        const size_t length = strcspn(p, "\n");
        if (!strncmp(p, before, strlen(before)) && n + length + 2 < room)
            memcpy(out + n, p, length), n += length, out[n++] = ';';
    }
    out[n] = 0;
}

/* The parts of the session tile both memories. */
static void check_parts(int way, size_t fast_bytes) {
    const char *r = command("info");
    CHECK((size_t)atol(value(r, "fast_bytes")) == fast_bytes, "way %d: %s", way, r);
    size_t end[2] = {0, 0};
    for (const char *p = strstr(r, "part "); p; p = strstr(p + 1, "part ")) {
        char name[16], where[8];
        size_t offset, n;
        if (sscanf(p, "part %15s %7s %zu %zu", name, where, &offset, &n) != 4) break;
        const int in_fast = !strcmp(where, "fast");
        CHECK(offset == end[in_fast] || (in_fast && !end[1] && offset < 64),
              "way %d: part %s at %zu of %s, the last ended at %zu", way, name, offset, where, end[in_fast]);
        end[in_fast] = offset + n;
    }
    CHECK(end[0] + 64 == (size_t)atol(value(r, "arena_bytes")), "way %d: the arena's parts end at %zu of %s", way,
          end[0], value(r, "arena_bytes"));
    CHECK(end[1] <= fast_bytes && (fast_bytes <= 64 || end[1] > 0), "way %d: the fast parts end at %zu of %zu", way,
          end[1], fast_bytes);
}

/* Bits depend neither on kernels nor on workers, nor on where the memory lies; and the parts tile both memories. */
static void test_bits(const void *file, size_t bytes) {
    static uint8_t fast[1 << 20];
    static char want[2][1 << 14], got[1 << 14];
    static const size_t fast_bytes[] = {0, 0, 0, 30, 4096, sizeof fast - 7, sizeof fast - 7};
    for (int way = 0; way < 7; way++) {
        ftv_options o = {.kernels = way == 1   ? "ref"
                                    : way == 6 ? "table"
                                               : NULL,
                         .workers = way == 2 || way == 5 ? 3 : 0};
        ftv_board board = full;
        if (o.workers && (o.parallel_context = ftv_platform_pool_start(3))) o.parallel_for = ftv_platform_pool_run;
        board.fast_bytes = fast_bytes[way];
        board.fast = board.fast_bytes ? fast + 7 : NULL;
        ftv_app_start(&app, &board, file, bytes, &o);
        for (int what = 0; what < 2; what++) {
            const char *r = command(what ? "selftest" : "bench fc1");
            CHECK(m.done == 1, "way %d: %s", way, r);
            lines_with(r, what ? "stage " : "checksum ", got, sizeof got);
            char *second = what ? NULL : strchr(got, ';');
            if (second && *++second) { /* with more workers once more: the same */
                CHECK(strlen(got) == 2 * strlen(second) && !memcmp(got, second, strlen(second)), "way %d: %s", way,
                      got);
                *second = 0;
            }
            if (!way) strcpy(want[what], got);
            CHECK(*got && !strcmp(got, want[what]), "way %d gives other bits: %s, not %s", way, got, want[what]);
        }
        check_parts(way, board.fast_bytes);
        ftv_app_stop(&app);
        ftv_platform_pool_stop(o.parallel_context);
    }
}

static void test_without_model(const void *file, size_t bytes) {
    static uint8_t erased[4096];
    memset(erased, 0xff, sizeof erased);
    static const char *const need[] = {"selftest", "classify", "bench model", "image 4 4 pixels"};
    uint8_t *damaged = malloc(bytes);
    if (!damaged) exit(2);
    memcpy(damaged, file, bytes);
    damaged[bytes - 40] ^= 1;
    for (int way = 0; way < 5; way++) {
        reset();
        if (way == 0) ftv_app_start_without(&app, &bare, "no partition", NULL);
        if (way == 1) ftv_app_start(&app, &bare, erased, sizeof erased, NULL);
        if (way == 2) ftv_app_start(&app, &bare, file, bytes / 2, NULL);
        if (way == 3) ftv_app_start(&app, &bare, damaged, bytes, NULL);
        if (way == 4) m.memory = 100, ftv_app_start(&app, &bare, file, bytes, NULL);
        static const char *const why[] = {"no partition", "not a GGUF file", "truncated", "checksum",
                                          "not enough memory: the model needs"};
        CHECK(strstr(value(command("info"), "model_error"), why[way]), "way %d: %s", way, m.records);
        for (size_t i = 0; i < sizeof need / sizeof *need; i++) refused(need[i], why[way]);
        CHECK(way == 4 || (command("bench") && m.done == 1 && strstr(m.records, "fc1.fp32")), "fc1 needs no model: %s",
              m.records);
        if (way == 4) refused("bench", "memory: no ");
        if (way == 4) refused("image 20 20 grey8", "memory: no 400 bytes");
        refused("trigger on", "hardware: there is no trigger pin");
        refused("camera on", "hardware: there is no camera");
        CHECK(!ftv_app_live(&app), "nothing to show");
        ftv_app_stop(&app);
        CHECK(m.allocations == 0, "way %d: %d allocations are left", way, m.allocations);
    }
    free(damaged);
}

int main(int argc, char **argv) {
    static const char *const files[] = {"tests/models/deit.gguf", "tests/models/deit3.gguf",
                                        "tests/models/distilled.gguf", "tests/models/odd.gguf",
                                        "tests/models/lean.gguf"};
    const int count = argc > 1 ? argc - 1 : (int)(sizeof files / sizeof *files);
    for (int i = 0; i < count; i++) {
        const char *path = argc > 1 ? argv[1 + i] : files[i];
        size_t bytes = 0;
        const uint8_t *file = ftv_platform_file(path, &bytes);
        if (!file) return printf("cannot read %s\n", path), 2;
        ftv_model *model = malloc(sizeof *model);
        /* a partition: the file, then erased flash */
        const size_t space = bytes + 70000;
        uint8_t *flash = malloc(space);
        if (!model || !flash || ftv_open(model, file, bytes)) return printf("%s does not open\n", path), 2;
        memset(flash, 0xff, space);
        memcpy(flash, file, bytes);
        reset();
        ftv_app_start(&app, &full, flash, space, NULL);
        CHECK(!app.trouble && app.model.bytes == bytes, "%s in a partition: %s, %zu of %zu bytes", path,
              app.trouble ? app.trouble : "ok", app.model.bytes, bytes);
        test_info(model);
        test_check_kernels();
        test_selftest(model, true);
        test_pictures(model);
        test_refusals(model);
        test_trigger();
        test_bench(model);
        ftv_app_stop(&app);
        CHECK(m.allocations == 0, "%d allocations are left", m.allocations);
        test_damaged_golden(file, bytes);
        if (i == 0) test_bits(file, bytes);
        if (i == 0) test_without_model(file, bytes);
        free(flash);
        free(model);
    }
    return check_done("commands");
}

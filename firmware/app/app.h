/* The program of the board without the board: commands over a byte stream, pictures in, classes out. esp32s3/PROTOCOL.md. */
#ifndef FTV_APP_H
#define FTV_APP_H

#include "ftervit.h"
#include "protocol.h"

#define FTV_APP_VERSION "ftervit 1"

enum {
    FTV_PICTURE_BYTES = 1 << 20, /* of the largest picture that the host may send */
    FTV_RECORD_BYTES = 512,      /* of the longest record, newline included */
    FTV_MAX_WORDS = 6,           /* of a command */
    FTV_MAX_TOP = 32,
    FTV_MAX_ROWS = 2 + 4 * FTV_MAX_DEPTH, /* stages of one forward pass */
};

typedef struct ftv_app ftv_app;

/* What the program needs of the machine. Functions that may be NULL say so. */
typedef struct {
    void *context;
    const char *name;
    void (*write)(void *context, const void *bytes, size_t n); /* to the link, all of it or (nobody listens) nothing */
    uint64_t (*microseconds)(void *context);
    uint32_t (*cycles)(void *context);              /* of this core, or NULL */
    void *(*allocate)(void *context, size_t bytes); /* large memory, 16-byte aligned; NULL when there is not enough */
    void (*release)(void *context, void *memory);
    void (*facts)(void *context, ftv_app *app);         /* more records for `info`, or NULL */
    void (*trigger)(void *context, bool high);          /* or NULL: no pin */
    bool (*capture)(void *context, ftv_image *photo);   /* one picture of the camera, valid until the next; or NULL: no camera */
    void (*show)(void *context, const uint8_t *pixels); /* FTV_SCREEN x FTV_SCREEN, RGB565 big-endian; or NULL: no screen */
    uint32_t cpu_freq_hz;                               /* 0: unknown */
    int trigger_pin;
    void *fast; /* internal memory for the hot parts, or NULL */
    size_t fast_bytes;
} ftv_board;

struct ftv_app {
    const ftv_board *board;
    ftv_model model;
    ftv_options options;
    ftv_session session;
    const char *trouble; /* why there is no usable model; NULL: there is one */
    char trouble_text[FTV_ERROR_BYTES + 64];
    char unsound[64]; /* what the self-test found wrong; empty: nothing, or it has not run */
    uint8_t *arena, *pixels, *canvas; /* canvas: NULL without a screen */
    size_t arena_bytes;
    float *logits;
    ftv_class best[FTV_MAX_TOP];

    ftv_receiver receiver;
    bool framed; /* the request that is being answered */
    uint16_t sequence;
    char error[FTV_RECORD_BYTES], record[FTV_RECORD_BYTES];
    uint8_t wire[FTV_WIRE_BYTES(FTV_RECORD_BYTES)];

    uint8_t *picture; /* sent by the host */
    size_t expected, received;
    ftv_image photo;
    bool is_pixels; /* the model's input as it is */

    int trigger; /* 0 automatic, 1 high, 2 low */
    bool camera;
    struct ftv_golden *golden; /* while selftest runs, */
    bool quiet;                /* at boot: without records */

    uint64_t last_us; /* of the running forward pass: clock at the end of the last stage */
    uint32_t last_cycles;
    int rows;
    struct {
        uint8_t stage, block;
        uint32_t us, cycles;
    } row[FTV_MAX_ROWS];
};

/* Opens the model in `bytes` bytes at `file` (a partition: the file may end before), and lays out a session with `wishes`
 * (kernels, attention, workers, parallel-for). What goes wrong stays in app->trouble: the commands work all the same. */
void ftv_app_start(ftv_app *app, const ftv_board *board, const void *file, size_t bytes, const ftv_options *wishes);

/* Without a model: `why` is what info and the screen say. */
void ftv_app_start_without(ftv_app *app, const ftv_board *board, const char *why, const ftv_options *wishes);

void ftv_app_stop(ftv_app *app); /* gives all memory back */

/* Takes bytes from the link, and carries out the requests that they complete. */
void ftv_app_receive(ftv_app *app, const uint8_t *bytes, size_t n);

/* The kernels against the scalar ones and the model's golden tensors: ready or not on the screen and, where the result is not
 * good, in app->unsound; then the camera's pictures are not classified until the command `selftest` passes. True: all is well. */
bool ftv_app_self_test(ftv_app *app);

/* One picture of the camera onto the screen, classified; false when the camera is off or missing. */
bool ftv_app_live(ftv_app *app);

/* ---- for the commands ---- */

/* One record "key value ...": formatted, ended by a newline, sent. */
void ftv_say(ftv_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps "code: words" as the answer to the request, and returns false. */
bool ftv_refuse(ftv_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

void ftv_app_trigger(ftv_app *app, bool high); /* obeys the command `trigger` */

/* Classifies app->pixels; total microseconds and cycles of the forward pass. */
bool ftv_app_forward(ftv_app *app, uint64_t *us, uint64_t *cycles);

/* check_kernels.c: the first operation of `kernels` whose bits differ from `ref`; NULL: none */
struct ftv_kernels;
const char *ftv_check_kernels(ftv_app *app, const struct ftv_kernels *kernels);

/* bench.c; `what` is "model", "fc1" or NULL for both */
bool ftv_bench(ftv_app *app, const char *what);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The board's program in one struct, and what it needs of the machine: every part of it reads this, and no part
 * another's. */
#ifndef FTV_STATE_H
#define FTV_STATE_H

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
    void (*facts)(void *context, ftv_app *app); /* more records for `info`, or NULL */
    void (*trigger)(void *context, bool high);  /* or NULL: no pin */
    bool (*capture)(void *context,
                    ftv_image *photo); /* one picture of the camera, valid until the next; or NULL: no camera */
    void (*show)(void *context,
                 const uint8_t *pixels); /* FTV_SCREEN x FTV_SCREEN, RGB565 big-endian; or NULL: no screen */
    uint32_t cpu_freq_hz;                /* 0: unknown */
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
    char unsound[64];                 /* what the self-test found wrong; empty: nothing, or it has not run */
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

#endif

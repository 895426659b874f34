/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and lines of text in one byte stream: esp32s3/PROTOCOL.md says it in words. No allocation, nothing of the
 * machine. */
#ifndef FTV_PROTOCOL_H
#define FTV_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FTV_PROTOCOL_VERSION = 1,
    FTV_FRAME_MAGIC = 0xf7,
    FTV_MAX_PAYLOAD = 4096,
    FTV_MAX_LINE = 120,                                         /* of typed text */
    FTV_MAX_FRAME = 8 + FTV_MAX_PAYLOAD + 4,                    /* header, payload, CRC */
    FTV_MAX_WIRE = FTV_MAX_FRAME + FTV_MAX_FRAME / 254 + 1 + 2, /* COBS, two delimiters */
};
#define FTV_WIRE_BYTES(payload)                                                                                        \
    (8 + (payload) + 4 + (8 + (payload) + 4) / 254 + 1 + 2) /* that one frame takes at most */

typedef enum {
    FTV_COMMAND = 1, /* host to board */
    FTV_DATA = 2,
    FTV_RECORDS = 129, /* board to host */
    FTV_DONE = 130,
    FTV_ERROR = 131,
} ftv_frame_type;

typedef struct {
    uint8_t version, type;
    uint16_t sequence;
    const uint8_t *payload;
    size_t bytes;
} ftv_frame;

/* The frame as it goes over the wire, delimiters included; its length, or 0 when `room` or FTV_MAX_PAYLOAD is too
 * small. */
size_t ftv_frame_encode(uint8_t *wire, size_t room, const ftv_frame *frame);

typedef enum { FTV_AT_DELIMITER, FTV_IN_FRAME, FTV_IN_TEXT } ftv_receiving;

typedef struct {
    uint8_t buffer[FTV_MAX_WIRE];
    size_t used;
    ftv_receiving state;
    bool unprintable, too_long;
    const char *why; /* of the last refusal */
} ftv_receiver;      /* zeroed: ready, as after a delimiter */

typedef enum {
    FTV_NOTHING = 0, /* more bytes are needed */
    FTV_FRAME,       /* *frame, payload inside the receiver's buffer until the next byte */
    FTV_LINE,        /* payload is a line of printable ASCII, terminated by a zero */
    FTV_BAD_FRAME,   /* a stretch up to a delimiter that is no frame: receiver->why */
    FTV_BAD_LINE,    /* a line too long or with other bytes: receiver->why */
} ftv_event;

/* Takes one byte. */
ftv_event ftv_receive(ftv_receiver *r, uint8_t byte, ftv_frame *frame);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include <string.h>

#include "bits.h"
#include "ftervit.h"

enum { START = 2 }; /* byte 1 of every frame is zero: its encoding begins with the length 1, plus one */

/* ---- sending ---- */

typedef struct {
    uint8_t *out;
    size_t at, length_at, room;
    bool full;
} encoder;

static void put(encoder *e, uint8_t byte) {
    if (e->at < e->room)
        e->out[e->at++] = byte;
    else
        e->full = true;
}
static void end_piece(encoder *e) {
    if (e->length_at < e->room) e->out[e->length_at] = (uint8_t)(e->at - e->length_at);
    e->length_at = e->at;
    put(e, 0); /* the next piece's length, later */
}
static void encode(encoder *e, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (e->at - e->length_at == 255) end_piece(e); /* full, and not the last */
        if (bytes[i])
            put(e, bytes[i]);
        else
            end_piece(e);
    }
}

static void store_u16(uint8_t *p, size_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }

size_t ftv_frame_encode(uint8_t *wire, size_t room, const ftv_frame *f) {
    if (f->bytes > FTV_MAX_PAYLOAD) return 0;
    uint8_t head[8] = {FTV_FRAME_MAGIC, 0, f->version, f->type}, crc[4];
    store_u16(head + 4, f->sequence);
    store_u16(head + 6, f->bytes);
    const uint32_t sum = ftv_crc32(ftv_crc32(0, head, sizeof head), f->payload, f->bytes);
    store_u16(crc, sum & 0xffff);
    store_u16(crc + 2, sum >> 16);
    encoder e = {.out = wire, .room = room};
    put(&e, 0);
    e.length_at = e.at;
    put(&e, 0);
    encode(&e, head, sizeof head);
    encode(&e, f->payload, f->bytes);
    encode(&e, crc, sizeof crc);
    if (e.length_at < room) wire[e.length_at] = (uint8_t)(e.at - e.length_at);
    put(&e, 0);
    return e.full ? 0 : e.at;
}

/* ---- receiving ---- */

/* Decodes in place; false when a length points beyond the end. */
static bool decode(uint8_t *bytes, size_t *n) {
    size_t out = 0;
    for (size_t in = 0; in < *n;) {
        const uint8_t length = bytes[in++];
        if (length - 1u > *n - in) return false;
        memmove(bytes + out, bytes + in, length - 1u);
        in += length - 1u;
        out += length - 1u;
        if (length < 255 && in < *n) bytes[out++] = 0;
    }
    *n = out;
    return true;
}

static ftv_event finish_frame(ftv_receiver *r, ftv_frame *f) {
    uint8_t *b = r->buffer;
    size_t n = r->used;
    const bool whole = decode(b, &n);
    r->why = NULL;
    if (r->too_long || n > FTV_MAX_FRAME)
        r->why = "longer than a payload of 4096 bytes makes it";
    else if (!whole || n < 12 || b[0] != FTV_FRAME_MAGIC || b[1])
        r->why = "not a frame: cut short, or damaged";
    else if ((size_t)(b[6] | b[7] << 8) != n - 12)
        r->why = "the length does not agree with the header: cut short, or damaged";
    else if (ftv_crc32(0, b, n - 4) != ftv_load_u32(b + n - 4))
        r->why = "the checksum does not agree: damaged";
    if (r->why) return FTV_BAD_FRAME;
    *f = (ftv_frame){b[2], b[3], (uint16_t)(b[4] | b[5] << 8), b + 8, n - 12};
    return FTV_FRAME;
}

static void begin(ftv_receiver *r, ftv_receiving state) {
    r->used = 0;
    r->unprintable = r->too_long = false;
    r->state = state;
}

static ftv_event take_text(ftv_receiver *r, uint8_t byte, ftv_frame *f) {
    if (byte == '\n' || byte == '\r') {
        const size_t n = r->used;
        const bool bad = r->unprintable || r->too_long;
        r->why = r->too_long ? "a line of more than 120 characters" : "a line with bytes that are not printable ASCII";
        begin(r, FTV_IN_TEXT);
        if (bad) return FTV_BAD_LINE;
        if (!n) return FTV_NOTHING;
        r->buffer[n] = 0;
        *f = (ftv_frame){.payload = r->buffer, .bytes = n};
        return FTV_LINE;
    }
    if (byte == '\b' || byte == 0x7f)
        r->used -= r->used > 0;
    else if (byte < ' ' || byte > '~')
        r->unprintable = true;
    else if (r->used == FTV_MAX_LINE)
        r->too_long = true;
    else
        r->buffer[r->used++] = byte;
    return FTV_NOTHING;
}

ftv_event ftv_receive(ftv_receiver *r, uint8_t byte, ftv_frame *f) {
    if (!byte) {
        ftv_event event = FTV_NOTHING;
        if (r->state == FTV_IN_FRAME)
            event = finish_frame(r, f);
        else if (r->used || r->unprintable || r->too_long) {
            r->why = "text without a newline before a delimiter, or a frame with a damaged start";
            event = FTV_BAD_FRAME;
        }
        begin(r, FTV_AT_DELIMITER);
        return event;
    }
    if (r->state == FTV_AT_DELIMITER) begin(r, byte == START ? FTV_IN_FRAME : FTV_IN_TEXT);
    if (r->state == FTV_IN_TEXT) return take_text(r, byte, f);
    if (r->used < sizeof r->buffer)
        r->buffer[r->used++] = byte;
    else
        r->too_long = true;
    return FTV_NOTHING;
}

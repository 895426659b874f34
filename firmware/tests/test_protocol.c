/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and lines: round trips, damage of every kind, noise, random streams. The next frame always works. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ftervit.h"
#include "protocol.h"

static ftv_receiver receiver;
static uint8_t wire[FTV_MAX_WIRE + 8], payload[FTV_MAX_PAYLOAD + 1], big[2 * FTV_MAX_WIRE];

typedef struct {
    int frames, lines, bad_frames, bad_lines;
    ftv_frame last; /* of a frame or line; payload in `content` */
    uint8_t content[FTV_MAX_PAYLOAD];
} seen;

static void feed(seen *s, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ftv_frame f = {0};
        const ftv_event e = ftv_receive(&receiver, bytes[i], &f);
        s->frames += e == FTV_FRAME, s->lines += e == FTV_LINE, s->bad_frames += e == FTV_BAD_FRAME,
            s->bad_lines += e == FTV_BAD_LINE;
        CHECK((e != FTV_BAD_FRAME && e != FTV_BAD_LINE) || receiver.why, "a refusal has words");
        if (e != FTV_FRAME && e != FTV_LINE) continue;
        CHECK(f.bytes <= FTV_MAX_PAYLOAD, "payload of %zu bytes", f.bytes);
        if (f.bytes > FTV_MAX_PAYLOAD) exit(1);
        memcpy(s->content, f.payload, f.bytes);
        s->last = f;
    }
}

static seen fed(const uint8_t *bytes, size_t n) {
    static seen s;
    memset(&s, 0, sizeof s);
    feed(&s, bytes, n);
    return s;
}

/* A frame whose arrival shows that the receiver is in step. */
static void check_next_works(const char *after) {
    const uint8_t text[] = "info";
    uint8_t frame[64];
    const size_t n = ftv_frame_encode(frame, sizeof frame, &(ftv_frame){1, FTV_COMMAND, 77, text, 4});
    const seen s = fed(frame, n);
    CHECK(s.frames == 1 && s.last.sequence == 77 && s.last.bytes == 4 && !memcmp(s.content, "info", 4),
          "after %s the next frame works", after);
}

static void test_example(void) { /* of PROTOCOL.md */
    static const uint8_t want[] = {0x00, 0x02, 0xf7, 0x04, 0x01, 0x01, 0x01, 0x02, 0x04, 0x09,
                                   0x69, 0x6e, 0x66, 0x6f, 0x4a, 0x12, 0x8f, 0x0e, 0x00};
    const size_t n = ftv_frame_encode(wire, sizeof wire, &(ftv_frame){1, FTV_COMMAND, 1, (const uint8_t *)"info", 4});
    CHECK(n == sizeof want && !memcmp(wire, want, n), "the example of PROTOCOL.md");
    seen s = fed((const uint8_t *)"info\r\n  bench fc1\n\n", 19);
    CHECK(s.lines == 2 && s.last.bytes == 11 && !memcmp(s.content, "  bench fc1", 11),
          "lines of text, empty ones skipped: %d", s.lines);
}

static void test_round_trips(void) {
    uint64_t seed = 1;
    for (size_t n = 0; n <= FTV_MAX_PAYLOAD; n += n < 1100 ? 1 : 97) {
        for (int kind = 0; kind < 4; kind++) { /* random, no zeros, only zeros, few zeros */
            for (size_t i = 0; i < n; i++) {
                const uint8_t r = (uint8_t)check_random(&seed);
                payload[i] = kind == 0 ? r : kind == 1 ? (uint8_t)(r | 1) : kind == 2 ? 0 : r < 250 ? 7 : 0;
            }
            const ftv_frame f = {1, (uint8_t)(kind ? FTV_DATA : 255), (uint16_t)(n * 31), payload, n};
            const size_t m = ftv_frame_encode(wire, sizeof wire, &f);
            CHECK(m && m <= FTV_WIRE_BYTES(n) && wire[1] == 2 && wire[2] == 0xf7, "%zu bytes: %zu on the wire", n, m);
            CHECK(!memchr(wire + 1, 0, m - 2) && !wire[0] && !wire[m - 1], "%zu bytes: zeros are delimiters only", n);
            const seen s = fed(wire, m);
            CHECK(s.frames == 1 && !s.bad_frames && !s.lines && !s.bad_lines && s.last.type == f.type &&
                      s.last.sequence == f.sequence && s.last.bytes == n && !memcmp(s.content, payload, n),
                  "%zu bytes, kind %d arrive", n, kind);
            CHECK(!ftv_frame_encode(wire, m - 1, &f), "%zu bytes do not fit into %zu", n, m - 1);
        }
        if (n == FTV_MAX_PAYLOAD) break;
        if (n + 97 > FTV_MAX_PAYLOAD) n = FTV_MAX_PAYLOAD - 97;
    }
    CHECK(!ftv_frame_encode(wire, sizeof wire, &(ftv_frame){1, 2, 1, payload, FTV_MAX_PAYLOAD + 1}),
          "a payload that is too long");
}

static void test_damage(void) {
    uint64_t seed = 2;
    for (size_t n = 0; n < 600; n = n * 2 + 1) {
        for (size_t i = 0; i < n; i++) payload[i] = (uint8_t)check_random(&seed);
        const size_t m = ftv_frame_encode(wire, sizeof wire, &(ftv_frame){1, FTV_DATA, 9, payload, n});
        for (size_t bit = 0; bit < 8 * m; bit++) { /* every single bit, delimiters included */
            wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const seen s = fed(wire, m);
            CHECK(!s.frames && !s.lines, "%zu bytes, bit %zu: a damaged frame was taken", n, bit);
            CHECK(s.bad_frames + s.bad_lines > 0 || bit / 8 == m - 1, "%zu bytes, bit %zu: and refused", n, bit);
            wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (bit == 8 * (m - 1)) /* the last delimiter became 01, an empty last piece: the next delimiter may end a
                                       whole frame */
                fed(wire, 1);
            check_next_works("a flipped bit");
        }
        for (size_t cut = 1; cut < m - 1; cut++) { /* truncated: the next frame's delimiter ends it */
            const seen s = fed(wire, cut);
            CHECK(!s.frames, "%zu of %zu bytes", cut, m);
            check_next_works("a truncated frame");
        }
        for (size_t drop = 1; drop < m - 1; drop++) { /* one byte lost */
            memcpy(big, wire, drop);
            memcpy(big + drop, wire + drop + 1, m - drop - 1);
            const seen s = fed(big, m - 1);
            CHECK(!s.frames && s.bad_frames > 0, "%zu bytes, byte %zu lost", n, drop);
        }
    }
    const size_t m = ftv_frame_encode(wire, sizeof wire, &(ftv_frame){2, FTV_COMMAND, 5, (const uint8_t *)"info", 4});
    CHECK(fed(wire, m).last.version == 2, "another version is handed on, with its number");
}

static void test_oversized(void) {
    for (size_t n = FTV_MAX_FRAME - 40; n < sizeof big - 2; n += n < FTV_MAX_WIRE + 20 ? 1 : 500) {
        memset(big, 7, n);
        big[0] = 0, big[1] = 2, big[2] = 0xf7, big[n - 1] = 0;
        const seen s = fed(big, n);
        CHECK(!s.frames && s.bad_frames == 1, "%zu bytes between delimiters", n);
        if (n > FTV_MAX_WIRE) CHECK(strstr(receiver.why, "longer"), "%zu bytes: %s", n, receiver.why);
        check_next_works("an oversized frame");
    }
    /* a well-formed frame with a payload of 4097 bytes, encoded here by hand: its zeros, one per byte, make short
     * pieces */
    size_t at = 0;
    uint8_t frame[8 + FTV_MAX_PAYLOAD + 1 + 4] = {0xf7, 0, 1, 2, 1, 0, 0x01, 0x10};
    const uint32_t crc = ftv_crc32(0, frame, sizeof frame - 4);
    memcpy(frame + sizeof frame - 4, &crc, 4);
    big[at++] = 0;
    for (size_t i = 0, piece = at++; i <= sizeof frame; i++) {
        if (i < sizeof frame && frame[i]) big[at++] = frame[i];
        if (i == sizeof frame || !frame[i]) big[piece] = (uint8_t)(at - piece), piece = at++;
    }
    big[at - 1] = 0;
    const seen s = fed(big, at);
    CHECK(!s.frames && s.bad_frames == 1 && strstr(receiver.why, "longer"), "4097 bytes: %s",
          s.frames ? "taken" : receiver.why);
    check_next_works("a payload of 4097 bytes");
    memset(big, 'a', FTV_MAX_LINE + 1);
    big[FTV_MAX_LINE + 1] = '\n';
    CHECK(fed(big, FTV_MAX_LINE + 2).bad_lines == 1, "a line that is too long");
    CHECK(fed(big + 1, FTV_MAX_LINE + 1).lines == 1, "the longest line");
    CHECK(fed((const uint8_t *)"in\x1b[Afo\n", 8).bad_lines == 1, "a line with an escape sequence");
    CHECK(fed((const uint8_t *)"inx\bfo\n", 7).lines == 1, "backspace");
    check_next_works("lines");
}

static void test_noise(void) {
    static const char *const logs[] = {"I (312) main: ready\n", "\x1b[0;32mI (4) boot\x1b[0m\r\n", "half a line",
                                       "\n\n", "\x02\x02\x02"};
    uint64_t seed = 3;
    for (int round = 0; round < 2000; round++) {
        seen s = {0};
        int sent = 0;
        for (int i = 0; i < 8; i++) {
            const char *log = logs[check_random(&seed) % 5];
            if (check_random(&seed) & 1) feed(&s, (const uint8_t *)log, strlen(log));
            if (check_random(&seed) & 1) {
                const size_t n = check_random(&seed) % 300;
                for (size_t k = 0; k < n; k++) payload[k] = (uint8_t)check_random(&seed);
                feed(&s, wire, ftv_frame_encode(wire, sizeof wire, &(ftv_frame){1, FTV_DATA, 4, payload, n}));
                sent++;
                CHECK(s.last.bytes == n && !memcmp(s.content, payload, n), "the frame after noise");
            }
        }
        CHECK(s.frames == sent, "%d of %d frames between noise arrive", s.frames, sent);
    }
}

static void test_random_streams(void) {
    uint64_t seed = 4;
    long taken = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[300];
        size_t n = check_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < n; i++) { /* many delimiters and starts */
            const unsigned r = (unsigned)(check_random(&seed) >> 20);
            bytes[i] = (uint8_t)(r % 5 ? r >> 8 : r % 3 ? 0 : 2);
        }
        if (n > 40 && round % 2) { /* a good frame with a few bytes overwritten */
            const size_t m =
                ftv_frame_encode(bytes, n, &(ftv_frame){1, FTV_COMMAND, 3, bytes + 30, n - 40 > 200 ? 200 : n - 40});
            for (int k = 0; m && k < 3; k++)
                bytes[1 + check_random(&seed) % (m - 2)] ^= (uint8_t)(1 + check_random(&seed) % 255);
        }
        taken += fed(bytes, n).frames;
        CHECK(receiver.used <= sizeof receiver.buffer, "the buffer's end");
        if (round % 16 == 0) check_next_works("a random stream");
    }
    CHECK(taken == 0, "%ld damaged frames were taken", taken);
}

int main(void) {
    test_example();
    test_round_trips();
    test_damage();
    test_oversized();
    test_noise();
    test_random_streams();
    return check_done("protocol");
}

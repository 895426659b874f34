/* SPDX-License-Identifier: Apache-2.0 */
/* Picture files as 8-bit pixels. PNG and JPEG are stb_image's work, except for what it leaves to its caller:
 * transparency and the way up. Sixteen bits become their upper eight, as they do in Pillow. */
#include "picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"

enum { MAX_SIDE = 16384 }; /* of ftv_preprocess */
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_GIF
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS MAX_SIDE
#include <stb_image.h>

typedef struct {
    const uint8_t *data;
    size_t bytes;
} span;

static unsigned be16(const uint8_t *b) { return (unsigned)b[0] << 8 | b[1]; }

/* ---- the way up: EXIF's tag 0x0112, 1 (as it is) to 8 ---- */

static unsigned field(span s, size_t at, int n, bool big) { /* n bytes, 0 beyond the end */
    unsigned v = 0;
    if (at > s.bytes || s.bytes - at < (size_t)n) return 0;
    for (int i = 0; i < n; i++) v = v << 8 | s.data[at + (size_t)(big ? i : n - 1 - i)];
    return v;
}

static int exif_orientation(span s) { /* a TIFF header and its first directory */
    if (s.bytes < 8 || (memcmp(s.data, "II*", 4) && memcmp(s.data, "MM\0*", 4))) return 1;
    const bool big = s.data[0] == 'M';
    const size_t at = field(s, 4, 4, big);
    const unsigned entries = field(s, at, 2, big);
    for (unsigned i = 0; i < entries; i++) {
        const size_t entry = at + 2 + 12 * (size_t)i;
        if (field(s, entry, 2, big) != 0x0112) continue;
        const unsigned v = field(s, entry + 8, field(s, entry + 2, 2, big) == 4 ? 4 : 2, big);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

static int png_orientation(span s) {
    for (size_t at = 8; at + 12 <= s.bytes;) {
        const size_t n = field(s, at, 4, true);
        if (n > s.bytes - at - 12) break;
        if (!memcmp(s.data + at + 4, "eXIf", 4)) return exif_orientation((span){s.data + at + 8, n});
        at += 12 + n;
    }
    return 1;
}

/* NULL, or why a JPEG is refused that stb_image would make something of: four colours of which nobody says (as Adobe's
 * programs do) that they are ink upside down, and a file that broke off. */
static const char *look_at_jpeg(span s, int *orientation) {
    bool four = false, adobe = false;
    size_t at = 2, n = 0;
    for (; at + 4 <= s.bytes && s.data[at] == 0xFF; at += n) {
        const uint8_t marker = s.data[at + 1], *body = s.data + at + 4;
        n = marker == 0xFF ? 1 : 2 + (size_t)be16(s.data + at + 2); /* a marker may be preceded by 0xFF */
        if (marker == 0xDA || n == 2 || n == 3 || n > s.bytes - at) break;
        if (marker == 0xE1 && !*orientation && n > 10 && !memcmp(body, "Exif\0", 6))
            *orientation = exif_orientation((span){body + 6, n - 10});
        if (marker == 0xEE && n >= 16 && !memcmp(body, "Adobe", 5)) adobe = true;
        if (marker >= 0xC0 && marker <= 0xC2 && n >= 10) four = body[5] == 4;
    }
    if (four && !adobe) return "four colours that are not Adobe's CMYK";
    for (; at + 2 <= s.bytes; at++) /* among the pixels 0xFF is followed by 0 */
        if (s.data[at] == 0xFF && s.data[at + 1] == 0xD9) return NULL;
    return "truncated";
}

/* Pixels of `from`, turned: 2 to 4 keep width and height, 5 to 8 swap them. */
static void turn(const uint8_t *from, uint8_t *to, int width, int height, int channels, int orientation) {
    const bool swap = orientation > 4,
               right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8,
               down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const int w = swap ? height : width, h = swap ? width : height;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const int u = swap ? y : x, v = swap ? x : y; /* column and row before any mirror */
            const size_t source =
                (size_t)(down ? height - 1 - v : v) * (size_t)width + (size_t)(right ? width - 1 - u : u);
            memcpy(to + ((size_t)y * (size_t)w + (size_t)x) * (size_t)channels, from + source * (size_t)channels,
                   (size_t)channels);
        }
}

/* ---- PNG and JPEG ---- */

/* Colour and share `a` of 255 before a white page. */
static uint8_t on_white(uint8_t c, uint8_t a) { return (uint8_t)((c * a + 255 * (255 - a) + 127) / 255); }

static const char *read_compressed(span s, picture *p, int orientation) {
    int n = 0;
    ftv_image *im = &p->image;
    uint8_t *d = stbi_load_from_memory(s.data, (int)s.bytes, &im->width, &im->height, &n, 0);
    if (!d) return stbi_failure_reason();
    const size_t area = (size_t)im->width * (size_t)im->height;
    const int channels = n < 3 ? 1 : 3;
    for (size_t i = 0; n != channels && i < area; i++) /* in place: never ahead of what is read */
        for (int c = 0; c < channels; c++)
            d[i * (size_t)channels + (size_t)c] =
                on_white(d[i * (size_t)n + (size_t)c], d[i * (size_t)n + (size_t)n - 1]);
    if (orientation > 1) {
        uint8_t *upright = malloc(area * (size_t)channels);
        if (upright) turn(d, upright, im->width, im->height, channels, orientation);
        free(d);
        if (!(d = upright)) return "out of memory";
        const int width = im->width;
        if (orientation > 4) im->width = im->height, im->height = width;
    }
    im->format = channels == 1 ? FTV_GREY8 : FTV_RGB888;
    p->pixels = d;
    return NULL;
}

/* ---- binary PGM and PPM ---- */

/* The next number of the header; white space and comments (# to the end of the line) before it. -1: none */
static int number(span s, size_t *at) {
    int v = -1;
    for (bool comment = false; *at < s.bytes; ++*at) {
        const uint8_t c = s.data[*at];
        if (c == '#') comment = true;
        if (!comment && c != ' ' && (c < 9 || c > 13)) break;
        if (c == '\n' || c == '\r') comment = false;
    }
    for (; *at < s.bytes && s.data[*at] >= '0' && s.data[*at] <= '9' && v < 100000; ++*at)
        v = (v < 0 ? 0 : v * 10) + s.data[*at] - '0';
    return v;
}

static const char *read_portable(span s, picture *p) {
    ftv_image *im = &p->image;
    const bool grey = s.data[1] == '5';
    size_t at = 2;
    im->width = number(s, &at), im->height = number(s, &at);
    const int most = number(s, &at), bytes = most > 255 ? 2 : 1;
    if (im->width < 1 || im->height < 1 || most < 1 || most > 65535) return "damaged header";
    if (im->width > MAX_SIDE || im->height > MAX_SIDE) return "larger than 16384 pixels";
    const size_t values = (size_t)im->width * (size_t)im->height * (grey ? 1 : 3);
    if (++at > s.bytes || s.bytes - at < values * (size_t)bytes) return "truncated";
    if (!(p->pixels = malloc(values))) return "out of memory";
    for (size_t i = 0; i < values; i++) {
        const double v = bytes == 1 ? s.data[at + i] : be16(s.data + at + 2 * i), share = (v < most ? v : most) / most;
        p->pixels[i] = (uint8_t)(grey && bytes == 2 ? (int)rint(share * 65535) >> 8
                                                    : (int)rint(share * 255)); /* Pillow's rounding */
    }
    im->format = grey ? FTV_GREY8 : FTV_RGB888;
    return NULL;
}

const char *ftv_picture_decode(const uint8_t *data, size_t bytes, picture *p) {
    const span s = {data, bytes};
    const char *why = NULL;
    int orientation = 0;
    *p = (picture){0};
    if (bytes > 1u << 30) return "larger than 1 GiB";
    if (bytes > 8 && !memcmp(data, "\x89PNG", 4))
        why = read_compressed(s, p, png_orientation(s));
    else if (bytes > 4 && !memcmp(data, "\xFF\xD8\xFF", 3)) {
        if (!(why = look_at_jpeg(s, &orientation))) why = read_compressed(s, p, orientation);
    } else if (bytes > 2 && (!memcmp(data, "P5", 2) || !memcmp(data, "P6", 2)))
        why = read_portable(s, p);
    else
        why = "not a PNG, a JPEG, or a binary PGM or PPM";
    p->image.data = p->pixels;
    p->image.stride = (size_t)p->image.width * (p->image.format == FTV_GREY8 ? 1 : 3);
    return why;
}

const char *ftv_picture_read(const char *path, picture *p) {
    size_t bytes = 0;
    const uint8_t *data = ftv_platform_file(path, &bytes);
    return data ? ftv_picture_decode(data, bytes, p) : "cannot read the file";
}

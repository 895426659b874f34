/* SPDX-License-Identifier: Apache-2.0 */
/* A canvas of RGB565, big-endian as displays take it, and the screen of the board. Everything is clipped at the
 * borders. */
#ifndef FTV_DRAW_H
#define FTV_DRAW_H

#include "ftervit.h"

enum { FTV_SCREEN = 240, FTV_GLYPH_WIDTH = 6, FTV_GLYPH_HEIGHT = 9 }; /* cells of 5 x 8 and a gap */

typedef struct {
    uint8_t *pixels; /* [height][width][2] */
    int width, height;
} ftv_canvas;

typedef uint16_t ftv_color;
static inline ftv_color ftv_rgb(int r, int g, int b) { return (ftv_color)((r & 0xf8) << 8 | (g & 0xfc) << 3 | b >> 3); }

void ftv_fill(const ftv_canvas *c, int x, int y, int width, int height, ftv_color color);

/* `length` characters; those outside printable ASCII appear as '?'. Returns the x behind the last. */
int ftv_text(const ftv_canvas *c, int x, int y, const char *text, size_t length, int scale, ftv_color color);
int ftv_text_width(size_t length, int scale);

/* Column `column` (0..4) of a character: bit 0 is the top row. */
uint8_t ftv_glyph(char character, int column);

/* The largest centred part of `photo` with the rectangle's shape, nearest pixels. */
void ftv_draw_image(const ftv_canvas *c, int x, int y, int width, int height, const ftv_image *photo);

typedef struct {
    const ftv_image *photo; /* NULL: none */
    const char *name;       /* of the class, `name_length` bytes; NULL: its index is shown */
    size_t name_length;
    ftv_class best;
    float latency_ms;
    const char *message; /* instead of a class: two lines at most, separated by \n */
} ftv_view;

/* The picture, and over its foot: class, bar and percentage of confidence, latency; or a message. */
void ftv_draw_screen(const ftv_canvas *c, const ftv_view *view);

#endif

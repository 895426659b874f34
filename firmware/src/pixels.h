/* SPDX-License-Identifier: Apache-2.0 */
/* One pixel of a photograph, whatever its format. */
#ifndef FTV_PIXELS_H
#define FTV_PIXELS_H

#include <string.h>

#include "ftervit.h"

static inline size_t ftv_pixel_bytes(ftv_pixels f) { return f == FTV_GREY8 ? 1 : f == FTV_RGB888 ? 3 : 2; }

static inline void ftv_load_rgb(const ftv_image *p, int x, int y, uint8_t rgb[3]) {
    const uint8_t *row = p->data + (size_t)y * p->stride;
    if (p->format == FTV_GREY8)
        rgb[0] = rgb[1] = rgb[2] = row[x];
    else if (p->format == FTV_RGB888)
        __builtin_memcpy(rgb, row + 3 * (size_t)x, 3);
    else {
        const uint8_t *b = row + 2 * (size_t)x;
        unsigned v = p->format == FTV_RGB565_LE ? b[0] | (unsigned)b[1] << 8 : b[1] | (unsigned)b[0] << 8;
        unsigned r = v >> 11, g = v >> 5 & 63, bl = v & 31;
        rgb[0] = (uint8_t)(r << 3 | r >> 2);
        rgb[1] = (uint8_t)(g << 2 | g >> 4);
        rgb[2] = (uint8_t)(bl << 3 | bl >> 2);
    }
}

#endif

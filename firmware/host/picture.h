/* SPDX-License-Identifier: Apache-2.0 */
/* Picture files as 8-bit pixels, upright, without transparency: the rules of `ftervit.data.picture`, in C. */
#ifndef FTV_PICTURE_H
#define FTV_PICTURE_H

#include "ftervit.h"

typedef struct {
    ftv_image image; /* grey or RGB, its data is `pixels` */
    uint8_t *pixels;
} picture;

/* From a PNG, a JPEG, a binary PGM or PPM. NULL, or why it cannot be read; `free(p->pixels)` when done. */
const char *ftv_picture_decode(const uint8_t *data, size_t bytes, picture *p);
const char *ftv_picture_read(const char *path, picture *p);

#endif

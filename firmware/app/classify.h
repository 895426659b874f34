/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `image` and `classify`: a picture of the host's or of the camera's, and its classes. */
#ifndef FTV_CLASSIFY_H
#define FTV_CLASSIFY_H

#include "state.h"

bool ftv_announce(ftv_app *app, int words, char **word); /* image WIDTH HEIGHT FORMAT */
bool ftv_take_data(ftv_app *app, const uint8_t *payload, size_t n);
bool ftv_classify(ftv_app *app, int words, char **word); /* classify [camera] [K] */

/* Classifies `photo` (NULL: the pixels that were sent), shows it, and reports unless `quiet`. */
bool ftv_classify_photo(ftv_app *app, const ftv_image *photo, int top, bool quiet);

#endif

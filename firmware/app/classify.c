/* SPDX-License-Identifier: Apache-2.0 */
#include "classify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "bits.h"
#include "machine.h"
#include "pixels.h"

bool ftv_announce(ftv_app *a, int words, char **word) {
    static const char *const formats[] = {"grey8", "rgb888", "rgb565le", "rgb565be", "pixels"};
    int width, height, format = 0;
    if (words != 4 || !ftv_parse(word[1], 1, 16384, &width) || !ftv_parse(word[2], 1, 16384, &height))
        return ftv_refuse(a, "argument: image WIDTH HEIGHT FORMAT, sides from 1 to 16384");
    while (format < 5 && strcmp(word[3], formats[format])) format++;
    if (format == 5)
        return ftv_refuse(a, "argument: format %.32s; grey8, rgb888, rgb565le, rgb565be and pixels are read", word[3]);
    const bool is_pixels = format == 4;
    if (is_pixels && (!ftv_have_model(a) || width != a->model.image_size || height != a->model.image_size))
        return a->trouble ? false
                          : ftv_refuse(a, "argument: pixels are %d x %d for this model", a->model.image_size,
                                       a->model.image_size);
    const size_t pixel = is_pixels ? (size_t)a->model.channels : ftv_pixel_bytes((ftv_pixels)format),
                 bytes = (size_t)width * (size_t)height * pixel;
    if (bytes > FTV_PICTURE_BYTES)
        return ftv_refuse(a, "picture: %d x %d %s takes %zu bytes, the most is %d", width, height, word[3], bytes,
                          FTV_PICTURE_BYTES);
    ftv_app_release(a, a->picture);
    a->expected = a->received = 0;
    a->picture = ftv_app_allocate(a, bytes);
    if (!a->picture) return ftv_refuse(a, "memory: no %zu bytes for the picture", bytes);
    a->expected = bytes;
    a->is_pixels = is_pixels;
    a->photo = (ftv_image){a->picture, width, height, (size_t)width * pixel, (ftv_pixels)format};
    ftv_say(a, "expect %zu", bytes);
    return true;
}

bool ftv_take_data(ftv_app *a, const uint8_t *payload, size_t n) {
    if (n < 5) return ftv_refuse(a, "picture: a data frame is an offset of 4 bytes, then data");
    const size_t offset = ftv_load_u32(payload);
    n -= 4;
    if (!a->expected) return ftv_refuse(a, "picture: none has been announced; send the command image first");
    if (offset > a->expected || n > a->expected - offset)
        return ftv_refuse(a, "picture: %zu bytes at %zu end behind the picture's %zu", n, offset, a->expected);
    if (offset > a->received)
        return ftv_refuse(a, "picture: a gap, the next offset is %zu, not %zu", a->received, offset);
    memcpy(a->picture + offset, payload + 4, n);
    a->received = offset + n > a->received ? offset + n : a->received;
    ftv_say(a, "received %zu", a->received);
    return true;
}

/* The screen after a classification of `photo`, or of the pixels that were sent. */
static void show_class(ftv_app *a, const ftv_image *photo, uint64_t us) {
    const ftv_model *m = &a->model;
    size_t length = 0;
    const char *name = ftv_class_name(m, a->best[0].index, &length);
    const ftv_pixels shown = m->channels == 3 ? FTV_RGB888 : FTV_GREY8;
    const ftv_image pixels = {a->pixels, m->image_size, m->image_size, (size_t)m->image_size * (size_t)m->channels,
                              shown};
    ftv_app_show(a, &(ftv_view){.photo = photo                                  ? photo
                                         : m->channels == 3 || m->channels == 1 ? &pixels
                                                                                : NULL,
                                .name = name,
                                .name_length = length,
                                .best = a->best[0],
                                .latency_ms = (float)us * 1e-3f});
}

/* Time per stage, the `top` classes, and to a program all logits. */
static void say_answer(ftv_app *a, int top) {
    const ftv_model *m = &a->model;
    for (int s = 0; s < FTV_STAGES; s++) {
        uint64_t sum = 0;
        for (int i = 0; i < a->rows; i++) sum += a->row[i].stage == s ? a->row[i].us : 0;
        ftv_say(a, "stage_us %s %" PRIu64, ftv_stage_text((ftv_stage)s), sum);
    }
    for (int i = 0; i < top; i++) {
        size_t length = 0;
        const char *name = ftv_class_name(m, a->best[i].index, &length);
        ftv_say(a, "top %d %d %.6f %.*s", i, a->best[i].index, (double)a->best[i].probability,
                name ? (int)(length < 200 ? length : 200) : 0, name ? name : "");
    }
    enum { LOGITS = 24 }; /* of a record */
    for (int first = 0; a->framed && first < m->classes; first += LOGITS) {
        char line[LOGITS * 9 + 1] = "";
        for (int i = first; i < m->classes && i < first + LOGITS; i++)
            snprintf(line + 9 * (i - first), 10, " %08" PRIx32, ftv_float_bits(a->logits[i]));
        ftv_say(a, "logits %d%s", first, line);
    }
}

bool ftv_classify_photo(ftv_app *a, const ftv_image *photo, int top, bool quiet) {
    const ftv_model *m = &a->model;
    uint64_t us, cycles, start = a->board->microseconds(a->board->context);
    ftv_status status = FTV_OK;
    if (photo)
        status = ftv_preprocess(&a->session, photo, a->pixels);
    else
        memcpy(a->pixels, a->picture, a->expected);
    if (status)
        return ftv_refuse(a, "picture: %d x %d: %s", photo->width, photo->height,
                          status == FTV_ERR_MEMORY ? "too large to be resized in this model's arena"
                                                   : ftv_status_text(status));
    const uint64_t preprocess_us = a->board->microseconds(a->board->context) - start;
    if (!ftv_app_forward(a, &us, &cycles)) return false;
    status = ftv_top_k(a->logits, m->classes, top, a->best);
    if (status) return ftv_refuse(a, "model: top %d of its logits: %s", top, ftv_status_text(status));
    show_class(a, photo, us);
    if (quiet) return true;
    ftv_say(a, "preprocess_us %" PRIu64, preprocess_us);
    ftv_say(a, "latency_us %" PRIu64, us);
    ftv_say(a, "cycles %" PRIu64, cycles);
    say_answer(a, top);
    return true;
}

bool ftv_classify(ftv_app *a, int words, char **word) {
    if (!ftv_have_model(a)) return false;
    const bool camera = words > 1 && !strcmp(word[1], "camera");
    const int most = a->model.classes < FTV_MAX_TOP ? a->model.classes : FTV_MAX_TOP;
    int top = most < 5 ? most : 5;
    if (words > 2 + camera || (words == 2 + camera && !ftv_parse(word[1 + camera], 1, most, &top)))
        return ftv_refuse(a, "argument: classify [camera] [K], K from 1 to %d", most);
    if (!camera && (!a->expected || a->received < a->expected))
        return ftv_refuse(a, "picture: %zu of %zu bytes have been sent", a->received, a->expected);
    if (!camera) return ftv_classify_photo(a, a->is_pixels ? NULL : &a->photo, top, false);
    if (!a->board->capture) return ftv_refuse(a, "hardware: there is no camera");
    ftv_image photo;
    if (!a->board->capture(a->board->context, &photo)) return ftv_refuse(a, "hardware: the camera gave no picture");
    return ftv_classify_photo(a, &photo, top, false);
}

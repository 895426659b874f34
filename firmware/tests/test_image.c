/* SPDX-License-Identifier: Apache-2.0 */
/* The image front end: formats, crops, edges. (Python compares whole pictures with Pillow.) */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ftervit.h"

static ftv_model model;
static uint8_t arena[1 << 22], out[64 * 64 * 3];

static uint8_t photo[90 * 120 * 3];
static uint64_t seed = 1;
static const ftv_interpolation filters[] = {FTV_NEAREST, FTV_BILINEAR, FTV_BICUBIC};

static ftv_session session(int size, int channels, int resize, ftv_crop crop, ftv_interpolation filter) {
    model = (ftv_model){
        .image_size = size, .channels = channels, .resize_size = resize, .crop = crop, .interpolation = filter};
    return (ftv_session){.model = &model, .arena = arena, .arena_bytes = sizeof arena};
}

static void test_identity_and_crop(void) {
    for (int f = 0; f < 3; f++) {
        ftv_session s = session(30, 3, 30, FTV_CROP_CENTER, filters[f]);
        ftv_image same = {photo, 30, 30, 90, FTV_RGB888};
        CHECK(!ftv_preprocess(&s, &same, out) && !memcmp(out, photo, 30 * 30 * 3),
              "filter %d: a picture of the right size must not change", filters[f]);
        ftv_image wide = {photo, 50, 30, 150, FTV_RGB888}; /* no scaling, crop of the middle */
        CHECK(!ftv_preprocess(&s, &wide, out), "wide picture");
        for (int y = 0; y < 30; y++)
            CHECK(!memcmp(out + 90 * y, photo + 150 * y + 30, 90), "filter %d: row %d of the centre crop", filters[f],
                  y);
        static uint8_t flat[77 * 33];
        memset(flat, 201, sizeof flat);
        ftv_image grey = {flat, 77, 33, 77, FTV_GREY8};
        for (int resize = 30; resize < 50; resize += 7)
            for (int crop = 0; crop < 2; crop++) {
                s = session(30, 3, resize, (ftv_crop)crop, filters[f]);
                CHECK(!ftv_preprocess(&s, &grey, out), "grey picture");
                for (int i = 0; i < 30 * 30 * 3; i++)
                    CHECK(out[i] == 201, "filter %d: one colour stays that colour, got %d", filters[f], out[i]);
            }
    }
}

/* RGB565: the extremes are exact, both byte orders agree */
static void test_rgb565(void) {
    ftv_session s = session(4, 3, 4, FTV_CROP_CENTER, FTV_BILINEAR);
    uint8_t le[32], be[32], swapped[48];
    for (int i = 0; i < 32; i += 2)
        le[i] = be[i + 1] = (uint8_t)check_random(&seed), le[i + 1] = be[i] = (uint8_t)check_random(&seed);
    le[0] = le[1] = be[0] = be[1] = 0xff, le[2] = le[3] = be[2] = be[3] = 0;
    ftv_image a = {le, 4, 4, 8, FTV_RGB565_LE}, b = {be, 4, 4, 8, FTV_RGB565_BE};
    CHECK(!ftv_preprocess(&s, &a, out), "RGB565");
    memcpy(swapped, out, 48);
    CHECK(!ftv_preprocess(&s, &b, out) && !memcmp(swapped, out, 48), "RGB565 big-endian");
    CHECK(out[0] == 255 && out[1] == 255 && out[2] == 255 && out[3] == 0 && out[4] == 0 && out[5] == 0,
          "white and black");
    for (int i = 0; i < 16; i++) {
        unsigned v = le[2 * i] | (unsigned)le[2 * i + 1] << 8;
        CHECK(out[3 * i] >> 3 == (int)(v >> 11) && out[3 * i + 1] >> 2 == (int)(v >> 5 & 63) &&
                  out[3 * i + 2] >> 3 == (int)(v & 31),
              "pixel %d", i);
    }
}

/* Colour to grey */
static void test_grey(void) {
    ftv_session s = session(1, 1, 1, FTV_CROP_CENTER, FTV_BICUBIC);
    uint8_t green[3] = {0, 255, 0};
    CHECK(!ftv_preprocess(&s, &(ftv_image){green, 1, 1, 3, FTV_RGB888}, out) && out[0] == 150,
          "luma of green is 150, got %d", out[0]);
}

/* Every small size and extreme shapes: nothing outside the buffers (the sanitizers watch) */
static void test_shapes(void) {
    ftv_session s;
    for (int w = 1; w < 40; w += 3)
        for (int h = 1; h < 40; h += 2)
            for (int f = 0; f < 3; f++) {
                s = session(13, 3, 16, (ftv_crop)(w & 1), filters[f]);
                size_t stride = (size_t)w * 3;
                uint8_t *exact = malloc(stride * (size_t)h);
                if (!exact) exit(2);
                memcpy(exact, photo, stride * (size_t)h);
                CHECK(!ftv_preprocess(&s, &(ftv_image){exact, w, h, stride, FTV_RGB888}, out), "%d x %d", w, h);
                free(exact);
            }
}

static void test_refusals(void) {
    ftv_session s = session(13, 3, 16, FTV_CROP_CENTER, FTV_BICUBIC);
    s.arena_bytes = 100;
    ftv_image big = {photo, 120, 90, 360, FTV_RGB888};
    CHECK(ftv_preprocess(&s, &big, out) == FTV_ERR_MEMORY, "an arena too small");
    big.stride = 359;
    CHECK(ftv_preprocess(&s, &big, out) == FTV_ERR_ARGUMENT, "a stride shorter than a row");
    big.stride = 360, big.width = 0;
    CHECK(ftv_preprocess(&s, &big, out) == FTV_ERR_ARGUMENT, "no width");
}

static void test_top_k(void) {
    ftv_class best[4];
    const float logits[4] = {1.0f, 3.0f, 3.0f, -2.0f};
    CHECK(!ftv_top_k(logits, 4, 4, best) && best[0].index == 1 && best[1].index == 2 && best[2].index == 0 &&
              best[3].index == 3,
          "order, ties to the lower index");
    float total = 0;
    for (int i = 0; i < 4; i++) total += best[i].probability;
    CHECK(total > 0.999999f && total < 1.000001f && best[0].probability == best[1].probability,
          "probabilities add up to %g", (double)total);
    CHECK(ftv_top_k(logits, 4, 5, best) == FTV_ERR_ARGUMENT, "more than there are");
}

int main(void) {
    for (size_t i = 0; i < sizeof photo; i++) photo[i] = (uint8_t)check_random(&seed);
    test_identity_and_crop();
    test_rgb565();
    test_grey();
    test_shapes();
    test_refusals();
    test_top_k();
    return check_done("image");
}

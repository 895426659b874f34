/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: headers with remarks, depths, transparency, the way up; and thirty thousand damaged files, none of which
 * may crash. That the pixels are Pillow's is tested in 11_engine.ipynb. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "picture.h"
#include "platform.h"

static void portable(const char *file, size_t bytes, int width, int height, const char *pixels) {
    picture p;
    const char *why = ftv_picture_decode((const uint8_t *)file, bytes, &p);
    CHECK(!why, "%s: %s", file, why);
    CHECK(p.image.width == width && p.image.height == height, "%s: %d x %d", file, p.image.width, p.image.height);
    const size_t n = (size_t)height * p.image.stride;
    for (size_t i = 0; !why && i < n; i++)
        CHECK(p.pixels[i] == (uint8_t)pixels[i], "%s: pixel %zu is %d, expected %d", file, i, p.pixels[i],
              (uint8_t)pixels[i]);
    free(p.pixels);
}
#define PORTABLE(file, width, height, pixels) portable(file, sizeof file - 1, width, height, pixels)

static void refused(const char *file, size_t bytes) {
    picture p;
    CHECK(ftv_picture_decode((const uint8_t *)file, bytes, &p), "%s was accepted", file);
    free(p.pixels);
}
#define REFUSED(file) refused(file, sizeof file - 1)

static void damaged(const char *name, const uint8_t *data, size_t bytes, int rounds) {
    uint64_t seed = 1;
    long read = 0;
    for (int i = 0; i < rounds; i++) {
        const size_t n = i & 1 ? bytes : 1 + check_random(&seed) % bytes;
        uint8_t *copy = malloc(n); /* of exactly that size: the sanitizer sees what is read beyond */
        if (!copy) return;
        memcpy(copy, data, n);
        for (int k = 0; k < 1 + i % 4; k++) copy[check_random(&seed) % n] ^= (uint8_t)(1u << check_random(&seed) % 8);
        picture p;
        if (!ftv_picture_decode(copy, n, &p)) read++;
        free(p.pixels);
        free(copy);
    }
    CHECK(read < rounds, "%s: nothing was refused", name);
}

int main(void) {
    PORTABLE("P5\n2 1\n255\n\x07\xff", 2, 1, "\x07\xff");
    PORTABLE("P5\n# a remark\n2 1 # wide, high\n255\n\x07\xff", 2, 1, "\x07\xff");
    PORTABLE("P5#none\n#\n 2\t#\n#two\n1\r255 #\x01", 2, 1, "#\x01"); /* after the last number one byte, then pixels */
    PORTABLE("P6 1 1 3 \x00\x01\x03", 1, 1, "\x00\x55\xff");
    PORTABLE("P5 2 1 65535 \x12\x34\xff\x00", 2, 1, "\x12\xff");
    REFUSED("P5 2 1 255 \x01");
    REFUSED("P5 2 1 255");
    REFUSED("P5 2 0 255 \x01\x02");
    REFUSED("P5 2 1 65536 \x01\x02\x01\x02");
    REFUSED("P5 99999999999 1 255 \x01\x02");
    REFUSED("P5 # never ends");
    REFUSED("P3 1 1 255 1 2 3");
    REFUSED("");
    const char *const files[] = {"tests/pictures/turned.png", "tests/pictures/turned.jpg"};
    for (int i = 0; i < 2; i++) {
        size_t bytes = 0;
        const uint8_t *data = ftv_platform_file(files[i], &bytes);
        CHECK(data, "%s is missing", files[i]);
        if (!data) continue;
        if (i == 0)
            portable((const char *)data, bytes, 2, 3,
                     "\x0a\x00\x14\xe0\x1e\xff"); /* 100 with 51 of 255 before white: 224 */
        picture p;
        CHECK(!ftv_picture_read(files[i], &p) && p.image.width < p.image.height, "%s lies on its side", files[i]);
        free(p.pixels);
        damaged(files[i], data, bytes, 10000);
    }
    const char remarks[] = "P6 # one\n2 2\n# two\n255\n123456789012";
    damaged("PPM", (const uint8_t *)remarks, sizeof remarks - 1, 10000);
    return check_done("pictures");
}

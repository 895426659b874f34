/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing: clipped at every border (guard bytes), letters distinct, colours and scaling, the whole screen. */
#include <string.h>

#include "check.h"
#include "draw.h"
#include "pixels.h"

enum { W = 40, H = 30, GUARD = 512 };
static uint8_t memory[GUARD + 2 * W * H + GUARD], screen[GUARD + 2 * FTV_SCREEN * FTV_SCREEN + GUARD];
static const ftv_canvas canvas = {memory + GUARD, W, H};

static void clear(void) {
    memset(memory, 0xa5, sizeof memory);
    memset(memory + GUARD, 0, 2 * W * H);
}
static bool guards_hold(const uint8_t *m, size_t bytes) {
    for (size_t i = 0; i < GUARD; i++)
        if (m[i] != 0xa5 || m[GUARD + bytes + i] != 0xa5) return false;
    return true;
}
static unsigned at(int x, int y) {
    const uint8_t *p = canvas.pixels + 2 * (y * W + x);
    return (unsigned)p[0] << 8 | p[1];
}
static int count(void) {
    int n = 0;
    for (int i = 0; i < W * H; i++) n += at(i % W, i / W) != 0;
    return n;
}
static int overlap(int a, int n, int size) {
    const int first = a > 0 ? a : 0, last = a + n < size ? a + n : size;
    return last > first ? last - first : 0;
}

static void test_fill(void) {
    static const int sides[] = {-1, 0, 1, 3, W, 70, 2000000000};
    for (int x = -45; x < 50; x += 5)
        for (int y = -35; y < 40; y += 5)
            for (size_t i = 0; i < 7; i++)
                for (size_t j = 0; j < 7; j++) {
                    clear();
                    ftv_fill(&canvas, x, y, sides[i], sides[j], 0x1234);
                    const int want =
                        overlap(x, sides[i] > 100 ? 100 : sides[i], W) * overlap(y, sides[j] > 100 ? 100 : sides[j], H);
                    CHECK(count() == want, "%d x %d at %d, %d: %d pixels, not %d", sides[i], sides[j], x, y, count(),
                          want);
                    CHECK(guards_hold(memory, 2 * W * H), "%d x %d at %d, %d left the canvas", sides[i], sides[j], x,
                          y);
                }
    clear();
    ftv_fill(&canvas, -2147483647, -2147483647, 2147483647, 2147483647, 1);
    ftv_fill(&canvas, 2147483647, 2147483647, 2147483647, 2147483647, 1);
    CHECK(count() == 0, "far away");
    ftv_fill(&canvas, 3, 2, 1, 1, ftv_rgb(255, 0, 0));
    CHECK(memory[GUARD + 2 * (2 * W + 3)] == 0xf8 && memory[GUARD + 2 * (2 * W + 3) + 1] == 0,
          "red is F8 00: big-endian");
}

static void test_font(void) {
    for (int a = ' '; a <= '~'; a++) {
        int dots = 0;
        for (int x = 0; x < 5; x++)
            for (int bits = ftv_glyph((char)a, x); bits; bits >>= 1) dots += bits & 1;
        CHECK((dots > 0) == (a != ' '), "'%c' has %d dots", a, dots);
        for (int b = ' '; b < a; b++) {
            bool same = true;
            for (int x = 0; x < 5; x++) same = same && ftv_glyph((char)a, x) == ftv_glyph((char)b, x);
            CHECK(!same, "'%c' and '%c' look the same", a, b);
        }
    }
    for (int x = 0; x < 5; x++)
        CHECK(ftv_glyph('\n', x) == ftv_glyph('?', x) && ftv_glyph((char)0xe4, x) == ftv_glyph('?', x),
              "others are '?'");
    for (int scale = 1; scale < 4; scale++)
        for (int x = -30; x < 50; x += 3)
            for (int y = -20; y < 40; y += 3) {
                clear();
                const int end = ftv_text(&canvas, x, y, "Wg@", 3, scale, 0xffff);
                CHECK(end - x == ftv_text_width(3, scale) && end - x == 18 * scale, "width of three letters");
                CHECK(guards_hold(memory, 2 * W * H), "text at %d, %d, scale %d left the canvas", x, y, scale);
            }
    clear();
    ftv_text(&canvas, 2, 3, "L", 1, 2, 0xffff);
    CHECK(at(2, 3) && at(3, 4) && !at(4, 3) && at(2, 16) && at(11, 16) && !at(2, 17) && count() == 4 * 11,
          "an L of twice the size: %d", count());
}

static void test_image(void) {
    static uint8_t photo[64 * 48 * 3];
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof photo; i++) photo[i] = (uint8_t)check_random(&seed);
    clear();
    const ftv_image exact = {photo, W, H, 3 * W, FTV_RGB888};
    ftv_draw_image(&canvas, 0, 0, W, H, &exact);
    for (int i = 0; i < W * H; i++)
        CHECK(at(i % W, i / W) == ftv_rgb(photo[3 * i], photo[3 * i + 1], photo[3 * i + 2]),
              "pixel %d of a picture of the same size", i);
    clear();
    const ftv_image be = {photo, W, H, 2 * W,
                          FTV_RGB565_BE}; /* as the camera gives it: the same bytes on the display */
    ftv_draw_image(&canvas, 0, 0, W, H, &be);
    CHECK(!memcmp(canvas.pixels, photo, 2 * W * H), "RGB565 is copied bit by bit");
    const ftv_image wide = {photo, 64, H, 192, FTV_RGB888};
    clear();
    ftv_draw_image(&canvas, 0, 0, H, H, &wide); /* the middle 30 of 64 columns */
    CHECK(at(0, 0) == ftv_rgb(photo[3 * 17], photo[3 * 17 + 1], photo[3 * 17 + 2]), "the middle of a wide picture");
    for (int w = 1; w < 90; w += 11)
        for (int h = 1; h < 90; h += 13)
            for (int x = -50; x < 50; x += 17)
                for (int y = -50; y < 50; y += 19)
                    for (int size = 1; size < 49; size += 16) {
                        const ftv_image p = {photo, size, 49 - size, (size_t)size * 3, FTV_RGB888};
                        clear();
                        ftv_draw_image(&canvas, x, y, w, h, &p);
                        CHECK(guards_hold(memory, 2 * W * H), "%d x %d at %d, %d left the canvas", w, h, x, y);
                    }
}

static unsigned on_screen(int x, int y) {
    const uint8_t *p = screen + GUARD + 2 * (y * FTV_SCREEN + x);
    return (unsigned)p[0] << 8 | p[1];
}

static void test_screen(void) {
    const ftv_canvas c = {screen + GUARD, FTV_SCREEN, FTV_SCREEN};
    static const uint8_t red[3] = {255, 0, 0};
    const ftv_image photo = {red, 1, 1, 3, FTV_RGB888};
    const ftv_color green = ftv_rgb(64, 216, 96);
    char name[300];
    memset(name, 'W', sizeof name);
    memset(screen, 0xa5, sizeof screen);
    int last = -1;
    for (int percent = -50; percent <= 150; percent += 25)
        for (size_t length = 0; length < sizeof name; length += 37) {
            ftv_draw_screen(
                &c,
                &(ftv_view){&photo, name, length, {3, (float)percent / 100.0f}, (float)(percent + 50) * 1e4f, NULL});
            CHECK(guards_hold(screen, 2 * FTV_SCREEN * FTV_SCREEN), "%d %%, %zu letters left the screen", percent,
                  length);
            int filled = 0;
            while (filled < 232 && on_screen(4 + filled, 212) == green) filled++;
            const int want = percent < 0 ? 0 : percent > 100 ? 232 : percent * 232 / 100;
            CHECK(filled == want, "the bar at %d %% is %d pixels long, not %d", percent, filled, want);
            CHECK(filled >= last && on_screen(120, 20) == 0xf800, "the picture above");
            last = filled;
        }
    ftv_draw_screen(&c, &(ftv_view){.message = "one\ntwo"});
    ftv_draw_screen(&c, &(ftv_view){.message = ""});
    ftv_draw_screen(&c, &(ftv_view){.best = {2147483647, 0.5f}, .latency_ms = 3.4e38f});
    CHECK(guards_hold(screen, 2 * FTV_SCREEN * FTV_SCREEN), "messages");
}

int main(void) {
    test_fill();
    test_font();
    test_image();
    test_screen();
    return check_done("drawing");
}

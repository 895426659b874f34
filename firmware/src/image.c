/* SPDX-License-Identifier: Apache-2.0 */
/* Photographs to the model's pixels, and logits to names: what surrounds the network. */
#include <string.h>

#include "bits.h"
#include "ftervit.h"
#include "math32.h"
#include "pixels.h"

enum { PRECISION_BITS = 22, MAX_SIDE = 16384 }; /* of resampling weights, as in Pillow */

/* ---- pixels ---- */

/* One pixel in the model's channels: 3 (colour), or the luma (ITU-R 601) in every channel of another count. */
static void load_pixel(const ftv_image *p, int x, int y, uint8_t *out, int channels) {
    uint8_t rgb[3];
    ftv_load_rgb(p, x, y, rgb);
    if (channels == 3)
        __builtin_memcpy(out, rgb, 3);
    else
        memset(out,
               p->format == FTV_GREY8 ? rgb[0]
                                      : (int)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16),
               (size_t)channels);
}

/* ---- resampling: Pillow's antialiased filters, positions in exact integers, weights from binary32 ---- */

typedef struct {
    int in, out, radius;
} axis; /* radius of the filter in its own units: 0 nearest, 1 bilinear, 2 bicubic */

static float filter(int radius, float x) {
    x = fabsf(x);
    if (radius == 1) return x < 1.0f ? 1.0f - x : 0.0f;
    if (x < 1.0f) return (1.5f * x - 2.5f) * x * x + 1.0f;
    return x < 2.0f ? (((x - 5.0f) * x + 8.0f) * x - 4.0f) * -0.5f : 0.0f;
}

static int most_taps(axis a) {
    return a.radius ? 2 * ((a.radius * (a.in > a.out ? a.in : a.out) + a.out - 1) / a.out) + 1 : 1;
}

/* Inputs [*first, *first + return) make output i; their weights, in units of 2^-22, add up to about one. */
static int taps(axis a, int i, int *first, int32_t *weights) {
    const int64_t center = (2 * (int64_t)i + 1) * a.in; /* in units of 1 / (2 out) */
    if (!a.radius) {
        *first = (int)(center / (2 * a.out));
        weights[0] = 1 << PRECISION_BITS;
        return 1;
    }
    const int64_t support = (int64_t)2 * a.radius * (a.in > a.out ? a.in : a.out), unit = 2 * (int64_t)a.out;
    const int64_t low = center - support + a.out, high = (center + support + a.out) / unit;
    const int begin = low > 0 ? (int)(low / unit) : 0, end = high < a.in ? (int)high : a.in;
    const float width = (float)(2 * (a.in > a.out ? a.in : a.out));
    float total = 0.0f;
    for (int x = begin; x < end; x++)
        total += filter(a.radius, (float)(int32_t)((int64_t)(2 * x + 1) * a.out - center) / width);
    for (int x = begin; x < end; x++) {
        float w = filter(a.radius, (float)(int32_t)((int64_t)(2 * x + 1) * a.out - center) / width) / total *
                  (float)(1 << PRECISION_BITS);
        weights[x - begin] = (int32_t)(w < 0.0f ? w - 0.5f : w + 0.5f);
    }
    *first = begin;
    return end - begin;
}

static uint8_t clip8(int32_t sum) {
    int32_t v = sum >> PRECISION_BITS; /* arithmetic: gcc and clang promise it */
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

typedef struct {
    int first, count;
} span;

static int half_to_even(int n) { return n / 2 + (n & n >> 1 & 1); }

/* One photograph on its way to `size` x `size` pixels; its buffers lie in the arena. */
typedef struct {
    axis h, v;
    int size, channels, left, top; /* the crop's corner, in the scaled photograph */
    size_t row_bytes, ring, h_taps;
    span *spans;        /* [size]: columns that a pixel is made of, */
    int32_t *h_weights; /* [size][h_taps]: their weights */
    int32_t *v_weights; /* [ring]: those of the rows of one row */
    uint8_t *rows;      /* [ring][row_bytes]: rows resampled horizontally, row r at r % ring */
    uint8_t *line;      /* one row of the photograph, in the model's channels */
} resampling;

/* False: a line, enlarged; sums of coordinates would leave 32 bits. */
static bool choose_axes(resampling *r, const ftv_model *m, const ftv_image *p) {
    const int radius = m->interpolation == FTV_NEAREST ? 0 : m->interpolation == FTV_BILINEAR ? 1 : 2;
    const int scaled = m->resize_size;
    r->h = (axis){p->width, scaled, radius}, r->v = (axis){p->height, scaled, radius};
    if (m->crop == FTV_CROP_CENTER && r->h.in < r->v.in) r->v.out = (int)((int64_t)scaled * r->v.in / r->h.in);
    if (m->crop == FTV_CROP_CENTER && r->h.in > r->v.in) r->h.out = (int)((int64_t)scaled * r->h.in / r->v.in);
    r->size = m->image_size, r->channels = m->channels;
    r->left = half_to_even(r->h.out - r->size), r->top = half_to_even(r->v.out - r->size);
    return r->h.out <= 1 << 24 && r->v.out <= 1 << 24;
}

/* False: the arena is too small. */
static bool place(resampling *r, const ftv_session *s, const ftv_image *p) {
    const size_t size = (size_t)r->size;
    r->row_bytes = size * (size_t)r->channels, r->ring = (size_t)most_taps(r->v), r->h_taps = (size_t)most_taps(r->h);
    const uint64_t need = (uint64_t)size * (sizeof(span) + 4 * (uint64_t)r->h_taps) + 4 * (uint64_t)r->ring +
                          (uint64_t)r->ring * r->row_bytes + (uint64_t)r->channels * (uint64_t)p->width;
    if (need > s->arena_bytes) return false;
    r->spans = (span *)(void *)s->arena;
    r->h_weights = (int32_t *)(void *)(r->spans + size), r->v_weights = r->h_weights + size * r->h_taps;
    r->rows = (uint8_t *)(r->v_weights + r->ring), r->line = r->rows + r->ring * r->row_bytes;
    for (int x = 0; x < r->size; x++)
        r->spans[x].count = taps(r->h, x + r->left, &r->spans[x].first, r->h_weights + (size_t)x * r->h_taps);
    return true;
}

/* A line of the photograph to a row of the picture; inlined with `channels` a constant, so that the sums stay in
 * registers */
static inline void resample_line(const resampling *r, const uint8_t *line, uint8_t *out, int channels) {
    for (int x = 0; x < r->size; x++) {
        const uint8_t *in = line + r->spans[x].first * channels;
        const int32_t *weights = r->h_weights + (size_t)x * r->h_taps;
        int32_t sums[FTV_MAX_IN_CHANNELS];
        for (int c = 0; c < channels; c++) sums[c] = 1 << (PRECISION_BITS - 1);
        for (int i = 0; i < r->spans[x].count; i++)
            for (int c = 0; c < channels; c++) sums[c] += weights[i] * in[i * channels + c];
        for (int c = 0; c < channels; c++) out[x * channels + c] = clip8(sums[c]);
    }
}

static void resample_row(const resampling *r, const ftv_image *p, int y) {
    const uint8_t *line = p->data + (size_t)y * p->stride; /* as it is, where it has the model's channels */
    if (p->format != (r->channels == 3 ? FTV_RGB888 : FTV_GREY8) || (r->channels != 3 && r->channels != 1)) {
        for (int x = 0; x < p->width; x++) load_pixel(p, x, y, r->line + x * r->channels, r->channels);
        line = r->line;
    }
    uint8_t *out = r->rows + (size_t)y % r->ring * r->row_bytes;
    if (r->channels == 3)
        resample_line(r, line, out, 3);
    else if (r->channels == 1)
        resample_line(r, line, out, 1);
    else
        resample_line(r, line, out, r->channels);
}

/* Rows [first, first + count) to one of the picture, a strip at a time: its sums stay in vectors */
static void resample_column(const resampling *r, int first, int count, uint8_t *out) {
    enum { STRIP = 32 }; /* on the stack, where a microcontroller has little */
    for (size_t i = 0; i < r->row_bytes; i += STRIP) {
        const size_t n = r->row_bytes - i < STRIP ? r->row_bytes - i : STRIP;
        int32_t sums[STRIP];
        for (size_t j = 0; j < n; j++) sums[j] = 1 << (PRECISION_BITS - 1);
        for (int k = 0; k < count; k++) {
            const uint8_t *row = r->rows + (size_t)(first + k) % r->ring * r->row_bytes + i;
            for (size_t j = 0; j < n; j++) sums[j] += r->v_weights[k] * row[j];
        }
        for (size_t j = 0; j < n; j++) out[i + j] = clip8(sums[j]);
    }
}

ftv_status ftv_preprocess(ftv_session *s, const ftv_image *p, uint8_t *picture) {
    if (!s || !s->arena || !p || !p->data || !picture || (unsigned)p->format > FTV_RGB565_BE) return FTV_ERR_ARGUMENT;
    if (p->width < 1 || p->height < 1 || p->width > MAX_SIDE || p->height > MAX_SIDE ||
        p->stride / ftv_pixel_bytes(p->format) < (size_t)p->width)
        return FTV_ERR_ARGUMENT;
    resampling r;
    if (!choose_axes(&r, s->model, p)) return FTV_ERR_ARGUMENT;
    if (!place(&r, s, p)) return FTV_ERR_MEMORY;
    int done = -1; /* rows up to here have been resampled horizontally */
    for (int y = 0; y < r.size; y++) {
        int first, count = taps(r.v, y + r.top, &first, r.v_weights);
        for (int row = done < first ? first : done + 1; row < first + count; done = row++) resample_row(&r, p, row);
        resample_column(&r, first, count, picture + (size_t)y * r.row_bytes);
    }
    return FTV_OK;
}

/* ---- the answer ---- */

ftv_status ftv_top_k(const float *logits, int classes, int k, ftv_class *best) {
    if (!logits || !best || classes < 1 || k < 1 || k > classes) return FTV_ERR_ARGUMENT;
    for (int i = 0; i < k; i++) { /* selection: k is small */
        int top = -1;
        for (int c = 0; c < classes; c++) {
            if (logits[c] != logits[c]) continue; /* NaN */
            bool after = i == 0 || logits[c] < logits[best[i - 1].index] ||
                         (logits[c] == logits[best[i - 1].index] && c > best[i - 1].index);
            if (after && (top < 0 || logits[c] > logits[top])) top = c;
        }
        if (top < 0) return FTV_ERR_ARGUMENT;
        best[i].index = top;
    }
    float total = 0.0f;
    for (int c = 0; c < classes; c++) total += ftv_exp(logits[c] - logits[best[0].index]);
    for (int i = 0; i < k; i++) best[i].probability = ftv_exp(logits[best[i].index] - logits[best[0].index]) / total;
    return FTV_OK;
}

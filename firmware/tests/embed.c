/* SPDX-License-Identifier: Apache-2.0 */
/* embed MODEL.gguf PICTURE.ppm : what a program of somebody else's needs to classify one picture (README.md,
 * tests/install.sh). */
#include <ftervit.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t file[1 << 20], photo[1 << 20];

int main(int argc, char **argv) {
    static ftv_model model;
    static ftv_session session;
    FILE *f = argc == 3 ? fopen(argv[1], "rb") : NULL, *p = f ? fopen(argv[2], "rb") : NULL;
    ftv_image image = {.data = photo, .format = FTV_RGB888};
    size_t bytes;
    if (!p || fscanf(p, "P6 %d %d 255", &image.width, &image.height) != 2) return 2;
    if (fgetc(p) != '\n' || !fread(photo, 1, sizeof photo, p)) return 2;
    image.stride = 3 * (size_t)image.width;
    if (ftv_open(&model, file, fread(file, 1, sizeof file, f))) return puts(model.error), 1;
    if (ftv_plan(&model, NULL, &bytes, model.error)) return puts(model.error), 1;
    uint8_t *pixels = malloc((size_t)(model.image_size * model.image_size * model.channels));
    float *logits = malloc((size_t)model.classes * sizeof *logits);
    if (ftv_start(&session, &model, NULL, malloc(bytes), bytes)) return puts(session.error), 1;
    ftv_class best;
    if (ftv_preprocess(&session, &image, pixels) || ftv_run_u8(&session, pixels, logits)) return 1;
    ftv_top_k(logits, model.classes, 1, &best);
    printf("%6.2f %%  %d\n", (double)best.probability * 100, best.index);
}

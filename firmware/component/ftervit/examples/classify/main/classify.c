/* SPDX-License-Identifier: Apache-2.0 */
/* The model from the partition `model`, one picture, its most probable class. */
#include <stdio.h>
#include <stdlib.h>

#include "esp_partition.h"
#include "ftervit.h"

static ftv_model model;
static ftv_session session;

static const char *start(void) {
    const esp_partition_t *p = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, "model");
    const void *file;
    esp_partition_mmap_handle_t handle; /* never unmapped: the weights are read in place */
    if (!p || esp_partition_mmap(p, 0, p->size, ESP_PARTITION_MMAP_DATA, &file, &handle) != ESP_OK)
        return "no partition";
    if (ftv_open(&model, file, ftv_file_bytes(file, p->size))) return model.error;
    static char why[FTV_ERROR_BYTES];
    size_t bytes;
    if (ftv_plan(&model, NULL, &bytes, why)) return why;
    return ftv_start(&session, &model, NULL, malloc(bytes), bytes) ? session.error : NULL;
}

void app_main(void) {
    const char *why = start();
    if (why) {
        printf("no model: %s\n", why);
        return;
    }
    static uint8_t photo[64 * 64 * 3]; /* yours: of a camera, of a file */
    for (int i = 0; i < (int)sizeof photo; i++) photo[i] = (uint8_t)(i * 7);
    const ftv_image image = {.data = photo, .width = 64, .height = 64, .stride = 3 * 64, .format = FTV_RGB888};
    uint8_t *pixels = malloc((size_t)(model.image_size * model.image_size * model.channels));
    float *logits = malloc((size_t)model.classes * sizeof *logits);
    ftv_class best;
    if (!pixels || !logits || ftv_preprocess(&session, &image, pixels) || ftv_run_u8(&session, pixels, logits) ||
        ftv_top_k(logits, model.classes, 1, &best)) {
        printf("no answer\n");
        return;
    }
    size_t length = 0;
    const char *name = ftv_class_name(&model, best.index, &length);
    printf("class %d %.*s, %.1f %%\n", best.index, (int)length, name ? name : "", 100 * (double)best.probability);
}

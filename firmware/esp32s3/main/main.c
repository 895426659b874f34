/* SPDX-License-Identifier: Apache-2.0 */
/* The ESP32-S3's program: finds what is there, opens the model in flash, serves the console, classifies what the camera
 * sees. */
#include <inttypes.h>
#include <stdio.h>

#include "app.h"
#include "board.h"
#include "driver/gpio.h"
#include "esp_cpu.h"
#include "esp_heap_caps.h"
#include "esp_idf_version.h"
#include "esp_log.h"
#include "esp_partition.h"
#include "esp_psram.h"
#include "esp_rom_sys.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

static const char *const TAG = "ftervit";

enum { RESERVE = 48 << 10 }; /* internal memory that stays free: stacks, transfers to the screen */

static ftv_app app; /* in internal memory */

/* ---- clocks, pin, memory ---- */

static uint64_t microseconds(void *context) {
    (void)context;
    return (uint64_t)esp_timer_get_time();
}
static uint32_t cycles(void *context) {
    (void)context;
    return esp_cpu_get_cycle_count();
}
static void trigger(void *context, bool high) {
    (void)context;
    gpio_set_level(CONFIG_FTV_TRIGGER_GPIO, high);
}
static bool trigger_start(void) {
    return CONFIG_FTV_TRIGGER_GPIO >= 0 && gpio_reset_pin(CONFIG_FTV_TRIGGER_GPIO) == ESP_OK &&
           gpio_set_direction(CONFIG_FTV_TRIGGER_GPIO, GPIO_MODE_OUTPUT) == ESP_OK;
}

static void *allocate(void *context, size_t bytes) {
    (void)context;
    void *p = heap_caps_aligned_alloc(16, bytes, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
    return p || esp_psram_is_initialized() ? p
                                           : heap_caps_aligned_alloc(16, bytes, MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT);
}
static void release(void *context, void *memory) {
    (void)context;
    heap_caps_free(memory);
}

/* Internal memory for the engine's hot parts, as much as is left. */
static void fast_memory(ftv_board *board) {
    const size_t most = (size_t)CONFIG_FTV_FAST_KB << 10,
                 largest = heap_caps_get_largest_free_block(MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT),
                 all = heap_caps_get_free_size(MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT),
                 spare = all > RESERVE ? all - RESERVE : 0;
    size_t n = largest < spare ? largest : spare;
    n = n > 64 ? n - 64 : 0; /* the heap's own, and alignment */
    n = (n < most ? n : most) & ~(size_t)63;
    board->fast = n ? heap_caps_aligned_alloc(16, n, MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT) : NULL;
    board->fast_bytes = board->fast ? n : 0;
}

static void facts(void *context, ftv_app *a) {
    (void)context;
    ftv_say(a, "idf %s", esp_get_idf_version());
    ftv_say(a, "free_internal_bytes %zu", heap_caps_get_free_size(MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT));
    ftv_say(a, "free_psram_bytes %zu", heap_caps_get_free_size(MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT));
    ftv_say(a, "stack_free_bytes main %u", (unsigned)uxTaskGetStackHighWaterMark(NULL));
    if (ftv_cores_helper())
        ftv_say(a, "stack_free_bytes helper %u", (unsigned)uxTaskGetStackHighWaterMark(ftv_cores_helper()));
    for (esp_partition_iterator_t i = esp_partition_find(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, NULL); i;
         i = esp_partition_next(i)) {
        const esp_partition_t *p = esp_partition_get(i);
        ftv_say(a, "partition %s %" PRIu32 " %" PRIu32, p->label, p->address, p->size);
    }
}

/* ---- the model, in flash: mapped, not copied ---- */

static const char *map_model(const void **file, size_t *bytes) {
    esp_partition_mmap_handle_t handle; /* never unmapped */
    const esp_partition_t *p = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, "model");
    if (!p) return "the flash has no partition called model: flash partitions.csv";
    if (esp_partition_mmap(p, 0, p->size, ESP_PARTITION_MMAP_DATA, file, &handle) != ESP_OK)
        return "the model partition cannot be mapped";
    *bytes = p->size;
    const uint8_t *b = *file;
    if (b[0] == 0xff && b[1] == 0xff && b[2] == 0xff && b[3] == 0xff)
        return "the model partition is empty: idf.py -D MODEL=model.gguf flash, or parttool.py write_partition "
               "--partition-name "
               "model --input model.gguf";
    return NULL;
}

static ftv_board board = {.name = CONFIG_IDF_TARGET,
                          .write = ftv_link_write,
                          .microseconds = microseconds,
                          .cycles = cycles,
                          .allocate = allocate,
                          .release = release,
                          .facts = facts,
                          .trigger_pin = CONFIG_FTV_TRIGGER_GPIO};

static void find_parts(void) {
    board.cpu_freq_hz = esp_rom_get_cpu_ticks_per_us() * 1000000u;
    if (trigger_start()) board.trigger = trigger;
    if (ftv_lcd_start()) board.show = ftv_lcd_show;
    if (ftv_camera_start()) board.capture = ftv_camera_capture;
}

/* What menuconfig says */
static ftv_options wishes(void) {
    ftv_options options = {.attention = FTV_ATTENTION_F32};
#if CONFIG_FTV_KERNELS_PIE
    options.kernels = "pie";
#endif
#if CONFIG_FTV_ATTENTION_INT8
    options.attention = FTV_ATTENTION_INT8;
#endif
#if CONFIG_FTV_BOTH_CORES
    if (ftv_cores_start()) options.workers = 2, options.parallel_for = ftv_cores_run;
#endif
    return options;
}

static void start(void) {
    const ftv_options options = wishes();
    if (esp_psram_is_initialized()) fast_memory(&board); /* without it the arena lies there, and must fit */
    const void *file = NULL;
    size_t bytes = 0;
    const char *why = map_model(&file, &bytes);
    if (why)
        ftv_app_start_without(&app, &board, why, &options);
    else
        ftv_app_start(&app, &board, file, bytes, &options);
    if (app.trouble)
        ESP_LOGE(TAG, "no model: %s", app.trouble);
    else if (!ftv_app_self_test(&app))
        ESP_LOGE(TAG, "self-test failed: %s; type selftest", app.unsound);
    else
        ESP_LOGI(TAG, "self-test passed, ready: type help");
}

void app_main(void) {
    if (!ftv_link_start()) ESP_LOGE(TAG, "no console: the driver of its port does not start");
    if (!esp_psram_is_initialized())
        ESP_LOGE(TAG, "no PSRAM: only models whose arena fits into internal memory can run");
    find_parts();
    start();
    for (int wait_ms = 0;;) {
        static uint8_t buffer[1024];
        const int n = ftv_link_read(buffer, sizeof buffer, wait_ms);
        if (n > 0) ftv_app_receive(&app, buffer, (size_t)n);
        /* a host that has just spoken has more to say: the camera waits for it */
        wait_ms = n > 0 ? 300 : ftv_app_live(&app) ? 0 : 100;
    }
}

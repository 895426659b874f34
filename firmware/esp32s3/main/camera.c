/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "sdkconfig.h"

#if CONFIG_FTV_CAMERA
#include "esp_camera.h"
#include "esp_log.h"

static camera_fb_t *held;

bool ftv_camera_start(void) {
    /* One buffer, filled when it is given back: while the engine runs the camera writes nothing into PSRAM. */
    const camera_config_t config = {
        .pin_pwdn = -1,
        .pin_reset = -1,
        .pin_xclk = CAMERA_XCLK,
        .pin_sccb_sda = CAMERA_SDA,
        .pin_sccb_scl = CAMERA_SCL,
        .pin_d0 = CAMERA_D0,
        .pin_d1 = CAMERA_D1,
        .pin_d2 = CAMERA_D2,
        .pin_d3 = CAMERA_D3,
        .pin_d4 = CAMERA_D4,
        .pin_d5 = CAMERA_D5,
        .pin_d6 = CAMERA_D6,
        .pin_d7 = CAMERA_D7,
        .pin_vsync = CAMERA_VSYNC,
        .pin_href = CAMERA_HREF,
        .pin_pclk = CAMERA_PCLK,
        .xclk_freq_hz =
            16000000, /* with CONFIG_CAMERA_PSRAM_DMA the DMA writes into PSRAM itself; without, core 0 copies */
        .ledc_timer = LEDC_TIMER_0,
        .ledc_channel = LEDC_CHANNEL_0,
        .pixel_format = PIXFORMAT_RGB565,
        .frame_size = FRAMESIZE_240X240,
        .fb_count = 1,
        .fb_location = CAMERA_FB_IN_PSRAM,
        .grab_mode = CAMERA_GRAB_WHEN_EMPTY,
    };
    const esp_err_t error = esp_camera_init(&config);
    if (error != ESP_OK) {
        ESP_LOGW("camera", "none: %s", esp_err_to_name(error));
        return false;
    }
    sensor_t *sensor = esp_camera_sensor_get();
    if (sensor && sensor->set_vflip) sensor->set_vflip(sensor, 1);
    held = esp_camera_fb_get(); /* from before the flip: given back by the first capture */
    return true;
}

bool ftv_camera_capture(void *context, ftv_image *photo) {
    (void)context;
    if (held) esp_camera_fb_return(held);
    held = esp_camera_fb_get(); /* NULL after the driver's time-out */
    if (!held || held->format != PIXFORMAT_RGB565 || held->len < 2 * held->width * held->height) return false;
    *photo = (ftv_image){held->buf, (int)held->width, (int)held->height, 2 * held->width, FTV_RGB565_BE};
    return true;
}
#else
bool ftv_camera_start(void) { return false; }
bool ftv_camera_capture(void *context, ftv_image *photo) {
    (void)context, (void)photo;
    return false;
}
#endif

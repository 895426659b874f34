/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "draw.h"
#include "sdkconfig.h"

#if CONFIG_FTV_LCD
#include <string.h>

#include "driver/gpio.h"
#include "driver/spi_master.h"
#include "esp_heap_caps.h"
#include "esp_lcd_panel_io.h"
#include "esp_lcd_panel_ops.h"
#include "esp_lcd_panel_vendor.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"

enum {
    STRIP_ROWS = 40,
    STRIP_BYTES = 2 * FTV_SCREEN * STRIP_ROWS
}; /* the DMA reads internal memory only: strip by strip */

static struct {
    esp_lcd_panel_handle_t panel;
    SemaphoreHandle_t sent;
    uint8_t *strip;
} lcd;

static bool on_sent(esp_lcd_panel_io_handle_t io, esp_lcd_panel_io_event_data_t *event, void *context) {
    (void)io, (void)event, (void)context;
    BaseType_t woken = pdFALSE;
    xSemaphoreGiveFromISR(lcd.sent, &woken);
    return woken == pdTRUE;
}

static esp_err_t start(void) {
    const spi_bus_config_t bus = {.mosi_io_num = LCD_MOSI,
                                  .miso_io_num = -1,
                                  .sclk_io_num = LCD_PCLK,
                                  .quadwp_io_num = -1,
                                  .quadhd_io_num = -1,
                                  .max_transfer_sz = STRIP_BYTES};
    const esp_lcd_panel_io_spi_config_t wires = {.cs_gpio_num = LCD_CS,
                                                 .dc_gpio_num = LCD_DC,
                                                 .spi_mode = 0,
                                                 .pclk_hz = 40000000,
                                                 .trans_queue_depth = 10,
                                                 .on_color_trans_done = on_sent,
                                                 .lcd_cmd_bits = 8,
                                                 .lcd_param_bits = 8};
    const esp_lcd_panel_dev_config_t device = {
        .reset_gpio_num = -1, .rgb_ele_order = LCD_RGB_ELEMENT_ORDER_RGB, .bits_per_pixel = 16};
    esp_lcd_panel_io_handle_t io;
    esp_err_t e = spi_bus_initialize(SPI3_HOST, &bus, SPI_DMA_CH_AUTO);
    if (e == ESP_OK) e = esp_lcd_new_panel_io_spi((esp_lcd_spi_bus_handle_t)SPI3_HOST, &wires, &io);
    if (e == ESP_OK) e = esp_lcd_new_panel_st7789(io, &device, &lcd.panel);
    if (e == ESP_OK) e = esp_lcd_panel_reset(lcd.panel);
    if (e == ESP_OK) e = esp_lcd_panel_init(lcd.panel);
    if (e == ESP_OK) e = esp_lcd_panel_invert_color(lcd.panel, true);
    if (e == ESP_OK) e = esp_lcd_panel_disp_on_off(lcd.panel, true);
    if (e == ESP_OK) e = gpio_reset_pin(LCD_BACKLIGHT);
    if (e == ESP_OK) e = gpio_set_direction(LCD_BACKLIGHT, GPIO_MODE_OUTPUT);
    if (e == ESP_OK) e = gpio_set_level(LCD_BACKLIGHT, 0);
    return e;
}

bool ftv_lcd_start(void) {
    lcd.sent = xSemaphoreCreateBinary();
    lcd.strip = heap_caps_malloc(STRIP_BYTES, MALLOC_CAP_DMA | MALLOC_CAP_INTERNAL);
    const esp_err_t error = lcd.sent && lcd.strip ? start() : ESP_ERR_NO_MEM;
    if (error != ESP_OK) ESP_LOGW("lcd", "none: %s", esp_err_to_name(error));
    return error == ESP_OK;
}

void ftv_lcd_show(void *context, const uint8_t *pixels) {
    (void)context;
    for (int y = 0; y < FTV_SCREEN; y += STRIP_ROWS) {
        memcpy(lcd.strip, pixels + 2 * FTV_SCREEN * y, STRIP_BYTES);
        if (esp_lcd_panel_draw_bitmap(lcd.panel, 0, y, FTV_SCREEN, y + STRIP_ROWS, lcd.strip) != ESP_OK) return;
        xSemaphoreTake(lcd.sent, pdMS_TO_TICKS(1000));
    }
}
_Static_assert(FTV_SCREEN % STRIP_ROWS == 0, "whole strips");
#else
bool ftv_lcd_start(void) { return false; }
void ftv_lcd_show(void *context, const uint8_t *pixels) { (void)context, (void)pixels; }
#endif

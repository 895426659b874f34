/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_lcd_panel_io.h"
typedef enum { LCD_RGB_ELEMENT_ORDER_RGB, LCD_RGB_ELEMENT_ORDER_BGR } lcd_rgb_element_order_t;
typedef struct {
    int reset_gpio_num; /* gpio_num_t in ESP-IDF 6 */
    lcd_rgb_element_order_t rgb_ele_order;
    uint32_t bits_per_pixel;
    void *vendor_config;
} esp_lcd_panel_dev_config_t;
esp_err_t esp_lcd_new_panel_st7789(const esp_lcd_panel_io_handle_t io,
                                   const esp_lcd_panel_dev_config_t *panel_dev_config,
                                   esp_lcd_panel_handle_t *ret_panel);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERR_NO_MEM 0x101
const char *esp_err_to_name(esp_err_t code);
#define ESP_ERROR_CHECK(x) ((void)(x)) /* the real one stops the program */

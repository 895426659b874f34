/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What Kconfig gives by default; -DCHECK_OFF turns every part off. */
#define CONFIG_IDF_TARGET "esp32s3"
#ifdef CHECK_OFF
#define CONFIG_ESP_CONSOLE_UART_NUM 0
#define CONFIG_FTV_TRIGGER_GPIO -1
#define CONFIG_FTV_FAST_KB 0
#define CONFIG_FTV_ATTENTION_INT8 1
#else
#define CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG 1
#define CONFIG_FTV_TRIGGER_GPIO 39
#define CONFIG_FTV_FAST_KB 192
#define CONFIG_FTV_BOTH_CORES 1
#define CONFIG_FTV_CAMERA 1
#define CONFIG_FTV_KERNELS_PIE 1
#define CONFIG_FTV_LCD 1
#endif

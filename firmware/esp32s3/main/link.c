/* SPDX-License-Identifier: Apache-2.0 */
/* The console's bytes: USB-Serial-JTAG, or the UART where ESP-IDF's console is on it (boards without USB, the
 * emulator). */
#include "board.h"
#include "freertos/FreeRTOS.h"
#include "sdkconfig.h"

enum { BUFFER = 8192, PATIENCE_MS = 200 }; /* of a write that nobody reads */

#if CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG
#include "driver/usb_serial_jtag.h"
#include "driver/usb_serial_jtag_vfs.h"

bool ftv_link_start(void) {
    usb_serial_jtag_driver_config_t config = {.tx_buffer_size = BUFFER, .rx_buffer_size = BUFFER};
    if (usb_serial_jtag_driver_install(&config) != ESP_OK) return false;
    usb_serial_jtag_vfs_use_driver();
    return true;
}

void ftv_link_write(void *context, const void *bytes, size_t n) {
    (void)context;
    usb_serial_jtag_write_bytes(bytes, n, pdMS_TO_TICKS(PATIENCE_MS));
}

int ftv_link_read(void *bytes, size_t n, int wait_ms) {
    return usb_serial_jtag_read_bytes(bytes, (uint32_t)n, pdMS_TO_TICKS(wait_ms));
}
#else
#include "driver/uart.h"
#include "driver/uart_vfs.h"

enum { PORT = CONFIG_ESP_CONSOLE_UART_NUM }; /* pins and speed are set by the boot: CONFIG_ESP_CONSOLE_UART_BAUDRATE */

bool ftv_link_start(void) {
    if (uart_driver_install(PORT, BUFFER, BUFFER, 0, NULL, 0) != ESP_OK) return false;
    uart_vfs_dev_use_driver(PORT);
    return true;
}

void ftv_link_write(void *context, const void *bytes, size_t n) {
    (void)context;
    uart_write_bytes(PORT, bytes, n); /* a UART is always read */
}

/* One byte is waited for, the others are taken if they are there: the driver would wait for all. */
int ftv_link_read(void *bytes, size_t n, int wait_ms) {
    size_t more = 0;
    if (uart_read_bytes(PORT, bytes, 1, pdMS_TO_TICKS(wait_ms)) < 1) return 0;
    uart_get_buffered_data_len(PORT, &more);
    more = more < n - 1 ? more : n - 1;
    const int got = more ? uart_read_bytes(PORT, (uint8_t *)bytes + 1, (uint32_t)more, 0) : 0;
    return 1 + (got > 0 ? got : 0);
}
#endif

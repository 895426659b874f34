#pragma once /* components: esp_driver_usb_serial_jtag vfs */
void usb_serial_jtag_vfs_use_driver(void);

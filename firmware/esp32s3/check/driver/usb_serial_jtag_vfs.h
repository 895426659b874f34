/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
void usb_serial_jtag_vfs_use_driver(void);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
void uart_vfs_dev_use_driver(int uart_num);

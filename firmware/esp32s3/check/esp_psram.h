/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
bool esp_psram_is_initialized(void);

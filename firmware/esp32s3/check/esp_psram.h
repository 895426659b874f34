#pragma once /* components: esp_psram */
#include <stdbool.h>
bool esp_psram_is_initialized(void);

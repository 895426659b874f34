#pragma once
#include <stdbool.h>
bool esp_psram_is_initialized(void);

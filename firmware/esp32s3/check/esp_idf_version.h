/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
const char *esp_get_idf_version(void);

/* SPDX-License-Identifier: Apache-2.0 */
/* The ESP32-S3-EYE: pins, and what main.c uses of camera, screen and cores. Each part may be missing. */
#ifndef FTV_ESP32S3_BOARD_H
#define FTV_ESP32S3_BOARD_H

#include "ftervit.h"

/* macros: an enumeration does not convert to ESP-IDF's gpio_num_t without a warning */
#define CAMERA_XCLK 15
#define CAMERA_PCLK 13
#define CAMERA_VSYNC 6
#define CAMERA_HREF 7
#define CAMERA_D0 11
#define CAMERA_D1 9
#define CAMERA_D2 8
#define CAMERA_D3 10
#define CAMERA_D4 12
#define CAMERA_D5 18
#define CAMERA_D6 17
#define CAMERA_D7 16
#define CAMERA_SDA 4
#define CAMERA_SCL 5
#define LCD_PCLK 21
#define LCD_MOSI 47
#define LCD_DC 43
#define LCD_CS 44
#define LCD_BACKLIGHT 48 /* on when low */

/* Bytes of the console; each write is one piece, so that no log line falls into a frame. `ftv_link_read` waits for the
 * first byte. */
bool ftv_link_start(void);
void ftv_link_write(void *context, const void *bytes, size_t n);
int ftv_link_read(void *bytes, size_t n, int wait_ms);

/* False: not there, or not answering; the log says why. */
bool ftv_camera_start(void);
bool ftv_camera_capture(void *context, ftv_image *photo); /* valid until the next call */

bool ftv_lcd_start(void);
void ftv_lcd_show(void *context, const uint8_t *pixels); /* FTV_SCREEN x FTV_SCREEN, RGB565 big-endian */

/* The engine's parallel-for over both cores. The caller is worker 0 and stays on core 0; worker 1 waits on core 1:
 * float and vector registers are saved per task and core, when another task wants them, so no task may wander. */
bool ftv_cores_start(void);
struct tskTaskControlBlock *ftv_cores_helper(void); /* its task, or NULL */
void ftv_cores_run(void *context, int count, ftv_task task, void *arg);

#endif

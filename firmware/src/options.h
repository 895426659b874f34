/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may choose, read in one place: ftv_options and the environment (options.c), the build's macros (here).
 */
#ifndef FTV_OPTIONS_H
#define FTV_OPTIONS_H

#include "ftervit.h"

/* ---- of the build: all may be given as -D ---------------------------------------------------------------
 *
 * FTV_TABLE_WORD   integer of the table kernels: uint64_t, or uint32_t where pointers are short
 * FTV_HAVE_PIE     the ESP32-S3's vector kernels are linked: esp32s3/kernels_pie.c, pie_gemm.S
 * FTV_OWN_FMAF     fmaf of our own, for a C library whose fmaf rounds twice: WebAssembly's, and newlib's on a chip
 *                  without a floating-point unit
 *
 * The other kernel sets are built when the compiler's target has them. */
#ifndef FTV_TABLE_WORD
#if UINTPTR_MAX > 0xffffffffu
#define FTV_TABLE_WORD uint64_t
#else
#define FTV_TABLE_WORD uint32_t
#endif
#endif

#if defined(__wasm__) && !defined(FTV_OWN_FMAF)
#define FTV_OWN_FMAF
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define FTV_HAVE_X86
#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define FTV_HAVE_AVXVNNI
#endif
#elif defined(__aarch64__) && defined(__GNUC__)
#define FTV_HAVE_NEON
#elif defined(__wasm_simd128__)
#define FTV_HAVE_WASM
#ifdef __wasm_relaxed_simd__
#define FTV_HAVE_WASM_RELAXED
#endif
#endif

/* ---- of a session --------------------------------------------------------------------------------------- */

struct ftv_kernels;

/* The kernels' name that counts: the one given, or that of the environment variable FTERVIT_KERNELS, or NULL (the
 * fastest). */
const char *ftv_wanted_kernels(const char *given);

/* `given` (NULL: all defaults) into *out, and the kernel set that runs; `why` as for ftv_plan. */
ftv_status ftv_read_options(ftv_options *out, const struct ftv_kernels **kernels, const ftv_options *given, char *why);

/* Writes the words to `why` (FTV_ERROR_BYTES; NULL: nowhere) and returns the status. */
ftv_status ftv_fail(char *why, ftv_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

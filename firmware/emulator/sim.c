/* SPDX-License-Identifier: Apache-2.0 */
/* System calls of QEMU's Xtensa "sim" board (the simcall instruction), picolibc's console, and the programs' platform.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform.h"

enum {
    SYS_EXIT = 1,
    SYS_READ = 3,
    SYS_WRITE = 4,
    SYS_OPEN = 5,
    SYS_CLOSE = 6,
    SYS_SEEK = 19,
    SYS_ARGC = 1000,
    SYS_ARGV_BYTES = 1001,
    SYS_ARGV = 1002
};

static int simcall(int number, int a, int b, int c) {
    register int a2 __asm__("a2") = number;
    register int a3 __asm__("a3") = a;
    register int a4 __asm__("a4") = b;
    register int a5 __asm__("a5") = c;
    __asm__ volatile("simcall" : "+a"(a2), "+a"(a3) : "a"(a4), "a"(a5) : "memory");
    if (a2 < 0) errno = a3;
    return a2;
}

void _exit(int status) {
    simcall(SYS_EXIT, status, 0, 0);
    for (;;) {}
}

/* ---- console: lines at a time ---- */

static char line[256];
static int length;

static int flush_line(FILE *f) {
    (void)f;
    for (int at = 0, n; at < length && (n = simcall(SYS_WRITE, 1, (int)line + at, length - at)) > 0;) at += n;
    length = 0;
    return 0;
}

static int put(char c, FILE *f) {
    line[length++] = c;
    if (c == '\n' || length == (int)sizeof line) flush_line(f);
    return (unsigned char)c;
}

static FILE console = FDEV_SETUP_STREAM(put, NULL, flush_line, _FDEV_SETUP_WRITE);
FILE *const stdout = &console;
FILE *const stderr = &console;
FILE *const stdin = &console;

/* ---- memory, start and end ---- */

extern char __heap_start[], __heap_end[];

void *sbrk(ptrdiff_t n) {
    static char *end = __heap_start;
    if (end + n > __heap_end || end + n < __heap_start) {
        errno = ENOMEM;
        return (void *)-1;
    }
    char *old = end;
    end += n;
    return old;
}

int main(int argc, char **argv);

void sim_main(void) {
    char **argv = malloc((size_t)simcall(SYS_ARGV_BYTES, 0, 0, 0));
    simcall(SYS_ARGV, (int)argv, 0, 0);
    int status = main(simcall(SYS_ARGC, 0, 0, 0), argv);
    flush_line(NULL);
    _exit(status);
}

void sim_fault(unsigned cause, unsigned pc, unsigned address) {
    printf("\nCPU exception: cause %u, pc 0x%08x, address 0x%08x\n", cause, pc, address);
    flush_line(NULL);
    _exit(100);
}

/* ---- platform.h ---- */

const void *ftv_platform_file(const char *path, size_t *bytes) {
    int fd = simcall(SYS_OPEN, (int)path, 0, 0), n, got = 0;
    if (fd < 0) return NULL;
    int size = simcall(SYS_SEEK, fd, 0, 2);
    simcall(SYS_SEEK, fd, 0, 0);
    char *p = size > 0 ? malloc((size_t)size) : NULL;
    while (p && got < size && (n = simcall(SYS_READ, fd, (int)p + got, size - got)) > 0) got += n;
    simcall(SYS_CLOSE, fd, 0, 0);
    *bytes = (size_t)got;
    return got == size ? p : NULL;
}

void sim_mark(void);

platform_count_t ftv_platform_count(void) {
    static int fd = -1;
    platform_count_t now = {0};
    sim_mark(); /* the plugin writes its counts into this file */
    if (fd < 0) fd = simcall(SYS_OPEN, (int)"instructions.bin", 0, 0);
    if (fd >= 0) {
        simcall(SYS_SEEK, fd, 0, 0);
        simcall(SYS_READ, fd, (int)&now, 2 * sizeof now.total);
    }
    return now;
}

const char *ftv_platform_unit(void) { return "instructions"; }
platform_pool *ftv_platform_pool_start(int workers) { return (void)workers, NULL; } /* one core */
void ftv_platform_pool_run(void *pool, int count, void (*task)(void *, int, int), void *arg) {
    (void)pool;
    for (int i = 0; i < count; i++) task(arg, i, 0);
}
void ftv_platform_pool_stop(platform_pool *pool) { (void)pool; }

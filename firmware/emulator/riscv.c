/* SPDX-License-Identifier: Apache-2.0 */
/* platform.h on QEMU's RISC-V "virt" board (semihosting, picolibc): a 32-bit core with a floating-point unit, which
 * stands in for a core of the ESP32-S3 while instructions.c counts. Two cores are counted one after another: every task
 * goes to the core that is free first, as on the board (esp32s3/main/cores.c), by the instructions of both so far. */
#include "platform.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what instructions.c sees: its counts are written at sim_mark, and stand still from pause to resume ---- */

void sim_mark(void), ftv_sim_pause(void), ftv_sim_resume(void);
__asm__(".text\n.globl sim_mark, ftv_sim_pause, ftv_sim_resume\nsim_mark: ret\nftv_sim_pause: ret\nftv_sim_resume: ret\n");

extern uint64_t ftv_pie_instructions; /* pie.c */
static uint64_t beside;

static uint64_t instructions(void) {
    static int fd = -1;
    uint64_t n[2] = {0};
    sim_mark();
    if (fd < 0) fd = open("instructions.bin", O_RDONLY);
    if (fd < 0 || lseek(fd, 0, SEEK_SET) || read(fd, n, sizeof n) != sizeof n) abort();
    return n[0] + ftv_pie_instructions;
}

platform_count_t ftv_platform_count(void) {
    ftv_sim_pause();
    const platform_count_t now = {.total = instructions(), .vector = ftv_pie_instructions, .beside = beside};
    ftv_sim_resume();
    return now;
}

const char *ftv_platform_unit(void) { return "instructions"; }

/* ---- cores ---- */

enum { CORES = 2 };
struct platform_pool {
    int cores;
};
platform_pool *ftv_platform_pool_start(int workers) {
    static platform_pool pool;
    pool.cores = workers < CORES ? workers : CORES;
    return &pool;
}

void ftv_platform_pool_run(void *pool, int count, void (*task)(void *, int, int), void *arg) {
    const platform_pool *p = pool;
    uint64_t busy[CORES] = {0};
    for (int i = 0; i < count; i++) {
        const int core = p->cores > 1 && busy[1] < busy[0];
        const uint64_t before = ftv_platform_count().total;
        task(arg, i, core);
        busy[core] += ftv_platform_count().total - before;
    }
    beside += busy[0] < busy[1] ? busy[0] : busy[1];
}
void ftv_platform_pool_stop(platform_pool *pool) { (void)pool; }

/* ---- memory ---- */

__attribute__((constructor)) static void enable_floats(void) { __asm__ volatile("csrs mstatus, %0" ::"r"(1 << 13)); }

const void *ftv_platform_file(const char *path, size_t *bytes) {
    enum { STEP = 1 << 20 };
    const int fd = open(path, O_RDONLY);
    uint8_t *p = NULL;
    size_t got = 0;
    for (ssize_t n = fd < 0 ? 0 : 1; n > 0; got += (size_t)(n > 0 ? n : 0)) {
        uint8_t *more = realloc(p, got + STEP);
        n = more ? read(fd, more + got, STEP) : 0;
        p = more;
    }
    if (fd >= 0) close(fd);
    *bytes = got;
    return p;
}

/* A word at a time, as in ESP-IDF; picolibc for a small core copies bytes. */
typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    uint8_t *a = to;
    const uint8_t *b = from;
    if (!(((uintptr_t)a | (uintptr_t)b) & 3))
        for (; n >= 4; n -= 4, a += 4, b += 4) *(word *)(void *)a = *(const word *)(const void *)b;
    for (; n; n--) *a++ = *b++;
    return to;
}

void *memset(void *to, int value, size_t n) {
    uint8_t *a = to;
    if (!((uintptr_t)a & 3))
        for (; n >= 4; n -= 4, a += 4) *(word *)(void *)a = (uint8_t)value * 0x01010101u;
    for (; n; n--) *a++ = (uint8_t)value;
    return to;
}

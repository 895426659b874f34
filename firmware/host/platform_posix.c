/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#else
#define _POSIX_C_SOURCE 200809L
#endif
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

const void *ftv_platform_file(const char *path, size_t *bytes) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0) return NULL;
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        *bytes = (size_t)st.st_size;
        p = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

platform_count_t ftv_platform_count(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (platform_count_t){.total = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec};
}

const char *ftv_platform_unit(void) { return "ns"; }

/* ---- a pool: workers 1.. wait for a job; the caller is worker 0 ----
 * The stages of a forward pass follow each other within tens of microseconds, less than it takes to wake a thread: who
 * waits looks for a while before it sleeps. Where there are more workers than processors nobody looks, and all sleep at
 * once. */

enum {
    LOOK_NS = 300000
}; /* longer than it takes to wake a thread, on a virtual machine too; else both would take turns to sleep */

typedef struct {
    platform_pool *pool;
    int number;
    pthread_t thread;
} member;

struct platform_pool {
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    member *members;
    int workers, count, caller_cpu; /* processor of the caller, -1: unknown */
    void (*task)(void *, int, int);
    void *arg;
    atomic_uint job, busy;
    atomic_int next, sleepers;
    atomic_bool stop;
    bool looks;
    unsigned forks; /* of the process, when the threads were started */
};

/* A child of fork() has the pool's memory, but none of its threads. */
static atomic_uint forks;
static void count_fork(void) { atomic_fetch_add(&forks, 1); }
static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }
static bool has_threads(const platform_pool *p) { return p->forks == atomic_load(&forks); }

static void pause_a_little(void) {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Until *value is no longer `old`, or for LOOK_NS; whether it changed. */
static bool look(const platform_pool *p, atomic_uint *value, unsigned old) {
    const uint64_t begin = ftv_platform_count().total;
    while (p->looks) {
        for (int i = 0; i < 64; i++) {
            if (atomic_load(value) != old) return true;
            pause_a_little();
        }
        if (ftv_platform_count().total - begin > LOOK_NS) break;
        sched_yield(); /* who is waited for may be behind us, on this processor */
    }
    return atomic_load(value) != old;
}

static void work(platform_pool *p, int number) {
    for (int i; (i = atomic_fetch_add(&p->next, 1)) < p->count;) p->task(p->arg, i, number);
}

/* A thread that is woken may be put behind the caller, on the caller's processor, and stay there for a long time
 * because neither sleeps: it moves away. */
static int this_cpu(void) {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}
static void leave_cpu(int cpu) {
#if defined(__linux__)
    cpu_set_t all, others;
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof all, &all)) return;
    others = all;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others) && !sched_setaffinity(0, sizeof others, &others)) sched_setaffinity(0, sizeof all, &all);
#else
    (void)cpu;
#endif
}

static void *member_main(void *arg) {
    member *m = arg;
    platform_pool *p = m->pool;
    for (unsigned seen = 0;;) {
        if (!look(p, &p->job, seen)) {
            pthread_mutex_lock(&p->lock);
            atomic_fetch_add(&p->sleepers, 1);
            while (atomic_load(&p->job) == seen) pthread_cond_wait(&p->begin, &p->lock);
            atomic_fetch_sub(&p->sleepers, 1);
            pthread_mutex_unlock(&p->lock);
        }
        seen++;
        if (atomic_load(&p->stop)) return NULL;
        if (p->looks && p->caller_cpu >= 0 && this_cpu() == p->caller_cpu) leave_cpu(p->caller_cpu);
        work(p, m->number);
        if (atomic_fetch_sub(&p->busy, 1) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->end);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

int ftv_platform_processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static void start_members(platform_pool *p, int workers) {
    p->forks = atomic_load(&forks);
    p->looks = workers <= ftv_platform_processors();
    atomic_store(&p->job, 0);
    atomic_store(&p->sleepers, 0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->begin, NULL);
    pthread_cond_init(&p->end, NULL);
    for (p->workers = 1; p->members && p->workers < workers; p->workers++) {
        member *m = &p->members[p->workers];
        *m = (member){.pool = p, .number = p->workers};
        if (pthread_create(&m->thread, NULL, member_main, m)) break;
    }
}

platform_pool *ftv_platform_pool_start(int workers) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    platform_pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->members = calloc((size_t)(workers > 1 ? workers : 1), sizeof *p->members);
    start_members(p, workers);
    return p;
}

/* Lets every member begin: what was written before is seen by them. */
static void begin(platform_pool *p) {
    atomic_store(&p->next, 0);
    atomic_store(&p->busy, (unsigned)p->workers - 1);
    atomic_fetch_add(&p->job, 1);
    if (atomic_load(&p->sleepers) == 0) return; /* one that is about to sleep counts itself, then looks again */
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
}

void ftv_platform_pool_run(void *pool, int count, void (*task)(void *, int, int), void *arg) {
    platform_pool *p = pool;
    if (!has_threads(p)) start_members(p, p->workers);
    p->task = task;
    p->arg = arg;
    p->count = count;
    p->caller_cpu = this_cpu();
    begin(p);
    work(p, 0);
    for (unsigned left; (left = atomic_load(&p->busy));) /* as long as another one ends in time */
        if (!look(p, &p->busy, left)) break;
    if (!atomic_load(&p->busy)) return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->busy)) pthread_cond_wait(&p->end, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void ftv_platform_pool_stop(platform_pool *p) {
    if (!p) return;
    if (has_threads(p)) {
        atomic_store(&p->stop, true);
        begin(p);
        for (int i = 1; i < p->workers; i++) pthread_join(p->members[i].thread, NULL);
        pthread_cond_destroy(&p->begin);
        pthread_cond_destroy(&p->end);
        pthread_mutex_destroy(&p->lock);
    }
    free(p->members);
    free(p);
}

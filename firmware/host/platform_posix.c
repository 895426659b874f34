#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

const void *platform_file(const char *path, size_t *bytes) {
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

platform_count_t platform_count(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (platform_count_t){(uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec, 0};
}

const char *platform_unit(void) { return "ns"; }

/* ---- a pool: workers 1.. wait for a job; the caller is worker 0 ---- */

typedef struct {
    platform_pool *pool;
    int number;
    pthread_t thread;
} member;

struct platform_pool {
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    member *members;
    int workers, next, count, busy;
    unsigned job;
    bool stop;
    void (*task)(void *, int, int);
    void *arg;
};

static void work(platform_pool *p, int number) {
    for (;;) {
        pthread_mutex_lock(&p->lock);
        int i = p->next < p->count ? p->next++ : -1;
        pthread_mutex_unlock(&p->lock);
        if (i < 0) return;
        p->task(p->arg, i, number);
    }
}

static void *member_main(void *arg) {
    member *m = arg;
    platform_pool *p = m->pool;
    unsigned seen = 0;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        if (seen == p->job) {
            pthread_cond_wait(&p->begin, &p->lock);
            continue;
        }
        seen = p->job;
        pthread_mutex_unlock(&p->lock);
        work(p, m->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0) pthread_cond_signal(&p->end);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

platform_pool *platform_pool_start(int workers) {
    platform_pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->members = calloc((size_t)(workers > 1 ? workers : 1), sizeof *p->members);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->begin, NULL);
    pthread_cond_init(&p->end, NULL);
    for (p->workers = 1; p->members && p->workers < workers; p->workers++) {
        member *m = &p->members[p->workers];
        *m = (member){.pool = p, .number = p->workers};
        if (pthread_create(&m->thread, NULL, member_main, m)) break;
    }
    return p;
}

void platform_pool_run(void *pool, int count, void (*task)(void *, int, int), void *arg) {
    platform_pool *p = pool;
    pthread_mutex_lock(&p->lock);
    p->task = task;
    p->arg = arg;
    p->next = 0;
    p->count = count;
    p->busy = p->workers - 1;
    p->job++;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    work(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy) pthread_cond_wait(&p->end, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void platform_pool_stop(platform_pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->workers; i++) pthread_join(p->members[i].thread, NULL);
    free(p->members);
    free(p);
}

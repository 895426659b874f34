/* SPDX-License-Identifier: Apache-2.0 */
/* board-sim [MODEL.gguf]: the board's program on this computer, behind a pseudo-terminal whose path is printed first.
 */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "arguments.h"
#include "draw.h"
#include "platform.h"

static volatile sig_atomic_t stopped;
static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

typedef struct {
    int in, out;
    const char *screen; /* file for what the screen shows, or NULL */
    size_t memory;      /* what may still be allocated */
    size_t fast;        /* internal memory beside it */
} host;

static void host_write(void *context, const void *bytes, size_t n) {
    host *h = context;
    for (const char *p = bytes; n && !stopped;) {
        const ssize_t sent = write(h->out, p, n);
        if (sent > 0)
            p += sent, n -= (size_t)sent;
        else if (sent < 0 && errno == EAGAIN) /* the other end does not read: wait for it, a board would drop */
            poll(&(struct pollfd){.fd = h->out, .events = POLLOUT}, 1, 100);
        else if (sent < 0 && errno != EINTR)
            return;
    }
}

static uint64_t host_microseconds(void *context) {
    (void)context;
    return ftv_platform_count().total / 1000;
}

static void *host_allocate(void *context, size_t bytes) {
    host *h = context;
    size_t *p = bytes <= h->memory ? aligned_alloc(16, ((bytes + 15) & ~(size_t)15) + 16) : NULL;
    if (!p) return NULL;
    h->memory -= bytes;
    *p = bytes;
    return p + 16 / sizeof *p;
}

static void host_release(void *context, void *memory) {
    host *h = context;
    size_t *p = (size_t *)memory - 16 / sizeof *p;
    h->memory += *p;
    free(p);
}

/* To a temporary file, then renamed: a reader sees whole pictures. */
static void host_show(void *context, const uint8_t *pixels) {
    const host *h = context;
    char temporary[1024];
    if (snprintf(temporary, sizeof temporary, "%s.tmp", h->screen) >= (int)sizeof temporary) return;
    FILE *f = fopen(temporary, "wb");
    bool ok = f && fprintf(f, "P6\n%d %d\n255\n", FTV_SCREEN, FTV_SCREEN) > 0;
    for (int i = 0; ok && i < FTV_SCREEN * FTV_SCREEN; i++) {
        const unsigned v = (unsigned)pixels[2 * i] << 8 | pixels[2 * i + 1], r = v >> 11, g = v >> 5 & 63, b = v & 31;
        const uint8_t rgb[3] = {(uint8_t)(r << 3 | r >> 2), (uint8_t)(g << 2 | g >> 4), (uint8_t)(b << 3 | b >> 2)};
        ok = fwrite(rgb, 1, 3, f) == 3;
    }
    if (f && fclose(f)) ok = false;
    if (!ok || rename(temporary, h->screen)) fprintf(stderr, "board-sim: cannot write %s\n", h->screen);
}

/* A raw pseudo-terminal; its own end stays open in *slave, so that clients may come and go. */
static int open_terminal(int *slave) {
    struct termios t;
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) return -1;
    const char *path = ptsname(master);
    if (!path || (*slave = open(path, O_RDWR | O_NOCTTY)) < 0 || tcgetattr(*slave, &t)) return -1;
    cfmakeraw(&t);
    if (tcsetattr(*slave, TCSANOW, &t) || fcntl(master, F_SETFL, O_NONBLOCK)) return -1;
    printf("%s\n", path);
    return fflush(stdout) ? -1 : master;
}

static int usage(const char *why) {
    fprintf(stderr,
            "board-sim: %s\n"
            "usage: board-sim [MODEL.gguf] [--image SCREEN.ppm] [--stdio] [--idle-seconds S] [--threads N] [--kernels "
            "NAME]\n"
            "                 [--attention f32|int8] [--memory BYTES] [--fast BYTES]\n"
            "  prints the path of a pseudo-terminal and answers on it as the board does (esp32s3/PROTOCOL.md), until "
            "SIGTERM\n"
            "  --image          keeps what the board's screen shows in this file\n"
            "  --stdio          standard input and output instead, until the input ends\n"
            "  --idle-seconds   ends after S seconds without a request\n"
            "  --memory         what the board has (8388608)\n"
            "  --fast           internal memory for the hot parts, beside it (0)\n",
            why);
    return 2;
}

typedef struct {
    const char *model;
    bool stdio;
    double idle; /* seconds; 0: for ever */
    ftv_options options;
} command;

/* NULL, or the word that is wrong */
static const char *read_command(command *c, host *h, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--stdio"))
            c->stdio = true;
        else if (ftv_argument_is("--image", argc, argv, &i))
            h->screen = argv[i];
        else if (ftv_argument_is("--idle-seconds", argc, argv, &i))
            c->idle = atof(argv[i]);
        else if (ftv_argument_is("--memory", argc, argv, &i))
            h->memory = (size_t)strtoull(argv[i], NULL, 10);
        else if (ftv_argument_is("--fast", argc, argv, &i))
            h->fast = (size_t)strtoull(argv[i], NULL, 10);
        else if (!ftv_argument(&c->options, argc, argv, &i)) {
            if (argv[i][0] == '-' || c->model) return argv[i];
            c->model = argv[i];
        }
    }
    return NULL;
}

/* Answers requests until the input ends, nobody asks any more, or a signal comes. */
static void serve(ftv_app *app, const host *h, double idle) {
    while (!stopped) {
        uint8_t buffer[4096];
        const int ready = poll(&(struct pollfd){.fd = h->in, .events = POLLIN}, 1, idle > 0 ? (int)(idle * 1000) : -1);
        if (!ready) break;
        const ssize_t n = ready > 0 ? read(h->in, buffer, sizeof buffer) : -1;
        if (n > 0)
            ftv_app_receive(app, buffer, (size_t)n);
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            break;
    }
}

int main(int argc, char **argv) {
    static ftv_app app;
    host h = {.in = 0, .out = 1, .memory = 8u << 20};
    ftv_board board = {.context = &h,
                       .name = "host",
                       .write = host_write,
                       .microseconds = host_microseconds,
                       .allocate = host_allocate,
                       .release = host_release};
    command c = {0};
    const char *wrong = read_command(&c, &h, argc, argv);
    if (wrong) return usage(wrong);
    if (h.screen) board.show = host_show;
    if (h.fast && (board.fast = malloc(h.fast))) board.fast_bytes = h.fast;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    size_t bytes = 0;
    const void *file = c.model ? ftv_platform_file(c.model, &bytes) : NULL;
    if (c.model && !file) return usage("cannot read the model file");
    ftv_arguments_pool(&c.options);
    if (file)
        ftv_app_start(&app, &board, file, bytes, &c.options);
    else
        ftv_app_start_without(&app, &board, "no model file was given", &c.options);
    if (file && !app.trouble && !ftv_app_self_test(&app))
        fprintf(stderr, "board-sim: self-test failed: %s\n", app.unsound);
    int slave = -1;
    if (!c.stdio && (h.in = h.out = open_terminal(&slave)) < 0) return usage("no pseudo-terminal can be opened");
    serve(&app, &h, c.idle);
    ftv_app_stop(&app);
    ftv_platform_pool_stop(c.options.parallel_context);
    if (slave >= 0) close(slave), close(h.in);
    free(board.fast);
    return 0;
}

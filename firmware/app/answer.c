/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send(ftv_app *a, ftv_frame_type type, const char *text, size_t n) {
    const ftv_frame f = {FTV_PROTOCOL_VERSION, (uint8_t)type, a->sequence, (const uint8_t *)text, n};
    a->board->write(a->board->context, a->wire, ftv_frame_encode(a->wire, sizeof a->wire, &f));
}

void ftv_say(ftv_app *a, const char *format, ...) {
    char *const text = a->record;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof a->record - 1, format, args);
    va_end(args);
    n = n < 0 ? 0 : n > (int)sizeof a->record - 2 ? (int)sizeof a->record - 2 : n;
    for (int i = 0; i < n; i++) /* names come from a file: one record stays one line */
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) text[i] = '?';
    text[n++] = '\n';
    if (a->framed)
        send(a, FTV_RECORDS, text, (size_t)n);
    else
        a->board->write(a->board->context, text, (size_t)n);
}

bool ftv_refuse(ftv_app *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(a->error, sizeof a->error - sizeof "error \n", format, args);
    va_end(args);
    return false;
}

void ftv_answer(ftv_app *a, bool ok) {
    if (a->framed)
        send(a, ok ? FTV_DONE : FTV_ERROR, a->error, ok ? 0 : strlen(a->error));
    else if (ok)
        a->board->write(a->board->context, "ok\n", 3);
    else
        ftv_say(a, "error %s", a->error);
}

bool ftv_have_model(ftv_app *a) { return a->trouble ? ftv_refuse(a, "model: %s", a->trouble) : true; }

bool ftv_parse(const char *word, int low, int high, int *value) {
    char *end;
    const long v = strtol(word, &end, 10);
    *value = (int)v;
    return end != word && !*end && v >= low && v <= high;
}

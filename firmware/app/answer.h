/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to a request: records, and the one that ends it. */
#ifndef FTV_ANSWER_H
#define FTV_ANSWER_H

#include "state.h"

/* One record "key value ...": formatted, ended by a newline, sent. */
void ftv_say(ftv_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps "code: words" as the answer to the request, and returns false. */
bool ftv_refuse(ftv_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the request: done, or the error that was kept. */
void ftv_answer(ftv_app *app, bool ok);

/* Whether there is a model; if not, the answer says why. */
bool ftv_have_model(ftv_app *app);

/* A word as a number from `low` to `high`. */
bool ftv_parse(const char *word, int low, int high, int *value);

#endif

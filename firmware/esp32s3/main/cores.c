/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "board.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

enum { STACK_BYTES = 8192 };

static struct {
    TaskHandle_t helper, caller;
    ftv_task task;
    void *arg;
    int count;
    atomic_int next, finished; /* in internal memory: atomics do not work in PSRAM */
} work;

static void run(int worker) {
    for (int i; (i = atomic_fetch_add(&work.next, 1)) < work.count;) work.task(work.arg, i, worker);
}

static void helper_main(void *arg) {
    (void)arg;
    for (;;) {
        ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
        run(1);
        atomic_store(&work.finished, 1);
        xTaskNotifyGive(work.caller);
    }
}

TaskHandle_t ftv_cores_helper(void) { return work.helper; }

bool ftv_cores_start(void) {
    work.caller = xTaskGetCurrentTaskHandle();
    return xTaskCreatePinnedToCore(helper_main, "ftervit", STACK_BYTES, NULL, uxTaskPriorityGet(NULL), &work.helper,
                                   1) == pdPASS;
}

void ftv_cores_run(void *context, int count, ftv_task task, void *arg) {
    (void)context;
    work.task = task;
    work.arg = arg;
    work.count = count;
    atomic_store(&work.next, 0);
    atomic_store(&work.finished, 0);
    xTaskNotifyGive(work.helper);
    run(0);
    while (!atomic_load(&work.finished)) ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
}

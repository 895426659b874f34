/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU TCG plugin: counts executed guest instructions, and those inside an address range, apart; and how often the
 * functions at `call` and at `division` are entered. Whenever the guest executes the address `mark`, the counts go into
 * the file `out`, where the guest reads them (ftv_platform_count in sim.c).
 *
 *   -plugin instructions.so,mark=ADDRESS,low=ADDRESS,high=ADDRESS,out=FILE[,call=ADDRESS ...][,division=ADDRESS ...]
 *
 * Debian ships no header for plugins: these are the prototypes of API version 1. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
enum { QEMU_PLUGIN_CB_NO_REGS = 0, QEMU_PLUGIN_INLINE_ADD_U64 = 0 };
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *counter, uint64_t amount);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *), int flags,
                                            void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;

static struct {
    uint64_t total, inside, calls, divisions;
} counts;
enum { MOST = 32 };
static uint64_t mark, low, high, calls[MOST], divisions[MOST];
static int out = -1;

static void on_mark(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    if (pwrite(out, &counts, sizeof counts, 0) != sizeof counts) abort();
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t n = qemu_plugin_tb_n_insns(tb);
    uint64_t at = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts.total, n);
    if (at >= low && at < high)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts.inside, n);
    for (int i = 0; i < MOST; i++) {
        if (at == calls[i]) qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts.calls, 1);
        if (at == divisions[i])
            qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts.divisions, 1);
    }
    if (at == mark)
        qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, 0), on_mark, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    int ncalls = 0, ndivisions = 0;
    for (int i = 0; i < argc; i++) {
        if (sscanf(argv[i], "mark=%" SCNx64, &mark) == 1 || sscanf(argv[i], "low=%" SCNx64, &low) == 1 ||
            sscanf(argv[i], "high=%" SCNx64, &high) == 1)
            continue;
        if (ncalls < MOST && sscanf(argv[i], "call=%" SCNx64, &calls[ncalls]) == 1) ncalls++;
        if (ndivisions < MOST && sscanf(argv[i], "division=%" SCNx64, &divisions[ndivisions]) == 1) ndivisions++;
        if (!strncmp(argv[i], "out=", 4)) out = open(argv[i] + 4, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    }
    if (out < 0 || !mark) return fprintf(stderr, "instructions.so: needs mark=, low=, high=, out=\n"), -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    return 0;
}

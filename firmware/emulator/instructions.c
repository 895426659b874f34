/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU TCG plugin: counts executed guest instructions, and those inside an address range, apart. Whenever the guest
 * executes the address `mark`, the counts go into the file `out`, where the guest reads them (ftv_platform_count);
 * between `pause` and `resume` nothing is counted.
 *
 *   -plugin instructions.so,mark=ADDRESS,out=FILE[,low=ADDRESS,high=ADDRESS][,pause=ADDRESS,resume=ADDRESS]
 *           [,division=N]
 *
 * With `division`, a RISC-V core stands in for one of the ESP32-S3: what both execute alike counts as one instruction;
 * a division or square root, for which the S3 calls a routine, as N; a conditional branch back to the beginning of a
 * loop as none, since the S3's loops cost nothing (its compiler makes them of innermost loops, where the branches are).
 *
 * Debian ships no header for plugins: these are the prototypes of API version 1. */
#include <fcntl.h>
#include <inttypes.h>
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
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;

static struct { uint64_t total, inside; } counts, paused;
static uint64_t mark, low, high, pause_at, resume_at, division;
static int out = -1;

static void on_mark(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    if (pwrite(out, &counts, sizeof counts, 0) != sizeof counts) abort();
}
static void on_pause(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    paused = counts;
}
static void on_resume(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    counts = paused;
}

/* What an instruction of RISC-V (none is compressed) costs on the S3. */
static uint64_t cost(const struct qemu_plugin_insn *insn) {
    enum { BRANCH = 0x63, FLOAT = 0x53, DIVIDE = 0x0c, ROOT = 0x2c };
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
    if ((word & 0x7f) == BRANCH && word >> 31) return 0; /* the sign of its distance */
    return (word & 0x7f) == FLOAT && (word >> 25 == DIVIDE || word >> 25 == ROOT) ? division : 1;
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const size_t n = qemu_plugin_tb_n_insns(tb);
    struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    const uint64_t at = qemu_plugin_insn_vaddr(first);
    uint64_t all = division ? 0 : n;
    for (size_t i = 0; i < n && division; i++) all += cost(qemu_plugin_tb_get_insn(tb, i));
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts.total, all);
    if (at >= low && at < high)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts.inside, all);
    const uint64_t places[] = {mark, pause_at, resume_at};
    void (*const calls[])(unsigned, void *) = {on_mark, on_pause, on_resume};
    for (int i = 0; i < 3; i++)
        if (at == places[i]) qemu_plugin_register_vcpu_insn_exec_cb(first, calls[i], QEMU_PLUGIN_CB_NO_REGS, NULL);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    const struct {
        const char *form;
        uint64_t *value;
    } numbers[] = {{"mark=%" SCNx64, &mark},      {"low=%" SCNx64, &low},          {"high=%" SCNx64, &high},
                   {"pause=%" SCNx64, &pause_at}, {"resume=%" SCNx64, &resume_at}, {"division=%" SCNu64, &division}};
    for (int i = 0; i < argc; i++) {
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            sscanf(argv[i], numbers[k].form, numbers[k].value);
        if (!strncmp(argv[i], "out=", 4)) out = open(argv[i] + 4, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    }
    if (out < 0 || !mark) return fprintf(stderr, "instructions.so: needs mark= and out=\n"), -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    return 0;
}

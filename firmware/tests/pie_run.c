/* SPDX-License-Identifier: Apache-2.0 */
/* An interpreter for the assembly of the ESP32-S3's vector kernels.
 *
 * There is no assembler for these instructions here, and a second version of the kernels in C would drift from the
 * first one. So the test executes the very text that ESP-IDF assembles (after the C preprocessor), one statement at a
 * time: every vector instruction through its model in pie_model.h, the integer and floating-point ones here. It stops
 * with the line at fault on
 *   - a mnemonic, an operand or an immediate that the instruction does not have,
 *   - an address outside the memory given (a vector load may touch any aligned block that holds a byte of it, as
 * nothing less can fault; the other bytes read as rubbish), a write to what is only read, a misaligned vector or word
 * address,
 *   - a register read before anything was written to it, a0 or a1 changed at the return, a frame overrun,
 *   - a result used before it is ready (distances of the manual's table 1.7-2; an accumulator two instructions after
 * the last product; a loaded or RUR word one; for the FPU no numbers are published: three),
 *   - an accumulator that saturates.
 * And it counts what it executed, by part. */
#include "pie_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bits.h"
#include "check.h"
#include "pie_model.h"

/* ---- the instructions ---- */

enum { A = 0, F = 16, Q = 32, QACC = 40, ACCX, SAR, SAR_BYTE, REGISTERS }; /* numbers of registers */
enum { OPERANDS = 6, IMPLICIT = 4 };

typedef struct {
    char kind;     /* a, f, q: a register; i: an immediate; L: a label; 0: none */
    char use, def; /* pipeline stages at which it is read and ready; 0: not */
    int low, high, step;
} operand_spec;
typedef struct {
    const char *name;
    operand_spec operand[OPERANDS];
    char qacc_use, qacc_def, accx_use, accx_def, sar_use, sar_def, sar_byte_use, sar_byte_def;
} spec;

enum { FPU = 3 };
#define USE(k) {k, 1, 0, 0, 0, 0}
#define DEF(k, stage) {k, 0, stage, 0, 0, 0}
#define MOVES {'a', 1, 1, 0, 0, 0} /* an address register that the access moves on */
#define BOTH {'q', 1, 1, 0, 0, 0}
#define IMM(low, high, step) {'i', 0, 0, low, high, step}
#define LABEL {'L', 0, 0, 0, 0, 0}
#define NONE {0, 0, 0, 0, 0, 0}

/* clang-format off */
#define INSTRUCTIONS(X)                                                                                                \
    X(ZERO_QACC, "ee.zero.qacc", (NONE), .qacc_def = 1)                                                                \
    X(ZERO_Q, "ee.zero.q", (DEF('q', 1)))                                                                              \
    X(VLD, "ee.vld.128.ip", (DEF('q', 2), MOVES, IMM(-512, 496, 16)))                                                  \
    X(VST, "ee.vst.128.ip", (USE('q'), MOVES, IMM(-2048, 2032, 16)))                                                   \
    X(VLDBC_8, "ee.vldbc.8", (DEF('q', 2), USE('a')))                                                                  \
    X(LD_USAR, "ee.ld.128.usar.ip", (DEF('q', 2), MOVES, IMM(-512, 496, 16)), .sar_byte_def = 1)                       \
    X(SRC_Q, "ee.src.q", (DEF('q', 1), USE('q'), USE('q')), .sar_byte_use = 1)                                         \
    X(MV_QR, "mv.qr", (DEF('q', 1), USE('q')))                                                                         \
    X(MOVI_32_Q, "ee.movi.32.q", (DEF('q', 1), USE('a'), IMM(0, 3, 1)))                                                \
    X(VUNZIP_8, "ee.vunzip.8", (BOTH, BOTH))                                                                           \
    X(ANDQ, "ee.andq", (DEF('q', 1), USE('q'), USE('q')))                                                              \
    X(VSR_32, "ee.vsr.32", (DEF('q', 1), USE('q')), .sar_use = 1)                                                      \
    X(VSUBS_ST, "ee.vsubs.s8.st.incp", (USE('q'), MOVES, DEF('q', 1), USE('q'), USE('q')))                             \
    X(VSMULAS, "ee.vsmulas.s8.qacc", (USE('q'), USE('q'), IMM(0, 15, 1)), .qacc_use = 2, .qacc_def = 2)                \
    X(VSMULAS_LD, "ee.vsmulas.s8.qacc.ld.incp", (DEF('q', 2), MOVES, USE('q'), USE('q'), IMM(0, 15, 1)),               \
      .qacc_use = 2,                                                                                                   \
      .qacc_def = 2)                                                                                                   \
    X(ST_QACC_L_L, "ee.st.qacc_l.l.128.ip", (MOVES, IMM(-2048, 2032, 16)), .qacc_use = 1)                              \
    X(ST_QACC_L_H, "ee.st.qacc_l.h.32.ip", (MOVES, IMM(-512, 508, 4)), .qacc_use = 1)                                  \
    X(ST_QACC_H_L, "ee.st.qacc_h.l.128.ip", (MOVES, IMM(-2048, 2032, 16)), .qacc_use = 1)                              \
    X(ST_QACC_H_H, "ee.st.qacc_h.h.32.ip", (MOVES, IMM(-512, 508, 4)), .qacc_use = 1)                                  \
    X(SRCMB, "ee.srcmb.s16.qacc", (DEF('q', 1), USE('a'), IMM(0, 0, 1)), .qacc_use = 1, .qacc_def = 1)                 \
    X(RUR_L_0, "rur.qacc_l_0", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_L_1, "rur.qacc_l_1", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_L_2, "rur.qacc_l_2", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_L_3, "rur.qacc_l_3", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_L_4, "rur.qacc_l_4", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_H_0, "rur.qacc_h_0", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_H_1, "rur.qacc_h_1", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_H_2, "rur.qacc_h_2", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_H_3, "rur.qacc_h_3", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(RUR_H_4, "rur.qacc_h_4", (DEF('a', 2)), .qacc_use = 1)                                                           \
    X(ZERO_ACCX, "ee.zero.accx", (NONE), .accx_def = 1)                                                                \
    X(VST_XP, "ee.vst.128.xp", (USE('q'), MOVES, USE('a')))                                                            \
    X(VZIP_8, "ee.vzip.8", (BOTH, BOTH))                                                                               \
    X(VCMP_LT, "ee.vcmp.lt.s8", (DEF('q', 1), USE('q'), USE('q')))                                                     \
    X(DOT, "ee.vmulas.s8.accx", (USE('q'), USE('q')), .accx_use = 2, .accx_def = 2)                                    \
    X(DOT_IP, "ee.vmulas.s8.accx.ld.ip", (DEF('q', 2), MOVES, IMM(-512, 496, 16), USE('q'), USE('q')), .accx_use = 2,  \
      .accx_def = 2)                                                                                                   \
    X(DOT_XP, "ee.vmulas.s8.accx.ld.xp", (DEF('q', 2), MOVES, USE('a'), USE('q'), USE('q')),                           \
      .accx_use = 2, .accx_def = 2)                                                                                    \
    X(VSMULAS_16, "ee.vsmulas.s16.qacc", (USE('q'), USE('q'), IMM(0, 7, 1)), .qacc_use = 2, .qacc_def = 2)             \
    X(VSMULAS_16_LD, "ee.vsmulas.s16.qacc.ld.incp", (DEF('q', 2), MOVES, USE('q'), USE('q'), IMM(0, 7, 1)),            \
      .qacc_use = 2,                                                                                                   \
      .qacc_def = 2)                                                                                                   \
    X(RUR_ACCX, "rur.accx_0", (DEF('a', 2)), .accx_use = 1)                                                            \
    X(LDF, "ee.ldf.128.ip", (DEF('f', 2), DEF('f', 2), DEF('f', 2), DEF('f', 2), MOVES, IMM(-128, 112, 16)))           \
    X(STF, "ee.stf.128.ip", (USE('f'), USE('f'), USE('f'), USE('f'), MOVES, IMM(-128, 112, 16)))                       \
    X(LSI, "lsi", (DEF('f', 2), USE('a'), IMM(0, 1020, 4)))                                                            \
    X(FLOAT, "float.s", (DEF('f', FPU), USE('a'), IMM(0, 15, 1)))                                                      \
    X(MUL, "mul.s", (DEF('f', FPU), USE('f'), USE('f')))                                                               \
    X(ADD_S, "add.s", (DEF('f', FPU), USE('f'), USE('f')))                                                             \
    X(ENTRY, "entry", (MOVES, IMM(32, 32760, 8)))                                                                      \
    X(RETW, "retw", (NONE))                                                                                            \
    X(LOOPNEZ, "loopnez", (USE('a'), LABEL))                                                                           \
    X(BNEZ, "bnez", (USE('a'), LABEL))                                                                                 \
    X(NOP, "nop", (NONE))                                                                                              \
    X(MOV, "mov", (DEF('a', 1), USE('a')))                                                                             \
    X(MOVI, "movi", (DEF('a', 1), IMM(-2048, 2047, 1)))                                                                \
    X(ADDI, "addi", (DEF('a', 1), USE('a'), IMM(-128, 127, 1)))                                                        \
    X(ADD, "add", (DEF('a', 1), USE('a'), USE('a')))                                                                   \
    X(SLLI, "slli", (DEF('a', 1), USE('a'), IMM(1, 31, 1)))                                                            \
    X(SRAI, "srai", (DEF('a', 1), USE('a'), IMM(0, 31, 1)))                                                            \
    X(SRC, "src", (DEF('a', 1), USE('a'), USE('a')), .sar_use = 1)                                                     \
    X(SSAI, "ssai", (IMM(0, 31, 1)), .sar_def = 1)                                                                     \
    X(L32I, "l32i", (DEF('a', 2), USE('a'), IMM(0, 1020, 4)))                                                          \
    X(L16SI, "l16si", (DEF('a', 2), USE('a'), IMM(0, 510, 2)))                                                         \
    X(S32I, "s32i", (USE('a'), USE('a'), IMM(0, 1020, 4)))                                                             \
    X(S8I, "s8i", (USE('a'), USE('a'), IMM(0, 255, 1)))
/* clang-format on */

#define NUMBER(code, ...) code,
typedef enum { INSTRUCTIONS(NUMBER) CODES } code;
#define LIST(...) {__VA_ARGS__}
#define ROW(code, mnemonic, operands, ...) {.name = mnemonic, .operand = LIST operands, __VA_ARGS__},
static const spec specs[CODES] = {INSTRUCTIONS(ROW)};

/* ---- the program ---- */

typedef struct {
    int reg, stage;
} access;
typedef struct {
    code op;
    int operand[OPERANDS]; /* numbers of registers (q0 is 0 here), immediates, numbers of statements */
    access reads[OPERANDS + IMPLICIT], writes[OPERANDS + IMPLICIT];
    int reads_n, writes_n, line;
    pie_part part;
} statement;

enum { MOST = 4096, NAMES = 64, LENGTH = 64 };
static statement program[MOST];
static char wanted[MOST][LENGTH]; /* the label that a statement jumps to */
static int statements, labels;
static struct {
    char name[LENGTH];
    int at;
} label[NAMES];

const char *const pie_part_names[PIE_PARTS] = {"unpack", "multiply", "drain", "dequantise", "call", "align", "attend"};
uint64_t pie_count[PIE_PARTS];
char pie_error[300];

static _Noreturn void refuse(const char *path, int line, const char *what, const char *text) {
    fprintf(stderr, "%s:%d: %s: %s\n", path, line, what, text);
    exit(2);
}

static int find_label(const char *name) {
    for (int i = 0; i < labels; i++)
        if (strcmp(label[i].name, name) == 0) return label[i].at;
    return -1;
}

static void note(access *list, int *n, int reg, int stage) {
    if (stage) list[(*n)++] = (access){reg, stage};
}

static int operand_of(const char *path, int line, const operand_spec *o, const char *text, statement *s) {
    char *end;
    const long v = strtol(text + (o->kind != 'i'), &end, 10);
    if (o->kind == 'L') return snprintf(wanted[statements], LENGTH, "%s", text), 0;
    if (*end || end == text + (o->kind != 'i') || (o->kind != 'i' && *text != o->kind))
        refuse(path, line, "not such an operand", text);
    if (o->kind == 'i') {
        if (v < o->low || v > o->high || v % o->step) refuse(path, line, "immediate out of range", text);
        return (int)v;
    }
    if (v < 0 || v >= (o->kind == 'q' ? 8 : 16)) refuse(path, line, "no such register", text);
    const int reg = (o->kind == 'a' ? A : o->kind == 'f' ? F : Q) + (int)v;
    note(s->reads, &s->reads_n, reg, o->use);
    note(s->writes, &s->writes_n, reg, o->def);
    return (int)v;
}

static void parse(const char *path, int line, char *text, pie_part *part) {
    for (char *colon; (colon = strchr(text, ':')); text = colon + 1) {
        *colon = 0;
        text += strspn(text, " \t");
        if (labels == NAMES || strlen(text) >= LENGTH || find_label(text) >= 0) refuse(path, line, "label", text);
        strcpy(label[labels].name, text);
        label[labels++].at = statements;
        for (int i = 0; i < PIE_PARTS; i++)
            if (strncmp(text, ".L", 2) == 0 && strncmp(text + 2, pie_part_names[i], strlen(pie_part_names[i])) == 0)
                *part = (pie_part)i;
    }
    text += strspn(text, " \t");
    char *rest = text + strcspn(text, " \t");
    if (*rest) *rest++ = 0;
    if (!*text || *text == '.') return; /* nothing, or a directive */
    statement *s = &program[statements];
    *s = (statement){.line = line, .part = *part};
    while (s->op < CODES && strcmp(specs[s->op].name, text) != 0) s->op++;
    if (s->op == CODES || statements == MOST) refuse(path, line, "no model of this instruction", text);
    const spec *p = &specs[s->op];
    int n = 0;
    for (char *word = strtok(rest, ","); word; word = strtok(NULL, ",")) {
        word += strspn(word, " \t");
        word[strcspn(word, " \t")] = 0;
        if (n == OPERANDS || !p->operand[n].kind) refuse(path, line, "too many operands", text);
        s->operand[n] = operand_of(path, line, &p->operand[n], word, s);
        n++;
    }
    if (n < OPERANDS && p->operand[n].kind) refuse(path, line, "too few operands", text);
    note(s->reads, &s->reads_n, QACC, p->qacc_use), note(s->writes, &s->writes_n, QACC, p->qacc_def);
    note(s->reads, &s->reads_n, ACCX, p->accx_use), note(s->writes, &s->writes_n, ACCX, p->accx_def);
    note(s->reads, &s->reads_n, SAR, p->sar_use), note(s->writes, &s->writes_n, SAR, p->sar_def);
    note(s->reads, &s->reads_n, SAR_BYTE, p->sar_byte_use), note(s->writes, &s->writes_n, SAR_BYTE, p->sar_byte_def);
    statements++;
}

void pie_load(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) refuse(path, 0, "cannot be read", "build it with make");
    static char text[1 << 16];
    pie_part part = PIE_CALL;
    for (int line = 1; fgets(text, sizeof text, f); line++) {
        text[strcspn(text, "\n")] = 0;
        char *next = text;
        while (next) { /* strtok is in use below */
            char *one = next, *semicolon = strchr(next, ';');
            next = semicolon ? semicolon + 1 : NULL;
            if (semicolon) *semicolon = 0;
            parse(path, line, one, &part);
        }
    }
    fclose(f);
    for (int i = 0; i < statements; i++)
        if (*wanted[i]) {
            const int at = find_label(wanted[i]);
            if (at < 0) refuse(path, program[i].line, "no such label", wanted[i]);
            program[i].operand[1] = at;
        }
}

/* ---- memory ---- */

enum { SIZE = 32 << 20, GUARD = 512, BASE = 0x3fc80000, FRAMES = 1024, READ = 1, WRITE = 2 };
static _Alignas(64) uint8_t memory[SIZE];
static uint8_t rights[SIZE]; /* of each byte */
static size_t used = FRAMES;

void *pie_memory(size_t bytes, size_t shift, bool writable) {
    const size_t at = (used + GUARD + 63) / 64 * 64 + shift;
    if (at + bytes + GUARD > SIZE) fprintf(stderr, "pie_run: out of memory\n"), exit(2);
    memset(memory + used, 0xa5, at - used);
    memset(memory + at, 0, bytes);
    memset(rights + at, writable ? READ | WRITE : READ, bytes);
    used = at + bytes;
    memset(memory + used, 0xa5, GUARD);
    return memory + at;
}

bool pie_forget(void) {
    bool whole = true;
    for (size_t i = FRAMES; i < used + GUARD; i++) whole = whole && (rights[i] || i < FRAMES || memory[i] == 0xa5);
    memset(rights, 0, used);
    used = FRAMES;
    return whole;
}

uint32_t pie_address(const void *p) { return p ? (uint32_t)((const uint8_t *)p - memory) + BASE : 0; }

/* ---- execution ---- */

static struct {
    pie_state vector;
    uint32_t a[16];
    float f[16];
    int64_t time, written[REGISTERS];
    int ready[REGISTERS]; /* the stage at which it was written; 0: never */
    bool product[2];      /* the last to write QACC, ACCX was one */
    const statement *s;
} cpu;
static uint64_t seed = 99;

static bool fail(const char *what, long v) {
    if (!*pie_error)
        snprintf(pie_error, sizeof pie_error, "line %d, %s: %s (%ld)", cpu.s->line, specs[cpu.s->op].name, what, v);
    return false;
}

/* The byte of memory at an address, after checking `bytes` there; NULL is a failure. */
static uint8_t *at(uint32_t address, uint32_t bytes, uint32_t align, uint8_t right) {
    const uint32_t i = address - BASE;
    if (address % align) return fail("misaligned address", (long)address), NULL;
    bool some = false, all = i < SIZE && i + bytes <= SIZE;
    for (uint32_t b = 0; b < bytes && i < SIZE; b++) {
        some = some || rights[i + b];
        all = all && (rights[i + b] & right);
    }
    if (right == READ && bytes == 16 ? !some : !all)
        return fail("address outside the memory given", (long)address), NULL;
    return memory + i;
}

static bool load(void *to, uint32_t address, uint32_t bytes, uint32_t align) {
    const uint8_t *p = at(address, bytes, align, READ);
    if (!p) return false;
    memcpy(to, p, bytes);
    if (bytes == 16)
        for (int b = 0; b < 16; b++)
            if (!rights[p + b - memory]) ((uint8_t *)to)[b] = (uint8_t)check_random(&seed);
    return true;
}

static bool store(uint32_t address, const void *from, uint32_t bytes, uint32_t align) {
    uint8_t *p = at(address, bytes, align, WRITE);
    if (p) memcpy(p, from, bytes);
    return p;
}

/* Registers that are read must have been written, and be ready. */
static bool ready(void) {
    for (int i = 0; i < cpu.s->reads_n; i++) {
        const access r = cpu.s->reads[i];
        if (!cpu.ready[r.reg]) return fail("reads a register that nothing was written to", r.reg);
        int distance = cpu.ready[r.reg] - r.stage + 1;
        if ((r.reg == QACC || r.reg == ACCX) && r.stage == 1 && cpu.product[r.reg - QACC]) distance = 3;
        if (cpu.time - cpu.written[r.reg] < distance) return fail("reads a result too early", r.reg);
    }
    for (int i = 0; i < cpu.s->writes_n; i++) {
        const access w = cpu.s->writes[i];
        cpu.ready[w.reg] = w.stage, cpu.written[w.reg] = cpu.time;
        if (w.reg == QACC || w.reg == ACCX) cpu.product[w.reg - QACC] = w.stage == 2;
    }
    return true;
}

static uint32_t frame;
int pie_omitted = -1;
int pie_statements(void) { return statements; }
const char *pie_statement(int number) { return specs[program[number].op].name; }

/* Vector registers; false after an error, *known false: another statement */
static bool step_vector(bool *known) {
    pie_state *v = &cpu.vector;
    const int *o = cpu.s->operand;
    uint32_t *a = cpu.a;
    uint8_t byte;
    switch (cpu.s->op) {
        case ZERO_QACC: return pie_zero_qacc(v), true;
        case ZERO_Q: return memset(&v->q[o[0]], 0, 16), true;
        case VLD:
            if (!load(&v->q[o[0]], a[o[1]], 16, 16)) return false;
            return a[o[1]] += (uint32_t)o[2], true;
        case VST:
            if (!store(a[o[1]], &v->q[o[0]], 16, 16)) return false;
            return a[o[1]] += (uint32_t)o[2], true;
        case VLDBC_8:
            if (!load(&byte, a[o[1]], 1, 1)) return false;
            return pie_broadcast_8(v, o[0], byte), true;
        case LD_USAR:
            v->sar_byte = a[o[1]] & 15;
            if (!load(&v->q[o[0]], a[o[1]] & ~15u, 16, 16)) return false;
            return a[o[1]] += (uint32_t)o[2], true;
        case SRC_Q: return pie_src_q(v, o[0], o[1], o[2]), true;
        case MV_QR: return v->q[o[0]] = v->q[o[1]], true;
        case MOVI_32_Q: return pie_movi_32_q(v, o[0], a[o[1]], o[2]), true;
        case VUNZIP_8: return pie_vunzip_8(v, o[0], o[1]), true;
        case ANDQ: return pie_andq(v, o[0], o[1], o[2]), true;
        case VSR_32: return pie_vsr_32(v, o[0], o[1]), true;
        case VSUBS_ST:
            if (!store(a[o[1]], &v->q[o[0]], 16, 16)) return false;
            a[o[1]] += 16;
            return pie_vsubs_s8(v, o[2], o[3], o[4]), true;
        default: return *known = false;
    }
}

/* The accumulators ACCX and QACC */
static bool step_accumulators(bool *known) {
    pie_state *v = &cpu.vector;
    const int *o = cpu.s->operand;
    uint32_t *a = cpu.a;
    switch (cpu.s->op) {
        case ZERO_ACCX: return v->accx = 0, true;
        case VST_XP:
            if (!store(a[o[1]], &v->q[o[0]], 16, 16)) return false;
            return a[o[1]] += a[o[2]], true;
        case VZIP_8: return pie_vzip_8(v, o[0], o[1]), true;
        case VCMP_LT: return pie_vcmp_lt_s8(v, o[0], o[1], o[2]), true;
        case DOT: return pie_vmulas_s8_accx(v, o[0], o[1]), true;
        case DOT_IP:
        case DOT_XP:
            pie_vmulas_s8_accx(v, o[3], o[4]);
            if (!load(&v->q[o[0]], a[o[1]], 16, 16)) return false;
            return a[o[1]] += cpu.s->op == DOT_IP ? (uint32_t)o[2] : a[o[2]], true;
        case VSMULAS_16: return pie_vsmulas_s16_qacc(v, o[0], o[1], o[2]), true;
        case VSMULAS_16_LD:
            pie_vsmulas_s16_qacc(v, o[2], o[3], o[4]);
            if (!load(&v->q[o[0]], a[o[1]], 16, 16)) return false;
            return a[o[1]] += 16, true;
        case RUR_ACCX: return a[o[0]] = (uint32_t)v->accx, true;
        case VSMULAS:
            pie_vsmulas_s8_qacc(v, o[0], o[1], o[2]);
            return !v->saturated || fail("an accumulator saturates", 0);
        case VSMULAS_LD:
            pie_vsmulas_s8_qacc(v, o[2], o[3], o[4]);
            if (v->saturated) return fail("an accumulator saturates", 0);
            if (!load(&v->q[o[0]], a[o[1]], 16, 16)) return false;
            return a[o[1]] += 16, true;
        default: return *known = false;
    }
}

/* The accumulator QACC into memory and registers */
static bool step_read(bool *known) {
    pie_state *v = &cpu.vector;
    const int *o = cpu.s->operand;
    uint32_t *a = cpu.a;
    uint8_t bytes[20];
    switch (cpu.s->op) {
        case ST_QACC_L_L:
        case ST_QACC_H_L:
            pie_qacc_bytes(v, cpu.s->op == ST_QACC_H_L, bytes);
            if (!store(a[o[0]], bytes, 16, 16)) return false;
            return a[o[0]] += (uint32_t)o[1], true;
        case ST_QACC_L_H:
        case ST_QACC_H_H:
            pie_qacc_bytes(v, cpu.s->op == ST_QACC_H_H, bytes);
            if (!store(a[o[0]], bytes + 16, 4, 4)) return false;
            return a[o[0]] += (uint32_t)o[1], true;
        case SRCMB: pie_srcmb_s16_qacc(v, o[0], a[o[1]]); return !v->saturated || fail("a sum exceeds 16 bits", 0);
        case RUR_L_0:
        case RUR_L_1:
        case RUR_L_2:
        case RUR_L_3:
        case RUR_L_4: pie_qacc_bytes(v, 0, bytes); return memcpy(&a[o[0]], bytes + 4 * (cpu.s->op - RUR_L_0), 4), true;
        case RUR_H_0:
        case RUR_H_1:
        case RUR_H_2:
        case RUR_H_3:
        case RUR_H_4: pie_qacc_bytes(v, 1, bytes); return memcpy(&a[o[0]], bytes + 4 * (cpu.s->op - RUR_H_0), 4), true;
        default: return *known = false;
    }
}

/* Floating point */
static bool step_float(bool *known) {
    const int *o = cpu.s->operand;
    uint32_t *a = cpu.a;
    float *f = cpu.f;
    uint8_t bytes[20];
    switch (cpu.s->op) {
        case LDF:
            if (!load(bytes, a[o[4]], 16, 16)) return false;
            for (int i = 0; i < 4; i++) memcpy(&f[o[3 - i]], bytes + 4 * i, 4);
            return a[o[4]] += (uint32_t)o[5], true;
        case STF:
            for (int i = 0; i < 4; i++) memcpy(bytes + 4 * i, &f[o[3 - i]], 4);
            if (!store(a[o[4]], bytes, 16, 16)) return false;
            return a[o[4]] += (uint32_t)o[5], true;
        case LSI: return load(&f[o[0]], a[o[1]] + (uint32_t)o[2], 4, 4);
        case FLOAT: return f[o[0]] = ldexpf((float)(int32_t)a[o[1]], -o[2]), true;
        case MUL: return f[o[0]] = f[o[1]] * f[o[2]], true;
        case ADD_S: return f[o[0]] = f[o[1]] + f[o[2]], true;
        default: return *known = false;
    }
}

/* The core: moves, sums, loads and stores */
static bool step_core(bool *known) {
    pie_state *v = &cpu.vector;
    const int *o = cpu.s->operand;
    uint32_t *a = cpu.a;
    int32_t word;
    int16_t half;
    switch (cpu.s->op) {
        case NOP: return true;
        case MOV: return a[o[0]] = a[o[1]], true;
        case MOVI: return a[o[0]] = (uint32_t)o[1], true;
        case ADDI: return a[o[0]] = a[o[1]] + (uint32_t)o[2], true;
        case ADD: return a[o[0]] = a[o[1]] + a[o[2]], true;
        case SLLI: return a[o[0]] = a[o[1]] << o[2], true;
        case SRAI: return a[o[0]] = (uint32_t)((int32_t)a[o[1]] >> o[2]), true;
        case SRC: return a[o[0]] = (uint32_t)(((uint64_t)a[o[1]] << 32 | a[o[2]]) >> v->sar), true;
        case SSAI: return v->sar = (uint32_t)o[0], true;
        case L32I:
            if (!load(&word, a[o[1]] + (uint32_t)o[2], 4, 1)) return false;
            return a[o[0]] = (uint32_t)word, true;
        case L16SI:
            if (!load(&half, a[o[1]] + (uint32_t)o[2], 2, 1)) return false;
            return a[o[0]] = (uint32_t)(int32_t)half, true;
        case S32I: return store(a[o[1]] + (uint32_t)o[2], &a[o[0]], 4, 4);
        case S8I: return store(a[o[1]] + (uint32_t)o[2], &a[o[0]], 1, 1);
        default: return *known = false;
    }
}

/* One statement: false after an error. `next` is the one to follow. */
static bool step(int *next, int *loop_begin, int *loop_end, uint32_t *loop_count) {
    static bool (*const groups[])(bool *) = {step_vector, step_accumulators, step_read, step_float, step_core};
    const int *o = cpu.s->operand;
    uint32_t *a = cpu.a;
    switch (cpu.s->op) {
        case ENTRY:
            if (o[0] != 1) return fail("the frame is a1's", o[0]);
            frame = (uint32_t)o[1];
            a[1] -= frame; /* its upper 32 bytes belong to the windows' saved registers */
            memset(rights + (a[1] - BASE), READ | WRITE, frame - 32);
            return true;
        case RETW: return true;
        case LOOPNEZ:
            *loop_begin = *next, *loop_end = o[1], *loop_count = a[o[0]] - 1;
            if (!a[o[0]]) *next = o[1];
            return true;
        case BNEZ:
            if (a[o[0]]) *next = o[1];
            return true;
        default: break;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        bool known = true;
        const bool ok = groups[i](&known);
        if (known) return ok;
    }
    return fail("no model", 0);
}

bool pie_call(const char *name, int words, const uint32_t *word) {
    *pie_error = 0;
    int next = find_label(name);
    if (next < 0 || program[next].op != ENTRY)
        return snprintf(pie_error, sizeof pie_error, "no function %s", name), false;
    for (size_t i = 0; i < sizeof cpu; i++)
        ((uint8_t *)&cpu)[i] = (uint8_t)check_random(&seed); /* whatever was there */
    memset(cpu.ready, 0, sizeof cpu.ready), memset(cpu.written, 0, sizeof cpu.written);
    for (int i = 0; i < 16; i++) cpu.vector.qacc[i] = pie_signed((uint32_t)cpu.vector.qacc[i] & 0xfffff, 20);
    cpu.vector.saturated = cpu.product[0] = cpu.product[1] = false;
    cpu.vector.accx %= (int64_t)1 << 39;
    cpu.vector.sar &= 31;
    cpu.time = 100;
    const uint32_t a0 = cpu.a[0], a1 = cpu.a[1] = BASE + FRAMES;
    cpu.ready[0] = cpu.ready[1] = 1;
    for (int i = 0; i < words; i++) cpu.a[2 + i] = word[i], cpu.ready[2 + i] = 1;
    int loop_begin = -1, loop_end = -1;
    uint32_t loop_count = 0;
    for (bool more = true; more; cpu.time++) {
        if (next >= statements || cpu.time > 1 << 26) return fail("runs away", next);
        const int now = next++;
        cpu.s = &program[now];
        if (now == pie_omitted) continue;
        pie_count[cpu.s->part]++;
        if (!ready() || !step(&next, &loop_begin, &loop_end, &loop_count)) return false;
        more = cpu.s->op != RETW;
        if (now + 1 == loop_end && next == loop_end && loop_count) next = loop_begin, loop_count--;
    }
    memset(rights, 0, FRAMES);
    if (cpu.a[0] != a0) return fail("a0 was changed", 0);
    if (cpu.a[1] + frame != a1) return fail("a1 was changed", 0);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main on QEMU's Xtensa "sim" board with the lx106 core: that board jumps to 0x50000000, whatever
 * the ELF says. */
    .section .reset, "ax"
    .global _reset
    .align  4
_reset:
    j       1f
    .align  4
    .literal_position
1:  movi    a0, _entry
    jx      a0

/* Exceptions end the program with a report (sim.c): each vector is one jump, at its offset from VECBASE. */
    .section .vectors, "ax"
    .align  256
    .global _vectors
_vectors:
    .org    _vectors + 0x10     /* debug */
    j       _fault
    .org    _vectors + 0x20     /* non-maskable interrupt */
    j       _fault
    .org    _vectors + 0x30     /* kernel exception */
    j       _fault
    .org    _vectors + 0x50     /* user exception */
    j       _fault
    .org    _vectors + 0x70     /* double exception */
    j       _fault

    .section .text._entry, "ax"
    .literal_position
    .global _entry
    .align  4
_entry:
    movi    a1, __stack
    movi    a2, _vectors
    wsr     a2, vecbase
    rsync
    movi    a2, 0x20            /* PS: user mode, exceptions taken, interrupts on */
    wsr     a2, ps
    rsync
    movi    a2, __bss_start
    movi    a3, __bss_end
    movi    a4, 0
1:  bgeu    a2, a3, 2f
    s32i    a4, a2, 0
    addi    a2, a2, 4
    j       1b
2:  call0   sim_main            /* does not return */

    .global _fault
    .align  4
_fault:
    movi    a1, __stack
    rsr     a2, exccause
    rsr     a3, epc1
    rsr     a4, excvaddr
    call0   sim_fault

/* The counting plugin writes its counts whenever this address is executed. */
    .section .text.sim_mark, "ax"
    .global sim_mark
    .align  4
sim_mark:
    ret

# The 64-bit part: one jump, into the kernel's half of the address space.

.section .text64, "ax"
.code64

# startup_64: a 32-bit jump could not reach the kernel; this one can.
#   Jumps here:  tr_enter_64 in startup_32
#   Mode:        64-bit mode, CS = __KERNEL_CS, DS ES FS GS SS = __KERNEL_DS
#   Stack:       the real-mode stack, reached through the identity map of trampoline_pgd
#   Paging:      on, CR3 = trampoline_pgd       Interrupts: off, the IDT is empty
#   Leaves by:   tr_jump_kernel, to secondary_startup_64, still on trampoline_pgd
.balign 4
.globl startup_64
startup_64:
tr_jump_kernel:
    jmp qword ptr [rip + tr_start]  # slot 511 is shared: the kernel is mapped

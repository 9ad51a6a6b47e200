# The boot processor's way to page tables of five levels, as far as it is the kernel's. The rest is the blob's
# (trampoline_start64), and then secondary_startup_64, as for an AP.

.section .text, "ax"
.code64

# la57_switch: leaves for the real-mode blob.
#   Called from: la57::switch_to, RDI = physical address of tables of four levels that have the kernel where the loader mapped
#                it and the blob at linear = physical; RSI = physical address of trampoline_start64
#   Mode:        64-bit mode on the kernel's GDT, CR4.PCIDE = 0
#   Stack:       the loader's; not used any more
#   Paging:      the loader's tables, then those of RDI
#   Interrupts:  off
#   Leaves by:   l5_jump
.globl la57_switch
la57_switch:
    cli                             # no handler can follow us
l5_load_cr3:
    mov cr3, rdi                    # the blob is at its physical address now
l5_jump:
    jmp rsi                         # trampoline_start64

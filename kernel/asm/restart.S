# The way back to real mode, as far as it is 64-bit code. Linux: machine_real_restart() in arch/x86/kernel/reboot.c.

.section .text, "ax"
.code64

# machine_real_restart: leaves 64-bit mode, by way of trampoline_pgd.
#   Called from: restart::machine_real_restart, RDI = the far pointer to machine_real_restart_asm, in the direct map;
#                RSI = physical address of trampoline_pgd; RDX = the bits of CR4 that may stay, PCIDE not among them;
#                RCX = those that may stay behind MOV CR3, PGE not among them, unless by mistake
#   Mode:        64-bit mode, CS = KERNEL_CS of the CPU's own GDT, which has __KERNEL32_CS too
#   Stack:       the CPU's own; both tables map it
#   Paging:      init_top_pgt, then trampoline_pgd, which shares the kernel's half
#   Interrupts:  off from here on
#   Leaves by:   mrr_far_jump, to machine_real_restart_asm in compatibility mode
.globl machine_real_restart
machine_real_restart:
    cli                             # no handler can follow us
    mov rax, cr4                    # keep the other bits
    and rax, rdx                    # with PCIDE, PG could not be cleared
mrr_clear_pcide:
    mov cr4, rax                    # so this comes first
mrr_load_cr3:
    mov cr3, rsi                    # the identity map is there again, below the kernel
    and rax, rcx                    # PGE off: drops what MOV CR3 kept
mrr_flush_global:
    mov cr4, rax                    # nothing is left of init_top_pgt
mrr_far_jump:
    jmp fword ptr [rdi]             # CS.L = 0: compatibility mode

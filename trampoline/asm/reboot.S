# The way back: from compatibility mode to real mode and the reset vector. Linux: arch/x86/realmode/rm/reboot.S. Every step
# of the way up is undone in reverse order: PG, LME, the 32-bit segments, PE.

.section .text32, "ax"
.code32

# machine_real_restart_asm: the first code that is not 64-bit any more.
#   Jumps here:  mrr_far_jump in the kernel's machine_real_restart
#   Mode:        compatibility mode, CS = __KERNEL32_CS of the kernel's GDT
#   Stack:       none      Paging: on, CR3 = trampoline_pgd, whose slot 0 maps this code at its physical address
#   Interrupts:  off, the kernel's IDT, which nothing may use any more
#   Leaves by:   rr_enter_16, to 16-bit protected mode
.balign 4
.globl machine_real_restart_asm
machine_real_restart_asm:
    mov eax, offset __KERNEL_DS     # flat data, the same in both GDTs
    mov ds, eax                     # 64-bit code had none: LGDT needs one
rr_lgdt:
    lgdt [pa_tr_gdt]                # the kernel's GDT lies above 4 GiB
    mov es, eax                     # no segment
    mov fs, eax                     # may keep
    mov gs, eax                     # a descriptor
    mov ss, eax                     # of the kernel's
    mov eax, cr0                    # keep the other bits
    and eax, offset CR0_WITHOUT_PG  # paging off
rr_clear_pg:
    mov cr0, eax                    # LMA goes off with it: protected mode
rr_flush_prefetch:
.att_syntax
    ljmpl $__KERNEL32_CS, $pa_rr_paging_off # as the SDM asks for after PG
.intel_syntax noprefix

# rr_paging_off: linear addresses are physical ones; the identity map is not needed any more.
#   Mode: 32-bit protected mode      Stack: none      Paging: off      Interrupts: off
.globl rr_paging_off
rr_paging_off:
    xor eax, eax                    # LME, NXE, SCE:
    xor edx, edx                    # all of them off
    mov ecx, offset MSR_EFER        # which MSR
rr_clear_efer:
    wrmsr                           # no long mode any more
    mov eax, cr4                    # keep the other bits
    and eax, offset CR4_WITHOUT_LA57 # four levels, for whoever comes next
rr_clear_la57:
    mov cr4, eax                    # with paging off it may change
rr_lidt:
    lidt [pa_rr_idt]                # the table of real mode: 256 vectors at 0
rr_lgdt_16:
    lgdt [pa_rr_gdt]                # two 16-bit segments
    mov eax, 0x10                   # data: base 100h, limit 64 KiB
    mov ds, eax                     # real mode keeps these limits
    mov es, eax                     # in the hidden parts,
    mov fs, eax                     # so they must be
    mov gs, eax                     # what real-mode code
    mov ss, eax                     # takes for granted
rr_enter_16:
.att_syntax
    ljmpl $8, $rr_in_16             # CS: 16-bit, base = the blob
.intel_syntax noprefix

.section .text16, "ax"
.code16

# rr_in_16: 16-bit protected mode.
#   Jumps here: rr_enter_16      Mode: CS = 8 of rr_gdt, the others = 10h      Stack: none      Paging: off      Interrupts: off
rr_in_16:
    mov eax, cr0                    # of what was set
    and eax, 0x11                   # keep PE and ET
    or eax, 0x60000000              # caches off, as after a reset
    mov cr0, eax                    # CD and NW together
    xor ecx, ecx                    # no tables
    mov cr3, ecx                    # this flushes the TLB
    wbinvd                          # nothing may be left in a cache
    and al, 0xfe                    # PE off
rr_clear_pe:
    mov cr0, eax                    # real mode begins here
rr_enter_real:
    ljmp offset real_mode_seg, offset rr_in_real # CS gets a selector of real mode
rr_in_real:
rr_reset_vector:
    ljmp 0xf000, 0xfff0             # where a processor begins: firmware's, not ours

.section .blob.rodata, "a"
.balign 16

# rr_gdt: slot 0 holds the operand of LGDT, as in tr_gdt. The blob's base lies in bits 23:0 of the second word of slot 1.
.globl rr_gdt
rr_gdt:
    .short rr_gdt_end - rr_gdt - 1  # limit
    .long pa_rr_gdt                 # base: linear, relocated
    .short 0                        # pads slot 0
    .short 0xffff                   # 0x08: 16-bit code, limit 64 KiB,
    .long pa_real_mode_base + 0x9b000000 # base = the blob, relocated; present, code
    .short 0                        # D = 0, base 31:24
    .quad 0x000093000100ffff        # 0x10: 16-bit data, base 100h = 10h << 4, limit 64 KiB
rr_gdt_end:

# rr_idt: the operand of LIDT that a processor has after a reset, but for the limit.
.globl rr_idt
rr_idt:
    .short 0x3ff                    # 256 vectors of 4 bytes
    .long 0                         # at 0
    .balign 16

# Another way in, for a processor that runs in 64-bit mode already but with page tables of another depth: CR4.LA57 cannot
# change while paging is on, and paging can only be switched off in compatibility mode. So it goes down to 32 bits and then up
# like all others. Linux: trampoline_start64 in arch/x86/realmode/rm/trampoline_64.S, and for the boot processor
# arch/x86/boot/compressed/la57toggle.S.

.section .text64, "ax"
.code64

# trampoline_start64: the boot processor's first instruction in the blob, with la57=on.
#   Jumps here:  l5_jump in the kernel's la57_switch
#   Mode:        64-bit mode, CS of the kernel's GDT
#   Stack:       none that may be used
#   Paging:      on, four levels; the blob is mapped at linear = physical, read-only and executable
#   Interrupts:  off
#   Leaves by:   tr64_enter_compat, to trampoline_compat in compatibility mode
.balign 4
.globl trampoline_start64
trampoline_start64:
    lidt [rip + tr_idt]             # limit 0: any fault now means shutdown
tr64_lgdt:
    lgdt [rip + tr_gdt64]           # 64-bit form: the base has 8 bytes
tr64_enter_compat:
    jmp fword ptr [rip + tr_compat] # CS.L = 0: compatibility mode

.section .text32, "ax"
.code32

# trampoline_compat: switches paging off.
#   Jumps here:  tr64_enter_compat
#   Mode:        compatibility mode, CS = __KERNEL32_CS of tr_gdt, the other segments as they were
#   Stack:       none      Paging: as above      Interrupts: off, the IDT is empty
#   Leaves by:   tr_join, to startup_32 in 32-bit protected mode, with what that takes: DX and ESP
.balign 4
.globl trampoline_compat
trampoline_compat:
    mov edx, offset __KERNEL_DS     # startup_32 loads its segments from DX
    mov esp, offset rm_stack_end    # an offset, to which startup_32 adds the blob's base
    mov eax, cr0                    # keep the other bits
    and eax, offset CR0_WITHOUT_PG  # paging off
tr_compat_clear_pg:
    mov cr0, eax                    # LMA goes off with it; now CR4.LA57 may change
tr_join:
.att_syntax
    ljmpl $__KERNEL32_CS, $pa_startup_32 # from here on like an AP
.intel_syntax noprefix

.section .blob.rodata, "a"
.balign 8

# tr_gdt64: the operand of LGDT in 64-bit mode.
.globl tr_gdt64
tr_gdt64:
    .short tr_gdt_end - tr_gdt - 1  # limit: last valid byte
    .long pa_tr_gdt                 # base: linear, relocated
    .long 0                         # its upper half

# tr_compat: the operand of a far jump.
.balign 4
.globl tr_compat
tr_compat:
    .long pa_trampoline_compat      # linear, relocated
    .short __KERNEL32_CS            # 32-bit code

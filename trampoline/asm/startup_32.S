# The 32-bit part: from protected mode to compatibility mode and on to 64 bits.
# The order is forced: CR4.PAE, CR3 and EFER.LME before CR0.PG, and CS.L must be 0 when PG goes on (SDM volume 3A,
# "Initializing IA-32e Mode").

.section .text32, "ax"
.code32

# startup_32: the first code whose addresses are linear addresses.
#   Jumps here:  tr_enter_32 in trampoline_start
#   Mode:        32-bit protected mode; CS = __KERNEL32_CS (base 0), DS ES SS still hold real-mode values
#   Stack:       ESP is an offset in the blob and becomes linear here; DX = __KERNEL_DS
#   Paging:      off       Interrupts: off, the IDT is empty
#   Leaves by:   tr_enter_64, to startup_64 in 64-bit mode
.balign 4
.globl startup_32
startup_32:
    mov ss, dx                      # flat stack segment: base 0, 4 GiB
    add esp, offset pa_real_mode_base # blob offset -> linear address
    mov ds, dx                      # flat data from here on
    mov es, dx                      # so that no segment
    mov fs, dx                      # keeps a base or a limit
    mov gs, dx                      # from real mode
    mov eax, dword ptr [pa_tr_cr4]  # the boot CPU's CR4, with PAE and PGE
tr_load_cr4:
    mov cr4, eax                    # PAE: 8-byte entries, once paging is on
    mov eax, offset pa_trampoline_pgd # below 4 GiB: EAX has 32 bits
tr_load_cr3:
    mov cr3, eax                    # the root; unused while PG = 0
    mov eax, dword ptr [pa_tr_efer] # the boot CPU's EFER without LMA
    mov edx, dword ptr [pa_tr_efer + 4] # its upper half
    mov ecx, offset MSR_EFER        # which MSR to write
tr_load_efer:
    wrmsr                           # LME: long mode once PG goes on; NXE
    mov eax, offset CR0_STATE       # PG, WP and the rest in one go
tr_set_pg:
    mov cr0, eax                    # paging on, LMA on: compatibility mode
tr_enter_64:
.att_syntax
    ljmpl $__KERNEL_CS, $pa_startup_64 # CS.L = 1: 64-bit code
.intel_syntax noprefix

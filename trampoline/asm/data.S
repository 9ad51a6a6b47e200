# Everything that the code of the blob reads and writes.

.section .blob.rodata, "a"
.balign 16

# tr_gdt: the descriptors for the way up. Accessed bits are preset (type 0xb, 0x3), so that the processor need not write
# to a read-only table. Slot 0 is never used as a descriptor, so it holds the operand of LGDT: limit and linear base.
.globl tr_gdt
tr_gdt:
    .short tr_gdt_end - tr_gdt - 1  # limit: last valid byte
    .long pa_tr_gdt                 # base: linear, relocated
    .short 0                        # pads slot 0 to 8 bytes
    .quad 0x00cf9b000000ffff        # 0x08 __KERNEL32_CS: code, base 0, limit 4 GiB, D = 1
    .quad 0x00af9b000000ffff        # 0x10 __KERNEL_CS: code, L = 1, D = 0
    .quad 0x00cf93000000ffff        # 0x18 __KERNEL_DS: data, base 0, limit 4 GiB
tr_gdt_end:

# tr_idt: an operand of LIDT with limit 0. No gate can be found: a fault is a double fault is shutdown, at once and
# always the same, instead of a jump through whatever lies at address 0.
.globl tr_idt
tr_idt:
    .short 0                        # limit 0
    .quad 0                         # base 0

.section .blob.pgd, "aw"

# trampoline_pgd: the root while paging goes on. In the blob, so below 1 MiB, so its address fits MOV CR3 of 32-bit
# code.
.balign 4096
.globl trampoline_pgd
trampoline_pgd:
    .skip 4096                      # 512 entries of 8 bytes

.section .data, "aw"
.balign 8

# trampoline_header: filled in by the kernel after relocation (struct TrampolineHeader in src/header.rs).
.globl trampoline_header
trampoline_header:
.globl tr_start
tr_start:
    .quad 0                         # linear address of secondary_startup_64
.globl tr_efer
tr_efer:
    .quad 0                         # EFER of the boot CPU without LMA
.globl tr_cr4
tr_cr4:
    .long 0                         # CR4 of the boot CPU without PCIDE
.globl tr_flags
tr_flags:
    .long 0                         # none defined here (Linux: bit 0 = SME)
.globl tr_lock
tr_lock:
    .long 0                         # bit 0: a processor is on rm_stack
tr_header_end:

.section .bss, "aw", @nobits

# rm_stack: one for all; see tr_take_lock.
.balign 16
.globl rm_stack
rm_stack:
    .skip 2048                      # as large as Linux's
.globl rm_stack_end
rm_stack_end:

.section .signature, "a"
.balign 4
.globl end_signature
end_signature:
    .long 0x65a22c82                # Linux's: proves that the copy is whole

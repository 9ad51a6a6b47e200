# The blob's first page: the table that tells the kernel where everything is (struct RealModeHeader in src/header.rs).
# Each field is a 32-bit linear address once the kernel has added the blob's base (`pa_` = relocated, as in Linux).

.section .header, "a"
.balign 16

.globl real_mode_header
real_mode_header:
rmh_text_start:
    .long pa_text_start             # first page that must be executable
rmh_ro_end:
    .long pa_ro_end                 # below here nothing is written any more
rmh_trampoline_start:
    .long pa_trampoline_start       # where a SIPI lands: vector = this >> 12
rmh_trampoline_header:
    .long pa_trampoline_header      # what the kernel fills in for the AP
rmh_trampoline_pgd:
    .long pa_trampoline_pgd         # the blob's own top-level table
rmh_trampoline_start64:
    .long pa_trampoline_start64     # the way in for a processor in 64-bit mode
rmh_machine_real_restart_asm:
    .long pa_machine_real_restart_asm # the way back: with the next word,
rmh_machine_real_restart_seg:
    .long __KERNEL32_CS             # the operand of a far jump
rmh_end:

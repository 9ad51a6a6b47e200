# The 16-bit part: from SIPI to protected mode. Linux: arch/x86/realmode/rm/trampoline_64.S.

.section .text, "ax"
.code16
.balign 4096

# trampoline_start: the first instructions of every application processor.
#   Jumps here:  the processor itself, at a SIPI with vector VV: CS = VV00h, CS base = VV000h, IP = 0
#   Mode:        real mode; CS is right, DS ES SS are 0 (reset values)
#   Stack:       none: SP is 0 and SS is not ours
#   Paging:      off       Interrupts: off (reset clears IF); an NMI would use the BIOS table at 0
#   Leaves by:   tr_enter_32, to startup_32 in 32-bit protected mode
.globl trampoline_start
trampoline_start:
    cli                             # no IDT of ours yet: nothing may interrupt
    wbinvd                          # caches may hold lines from before INIT
tr_far_jump:
    ljmp offset real_mode_seg, offset tr_cs_set # CS:IP now counts from the blob's base, same place
tr_cs_set:
    mov ax, cs                      # the kernel wrote our segment into that jump
tr_load_ds:
    mov ds, ax                      # data lies in the blob too: same base as CS
tr_load_es:
    mov es, ax                      # so that no segment keeps a reset value
tr_load_ss:
    mov ss, ax                      # the stack will be an offset in the blob

# There is one real-mode stack for all processors. Whoever comes first takes the lock; secondary_startup_64 gives it
# back as soon as that processor stands on its own stack.
tr_take_lock:
    lock bts dword ptr [tr_lock], 0 # set bit 0, CF = was it set before?
    jnc tr_load_stack               # it was free: the stack is ours
tr_wait_lock:
    pause                           # another processor is on the stack
    jmp tr_take_lock                # try again

tr_load_stack:
    mov esp, offset rm_stack_end    # a stack to call with: SS:SP in the blob
tr_call_verify_cpu:
    call verify_cpu                 # has it all that 64-bit code needs?
    test eax, eax                   # 0 = yes
    jnz no_longmode                 # else this CPU can do nothing for us
tr_lidt:
    lidt [tr_idt]                   # limit 0: any fault now means shutdown
tr_lgdt:
    lgdtd [tr_gdt]                  # 32-bit form: all 32 bits of the base
    mov dx, __KERNEL_DS             # startup_32 loads its segments from DX
    mov eax, cr0                    # keep the other bits as they are
    or eax, CR0_PE                  # protection on
tr_set_pe:
    mov cr0, eax                    # PE = 1: protected mode begins here
tr_enter_32:
.att_syntax
    ljmpl $__KERNEL32_CS, $pa_startup_32 # load CS from the GDT: 32-bit, base 0
.intel_syntax noprefix

# no_longmode: this processor lacks something. It stays here; the kernel reports that it did not come.
#   Jumps here:  trampoline_start.   State: as there, on the real-mode stack, interrupts off
no_longmode:
    hlt                             # nothing to do; only INIT gets us out
    jmp no_longmode                 # an NMI may end HLT

# From the firmware's world into the kernel's: tables, segments and control registers as the kernel's first instruction
# finds them on every machine (load.rs: Entry). Called by src/bootx64/handoff.rs.

.section .text.enter_kernel, "ax"
.code64

# enter_kernel(RDI = CR3, RSI = the kernel's first instruction, RDX = its stack, RCX = linear address of its BootInfo,
#              R8 = operand for LGDT, R9 = operand for LIDT). Does not return.
# On entry: 64-bit mode with 4-level paging, linear = physical, the firmware's GDT, IDT and stack, boot services gone,
#   interrupts off. This code is mapped at the same address in the kernel's tables, and so is the new GDT.
# On exit: long mode, the kernel's tables and stack, flat segments, no IDT, interrupts off, all other registers 0.
.globl enter_kernel
enter_kernel:
    lgdt [r8]                       # loaded now: its operand lies on a stack that is about to vanish
    lidt [r9]                       # the firmware's handlers vanish too
    mov r10, rdx                    # WRMSR needs RDX
    mov r11, rcx                    # and RCX
    mov ecx, 0xc0000080             # IA32_EFER
    rdmsr
    or eax, 1 << 11                 # NXE: the kernel's tables say no-execute, which is reserved without it
    wrmsr
    mov eax, 1 << 5                 # PAE alone; clearing PGE also throws global TLB entries away
    mov cr4, rax
    mov eax, 0x80010011             # PG, WP, ET, PE: caches on, no emulation of the FPU
    mov cr0, rax
    mov cr3, rdi                    # the kernel's tables; only this page is where it was
    mov rsp, r10                    # the kernel's stack
    mov eax, 0x10                   # data
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax                    # FS and GS: null, base 0
    mov fs, eax
    mov gs, eax
    lldt ax                         # no local descriptor table
    push 2                          # RFLAGS: nothing but the bit that is always 1
    popfq
    mov rdi, r11                    # the kernel's argument
    push 8                          # CS: 64-bit code
    push rsi                        # RIP
    xor ebx, ebx                    # nothing of the firmware's is left for anybody to rely on
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor ebp, ebp
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    retfq                           # to the kernel
.globl enter_kernel_end
enter_kernel_end:

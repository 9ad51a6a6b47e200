# Can this processor run the kernel? Linux: arch/x86/kernel/verify_cpu.S.

.section .text, "ax"
.code16

# verify_cpu: EAX = 0 if the processor has CPUID, PAE, MSRs, CMPXCHG8B, PGE, FXSR, SSE, SSE2, long mode, NX if the boot CPU
# has it, and 5-level paging if that is used.
#   Called from: trampoline_start, a near call with a 32-bit IP on the stack
#   Mode:        real mode, CS = DS = SS = the blob     Stack: rm_stack
#   Paging:      off                                    Interrupts: off
#   Changes:     EAX EBX ECX EDX, flags
.set CPUID_1_EDX_NEED, (1<<5) | (1<<6) | (1<<8) | (1<<13) | (1<<24) | (1<<25) | (1<<26) # MSR PAE CX8 PGE FXSR SSE SSE2
.set CPUID_EXT_EDX_LM, 1 << 29
.set CPUID_EXT_EDX_NX, 1 << 20
.set CPUID_7_ECX_LA57, 1 << 16
verify_cpu:
    pushfd                          # old flags, to restore at the end
    pushfd                          # a copy to play with
    pop eax                         # EAX = flags
    mov ecx, eax                    # ECX = flags before
    xor eax, EFLAGS_ID              # flip the ID flag
    push eax                        # it only sticks
    popfd                           # where CPUID exists
    pushfd                          # read it back
    pop eax                         # EAX = flags after
    popfd                           # restore the flags
    xor eax, ecx                    # 0 = the flag did not stick
    jz verify_cpu_bad               # no CPUID: before the Pentium

    mov eax, 1                      # leaf 1: features
    cpuid                           # EDX = feature flags
    and edx, CPUID_1_EDX_NEED       # those that we need
    xor edx, CPUID_1_EDX_NEED       # those that are missing
    jnz verify_cpu_bad              # one missing is one too many

    mov eax, 0x80000000             # how far do extended leaves go?
    cpuid                           # EAX = the last one
    cmp eax, 0x80000001             # the one with LM and NX
    jb verify_cpu_bad               # no extended leaf: no long mode

    mov eax, 0x80000001             # extended features
    cpuid                           # EDX = LM, NX, ...
    test edx, CPUID_EXT_EDX_LM      # 64-bit capable?
    jz verify_cpu_bad               # no long mode
    test edx, CPUID_EXT_EDX_NX      # no-execute? Our page tables use it
    jnz verify_cpu_ok               # all there
    test dword ptr [tr_efer], EFER_NXE # unless the boot CPU has none either
    jz verify_cpu_ok                # then no entry has bit 63

# Firmware may have hidden NX: Intel processors have a switch for that. Only an Intel one has this MSR.
    xor eax, eax                    # leaf 0: who made it
    cpuid                           # EBX EDX ECX = vendor
    cmp ecx, 0x6c65746e             # "ntel", the end of GenuineIntel
    jne verify_cpu_bad              # no NX and no such switch
    mov ecx, offset MSR_IA32_MISC_ENABLE # the register with the switch
    rdmsr                           # EDX = its high half
    btr edx, XD_DISABLE_BIT_OF_EDX  # XD_DISABLE (bit 34) off
    jnc verify_cpu_bad              # it was off: NX is really missing
verify_cpu_enable_nx:
    wrmsr                           # NX is there again
verify_cpu_ok:
    test dword ptr [tr_cr4], CR4_LA57 # five levels?
    jz verify_cpu_good              # no: nothing more to ask
    xor eax, eax                    # how far do leaves go?
    cpuid                           # EAX = the last one
    cmp eax, 7                      # the one with LA57
    jb verify_cpu_bad               # too old for that
    mov eax, 7                      # structured extended features,
    xor ecx, ecx                    # the first of their leaves
    cpuid                           # ECX = LA57 and others
    test ecx, CPUID_7_ECX_LA57      # tables of five levels?
    jz verify_cpu_bad               # CR4 could not be loaded
verify_cpu_good:
    xor eax, eax                    # 0: this processor will do
    ret                             # back into trampoline_start
verify_cpu_bad:
    mov eax, 1                      # not 0: this processor will not do
    ret                             # back into trampoline_start

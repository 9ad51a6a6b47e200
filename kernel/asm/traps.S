# Exceptions and interrupts: one stub for each vector, all of them into trap_handler.

.section .text, "ax"
.code64

# trap_stubs: 256 stubs, 16 bytes apart; the IDT's gates point here.
#   Jumps here:  the processor
#   Mode:        64-bit mode, CS = KERNEL_CS
#   Stack:       that of the interrupted code, or one of the IST's; SS RSP RFLAGS CS RIP lie on it
#                (and an error code for some vectors, 0 is pushed for the others)
#   Paging:      any            Interrupts: off (interrupt gates)
.globl trap_stubs
.balign 16
trap_stubs:
.set vector, 0
.rept 256
.balign 16
.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
.else
    push 0                          # no error code: keep the frame alike
.endif
    push vector                     # which one it was
    jmp trap_common                 # the rest is the same for all
.set vector, vector + 1
.endr

# trap_common: saves all that compiled code may change, calls trap_handler(&TrapFrame), restores it.
#   Jumps here:  the stubs. Stack: as there, with error code and vector on it
trap_common:
    push rax                        # the general registers
    push rbx                        # in the order of struct TrapFrame
    push rcx                        # (the last pushed comes first)
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    mov rdi, rsp                    # the frame: first argument
    mov rbx, rsp                    # survives the call
    sub rsp, 512                    # room for FXSAVE
    and rsp, -16                    # which wants 16-byte alignment
    fxsave64 [rsp]                  # XMM registers and MXCSR
    cld                             # compiled code expects DF = 0
    cmp qword ptr [rbx + 15 * 8], 2 # vector: an NMI?
    jne trap_call                   # others come on the kernel's tables alone
    mov rax, qword ptr [rip + nmi_cr3_mask] # 0: no page-table isolation
    test rax, rax                   # is it on?
    jz trap_call                    # CR3 may stay
    mov r12, cr3                    # whatever was interrupted comes back to its own
    and rax, r12                    # the lower page of the two: the kernel's table
nmi_load_cr3:
    mov cr3, rax                    # if CR3 was one of such a pair
    call trap_handler               # in src/trap.rs
    mov cr3, r12                    # as it was
    jmp trap_return
trap_call:
    call trap_handler               # in src/trap.rs
trap_return:
    fxrstor64 [rsp]                 # as if nothing had happened
    mov rsp, rbx                    # back to the frame
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16                     # drop vector and error code
    iretq                           # back to what was interrupted

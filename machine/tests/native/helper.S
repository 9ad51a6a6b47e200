# Runs single instructions on the host's own processor, in ring 3, for tests/native.rs, which builds and feeds it.
#
# Standard input is a row of records of 1024 bytes; each is executed and written to standard output with what it left:
#   0  FXSAVE64 image       512  RAX RCX RDX RBX - RBP - RDI R8..R15 (4 and 6: not loaded; RSI is the data's address)
#   640  RFLAGS             648  signal that ended it, 0: none
#   704  64 bytes of code   768  128 bytes of data
# Linux system calls, no library. Linked so that its text can be written: code is copied into `slot`.

        .intel_syntax noprefix
        .set    GPR, 512
        .set    FLAGS, 640
        .set    SIGNAL, 648
        .set    CODE, 704
        .set    DATA, 768
        .set    SIZE, 1024

        .text
        .globl  _start
_start:                                                 # started by the kernel: a stack, nothing else
        mov     edi, 8                                  # SIGFPE: #MF, #XM
        call    catch                                   # install `caught` for it
        mov     edi, 11                                 # SIGSEGV: #GP, #PF
        call    catch                                   # install `caught` for it
        mov     edi, 4                                  # SIGILL: #UD
        call    catch                                   # install `caught` for it

next:                                                   # between two records
        lea     rsi, [rip + record]                     # where the record goes
        mov     edx, SIZE                               # bytes still to come
more:                                                   # RSI: where to, RDX: how many
        xor     edi, edi                                # standard input
        xor     eax, eax                                # read
        syscall                                         # RAX = bytes read
        test    rax, rax                                # none: the end of the row
        jle     done                                    # leave
        add     rsi, rax                                # behind what came
        sub     rdx, rax                                # what is missing
        jnz     more                                    # a pipe gives less at a time

        lea     rsi, [rip + record + CODE]              # from the record
        lea     rdi, [rip + slot]                       # to where it runs
        mov     ecx, 64                                 # all of it
        rep     movsb                                   # copy
        mov     qword ptr [rip + record + SIGNAL], 0    # no signal yet
        fxrstor64 [rip + record]                        # x87, MMX, SSE
        push    qword ptr [rip + record + FLAGS]        # flags
        popfq                                           # MOV leaves them alone from here on
        mov     rax, [rip + record + GPR]               # RAX
        mov     rcx, [rip + record + GPR + 8]           # RCX
        mov     rdx, [rip + record + GPR + 16]          # RDX
        mov     rbx, [rip + record + GPR + 24]          # RBX
        mov     rbp, [rip + record + GPR + 40]          # RBP
        lea     rsi, [rip + record + DATA]              # RSI is where the data is
        mov     rdi, [rip + record + GPR + 56]          # RDI
        mov     r8, [rip + record + GPR + 64]           # R8
        mov     r9, [rip + record + GPR + 72]           # R9
        mov     r10, [rip + record + GPR + 80]          # R10
        mov     r11, [rip + record + GPR + 88]          # R11
        mov     r12, [rip + record + GPR + 96]          # R12
        mov     r13, [rip + record + GPR + 104]         # R13
        mov     r14, [rip + record + GPR + 112]         # R14
        mov     r15, [rip + record + GPR + 120]         # R15
        jmp     slot                                    # out of the line that was just written

slot:                                                   # the code of the record, filled up with NOP
        .fill   64, 1, 0x90                             # room for it
back:                                                   # behind it, or sent here by `caught`
        mov     [rip + record + GPR], rax               # RAX
        mov     [rip + record + GPR + 8], rcx           # RCX
        mov     [rip + record + GPR + 16], rdx          # RDX
        mov     [rip + record + GPR + 24], rbx          # RBX
        mov     [rip + record + GPR + 40], rbp          # RBP
        mov     [rip + record + GPR + 56], rdi          # RDI
        mov     [rip + record + GPR + 64], r8           # R8
        mov     [rip + record + GPR + 72], r9           # R9
        mov     [rip + record + GPR + 80], r10          # R10
        mov     [rip + record + GPR + 88], r11          # R11
        mov     [rip + record + GPR + 96], r12          # R12
        mov     [rip + record + GPR + 104], r13         # R13
        mov     [rip + record + GPR + 112], r14         # R14
        mov     [rip + record + GPR + 120], r15         # R15
        pushfq                                          # flags
        pop     qword ptr [rip + record + FLAGS]        # as it left them
        fxsave64 [rip + record]                         # does not wait for x87 exceptions
        fninit                                          # no x87 exception may wait any longer
        lea     rsi, [rip + record]                     # from here
        mov     edx, SIZE                               # all of it
        mov     edi, 1                                  # standard output
        mov     eax, 1                                  # write: a pipe's reader takes all
        cld                                             # as the system's calls want it
        syscall                                         # RAX = bytes written
        cmp     rax, SIZE                               # or the reader has gone
        je      next                                    # the next one
done:                                                   # nothing more to do
        xor     edi, edi                                # status 0
        mov     eax, 60                                 # exit
        syscall                                         # does not come back

catch:                                                  # EDI: a signal's number
        lea     rsi, [rip + action]                     # what to do
        xor     edx, edx                                # the old action is not asked for
        mov     r10d, 8                                 # bytes of a signal set
        mov     eax, 13                                 # rt_sigaction
        syscall                                         # installs it
        ret                                             # to the caller

caught:                                                 # handler: EDI = signal, RDX = the interrupted context
        mov     [rip + record + SIGNAL], rdi            # tell it
        lea     rax, [rip + back]                       # go on behind the code
        mov     [rdx + 168], rax                        # uc_mcontext.gregs[REG_RIP]
        ret                                             # to `restore`
restore:                                                # the handler has returned
        mov     eax, 15                                 # rt_sigreturn
        syscall                                         # to `back`, all registers as they were

        .data
        .balign 8
action: .quad   caught                                  # sa_handler
        .quad   0x4000004 | 0x40000000                  # SA_SIGINFO | SA_RESTORER | SA_NODEFER
        .quad   restore                                 # sa_restorer
        .quad   0                                       # sa_mask: none
        .balign 64
record: .fill   SIZE, 1, 0                              # the record

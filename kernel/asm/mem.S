# The memory functions that compiled code calls. The prebuilt `compiler_builtins` leaves them to a C library.
# All of them: System V calling convention, 64-bit mode, any stack, any page tables that map the operands.

.section .text, "ax"
.code64

# memcpy(RDI to, RSI from, RDX count) -> RAX = to. No overlap.
.globl memcpy
memcpy:
    mov rax, rdi                    # the result
    mov rcx, rdx                    # count
    shr rcx, 3                      # in words of 8 bytes
    rep movsq                       # copy words upwards
    mov ecx, edx                    # count again
    and ecx, 7                      # what is left of it
    rep movsb                       # copy bytes upwards
    ret

# memmove(RDI to, RSI from, RDX count) -> RAX = to. May overlap.
.globl memmove
memmove:
    mov rax, rdi                    # distance of the two
    sub rax, rsi                    # as an unsigned number
    cmp rax, rdx                    # does `to` lie inside `from`?
    jae memcpy                      # no: upwards is safe
    mov rax, rdi                    # the result
    lea rdi, [rdi + rdx - 1]        # the last byte of each
    lea rsi, [rsi + rdx - 1]        # since the first would be overwritten
    mov rcx, rdx                    # count
    std                             # downwards
    rep movsb                       # copy bytes
    cld                             # compiled code expects DF = 0
    ret

# memset(RDI to, ESI byte, RDX count) -> RAX = to
.globl memset
memset:
    mov r8, rdi                     # the result
    movzx eax, sil                  # the byte
    mov r9, 0x0101010101010101      # eight times
    imul rax, r9                    # in one word
    mov rcx, rdx                    # count
    shr rcx, 3                      # in words of 8 bytes
    rep stosq                       # fill words
    mov ecx, edx                    # count again
    and ecx, 7                      # what is left of it
    rep stosb                       # fill bytes
    mov rax, r8
    ret

# memcmp(RDI a, RSI b, RDX count) -> EAX < 0, 0, > 0, as the first bytes that differ; bcmp asks only for 0 or not 0.
.globl memcmp
.globl bcmp
memcmp:
bcmp:
    xor ecx, ecx                    # index
    xor eax, eax                    # equal so far
memcmp_next:
    cmp rcx, rdx                    # all compared?
    je memcmp_done                  # then they are equal
    movzx eax, byte ptr [rdi + rcx] # a byte of a
    movzx r8d, byte ptr [rsi + rcx] # and of b
    inc rcx                         # on to the next
    sub eax, r8d                    # which is larger?
    jz memcmp_next                  # neither
memcmp_done:
    ret

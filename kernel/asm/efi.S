# A call of the firmware, on page tables of its own. Linux: efi_call() in arch/x86/platform/efi/efi_stub_64.S, with what
# arch_efi_call_virt_setup() and arch_efi_call_virt_teardown() do around it.

.section .text, "ax"
.code64

# efi_call: calls a service. The firmware's functions follow the calling convention of UEFI for x64 (Microsoft's): RCX, RDX,
# R8, R9, then the stack, above 32 bytes that belong to the one that is called.
#   Called from: efi::runtime::call, RDI = struct Call: CR3, function, five arguments, bits for CR3 on the way back, 8 bytes
#                each
#   Mode:        64-bit mode
#   Stack:       the CPU's own, in the direct map, which these tables have too
#   Paging:      init_top_pgt; between efi_load_cr3 and efi_restore_cr3 the firmware's
#   Interrupts:  as they were; handlers run on the firmware's tables then
#   Returns:     RAX = EFI_STATUS
.globl efi_call
efi_call:
    push rbp                        # kept for the caller
    push rbx                        # so is this one
    mov rbp, rsp                    # the firmware keeps RBP
    mov rbx, cr3                    # and RBX: the tables to come back to,
    or rbx, qword ptr [rdi + 56]    # with bit 63 where the TLB may keep what it has
    sub rsp, 48                     # 32 bytes for the one that is called, the fifth argument, 8 to align
    and rsp, -16                    # the stack is aligned at the call
    mov rax, qword ptr [rdi + 48]   # fifth argument
    mov qword ptr [rsp + 32], rax   # its place
    mov rcx, qword ptr [rdi + 16]   # first
    mov rdx, qword ptr [rdi + 24]   # second
    mov r8, qword ptr [rdi + 32]    # third
    mov r9, qword ptr [rdi + 40]    # fourth
    mov rax, qword ptr [rdi + 8]    # the service
    mov r10, qword ptr [rdi]        # the firmware's tables
    cld                             # UEFI wants DF = 0
efi_load_cr3:
    mov cr3, r10                    # what is not global leaves the TLB, unless bit 63 is set
efi_call_service:
    call rax                        # into the firmware
efi_restore_cr3:
    mov cr3, rbx                    # nothing of the firmware is mapped from here on
    mov rsp, rbp                    # whatever it left of the stack
    pop rbx                         # as they were
    pop rbp
    ret                             # RAX: what it answered

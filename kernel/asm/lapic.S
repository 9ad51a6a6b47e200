# The writes that send an interrupt to another processor: two in xAPIC mode, one in x2APIC mode.

.section .text, "ax"
.code64

# lapic_write_icr: sends what EDI and ESI say.
#   Called from: lapic::send, EDI = ICR high (APIC ID in bits 31:24), ESI = ICR low
#   Mode:        64-bit mode      Stack: the caller's      Paging: init_top_pgt      Interrupts: off
.globl lapic_write_icr
lapic_write_icr:
    mov rdx, offset LOCAL_APIC_LINEAR # this CPU's local APIC
    mov eax, edi                    # to whom: APIC ID in bits 31:24
.globl icr_write_high
icr_write_high:
    mov dword ptr [rdx + LOCAL_APIC_ICR_HIGH], eax # nothing is sent yet
    mov eax, esi                    # what: mode in 10:8, vector in 7:0
.globl icr_write_low
icr_write_low:
    mov dword ptr [rdx + LOCAL_APIC_ICR_LOW], eax # this write sends it
    ret                             # back to Rust

# lapic_write_x2apic_icr: the same in x2APIC mode.
#   Called from: lapic::send, EDI = APIC ID, all 32 bits of it, ESI = ICR low
#   Mode:        64-bit mode      Stack: the caller's      Paging: any      Interrupts: any
.globl lapic_write_x2apic_icr
lapic_write_x2apic_icr:
    mov ecx, offset MSR_X2APIC_ICR  # which MSR
    mov edx, edi                    # to whom
    mov eax, esi                    # what: mode in 10:8, vector in 7:0
.globl icr_write_msr
icr_write_msr:
    wrmsr                           # sends it
    ret                             # back to Rust

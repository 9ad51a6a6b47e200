# Names for the bits and numbers that the kernel's assembly writes (Intel SDM volume 3A). What Rust defines as well
# comes from there: see global_asm! in src/main.rs.

.set CR4_PGE, 1 << 7                # global pages survive MOV CR3
.set EFER_SCE, 1 << 0               # SYSCALL exists
.set EFER_NXE, 1 << 11              # bit 63 of an entry means no-execute
.set MSR_EFER, 0xc0000080
.set MSR_GS_BASE, 0xc0000101
.set MSR_IA32_APIC_BASE, 0x1b
.set APIC_BASE_EXTD, 1 << 10        # x2APIC mode
.set MSR_X2APIC_ID, 0x802           # all 32 bits
.set MSR_X2APIC_ICR, 0x830          # a write here sends
.set TSS_BUSY, 9                    # upper half of a TSS descriptor: bit number
.set CPUID_EXT_EDX_NX, 20           # leaf 80000001h, EDX: bit number of NX

.set LOCAL_APIC_ID, 0x20            # bits 31:24
.set LOCAL_APIC_ICR_LOW, 0x300      # a write here sends
.set LOCAL_APIC_ICR_HIGH, 0x310     # bits 63:56 of the ICR: to whom

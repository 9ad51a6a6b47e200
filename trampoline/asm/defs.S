# Names for the bits and numbers that the blob writes. Sources: Intel SDM volume 3A, "Control Registers" and
# "Segment Descriptors"; the selectors are Linux's (arch/x86/include/asm/segment.h).

.set __KERNEL32_CS, 0x08            # tr_gdt: 32-bit code, base 0, limit 4 GiB
.set __KERNEL_CS, 0x10              # tr_gdt: 64-bit code
.set __KERNEL_DS, 0x18              # tr_gdt: data, base 0, limit 4 GiB

.set CR0_PE, 1 << 0                 # protection: selectors index the GDT
.set CR0_WITHOUT_PG, 0x7fffffff      # all bits but PG
.set CR0_STATE, 0x80050033          # PG AM WP NE ET MP PE: what the kernel runs with
.set CR4_LA57, 1 << 12              # page tables of five levels
.set CR4_WITHOUT_LA57, 0xffffefff    # all bits but LA57
.set EFER_NXE, 1 << 11              # bit 63 of an entry means no-execute
.set MSR_EFER, 0xc0000080           # SCE, LME, LMA, NXE

.set MSR_IA32_MISC_ENABLE, 0x1a0
.set XD_DISABLE_BIT_OF_EDX, 34 - 32 # MISC_ENABLE bit 34, RDMSR's EDX

.set EFLAGS_ID, 1 << 21             # can be toggled where CPUID exists

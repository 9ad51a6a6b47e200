# The kernel's first instructions on the boot CPU, and the loading of its descriptor tables.

.section .text, "ax"
.code64

.set CR0_MP, 1 << 1                 # WAIT honours CR0.TS
.set CR0_EM, 1 << 2                 # no FPU: SSE would fault with #UD
.set CR0_TS, 1 << 3                 # FPU not loaded: SSE would fault
.set CR4_OSFXSR, 1 << 9             # the kernel knows SSE registers
.set CR4_OSXMMEXCPT, 1 << 10        # and takes their exceptions

# boot_entry: the entry point of the ELF file.
#   Jumps here:  the boot loader, with RDI = BootInfo
#   Mode:        64-bit mode on the loader's GDT; segments do not matter
#   Stack:       the loader's, RSP = 16 n + 8 as after a call
#   Paging:      the loader's tables: kernel, stack, BootInfo, all physical memory
#   Interrupts:  off, the IDT is not ours
#   Leaves by:   a jump to _start, which bootloader_api's entry_point! makes
.globl boot_entry
boot_entry:
    mov rax, cr0                    # compiled code uses SSE: allow it
    and eax, ~(CR0_EM | CR0_TS)     # no trap on SSE instructions
    or eax, CR0_MP                  # what goes with it
    mov cr0, rax                    # upper half of CR0 is 0
    mov rax, cr4                    # the loader may not have set
    or eax, CR4_OSFXSR | CR4_OSXMMEXCPT # these two
    mov cr4, rax                    # from here on SSE works
    jmp _start                      # the first Rust code

# load_descriptor_tables: loads what belongs to this CPU alone.
#   Called from: percpu::load_boot_cpu, RDI = the CPU's PerCpu block
#   Mode:        64-bit mode on the loader's GDT
#   Stack:       any           Paging: any that maps block and kernel     Interrupts: off
.globl load_descriptor_tables
load_descriptor_tables:
    lgdt [rdi + PERCPU_GDTR]        # this CPU's own GDT
    xor eax, eax                    # null selector
    mov ds, eax                     # 64-bit code needs no data segments
    mov es, eax                     # none of these has a meaning
    mov ss, eax                     # ring 0 may have a null SS
    mov fs, eax                     # nothing uses FS
    mov gs, eax                     # this clears GS base: set it below
    push KERNEL_CS                  # far return = load CS
    lea rax, [rip + boot_cs_set]    # and go on here
    push rax                        # RIP below CS
    retfq                           # CS = KERNEL_CS from our GDT
boot_cs_set:
    mov ecx, offset MSR_GS_BASE     # per-CPU data by GS
    mov eax, edi                    # low half of the block's address
    mov rdx, rdi                    # high half
    shr rdx, 32                     # to EDX
    wrmsr                           # GS base = the block
    mov eax, TSS_SELECTOR           # the interrupt stacks
    ltr ax                          # of this CPU
    lidt [rip + idt_descr]          # faults are printed from here on
    ret                             # back to Rust

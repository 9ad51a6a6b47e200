# secondary_startup_64: an application processor's way from the trampoline to Rust, and the boot processor's when it went there
# for the sake of five levels. Linux: arch/x86/kernel/head_64.S.

.section .text, "ax"
.code64

# secondary_startup_64: the first instructions in the kernel's half of the address space.
#   Jumps here:  tr_jump_kernel in the trampoline's startup_64
#   Mode:        64-bit mode, CS = 10h of tr_gdt, DS ES FS GS SS = 18h of tr_gdt
#   Stack:       the real-mode stack, still locked; it disappears with ss_load_cr3
#   Paging:      on, CR3 = trampoline_pgd, which shares the kernel's half
#   Interrupts:  off, the IDT is empty: a fault before ss_load_idt ends in shutdown
#   Leaves by:   ss_call, to initial_code: start_secondary in src/smp/ap_start.rs, or the kernel's second half
.globl secondary_startup_64
secondary_startup_64:
    mov rax, qword ptr [rip + init_top_pgt_paddr] # any address: RAX has 64 bits
.globl ss_load_cr3
ss_load_cr3:
    mov cr3, rax                    # the kernel's tables: no identity map
    mov rax, qword ptr [rip + mmu_cr4_features] # the boot CPU's CR4; Linux's name
    mov rcx, rax                    # the same with PGE off:
    and rcx, ~CR4_PGE               # drops what MOV CR3 kept
.globl ss_flush_global
ss_flush_global:
    mov cr4, rcx                    # the low map's global entries are gone; LA57 may not change here
ss_set_pge:
    mov cr4, rax                    # the kernel's own may be kept now

# Who am I? One at a time, I am the one that the boot CPU is waiting for, if it waits for anybody.
    mov ecx, dword ptr [rip + smpboot_control] # Linux's name
    test ecx, ecx                   # bit 31: many may be on their way
    js ss_who_am_i                  # then only the processor itself knows
    mov rbx, qword ptr [rip + initial_gs] # else the boot CPU has written it: my PerCpu block,
    test rbx, rbx                   # does it wait for nobody?
    jz ss_unknown_cpu               # then somebody else has started me
ss_load_initial_stack:
    mov rsp, qword ptr [rip + initial_stack] # and my own stack
    jmp ss_have_stack               # nothing to look up

# The APIC ID is the only thing that differs between processors here.
ss_who_am_i:
    mov ecx, offset MSR_IA32_APIC_BASE # in which mode is my local APIC?
    rdmsr                           # EAX = its low half
    test eax, APIC_BASE_EXTD        # x2APIC already?
    jnz ss_read_x2apic_id           # then the ID is in an MSR
    cmp dword ptr [rip + x2apic_switch_ap], 0 # are the others in x2APIC mode?
    je ss_map_apic_id               # no: the registers are in memory
    or eax, APIC_BASE_EXTD          # yes: their page is not mapped
ss_enter_x2apic:
    wrmsr                           # so be it here too
ss_read_x2apic_id:
    mov ecx, offset MSR_X2APIC_ID   # which MSR
    rdmsr                           # EAX = APIC ID
    mov edx, eax                    # EDX = APIC ID
    jmp ss_look_up                  # which number has it?
ss_map_apic_id:
    mov rcx, offset LOCAL_APIC_LINEAR # every CPU sees its own APIC there
ss_read_apic_id:
    mov edx, dword ptr [rcx + LOCAL_APIC_ID] # bits 31:24
    shr edx, 24                     # EDX = APIC ID
ss_look_up:
    xor ecx, ecx                    # ECX = CPU number to try
ss_find_cpu:
    cmp edx, dword ptr [cpuid_to_apicid + rcx * 4] # is it this one?
    je ss_found_cpu                 # then ECX is my number
    inc ecx                         # else the next
    cmp ecx, MAX_CPUS               # are there more?
    jb ss_find_cpu                  # try it
    jmp ss_unknown_cpu              # nobody expects me

ss_found_cpu:
    mov rbx, qword ptr [__per_cpu_offset + rcx * 8] # RBX = my PerCpu block
ss_load_stack:
    mov rsp, qword ptr [rbx + PERCPU_STACK_TOP] # my own stack
ss_have_stack:
    mov rax, qword ptr [rip + trampoline_lock] # through the direct map
ss_release_lock:
    mov dword ptr [rax], 0          # the real-mode stack is free for the next

ss_load_gdt:
    lgdt [rbx + PERCPU_GDTR]        # my own GDT: it has my TSS
    xor eax, eax                    # null selector
    mov ds, eax                     # 64-bit code needs no data segments
    mov es, eax                     # so nothing of tr_gdt
    mov ss, eax                     # stays in use
    mov fs, eax                     # nothing uses FS
    mov gs, eax                     # this clears GS base: set it next
    mov ecx, offset MSR_GS_BASE     # per-CPU data by GS
    mov eax, ebx                    # low half of the block's address
    mov rdx, rbx                    # high half
    shr rdx, 32                     # to EDX
ss_load_gs:
    wrmsr                           # GS base = my block
    btr dword ptr [rbx + PERCPU_TSS_DESCRIPTOR + 4], TSS_BUSY # LTR refuses what was loaded before
    mov eax, TSS_SELECTOR           # the stacks for NMI, #DF, #DB, #MC
ss_load_tr:
    ltr ax                          # my TSS
ss_load_idt:
    lidt [rip + idt_descr]          # faults are printed from here on
    push KERNEL_CS                  # far return = load CS
    lea rax, [rip + ss_cs_set]      # and go on here
    push rax                        # RIP below CS
ss_load_cs:
    retfq                           # CS from my GDT
ss_cs_set:
    mov eax, 0x80000001             # extended features:
    cpuid                           # is there NX?
    mov edi, edx                    # EDI keeps the answer
    mov ecx, offset MSR_EFER        # which MSR
    rdmsr                           # the trampoline loaded it
    mov esi, eax                    # what it is
    or eax, EFER_SCE                # what the kernel wants,
    bt edi, CPUID_EXT_EDX_NX        # and NXE
    jnc ss_no_nx                    # where it exists
    or eax, EFER_NXE                # entries may have bit 63
ss_no_nx:
    cmp eax, esi                    # the same already?
    je ss_efer_set                  # no needless write
ss_load_efer:
    wrmsr                           # else change it
ss_efer_set:
    mov eax, offset CR0_STATE       # as on the boot CPU
ss_load_cr0:
    mov cr0, rax                    # it is, after the trampoline
    push 0                          # flags: all clear
    popfq                           # interrupts stay off
    xor ebp, ebp                    # a debugger's backtrace ends here
ss_call:
    call qword ptr [rip + initial_code] # Rust, on my own stack
    ud2                             # it does not return

# ss_unknown_cpu: a processor that the MADT does not list was started, or one that the boot CPU does not wait for. It must not
# keep the others waiting.
#   Jumps here:  ss_find_cpu, or where there is no initial_gs.    State: as there; no stack
ss_unknown_cpu:
    mov rax, qword ptr [rip + trampoline_lock] # through the direct map
    mov dword ptr [rax], 0          # the real-mode stack is free
ss_unknown_cpu_halt:
    hlt                             # interrupts are off: for ever
    jmp ss_unknown_cpu_halt         # an NMI ends in shutdown

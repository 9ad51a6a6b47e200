//! Per-CPU data, reached through GS: one block for each processor, made by the boot CPU before the processor starts.
//! `asm/head_64.S` finds it by CPU number and takes the stack, the GDT and the TSS from it.
#![allow(unsafe_code)]

use super::{gdt, idt::IST_STACKS};
use crate::memlayout::{MAX_CPUS, phys_to_virt};
use crate::mm::{direct_map, frame::FRAME_SIZE};
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use x86_64::{VirtAddr, structures::tss::TaskStateSegment};

/// A CPU's number: 0 is the boot CPU, the others follow in the MADT's order.
pub type CpuNumber = u32;

/// The block of one CPU. The first fields are read by assembly.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct PerCpu {
    /// Linear address of this block: `mov rax, gs:[0]` gives it.
    this: u64,
    /// Where the stack ends, 16-byte aligned.
    stack_top: u64,
    /// Operand of LGDT: limit and base.
    gdtr: [u8; 10],
    /// CPU number.
    pub number: CpuNumber,
    /// Local APIC ID.
    pub apic_id: u32,
    /// Read and, for the TSS, written by the processor.
    gdt: [AtomicU64; gdt::SLOTS],
    tss: TaskStateSegment,
    /// Interrupts and NMIs taken from other CPUs, counted.
    pub ipis: AtomicU64,
    /// NMIs among them.
    pub nmis: AtomicU64,
    /// Who sent the IPI that is on its way, as CPU number + 1; 0 if nobody did.
    pub ipi_sender: AtomicU32,
    /// It is to go offline as soon as it has nothing to do.
    pub leaving: AtomicBool,
}

impl PerCpu {
    /// Makes the block ready for a start of its CPU, which does not run.
    pub fn prepare_start(&self) {
        self.leaving.store(false, Ordering::Release);
    }
}

/// Offsets that the assembly uses.
pub const STACK_TOP_OFFSET: usize = offset_of!(PerCpu, stack_top);
/// See [`STACK_TOP_OFFSET`].
pub const TSS_DESCRIPTOR_OFFSET: usize = offset_of!(PerCpu, gdt) + gdt::TSS_SELECTOR as usize;
/// See [`STACK_TOP_OFFSET`].
pub const GDTR_OFFSET: usize = offset_of!(PerCpu, gdtr);

/// Size of a CPU's stack, and of each of its interrupt stacks, in frames.
const STACK_FRAMES: u64 = 4;
const IST_STACK_FRAMES: u64 = 2;

/// Linear address of each CPU's block, 0 for none; read by `secondary_startup_64`. Linux's name for its offsets.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static __per_cpu_offset: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// Local APIC ID of each CPU, FFFFFFFFh for none; `secondary_startup_64` searches it for its own.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static cpuid_to_apicid: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(u32::MAX) }; MAX_CPUS];

/// Makes the block of a CPU: its stacks, GDT and TSS.
pub fn create(number: CpuNumber, apic_id: u32) -> &'static PerCpu {
    let stack = |frames| (phys_to_virt(direct_map::allocate(frames, FRAME_SIZE)) + frames * FRAME_SIZE).as_u64();
    let frames = (size_of::<PerCpu>() as u64).div_ceil(FRAME_SIZE);
    let block = phys_to_virt(direct_map::allocate(frames, FRAME_SIZE)).as_mut_ptr::<PerCpu>();

    let mut tss = TaskStateSegment::new();
    let mut ist = tss.interrupt_stack_table;
    ist[..IST_STACKS].fill_with(|| VirtAddr::new(stack(IST_STACK_FRAMES)));
    tss.interrupt_stack_table = ist;
    let tss_linear = block as u64 + offset_of!(PerCpu, tss) as u64;
    let gdt_linear = block as u64 + offset_of!(PerCpu, gdt) as u64;
    let mut gdtr = [0; 10];
    gdtr[..2].copy_from_slice(&((gdt::SLOTS * 8 - 1) as u16).to_le_bytes());
    gdtr[2..].copy_from_slice(&gdt_linear.to_le_bytes());

    // SAFETY: 1. the frames were just allocated, page-aligned and large enough; 2. they are never given back, so the
    // reference may live for ever; 3. it is shared from now on, and only atomics change through it; LTR's busy bit is
    // in one.
    let per_cpu = unsafe {
        block.write(PerCpu {
            this: block as u64,
            stack_top: stack(STACK_FRAMES),
            gdtr,
            number,
            apic_id,
            gdt: gdt::table(tss_linear, size_of::<TaskStateSegment>() as u64).map(AtomicU64::new),
            tss,
            ipis: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            nmis: AtomicU64::new(0),
            ipi_sender: AtomicU32::new(0),
        });
        &*block
    };
    cpuid_to_apicid[number as usize].store(apic_id, Ordering::Release);
    __per_cpu_offset[number as usize].store(block as u64, Ordering::Release);
    per_cpu
}

impl PerCpu {
    /// Linear address of this block.
    pub fn linear(&self) -> u64 {
        self.this
    }

    /// Where this CPU's stack ends.
    pub fn stack_top(&self) -> u64 {
        self.stack_top
    }
}

/// The block of a CPU, if it has one.
pub fn of(number: CpuNumber) -> Option<&'static PerCpu> {
    let linear = __per_cpu_offset.get(number as usize)?.load(Ordering::Acquire);
    // SAFETY: the address was stored by `create` and the block lives for ever.
    (linear != 0).then(|| unsafe { &*(linear as *const PerCpu) })
}

/// Whether the boot CPU has loaded GS; the other CPUs load it before their first Rust code.
static GS_LOADED: AtomicBool = AtomicBool::new(false);

/// The block of the CPU that executes this; `None` while the boot CPU has not loaded GS.
pub fn try_current() -> Option<&'static PerCpu> {
    GS_LOADED.load(Ordering::Acquire).then(current)
}

/// The block of the CPU that executes this. For code that runs after GS was loaded.
pub fn current() -> &'static PerCpu {
    let linear: u64;
    // SAFETY: 1. the boot CPU loads GS before interrupts or other CPUs are on, `secondary_startup_64` before the first
    // Rust code; 2. the first word of every block is its own address, and the block lives for ever.
    unsafe {
        core::arch::asm!("mov {}, gs:[0]", out(reg) linear, options(nostack, preserves_flags, readonly));
        &*(linear as *const PerCpu)
    }
}

unsafe extern "C" {
    /// In `asm/entry.S`: loads GDT, segments, TR, IDT and GS from a block.
    fn load_descriptor_tables(block: *const PerCpu);
}

/// Loads the boot CPU's GDT, segments, TSS, IDT and GS. The other CPUs do the same in `secondary_startup_64`.
pub fn load_boot_cpu(block: &'static PerCpu) {
    // SAFETY: the block was made by `create`; `idt::init` filled the IDT's descriptor.
    unsafe { load_descriptor_tables(block) };
    GS_LOADED.store(true, Ordering::Release);
}

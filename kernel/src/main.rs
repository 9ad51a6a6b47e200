//! The kernel's binary: its assembly, the real-mode blob, and the boot order as a list of calls. Everything that the calls
//! do is in the library.
#![no_std]
#![no_main]

use bootloader_api::{BootInfo, BootloaderConfig, entry_point};
use core::arch::global_asm;
use core::mem::{offset_of, size_of};
use kernel::arch::{cpu, cpuid, gdt, idt, lapic, percpu, port};
use kernel::mistake::{Mistake, Mistakes};
use kernel::mm::{direct_map, kernel_pgd, la57, page_table};
use kernel::options::{self, Options};
use kernel::screen::{self, Stage};
use kernel::smp::{acpi_tables, ap_start, bringup, cpus, irq, madt::Madt, realmode, stop};
use kernel::{boot, console, efi, memlayout, println, restart, shell, time, trap};
use spin::Once;
use trampoline::{RealModeHeader, TrampolineHeader};
use x86_64::PhysAddr;

/// The real-mode blob, from the build script.
#[expect(dead_code, reason = "it names all symbols; few are needed here")]
mod blob {
    include!(concat!(env!("OUT_DIR"), "/blob.rs"));
}

// What assembly and Rust share, from Rust.
global_asm!(
    ".set PERCPU_STACK_TOP, {stack_top}",
    ".set PERCPU_GDTR, {gdtr}",
    ".set PERCPU_TSS_DESCRIPTOR, {tss_descriptor}",
    ".set MAX_CPUS, {max_cpus}",
    ".set LOCAL_APIC_LINEAR, {local_apic}",
    ".set KERNEL_CS, {kernel_cs}",
    ".set TSS_SELECTOR, {tss_selector}",
    ".set CR0_STATE, {cr0_state}",
    stack_top = const percpu::STACK_TOP_OFFSET,
    gdtr = const percpu::GDTR_OFFSET,
    tss_descriptor = const percpu::TSS_DESCRIPTOR_OFFSET,
    max_cpus = const memlayout::MAX_CPUS,
    local_apic = const memlayout::LOCAL_APIC_LINEAR,
    kernel_cs = const gdt::KERNEL_CS,
    tss_selector = const gdt::TSS_SELECTOR,
    cr0_state = const cpu::CR0_STATE.bits(),
);
global_asm!(include_str!("../asm/defs.S"), options(raw));
global_asm!(include_str!("../asm/efi.S"), options(raw));
global_asm!(include_str!("../asm/entry.S"), options(raw));
global_asm!(include_str!("../asm/head_64.S"), options(raw));
global_asm!(include_str!("../asm/la57.S"), options(raw));
global_asm!(include_str!("../asm/lapic.S"), options(raw));
global_asm!(include_str!("../asm/restart.S"), options(raw));
global_asm!(include_str!("../asm/traps.S"), options(raw));
global_asm!(include_str!("../asm/mem.S"), options(raw));

// The structures in Rust and the labels in the blob's assembly name the same bytes.
const _: () = {
    use blob::symbol as at;
    assert!(at::REAL_MODE_HEADER == 0);
    assert!(at::RMH_TEXT_START == offset_of!(RealModeHeader, text_start));
    assert!(at::RMH_RO_END == offset_of!(RealModeHeader, ro_end));
    assert!(at::RMH_TRAMPOLINE_START == offset_of!(RealModeHeader, trampoline_start));
    assert!(at::RMH_TRAMPOLINE_HEADER == offset_of!(RealModeHeader, trampoline_header));
    assert!(at::RMH_TRAMPOLINE_PGD == offset_of!(RealModeHeader, trampoline_pgd));
    assert!(at::RMH_TRAMPOLINE_START64 == offset_of!(RealModeHeader, trampoline_start64));
    assert!(at::RMH_MACHINE_REAL_RESTART_ASM == offset_of!(RealModeHeader, machine_real_restart_asm));
    assert!(at::RMH_MACHINE_REAL_RESTART_SEG == offset_of!(RealModeHeader, machine_real_restart_seg));
    assert!(at::RMH_END == RealModeHeader::SIZE);
    assert!(at::TR_START - at::TRAMPOLINE_HEADER == offset_of!(TrampolineHeader, start));
    assert!(at::TR_EFER - at::TRAMPOLINE_HEADER == offset_of!(TrampolineHeader, efer));
    assert!(at::TR_CR4 - at::TRAMPOLINE_HEADER == offset_of!(TrampolineHeader, cr4));
    assert!(at::TR_FLAGS - at::TRAMPOLINE_HEADER == offset_of!(TrampolineHeader, flags));
    assert!(at::TR_LOCK - at::TRAMPOLINE_HEADER == offset_of!(TrampolineHeader, lock));
    assert!(at::TRAMPOLINE_HEADER.is_multiple_of(8) && at::TRAMPOLINE_PGD.is_multiple_of(4096));
    assert!(at::TRAMPOLINE_START == 0x1000);
    assert!(size_of::<TrampolineHeader>() <= at::RM_STACK - at::TRAMPOLINE_HEADER);
    assert!(blob::BYTES.len().is_multiple_of(4096));
};

static BLOB: realmode::Blob = realmode::Blob {
    bytes: &blob::BYTES,
    segments: blob::SEGMENTS,
    linears: blob::LINEARS,
    end_signature: blob::symbol::END_SIGNATURE,
    take_lock: blob::symbol::TR_TAKE_LOCK..blob::symbol::TR_LOAD_STACK,
};

static CONFIG: BootloaderConfig = boot::CONFIG;
entry_point!(start_kernel, config = &CONFIG);

/// What the first half finds out and the second half, on another stack, needs.
struct Found {
    options: Options,
    madt: Madt,
}

static FOUND: Once<Found> = Once::new();

/// The first half: on the loader's tables and stack, up to the switch to the kernel's own.
fn start_kernel(boot_info: &'static mut BootInfo) -> ! {
    console::init();
    cpu::init_boot_cpu();
    println!("Firstlight kernel {}", env!("CARGO_PKG_VERSION"));
    let boot = boot::copy(boot_info);
    let options = read_options(boot);
    trap::set_kaiser(options.kaiser);
    let mut madt = acpi_tables::read_madt(boot.rsdp).unwrap_or_else(|error| {
        println!("acpi: {error}; the boot CPU is all that is used");
        Madt::default()
    });
    if let Some(error) = madt.damaged {
        println!("acpi: {error}; what comes before it is used");
    }
    if madt.twice > 0 {
        println!(
            "acpi: the MADT lists {} processors with an APIC ID that another one has; they are left out",
            madt.twice
        );
    }
    madt.mend_places(boot.regions(), cpuid::physical_end(), |what, at| {
        println!("acpi: the MADT has {what} at {at:x}, where they cannot be; that is not used");
    });
    restart::remember(acpi_tables::read_reset_register(boot.rsdp));
    direct_map::init(boot.regions());
    idt::init();
    let boot_cpu = percpu::create(0, cpuid::initial_apic_id());
    percpu::load_boot_cpu(boot_cpu);
    if !cpuid::has_nx() && !options.mistakes.has(Mistake::NxUnsupported) {
        page_table::leave_nx_out();
    }
    let mismatch = options.mistakes.has(Mistake::X2apicMismatch);
    let said = lapic::choose_mode(options.x2apic, mismatch).unwrap_or_else(|error| panic!("{error}"));
    if let Some(said) = said {
        println!("apic: {said}");
    }
    // In x2APIC mode nobody is at the local APICs' address.
    let devices = kernel_pgd::Devices {
        local_apic: (!lapic::is_x2apic()).then_some(madt.local_apic),
        io_apic: madt.io_apic.map(|io_apic| io_apic.physical),
    };
    let below_1_mib = place_for_la57(&options);
    cpu::choose_cr4(below_1_mib.is_some(), !options.kaiser);
    let init_top_pgt = kernel_pgd::build(boot.regions(), devices, options.kaiser);
    let Found { options, .. } = FOUND.call_once(|| Found { options, madt });
    if let Some(base) = below_1_mib {
        let real_mode = realmode::setup_real_mode(&BLOB, base, ap_start::entry_point(), options);
        let real_mode = real_mode.unwrap_or_else(|error| panic!("la57=on: {error}"));
        la57::switch_to(&real_mode, boot_cpu, start_kernel_on_own_tables)
    }
    // SAFETY: the tables were just built; the stack is the boot CPU's own, in the direct map, and unused so far.
    unsafe { kernel_pgd::switch_to(init_top_pgt, boot_cpu.stack_top(), start_kernel_on_own_tables) }
}

/// The second half: on `init_top_pgt` and the boot CPU's stack. Nothing of the loader is left.
extern "C" fn start_kernel_on_own_tables() -> ! {
    let Found { options, madt } = FOUND.get().expect("the first half stored it");
    let boot_cpu = percpu::current();
    ap_start::boot_cpu_came();
    screen::move_to_own_tables();
    println!("mm: init_top_pgt loaded: kernel, direct map, no identity map");
    if cpu::has_five_levels() {
        println!("mm: CR4.LA57 is on: page tables have five levels");
    }
    if options.mistakes.has(Mistake::Cr4Constant) {
        cpu::choose_constant_cr4();
    }
    if options.mistakes != Mistakes::default() {
        println!("mistakes that are on:{}", options.mistakes);
    }
    if options.pcid {
        println!("mm: {}", cpu::enable_pcid());
    }
    lapic::enable();
    screen::stage(Stage::Clock);
    println!("time: TSC runs at {} kHz, measured with PIT channel 2", time::calibrate());
    screen::stage(Stage::Interrupts);
    create_other_cpus(madt);
    irq::init(madt, boot_cpu.apic_id);
    for mask in [&cpus::INITIALIZED, &cpus::CALLOUT, &cpus::CALLIN, &cpus::ONLINE] {
        mask.set(0);
    }
    port::announce_online();
    screen::stage(Stage::RealMode);
    let real_mode = match realmode::placed() {
        // The boot CPU came through it to five levels; now its own state is what the others get.
        Some(real_mode) => {
            real_mode.fill_header(ap_start::entry_point());
            Ok(real_mode)
        }
        None => realmode::reserve_real_mode(&BLOB, boot::info().regions(), options)
            .and_then(|base| realmode::setup_real_mode(&BLOB, base, ap_start::entry_point(), options)),
    };
    efi::enter_virtual_mode(options);
    screen::stage(Stage::Processors);
    match real_mode {
        Ok(real_mode) => bringup::smp_init(&real_mode, options),
        Err(error) => println!("smp: no other CPU can be started: {error}"),
    }
    screen::stage(Stage::Ready);
    shell::run()
}

/// With la57=on: the place of the real-mode blob, through which the boot CPU gets to five levels. None: there are four.
fn place_for_la57(options: &Options) -> Option<PhysAddr> {
    if !options.la57 {
        return None;
    }
    if !cpuid::has_la57() {
        println!("mm: la57=on: this processor has no 5-level paging");
        return None;
    }
    match realmode::reserve_real_mode(&BLOB, boot::info().regions(), options) {
        Ok(base) => {
            direct_map::use_five_levels();
            Some(base)
        }
        Err(error) => {
            println!("mm: la57=on: page tables keep four levels: {error}");
            None
        }
    }
}

fn read_options(boot: &boot::Boot) -> Options {
    if boot.options_given > boot::MAX_OPTIONS as u64 {
        println!("options: only the first {} of {} bytes are read", boot::MAX_OPTIONS, boot.options_given);
    }
    if boot.regions_lost > 0 {
        println!("mm: the memory map has {} regions too many; they are not used", boot.regions_lost);
    }
    if boot.beyond > 0 {
        println!(
            "mm: {} regions of the memory map reach beyond {:x}, where this processor's addresses end; that is not used",
            boot.beyond,
            cpuid::physical_end()
        );
    }
    if boot.contradictions > 0 {
        println!(
            "mm: the memory map calls memory free in {} places and says that it is in use there; it is not taken",
            boot.contradictions
        );
    }
    let (said, text) = efi::hand_over::split(boot.options());
    let options = options::parse(text, |word, why| {
        println!("options: {word:?} ignored: {why}; known are {}", options::KNOWN);
    });
    // Before anything is kept that lies in the direct map.
    direct_map::move_up(options.page_offset_gib);
    efi::init(said);
    options
}

/// Numbers the processors: the boot CPU is 0, the others follow in the MADT's order.
fn create_other_cpus(madt: &Madt) {
    let boot_apic_id = lapic::id();
    let mut number = 1;
    for &apic_id in madt.apic_ids().iter().filter(|id| u32::from(**id) != boot_apic_id) {
        if (number as usize) < memlayout::MAX_CPUS {
            percpu::create(number, apic_id.into());
            number += 1;
        }
    }
    cpus::set_possible(number as usize);
    println!("acpi: {number} CPUs; CPU 0 has APIC ID {boot_apic_id}");
    if madt.left_out > 0 {
        println!("acpi: {} more CPUs have APIC IDs that xAPIC cannot name; they are left out", madt.left_out);
    }
}

/// A bug in the kernel: says where and ends.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    stop::begin(port::ExitCode::Panic);
    match percpu::try_current() {
        Some(cpu) => println!("\nCPU {}: kernel panic: {info}", cpu.number),
        None => println!("\nkernel panic: {info}"),
    }
    stop::end(port::ExitCode::Panic)
}

/// The prebuilt `core` was compiled with unwinding and refers to this symbol.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

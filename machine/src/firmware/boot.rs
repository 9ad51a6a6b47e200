//! Direct boot: the machine at the kernel's first instruction, without a firmware having run.
//!
//! [`machine`] is called by `firstlight-machine` and the window's server whenever power comes on. It checks the
//! configuration, fills RAM and gives the bootstrap processor its registers.

use crate::bus::{Bus, ram::Ram};
use crate::cpu::mtrr::Mtrrs;
use crate::cpu::segment::{self, Segment, TableRegister, attr};
use crate::cpu::{Cpu, cr0, cr4, efer, flags, gpr};
use crate::device::nvram::{self, Nvram};
use crate::firmware::memory_map::{FIRMWARE_AREA, HIGH_MEMORY, MAX_MEMORY_BYTES, memory_map};
use crate::firmware::{acpi, efi, quirks};
use crate::machine::Machine;
use crate::schedule::Schedule;
use loader::{Entry, Image, LoadError, PhysMemory, Platform, RegionAllocator};
use protocol::request::{CpuQuirk, MachineConfig};
use protocol::{Activity, CpuId};
use std::fmt;

/// Most processors: APIC IDs are 8 bits wide, and FFh is the broadcast.
pub const MAX_CPUS: u16 = 255;

/// Where real-mode code that jumps to F000:FFF0 arrives.
pub(super) const RESET_VECTOR: u64 = 0xf_fff0;
/// All of this machine's firmware that is code. A PC's would initialize the hardware and load a kernel; this one has the
/// machine do both: `mov dx, 0cf9h; mov al, 2; out dx, al; mov al, 6; out dx, al; hlt`, and `jmp` to the HLT.
pub(super) const RESET_CODE: [u8; 12] = [0xba, 0xf9, 0x0c, 0xb0, 0x02, 0xee, 0xb0, 0x06, 0xee, 0xf4, 0xeb, 0xfd];

/// Why a machine cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootError {
    /// No processor, or more than APIC IDs; how many were asked for.
    Cpus(u16),
    /// The list of APIC IDs does not fit the number of processors.
    ApicIdCount {
        /// How many IDs.
        ids: usize,
        /// How many processors.
        cpus: u16,
    },
    /// Two processors with one APIC ID.
    DuplicateApicId(u8),
    /// Two quirks of processors that contradict each other.
    Quirks(CpuQuirk, CpuQuirk),
    /// FFh: the broadcast.
    BroadcastApicId,
    /// RAM that is no PC's; what is wrong with it.
    Memory {
        /// Size asked for, in bytes.
        bytes: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// An image for any PC that is not what it should be, in words.
    Image(String),
    /// More bytes for the firmware's variables than there is memory for; how many.
    Variables(usize),
    /// The firmware that this program was built with; what is wrong with it.
    Firmware(&'static str),
    /// The kernel's image, or too little RAM for it.
    Kernel(LoadError),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpus(cpus) => write!(f, "{cpus} CPUs: this machine has 1 to {MAX_CPUS}"),
            Self::ApicIdCount { ids, cpus } => write!(f, "{ids} APIC IDs for {cpus} CPUs: give one for each"),
            Self::DuplicateApicId(id) => write!(f, "APIC ID {id} is given twice: each CPU needs its own"),
            Self::BroadcastApicId => write!(f, "APIC ID 255 means all CPUs and can be no CPU's own"),
            Self::Quirks(one, other) => {
                write!(f, "the quirks {} and {} contradict each other: leave one out", one.word(), other.word())
            }
            Self::Memory { bytes, why } => write!(f, "{} KiB of memory: {why}", bytes / 1024),
            Self::Image(why) => write!(f, "{why}"),
            Self::Variables(bytes) => {
                write!(f, "{bytes} bytes of firmware variables: there is room for {}", nvram::BYTES)
            }
            Self::Firmware(why) => {
                write!(f, "the firmware that is part of this program: {why}; `cargo xtask build` makes it anew")
            }
            Self::Kernel(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BootError {}

impl From<LoadError> for BootError {
    fn from(error: LoadError) -> Self {
        Self::Kernel(error)
    }
}

/// The APIC ID of each processor, unique.
pub(super) fn apic_ids(config: &MachineConfig) -> Result<Vec<u8>, BootError> {
    if config.cpus == 0 || config.cpus > MAX_CPUS {
        return Err(BootError::Cpus(config.cpus));
    }
    if config.apic_ids.is_empty() {
        return Ok((0..=u8::MAX).take(usize::from(config.cpus)).collect());
    }
    if config.apic_ids.len() != usize::from(config.cpus) {
        return Err(BootError::ApicIdCount { ids: config.apic_ids.len(), cpus: config.cpus });
    }
    let mut seen = [false; 256];
    for &id in &config.apic_ids {
        if id == u8::MAX {
            return Err(BootError::BroadcastApicId);
        }
        if std::mem::replace(&mut seen[usize::from(id)], true) {
            return Err(BootError::DuplicateApicId(id));
        }
    }
    Ok(config.apic_ids.clone())
}

/// A machine at position 0 with the kernel (the bytes of its ELF file) about to run on CPU 0.
///
/// # Errors
/// The configuration makes no machine, the image is no kernel, or it needs more memory.
pub fn machine(kernel: &[u8], config: &MachineConfig) -> Result<Machine, BootError> {
    let apic_ids = apic_ids(config)?;
    quirks::check(config)?;
    let (bus, entry) = memory(kernel, config, &apic_ids)?;
    let power_on = |(cpu, &apic_id)| Cpu::power_on(CpuId(cpu), u32::from(apic_id), cpu == 0);
    let mut cpus: Vec<Cpu> = (0..).zip(&apic_ids).map(power_on).collect();
    for cpu in &mut cpus {
        quirks::apply(cpu, config);
        cpu.msr.mtrrs = Mtrrs::as_firmware_leaves_them();
    }
    if let Some(bsp) = cpus.first_mut() {
        enter(bsp, &entry, has_no_execute(config));
    }
    Ok(Machine::new(cpus, bus, Schedule::new(config.quantum, config.seed)))
}

/// RAM of this size can be a PC's.
pub(super) fn check_memory(bytes: u64) -> Result<(), BootError> {
    let bad = |why| Err(BootError::Memory { bytes, why });
    if !bytes.is_multiple_of(4096) {
        return bad("it must be a multiple of 4 KiB");
    }
    if bytes <= HIGH_MEMORY {
        return bad("a kernel is loaded above 1 MiB, so there must be more");
    }
    if bytes > MAX_MEMORY_BYTES {
        return bad("from 3 GiB on there are devices, so there must not be more than that");
    }
    Ok(())
}

/// RAM with the kernel and the firmware's tables in it, and how the kernel is to be entered.
fn memory(kernel: &[u8], config: &MachineConfig, apic_ids: &[u8]) -> Result<(Bus, Entry), BootError> {
    let bytes = config.memory_bytes;
    check_memory(bytes)?;
    let image = Image::parse(kernel)?;
    if config.firmware.variables.len() > nvram::BYTES {
        return Err(BootError::Variables(config.firmware.variables.len()));
    }
    let mut bus = Bus::new(bytes);
    bus.devices.nvram = Nvram::new(&config.firmware.variables);
    let efi = efi::place(&mut bus.ram, config).map_err(BootError::Firmware)?;
    let regions = efi.as_ref().map_or_else(|| memory_map(bytes).to_vec(), |efi| efi.regions.clone());
    bus.ram.write_slice(FIRMWARE_AREA, &acpi::tables(apic_ids, FIRMWARE_AREA));
    bus.ram.write_slice(RESET_VECTOR, &RESET_CODE);
    let platform = Platform {
        regions: &regions,
        rsdp_paddr: Some(FIRMWARE_AREA),
        ramdisk: config.options.as_bytes(),
        efi: efi.as_ref().and_then(|efi| efi.efi()),
        framebuffer: None,
        identity_map: None,
        huge_pages: false,
        no_execute: has_no_execute(config),
    };
    let free = efi.as_ref().map_or(&regions, |efi| &efi.free);
    let mut memory = GuestMemory { ram: &mut bus.ram, allocator: RegionAllocator::new(free) };
    let entry = loader::load(&image, &platform, &mut memory)?;
    Ok((bus, entry))
}

/// What a loader finds in CPUID: its tables use NX where the processor has it.
fn has_no_execute(config: &MachineConfig) -> bool {
    !config.cpu_quirks.contains(&CpuQuirk::NoNx)
}

/// The bootstrap processor, reset before, at the kernel's first instruction as a loader enters it: long mode with the
/// loader's tables and flat segments, interrupts off, no interrupt descriptor table.
fn enter(cpu: &mut Cpu, entry: &Entry, no_execute: bool) {
    /// As the descriptors in the loader's GDT say.
    const CODE: u32 = attr::ACCESSED | attr::WRITABLE | attr::CODE | attr::S | attr::P | attr::L | attr::G;
    const DATA: u32 = attr::ACCESSED | attr::WRITABLE | attr::S | attr::P | attr::DB | attr::G;
    let flat = |selector, attributes| Segment { selector, attributes, limit: u32::MAX, base: 0 };
    let null = Segment { attributes: attr::UNUSABLE, ..Segment::default() };
    cpu.activity = Activity::Running;
    cpu.gpr = [0; 16];
    cpu.gpr[gpr::RSP] = entry.rsp;
    cpu.gpr[gpr::RDI] = entry.rdi;
    cpu.rip = entry.rip;
    cpu.rflags = flags::RESERVED_ONE;
    cpu.segments = [flat(0x10, DATA); 6];
    cpu.segments[segment::CS] = flat(0x08, CODE);
    cpu.segments[segment::FS] = null;
    cpu.segments[segment::GS] = null;
    cpu.gdtr = TableRegister { base: entry.gdt_paddr, limit: 3 * 8 - 1 };
    cpu.idtr = TableRegister::default();
    cpu.cr3 = entry.cr3;
    cpu.cr4 = cr4::PAE;
    cpu.efer = efer::LME | efer::LMA | if no_execute { efer::NXE } else { 0 };
    cpu.cr0 = cr0::PE | cr0::ET | cr0::WP | cr0::PG;
    cpu.update_mode();
}

/// RAM as the loader sees it. It starts zeroed, and only the loader takes frames.
struct GuestMemory<'a> {
    ram: &'a mut Ram,
    allocator: RegionAllocator,
}

impl PhysMemory for GuestMemory<'_> {
    fn allocate(&mut self, frames: u64) -> Option<u64> {
        self.allocator.allocate(frames)
    }

    fn available_frames(&self) -> u64 {
        self.allocator.available_frames()
    }

    fn write(&mut self, paddr: u64, bytes: &[u8]) {
        let written = self.ram.write_slice(paddr, bytes);
        assert!(written, "the allocator hands out RAM");
    }

    fn read_u64(&self, paddr: u64) -> u64 {
        u64::from_le_bytes(self.ram.read(paddr).expect("the allocator hands out RAM"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MachineConfig {
        MachineConfig {
            cpus: 4,
            apic_ids: Vec::new(),
            memory_bytes: 64 << 20,
            quantum: 64,
            seed: None,
            options: String::new(),
            cpu_quirks: Vec::new(),
            firmware: Default::default(),
        }
    }

    /// Goal: numbers of CPUs and APIC IDs that make no machine are refused by name; method: one of each.
    #[test]
    fn apic_ids_are_checked() {
        let check = |cpus, ids: &[u8]| apic_ids(&MachineConfig { cpus, apic_ids: ids.to_vec(), ..config() });
        assert_eq!(check(3, &[]), Ok(vec![0, 1, 2]));
        assert_eq!(check(255, &[]).map(|ids| ids.len()), Ok(255));
        assert_eq!(check(2, &[8, 3]), Ok(vec![8, 3]));
        assert_eq!(check(0, &[]), Err(BootError::Cpus(0)));
        assert_eq!(check(300, &[]), Err(BootError::Cpus(300)));
        assert_eq!(check(3, &[1, 2]), Err(BootError::ApicIdCount { ids: 2, cpus: 3 }));
        assert_eq!(check(3, &[1, 2, 1]), Err(BootError::DuplicateApicId(1)));
        assert_eq!(check(1, &[255]), Err(BootError::BroadcastApicId));
    }

    /// Goal: RAM sizes that make no PC and files that are no kernel are refused; method: one of each.
    #[test]
    fn memory_and_image_are_checked() {
        let check = |memory_bytes| machine(b"no ELF", &MachineConfig { memory_bytes, ..config() }).map(|_| ());
        for bytes in [0, 1 << 20, (2 << 20) + 1, 4 << 30, !4095] {
            assert!(matches!(check(bytes), Err(BootError::Memory { .. })), "{bytes:#x}");
        }
        assert_eq!(check(2 << 20), Err(BootError::Kernel(LoadError::NotElf)));
    }
}

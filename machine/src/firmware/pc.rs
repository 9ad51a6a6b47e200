//! Kernels for any PC: multiboot, PVH, a ROM, a disk's boot sector, a flat image. [`machine`] builds the machine as a PC's
//! firmware and boot loader leave it, devices and tables included, with the boot processor at the image's first instruction.
//!
//! [`tables`] is what firmware writes into memory, [`elf`], [`multiboot`] and [`pvh`] read images, [`place`] puts them into
//! RAM. What is wrong with an image is an error in words; memory is what the configuration says, whatever the image says.

mod acpi;
pub mod elf;
mod mp_table;
pub mod multiboot;
mod place;
mod pvh;
mod tables;
#[cfg(test)]
mod tests;

use super::boot::{self, BootError};
use super::quirks;
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::mtrr::Mtrrs;
use crate::cpu::segment::{self, Segment, TableRegister, attr};
use crate::cpu::{cr0, flags, gpr};
use crate::device::ide::{Disk, Ide};
use crate::device::rom::Rom;
use crate::machine::Machine;
use crate::schedule::Schedule;
use protocol::request::MachineConfig;
use protocol::{Activity, CpuId};
use std::sync::Arc;

/// Where a boot sector is loaded.
const BOOT_SECTOR: u64 = 0x7c00;
/// A boot sector is loaded to here if its disk is the first.
const FIRST_DISK: u64 = 0x80;

/// What is to be run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// An image with a multiboot 1 header.
    Multiboot,
    /// An ELF image with Xen's note of a 32-bit entry.
    Pvh,
    /// 64 or 128 KiB, from the reset vector on.
    Rom,
    /// The first sector of the first disk; there is no image.
    Disk,
    /// The bytes of the image, put at a physical address and entered there.
    Flat {
        /// Where.
        paddr: u64,
        /// In real mode, or else in flat 32-bit protected mode.
        real: bool,
    },
}

/// A file that goes with a kernel, and the text that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Name and parameters, as the kernel gets them.
    pub text: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// All that comes from files.
#[derive(Clone, Debug)]
pub struct PcImage {
    /// How it is started.
    pub start: Start,
    /// The image; empty with [`Start::Disk`].
    pub image: Vec<u8>,
    /// The kernel's command line, its name first.
    pub cmdline: String,
    /// Files for the kernel.
    pub modules: Vec<Module>,
    /// Disks of the first IDE channel.
    pub disks: Vec<Arc<[u8]>>,
}

/// A machine at position 0 with the image about to run on CPU 0.
///
/// # Errors
/// The configuration makes no machine, the image is not what it should be, or it does not fit into memory.
pub fn machine(image: &PcImage, config: &MachineConfig) -> Result<Machine, BootError> {
    let apic_ids = boot::apic_ids(config)?;
    quirks::check(config)?;
    boot::check_memory(config.memory_bytes)?;
    let mut cpus: Vec<Cpu> =
        (0..).zip(&apic_ids).map(|(cpu, &id)| Cpu::power_on(CpuId(cpu), u32::from(id), cpu == 0)).collect();
    cpus.iter_mut().for_each(|cpu| quirks::apply(cpu, config));
    let mut bus = Bus::new(config.memory_bytes);
    let disks = |index: usize| image.disks.get(index).map(|bytes| Disk::new(Arc::clone(bytes)));
    if image.disks.len() > 2 {
        return Err(BootError::Image(format!("{} disks: an IDE channel has two", image.disks.len())));
    }
    bus.devices.ide = Ide::new([disks(0), disks(1)]);
    if image.start == Start::Rom {
        rom(&image.image, &mut bus)?;
    } else {
        tables::write(&apic_ids, config.memory_bytes, &mut bus);
        tables::set_devices(config, image.disks.len(), &mut bus.devices);
        cpus.iter_mut().for_each(|cpu| cpu.msr.mtrrs = Mtrrs::as_firmware_leaves_them());
        if let Some(bsp) = cpus.first_mut() {
            bsp.lapic.set_virtual_wire();
            bsp.cr0 = cr0::ET;
            enter(image, config.memory_bytes, bsp, &mut bus)?;
        }
    }
    Ok(Machine::new(cpus, bus, Schedule::new(config.quantum, config.seed)))
}

fn rom(bytes: &[u8], bus: &mut Bus) -> Result<(), BootError> {
    if !matches!(bytes.len(), 0x1_0000 | 0x2_0000) {
        return Err(BootError::Image(format!(
            "the ROM has {} bytes: it must have 64 or 128 KiB, of which the last 16 bytes are where the processor begins",
            bytes.len()
        )));
    }
    bus.devices.rom = Rom::new(bytes.into());
    let low = super::memory_map::HIGH_MEMORY - bytes.len() as u64;
    bus.ram.write_slice(low, bytes);
    bus.ram.protect(low, bytes.len());
    Ok(())
}

/// Puts the image into memory and the boot processor at its first instruction.
fn enter(image: &PcImage, memory_bytes: u64, cpu: &mut Cpu, bus: &mut Bus) -> Result<(), BootError> {
    match image.start {
        Start::Multiboot => {
            let (entry, info) = multiboot::load(image, memory_bytes, &mut bus.ram)?;
            protected(cpu, entry);
            cpu.gpr[gpr::RAX] = u64::from(multiboot::LOADER_MAGIC);
            cpu.gpr[gpr::RBX] = info;
        }
        Start::Pvh => {
            let (entry, info) = pvh::load(image, memory_bytes, &mut bus.ram)?;
            protected(cpu, entry);
            cpu.gpr[gpr::RBX] = info;
        }
        Start::Disk => {
            let Some(disk) = image.disks.first() else {
                return Err(BootError::Image("there is no disk to start from: name one with --disk FILE".into()));
            };
            let Some(sector) = disk.first_chunk::<512>() else {
                return Err(BootError::Image(format!("the disk has {} bytes, which is no sector", disk.len())));
            };
            if sector[510..] != [0x55, 0xaa] {
                return Err(BootError::Image(
                    "the disk's first sector does not end in 55h AAh, so it is no boot sector".into(),
                ));
            }
            bus.ram.write_slice(BOOT_SECTOR, sector);
            real(cpu, BOOT_SECTOR);
            cpu.gpr[gpr::RDX] = FIRST_DISK;
        }
        Start::Flat { paddr, real: in_real_mode } => {
            let mut placed = place::Placed::new(memory_bytes);
            placed.put("the image", paddr, &image.image, image.image.len() as u64, &mut bus.ram)?;
            if in_real_mode && paddr >= super::memory_map::HIGH_MEMORY {
                return Err(BootError::Image(format!("real mode does not reach {paddr:#x}")));
            }
            if in_real_mode { real(cpu, paddr) } else { protected(cpu, paddr) }
        }
        Start::Rom => {}
    }
    Ok(())
}

/// Real mode as BIOS leaves it, at a physical address below 1 MiB; a stack below the boot sector.
fn real(cpu: &mut Cpu, paddr: u64) {
    let code = &mut cpu.segments[segment::CS];
    // Below 64 KiB by offset, as BIOS enters a boot sector at 0000:7C00.
    let selector = if paddr < 0x1_0000 { 0 } else { paddr >> 4 & 0xf000 };
    (code.selector, code.base) = (selector as u16, selector << 4);
    cpu.rip = paddr - (selector << 4);
    cpu.gpr = [0; 16];
    cpu.gpr[gpr::RSP] = BOOT_SECTOR;
    cpu.idtr = TableRegister { base: 0, limit: 0x3ff };
    cpu.update_mode();
}

/// Flat 32-bit protected mode without paging, interrupts off (Multiboot Specification 0.6.96, "Machine state"; Xen's
/// hvm/start_info.h says the same of PVH).
fn protected(cpu: &mut Cpu, entry: u64) {
    const CODE: u32 = attr::ACCESSED | attr::WRITABLE | attr::CODE | attr::S | attr::P | attr::DB | attr::G;
    const DATA: u32 = attr::ACCESSED | attr::WRITABLE | attr::S | attr::P | attr::DB | attr::G;
    let flat = |selector, attributes| Segment { selector, attributes, limit: u32::MAX, base: 0 };
    cpu.activity = Activity::Running;
    cpu.gpr = [0; 16];
    cpu.rip = entry;
    cpu.rflags = flags::RESERVED_ONE;
    cpu.segments = [flat(0x10, DATA); 6];
    cpu.segments[segment::CS] = flat(0x08, CODE);
    cpu.gdtr = TableRegister { base: tables::GDT, limit: tables::GDT_BYTES as u16 - 1 };
    cpu.cr0 = cr0::PE | cr0::ET;
    cpu.update_mode();
}

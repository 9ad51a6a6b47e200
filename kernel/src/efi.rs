//! EFI: what the firmware left that can still be used, on page tables of its own. Linux: arch/x86/platform/efi/,
//! drivers/firmware/efi/.
//!
//! [`init`] runs before the first frame is taken: what the loader says ([`hand_over`]), the firmware's memory map
//! ([`memmap`]) and tables ([`system_table`]); without hand-over it looks for the system table itself ([`scan`]).
//! [`enter_virtual_mode`] builds `efi_pgd` ([`crate::mm::efi_pgd`]) and switches the firmware over to it ([`virt`]), or to where
//! Linux had it before: `efi=trampoline`, `efi=old_map` ([`old_map`]). Then its services can be called ([`mod@runtime`]).
#![allow(unsafe_code)]

pub mod check;
pub mod hand_over;
pub mod memmap;
pub mod old_map;
pub mod runtime;
pub mod scan;
pub mod system_table;
pub mod virt;

use crate::boot;
use crate::memlayout::phys_to_virt;
use crate::mm::frame::{Region, RegionKind};
use crate::options::{EfiTables, Options};
use crate::println;
use hand_over::HandOver;
use memmap::{MAX_MEMMAP, Memmap};
use spin::Once;
use system_table::Tables;
use x86_64::PhysAddr;

/// EFI as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Efi {
    /// Where things are.
    pub hand_over: HandOver,
    /// The firmware's memory map, in memory that the loader keeps.
    pub memmap: Memmap<'static>,
    /// What its tables say.
    pub tables: Tables,
}

static EFI: Once<Efi> = Once::new();

/// The runtime services, ready to be called.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    /// The page tables for the call.
    root: PhysAddr,
    tables: EfiTables,
    /// Physical address of the services' table.
    services: u64,
    /// The runtime regions with their linear addresses.
    pub memmap: Memmap<'static>,
}

static RUNTIME: Once<Runtime> = Once::new();

/// EFI, if there is one.
pub fn get() -> Option<&'static Efi> {
    EFI.get()
}

/// The runtime services, if they can be called.
pub fn runtime() -> Option<&'static Runtime> {
    RUNTIME.get()
}

/// Takes what the loader said in front of the options, before the first frame is taken.
pub fn init(said: Result<Option<HandOver>, &str>) {
    let regions = boot::info().regions();
    let hand_over = match said {
        Ok(Some(hand_over)) => hand_over,
        Ok(None) => {
            look_for_it(regions);
            return;
        }
        Err(line) => {
            println!("efi: the loader's hand-over is not understood: {line}");
            return;
        }
    };
    let memmap = open_memmap(&hand_over, regions);
    match memmap.and_then(|memmap| Ok((memmap, system_table::read_tables(regions, hand_over.system_table)?))) {
        Ok((memmap, tables)) => {
            if memmap.cut_off() != 0 {
                println!("efi: the memory map ends within a descriptor; that one is not used");
            }
            EFI.call_once(|| Efi { hand_over, memmap, tables });
        }
        Err(why) => println!("efi: not used: {why}"),
    }
}

fn look_for_it(regions: &[Region]) {
    let memory = regions.iter().filter(|region| !matches!(region.kind, RegionKind::Reserved(_)));
    let end = memory.map(|region| region.end).max().unwrap_or(0);
    let Some(found) = scan::find(end, |at| system_table::bytes_at(regions, at, scan::LEN)) else { return };
    println!("efi: EFI_SYSTEM_TABLE_POINTER at {:x}, system table at {:x}", found.pointer, found.system_table);
    if found.unfinished {
        println!("efi: its CRC is 0: the firmware did not finish it");
    }
    match system_table::read_tables(regions, found.system_table) {
        Ok(tables) => println!("efi: the firmware's revision is {:#x}", tables.firmware_revision),
        Err(why) => println!("efi: {why}"),
    }
    println!("efi: the loader handed over no memory map, so the runtime services are unavailable");
}

fn open_memmap(hand_over: &HandOver, regions: &[Region]) -> Result<Memmap<'static>, &'static str> {
    let (start, size) = (hand_over.memmap, hand_over.memmap_size);
    let end = start.checked_add(size).filter(|_| size <= MAX_MEMMAP).ok_or("the memory map is larger than 1 MiB")?;
    // Memory that is mapped, and from which no frame is taken.
    let kept = |region: &Region| matches!(region.kind, RegionKind::Loader | RegionKind::Firmware(_));
    if !regions.iter().any(|region| kept(region) && region.start <= start && end <= region.end) {
        return Err("the memory map does not lie in memory that is kept");
    }
    // SAFETY: the loader put the map there, where the direct map leads in its tables and in ours; nobody writes it.
    let bytes =
        unsafe { core::slice::from_raw_parts(phys_to_virt(PhysAddr::new(start)).as_ptr::<u8>(), size as usize) };
    let memmap = usize::try_from(hand_over.memdesc_size).ok().and_then(|size| Memmap::new(bytes, size));
    memmap.ok_or("the memory map's descriptors have no room for what a descriptor has")
}

/// Maps the firmware and switches it over to its linear addresses; then the services can be called.
pub fn enter_virtual_mode(options: &Options) {
    let Some(efi) = get() else { return };
    if options.efi == EfiTables::Off {
        println!("efi: no runtime services, as the options say");
        return;
    }
    match virt::enter_virtual_mode(efi, options) {
        Ok(runtime) => {
            RUNTIME.call_once(|| runtime);
        }
        Err(why) => println!("efi: no runtime services: {why}"),
    }
    check::kernel_tables(efi);
}

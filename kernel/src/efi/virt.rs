//! The way into virtual mode: the firmware's regions get linear addresses, and SetVirtualAddressMap tells it of them. Linux:
//! `efi_enter_virtual_mode()` in arch/x86/platform/efi/efi.c.
#![allow(unsafe_code)]

use super::{Efi, Runtime, old_map, runtime};
use crate::arch::{cpuid, flush};
use crate::boot;
use crate::efi::memmap::{self, Memmap};
use crate::memlayout::phys_to_virt;
use crate::mistake::{Mistake, Mistakes};
use crate::mm::frame::FRAME_SIZE;
use crate::mm::page_table::MapError;
use crate::mm::{direct_map, direct_map::DirectMap, efi_pgd, kernel_pgd, roots};
use crate::options::{EfiTables, Options};
use crate::println;
use core::sync::atomic::Ordering;
use runtime::Service;
use uefi_raw::Status;
use uefi_raw::table::boot::{MemoryAttribute, MemoryDescriptor, MemoryType};
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::{PhysAddr, structures::paging::PageTableFlags as Flags};

/// Why there are no runtime services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtError {
    /// The tables that the options ask for are not there.
    NoTables,
    /// The firmware uses no memory at run time.
    NoRegions,
    /// A region could not be mapped.
    Map(MapError),
    /// The EFI window is full.
    WindowFull,
    /// SetVirtualAddressMap failed.
    Firmware(Status),
}

impl core::fmt::Display for VirtError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoTables => write!(f, "trampoline_pgd is not made: there was no place for the real-mode code"),
            Self::NoRegions => write!(f, "the memory map has no region for them"),
            Self::Map(error) => write!(f, "{error}"),
            Self::WindowFull => write!(f, "the firmware's regions do not fit into the EFI window"),
            Self::Firmware(status) => write!(f, "SetVirtualAddressMap answered {status:?}"),
        }
    }
}

impl From<MapError> for VirtError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

/// Rights of a region until the firmware has taken its virtual addresses: it relocates its code, so all may be written and
/// executed, but for devices, which nobody executes.
fn flags_of(descriptor: &MemoryDescriptor) -> Flags {
    let mut flags = Flags::WRITABLE;
    flags.set(Flags::NO_CACHE, !descriptor.att.contains(MemoryAttribute::WRITE_BACK));
    flags.set(Flags::NO_EXECUTE, matches!(descriptor.ty, MemoryType::MMIO | MemoryType::MMIO_PORT_SPACE));
    flags
}

/// Gives all regions of the firmware's their places, switches it over to them, and takes away the rights that it does not
/// need.
///
/// # Errors
/// [`VirtError`]
pub fn enter_virtual_mode(efi: &Efi, options: &Options) -> Result<Runtime, VirtError> {
    let mistakes = options.mistakes;
    let init_top_pgt = roots::by_name("init_top_pgt").expect("the kernel runs on it");
    let root = match options.efi {
        EfiTables::Own => {
            let root = kernel_pgd::allocate_root(options.kaiser);
            efi_pgd::init(&mut DirectMap, root)?;
            roots::efi_pgd_paddr.store(root.as_u64(), Ordering::Release);
            root
        }
        EfiTables::Trampoline => roots::by_name("trampoline_pgd").ok_or(VirtError::NoTables)?,
        EfiTables::OldMap | EfiTables::Off => init_top_pgt,
    };
    let mut new_map = NewMap::new(&efi.memmap, efi.hand_over.memdesc_size);
    let count = map_regions(efi, options, root, &mut new_map)?;
    if count == 0 {
        return Err(VirtError::NoRegions);
    }
    if options.efi != EfiTables::OldMap {
        map_for_the_call(root, &new_map, mistakes)?;
    }
    drop_stale(options.efi);
    println!("efi: calls run on {}; runtime regions mapped: {count}", tables_name(options.efi));
    set_virtual_address_map(efi, options, root, &new_map)?;
    let runtime = Runtime {
        root,
        tables: options.efi,
        services: efi.tables.runtime_services,
        memmap: new_map.as_map().ok_or(VirtError::NoRegions)?,
    };
    update_mappings(efi, &runtime)?;
    if options.efi == EfiTables::Trampoline && mistakes.has(Mistake::EfiUnmap) {
        unmap_new_map(root, &new_map)?;
    }
    drop_stale(options.efi);
    Ok(runtime)
}

/// The tables for the calls have changed.
fn drop_stale(tables: EfiTables) {
    if tables == EfiTables::Own { flush::efi() } else { flush::all() }
}

const fn tables_name(tables: EfiTables) -> &'static str {
    match tables {
        EfiTables::Own => "efi_pgd",
        EfiTables::Trampoline => "trampoline_pgd",
        EfiTables::OldMap | EfiTables::Off => "init_top_pgt",
    }
}

/// From the last region to the first: linear addresses are handed out downwards, so that regions which follow each other in
/// physical memory do so here, as the parts of one PE image must. By mistake, and in Linux until 2015, from the first on.
fn map_regions(efi: &Efi, options: &Options, root: PhysAddr, new_map: &mut NewMap) -> Result<usize, VirtError> {
    let mut window = efi_pgd::Window::default();
    let mut count = 0;
    let mut each = |descriptor: MemoryDescriptor| -> Result<(), VirtError> {
        if !memmap::is_runtime(&descriptor) {
            return Ok(());
        }
        if let Err(why) = memmap::check(&descriptor, boot::info().regions(), cpuid::physical_end()) {
            println!("efi: runtime region at {:x} is not used: {why}", descriptor.phys_start);
            return Ok(());
        }
        let linear = if options.efi == EfiTables::OldMap {
            old_map::map_region(root, &descriptor, flags_of(&descriptor))?
        } else {
            map_region(root, &descriptor, &mut window)?
        };
        new_map.push(&descriptor, linear);
        count += 1;
        Ok(())
    };
    if options.mistakes.has(Mistake::EfiMapOrder) {
        efi.memmap.iter().try_for_each(&mut each)?;
    } else {
        efi.memmap.iter().rev().try_for_each(&mut each)?;
    }
    Ok(count)
}

/// Linux: `efi_map_region()`. At linear = physical too: there is firmware that keeps physical pointers.
fn map_region(root: PhysAddr, descriptor: &MemoryDescriptor, window: &mut efi_pgd::Window) -> Result<u64, VirtError> {
    let (physical, bytes) = (descriptor.phys_start, descriptor.page_count * FRAME_SIZE);
    let flags = flags_of(descriptor);
    efi_pgd::map_region(&mut DirectMap, root, (physical, physical, bytes), flags)?;
    let linear = window.place(physical, bytes).ok_or(VirtError::WindowFull)?;
    efi_pgd::map_region(&mut DirectMap, root, (linear, physical, bytes), flags)?;
    Ok(linear)
}

/// What SetVirtualAddressMap needs besides, at linear = physical: the new map itself, whose physical address it gets, and page
/// 0, in which some firmware writes although nobody says so.
fn map_for_the_call(root: PhysAddr, new_map: &NewMap, mistakes: Mistakes) -> Result<(), VirtError> {
    let flags = Flags::WRITABLE | Flags::NO_EXECUTE;
    if !mistakes.has(Mistake::EfiNoMemmap) {
        let at = new_map.physical.as_u64();
        efi_pgd::map_region(&mut DirectMap, root, (at, at, new_map.frames * FRAME_SIZE), flags)?;
    }
    if !mistakes.has(Mistake::EfiNoPage0) {
        efi_pgd::map_region(&mut DirectMap, root, (0, 0, FRAME_SIZE), flags)?;
    }
    Ok(())
}

fn set_virtual_address_map(efi: &Efi, options: &Options, root: PhysAddr, new_map: &NewMap) -> Result<(), VirtError> {
    let function = runtime::address_of(efi.tables.runtime_services, Service::SetVirtualAddressMap);
    let (size, desc_size) = (new_map.bytes as u64, new_map.desc_size as u64);
    let arguments = [size, desc_size, efi.hand_over.memdesc_version, new_map.physical.as_u64(), 0];
    let status = without_interrupts(|| {
        let prologue = (options.efi == EfiTables::OldMap).then(|| old_map::Prologue::begin(root, options.mistakes));
        // SAFETY: `root` maps the firmware at linear = physical, where its addresses are still those of its table, and the new
        // map; unless a mistake is on that leaves one out to show what comes of it.
        let status = unsafe { runtime::call(root, options.efi, function, arguments) };
        if let Some(prologue) = prologue {
            prologue.end();
        }
        status
    });
    if status == Status::SUCCESS { Ok(()) } else { Err(VirtError::Firmware(status)) }
}

/// The rights that the memory attributes table gives, at both places of each region. After SetVirtualAddressMap: that writes
/// into code. Linux: `efi_runtime_update_mappings()`.
fn update_mappings(efi: &Efi, runtime: &Runtime) -> Result<(), VirtError> {
    let Some(attributes) = efi.tables.attributes else {
        println!("efi: there is no memory attributes table: the firmware's regions stay writable and executable");
        return Ok(());
    };
    let mut count = 0;
    for range in attributes.iter() {
        let Some((physical, bytes)) = memmap::end_of(&range).map(|end| (range.phys_start, end - range.phys_start))
        else {
            continue;
        };
        // An entry lies within one region of code or data (UEFI specification, "EFI_MEMORY_ATTRIBUTES_TABLE").
        let within = |region: &MemoryDescriptor| {
            let end = memmap::end_of(region).unwrap_or(0);
            region.phys_start <= physical && physical + bytes <= end
        };
        let code_or_data = matches!(range.ty, MemoryType::RUNTIME_SERVICES_CODE | MemoryType::RUNTIME_SERVICES_DATA);
        let Some(region) = runtime.memmap.iter().find(|region| code_or_data && within(region)) else {
            println!("efi: the memory attributes table's range at {physical:x} is in no runtime region");
            continue;
        };
        let writable = !range.att.contains(MemoryAttribute::READ_ONLY);
        let executable = !range.att.contains(MemoryAttribute::EXECUTE_PROTECT);
        let linear = region.virt_start + (physical - region.phys_start);
        efi_pgd::protect_region(&mut DirectMap, runtime.root, (linear, bytes), writable, executable)?;
        if runtime.tables != EfiTables::OldMap {
            efi_pgd::protect_region(&mut DirectMap, runtime.root, (physical, bytes), writable, executable)?;
        }
        count += 1;
    }
    println!("efi: SetVirtualAddressMap is done; ranges with the memory attributes table's rights: {count}");
    Ok(())
}

/// By mistake: the mapping was for one call, so it is taken away, in tables that the kernel's direct map shares.
fn unmap_new_map(root: PhysAddr, new_map: &NewMap) -> Result<(), VirtError> {
    use crate::mm::page_table::{protect_page, split};
    for frame in 0..new_map.frames {
        let linear = new_map.physical.as_u64() + frame * FRAME_SIZE;
        split(&mut DirectMap, root, linear)?;
        protect_page(&mut DirectMap, root, linear, |_| Flags::empty())?;
    }
    Ok(())
}

/// The new memory map: the runtime regions with their linear addresses, in frames of its own.
struct NewMap {
    physical: PhysAddr,
    frames: u64,
    desc_size: usize,
    bytes: usize,
}

impl NewMap {
    fn new(memmap: &Memmap<'_>, desc_size: u64) -> Self {
        let runtime = memmap.iter().filter(memmap::is_runtime).count() as u64;
        let frames = (runtime * desc_size).div_ceil(FRAME_SIZE).max(1);
        Self { physical: direct_map::allocate(frames, FRAME_SIZE), frames, desc_size: desc_size as usize, bytes: 0 }
    }

    fn push(&mut self, descriptor: &MemoryDescriptor, linear: u64) {
        let place = phys_to_virt(self.physical) + self.bytes as u64;
        let descriptor = MemoryDescriptor { virt_start: linear, ..*descriptor };
        // SAFETY: the frames were allocated for as many descriptors as the map has runtime regions, and nobody else has them;
        // `desc_size` is at least a descriptor's size and a multiple of 8.
        unsafe { place.as_mut_ptr::<MemoryDescriptor>().write(descriptor) };
        self.bytes += self.desc_size;
    }

    fn as_map(&self) -> Option<Memmap<'static>> {
        // SAFETY: written above, and by nobody from now on; frames are never given back.
        let bytes = unsafe { core::slice::from_raw_parts(phys_to_virt(self.physical).as_ptr::<u8>(), self.bytes) };
        Memmap::new(bytes, self.desc_size)
    }
}

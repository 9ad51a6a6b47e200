//! SetVirtualAddressMap and ConvertPointer: the image and its tables move to where the kernel has mapped them.

use crate::{PLATFORM, RUNTIME_SERVICES, Shared, platform};
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use firmware::quirk;
use uefi_raw::Status;
use uefi_raw::table::Header;
use uefi_raw::table::boot::MemoryDescriptor;
use uefi_raw::table::system::SystemTable;

/// SetVirtualAddressMap was called: never again.
static IS_VIRTUAL: AtomicBool = AtomicBool::new(false);
/// Where the variables are; 0: where the machine says.
static VARIABLES: AtomicU64 = AtomicU64::new(0);
/// The map while SetVirtualAddressMap runs, for ConvertPointer.
static MAP: Shared<Option<Map>> = Shared::new(None);

/// The memory that keeps variables, by the address that is right now.
pub fn variables() -> u64 {
    match VARIABLES.load(Ordering::Relaxed) {
        0 => platform().variables,
        linear => linear,
    }
}

/// The kernel's map.
#[derive(Clone, Copy)]
struct Map {
    descriptors: *const u8,
    bytes: usize,
    desc_size: usize,
}

impl Map {
    /// Where a physical address goes.
    fn convert(&self, physical: u64) -> Option<u64> {
        (0..self.bytes / self.desc_size).find_map(|index| {
            // SAFETY: the caller of SetVirtualAddressMap gave a map of so many descriptors, each at least this long.
            let descriptor =
                unsafe { self.descriptors.add(index * self.desc_size).cast::<MemoryDescriptor>().read_unaligned() };
            let offset = physical.checked_sub(descriptor.phys_start)?;
            (offset / 4096 < descriptor.page_count).then(|| descriptor.virt_start.wrapping_add(offset))
        })
    }
}

/// Once, at linear = physical.
pub unsafe extern "efiapi" fn set_virtual_address_map(
    map_size: usize,
    desc_size: usize,
    desc_version: u32,
    map: *const MemoryDescriptor,
) -> Status {
    if IS_VIRTUAL.load(Ordering::Relaxed) {
        return Status::UNSUPPORTED;
    }
    if desc_version != MemoryDescriptor::VERSION || desc_size < size_of::<MemoryDescriptor>() || map.is_null() {
        return Status::INVALID_PARAMETER;
    }
    let map = Map { descriptors: map.cast(), bytes: map_size, desc_size };
    let platform = platform();
    if platform.quirks & quirk::TOUCH_PAGE_ZERO != 0 {
        touch_page_zero();
    }
    let (Some(image), Some(system_table), Some(variables)) =
        (map.convert(platform.image), map.convert(platform.system_table), map.convert(platform.variables))
    else {
        return Status::NOT_FOUND;
    };
    // SAFETY: the machine put the system table there, and it is mapped at linear = physical.
    let table = unsafe { &mut *(platform.system_table as *mut SystemTable) };
    let pointers = [table.firmware_vendor as u64, table.runtime_services as u64, table.configuration_table as u64];
    let [Some(vendor), Some(services), Some(configuration)] = pointers.map(|pointer| map.convert(pointer)) else {
        return Status::NOT_FOUND;
    };
    // Nothing can fail from here on.
    // SAFETY: one call at a time.
    unsafe { MAP.get().write(Some(map)) };
    IS_VIRTUAL.store(true, Ordering::Relaxed);
    if platform.quirks & quirk::PHYSICAL_POINTERS == 0 {
        VARIABLES.store(variables, Ordering::Relaxed);
    }
    relocate(platform.image, image);
    // SAFETY: this table is the image's own; it is 8-byte aligned, and its size is in it.
    unsafe { seal(RUNTIME_SERVICES.get().cast()) };
    table.firmware_vendor = vendor as *const _;
    table.runtime_services = services as *mut _;
    table.configuration_table = configuration as *mut _;
    // SAFETY: as for the services' table; the machine wrote it whole. It moves last, for nobody uses its address here.
    unsafe { seal((&raw mut *table).cast()) };
    let moved = firmware::Platform { image, system_table, ..platform };
    // SAFETY: one call at a time.
    unsafe {
        PLATFORM.get().write_volatile(moved);
        MAP.get().write(None);
    }
    Status::SUCCESS
}

/// Some firmware does, although its memory map calls the page free.
fn touch_page_zero() {
    /// Behind the interrupt table of real mode.
    const PLACE: u64 = 0x500;
    let place = core::hint::black_box(PLACE) as *mut u32;
    // SAFETY: a word of page 0, which keeps its value. Whether it is mapped is the question.
    unsafe { place.write_volatile(place.read_volatile()) };
}

unsafe extern "C" {
    // From firmware.ld.
    static __rela_start: Rela;
    static __rela_end: Rela;
}

/// A relocation: Elf64_Rela. The build lets only R_X86_64_RELATIVE through: the word at `offset` is image + `addend`.
#[repr(C)]
struct Rela {
    offset: u64,
    _info: u64,
    addend: u64,
}

/// Writes the addresses that are in the image, some of which lie in its code.
fn relocate(image: u64, moves_to: u64) {
    let (mut rela, end) = (&raw const __rela_start, &raw const __rela_end);
    while rela < end {
        // SAFETY: the linker put the relocations between these symbols; each names a word of the image, which lies at `image`
        // and may be written until this call is over.
        unsafe {
            let Rela { offset, addend, .. } = rela.read_unaligned();
            ((image + offset) as *mut u64).write_unaligned(moves_to.wrapping_add(addend));
            rela = rela.add(1);
        }
    }
}

/// Computes a table's CRC anew.
///
/// # Safety
/// A table with a header of the firmware's own.
unsafe fn seal(table: *mut Header) {
    // SAFETY: the caller vouches for the header and the bytes behind it.
    unsafe {
        (*table).crc = 0;
        let bytes = core::slice::from_raw_parts(table.cast::<u8>(), (*table).size as usize);
        let crc = bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 })
        });
        (*table).crc = !crc;
    }
}

/// For drivers that are told of SetVirtualAddressMap while it runs; this firmware has none that are not its own.
pub unsafe extern "efiapi" fn convert_pointer(_debug_disposition: usize, address: *mut *mut c_void) -> Status {
    // SAFETY: one call at a time.
    let Some(map) = (unsafe { MAP.get().read() }) else { return Status::UNSUPPORTED };
    if address.is_null() {
        return Status::INVALID_PARAMETER;
    }
    // SAFETY: the caller gives a pointer to a pointer.
    let physical = unsafe { address.read() } as u64;
    let Some(linear) = map.convert(physical) else { return Status::NOT_FOUND };
    // SAFETY: as above.
    unsafe { address.write(linear as *mut c_void) };
    Status::SUCCESS
}

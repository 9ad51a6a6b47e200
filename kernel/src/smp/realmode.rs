//! The real-mode blob: a place for it, its copy, its relocation, its rights (Linux: arch/x86/realmode/init.c).
#![allow(unsafe_code)]

use crate::memlayout::{LOW_MEMORY_END, page_offset, phys_to_virt};
use crate::mistake::{Mistake, Mistakes};
use crate::mm::frame::{FRAME_SIZE, Region, find_below, is_usable};
use crate::mm::page_table::MapError;
use crate::mm::{direct_map::DirectMap, roots, trampoline_pgd};
use crate::options::{Bringup, Options};
use crate::{arch::cpu, arch::flush, println};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use spin::Once;
use trampoline::{END_SIGNATURE, RealModeHeader, RelocError, TrampolineHeader};
use x86_64::{PhysAddr, VirtAddr};

/// The blob as it was linked, from the build script.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its bytes, whole pages.
    pub bytes: &'static [u8],
    /// Offsets of 16-bit segment words.
    pub segments: &'static [u32],
    /// Offsets of 32-bit linear addresses.
    pub linears: &'static [u32],
    /// Offset of the word that must be [`END_SIGNATURE`].
    pub end_signature: usize,
    /// Offsets of the two instructions that take the lock on the real-mode stack.
    pub take_lock: core::ops::Range<usize>,
}

/// Physical address of the blob; 0 while it has no place.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static real_mode_base: AtomicU64 = AtomicU64::new(0);

/// Linear address of the lock on the real-mode stack, in the direct map: `secondary_startup_64` opens it. Linux's name.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static trampoline_lock: AtomicU64 = AtomicU64::new(0);

/// Opens the lock on the real-mode stack, when nobody can be on that.
pub fn open_lock() {
    let linear = trampoline_lock.load(Ordering::Acquire);
    if linear != 0 {
        // SAFETY: it is the address of an aligned word of the blob's header, in the direct map, which the kernel and the APs
        // use as an atomic one.
        unsafe { (*(linear as *const AtomicU32)).store(0, Ordering::Release) };
    }
}

/// Why the blob could not be put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealModeError {
    /// No usable memory below 1 MiB is large enough (bytes).
    NoLowMemory(usize),
    /// The blob does not end with its signature.
    Incomplete,
    /// It could not be relocated.
    Relocation(RelocError),
    /// Its pages could not get their rights.
    Permissions(MapError),
}

impl core::fmt::Display for RealModeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoLowMemory(size) => write!(f, "no {size:#x} bytes of usable memory below 1 MiB for the trampoline"),
            Self::Incomplete => write!(f, "the real-mode blob in the kernel's image does not end with its signature"),
            Self::Relocation(error) => write!(f, "{error}"),
            Self::Permissions(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for RealModeError {}

/// As far as the blob's own words of 32 bits reach.
const FOUR_GIB: u64 = 1 << 32;

/// Chooses the blob's place: the page that the options name if it is usable, else the highest below 1 MiB. The frame
/// allocator takes nothing from there. By mistake it is the highest that there is, where the allocator comes last; or on a
/// border of segments, which need 16 bytes, and not of pages.
///
/// # Errors
/// [`RealModeError::NoLowMemory`]
pub fn reserve_real_mode(blob: &Blob, regions: &[Region], options: &Options) -> Result<PhysAddr, RealModeError> {
    let size = blob.bytes.len() as u64;
    // With page-table isolation a root is the lower of two pages. Linux aligns the blob and, in it, trampoline_pgd.
    let pgd = RealModeHeader::from_bytes(blob.bytes).map_or(0, |header| u64::from(header.trampoline_pgd));
    let isolation = options.kaiser && !options.mistakes.has(Mistake::PgdAlignment);
    let is_upper = |page: u64| isolation && (page + pgd) & FRAME_SIZE != 0;
    if let Some(page) = options.trampoline {
        if !is_usable(regions, page, size) || page + size > LOW_MEMORY_END {
            println!("realmode: {size:#x} bytes at {page:#x} are not usable memory; looking for another place");
        } else if is_upper(page) {
            println!(
                "realmode: at {page:#x} trampoline_pgd would be the upper of two pages; looking for another place"
            );
        } else {
            return Ok(PhysAddr::new(page));
        }
    }
    let none = RealModeError::NoLowMemory(blob.bytes.len());
    if options.mistakes.has(Mistake::TrampolineHigh) {
        return find_below(regions, size, FOUR_GIB).map(PhysAddr::new).ok_or(none);
    }
    let page = find_below(regions, size, LOW_MEMORY_END).ok_or(none)?;
    if options.mistakes.has(Mistake::TrampolineUnaligned) {
        return Ok(PhysAddr::new(page - FRAME_SIZE / 2));
    }
    if is_upper(page) {
        let lower = find_below(regions, size, page + size - FRAME_SIZE).ok_or(none)?;
        return if is_upper(lower) { Err(none) } else { Ok(PhysAddr::new(lower)) };
    }
    Ok(PhysAddr::new(page))
}

/// The blob in its place.
#[derive(Clone, Copy, Debug)]
pub struct RealMode {
    /// Its physical address.
    pub base: PhysAddr,
    /// Its size in bytes, whole pages.
    pub size: u64,
    /// Its relocated header.
    pub header: RealModeHeader,
    /// Mistakes that are on: the way back has some.
    pub mistakes: Mistakes,
}

static PLACED: Once<RealMode> = Once::new();

/// The blob, once it has its place and its rights.
pub fn placed() -> Option<RealMode> {
    PLACED.get().copied()
}

impl RealMode {
    /// The SIPI vector that starts at `trampoline_start`: the number of its page, which below 1 MiB has 8 bits. Of an address
    /// that is no page below 1 MiB, which takes a mistake, it names another place.
    pub fn sipi_vector(&self) -> u8 {
        (self.header.trampoline_start >> 12) as u8
    }

    /// Tells those who come through the blob where they go, `start`, and with which EFER and CR4: this CPU's, or as a mistake
    /// wants them.
    pub fn fill_header(&self, start: u64) {
        let (efer, cr4) = cpu::trampoline_state(self.mistakes);
        let tr = phys_to_virt(PhysAddr::new(self.header.trampoline_header.into()));
        // SAFETY: relocation made it the address of `trampoline_header` in the copy, whose layout main.rs checks at compile
        // time; it is 8-byte aligned, and nobody is on its way through the blob.
        unsafe { tr.as_mut_ptr::<TrampolineHeader>().write(TrampolineHeader { start, efer, cr4, flags: 0, lock: 0 }) };
        trampoline_lock.store((tr + offset_of!(TrampolineHeader, lock) as u64).as_u64(), Ordering::Release);
    }

    /// What the header in memory says of trampoline_pgd: its physical address, read through the direct map.
    pub fn trampoline_pgd_in_header(&self) -> u32 {
        let linear = phys_to_virt(self.base + offset_of!(RealModeHeader, trampoline_pgd) as u64);
        // SAFETY: `setup_real_mode` put the header there, of whose aligned words this is one, and nobody writes it any more.
        unsafe { linear.as_ptr::<u32>().read_volatile() }
    }

    /// Linear address of the far pointer to the way back, in the direct map.
    pub fn restart_pointer(&self) -> VirtAddr {
        phys_to_virt(self.base + offset_of!(RealModeHeader, machine_real_restart_asm) as u64)
    }
}

/// The instruction that does nothing.
const NOP: u8 = 0x90;

/// Copies the blob, relocates it, fills its header and its page table, and sets its rights.
///
/// # Errors
/// [`RealModeError`]
pub fn setup_real_mode(blob: &Blob, base: PhysAddr, start: u64, options: &Options) -> Result<RealMode, RealModeError> {
    let signature = blob.bytes.get(blob.end_signature..blob.end_signature + 4);
    if signature != Some(&END_SIGNATURE.to_le_bytes()) {
        return Err(RealModeError::Incomplete);
    }
    // SAFETY: reserve_real_mode chose usable memory of this size that nobody else uses; the direct map covers it.
    let copy = unsafe { core::slice::from_raw_parts_mut(phys_to_virt(base).as_mut_ptr::<u8>(), blob.bytes.len()) };
    copy.copy_from_slice(blob.bytes);
    let place = base.as_u64() as u32;
    if options.mistakes.has(Mistake::TrampolineHigh) || options.mistakes.has(Mistake::TrampolineUnaligned) {
        trampoline::relocate_anywhere(copy, place, blob.segments, blob.linears).map_err(RealModeError::Relocation)?;
    } else {
        trampoline::relocate(copy, place, blob.segments, blob.linears).map_err(RealModeError::Relocation)?;
    }
    let header = RealModeHeader::from_bytes(copy).ok_or(RealModeError::Incomplete)?;

    if options.bringup == Bringup::ParallelNolock {
        // As before Linux 6.5: two instructions fewer. Nobody executes the blob yet.
        copy.get_mut(blob.take_lock.clone()).ok_or(RealModeError::Incomplete)?.fill(NOP);
    }

    let real_mode = RealMode { base, size: blob.bytes.len() as u64, header, mistakes: options.mistakes };
    real_mode.fill_header(start);
    let root = roots::by_name("init_top_pgt").expect("the kernel's tables are made first");
    let pgd = PhysAddr::new(header.trampoline_pgd.into());
    trampoline_pgd::fill(&mut DirectMap, root, pgd, page_offset(), options.mistakes)
        .map_err(RealModeError::Permissions)?;
    roots::trampoline_pgd_paddr.store(pgd.as_u64(), Ordering::Release);
    trampoline_pgd::set_real_mode_permissions(&mut DirectMap, root, base, blob.bytes.len() as u64, &header)
        .map_err(RealModeError::Permissions)?;
    flush::all();
    real_mode_base.store(base.as_u64(), Ordering::Release);
    PLACED.call_once(|| real_mode);
    println!(
        "realmode: {} KiB at {:05x}-{:05x}, SIPI vector {:02x}h, trampoline_pgd at {:05x}",
        blob.bytes.len() / 1024,
        base,
        base.as_u64() + blob.bytes.len() as u64 - 1,
        real_mode.sipi_vector(),
        header.trampoline_pgd,
    );
    Ok(real_mode)
}

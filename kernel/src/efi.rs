//! EFI: what the firmware left that can still be used. Linux: arch/x86/platform/efi/, drivers/firmware/efi/.
//!
//! [`hand_over`] is what the loader says of it, [`memmap`] the firmware's memory map.
#![allow(unsafe_code)]

pub mod hand_over;
pub mod memmap;

use crate::boot;
use crate::memlayout::phys_to_virt;
use crate::mm::frame::{Region, RegionKind};
use crate::println;
use hand_over::HandOver;
use memmap::{MAX_MEMMAP, Memmap};
use spin::Once;
use x86_64::PhysAddr;

/// EFI as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Efi {
    /// Where things are.
    pub hand_over: HandOver,
    /// The firmware's memory map, in memory that the loader keeps.
    pub memmap: Memmap<'static>,
}

static EFI: Once<Efi> = Once::new();

/// EFI, if there is one.
pub fn get() -> Option<&'static Efi> {
    EFI.get()
}

/// Takes what the loader said in front of the options.
pub fn init(said: Result<Option<HandOver>, &str>) {
    let hand_over = match said {
        Ok(Some(hand_over)) => hand_over,
        Ok(None) => return,
        Err(line) => {
            println!("efi: the loader's hand-over is not understood: {line}");
            return;
        }
    };
    match open_memmap(&hand_over, boot::info().regions()) {
        Ok(memmap) => {
            EFI.call_once(|| Efi { hand_over, memmap });
        }
        Err(why) => println!("efi: the firmware's memory map is not used: {why}"),
    }
}

fn open_memmap(hand_over: &HandOver, regions: &[Region]) -> Result<Memmap<'static>, &'static str> {
    let (start, size) = (hand_over.memmap, hand_over.memmap_size);
    let end = start.checked_add(size).filter(|_| size <= MAX_MEMMAP).ok_or("it is larger than 1 MiB")?;
    // Memory that is mapped, and from which no frame is taken.
    let kept = |region: &Region| matches!(region.kind, RegionKind::Loader | RegionKind::Firmware(_));
    if !regions.iter().any(|region| kept(region) && region.start <= start && end <= region.end) {
        return Err("it does not lie in memory that is kept");
    }
    // SAFETY: the loader put the map there, where the direct map leads in its tables and in ours; nobody writes it.
    let bytes =
        unsafe { core::slice::from_raw_parts(phys_to_virt(PhysAddr::new(start)).as_ptr::<u8>(), size as usize) };
    let memmap = usize::try_from(hand_over.memdesc_size).ok().and_then(|size| Memmap::new(bytes, size));
    memmap.ok_or("its descriptors have no room for what a descriptor has")
}

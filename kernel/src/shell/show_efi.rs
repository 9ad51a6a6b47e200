//! The shell's answers about EFI, printed.

use super::command::Efi;
use super::show::Bytes;
use crate::efi::{self, memmap};
use crate::mm::frame::FRAME_SIZE;
use crate::println;

/// Answers.
pub(super) fn answer(what: Efi) {
    let Some(efi) = efi::get() else {
        println!("there is no EFI here that the loader told of");
        return;
    };
    match what {
        Efi::Map => show_map(efi),
    }
}

fn show_map(efi: &efi::Efi) {
    println!("  physical                           size  type, attributes");
    let mut count = 0;
    for descriptor in efi.memmap.iter() {
        println!(
            "  {:>12x}-{:<12x}  {:>10}  {}, {}",
            descriptor.phys_start,
            memmap::end_of(&descriptor).unwrap_or(u64::MAX).wrapping_sub(1),
            Bytes(descriptor.page_count.saturating_mul(FRAME_SIZE)),
            memmap::type_name(descriptor.ty),
            memmap::Attributes(descriptor.att),
        );
        count += 1;
    }
    println!("{count} descriptors");
}

//! What firmware tells the kernel: the MADT, EFI's memory map, the lines that a loader hands over, the pointer to the system
//! table, the options.
#![no_main]

use kernel::efi::memmap::{self, Memmap};
use kernel::efi::{hand_over, scan};
use kernel::options;
use kernel::smp::madt::Madt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            if let Ok(madt) = Madt::parse(data) {
                assert!(madt.apic_ids().len() <= 256);
            }
        }
        1 => {
            let Some((&size, data)) = data.split_first() else { return };
            let Some(map) = Memmap::new(data, usize::from(size)) else { return };
            let count = map.iter().count();
            assert_eq!(count * usize::from(size) + map.cut_off(), data.len());
            for descriptor in map.iter() {
                let _ = (memmap::end_of(&descriptor), memmap::is_runtime(&descriptor));
                let _ = memmap::check(&descriptor, &[], 1 << 46);
            }
        }
        2 => {
            let text = String::from_utf8_lossy(data);
            let (_, rest) = hand_over::split(&text);
            options::parse(rest, |_, _| {});
        }
        _ => {
            // The same bytes wherever there may be a pointer.
            scan::find(32 << 20, |_| Some(data));
        }
    }
});

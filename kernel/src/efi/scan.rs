//! Looks for EFI where nobody told of it: EFI_SYSTEM_TABLE_POINTER, which firmware leaves for debuggers on a multiple of 4 MiB,
//! as high as it can (UEFI specification, "EFI System Table Pointer"). Pure.

use super::system_table::crc32;

/// Its first 8 bytes, "IBI SYST".
const SIGNATURE: u64 = 0x5453_5953_2049_4249;
/// It lies on a multiple of this.
const STEP: u64 = 4 << 20;
/// Signature, address, CRC, padding: what its CRC covers.
pub const LEN: usize = 24;
const CRC_AT: usize = 16;

/// What was found; addresses are physical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the pointer is.
    pub pointer: u64,
    /// Where it points.
    pub system_table: u64,
    /// Its CRC is 0: the firmware has not come to computing it yet.
    pub unfinished: bool,
}

/// Looks from `end` down; `read` gives the bytes at a physical address, where there is memory.
pub fn find<'a>(end: u64, read: impl Fn(u64) -> Option<&'a [u8]>) -> Option<Found> {
    let places = (1..=end / STEP).rev().map(|step| step * STEP);
    places.filter_map(|pointer| parse(pointer, read(pointer)?)).next()
}

fn parse(pointer: u64, bytes: &[u8]) -> Option<Found> {
    let bytes: &[u8; LEN] = bytes.first_chunk()?;
    let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    if word(0)? != SIGNATURE {
        return None;
    }
    let told = word(CRC_AT)? as u32;
    let zeroed = bytes.iter().enumerate().map(|(at, byte)| if (CRC_AT..CRC_AT + 4).contains(&at) { 0 } else { *byte });
    // One that is wrong is what is left of an older one.
    (told == 0 || told == crc32(zeroed)).then_some(Found { pointer, system_table: word(8)?, unfinished: told == 0 })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    /// Goal: the highest good pointer is found, bad ones are passed over. Method: 32 MiB with a wrong CRC at 24 MiB, a good
    /// one at 16 MiB, one without CRC at 8 MiB.
    #[test]
    fn the_highest_that_is_right() {
        let pointer = |table: u64| {
            let mut bytes = [0; LEN];
            bytes[..8].copy_from_slice(&SIGNATURE.to_le_bytes());
            bytes[8..16].copy_from_slice(&table.to_le_bytes());
            bytes
        };
        let with_crc = |mut bytes: [u8; LEN], crc: u32| {
            bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
            bytes
        };
        let good = with_crc(pointer(0x123_4018), crc32(pointer(0x123_4018)));
        let mut memory = vec![(24 << 20, with_crc(pointer(0x666), 1)), (16 << 20, good), (8 << 20, pointer(0x777))];
        let found = |memory: &[(u64, [u8; LEN])]| {
            find(32 << 20, |at| memory.iter().find(|(place, _)| *place == at).map(|(_, bytes)| &bytes[..]))
        };
        let expected = Found { pointer: 16 << 20, system_table: 0x123_4018, unfinished: false };
        assert_eq!(found(&memory), Some(expected));
        memory.remove(1);
        assert_eq!(found(&memory), Some(Found { pointer: 8 << 20, system_table: 0x777, unfinished: true }));
        memory.clear();
        assert_eq!(found(&memory), None);
    }
}

//! The MP table (MultiProcessor Specification 1.4, chapter 4), for kernels from before ACPI: processors, the ISA bus, the I/O
//! APIC, who is wired to what.

use crate::execute::cpuid;

/// Bytes of the floating pointer.
const POINTER_BYTES: usize = 16;
/// Bytes of the configuration table's header.
const HEADER_BYTES: usize = 44;
/// Interrupt types of wiring entries.
const INT: u8 = 0;
const NMI: u8 = 1;
const EXTINT: u8 = 3;

/// Floating pointer and table behind it, to be placed at a physical address.
pub fn table(apic_ids: &[u8], base: u64) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut count = 0u16;
    let mut add = |entry: &[u8]| {
        entries.extend_from_slice(entry);
        count += 1;
    };
    for (index, &id) in apic_ids.iter().enumerate() {
        let [s0, s1, s2, s3] = cpuid::SIGNATURE.to_le_bytes();
        // Enabled, and the first is the boot processor; features: FPU and APIC.
        let flags = 1 | u8::from(index == 0) << 1;
        add(&[0, id, 0x14, flags, s0, s1, s2, s3, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    add(b"\x01\x00ISA   ");
    add(&[2, 0, 0x11, 1, 0x00, 0x00, 0xc0, 0xfe]);
    for line in (0..16u8).filter(|&line| line != 2) {
        // To the I/O APIC with ID 0: line 0 to pin 2, the others to the pins of their numbers.
        add(&[3, INT, 0, 0, 0, line, 0, if line == 0 { 2 } else { line }]);
    }
    add(&[4, EXTINT, 0, 0, 0, 0, 0xff, 0]);
    add(&[4, NMI, 0, 0, 0, 0, 0xff, 1]);

    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(b"PCMP");
    header[4..6].copy_from_slice(&((HEADER_BYTES + entries.len()) as u16).to_le_bytes());
    header[6] = 4;
    header[8..28].copy_from_slice(b"FIRSTLGTFirstlight  ");
    header[34..36].copy_from_slice(&count.to_le_bytes());
    header[36..40].copy_from_slice(&0xfee0_0000u32.to_le_bytes());
    header[7] = checksum(header.iter().chain(&entries));

    let mut pointer = [0; POINTER_BYTES];
    pointer[..4].copy_from_slice(b"_MP_");
    pointer[4..8].copy_from_slice(&(base as u32 + POINTER_BYTES as u32).to_le_bytes());
    (pointer[8], pointer[9]) = (1, 4);
    pointer[10] = checksum(pointer.iter());
    [pointer.as_slice(), &header, &entries].concat()
}

/// The byte that makes the sum of all zero.
fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u8 {
    bytes.fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg()
}

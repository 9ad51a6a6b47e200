//! The ACPI tables of a PC with fixed power management hardware: RSDP, RSDT, FADT, FACS, a DSDT with `\_S5`, MADT (ACPI 1.0b
//! layouts, which every reader knows; ACPI 6.5, chapter 5).

use crate::device::acpi_pm;
use acpi_tables::sdt::Sdt;

const OEM: [u8; 6] = *b"FIRSTL";
const OEM_TABLE: [u8; 8] = *b"FIRSTLPC";
/// Bytes of a table's header.
const HEADER: u32 = 36;
/// IAPC_BOOT_ARCH has no place in this revision: legacy devices are taken for granted.
const FADT_BYTES: u32 = 116;
/// FADT flags: WBINVD works, all C1, fixed power button is absent (control method), reset register is not of this revision.
const FADT_FLAGS: u32 = 1 << 0 | 1 << 2 | 1 << 4;
/// Name(_S5, Package(4) {0, 0, 0, 0}): sleep type 0 is power-off.
const S5: [u8; 12] = [0x08, b'_', b'S', b'5', b'_', 0x12, 0x06, 0x04, acpi_pm::S5_TYPE, 0, 0, 0];
/// MADT flags: there is an 8259 pair.
const PCAT_COMPAT: u32 = 1;

/// The tables, to be placed at a physical address. The RSDP comes first.
pub fn tables(apic_ids: &[u8], base: u64) -> Vec<u8> {
    let mut image = vec![0; 32];
    let append = |image: &mut Vec<u8>, table: &[u8], alignment: usize| {
        image.resize(image.len().next_multiple_of(alignment), 0);
        let paddr = base as u32 + image.len() as u32;
        image.extend_from_slice(table);
        paddr
    };
    let facs = append(&mut image, &facs(), 64);
    let mut dsdt = sdt(*b"DSDT", HEADER, 1);
    dsdt.append_slice(&S5);
    let dsdt = append(&mut image, dsdt.as_slice(), 16);
    let fadt = append(&mut image, fadt(facs, dsdt).as_slice(), 16);
    let madt = append(&mut image, madt(apic_ids).as_slice(), 16);
    let mut rsdt = sdt(*b"RSDT", HEADER, 1);
    rsdt.append_slice(&fadt.to_le_bytes());
    rsdt.append_slice(&madt.to_le_bytes());
    let rsdt = append(&mut image, rsdt.as_slice(), 16);
    image[..8].copy_from_slice(b"RSD PTR ");
    image[9..15].copy_from_slice(&OEM);
    image[16..20].copy_from_slice(&rsdt.to_le_bytes());
    let sum = image[..20].iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    image[8] = sum.wrapping_neg();
    image
}

fn sdt(signature: [u8; 4], bytes: u32, revision: u8) -> Sdt {
    Sdt::new(signature, bytes, revision, OEM, OEM_TABLE, 1)
}

fn facs() -> [u8; 64] {
    let mut facs = [0; 64];
    facs[..4].copy_from_slice(b"FACS");
    facs[4] = 64;
    facs
}

fn fadt(facs: u32, dsdt: u32) -> Sdt {
    let mut fadt = sdt(*b"FACP", FADT_BYTES, 1);
    fadt.write_u32(36, facs);
    fadt.write_u32(40, dsdt);
    // SCI on line 9; no SMI command port: ACPI mode is on.
    fadt.write_u16(46, 9);
    for (at, port) in [(56, acpi_pm::BASE), (64, acpi_pm::CONTROL), (76, acpi_pm::TIMER)] {
        fadt.write_u32(at, port.into());
    }
    // Lengths of event, control and timer blocks.
    for (at, bytes) in [(88, 4), (89, 2), (91, 4)] {
        fadt.write_u8(at, bytes);
    }
    // C2 and C3 are not there.
    fadt.write_u16(96, 0xfff);
    fadt.write_u16(98, 0xfff);
    fadt.write_u8(108, 0x32);
    fadt.write_u32(112, FADT_FLAGS);
    fadt
}

/// Processors in order, one I/O APIC, ISA line 0 on its pin 2, NMI on each LINT1.
fn madt(apic_ids: &[u8]) -> Sdt {
    let mut madt = sdt(*b"APIC", HEADER + 8, 1);
    madt.write_u32(36, 0xfee0_0000);
    madt.write_u32(40, PCAT_COMPAT);
    for (uid, &apic_id) in (0..=u8::MAX).zip(apic_ids) {
        madt.append_slice(&[0, 8, uid, apic_id, 1, 0, 0, 0]);
    }
    madt.append_slice(&[1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0]);
    // Source override: bus 0, line 0, pin 2, polarity and trigger as the bus has them.
    madt.append_slice(&[2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    madt.append_slice(&[4, 6, 0xff, 0, 0, 1]);
    madt
}

//! ACPI tables: RSDP, XSDT, FADT, an empty DSDT and a MADT that names the processors (ACPI 6.5, chapter 5).
//!
//! [`super::boot`] places them where a PC's firmware does; nothing reads them but the guest.

use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};
use acpi_tables::madt::{EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic};
use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;
use acpi_tables::xsdt::XSDT;
use acpi_tables::{Aml, AmlSink};

const OEM: [u8; 6] = *b"FIRSTL";
const OEM_TABLE: [u8; 8] = *b"FIRSTLGT";
const REVISION: u32 = 1;

/// Physical address of the local APICs' registers, the same for each processor.
const LOCAL_APIC: u32 = 0xfee0_0000;
/// Physical address of the I/O APIC's registers.
const IO_APIC: u32 = 0xfec0_0000;
const IO_APIC_ID: u8 = 0;

/// Alignment of each table; the RSDP needs 16, which a scan for it relies on.
const ALIGNMENT: usize = 16;

/// The tables for processors with these APIC IDs, to be placed at physical address `base`. The RSDP comes first.
pub fn tables(apic_ids: &[u8], base: u64) -> Vec<u8> {
    let mut image = vec![0; Rsdp::len().next_multiple_of(ALIGNMENT)];
    let dsdt = append(&mut image, base, Sdt::new(*b"DSDT", 36, 2, OEM, OEM_TABLE, REVISION).as_slice());
    let fadt = append(&mut image, base, &bytes(&fadt(dsdt)));
    let madt = append(&mut image, base, &bytes(&madt(apic_ids)));
    let mut xsdt = XSDT::new(OEM, OEM_TABLE, REVISION);
    xsdt.add_entry(fadt);
    xsdt.add_entry(madt);
    let xsdt = append(&mut image, base, &bytes(&xsdt));
    let rsdp = bytes(&Rsdp::new(OEM, xsdt));
    image[..rsdp.len()].copy_from_slice(&rsdp);
    image
}

/// Puts a table behind what is there; its physical address.
fn append(image: &mut Vec<u8>, base: u64, table: &[u8]) -> u64 {
    image.resize(image.len().next_multiple_of(ALIGNMENT), 0);
    let paddr = base + image.len() as u64;
    image.extend_from_slice(table);
    paddr
}

fn bytes(table: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes as &mut dyn AmlSink);
    bytes
}

/// No power management hardware, hence hardware-reduced; what there is of a PC: 8042, reset by port CF9h.
fn fadt(dsdt: u64) -> acpi_tables::fadt::FADT {
    /// IAPC_BOOT_ARCH: devices on an ISA bus (the serial port), and a keyboard controller.
    const LEGACY_DEVICES: u16 = 1 << 0;
    const KEYBOARD_CONTROLLER: u16 = 1 << 1;
    /// Full reset: the value that turns on bits 1 and 2 of the reset control register.
    const RESET_VALUE: u8 = 0x06;
    let mut fadt = FADTBuilder::new(OEM, OEM_TABLE, REVISION)
        .dsdt_64(dsdt)
        .flag(Flags::Wbinvd)
        .flag(Flags::HwReducedAcpi)
        .flag(Flags::ResetRegSup);
    fadt.iapc_boot_arch = (LEGACY_DEVICES | KEYBOARD_CONTROLLER).into();
    fadt.reset_reg = GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, 0xcf9);
    fadt.reset_value = RESET_VALUE;
    fadt.finalize()
}

/// Every processor enabled, in the order given: the first is the bootstrap processor. One I/O APIC with interrupts from
/// 0 up; ISA interrupts arrive at the pins of their numbers. No 8259 (PCAT_COMPAT is 0).
fn madt(apic_ids: &[u8]) -> MADT {
    let mut madt = MADT::new(OEM, OEM_TABLE, REVISION, LocalInterruptController::Address(LOCAL_APIC));
    for (uid, &apic_id) in (0..=u8::MAX).zip(apic_ids) {
        madt.add_structure(ProcessorLocalApic::new(uid, apic_id, EnabledStatus::Enabled));
    }
    madt.add_structure(IoApic::new(IO_APIC_ID, IO_APIC, 0));
    madt
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0xe_0000;

    fn u32_at(image: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(image[at..at + 4].try_into().unwrap())
    }

    fn u64_at(image: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(image[at..at + 8].try_into().unwrap())
    }

    fn checksum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    /// The table at a physical address, its checksum verified.
    fn table(image: &[u8], paddr: u64) -> &[u8] {
        let at = (paddr - BASE) as usize;
        let table = &image[at..][..u32_at(image, at + 4) as usize];
        assert_eq!(checksum(table), 0, "{}", String::from_utf8_lossy(&table[..4]));
        table
    }

    /// Goal: a reader that knows only ACPI's layouts finds every processor; method: follow RSDP, XSDT, MADT by offset.
    #[test]
    fn processors_are_found() {
        let apic_ids: Vec<u8> = (0..200u32).map(|cpu| (cpu * 5 % 251) as u8).collect();
        let image = tables(&apic_ids, BASE);
        assert_eq!(&image[..8], b"RSD PTR ");
        assert_eq!((checksum(&image[..20]), checksum(&image[..36])), (0, 0));
        let xsdt = table(&image, u64_at(&image, 24));
        let entries: Vec<_> = xsdt[36..].chunks(8).map(|entry| table(&image, u64_at(entry, 0))).collect();
        assert_eq!(entries.iter().map(|entry| &entry[..4]).collect::<Vec<_>>(), [b"FACP", b"APIC"]);
        let madt = entries[1];
        assert_eq!((u32_at(madt, 36), u32_at(madt, 40)), (0xfee0_0000, 0));
        let (mut found, mut rest) = (Vec::new(), &madt[44..]);
        while let [kind, len, body @ ..] = rest {
            match kind {
                0 => found.push((body[0], body[1], u32_at(body, 2))),
                1 => assert_eq!((body[0], u32_at(body, 2), u32_at(body, 6)), (0, 0xfec0_0000, 0)),
                other => panic!("unexpected structure {other}"),
            }
            rest = &rest[usize::from(*len)..];
        }
        let expected: Vec<_> = (0..200).zip(&apic_ids).map(|(uid, id)| (uid, *id, 1)).collect();
        assert_eq!(found, expected);
        assert_eq!(&table(&image, u64_at(entries[0], 140))[..4], b"DSDT");
    }
}

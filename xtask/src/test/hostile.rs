//! Firmware and loaders that leave nonsense behind, processors that do not come or come twice: on the embedded machine, whose
//! memory is changed before the kernel's first instruction as a debugger changes it. The kernel has to say what is wrong and to
//! carry on where it can: it ends at its prompt, or with a sentence about why it cannot.
//!
//! `guest` is the machine, `tables` what lies in its memory; `firmware` has the cases of runtime services, `processors` those of
//! processors.

mod firmware;
mod guest;
mod processors;
mod tables;

use super::Report;
use anyhow::{Result, ensure};
use guest::Guest;
use protocol::request::StopReason;

const PROMPT: &str = "firstlight> ";

/// Something wrong in memory.
struct Case {
    name: &'static str,
    options: &'static str,
    /// Puts it there.
    prepare: fn(&mut Guest) -> Result<()>,
    /// What the kernel has to print, in this order.
    says: &'static [&'static str],
    /// It cannot go on without what is missing.
    ends: bool,
}

const fn case(name: &'static str, prepare: fn(&mut Guest) -> Result<()>, says: &'static [&'static str]) -> Case {
    Case { name, options: "bringup=parallel cpu_timeout_ms=1", prepare, says, ends: false }
}

const TWO: &str = "smp: 2 of 2 CPUs online";
const ALONE: &str = "smp: 1 of 1 CPUs online";
const CPU_0: [u8; 8] = tables::processor(0);
const CPU_1: [u8; 8] = tables::processor(1);

const CASES: &[Case] = &[
    case(
        "a MADT with 300 processors",
        |guest| {
            let entries: Vec<[u8; 16]> = (0..300).map(tables::x2apic_processor).collect();
            let entries: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
            tables::set_madt(guest, &tables::madt(&entries))
        },
        &[
            "acpi: 255 CPUs; CPU 0",
            "acpi: 45 more CPUs have APIC IDs that xAPIC cannot name; they are left out",
            "smp: CPU 254 (APIC ID 254)",
            "it did not answer",
            "smp: 2 of 255 CPUs online",
        ],
    ),
    case(
        "a MADT that lists a processor twice",
        |guest| tables::set_madt(guest, &tables::madt(&[&CPU_0, &CPU_1, &CPU_1])),
        &["the MADT lists 1 processors with an APIC ID that another one has", TWO],
    ),
    case(
        "a MADT with an entry of length 0",
        |guest| tables::set_madt(guest, &tables::madt(&[&CPU_0, &CPU_1, &[0, 0, 2, 2, 1, 0, 0, 0]])),
        &["the MADT's entry of type 0 at offset 0x3c has the impossible length 0; what comes before it is used", TWO],
    ),
    case(
        "a MADT whose last entry reaches beyond it",
        |guest| tables::set_madt(guest, &tables::madt(&[&CPU_0, &CPU_1, &[1, 12, 0]])),
        &["entry of type 1 at offset 0x3c has the impossible length 12", TWO],
    ),
    case(
        "a MADT with a wrong sum",
        |guest| {
            let at = tables::madt_at(guest)? + 9;
            let sum = guest.read(at, 1)?[0];
            guest.write(at, &[sum.wrapping_add(1)])
        },
        &["acpi: there is no good APIC table; the boot CPU is all that is used", ALONE],
    ),
    case(
        "a MADT that is said to have 4 GiB",
        |guest| {
            let at = tables::madt_at(guest)? + 4;
            guest.write(at, &u32::MAX.to_le_bytes())
        },
        &["lies in no memory or has an impossible length; it is not used", "there is no good APIC table", ALONE],
    ),
    case(
        "an XSDT that lists itself, nothing, and addresses where nothing is",
        |guest| {
            let madt = tables::madt_at(guest)?;
            tables::set_xsdt(guest, &[0xe_7000, 0, u64::MAX, 1 << 52, 0xffff_ffff, 0x1234_5678_9abc, madt])
        },
        &["acpi: the table at ffffffffffffffff lies in no memory", "acpi: the table at 10000000000000 lies", TWO],
    ),
    case(
        "an XSDT shorter than its header",
        |guest| {
            let xsdt = tables::xsdt(guest)?;
            let mut bytes = guest.read(xsdt, 36)?;
            bytes[4..8].copy_from_slice(&20u32.to_le_bytes());
            let sum = bytes[..20].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            bytes[9] = bytes[9].wrapping_sub(sum);
            guest.write(xsdt, &bytes)
        },
        &["has an impossible length; it is not used", "the boot CPU is all that is used", ALONE],
    ),
    case(
        "an XSDT with a wrong sum",
        |guest| {
            let at = tables::xsdt(guest)? + 9;
            let sum = guest.read(at, 1)?[0];
            guest.write(at, &[sum.wrapping_add(1)])
        },
        &["acpi: the ACPI tables are damaged: SdtInvalidChecksum", ALONE],
    ),
    case(
        "an RSDP that names an XSDT where nothing is",
        |guest| tables::point_rsdp_at(guest, 0xffff_ffff_ffff_fff0),
        &["acpi: the table at fffffffffffffff0 lies in no memory", ALONE],
    ),
    case(
        "an RSDP with a wrong sum",
        |guest| guest.write(tables::RSDP + 8, &[0xa5]),
        &["acpi: the ACPI tables are damaged: RsdpInvalidChecksum", ALONE],
    ),
    case(
        "a loader that found no RSDP",
        |guest| tables::set_rsdp(guest, None),
        &["acpi: the loader did not find the ACPI tables; the boot CPU is all that is used", ALONE],
    ),
    case(
        "a loader that names an RSDP where nothing is",
        |guest| tables::set_rsdp(guest, Some(1 << 60)),
        &["acpi: the table at 1000000000000000 lies in no memory", ALONE],
    ),
    case(
        "interrupt controllers in memory and beyond the processor's addresses",
        |guest| {
            let (io_apic, local_apic) = (tables::io_apic(0x80_0000), tables::local_apic(1 << 50));
            tables::set_madt(guest, &tables::madt(&[&CPU_0, &CPU_1, &io_apic, &local_apic]))
        },
        &[
            "acpi: the MADT has the local APICs at 4000000000000, where they cannot be",
            "acpi: the MADT has the I/O APIC at 800000, where they cannot be",
            "irq: no I/O APIC: the console cannot be typed into",
            TWO,
        ],
    ),
    case(
        "memory regions that are empty, run backwards, or lie beyond the processor's addresses",
        |guest| {
            let mut regions = tables::regions(guest)?;
            regions.extend([(0x40_0000, 0x40_0000, tables::USABLE), (0x60_0000, 0x50_0000, tables::USABLE)]);
            regions.extend([(1 << 41, 1 << 42, tables::USABLE), (1 << 52, u64::MAX, tables::USABLE)]);
            tables::set_regions(guest, &regions)
        },
        &["mm: 2 regions of the memory map reach beyond 10000000000, where this processor's addresses end", TWO],
    ),
    case(
        "a memory map that calls the kernel's memory free",
        |guest| {
            let mut regions = tables::regions(guest)?;
            regions.insert(0, (0x10_0000, 0x200_0000, tables::USABLE));
            tables::set_regions(guest, &regions)
        },
        &["mm: the memory map calls memory free in ", " places and says that it is in use there; it is not taken", TWO],
    ),
    case(
        "a memory map that contradicts itself in 60 places",
        |guest| {
            let mut regions = tables::regions(guest)?;
            let (start, end, _) = *regions.iter().max_by_key(|region| region.1 - region.0).expect("there are some");
            let tops =
                (0..60).map(|index| (end - (2 * index + 1) * 0x1000, end - 2 * index * 0x1000, tables::RESERVED));
            let tops: Vec<_> = tops.collect();
            ensure!(start + 0x100_0000 < end, "the largest region is small");
            regions.extend(tops);
            tables::set_regions(guest, &regions)
        },
        &["mm: the memory map calls memory free in 60 places", TWO],
    ),
    case(
        "no free memory below 1 MiB",
        |guest| {
            let mut regions = tables::regions(guest)?;
            let low = |region: &&mut tables::Region| region.0 < 0x10_0000 && region.2 == tables::USABLE;
            regions.iter_mut().filter(low).for_each(|region| region.2 = tables::RESERVED);
            tables::set_regions(guest, &regions)
        },
        &["smp: no other CPU can be started: no 0x4000 bytes of usable memory below 1 MiB for the trampoline"],
    ),
    Case {
        options: "efi=trampoline",
        ..case(
            "no free memory below 1 MiB, and EFI shall be in trampoline_pgd",
            |guest| {
                let mut regions = tables::regions(guest)?;
                let low = |region: &&mut tables::Region| region.0 < 0x10_0000 && region.2 == tables::USABLE;
                regions.iter_mut().filter(low).for_each(|region| region.2 = tables::RESERVED);
                tables::set_regions(guest, &regions)
            },
            &["efi: no runtime services: trampoline_pgd is not made", "smp: no other CPU can be started"],
        )
    },
    Case {
        ends: true,
        ..case(
            "a memory map that ends after its first region",
            |guest| {
                let regions = tables::regions(guest)?;
                tables::set_regions(guest, &regions[..1])
            },
            &["kernel panic", "out of memory: no "],
        )
    },
    case(
        "a memory map without what the loader used",
        |guest| {
            let mut regions = tables::regions(guest)?;
            regions.retain(|region| region.2 != tables::LOADER);
            tables::set_regions(guest, &regions)
        },
        &["efi: not used: the memory map does not lie in memory that is kept", TWO],
    ),
];

pub fn run(report: &mut Report) {
    for case in CASES {
        report.case(&format!("hostile: {}", case.name), check(case));
    }
    firmware::run(report);
    processors::run(report);
}

fn check(case: &Case) -> Result<()> {
    let mut guest = Guest::start(2, case.options, &[])?;
    (case.prepare)(&mut guest)?;
    let stop = guest.run()?;
    let console = guest.console()?;
    in_order(&console, case.says)?;
    if case.ends {
        ensure!(matches!(stop, StopReason::Exit { .. }), "it stopped otherwise: {stop:?}; the console:\n{console}");
        return Ok(());
    }
    at_prompt(&stop, &console)
}

/// The kernel waits at its prompt, and had no exception.
fn at_prompt(stop: &StopReason, console: &str) -> Result<()> {
    let waits = *stop == StopReason::AllWaiting && console.ends_with(PROMPT);
    ensure!(waits && !console.contains("The kernel stops"), "it does not wait, but: {stop:?}; the console:\n{console}");
    Ok(())
}

/// The console has these words, one behind the other.
fn in_order(console: &str, says: &[&str]) -> Result<()> {
    let mut rest = console;
    for words in says {
        let at = rest.find(words);
        ensure!(at.is_some(), "it does not say {words:?} (in this order); the console:\n{console}");
        rest = at.and_then(|at| rest.get(at + words.len()..)).unwrap_or_default();
    }
    Ok(())
}

//! EFI that is not as it should be: a memory map that makes no sense, tables that are elsewhere, services that fail, that never
//! end, or that use every register that they may.

use super::guest::Guest;
use super::{Case, at_prompt, case, in_order, tables};
use crate::test::Report;
use anyhow::{Context, Result, ensure};

const RUNTIME_DATA: u64 = 6;

const CASES: &[Case] = &[
    case(
        "EFI: a runtime region in the kernel's memory",
        |guest| tables::add_runtime_region(guest, RUNTIME_DATA, 0x10_0000, 16),
        &[
            "efi: runtime region at 100000 is not used: the kernel has memory there",
            "efi: SetVirtualAddressMap is done",
        ],
    ),
    case(
        "EFI: runtime regions without pages, at no page, beyond the processor's addresses, and of all pages",
        |guest| {
            tables::add_runtime_region(guest, RUNTIME_DATA, !4095, u64::MAX)?;
            tables::add_runtime_region(guest, RUNTIME_DATA, 1 << 42, 1)?;
            tables::add_runtime_region(guest, RUNTIME_DATA, 0xfe00_0800, 1)?;
            tables::add_runtime_region(guest, RUNTIME_DATA, 0xfe00_0000, 0)
        },
        &[
            "efi: runtime region at fe000000 is not used: it has no pages",
            "efi: runtime region at fe000800 is not used: it does not begin on a page",
            "efi: runtime region at 40000000000 is not used: it does not begin on a page, or ends beyond",
            "efi: runtime region at fffffffffffff000 is not used",
            "efi: SetVirtualAddressMap is done",
        ],
    ),
    case(
        "EFI: a memory map that is cut off within a descriptor",
        |guest| {
            tables::add_runtime_region(guest, 0, 0xfe00_0000, 1)?;
            let size = tables::efi(guest, "efi_memmap_size")?;
            tables::set_efi(guest, "efi_memmap_size", size - 20)
        },
        &["efi: the memory map ends within a descriptor; that one is not used", "efi: SetVirtualAddressMap is done"],
    ),
    case(
        "EFI: a memory map without the firmware's regions",
        |guest| tables::set_efi(guest, "efi_memmap_size", 48),
        &["efi: no runtime services: the memory map has no region for them", "smp: 2 of 2 CPUs online"],
    ),
    case(
        "EFI: descriptors of no size",
        |guest| tables::set_efi(guest, "efi_memdesc_size", 0),
        &["efi: not used: the memory map's descriptors have no room for what a descriptor has"],
    ),
    case(
        "EFI: a memory map where no memory is",
        |guest| tables::set_efi(guest, "efi_memmap", 0xffff_ffff_ffff_f000),
        &["efi: not used: the memory map "],
    ),
    case(
        "EFI: a system table where no memory is",
        |guest| tables::set_efi(guest, "efi_system_table", 1 << 60),
        &["efi: not used: there is no system table where the loader says"],
    ),
    case(
        "EFI: a system table with a wrong CRC",
        |guest| {
            let at = tables::efi(guest, "efi_system_table")? + 16;
            guest.write(at, &[0x12, 0x34, 0x56, 0x78])
        },
        &["efi: not used: the system table's CRC is wrong"],
    ),
    case(
        "EFI: a firmware that refuses SetVirtualAddressMap",
        |guest| tables::set_efi(guest, "efi_memdesc_version", 7),
        &["efi: no runtime services: SetVirtualAddressMap answered", "efi: init_top_pgt holds no EFI mapping"],
    ),
];

pub fn run(report: &mut Report) {
    for case in CASES {
        report.case(&format!("hostile: {}", case.name), super::check(case));
    }
    report.case("hostile: EFI: services that answer with errors", errors());
    report.case("hostile: EFI: variables without an end", endless());
    for options in ["efi=own", "efi=trampoline", "efi=old_map"] {
        let name = format!("hostile: EFI: a firmware that uses every register that it may, {options}");
        report.case(&name, registers(options));
    }
}

/// The machine at the prompt, and the physical address of the services' table.
fn booted(options: &str) -> Result<(Guest, u64)> {
    let mut guest = Guest::start(2, options, &[])?;
    let services = tables::services(&mut guest)?;
    let stop = guest.run()?;
    at_prompt(&stop, &guest.console()?)?;
    Ok((guest, services))
}

/// Types a line; what it was answered with.
fn ask(guest: &mut Guest, line: &str) -> Result<String> {
    let before = guest.console()?.len();
    let stop = guest.type_line(line)?;
    let console = guest.console()?;
    at_prompt(&stop, &console)?;
    Ok(console[before..].to_owned())
}

/// Every service answers as SetTime does: EFI_UNSUPPORTED.
fn errors() -> Result<()> {
    let (mut guest, services) = booted("")?;
    let refuses = guest.word(services + tables::SET_TIME)?;
    for service in [tables::GET_TIME, tables::GET_VARIABLE, tables::NEXT_VARIABLE, tables::SET_VARIABLE] {
        guest.write(services + service, &refuses.to_le_bytes())?;
    }
    for line in ["efi time", "efi vars", "efi var Colour", "efi var Colour red"] {
        let answer = ask(&mut guest, line)?;
        ensure!(answer.contains("the firmware answers "), "`{line}` was answered with:\n{answer}");
    }
    Ok(())
}

/// Room for a service of the test's own: behind the firmware's code, in a page that it executes.
#[derive(Clone, Copy)]
struct Room {
    /// Where it is in physical memory, found before the firmware had any other addresses.
    phys: u64,
    /// How far it is behind UpdateCapsule, by which its linear address is found.
    behind: u64,
}

const PAGE: usize = 4096;

impl Room {
    const BYTES: usize = 256;

    /// The first stretch of zeros behind UpdateCapsule: what is left of the last page of code.
    fn find(guest: &mut Guest, capsule: u64) -> Result<Self> {
        // The image ends where RAM does.
        let mut memory = guest.read(capsule, PAGE - (capsule as usize % PAGE))?;
        while let Ok(page) = guest.read(capsule + memory.len() as u64, PAGE) {
            memory.extend(page);
        }
        let is_free = |at: &usize| memory[*at..at + Self::BYTES].iter().all(|byte| *byte == 0);
        let first = capsule.next_multiple_of(16) - capsule;
        let at = (first as usize..memory.len() - Self::BYTES).step_by(16).find(is_free);
        let behind = at.context("the firmware's last page of code is full")? as u64;
        Ok(Self { phys: capsule + behind, behind })
    }

    /// Puts code there and has a service go to it.
    fn replace(self, guest: &mut Guest, services: u64, service: u64, code: &[u8]) -> Result<()> {
        ensure!(code.len() <= Self::BYTES, "{} bytes of code are more than there is room for", code.len());
        guest.write(self.phys, code)?;
        let linear = guest.word(services + tables::UPDATE_CAPSULE)? + self.behind;
        guest.write(services + service, &linear.to_le_bytes())
    }
}

/// The same as [`booted`], and room in the firmware.
fn booted_with_room(options: &str) -> Result<(Guest, u64, Room)> {
    let mut guest = Guest::start(2, options, &[])?;
    let services = tables::services(&mut guest)?;
    let capsule = guest.word(services + tables::UPDATE_CAPSULE)?;
    let room = Room::find(&mut guest, capsule)?;
    let stop = guest.run()?;
    at_prompt(&stop, &guest.console()?)?;
    Ok((guest, services, room))
}

/// GetNextVariableName that always finds one more: the listing ends all the same.
fn endless() -> Result<()> {
    /// `xor eax, eax; ret`: EFI_SUCCESS, nothing changed.
    const SUCCESS: &[u8] = &[0x31, 0xc0, 0xc3];
    let (mut guest, services, room) = booted_with_room("")?;
    room.replace(&mut guest, services, tables::NEXT_VARIABLE, SUCCESS)?;
    let answer = ask(&mut guest, "efi vars")?;
    in_order(
        &answer,
        &["the firmware goes on naming variables; the first 1000 are shown", "room for those that persist"],
    )?;
    let answer = ask(&mut guest, "efi var Colour")?;
    ensure!(answer.contains("there is no variable Colour"), "it was answered with:\n{answer}");
    Ok(())
}

/// GetTime as it is, behind which everything is overwritten that UEFI's calling convention lets it overwrite (UEFI
/// specification, "Detailed Calling Conventions"), the caller's 32 bytes on the stack included; and with DF and IF set, which it
/// may not leave so.
fn registers(options: &str) -> Result<()> {
    let (mut guest, services, room) = booted_with_room(options)?;
    let time = guest.word(services + tables::GET_TIME)?;
    // sub rsp, 28h; mov rax, imm64; call rax; add rsp, 28h
    let mut code = vec![0x48, 0x83, 0xec, 0x28, 0x48, 0xb8];
    code.extend(time.to_le_bytes());
    code.extend([0xff, 0xd0, 0x48, 0x83, 0xc4, 0x28]);
    // mov rdx, 1234h; mov rcx, rdx; mov r8, rdx; mov r9, rdx; mov r10, rdx; mov r11, rdx
    code.extend([0x48, 0xc7, 0xc2, 0x34, 0x12, 0, 0, 0x48, 0x89, 0xd1, 0x49, 0x89, 0xd0]);
    code.extend([0x49, 0x89, 0xd1, 0x49, 0x89, 0xd2, 0x49, 0x89, 0xd3]);
    // mov [rsp + 8 .. 20h], rdx
    for slot in [0x08, 0x10, 0x18, 0x20] {
        code.extend([0x48, 0x89, 0x54, 0x24, slot]);
    }
    // movq xmm0 .. xmm5, rdx
    for register in 0..6u8 {
        code.extend([0x66, 0x48, 0x0f, 0x6e, 0xc2 | register << 3]);
    }
    let harmless = code.len();
    // std; sti; ret
    code.extend([0xfd, 0xfb, 0xc3]);
    room.replace(&mut guest, services, tables::GET_TIME, &code)?;
    let answer = ask(&mut guest, "efi time")?;
    in_order(&answer, &["efi: the firmware changed ", "DIRECTION_FLAG", "of RFLAGS; put back", "2026-01-01"])?;
    // Without the flags it is a firmware like any other.
    guest.write(room.phys + harmless as u64, &[0xc3])?;
    let answer = ask(&mut guest, "efi time")?;
    ensure!(answer.contains("2026-01-01") && !answer.contains("RFLAGS"), "it was answered with:\n{answer}");
    let answer = ask(&mut guest, "cpus")?;
    ensure!(answer.contains("2 of 2 online"), "it was answered with:\n{answer}");
    Ok(())
}

//! The mistakes of docs/MISTAKES.md: each shows its symptom on the machine that it takes, and that machine is well without
//! it. `on_qemu` shows those on QEMU that its TCG and OVMF can have.

mod on_qemu;

use super::events::{self, hex, of_cpu, of_kind};
use super::{Report, shell};
use crate::guest::symbols::Linked;
use crate::{cmd, project};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Exit status of the machine: --max-steps were made; a CPU shut down; nothing can happen any more.
const STEPS_MADE: i32 = 4;
const TRIPLE_FAULT: i32 = 6;
const ALL_WAIT: i32 = 8;

/// What is seen.
#[derive(Clone, Copy)]
enum Symptom {
    /// An AP's first fault: its vector, its error code, and the label of the blob before it. It shuts the AP down.
    Fault(u64, &'static str, &'static str),
    /// The first fault, in the kernel: whose, its vector, its error code, and the label at it, if it has one. It shuts the CPU
    /// down.
    KernelFault(u16, u64, &'static str, Option<&'static str>),
    /// An AP is left out since its SIPI came before its INIT was finished.
    SipiLost,
    /// With one seed or another an AP is left out since it halts in real mode, where verify_cpu sent it.
    NoLongmode,
    /// After `restart real`: CPU 0's first fault, its vector and the label before it, in the kernel or in the blob; and no
    /// restart.
    NoRestart(u64, &'static str),
    /// After `restart real`: it restarts all the same. Without global pages it is [`Self::NoRestart`].
    Hidden(u64, &'static str),
    /// The SIPI's vector is what 8 bits hold of the page where trampoline_start is, and that page is firmware's: the AP comes to
    /// the reset vector, again and again.
    Elsewhere,
    /// An AP starts half a page before trampoline_start; its first fault, with this vector and error code, is at this label of
    /// the blob and shuts it down.
    Unaligned(u64, &'static str, &'static str),
    /// After `efi nmi`: the NMI's handler loads CR3 with another page than the table that is in use, and the CPU shuts down.
    NmiOnWrongTables,
    /// The firmware is in the kernel's tables: the kernel says so.
    Leak,
    /// After a line was typed, or none, CPU 0's first fault: a page fault with this error code, while it executes in the first
    /// place, for an address in the second.
    Efi(&'static str, &'static str, In, In),
}

/// Stretches of linear addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    /// Page 0.
    Page0,
    /// The lower half: linear = physical.
    Low,
    /// From -68 GiB to -4 GiB.
    EfiWindow,
    /// The window and 2 MiB above it: where data would be that should lie behind the code that is highest.
    NearWindow,
    /// The direct map.
    DirectMap,
    /// The kernel's image.
    Kernel,
}

impl In {
    fn holds(self, linear: u64) -> bool {
        match self {
            Self::Page0 => linear < 0x1000,
            Self::Low => linear < 1 << 47,
            Self::EfiWindow => (0xffff_ffef_0000_0000..0xffff_ffff_0000_0000).contains(&linear),
            Self::NearWindow => (0xffff_ffef_0000_0000..0xffff_ffff_0020_0000).contains(&linear),
            Self::DirectMap => (0xffff_8880_0000_0000..0xffff_c880_0000_0000).contains(&linear),
            Self::Kernel => linear >= 0xffff_ffff_8000_0000,
        }
    }
}

/// A mistake.
struct Case {
    /// The kernel's options, as in the document.
    options: &'static str,
    /// Without the mistake.
    well: &'static str,
    cpus: u16,
    /// The machine that it takes.
    arguments: &'static [&'static str],
    symptom: Symptom,
}

const CASES: &[Case] = &[
    Case {
        options: "kaiser=on efi=trampoline mistake=pgd-alignment",
        well: "kaiser=on efi=trampoline",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::NmiOnWrongTables,
    },
    Case {
        options: "page_offset_gib=16 mistake=identity-slot",
        well: "page_offset_gib=16",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Fault(14, "0x10", "tr_enter_64"),
    },
    Case { options: "efi=trampoline", well: "", cpus: 2, arguments: &[], symptom: Symptom::Leak },
    Case {
        options: "efi=trampoline mistake=efi-unmap",
        well: "efi=trampoline",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Efi("efi map\r", "0x0", In::Kernel, In::DirectMap),
    },
    Case {
        options: "efi=old_map mistake=efi-nx-poison",
        well: "efi=old_map",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Efi("", "0x11", In::Low, In::Low),
    },
    Case {
        options: "mistake=efi-map-order",
        well: "",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Efi("efi vars\r", "0x0", In::EfiWindow, In::NearWindow),
    },
    Case {
        options: "mistake=efi-no-memmap",
        well: "",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Efi("", "0x0", In::Low, In::Low),
    },
    Case {
        options: "mistake=efi-no-page0",
        well: "",
        cpus: 2,
        arguments: &["--firmware-quirk", "touch-page-zero"],
        symptom: Symptom::Efi("", "0x0", In::Low, In::Page0),
    },
    Case {
        options: "pcid=on mistake=cr4-pcide",
        well: "pcid=on",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Fault(13, "0x0", "tr_load_cr4"),
    },
    Case {
        options: "la57=on mistake=cr4-constant",
        well: "la57=on",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::KernelFault(1, 13, "0x0", Some("ss_flush_global")),
    },
    Case {
        options: "mistake=efer-lma",
        well: "",
        cpus: 2,
        arguments: &["--cpu-quirk", "efer-lma-gp"],
        symptom: Symptom::Fault(13, "0x0", "tr_load_efer"),
    },
    Case {
        options: "mistake=no-nxe",
        well: "",
        cpus: 2,
        arguments: &["--cpu-quirk", "xd-disable"],
        symptom: Symptom::Fault(14, "0x9", "tr_enter_64"),
    },
    Case {
        options: "sipi_count=1",
        well: "",
        cpus: 4,
        arguments: &["--cpu-quirk", "slow-init"],
        symptom: Symptom::SipiLost,
    },
    Case {
        options: "bringup=parallel-nolock sipi=broadcast",
        well: "bringup=parallel sipi=broadcast",
        cpus: 8,
        arguments: &["--quantum", "1"],
        symptom: Symptom::NoLongmode,
    },
    Case {
        options: "bringup=parallel mistake=x2apic-mismatch",
        well: "bringup=parallel",
        cpus: 4,
        arguments: &["--cpu-quirk", "x2apic-on"],
        symptom: Symptom::KernelFault(1, 14, "0x0", Some("ss_read_apic_id")),
    },
    Case {
        options: "mistake=nx-unsupported",
        well: "",
        cpus: 2,
        arguments: &["--cpu-quirk", "no-nx"],
        symptom: Symptom::KernelFault(0, 14, "0xb", None),
    },
    Case {
        options: "mistake=restart-no-kernel-map",
        well: "",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::NoRestart(14, "mrr_far_jump"),
    },
    Case {
        options: "mistake=restart-no-kernel-map,restart-no-flush",
        well: "",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Hidden(14, "mrr_far_jump"),
    },
    Case {
        options: "mistake=trampoline-high",
        well: "",
        cpus: 2,
        // Enough for two boots.
        arguments: &["--max-steps", "3000000"],
        symptom: Symptom::Elsewhere,
    },
    Case {
        options: "mistake=trampoline-unaligned",
        well: "",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::Unaligned(14, "0x10", "tr_enter_64"),
    },
    Case {
        options: "pcid=on mistake=restart-pcide",
        well: "pcid=on",
        cpus: 2,
        arguments: &[],
        symptom: Symptom::NoRestart(13, "rr_clear_pg"),
    },
];

pub fn run(report: &mut Report) -> Result<()> {
    let folder = project::target().join("mistake-tests");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let blob = Linked::read(&project::blob(), 16)?;
    report.case("every mistake of docs/MISTAKES.md has a test", all_are_here());
    for case in CASES {
        report.case(&format!("mistake: {}", case.options), shows(case, &blob, &folder));
        let words = [case.well, &case.arguments.join(" ")].join(" ");
        let words = if words.trim().is_empty() { "the usual machine and kernel" } else { words.trim() };
        report.case(&format!("without it: {words}"), is_well(case, &folder));
    }
    on_qemu::run(report, &folder);
    Ok(())
}

/// The document's headings are the options of [`CASES`]. Those which it does not say to be missing on QEMU are there.
fn all_are_here() -> Result<()> {
    let path = project::root().join("docs/MISTAKES.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    let mut tested: Vec<&str> = CASES.iter().map(|case| case.options).collect();
    told.sort_unstable();
    tested.sort_unstable();
    ensure!(told == tested, "it tells of {told:?}, tested are {tested:?}");
    let sections = text.split("\n## `").skip(1).filter(|section| section.contains("\n- On QEMU: as above"));
    let mut told: Vec<&str> = sections.filter_map(|section| section.split('`').next()).collect();
    let shown = on_qemu::CASES.iter().map(|case| case.options);
    let mut tested: Vec<&str> = shown.chain(on_qemu::SHOWN_ON_THE_WAY.iter().copied()).collect();
    told.sort_unstable();
    tested.sort_unstable();
    ensure!(told == tested, "on QEMU it promises {told:?}, tested are {tested:?}");
    Ok(())
}

/// A boot: exit status, events, console.
fn boot(case: &Case, options: &str, folder: &Path) -> Result<(Option<i32>, Vec<Value>, String)> {
    boot_with(case, &[], options, folder)
}

/// The same on a machine that has more arguments.
fn boot_with(case: &Case, more: &[&str], options: &str, folder: &Path) -> Result<(Option<i32>, Vec<Value>, String)> {
    let (events, serial) = (folder.join("events.jsonl"), folder.join("serial.txt"));
    let mut machine = Command::new(project::program("firstlight-machine", false));
    machine.arg("--kernel").arg(project::kernel()).args(["--cpus", &case.cpus.to_string()]).args(case.arguments);
    machine.args(more).args(["--options", &format!("cpu_timeout_ms=20 {options}")]);
    if !case.arguments.contains(&"--max-steps") {
        machine.args(["--max-steps", "500000000"]);
    }
    machine.arg("--events").arg(&events).arg("--serial").arg(format!("file:{}", serial.display()));
    let output = machine.stdin(Stdio::null()).output().map_err(|error| cmd::explain(&machine, error))?;
    let events = events::read(&events)?;
    Ok((output.status.code(), events, std::fs::read_to_string(&serial).unwrap_or_default()))
}

fn shows(case: &Case, blob: &Linked, folder: &Path) -> Result<()> {
    match case.symptom {
        Symptom::NoRestart(vector, label) => return no_restart(case.options, (vector, label), blob, folder),
        Symptom::Hidden(vector, label) => {
            restarts(case.options, folder).context("it should be hidden")?;
            let options = format!("kaiser=on {}", case.options);
            return no_restart(&options, (vector, label), blob, folder).context("without global pages");
        }
        Symptom::Elsewhere | Symptom::Unaligned(..) => return misplaced(case, blob, folder),
        Symptom::Efi(typed, error, at, address) => return efi_fault(case, typed, error, (at, address), folder),
        Symptom::Leak => return leak(case.options, true, folder),
        Symptom::NmiOnWrongTables => return wrong_tables(case.options, blob, folder),
        Symptom::NoLongmode => return without_a_lock(case, folder),
        _ => {}
    }
    let (status, events, console) = boot(case, case.options, folder)?;
    let fault = of_kind(&events, "fault").next();
    if let Symptom::KernelFault(cpu, vector, error, label) = case.symptom {
        ensure!(status == Some(TRIPLE_FAULT), "no CPU shut down: exit status {status:?}");
        let fault = fault.context("there was no fault")?;
        let as_told = fault["cpu"] == cpu && fault["vector"] == vector && fault["error"] == error;
        ensure!(as_told, "another fault: {fault}");
        if let Some(label) = label {
            let kernel = Linked::read(&project::kernel(), 64)?;
            let symbol = kernel.find(label).with_context(|| format!("the kernel has no label {label}"))?;
            ensure!(hex(&fault["at"]) == Some(symbol.address), "the fault was not at {label}: {fault}");
        }
        return Ok(());
    }
    if let Symptom::Fault(vector, error, label) = case.symptom {
        ensure!(status == Some(TRIPLE_FAULT), "no CPU shut down: exit status {status:?}");
        let fault = fault.context("there was no fault")?;
        let as_told = fault["cpu"] != 0 && fault["vector"] == vector && fault["error"] == error;
        ensure!(as_told, "another fault: {fault}");
        let at = place(&events, fault, blob)?;
        ensure!(at == label, "the fault was behind {at}, not {label}: {fault}");
        return Ok(());
    }
    ensure!(status == Some(ALL_WAIT), "exit status {status:?}; the console:\n{console}");
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    ensure!(console.contains("it did not answer"), "every CPU came; the console:\n{console}");
    let why = (1..case.cpus).all(|cpu| lost_its_sipi(&events, cpu));
    ensure!(why, "a CPU was left out, but not for the reason that the mistake has");
    Ok(())
}

/// Who meets whom on the stack depends on the schedule, and on every step before: of so many seeds some show it.
fn without_a_lock(case: &Case, folder: &Path) -> Result<()> {
    const SEEDS: u64 = 8;
    for seed in 1..=SEEDS {
        let (status, events, console) = boot_with(case, &["--seed", &seed.to_string()], case.options, folder)?;
        let halted = (1..case.cpus).any(|cpu| halted_in_real_mode(&events, cpu));
        if halted && status == Some(ALL_WAIT) && console.contains("it did not answer") {
            return Ok(());
        }
    }
    bail!("with {SEEDS} seeds no AP was left out in no_longmode")
}

/// All SIPIs to a CPU came too early.
fn lost_its_sipi(events: &[Value], cpu: u16) -> bool {
    let mut sipis = of_kind(events, "ipi").filter(|event| event["delivery"] == "sipi" && event["to"] == cpu).peekable();
    sipis.peek().is_some() && sipis.all(|event| event["ignored"] == "its INIT is not finished")
}

/// A CPU came to real mode, no further, and halts.
fn halted_in_real_mode(events: &[Value], cpu: u16) -> bool {
    let last = |kind: &str| of_cpu(events, cpu).filter(|event| event["kind"] == kind).last().map(|event| &event["to"]);
    last("mode").is_some_and(|mode| mode == "real") && last("activity").is_some_and(|activity| activity == "halted")
}

/// The blob is where no SIPI can send an AP: how the APs start all the same, and how far they come.
fn misplaced(case: &Case, blob: &Linked, folder: &Path) -> Result<()> {
    let (status, events, console) = boot(case, case.options, folder)?;
    let base = console.split("KiB at ").nth(1).and_then(|rest| rest.split('-').next());
    let base =
        base.and_then(|base| u64::from_str_radix(base, 16).ok()).context("the kernel did not tell of a place")?;
    let trampoline_start = base + blob.address_of("trampoline_start")?;
    let started_at = events::started_at(&events, 1)?;
    let differ = || format!("trampoline_start is at {trampoline_start:#x}, CPU 1 started at {started_at:#x}");
    let fault = of_cpu(&events, 1).find(|event| event["kind"] == "fault");
    if let Symptom::Unaligned(vector, error, label) = case.symptom {
        ensure!(trampoline_start - started_at == 0x800, "{}", differ());
        ensure!(status == Some(TRIPLE_FAULT), "no CPU shut down: exit status {status:?}");
        let fault = fault.context("there was no fault")?;
        let as_told = fault["vector"] == vector && fault["error"] == error;
        ensure!(as_told && hex(&fault["at"]) == Some(base + blob.address_of(label)?), "another fault: {fault}");
        return Ok(());
    }
    ensure!(trampoline_start >= 1 << 20 && started_at == trampoline_start & 0xf_f000, "{}", differ());
    ensure!(status == Some(STEPS_MADE), "exit status {status:?}; the console:\n{console}");
    let of = |kind: &'static str| of_cpu(&events, 1).filter(move |event| event["kind"] == kind);
    ensure!(of("mode").all(|event| event["to"] == "real"), "CPU 1 left real mode");
    let (starts, resets) = (of("mode").count(), of("reset").count());
    ensure!(resets > 1 && starts >= resets, "CPU 1 started {starts} times and restarted the machine {resets} times");
    Ok(())
}

fn no_restart(options: &str, (vector, label): (u64, &str), blob: &Linked, folder: &Path) -> Result<()> {
    let (console, events) = shell::type_to(options, "restart real\r", folder)?;
    let fault = of_kind(&events, "fault").next();
    let fault = fault.with_context(|| format!("there was no fault; the console:\n{console}"))?;
    ensure!(fault["cpu"] == 0 && fault["vector"] == vector, "another fault: {fault}");
    let kernel = Linked::read(&project::kernel(), 64)?;
    match kernel.find(label) {
        Some(symbol) => ensure!(hex(&fault["at"]) == Some(symbol.address), "the fault was not at {label}: {fault}"),
        None => ensure!(place(&events, fault, blob)? == label, "the fault was not behind {label}: {fault}"),
    }
    ensure!(of_kind(&events, "reset").next().is_none(), "it restarted all the same");
    Ok(())
}

fn restarts(options: &str, folder: &Path) -> Result<()> {
    let (console, _) = shell::type_to(options, "restart real\r", folder)?;
    let boots = console.matches("2 of 2 CPUs online").count();
    ensure!(boots == 2, "it came up {boots} times; the console:\n{console}");
    Ok(())
}

fn efi_fault(case: &Case, typed: &str, error: &str, (at, address): (In, In), folder: &Path) -> Result<()> {
    let (console, events) = shell::type_to_machine(case.arguments, case.options, typed, folder)?;
    let fault = of_kind(&events, "fault").next();
    let fault = fault.with_context(|| format!("there was no fault; the console:\n{console}"))?;
    ensure!(fault["cpu"] == 0 && fault["vector"] == 14 && fault["error"] == error, "another fault: {fault}");
    let (rip, cr2) = (hex(&fault["at"]).context("where?")?, hex(&fault["cr2"]).context("for what?")?);
    ensure!(at.holds(rip) && address.holds(cr2), "not at {at:?} for {address:?}: {fault}");
    // A fetch that is forbidden is for the instruction itself.
    ensure!(error != "0x11" || rip == cr2, "not a fetch: {fault}");
    ensure!(console.contains("#PF, page fault"), "the kernel did not tell of it; the console:\n{console}");
    Ok(())
}

fn wrong_tables(options: &str, blob: &Linked, folder: &Path) -> Result<()> {
    const BIT_12: u64 = 1 << 12;
    let (console, events) = shell::type_to(options, "efi nmi\r", folder)?;
    let shut_down = of_kind(&events, "triple-fault").any(|event| event["cpu"] == 0);
    ensure!(shut_down, "CPU 0 did not shut down; the console:\n{console}");
    let pgd = events::blob_address(&events, blob, "trampoline_pgd")?;
    let loads = of_cpu(&events, 0).filter(|event| event["kind"] == "cr" && event["register"] == "cr3");
    let last = loads.last().and_then(|event| hex(&event["new"]));
    ensure!(pgd & BIT_12 != 0 && last == Some(pgd & !BIT_12), "trampoline_pgd {pgd:#x}, CR3 {last:x?}");
    Ok(())
}

/// The NMI comes, and the firmware answers.
fn nmi_during_a_call(options: &str, folder: &Path) -> Result<()> {
    let (console, events) = shell::type_to(options, "efi nmi\r", folder)?;
    let fault = of_kind(&events, "fault").next();
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    ensure!(console.contains("CPU 0: got NMI") && console.contains("2026-01-01"), "the console:\n{console}");
    Ok(())
}

/// The kernel's tables hold the firmware's pages, or they do not; the kernel looks, and says which.
fn leak(options: &str, leaks: bool, folder: &Path) -> Result<()> {
    let (console, events) = shell::type_to(options, "efi time\r", folder)?;
    let window = console.contains("efi: EFI mappings in init_top_pgt, in pages; EFI window: ");
    let executable = console.contains("direct map, executable: ");
    let none = console.contains("efi: init_top_pgt holds no EFI mapping");
    ensure!((window, executable, none) == (leaks, leaks, !leaks), "the console:\n{console}");
    // The firmware answers all the same.
    ensure!(console.contains("2026-01-01"), "no time; the console:\n{console}");
    let fault = of_kind(&events, "fault").next();
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    Ok(())
}

/// The blob's label at or before a fault.
fn place<'a>(events: &[Value], fault: &Value, blob: &'a Linked) -> Result<&'a str> {
    let offset = hex(&fault["at"]).context("a fault without a place")?.wrapping_sub(events::blob_base(events, blob)?);
    let before = blob.symbols.iter().filter(|symbol| symbol.address <= offset && !symbol.name.starts_with("pa_"));
    let label = before.max_by_key(|symbol| symbol.address).context("the fault was not in the blob")?;
    Ok(&label.name)
}

fn is_well(case: &Case, folder: &Path) -> Result<()> {
    if let Symptom::Efi(typed, ..) = case.symptom {
        // An empty line has a prompt behind it as well.
        let typed = if typed.is_empty() { "\r" } else { typed };
        let (console, events) = shell::type_to_machine(case.arguments, case.well, typed, folder)?;
        let fault = of_kind(&events, "fault").next();
        ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
        let answered = console.matches("firstlight> ").count() >= 2;
        ensure!(answered && console.contains("efi: SetVirtualAddressMap is done"), "the console:\n{console}");
        return Ok(());
    }
    match case.symptom {
        Symptom::Leak => return leak(case.well, false, folder),
        Symptom::NmiOnWrongTables => return nmi_during_a_call(case.well, folder),
        _ => {}
    }
    if matches!(case.symptom, Symptom::NoRestart(..) | Symptom::Hidden(..)) {
        return restarts(case.well, folder);
    }
    let (status, events, console) = boot(case, case.well, folder)?;
    let online = format!("smp: {0} of {0} CPUs online", case.cpus);
    ensure!(status == Some(ALL_WAIT) && console.contains(&online), "exit status {status:?}; the console:\n{console}");
    let fault = of_kind(&events, "fault").next();
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    Ok(())
}

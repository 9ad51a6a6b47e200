//! Processors that do not come, come late, get stuck on the way or later, or come twice; and one that an INIT takes while it
//! prints.

use super::guest::Guest;
use super::{at_prompt, in_order, tables};
use crate::test::Report;
use anyhow::{Result, ensure};

/// More steps than the boot CPU waits for a CPU, at a microsecond each.
const LONG: u64 = 30_000;

pub fn run(report: &mut Report) {
    for bringup in ["bringup=serial", "bringup=parallel"] {
        report.case(&format!("hostile: a CPU that never answers, {bringup}"), never(bringup));
        report.case(&format!("hostile: a CPU that gets stuck on its way, {bringup}"), stuck(bringup));
        report.case(&format!("hostile: a CPU that comes late, {bringup}"), late(bringup));
        report.case(&format!("hostile: a CPU that comes twice, {bringup}"), twice(bringup));
    }
    report.case("hostile: a CPU that nobody waits for", unexpected());
    report.case("hostile: INIT takes a CPU that prints", reset_while_printing());
    report.case("hostile: a CPU that takes no interrupts, and a TLB shootdown", deaf());
    report.case("hostile: a CPU that takes no NMIs either, and a TLB shootdown", dead());
}

fn start(bringup: &str) -> Result<Guest> {
    Guest::start(3, &format!("{bringup} cpu_timeout_ms=5"), &[])
}

/// Runs to the prompt, where it says these words, in this order.
fn finish(guest: &mut Guest, says: &[&str]) -> Result<()> {
    let stop = guest.run()?;
    let console = guest.console()?;
    in_order(&console, says)?;
    at_prompt(&stop, &console)
}

/// Types a line; the answer has these words, in this order.
fn ask(guest: &mut Guest, line: &str, says: &[&str]) -> Result<()> {
    let before = guest.console()?.len();
    let stop = guest.type_line(line)?;
    let console = guest.console()?;
    in_order(&console[before..], says)?;
    at_prompt(&stop, &console)
}

/// The MADT names one that there is not.
fn never(bringup: &str) -> Result<()> {
    let mut guest = start(bringup)?;
    let entries = [0, 1, 77, 2].map(tables::processor);
    let entries: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
    tables::set_madt(&mut guest, &tables::madt(&entries))?;
    finish(
        &mut guest,
        &["smp: CPU 2 (APIC ID 77)", "it did not answer: start_secondary was not reached", "smp: 3 of 4 CPUs online"],
    )
}

/// It halts where its first Rust code is. The next one comes all the same, and so does this one when it is started again.
fn stuck(bringup: &str) -> Result<()> {
    let mut guest = start(bringup)?;
    let (first, halt) = (guest.symbol("start_secondary")?, guest.symbol("ss_unknown_cpu_halt")?);
    guest.run_to(1, first)?;
    guest.set(1, "rip", halt)?;
    // The console cannot be typed into where the MADT has been changed.
    finish(&mut guest, &["smp: CPU 1 (APIC ID 1)", "it did not answer", "smp: 2 of 3 CPUs online"])?;
    ask(&mut guest, "cpu 1 on", &["online after"])
}

/// It makes no step before the boot CPU has given it up.
fn late(bringup: &str) -> Result<()> {
    let mut guest = start(bringup)?;
    let sends = guest.symbol("icr_write_low")?;
    guest.run_to(0, sends)?;
    for _ in 0..200 {
        guest.run_alone(0, LONG)?;
        if guest.console()?.contains("left out after") {
            break;
        }
    }
    finish(&mut guest, &["smp: CPU 1 (APIC ID 1)", "left out after", "it did not answer", "CPUs online"])?;
    let console = guest.console()?;
    ensure!(!console.contains("3 of 3 CPUs online"), "it came in time; the console:\n{console}");
    ask(&mut guest, "cpu 1 on", &["CPU 1 (APIC ID 1)", "online after"])
}

/// Once it is there it begins anew where the trampoline leads, as after an INIT and SIPI that the kernel did not send. With
/// nobody to be waited for in the globals of serial bring-up it halts before it has a stack.
fn twice(bringup: &str) -> Result<()> {
    let mut guest = start(bringup)?;
    let (calls, again) = (guest.symbol("ss_call")?, guest.symbol("secondary_startup_64")?);
    let first = guest.symbol("start_secondary")?;
    guest.run_to(1, calls)?;
    guest.run_to(1, first)?;
    // Far enough for it to have said that it is there.
    guest.run_alone(1, 60)?;
    guest.set(1, "rip", again)?;
    finish(
        &mut guest,
        &[
            "CPU 1: started a second time, not by this kernel; it goes offline",
            "smp: CPU 1",
            "left out",
            "smp: 2 of 3 CPUs online",
        ],
    )?;
    ask(&mut guest, "cpus", &["offline, halted", "2 of 3 online"])?;
    ask(&mut guest, "cpu 1 on", &["online after"])?;
    ask(&mut guest, "ipi 1", &["CPU 1: got IPI"])
}

/// With serial bring-up there is one slot for who comes next: a CPU that begins anew when it is empty must not take what was in
/// it last.
fn unexpected() -> Result<()> {
    let mut guest = start("bringup=serial")?;
    finish(&mut guest, &["smp: 3 of 3 CPUs online"])?;
    let (again, halts) = (guest.symbol("secondary_startup_64")?, guest.symbol("ss_unknown_cpu_halt")?);
    // It stands in HLT: an interrupt has it go on, elsewhere.
    let handler = guest.symbol("trap_common")?;
    guest.type_up_to("ipi 2", 2, handler)?;
    guest.set(2, "rip", again)?;
    guest.run_to(2, halts)?;
    finish(&mut guest, &["CPU 2 (online) did not answer"])?;
    ask(&mut guest, "ipi 1", &["CPU 1: got IPI"])?;
    ask(&mut guest, "cpu 2 off", &["did not answer"])
}

/// CPU 1 halts on its way into the handler of an IPI, with interrupts off. It drops its pages by NMI, which is told once.
fn deaf() -> Result<()> {
    let mut guest = start("")?;
    finish(&mut guest, &["smp: 3 of 3 CPUs online"])?;
    let (handler, halts) = (guest.symbol("trap_common")?, guest.symbol("ss_unknown_cpu_halt")?);
    guest.type_up_to("ipi 1", 1, handler)?;
    guest.set(1, "rip", halts)?;
    finish(&mut guest, &["CPU 1 (online) did not answer"])?;
    let hangs = format!("at {halts:016x}");
    ask(
        &mut guest,
        "stress 3",
        &[
            "tlb: CPU 1 did not drop 1 page(s) at ",
            "it takes no interrupts",
            "tlb: CPU 1 did so by NMI",
            "stays online",
            "stress: 2 CPUs, 3 rounds each: ",
            " 0 stale, 6 shootdowns",
        ],
    )?;
    let console = guest.console()?;
    // It stood behind the HLT.
    let at = console.split("did so by NMI, at ").nth(1).and_then(|rest| rest.split(',').next());
    let at = at.and_then(|at| u64::from_str_radix(at, 16).ok());
    ensure!(at.is_some_and(|at| at > halts && at < halts + 4), "it does not tell that CPU 1 hangs {hangs}:\n{console}");
    ask(&mut guest, "stress 3", &["stress: 2 CPUs, 3 rounds each: ", " 0 stale, 6 shootdowns"])?;
    let again = guest.console()?.split_off(console.len());
    ensure!(!again.contains("tlb: "), "it tells the same again:\n{again}");
    ask(&mut guest, "ipi 1 init", &["INIT sent"])?;
    comes_back(&mut guest)
}

/// The same in the handler of an NMI, which keeps any other NMI away: it is reset.
fn dead() -> Result<()> {
    let mut guest = start("")?;
    finish(&mut guest, &["smp: 3 of 3 CPUs online"])?;
    let (handler, halts) = (guest.symbol("trap_common")?, guest.symbol("ss_unknown_cpu_halt")?);
    guest.type_up_to("ipi 1 nmi", 1, handler)?;
    guest.set(1, "rip", halts)?;
    finish(&mut guest, &["CPU 1 (online) did not answer"])?;
    ask(
        &mut guest,
        "stress 3",
        &[
            "tlb: CPU 1 did not drop 1 page(s) at ",
            "took no NMI either",
            "offline",
            "stress: 2 CPUs, 3 rounds each: ",
            " 0 stale",
        ],
    )?;
    ask(&mut guest, "cpus", &["reset by INIT", "2 of 3 online"])?;
    comes_back(&mut guest)
}

/// CPU 1 is started again, and does all that the others do.
fn comes_back(guest: &mut Guest) -> Result<()> {
    ask(guest, "cpu 1 on", &["CPU 1 (APIC ID 1)", "online after"])?;
    let before = guest.console()?.len();
    ask(guest, "stress 3", &["stress: 3 CPUs, 3 rounds each: ", " 0 stale, 9 shootdowns"])?;
    let said = guest.console()?.split_off(before);
    ensure!(!said.contains("tlb: "), "it does not take interrupts:\n{said}");
    Ok(())
}

/// An NMI has CPU 1 print, just as CPU 0 sends it an INIT. The turn at the console is taken from a CPU that will never end it.
fn reset_while_printing() -> Result<()> {
    let mut guest = Guest::start(2, "", &[])?;
    finish(&mut guest, &["smp: 2 of 2 CPUs online"])?;
    let sends = guest.symbol("icr_write_low")?;
    guest.type_up_to("ipi 1 init", 0, sends)?;
    guest.nmi(1)?;
    let before = guest.console()?.len();
    while guest.console()?.len() < before + 5 {
        guest.run_alone(1, 20)?;
    }
    let said = guest.console()?;
    ensure!(said[before..].starts_with("CPU 1") && !said.ends_with('\n'), "CPU 1 has not stopped in its line:\n{said}");
    finish(&mut guest, &["CPU 1"])?;
    ask(&mut guest, "cpus", &["reset by INIT", "1 of 2 online"])?;
    ask(&mut guest, "cpu 1 on", &["online after"])?;
    ask(&mut guest, "ipi 1", &["CPU 1: got IPI"])
}

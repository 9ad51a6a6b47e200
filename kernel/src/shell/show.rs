//! The answers of the shell, printed.

use super::command::{Command, HELP, parse};
use super::show_efi;
use crate::boot;
use crate::mm::direct_map::{self, DirectMap};
use crate::mm::frame::{FRAME_SIZE, RegionKind};
use crate::mm::page_table::{Missing, PageSize, Range, Rights, TableMemory, for_each_range, level_name, walk};
use crate::mm::roots;
use crate::println;
use crate::restart;
use crate::smp::{cpus, hotplug, ipi, stress};
use core::fmt;

/// Answers a line.
pub(super) fn answer(line: &str) {
    match parse(line) {
        Ok(None) => {}
        Ok(Some(command)) => obey(command),
        Err(misunderstood) => println!("{misunderstood}"),
    }
}

fn obey(command: Command<'_>) {
    match command {
        Command::Help => HELP.iter().for_each(|(usage, what)| println!("  {usage:<34}{what}")),
        Command::Cpus => show_cpus(),
        Command::Pgd(name) => show_ranges(name),
        Command::Translate(name, linear) => show_walk(name, linear),
        Command::Ipi(cpu, kind) => send_ipi(cpu, kind),
        Command::Cpu(cpu, on) => switch_cpu(cpu, on),
        Command::Mem => show_memory(),
        Command::Stress(rounds, alone) => stress_test(rounds, alone),
        Command::Panic => panic!("the shell was asked for it"),
        Command::Efi(what) => show_efi::answer(what),
        Command::Restart(method) => println!("restart: {}", restart::restart(method)),
    }
}

fn switch_cpu(cpu: u32, on: bool) {
    let result = if on { hotplug::cpu_up(cpu) } else { hotplug::cpu_down(cpu) };
    match result {
        Ok(()) if on => {}
        Ok(()) => println!("CPU {cpu} is offline: interrupts off, halted; `cpu {cpu} on` starts it again"),
        Err(error) => println!("{error}"),
    }
}

fn show_cpus() {
    println!("  CPU  APIC ID  IPIs  state");
    for cpu in cpus::list() {
        println!("  {:>3}  {:>7}  {:>4}  {}", cpu.number, cpu.apic_id, cpu.ipis, cpu.state.word());
    }
    let (online, possible) = cpus::count();
    println!("{online} of {possible} online");
}

/// The root of that name, or a word that it is not made yet.
fn root(name: &str) -> Option<x86_64::PhysAddr> {
    let root = roots::by_name(name);
    if root.is_none() {
        println!("{name} is not made: there was no place for the real-mode code, or there is no EFI that uses it");
    }
    root
}

fn show_ranges(name: &str) {
    let Some(root) = root(name) else { return };
    println!("{name} at {:x}", root.as_u64());
    println!("  linear                               physical        size       pages  rights");
    let mut count = 0;
    for_each_range(&DirectMap, root, |range: Range| {
        let last = range.linear.wrapping_add(range.bytes - 1);
        println!(
            "  {:016x}-{last:016x}  {:>12x}  {:>10}  {:>6}  {}",
            range.linear,
            range.physical,
            Bytes(range.bytes),
            PageWord(range.page_size),
            RightsWords(range.rights)
        );
        count += 1;
    });
    println!("{count} ranges; rights: r read, w write, x execute, u user, g global");
}

fn show_walk(name: &str, linear: u64) {
    let Some(root) = root(name) else { return };
    let walk = walk(&DirectMap, root, linear);
    for step in walk.steps() {
        println!(
            "  {:<4} at {:>9x}, entry {:>3}: {:016x}",
            level_name(step.level),
            step.table.as_u64(),
            step.index,
            step.entry
        );
    }
    match walk.result {
        Ok((physical, size, rights)) => {
            println!("{linear:x} -> {:x}, in a page of {}, {}", physical.as_u64(), PageWord(size), RightsWords(rights));
        }
        Err(Missing::NotPresent) => println!("{linear:x} is not mapped: P is 0 in the last entry above"),
        Err(Missing::NotCanonical) => {
            let highest = if DirectMap.levels() == 5 { 56 } else { 47 };
            println!("{linear:x} is not canonical: bits 63 to {highest} must be all equal");
        }
    }
}

fn send_ipi(cpu: u32, kind: ipi::Ipi) {
    match ipi::send(cpu, kind) {
        Ok(ipi::Outcome::Answered(us)) => println!("CPU {cpu} answered after {us} us"),
        Ok(ipi::Outcome::Sent) => println!("INIT sent: CPU {cpu} waits for a SIPI; `cpu {cpu} on` sends it one"),
        Err(error) => println!("{error}"),
    }
}

fn stress_test(rounds: u64, alone: bool) {
    let stress::Found { cpus, checks, stale, shootdowns, micros } = stress::run(rounds, alone);
    println!(
        "stress: {cpus} CPUs, {rounds} rounds each: {checks} checks, {stale} stale, {shootdowns} shootdowns, {micros} us"
    );
}

fn show_memory() {
    for region in boot::info().regions() {
        let what: &dyn fmt::Display = match region.kind {
            RegionKind::Usable => &"usable",
            RegionKind::Loader => &"loader: the kernel's image and what it was handed",
            RegionKind::Firmware(_) => &"firmware",
            RegionKind::Reserved(_) => &"reserved",
        };
        println!(
            "  {:>9x}-{:<9x}  {:>10}  {what}",
            region.start,
            region.end.saturating_sub(1),
            Bytes(region.end - region.start)
        );
    }
    let (taken, free) = direct_map::usage();
    println!("taken by the kernel: {}, free: {}", Bytes(taken * FRAME_SIZE), Bytes(free * FRAME_SIZE));
}

/// In the largest unit that divides it.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            bytes if bytes != 0 && bytes.is_multiple_of(1 << 30) => (bytes >> 30, "GiB"),
            bytes if bytes != 0 && bytes.is_multiple_of(1 << 20) => (bytes >> 20, "MiB"),
            bytes if bytes.is_multiple_of(1 << 10) => (bytes >> 10, "KiB"),
            bytes => (bytes, "B  "),
        };
        let width = f.width().unwrap_or(0).saturating_sub(unit.len() + 1);
        write!(f, "{value:>width$} {unit}")
    }
}

struct PageWord(PageSize);

impl fmt::Display for PageWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self.0 {
            PageSize::Size4K => "4 KiB",
            PageSize::Size2M => "2 MiB",
            PageSize::Size1G => "1 GiB",
        })
    }
}

struct RightsWords(Rights);

impl fmt::Display for RightsWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rights { writable, user, executable, global } = self.0;
        let letter = |is: bool, letter: char| if is { letter } else { '-' };
        write!(f, "r{}{}{}{}", letter(writable, 'w'), letter(executable, 'x'), letter(user, 'u'), letter(global, 'g'))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    /// Goal: sizes are read at a glance and line up. Method: one of each unit.
    #[test]
    fn sizes() {
        assert_eq!(format!("{:>10}", Bytes(3 << 30)), "     3 GiB");
        assert_eq!(format!("{:>10}", Bytes(640 << 10)), "   640 KiB");
        assert_eq!(format!("{}", Bytes(2 << 20)), "2 MiB");
        assert_eq!(format!("{}", Bytes(1)), "1 B  ");
        assert_eq!(format!("{}", Bytes(0)), "0 KiB");
    }

    /// Goal: a right that is missing leaves its place empty. Method: all, none, some.
    #[test]
    fn rights() {
        let words = |writable, executable, user, global| {
            format!("{}", RightsWords(Rights { writable, user, executable, global }))
        };
        assert_eq!(words(true, true, true, true), "rwxug");
        assert_eq!(words(false, false, false, false), "r----");
        assert_eq!(words(false, true, false, true), "r-x-g");
    }
}

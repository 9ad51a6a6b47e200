//! What a line of the shell means: words into a [`Command`], or a sentence that says what was expected.

use crate::mm::roots;
use crate::restart::Method;
use crate::smp::ipi::{DEFAULT_VECTOR, Ipi};
use core::fmt;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// What there is.
    Help,
    /// All processors.
    Cpus,
    /// What a root maps, in ranges.
    Pgd(&'a str),
    /// The walk for a linear address.
    Translate(&'a str, u64),
    /// An interrupt for a processor.
    Ipi(u32, Ipi),
    /// A processor goes offline (false) or comes back (true).
    Cpu(u32, bool),
    /// Physical memory.
    Mem,
    /// The stress test of the TLB shootdown: rounds, and whether each CPU drops its page from its own TLB only.
    Stress(u64, bool),
    /// The kernel's end.
    Panic,
    /// A new start.
    Restart(Method),
    /// What the firmware is asked.
    Efi(Efi<'a>),
}

/// What can be asked of EFI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Efi<'a> {
    /// Its memory map.
    Map,
    /// GetTime.
    Time,
    /// GetTime with an NMI on the way.
    Nmi,
    /// The variables' names.
    Vars,
    /// A variable's data, or a new text for it.
    Var(&'a str, Option<&'a str>),
    /// ResetSystem.
    Reset,
}

/// Names, arguments and what each does, for `help`.
pub(super) const HELP: [(&str, &str); 14] = [
    ("help", "this list"),
    ("cpus", "the processors, their APIC IDs, and how far each is"),
    ("pgd NAME", "what the page tables below a root map"),
    ("translate NAME ADDRESS", "the walk of a linear address (hex) through a root's tables"),
    ("ipi CPU [VECTOR|nmi|init]", "sends a CPU an interrupt and waits for its answer; VECTOR in hex"),
    ("cpu CPU on|off", "has a CPU go offline, or starts it again by INIT and SIPI"),
    ("mem", "the memory map, and how much the kernel has taken"),
    ("stress [ROUNDS] [alone]", "all CPUs map, unmap and check pages; alone: without telling the others, which shows"),
    ("panic", "ends the kernel, with the place of every CPU"),
    ("efi map", "the firmware's memory map, and where its runtime regions are mapped"),
    ("efi time|nmi|reset", "asks the firmware for the time (nmi: with an NMI on the way), or to restart"),
    ("efi vars", "the firmware's variables, and how much room there is"),
    ("efi var NAME [VALUE]", "a variable's data, or a new text for it; - deletes it"),
    (
        "restart real|efi|acpi|kbd|cf9|triple",
        "restarts the machine; real goes back through trampoline_pgd to real mode",
    ),
];

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misunderstood<'a> {
    /// No such command.
    Unknown(&'a str),
    /// An argument is missing; what it is.
    Missing(&'static str),
    /// An argument that makes no sense; what was expected.
    NotA(&'a str, &'static str),
    /// More words than the command takes.
    TooMany(&'a str),
    /// No root has that name.
    NoSuchRoot(&'a str),
}

impl fmt::Display for Misunderstood<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(f, "there is no command `{word}`; `help` lists what there is"),
            Self::Missing(what) => write!(f, "{what} is missing; `help` shows what goes where"),
            Self::NotA(word, expected) => write!(f, "`{word}` is not {expected}"),
            Self::TooMany(word) => write!(f, "`{word}` is one word too many"),
            Self::NoSuchRoot(word) => {
                write!(f, "there is no root `{word}`; there are")?;
                roots::NAMES.iter().try_for_each(|name| write!(f, " {name}"))
            }
        }
    }
}

/// Understands a line. `None`: it is empty.
pub(super) fn parse(line: &str) -> Result<Option<Command<'_>>, Misunderstood<'_>> {
    let mut words = line.split_whitespace();
    let Some(name) = words.next() else { return Ok(None) };
    let command = match name {
        "help" | "?" => Command::Help,
        "cpus" => Command::Cpus,
        "pgd" => Command::Pgd(root(words.next())?),
        "translate" => Command::Translate(root(words.next())?, address(words.next())?),
        "ipi" => Command::Ipi(cpu(words.next())?, kind(words.next())?),
        "cpu" => Command::Cpu(cpu(words.next())?, on(words.next())?),
        "mem" => Command::Mem,
        "stress" => Command::Stress(rounds(words.next())?, alone(words.next())?),
        "panic" => Command::Panic,
        "efi" => Command::Efi(efi(&mut words)?),
        "restart" => Command::Restart(method(words.next())?),
        _ => return Err(Misunderstood::Unknown(name)),
    };
    match words.next() {
        Some(word) => Err(Misunderstood::TooMany(word)),
        None => Ok(Some(command)),
    }
}

fn root(word: Option<&str>) -> Result<&str, Misunderstood<'_>> {
    let word = word.ok_or(Misunderstood::Missing("the name of a root"))?;
    if roots::NAMES.contains(&word) { Ok(word) } else { Err(Misunderstood::NoSuchRoot(word)) }
}

fn on(word: Option<&str>) -> Result<bool, Misunderstood<'_>> {
    match word.ok_or(Misunderstood::Missing("`on` or `off`"))? {
        "on" => Ok(true),
        "off" => Ok(false),
        word => Err(Misunderstood::NotA(word, "`on` or `off`")),
    }
}

fn efi<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Efi<'a>, Misunderstood<'a>> {
    match words.next().ok_or(Misunderstood::Missing("what to ask of EFI"))? {
        "map" => Ok(Efi::Map),
        "time" => Ok(Efi::Time),
        "nmi" => Ok(Efi::Nmi),
        "vars" => Ok(Efi::Vars),
        "var" => Ok(Efi::Var(words.next().ok_or(Misunderstood::Missing("the name of a variable"))?, words.next())),
        "reset" => Ok(Efi::Reset),
        word => Err(Misunderstood::NotA(word, "something to ask of EFI: map, time, nmi, vars, var or reset")),
    }
}

fn rounds(word: Option<&str>) -> Result<u64, Misunderstood<'_>> {
    let Some(word) = word else { return Ok(100) };
    word.parse().map_err(|_| Misunderstood::NotA(word, "a number of rounds (decimal)"))
}

fn alone(word: Option<&str>) -> Result<bool, Misunderstood<'_>> {
    match word {
        None => Ok(false),
        Some("alone") => Ok(true),
        Some(word) => Err(Misunderstood::NotA(word, "`alone`")),
    }
}

fn method(word: Option<&str>) -> Result<Method, Misunderstood<'_>> {
    let word = word.ok_or(Misunderstood::Missing("the way to restart"))?;
    Method::parse(word).ok_or(Misunderstood::NotA(word, "a way to restart: real, efi, acpi, kbd, cf9 or triple"))
}

fn address(word: Option<&str>) -> Result<u64, Misunderstood<'_>> {
    let word = word.ok_or(Misunderstood::Missing("the address"))?;
    hex(word).ok_or(Misunderstood::NotA(word, "an address: hex digits, at most 16"))
}

fn cpu(word: Option<&str>) -> Result<u32, Misunderstood<'_>> {
    let word = word.ok_or(Misunderstood::Missing("the number of a CPU"))?;
    word.parse().map_err(|_| Misunderstood::NotA(word, "the number of a CPU (decimal, as `cpus` lists them)"))
}

fn kind(word: Option<&str>) -> Result<Ipi, Misunderstood<'_>> {
    match word {
        None => Ok(Ipi::Fixed(DEFAULT_VECTOR)),
        Some("nmi") => Ok(Ipi::Nmi),
        Some("init") => Ok(Ipi::Init),
        Some(word) => match hex(word).and_then(|vector| u8::try_from(vector).ok()) {
            Some(vector) => Ok(Ipi::Fixed(vector)),
            None => Err(Misunderstood::NotA(word, "a vector (hex, 20 to fe), `nmi` or `init`")),
        },
    }
}

/// Hex digits, with `0x` before or `h` behind, and `_` between, as addresses are printed.
fn hex(word: &str) -> Option<u64> {
    let digits = word.strip_prefix("0x").or_else(|| word.strip_suffix('h')).unwrap_or(word);
    let mut value = 0u64;
    let mut any = false;
    for c in digits.chars().filter(|c| *c != '_') {
        if value >> 60 != 0 {
            return None;
        }
        value = value << 4 | u64::from(c.to_digit(16)?);
        any = true;
    }
    any.then_some(value)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    /// Goal: each command with its arguments is understood. Method: lines as one types them.
    #[test]
    fn understood() {
        assert_eq!(parse("  "), Ok(None));
        assert_eq!(parse("help"), Ok(Some(Command::Help)));
        assert_eq!(parse(" cpus "), Ok(Some(Command::Cpus)));
        assert_eq!(parse("pgd trampoline_pgd"), Ok(Some(Command::Pgd("trampoline_pgd"))));
        let translate = |address| Ok(Some(Command::Translate("init_top_pgt", address)));
        assert_eq!(parse("translate init_top_pgt ffffffff80000000"), translate(0xffff_ffff_8000_0000));
        assert_eq!(parse("translate init_top_pgt ffff_ffff_8000_0000"), translate(0xffff_ffff_8000_0000));
        assert_eq!(parse("translate init_top_pgt 0x9a000"), translate(0x9a000));
        assert_eq!(parse("ipi 3"), Ok(Some(Command::Ipi(3, Ipi::Fixed(DEFAULT_VECTOR)))));
        assert_eq!(parse("ipi 1 f2h"), Ok(Some(Command::Ipi(1, Ipi::Fixed(0xf2)))));
        assert_eq!(parse("ipi 1 nmi"), Ok(Some(Command::Ipi(1, Ipi::Nmi))));
        assert_eq!(parse("ipi 1 init"), Ok(Some(Command::Ipi(1, Ipi::Init))));
        assert_eq!(parse("cpu 1 off"), Ok(Some(Command::Cpu(1, false))));
        assert_eq!(parse("cpu 254 on"), Ok(Some(Command::Cpu(254, true))));
        assert_eq!(parse("mem"), Ok(Some(Command::Mem)));
        assert_eq!(parse("stress"), Ok(Some(Command::Stress(100, false))));
        assert_eq!(parse("stress 5 alone"), Ok(Some(Command::Stress(5, true))));
        assert_eq!(parse("panic"), Ok(Some(Command::Panic)));
        let efi = [
            ("map", Efi::Map),
            ("time", Efi::Time),
            ("nmi", Efi::Nmi),
            ("vars", Efi::Vars),
            ("var Boot0000", Efi::Var("Boot0000", None)),
            ("var Colour red", Efi::Var("Colour", Some("red"))),
            ("reset", Efi::Reset),
        ];
        for (words, command) in efi {
            assert_eq!(parse(&std::format!("efi {words}")), Ok(Some(Command::Efi(command))));
        }
        for (word, method) in Method::ALL {
            let line = std::format!("restart {word}");
            assert_eq!(parse(&line), Ok(Some(Command::Restart(method))));
        }
    }

    /// Goal: what is wrong is named. Method: one line of each kind.
    #[test]
    fn misunderstood() {
        let check = |line, words: &str| {
            let said = parse(line).unwrap_err().to_string();
            assert!(said.contains(words), "{line}: {said}");
        };
        check("halp", "no command `halp`");
        check("pgd", "the name of a root is missing");
        check("pgd efipgd", "there are init_top_pgt trampoline_pgd efi_pgd");
        check("translate init_top_pgt", "the address is missing");
        check("translate init_top_pgt xyz", "`xyz` is not an address");
        check("translate init_top_pgt 12345678123456781", "not an address");
        check("ipi", "the number of a CPU is missing");
        check("ipi one", "`one` is not the number");
        check("ipi 1 123", "`123` is not a vector");
        check("ipi 1 0x", "`0x` is not a vector");
        check("cpu 1", "`on` or `off` is missing");
        check("cpu 1 maybe", "`maybe` is not `on` or `off`");
        check("efi", "what to ask of EFI is missing");
        check("efi var", "the name of a variable is missing");
        check("efi var a b c", "`c` is one word too many");
        check("efi maps", "`maps` is not something to ask of EFI");
        check("restart", "the way to restart is missing");
        check("restart bios", "`bios` is not a way");
        check("stress much", "`much` is not a number");
        check("stress 5 all", "`all` is not `alone`");
        check("mem now", "`now` is one word too many");
    }
}

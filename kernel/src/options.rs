//! The kernel's options: words separated by white space, `key=value`, handed over as the loader's ramdisk.

use crate::mistake::{Mistake, Mistakes};

/// How application processors are started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bringup {
    /// One after the other, each until it is online (Linux before 6.5).
    #[default]
    Serial,
    /// INIT and SIPI to all first, then each is let on (Linux since 6.5).
    Parallel,
    /// The same without the lock on the real-mode stack: a mistake.
    ParallelNolock,
}

/// Whose page tables the firmware's runtime regions are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EfiTables {
    /// Its own, `efi_pgd` (Linux since 4.6).
    #[default]
    Own,
    /// `trampoline_pgd`, which shares tables with the kernel (Linux 3.14 to 4.5): a mistake.
    Trampoline,
    /// The kernel's (Linux before 3.14).
    OldMap,
    /// None: no runtime services.
    Off,
}

/// What the options say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `bringup=serial|parallel|parallel-nolock`
    pub bringup: Bringup,
    /// `trampoline=0x9a000`: physical page for the real-mode blob; the highest that is free if not given.
    pub trampoline: Option<u64>,
    /// `cpu_init_udelay=N`: microseconds between INIT and SIPI, as in Linux; by processor family if not given.
    pub cpu_init_udelay: Option<u32>,
    /// `cpu_timeout_ms=N`: how long to wait for each step of a processor's handshake.
    pub cpu_timeout_ms: u32,
    /// `sipi_count=1|2`: how many SIPIs an AP is sent.
    pub sipi_count: u8,
    /// `sipi_udelay=N`: microseconds after a SIPI and before the next; by [`Self::cpu_init_udelay`] if not given.
    pub sipi_udelay: Option<u32>,
    /// `sipi=each|broadcast`: whether parallel bring-up sends INIT and SIPI to all others at once.
    pub sipi_broadcast: bool,
    /// `pcid=on|off`: run with CR4.PCIDE, where the processor has PCIDs.
    pub pcid: bool,
    /// `efi=own|trampoline|old_map|noruntime`: where the firmware's runtime regions are mapped.
    pub efi: EfiTables,
    /// `kaiser=on|off`: an NMI's handler runs on the kernel's tables, which it finds by clearing bit 12 of CR3.
    pub kaiser: bool,
    /// `page_offset_gib=N`: the direct map begins so many GiB above its usual place, as KASLR moves it in Linux.
    pub page_offset_gib: u64,
    /// `la57=on|off`: page tables of five levels, where the processor has them.
    pub la57: bool,
    /// `x2apic=on|off`: the mode of the local APICs; as firmware left it if not given.
    pub x2apic: Option<bool>,
    /// `mistake=WORD[,WORD]`: mistakes of the past; docs/MISTAKES.md.
    pub mistakes: Mistakes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bringup: Bringup::Serial,
            trampoline: None,
            cpu_init_udelay: None,
            cpu_timeout_ms: 1000,
            sipi_count: 2,
            sipi_udelay: None,
            sipi_broadcast: false,
            pcid: false,
            efi: EfiTables::Own,
            kaiser: false,
            page_offset_gib: 0,
            la57: false,
            x2apic: None,
            mistakes: Mistakes::default(),
        }
    }
}

/// The options in words, for the message about one that is not understood.
pub const KNOWN: &str = "bringup=serial|parallel|parallel-nolock, trampoline=ADDRESS, cpu_init_udelay=N, cpu_timeout_ms=N, \
     sipi_count=1|2, sipi_udelay=N, sipi=each|broadcast, pcid=on|off, x2apic=on|off, efi=own|trampoline|old_map|noruntime, kaiser=on|off, \
     page_offset_gib=N, la57=on|off, mistake=WORD[,WORD] (docs/MISTAKES.md)";

/// Reads the options; `complain` is called with each word that is not understood and why. Such words change nothing.
pub fn parse<'a>(text: &'a str, mut complain: impl FnMut(&'a str, &'static str)) -> Options {
    let mut options = Options::default();
    for word in text.split_ascii_whitespace() {
        if let Err(why) = apply(&mut options, word) {
            complain(word, why);
        }
    }
    options
}

fn apply(options: &mut Options, word: &str) -> Result<(), &'static str> {
    let (key, value) = word.split_once('=').ok_or("not of the form key=value")?;
    match key {
        "bringup" => {
            options.bringup = match value {
                "serial" => Bringup::Serial,
                "parallel" => Bringup::Parallel,
                "parallel-nolock" => Bringup::ParallelNolock,
                _ => return Err("bringup is serial, parallel or parallel-nolock"),
            };
        }
        "trampoline" => {
            let page = number(value).ok_or("not a number")?;
            if !page.is_multiple_of(4096) || page >= crate::memlayout::LOW_MEMORY_END {
                return Err("the trampoline needs a 4 KiB page below 1 MiB");
            }
            options.trampoline = Some(page);
        }
        "cpu_init_udelay" => options.cpu_init_udelay = Some(small(value)?),
        "cpu_timeout_ms" => options.cpu_timeout_ms = small(value)?,
        "sipi_count" => {
            options.sipi_count = match value {
                "1" => 1,
                "2" => 2,
                _ => return Err("one or two SIPIs are sent"),
            };
        }
        "sipi_udelay" => options.sipi_udelay = Some(small(value)?),
        "sipi" => {
            options.sipi_broadcast = match value {
                "each" => false,
                "broadcast" => true,
                _ => return Err("a SIPI goes to each or is broadcast"),
            };
        }
        "pcid" => {
            options.pcid = match value {
                "on" => true,
                "off" => false,
                _ => return Err("pcid is on or off"),
            };
        }
        "efi" => {
            options.efi = match value {
                "own" => EfiTables::Own,
                "trampoline" => EfiTables::Trampoline,
                "old_map" => EfiTables::OldMap,
                "noruntime" => EfiTables::Off,
                _ => return Err("efi is own, trampoline, old_map or noruntime"),
            };
        }
        "kaiser" => {
            options.kaiser = match value {
                "on" => true,
                "off" => false,
                _ => return Err("kaiser is on or off"),
            };
        }
        "page_offset_gib" => {
            let gib = number(value).ok_or("not a number")?;
            if gib > crate::memlayout::MAX_PAGE_OFFSET_GIB {
                return Err("the direct map can be moved by 256 GiB at most");
            }
            options.page_offset_gib = gib;
        }
        "la57" => {
            options.la57 = match value {
                "on" => true,
                "off" => false,
                _ => return Err("la57 is on or off"),
            };
        }
        "x2apic" => {
            options.x2apic = match value {
                "on" => Some(true),
                "off" => Some(false),
                _ => return Err("x2apic is on or off"),
            };
        }
        "mistake" => {
            let mut mistakes = options.mistakes;
            for word in value.split(',') {
                mistakes.add(Mistake::parse(word).ok_or("no such mistake: they are in docs/MISTAKES.md")?);
            }
            options.mistakes = mistakes;
        }
        _ => return Err("no such option"),
    }
    Ok(())
}

fn small(value: &str) -> Result<u32, &'static str> {
    number(value).and_then(|n| u32::try_from(n).ok()).ok_or("not a number of 32 bits")
}

/// Decimal, or hexadecimal after `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests;

//! The command line. Its `--help` is the manual.

use crate::until::Condition;
use clap::builder::styling::Styles;
use clap::{ArgGroup, Parser};
use machine::server::flags::{ImageFlags, cpu_quirk_words, firmware_quirk_words};
use protocol::request::{CpuQuirk, FirmwareConfig, FirmwareQuirk, MachineConfig};
use std::path::PathBuf;

const ABOUT: &str = "The Firstlight machine without a window: a deterministic x86-64 PC with 1 to 255 CPUs.

Boots a kernel made for bootloader_api, or by multiboot, PVH, a ROM or a disk any other, shows its serial console, writes down what happened, and serves gdb. The same \
image, flags and input give the same run, byte for byte.";

const MANUAL: &str = "\
CONDITIONS for --until
  online:N            N CPUs have announced that they are online (a byte to port E4h; the bootstrap processor counts)
  steps:N             the machine has made N steps
  mode:CPU:MODE       a CPU enters a mode: real, protected16, protected32, v86, compat, long
  activity:CPU:WORD   a CPU becomes: running, halted, wait-for-sipi, shutdown
  cr:CPU:REGISTER     a CPU writes cr0, cr3, cr4, cr8, efer or apic_base with a new value
  ipi:CPU:DELIVERY    an IPI is sent to a CPU: init, sipi, nmi, fixed, lowest-priority, smi, init-deassert
  fault:CPU:VECTOR    a CPU raises an exception, for example fault:*:14
  descriptor-table:CPU  a CPU loads GDTR, IDTR, LDTR or TR
  triple-fault        a CPU shuts down (exit status 0 then, not 6)
  ADDRESS or SYMBOL   a CPU is about to execute the instruction there; at:CPU:SYMBOL for one CPU.
                      ADDRESS is linear, hex with 0x. A symbol needs a profile; one of the real-mode blob is looked up
                      when the first SIPI is sent, for before that the blob has no place.
  CPU is a number from 0, or * for any; a trailing part may be left out (mode:1 is any mode).

EXIT STATUS
  0  --until came true, the user quit, or the guest powered off
                                               6  triple fault
  2  bad arguments, image or profile           8  all CPUs wait, no timer runs, neither input nor gdb can come
  4  --max-steps                              10  an instruction or device that this machine lacks
  odd: the guest ended the run by writing v to port F4h: (v << 1) | 1; 101 is also a crash of this program

RUNS
  Image, machine and what came from outside (input, edits, reset, CPUs held) determine every byte of a run, so a file
  of that is the whole run. --save-run writes it as JSON when the program ends; --run makes the machine that it names,
  plays it from power-on, tells what happens on the way, and goes on where it ends. What is typed is given to the guest
  from there on. A run of another image or of another version of this program is refused. docs/PROTOCOL.md lists the
  fields.

KEYS with --serial stdio at a terminal
  Ctrl-A x  quit        Ctrl-A Ctrl-A  send Ctrl-A        all others, also Ctrl-C, go to the guest

EVENTS, one JSON object a line: step (position after the step), cpu, kind, and the fields of the kind; addresses and
register values are hex strings. docs/PROTOCOL.md lists kinds and fields.

EXAMPLES
  firstlight-machine --kernel target/guest/kernel.elf --cpus 4
  firstlight-machine --kernel target/guest/kernel.elf --cpus 4 --events e.jsonl --until online:4 --narrate
  firstlight-machine --kernel target/guest/kernel.elf --cpus 2 --until online:2 --save-run run.json
  firstlight-machine --kernel target/guest/kernel.elf --run run.json --narrate
  firstlight-machine --multiboot x86/smptest.flat --module env.txt --cpus 2
  firstlight-machine --disk xv6.img --add-disk fs.img --cpus 2
  firstlight-machine --rom test386.bin --max-steps 100000000
  firstlight-machine --kernel target/guest/kernel.elf --gdb 127.0.0.1:1234 --wait
      then, in gdb: target remote 127.0.0.1:1234   (and `monitor help`)";

/// Everything that can be asked of the program.
#[derive(Debug, Parser)]
#[command(name = "firstlight-machine", version, about = ABOUT, after_long_help = MANUAL, styles = Styles::plain())]
#[command(group = ArgGroup::new("image").required(true).args(ImageFlags::KINDS))]
pub struct Flags {
    /// What to run.
    #[command(flatten)]
    pub image: ImageFlags,
    /// Names in the kernel [default: the .profile.json beside it, if it is there; without: addresses only].
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Number of CPUs, 1 to 255.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub cpus: u16,
    /// APIC IDs, one for each CPU, separated by commas [default: 0,1,2,...].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub apic_ids: Vec<u8>,
    /// RAM, with K, M or G.
    #[arg(long, value_name = "SIZE", default_value = "128M", value_parser = size)]
    pub memory: u64,
    /// Draw the schedule's order and run lengths from this number [default: round-robin].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Steps before it is the next CPU's turn; with --seed the mean.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub quantum: u32,
    /// Text for the kernel, for example "bringup=parallel cpu_init_udelay=10000".
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub options: String,
    /// Processors that are not as usual; may be given several times. docs/QUIRKS.md tells what they are.
    #[arg(long = "cpu-quirk", value_name = "WORD", value_parser = cpu_quirk_words())]
    pub cpu_quirks: Vec<CpuQuirk>,
    /// Firmware that is not as usual; may be given several times. docs/QUIRKS.md tells what it does.
    #[arg(long = "firmware-quirk", value_name = "WORD", value_parser = firmware_quirk_words())]
    pub firmware_quirks: Vec<FirmwareQuirk>,
    /// Keep the firmware's variables in this file: read when the program starts, if it is there, and written when it ends.
    #[arg(long, value_name = "FILE")]
    pub efi_variables: Option<PathBuf>,
    /// Where the serial port leads: stdio, null, or file:PATH (output only).
    #[arg(long, value_name = "WHERE", default_value = "stdio")]
    pub serial: Serial,
    /// Serve gdb on this address and print where (port 0: any free one).
    #[arg(long, value_name = "HOST:PORT")]
    pub gdb: Option<String>,
    /// Do not run before a debugger was attached. Needs --gdb.
    #[arg(long, requires = "gdb")]
    pub wait: bool,
    /// Run at most so many steps (exit status 4).
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// Tell each event in a sentence, on standard error.
    #[arg(long)]
    pub narrate: bool,
    /// Write each event as a line of JSON.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// End the run with exit status 0 where this comes true; see CONDITIONS in the long help.
    #[arg(long, value_name = "CONDITION")]
    pub until: Option<Condition>,
    /// Play this run first; its machine is the one that the file names. See RUNS in the long help.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cpus", "apic_ids", "memory", "seed", "quantum", "options", "cpu_quirks", "firmware_quirks", "efi_variables"])]
    pub run: Option<PathBuf>,
    /// Write the run to this file when the program ends.
    #[arg(long, value_name = "FILE")]
    pub save_run: Option<PathBuf>,
}

/// Where the serial port leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serial {
    /// The terminal, or pipes.
    Stdio,
    /// Nowhere.
    Null,
    /// Output to a file.
    File(PathBuf),
}

impl std::str::FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stdio" => Ok(Self::Stdio),
            "null" => Ok(Self::Null),
            _ => match text.strip_prefix("file:") {
                Some(path) if !path.is_empty() => Ok(Self::File(path.into())),
                _ => Err("the serial port leads to stdio, null or file:PATH".into()),
            },
        }
    }
}

/// Bytes, with K, M or G.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        other => return Err(format!("{other:?} is no unit; use K, M or G, for example 128M")),
    };
    let count: u64 = digits.parse().map_err(|_| "give a number and a unit, for example 128M".to_owned())?;
    count.checked_mul(unit).ok_or_else(|| "that is more than any computer has".to_owned())
}

impl Flags {
    /// The machine that they describe.
    pub fn machine(&self) -> MachineConfig {
        MachineConfig {
            cpus: self.cpus,
            apic_ids: self.apic_ids.clone(),
            memory_bytes: self.memory,
            quantum: self.quantum,
            seed: self.seed,
            options: self.options.clone(),
            cpu_quirks: self.cpu_quirks.clone(),
            firmware: FirmwareConfig { quirks: self.firmware_quirks.clone(), variables: Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Goal: the command line is well formed; method: clap's own check.
    #[test]
    fn well_formed() {
        Flags::command().debug_assert();
    }

    /// Goal: sizes are read as people write them; method: good ones and bad ones.
    #[test]
    fn sizes() {
        assert_eq!(size("128M"), Ok(128 << 20));
        assert_eq!((size("4096"), size("2GiB"), size("64k")), (Ok(4096), Ok(2 << 30), Ok(64 << 10)));
        assert!(size("12T").is_err() && size("M").is_err() && size("99999999999G").is_err() && size("").is_err());
    }
}

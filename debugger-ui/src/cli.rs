//! The command line of `firstlight`. Its `--help` is the manual.

use crate::app::Begin;
use crate::model::{input, settings};
use crate::platform;
use crate::session::Target;
use crate::session::hosted::{self, Guest, ImageFlags, cpu_quirk_words, firmware_quirk_words};
use crate::session::standard::Aside;
use clap::{ArgGroup, Parser};
use protocol::request::{CpuQuirk, FirmwareConfig, FirmwareQuirk, MachineConfig};
use std::path::PathBuf;

const ABOUT: &str = "Firstlight: an operating system you can watch start its processors.

Opens a window onto a PC inside this program, which boots the kernel inside this program, or onto a server elsewhere. Step its CPUs \
forwards and backwards with s and Shift+S; F1 lists all commands with their keys.";

const MANUAL: &str = "\
EXAMPLES
  firstlight                                          the kernel inside this program, 2 CPUs
  firstlight --cpus 4 --gdb localhost:1234            the same for gdb: target remote localhost:1234
  firstlight --kernel target/guest/kernel.elf --cpus 4
  firstlight --multiboot x86/smptest.flat --module env.txt      any other kernel, ROM or disk
  firstlight --lesson two-maps                        opens a lesson where you left it
  firstlight --explore --cpus 4                       no lesson
  firstlight --connect localhost:1234                 a firstlight-machine, or QEMU's gdb server (less is known then)
  firstlight --connect localhost:1234 --profile kernel.profile.json     the same with the names in its kernel

EXIT STATUS
  0  the window was closed
  2  bad arguments, image or profile
  3  there is no display, or no GL: what is missing is named; firstlight-machine works without";

/// Where a kernel is looked for if none is inside this program, beginning at the program's own folder.
const KERNELS: [&str; 2] = ["kernel.elf", "../guest/kernel.elf"];

const NO_KERNEL: &str = "There is no kernel to run: this program was built before its kernel was, and has none inside. \
     `cargo xtask build` builds both, `cargo xtask run` opens the window as well; else give --kernel FILE, or \
     --connect HOST:PORT for a machine elsewhere.";

/// Everything that can be asked of the program.
#[derive(Clone, Debug, Parser)]
#[command(name = "firstlight", version, about = ABOUT, after_long_help = MANUAL)]
#[command(group = ArgGroup::new("image").args(ImageFlags::KINDS))]
pub struct Args {
    /// A server elsewhere: no machine in this program.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "image")]
    pub connect: Option<String>,
    /// What to run [default: the kernel inside this program].
    #[command(flatten)]
    pub image: ImageFlags,
    /// Names in that kernel, or in the one of the machine elsewhere [default: the .profile.json beside the kernel; without:
    /// addresses only].
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Serve gdb on this address from the start and print where (port 0: any free one).
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "connect")]
    pub gdb: Option<String>,
    /// The file that the console of a machine elsewhere goes to: shown in the console panel after each stop.
    #[arg(long, value_name = "FILE", requires = "connect")]
    pub console: Option<PathBuf>,
    /// Number of CPUs, 1 to 255.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=255))]
    pub cpus: u16,
    /// APIC IDs, one for each CPU, separated by commas [default: 0,1,2,...].
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    pub apic_ids: String,
    /// Memory: bytes, or with K, M, G.
    #[arg(long, value_name = "SIZE", default_value = "128M", value_parser = input::size)]
    pub memory: u64,
    /// Draw the schedule from this seed [default: round-robin].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Steps before the next CPU's turn.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub quantum: u32,
    /// Where the window keeps its settings [default: settings.json in your configuration folder].
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Words for the kernel: "bringup=parallel cpu_timeout_ms=100".
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub options: String,
    /// Processors that are not as usual (docs/QUIRKS.md); may be given several times.
    #[arg(long = "cpu-quirk", value_name = "WORD", value_parser = cpu_quirk_words(), conflicts_with = "connect")]
    pub cpu_quirks: Vec<CpuQuirk>,
    /// An EFI firmware that is not as usual (docs/QUIRKS.md); may be given several times.
    #[arg(long = "firmware-quirk", value_name = "WORD", value_parser = firmware_quirk_words(), conflicts_with = "connect")]
    pub firmware_quirks: Vec<FirmwareQuirk>,
    /// The firmware's variables, as `firstlight-machine --efi-variables` keeps them: read at the start, not written.
    #[arg(long, value_name = "FILE", conflicts_with = "connect")]
    pub efi_variables: Option<PathBuf>,
    /// Open this lesson, where you left it [default: wake, after an opening film at the first start].
    #[arg(long, value_name = "ID", conflicts_with = "explore")]
    pub lesson: Option<String>,
    /// Open no lesson: the machine as the other options say.
    #[arg(long)]
    pub explore: bool,
    /// Keep progress in this folder [default: where this system keeps a user's data].
    #[arg(long, value_name = "DIR")]
    pub progress: Option<PathBuf>,
    /// No window: play the lesson to its end and write its picture, .png or .svg.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["connect", "explore"])]
    pub picture: Option<PathBuf>,
}

/// The lesson that a newcomer begins with.
pub const FIRST_LESSON: &str = "wake";

/// This program has that lesson.
fn has_first_lesson() -> bool {
    crate::model::lesson::shelf().iter().any(|lesson| lesson.id == FIRST_LESSON)
}

impl Args {
    /// Where progress is kept; None: nowhere.
    pub fn progress_folder(&self) -> Option<PathBuf> {
        self.progress.clone().or_else(lessons::platform::default_folder)
    }

    /// What the window begins with.
    pub fn begin(&self) -> Begin {
        let own = self.connect.is_none() && !self.explore;
        match &self.lesson {
            Some(id) => Begin::Lesson { id: id.clone(), film: false },
            None if own && has_first_lesson() && !self.asks_for_a_machine() => {
                let folder = self.progress_folder();
                // Where a lesson was begun, even if its file is damaged, somebody has been here before.
                let begun = folder.is_some_and(|folder| {
                    crate::model::lesson::shelf()
                        .iter()
                        .any(|lesson| !matches!(lessons::platform::read(&folder, &lesson.id), Ok(None)))
                });
                Begin::Lesson { id: FIRST_LESSON.to_owned(), film: !begun }
            }
            None => Begin::Explore,
        }
    }

    /// A machine of one's own is wanted: a lesson would replace it.
    fn asks_for_a_machine(&self) -> bool {
        let usual = Self::parse_from(["firstlight"]);
        self.cpus != usual.cpus
            || self.apic_ids != usual.apic_ids
            || self.memory != usual.memory
            || self.seed != usual.seed
            || self.quantum != usual.quantum
            || self.options != usual.options
            || self.cpu_quirks != usual.cpu_quirks
            || self.image.is_given() && self.image.kernel.is_none()
            || self.firmware_quirks != usual.firmware_quirks
            || self.efi_variables.is_some()
    }

    /// The machine that is asked for.
    ///
    /// # Errors
    /// In words.
    pub fn config(&self) -> Result<MachineConfig, String> {
        if self.memory == 0 || !self.memory.is_multiple_of(4096) {
            return Err(format!("--memory: {} bytes are not a multiple of 4096. Try 128M.", self.memory));
        }
        let variables = match &self.efi_variables {
            Some(path) => {
                platform::read_file(path).map_err(|error| format!("--efi-variables {}: {error}", path.display()))?
            }
            None => Vec::new(),
        };
        Ok(MachineConfig {
            cpus: self.cpus,
            apic_ids: settings::apic_ids(&self.apic_ids, self.cpus).map_err(|why| format!("--apic-ids: {why}"))?,
            memory_bytes: self.memory,
            quantum: self.quantum,
            seed: self.seed,
            options: self.options.clone(),
            cpu_quirks: self.cpu_quirks.clone(),
            firmware: FirmwareConfig { quirks: self.firmware_quirks.clone(), variables },
        })
    }

    /// Whom to connect to. Powers the machine on, where it is in this program.
    ///
    /// # Errors
    /// In words: arguments, image or profile make no machine.
    pub fn target(&self) -> Result<Target, String> {
        if let Some(address) = &self.connect {
            let names = self.profile.as_deref().map(hosted::names).transpose()?;
            return Ok(Target::remote(address, Aside { names, console: self.console.clone() }));
        }
        if self.profile.is_some() && self.image.kernel.is_none() {
            return Err(
                "--profile: names of which kernel? Give --kernel FILE or --connect HOST:PORT as well.".to_owned()
            );
        }
        let config = self.config()?;
        let file = || platform::beside_program(&KERNELS);
        let guest = if self.image.is_given() {
            Guest::Files { image: Box::new(self.image.clone()), profile: self.profile.clone() }
        } else if hosted::has_guest() {
            Guest::Embedded
        } else {
            let kernel = ImageFlags::of_kernel(file().ok_or(NO_KERNEL)?);
            Guest::Files { image: Box::new(kernel), profile: None }
        };
        hosted::target(guest, config, self.gdb.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Args, String> {
        let words = std::iter::once("firstlight").chain(words.split_whitespace());
        Args::try_parse_from(words).map_err(|error| error.to_string())
    }

    /// Goal: flags make the machine; method: all of them.
    #[test]
    fn flags() {
        let args = parse("--kernel k --cpus 2 --apic-ids 0,4 --memory 64M --seed 7 --quantum 1 --options a=b").unwrap();
        let config = args.config().unwrap();
        assert_eq!((config.cpus, config.apic_ids, config.memory_bytes), (2, vec![0, 4], 64 << 20));
        assert_eq!((config.seed, config.quantum, config.options.as_str()), (Some(7), 1, "a=b"));
    }

    /// Goal: who says nothing gets the first lesson, and the film only at the first start; who asks for a machine or for no
    /// lesson gets none. Method: an empty folder, and one in which a lesson was begun.
    #[test]
    fn what_comes_first() {
        let folder = std::env::temp_dir().join(format!("firstlight-cli-{}", std::process::id()));
        let begin = |words: &str| parse(&format!("--progress {} {words}", folder.display())).unwrap().begin();
        let first = |film| Begin::Lesson { id: FIRST_LESSON.to_owned(), film };
        assert_eq!(begin(""), first(true));
        assert_eq!(begin("--explore"), Begin::Explore);
        assert_eq!(begin("--cpus 4"), Begin::Explore);
        assert_eq!(begin("--multiboot k"), Begin::Explore);
        assert_eq!(begin("--connect localhost:1"), Begin::Explore);
        assert_eq!(begin("--lesson two-maps"), Begin::Lesson { id: "two-maps".to_owned(), film: false });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("wake.json"), "{}").unwrap();
        assert_eq!(begin(""), first(false));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// Goal: bad arguments are named; method: one of each.
    #[test]
    fn mistakes() {
        assert!(parse("--kernel k --cpus 0").unwrap_err().contains("1..=255"));
        assert!(parse("--kernel k --cpus 300").unwrap_err().contains("1..=255"));
        assert!(parse("--kernel k --memory lots").unwrap_err().contains("128M"));
        assert!(parse("--kernel k --memory 100").unwrap().config().unwrap_err().contains("4096"));
        assert!(parse("--kernel k --apic-ids 1,1").unwrap().config().unwrap_err().contains("twice"));
        assert!(parse("--kernel k --connect localhost:1").is_err());
        assert!(parse("--multiboot k --connect localhost:1").is_err());
        assert!(parse("--multiboot k --pvh k").is_err());
        assert!(parse("--kernel k --firmware-quirk slow-init").unwrap_err().contains("no-hand-over"));
        let lost = parse("--kernel k --efi-variables /no/such/file").unwrap().config().unwrap_err();
        assert!(lost.contains("/no/such/file"), "{lost}");
        let missing = parse("--kernel /no/such/kernel.elf").unwrap().target().unwrap_err();
        assert!(missing.contains("/no/such/kernel.elf"), "{missing}");
    }
}

//! Why a kernel cannot be loaded, in words for the person who gave the image.

use alloc::string::String;
use core::fmt;
use elf::abi;

/// Why a kernel cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The file does not start with ELF's magic number.
    NotElf,
    /// An ELF file, but of 32 bits or big-endian.
    NotElf64,
    /// An ELF file for another processor; its `e_machine`.
    OtherMachine(u16),
    /// An ELF file that is no executable, neither with fixed addresses nor position-independent; its `e_type`.
    NotExecutable(u16),
    /// The headers contradict themselves or the file; what the ELF parser says.
    Malformed(String),
    /// A segment's bytes lie outside the file.
    Truncated {
        /// Index of the program header.
        segment: usize,
        /// Where its bytes would end, in bytes from the start of the file.
        end: u64,
        /// Length of the file in bytes.
        len: u64,
    },
    /// There is nothing to load.
    NoSegments,
    /// A segment that cannot be as it is.
    BadSegment {
        /// Index of the program header.
        segment: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two segments share a page.
    Overlap {
        /// Index of one program header.
        first: usize,
        /// Index of the other.
        second: usize,
        /// The page's linear address.
        page: u64,
    },
    /// The entry point lies in no executable segment.
    EntryOutside {
        /// `e_entry`.
        entry: u64,
    },
    /// The relocations of a position-independent kernel cannot be found, or not be applied.
    BadRelocations(&'static str),
    /// A relocation that a loader of kernels cannot apply.
    OtherRelocation {
        /// Its index in the table.
        index: usize,
        /// Its type (`R_X86_64_...`).
        kind: u32,
        /// The index of the symbol that it refers to; 0: none.
        symbol: u32,
    },
    /// A relocation changes memory that is not the kernel's.
    RelocationOutside {
        /// Its index in the table.
        index: usize,
        /// Where it would write, as linked.
        linear: u64,
    },
    /// The kernel has no `.bootloader-config` section.
    NoConfig,
    /// The `.bootloader-config` section makes no sense.
    BadConfig(&'static str),
    /// The kernel was built against another version of bootloader_api.
    OtherApiVersion {
        /// Its major and minor version.
        kernel: (u16, u16),
        /// Ours.
        loader: (u16, u16),
    },
    /// The configuration wants something at an address where it cannot be.
    BadAddress {
        /// What: "kernel stack".
        what: &'static str,
        /// Where it was wanted.
        linear: u64,
        /// Why not.
        why: &'static str,
    },
    /// Two things want the same linear address.
    AddressTaken {
        /// What came second.
        what: &'static str,
        /// Where.
        linear: u64,
    },
    /// No linear address is free for something that leaves the choice to the loader.
    NoFreeAddress {
        /// What.
        what: &'static str,
    },
    /// There is less memory than the kernel needs before its first instruction.
    NotEnoughMemory {
        /// Bytes needed above 1 MiB.
        needed: u64,
        /// Bytes there.
        available: u64,
    },
    /// The platform has more memory regions than were planned for.
    TooManyRegions {
        /// How many there is room for.
        room: usize,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => write!(f, "this is not an ELF file; a kernel.elf is made by `cargo xtask build`"),
            Self::NotElf64 => write!(f, "this ELF file is not a 64-bit little-endian one, as x86-64 kernels are"),
            Self::OtherMachine(machine) => {
                write!(f, "this ELF file is for ")?;
                match machine_name(*machine) {
                    Some(name) => write!(f, "{name}")?,
                    None => write!(f, "another processor (e_machine {machine})")?,
                }
                write!(f, ", the kernel must be for x86-64")
            }
            Self::NotExecutable(elf_type) => {
                let is = match elf_type {
                    1 => "an object file that is not linked",
                    4 => "a core dump",
                    _ => "of an unknown type",
                };
                write!(
                    f,
                    "this ELF file is {is}; the kernel must be an executable (ET_EXEC, or ET_DYN as a static PIE)"
                )
            }
            Self::Malformed(why) => write!(f, "the ELF file is damaged: {why}"),
            Self::Truncated { segment, end, len } => write!(
                f,
                "the ELF file is truncated: segment {segment} ends at byte {end}, the file has {len}; build it again"
            ),
            Self::NoSegments => write!(f, "the ELF file has no segment to load"),
            Self::BadSegment { segment, why } => write!(f, "segment {segment} of the ELF file {why}"),
            Self::Overlap { first, second, page } => {
                write!(f, "segments {first} and {second} of the ELF file share the page at {page:#x}")
            }
            Self::EntryOutside { entry } => {
                write!(f, "the entry point {entry:#x} lies in no executable segment of the ELF file")
            }
            Self::BadRelocations(why) => write!(f, "the relocations of the ELF file cannot be applied: {why}"),
            Self::OtherRelocation { index, kind: abi::R_X86_64_RELATIVE, symbol } => {
                write!(
                    f,
                    "relocation {index} of the ELF file (R_X86_64_RELATIVE) refers to symbol {symbol}, which it must not"
                )
            }
            Self::OtherRelocation { index, kind, .. } => write!(
                f,
                "relocation {index} of the ELF file is of type {kind}; only R_X86_64_RELATIVE (8) can be applied to a kernel: \
                 link it statically, with all symbols defined"
            ),
            Self::RelocationOutside { index, linear } => {
                write!(f, "relocation {index} of the ELF file is for {linear:#x}, which lies in no segment")
            }
            Self::NoConfig => write!(
                f,
                "the ELF file has no .bootloader-config section: the kernel must be built with \
                 bootloader_api::entry_point! and keep that section when linked"
            ),
            Self::BadConfig(why) => write!(f, "the .bootloader-config section makes no sense: {why}"),
            Self::OtherApiVersion { kernel, loader } => write!(
                f,
                "the kernel was built against bootloader_api {}.{}, this loader speaks {}.{}",
                kernel.0, kernel.1, loader.0, loader.1
            ),
            Self::BadAddress { what, linear, why } => {
                write!(f, "the kernel's configuration wants its {what} at {linear:#x}, which {why}")
            }
            Self::AddressTaken { what, linear } => {
                write!(f, "the {what} would lie at {linear:#x}, where something else is mapped already")
            }
            Self::NoFreeAddress { what } => write!(
                f,
                "no linear address is free for the {what}; widen dynamic_range_start..dynamic_range_end in the \
                 kernel's configuration"
            ),
            Self::NotEnoughMemory { needed, available } => write!(
                f,
                "the kernel needs {} KiB of memory above 1 MiB to start, there are {} KiB",
                needed.div_ceil(1024),
                available / 1024
            ),
            Self::TooManyRegions { room } => {
                write!(f, "the platform has more memory regions than there is room for ({room})")
            }
        }
    }
}

impl core::error::Error for LoadError {}

/// The processors that people are likely to have built for by mistake (ELF's `EM_` numbers).
fn machine_name(machine: u16) -> Option<&'static str> {
    Some(match machine {
        elf::abi::EM_386 => "32-bit x86",
        elf::abi::EM_ARM => "32-bit ARM",
        elf::abi::EM_AARCH64 => "AArch64",
        elf::abi::EM_RISCV => "RISC-V",
        elf::abi::EM_PPC64 => "64-bit PowerPC",
        _ => return None,
    })
}

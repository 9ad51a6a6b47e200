//! The real-mode blob that starts application processors, seen from the kernel that places it.
//!
//! ```text
//! offset  0000  real_mode_header, tr_gdt, tr_idt      read-only
//!         1000  trampoline_start   16-bit   SIPI -> protected mode
//!               verify_cpu         16-bit
//!               startup_32         32-bit   -> paging, compatibility mode
//!               startup_64         64-bit   -> secondary_startup_64 in the kernel       read-only, executable
//!               trampoline_start64 64-bit   -> compatibility mode, startup_32: to tables of another depth
//!         2000  trampoline_pgd     the root during the way up                           writable
//!         3000  trampoline_header  what the kernel tells the AP
//!               rm_stack, end_signature
//! ```
//!
//! The assembly is in `asm/`, in that order, and is built as a binary of its own. This library holds what the kernel and
//! its tests need: the two structures that assembly and kernel share, and the relocation. Its neighbour is the kernel's
//! `smp/realmode.rs`; the model is Linux's `arch/x86/realmode/`.
#![no_std]
#![forbid(unsafe_code)]

pub mod header;
pub mod reloc;

pub use header::{END_SIGNATURE, RealModeHeader, TrampolineHeader};
pub use reloc::{RelocError, relocate, relocate_anywhere};

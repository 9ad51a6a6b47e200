//! The teaching kernel: a small, real x86-64 kernel that starts every processor and lets itself be watched.
//!
//! It follows Linux where Linux has a name for a thing (`init_top_pgt`, `trampoline_pgd`, `setup_real_mode`,
//! `secondary_startup_64`, the callout/callin handshake). What can be pure is pure and tested on the host: page tables
//! over [`mm::page_table::TableMemory`], the frame allocator, the MADT, the options. What touches the processor is in
//! [`arch`]. `unsafe` is allowed there and in the files that share memory with the loader, with assembly or with page
//! tables; each says so at its top. The boot order is `start_kernel` in `main.rs`; the assembly is in `asm/`.
#![no_std]
#![deny(unsafe_code)]

pub mod arch;
pub mod boot;
pub mod console;
pub mod efi;
pub mod keyboard;
pub mod memlayout;
pub mod mistake;
pub mod mm;
pub mod options;
pub mod report;
pub mod restart;
pub mod screen;
pub mod shell;
pub mod smp;
pub mod time;
pub mod trap;

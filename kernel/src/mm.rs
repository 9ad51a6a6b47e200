//! Memory: frames, page tables, the kernel's tables and those of the trampoline.

pub mod direct_map;
pub mod efi_pgd;
pub mod frame;
pub mod kernel_pgd;
pub mod page_table;
pub mod roots;
pub mod trampoline_pgd;

//! Memory: frames, page tables, the kernel's tables and those of the trampoline, and the way to five levels.

pub mod direct_map;
pub mod efi_pgd;
pub mod frame;
pub mod kernel_pgd;
pub mod la57;
pub mod page_table;
pub mod roots;
pub mod trampoline_pgd;

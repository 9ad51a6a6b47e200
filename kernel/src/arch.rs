//! The processor: what every CPU has (descriptor tables, per-CPU data, local APIC) and what moves bits in it. With
//! `mm/` and `smp/realmode.rs`, the home of `unsafe`.

pub mod cpu;
pub mod cpuid;
pub mod flush;
pub mod gdt;
pub mod i8042;
pub mod idt;
pub mod ioapic;
pub mod lapic;
pub mod percpu;
pub mod port;

//! Many processors: which there are, how they start, how they talk to each other.

pub mod acpi_tables;
pub mod ap_start;
pub mod bringup;
pub mod cpus;
pub mod hotplug;
pub mod hung;
pub mod ipi;
pub mod irq;
pub mod madt;
pub mod realmode;
pub mod stop;
pub mod stress;
pub mod tlb;

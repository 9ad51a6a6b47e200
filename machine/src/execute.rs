//! Execution of instructions. (Being built.)

pub mod control_reg;
pub mod cpuid;
pub mod debug_reg;
pub mod descriptor_table;
pub mod far_xfer;
pub mod interrupt;
pub mod msr;
pub mod segment_load;
pub mod syscall;

//! The architectural TLB. (Being built.)

/// One CPU's TLB.
#[derive(Clone, Debug, Default)]
pub struct Tlb {}

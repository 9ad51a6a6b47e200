//! Segmentation and paging. (Being built.)

pub mod tlb;

//! Tests of the MMU, by part.

mod paging;
mod segments;
mod tlb;
mod walk;

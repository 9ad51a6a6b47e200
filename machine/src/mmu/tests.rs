//! Tests of the MMU, by part.

mod keys;
mod paging;
mod segments;
mod tlb;
mod walk;

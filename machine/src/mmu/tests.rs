//! Tests of the MMU.

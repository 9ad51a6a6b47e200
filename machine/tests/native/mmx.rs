//! MMX on both.

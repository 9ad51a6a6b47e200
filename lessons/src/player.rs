//! A lesson being played, without I/O: [`page`] is what there is to see of it.

pub mod page;

//! The GDB remote serial protocol, client side, without input and output: bytes in, packets out.
//!
//! [`codec`] frames and unframes, [`client`] keeps acknowledgements right, [`packet`] writes requests and reads replies,
//! [`features`] reads what a server says it can do. The session owns the connection and drives these.
//! Source: GDB manual, appendix "GDB Remote Serial Protocol".

pub mod client;
pub mod codec;
pub mod features;
pub mod packet;

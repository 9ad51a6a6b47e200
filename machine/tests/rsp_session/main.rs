//! Conversations with the server over an in-process connection, byte for byte as over a socket.

mod client;
mod garbage;
mod gdb;
mod image;
mod private;
mod vendor;

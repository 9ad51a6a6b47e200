//! The host's own processor as the last word on x87, MMX and SSE: the same instructions with the same state there, in
//! ring 3, and on the machine.
//!
//! `native/helper.S` executes records on the host; it is assembled by `cc` when the test runs. Where the host is no x86-64
//! Linux, or has no `cc`, the tests say so and pass. What processors do differently from each other, or from the SDM's
//! definitions, is left out or forgiven where each list of instructions is made, with the reason. Seen equal on AMD's EPYC;
//! another maker's processor may ask for more of that.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "native/mmx.rs"]
mod mmx;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "native/record.rs"]
mod record;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "native/sse.rs"]
mod sse;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "native/values.rs"]
mod values;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "native/x87.rs"]
mod x87;

/// Goal: whoever tests elsewhere knows what was not tested; method: a line.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[test]
fn skipped() {
    eprintln!("SKIPPED: the host is no x86-64 Linux, so that its processor cannot be asked");
}

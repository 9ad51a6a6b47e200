//! What the fuzz targets share. Each target is a program in `src/bin`, named as `cargo xtask fuzz` names it.

use protocol::request::MachineConfig;

/// A small machine with this text for its kernel.
pub fn config(cpus: u16, memory_bytes: u64, options: String) -> MachineConfig {
    MachineConfig {
        cpus,
        apic_ids: Vec::new(),
        memory_bytes,
        quantum: 64,
        seed: None,
        options,
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    }
}

/// Splits bytes at the first zero: text before it, the rest after it.
pub fn text_and_rest(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes.get(end + 1..).unwrap_or_default())
}

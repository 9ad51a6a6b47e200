//! The firmware's variables, as a debugger lists them: read from the memory that keeps them, by the firmware's own library.

use crate::machine::Machine;
use ::firmware::store;
use protocol::firmware::{Variable, Variables};
use uefi_raw::Guid;

/// What there was when power came on (the configuration's bytes), and what there is now.
pub fn variables(machine: &Machine, at_power_on: &[u8]) -> Variables {
    let now = machine.bus().devices.nvram.bytes();
    // What lies behind the records is as good as new.
    let contents = if store::is_foreign(now) { Vec::new() } else { now[..store::used(now)].to_vec() };
    Variables { at_power_on: list(at_power_on), now: list(now), contents }
}

fn list(memory: &[u8]) -> Vec<Variable> {
    if store::is_foreign(memory) {
        return Vec::new();
    }
    let name = |bytes: &[u8]| {
        let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        String::from_utf16_lossy(&units)
    };
    let variable = |record: store::Record<'_>| Variable {
        name: name(record.name),
        vendor: Guid::from_bytes(record.vendor).to_string(),
        attributes: record.attributes,
        bytes: record.data.len() as u32,
    };
    store::records(memory).map(variable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a variable is listed by its name and its vendor's GUID, and memory that holds anything else lists none. Method: one
    /// in the firmware's own store; zeros; nothing.
    #[test]
    fn listed() {
        let mut memory = vec![0xff; 512];
        store::format_if_foreign(&mut memory);
        let name: Vec<u8> = "Lang\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let global = uefi_raw::guid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
        store::set(&mut memory, (&global.to_bytes(), &name), 7, b"eng").expect("there is room");
        let expected = Variable {
            name: "Lang".to_owned(),
            vendor: "8be4df61-93ca-11d2-aa0d-00e098032b8c".to_owned(),
            attributes: 7,
            bytes: 3,
        };
        assert_eq!(list(&memory), [expected]);
        assert!(list(&[0; 64]).is_empty() && list(&[]).is_empty());
    }
}

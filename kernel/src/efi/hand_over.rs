//! The lines that our loader puts in front of the options: where EFI is. `bootloader_api` has no place for that; other
//! loaders say nothing.
//!
//! What they tell is what Linux's boot protocol does (`struct efi_info`): the system table, and the memory map with the size
//! and the version of its descriptors.

/// Where EFI is, as the loader says; all addresses are physical.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// The system table.
    pub system_table: u64,
    /// The memory map.
    pub memmap: u64,
    /// Its size in bytes.
    pub memmap_size: u64,
    /// Bytes from one descriptor to the next.
    pub memdesc_size: u64,
    /// Version of a descriptor.
    pub memdesc_version: u64,
}

/// What the lines say, and the options behind them. None: there are no such lines.
///
/// # Errors
/// The first line that is not as it should be, or what is missing.
pub fn split(text: &str) -> (Result<Option<HandOver>, &str>, &str) {
    let (mut hand_over, mut rest) = (HandOver::default(), text);
    let mut seen = [false; 5];
    let mut wrong = None;
    while rest.starts_with("efi_") {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = behind;
        if take(line, &mut hand_over, &mut seen).is_none() {
            wrong = wrong.or(Some(line));
        }
    }
    let result = match wrong {
        Some(line) => Err(line),
        None if seen == [false; 5] => Ok(None),
        None if seen == [true; 5] => Ok(Some(hand_over)),
        None => Err("not all five of its lines are there"),
    };
    (result, rest)
}

fn take(line: &str, hand_over: &mut HandOver, seen: &mut [bool; 5]) -> Option<()> {
    let (name, value) = line.split_once('=')?;
    let number = u64::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
    let (which, field) = match name {
        "efi_system_table" => (0, &mut hand_over.system_table),
        "efi_memmap" => (1, &mut hand_over.memmap),
        "efi_memmap_size" => (2, &mut hand_over.memmap_size),
        "efi_memdesc_size" => (3, &mut hand_over.memdesc_size),
        "efi_memdesc_version" => (4, &mut hand_over.memdesc_version),
        _ => return None,
    };
    *field = number;
    seen[which] = true;
    Some(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    const LINES: &str = "efi_system_table=0x000000000f9ee018\nefi_memmap=0x0000000001234000\n\
        efi_memmap_size=0x00000000000012f0\nefi_memdesc_size=0x0000000000000030\nefi_memdesc_version=0x0000000000000001\n";

    /// Goal: the lines are understood and the options left. Method: with lines, without, options that look alike.
    #[test]
    fn lines_and_options() {
        let text = String::from(LINES) + "efi=own pcid=on";
        let hand_over = HandOver {
            system_table: 0xf9e_e018,
            memmap: 0x123_4000,
            memmap_size: 0x12f0,
            memdesc_size: 48,
            memdesc_version: 1,
        };
        assert_eq!(split(&text), (Ok(Some(hand_over)), "efi=own pcid=on"));
        assert_eq!(split(LINES), (Ok(Some(hand_over)), ""));
        assert_eq!(split("efi=own pcid=on"), (Ok(None), "efi=own pcid=on"));
        assert_eq!(split(""), (Ok(None), ""));
    }

    /// Goal: lines that are wrong are named, and the options are read all the same. Method: one of each kind.
    #[test]
    fn bad_lines() {
        assert_eq!(split("efi_memmap=12\npcid=on"), (Err("efi_memmap=12"), "pcid=on"));
        assert_eq!(split("efi_unknown=0x1\npcid=on"), (Err("efi_unknown=0x1"), "pcid=on"));
        assert_eq!(split("efi_memmap=0xfffffffffffffffff\n").0, Err("efi_memmap=0xfffffffffffffffff"));
        assert_eq!(split("efi_memmap"), (Err("efi_memmap"), ""));
        let (result, rest) = split("efi_memmap=0x1000\npcid=on");
        assert!(result.is_err() && rest == "pcid=on");
    }
}

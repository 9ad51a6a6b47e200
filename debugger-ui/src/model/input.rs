//! What users type, in the many ways they type it: numbers, addresses, seg:off, symbols, `step 1234`.

use super::symbols::Symbols;
use protocol::cpu::{CpuState, GPR_NAMES, SEGMENT_NAMES};
use protocol::{LinearAddr, Mode, Position};

/// Where a go-to leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Code or data at a linear address.
    Address(LinearAddr),
    /// A position in the run.
    Position(Position),
}

/// A number as users write hexadecimal: `9A000`, `0x9a000`, `9a000h`, `ffff_ffff_8100_0000`, `ffff ffff 8100 0000`.
pub fn hex(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| *c != '_' && !c.is_whitespace()).collect();
    let lower = plain.to_ascii_lowercase();
    let digits = lower.strip_prefix("0x").unwrap_or(&lower);
    let digits = digits.strip_suffix('h').unwrap_or(digits);
    if digits.is_empty() {
        return Err("A number is missing: for example 9a000, 0x9a000 or 9a000h.".to_owned());
    }
    u64::from_str_radix(digits, 16).map_err(|_| {
        if digits.len() > 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            format!("{text} has more than 64 bits.")
        } else {
            format!("{text} is no hexadecimal number: digits are 0-9 and a-f, as in 9a000, 0x9a000 or 9a000h.")
        }
    })
}

/// A decimal number, grouped by `_` or spaces.
pub fn decimal(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| *c != '_' && !c.is_whitespace()).collect();
    plain.parse().map_err(|_| format!("{text} is no number: digits are 0-9, as in 1204311."))
}

/// A size in bytes: `128M`, `1G`, `65536`, `0x10000`.
pub fn size(text: &str) -> Result<u64, String> {
    let plain = text.trim().to_ascii_uppercase();
    let plain = plain.strip_suffix("IB").or(plain.strip_suffix('B')).unwrap_or(&plain);
    let (digits, shift) = match plain.as_bytes().last() {
        Some(b'K') => (&plain[..plain.len() - 1], 10),
        Some(b'M') => (&plain[..plain.len() - 1], 20),
        Some(b'G') => (&plain[..plain.len() - 1], 30),
        _ => (plain, 0),
    };
    let number = match digits.strip_prefix("0X") {
        Some(digits) => hex(digits),
        None => decimal(digits),
    };
    number
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("{text} is no size: write bytes with K, M or G, as in 128M."))
}

/// A linear address: a number, `seg:off`, a symbol, a register, and any of these `+` or `-` a number.
///
/// `seg:off` means what the CPU would make of it: in real and virtual-8086 mode selector * 16 + offset; elsewhere the
/// base is known only for a selector that some segment register holds. A name wins over a number that reads the same.
pub fn address(text: &str, symbols: &Symbols, cpu: Option<&CpuState>) -> Result<LinearAddr, String> {
    let text = text.trim();
    if let Some(linear) = symbols.address_of(text) {
        return Ok(linear);
    }
    if let Some((segment, offset)) = text.split_once(':') {
        return segment_offset(segment.trim(), offset.trim(), cpu);
    }
    if let Some(at) = text.rfind(['+', '-']).filter(|at| *at > 0) {
        let base = address(&text[..at], symbols, cpu)?;
        let delta = hex(&text[at + 1..])?;
        let minus = text.as_bytes()[at] == b'-';
        return Ok(LinearAddr(if minus { base.0.wrapping_sub(delta) } else { base.0.wrapping_add(delta) }));
    }
    if let Some(value) = cpu.and_then(|cpu| register(text, cpu)) {
        return Ok(LinearAddr(value));
    }
    if symbols.not_placed_yet(text) {
        return Err(format!("{text} has no address yet: the kernel has not put the real-mode blob into memory."));
    }
    hex(text).map(LinearAddr).map_err(|why| {
        if text.chars().any(|c| !c.is_ascii_hexdigit() && !matches!(c, '_' | ' ' | 'x' | 'X' | 'h' | 'H')) {
            match symbols.profile {
                Some(_) => format!("There is no symbol {text} in this image, and it is no number."),
                None => format!("{text} is no number, and this image has no profile with symbols."),
            }
        } else {
            why
        }
    })
}

/// Where a go-to leads: `step 1204311`, or an address.
pub fn goal(text: &str, symbols: &Symbols, cpu: Option<&CpuState>) -> Result<Goal, String> {
    let trimmed = text.trim();
    for word in ["step", "position", "@"] {
        if let Some(number) = trimmed.strip_prefix(word).filter(|rest| !rest.starts_with(char::is_alphabetic))
            && symbols.address_of(trimmed).is_none()
        {
            return decimal(number.trim()).map(|position| Goal::Position(Position(position)));
        }
    }
    if trimmed.is_empty() {
        return Err("Type an address, seg:off, a symbol, or step 1234.".to_owned());
    }
    address(trimmed, symbols, cpu).map(Goal::Address)
}

/// The value of a register as typed into it: hexadecimal, a symbol, or another register.
pub fn value(text: &str, symbols: &Symbols, cpu: Option<&CpuState>) -> Result<u64, String> {
    address(text, symbols, cpu).map(|linear| linear.0)
}

fn register(name: &str, cpu: &CpuState) -> Option<u64> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "rip" | "eip" | "ip" | "pc" => return Some(cpu.linear_pc().0),
        "cr2" => return Some(cpu.cr2),
        "cr3" => return Some(cpu.cr3 & !0xfff),
        "gdtr" => return Some(cpu.gdtr.base),
        "idtr" => return Some(cpu.idtr.base),
        _ => {}
    }
    let long = name.strip_prefix('e').map(|rest| format!("r{rest}"));
    let at = GPR_NAMES.iter().position(|gpr| *gpr == name || Some(*gpr) == long.as_deref())?;
    Some(if long.is_some() { cpu.gpr[at] & 0xffff_ffff } else { cpu.gpr[at] })
}

fn segment_offset(segment: &str, offset: &str, cpu: Option<&CpuState>) -> Result<LinearAddr, String> {
    let offset = hex(offset)?;
    let named = SEGMENT_NAMES[..6].iter().position(|name| segment.eq_ignore_ascii_case(name));
    let base = match (named, cpu) {
        (Some(at), Some(cpu)) => cpu.segments[at].base,
        (Some(_), None) => return Err(format!("What {segment} holds is not known yet.")),
        (None, _) => {
            let selector = u16::try_from(hex(segment)?)
                .map_err(|_| format!("{segment} is no segment: a selector has 16 bits, as in 9a00:0000."))?;
            let real = cpu.is_none_or(|cpu| matches!(cpu.mode, Mode::Real | Mode::V86));
            let loaded = cpu.and_then(|cpu| cpu.segments[..6].iter().find(|loaded| loaded.selector == selector));
            match (loaded, real) {
                // A hidden base that a register holds rules, also where it is not selector * 16.
                (Some(loaded), _) if loaded.selector != 0 => loaded.base,
                (_, true) => u64::from(selector) << 4,
                (_, false) => {
                    return Err(format!(
                        "No segment register of this CPU holds {selector:04x}, so outside real mode its base is not known."
                    ));
                }
            }
        }
    };
    Ok(LinearAddr(base.wrapping_add(offset)))
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::sample;
    use super::*;
    use protocol::cpu::{CS, SegmentReg};

    fn linear(text: &str, cpu: Option<&CpuState>) -> Result<u64, String> {
        let mut symbols = sample();
        symbols.blob_bases[0] = Some(0x9a000);
        address(text, &symbols, cpu).map(|linear| linear.0)
    }

    /// Goal: one address has many spellings; method: all of them.
    #[test]
    fn spellings() {
        for text in
            ["9A000", "0x9a000", "9a000h", "0009_a000", " 9a 000 ", "9A000H", "9b000-1000", "9a00:0", "9A00h:0000h"]
        {
            assert_eq!(linear(text, None), Ok(0x9a000), "{text}");
        }
        assert_eq!(linear("ffff_ffff_8100_0000", None), Ok(0xffff_ffff_8100_0000));
        assert_eq!(linear("trampoline_start", None), Ok(0x9b000));
        assert_eq!(linear("start_secondary + 0x12", None), Ok(0xffff_ffff_8000_0112));
    }

    /// Goal: registers and loaded segments are understood; method: a CPU in 32-bit protected mode.
    #[test]
    fn registers_and_segments() {
        let mut cpu = CpuState { mode: Mode::Protected32, ip: 0x20, ..CpuState::default() };
        cpu.gpr[0] = 0x1_0000_1234;
        cpu.segments[CS] = SegmentReg { selector: 8, base: 0x1000, limit: u32::MAX, attributes: 0xc09b };
        assert_eq!(linear("eax", Some(&cpu)), Ok(0x1234));
        assert_eq!(linear("rax", Some(&cpu)), Ok(0x1_0000_1234));
        assert_eq!(linear("eip", Some(&cpu)), Ok(0x1020));
        assert_eq!(linear("8:30", Some(&cpu)), Ok(0x1030));
        assert_eq!(linear("cs:30", Some(&cpu)), Ok(0x1030));
        assert!(linear("10:30", Some(&cpu)).unwrap_err().contains("not known"));
    }

    /// Goal: what makes no sense is said; method: a wrong name, too many digits, nothing, a blob not placed.
    #[test]
    fn refusals() {
        assert!(linear("no_such_thing", None).unwrap_err().contains("no symbol"));
        assert!(linear("12345678123456781", None).unwrap_err().contains("64 bits"));
        assert!(goal("", &sample(), None).is_err());
        assert!(address("tr_set_pe", &Symbols::default(), None).unwrap_err().contains("no profile"));
        assert!(address("trampoline_start", &sample(), None).unwrap_err().contains("no address yet"));
    }

    /// Goal: positions and sizes; method: spellings of each.
    #[test]
    fn positions_and_sizes() {
        let symbols = sample();
        assert_eq!(goal("step 1 204_311", &symbols, None), Ok(Goal::Position(Position(1_204_311))));
        assert_eq!(goal("@12", &symbols, None), Ok(Goal::Position(Position(12))));
        assert_eq!(goal("start_secondary", &symbols, None), Ok(Goal::Address(LinearAddr(0xffff_ffff_8000_0100))));
        assert_eq!(size("128M"), Ok(128 << 20));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        assert_eq!(size("0x10000"), Ok(0x10000));
        assert!(size("many").is_err());
    }
}

//! How a value is written for people: `{cpu1.cr3:hex}`.

use crate::expr::Value;
use crate::stop::pattern::{ACTIVITIES, MODES};
use protocol::LinearAddr;

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `hex`: eight digits where they suffice, else sixteen in groups: 0009a000. Addresses.
    #[default]
    Hex,
    /// `hex0x`: as in source code: 0x9a000.
    Hex0x,
    /// `h`: as in the SDM: 9Ah.
    HexH,
    /// `hex8`: two digits, for a byte.
    Hex8,
    /// `hex16`: four digits, for a selector.
    Hex16,
    /// `hex64`: sixteen digits in groups.
    Hex64,
    /// `dec`.
    Dec,
    /// `bin`: binary, as in the SDM: 101b.
    Bin,
    /// `sym`: the symbol there, with how far behind it.
    Sym,
    /// `mode`: a mode or activity in its usual words: protected, 16-bit.
    Mode,
    /// `word`: as it is; true and false are yes and no.
    Word,
    /// `segoff`: segment:offset as a SIPI makes it, the segment a multiple of 100h.
    SegOff,
}

const FORMATS: [(&str, Format); 12] = [
    ("hex", Format::Hex),
    ("hex0x", Format::Hex0x),
    ("h", Format::HexH),
    ("hex8", Format::Hex8),
    ("hex16", Format::Hex16),
    ("hex64", Format::Hex64),
    ("dec", Format::Dec),
    ("bin", Format::Bin),
    ("sym", Format::Sym),
    ("mode", Format::Mode),
    ("word", Format::Word),
    ("segoff", Format::SegOff),
];

impl Format {
    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// All names, for messages.
    pub(crate) fn names() -> String {
        FORMATS.map(|(name, _)| name).join(", ")
    }

    /// Digits alone are decimal.
    pub fn is_decimal(self) -> bool {
        self == Self::Dec
    }

    /// Comes out in the fixed font.
    pub(crate) fn is_fixed_font(self) -> bool {
        !matches!(self, Self::Dec | Self::Mode | Self::Word)
    }

    /// Writes a value. `symbol` is the name of what stands at it, asked for [`Format::Sym`] only.
    pub fn write(self, value: &Value, symbol: Option<&(String, u64)>) -> String {
        let value = match (self, value) {
            (Self::Mode, Value::Word(word)) => return words_of(word).to_owned(),
            (_, Value::Word(word)) => return word.clone(),
            (Self::Hex | Self::Word | Self::Mode, Value::Bool(holds)) => {
                return if *holds { "yes" } else { "no" }.to_owned();
            }
            (_, value) => value.as_int().unwrap_or(0),
        };
        match self {
            Self::Hex => LinearAddr(value).to_string(),
            Self::Hex0x => format!("{value:#x}"),
            Self::HexH => format!("{value:X}h"),
            Self::Hex8 => format!("{value:02x}"),
            Self::Hex16 => format!("{value:04x}"),
            Self::Hex64 => {
                let part = |shift: u32| (value >> shift) as u16;
                format!("{:04x}_{:04x}_{:04x}_{:04x}", part(48), part(32), part(16), part(0))
            }
            Self::Dec | Self::Mode | Self::Word => value.to_string(),
            Self::Bin => format!("{value:b}b"),
            Self::SegOff if value >> 20 == 0 => format!("{:04x}:{:04x}", value >> 12 << 8, value & 0xfff),
            Self::SegOff => LinearAddr(value).to_string(),
            Self::Sym => match symbol {
                Some((name, 0)) => name.clone(),
                Some((name, behind)) => format!("{name}+{behind:x}"),
                None => LinearAddr(value).to_string(),
            },
        }
    }
}

/// A mode or an activity as the glossary names it.
fn words_of(word: &str) -> &str {
    let mode = MODES.iter().find(|mode| mode.word() == word).and_then(|mode| crate::glossary::mode(*mode));
    let activity = || ACTIVITIES.iter().find(|a| a.word() == word).and_then(|a| crate::glossary::activity(*a));
    mode.or_else(activity).map_or(word, |entry| entry.name.as_str())
}

//! What a learner types, read as a person means it: `9A000`, `0x9a000`, `9a000h`, `0009_a000` and `9a00:0000` are one
//! answer, `protected 16` and `protected16` one word. What cannot be read is not wrong: the error says how to write it.
//!
//! Neighbours: [`crate::lesson::Question`] says what is asked for; [`crate::player`] compares with the value that was
//! read from the machine.

#[cfg(test)]
mod tests;

use crate::expr::Value;
use crate::lesson::InputKind;
use crate::template::Format;

/// An answer that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A number.
    Number(u64),
    /// segment:offset, each of 16 bits.
    SegOff(u16, u16),
    /// A word, small letters and digits only, in its usual form.
    Word(String),
}

impl Given {
    /// As a value: what `answer` is in an expression. A segment:offset is the linear address that it means in real mode.
    pub fn value(&self) -> Value {
        match self {
            Self::Number(value) => Value::Int(*value),
            Self::SegOff(segment, offset) => Value::Int(u64::from(*segment) * 16 + u64::from(*offset)),
            Self::Word(word) => Value::Word(word.clone()),
        }
    }

    /// Segment and offset, where it was written so.
    pub fn seg_off(&self) -> Option<(u16, u16)> {
        match self {
            Self::SegOff(segment, offset) => Some((*segment, *offset)),
            _ => None,
        }
    }

    /// It says the same as a value of the machine. A segment:offset is right by its linear address where a number is
    /// asked for, and part by part where the value is `segoff(...)`.
    pub fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::SegOff(segment, offset), Value::Word(word)) => *word == format!("{segment:04x}:{offset:04x}"),
            (Self::Word(given), Value::Word(word)) => {
                let usual = usual(word);
                *given == usual || usual.contains(':') && usual.rsplit(':').next() == Some(given)
            }
            (Self::Word(given), Value::Bool(holds)) => given == if *holds { "yes" } else { "no" },
            (Self::Word(_), Value::Int(_)) => false,
            _ => self.value().same(value) == Some(true),
        }
    }
}

/// Longest answer that is looked at.
const MAX_LENGTH: usize = 200;

/// Reads an answer. `format` is how the question writes its numbers: digits alone are decimal where it is decimal, else
/// hexadecimal. The error is a sentence for the learner.
pub fn read(text: &str, input: InputKind, format: Format) -> Result<Given, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("Write your answer first: {}.", how(input, format)));
    }
    if text.chars().count() > MAX_LENGTH {
        return Err(format!("That is too long to be an answer. Write {}.", how(input, format)));
    }
    match input {
        InputKind::Word | InputKind::Choice => word(text),
        InputKind::SegOff => seg_off(text).ok_or_else(|| format!("`{text}` is no segment and offset. Write {}.", how(input, format))),
        InputKind::Number if usual(text) == Value::NONE => Ok(Given::Word(Value::NONE.to_owned())),
        InputKind::Number if text.contains(':') => {
            seg_off(text).ok_or_else(|| format!("`{text}` is no address. A segment and an offset have at most four hexadecimal digits each, as in 9a00:0000."))
        }
        InputKind::Number => number(text, format),
    }
}

/// What an answer looks like.
fn how(input: InputKind, format: Format) -> &'static str {
    match input {
        InputKind::Word => "a word, as it stands in the window",
        InputKind::Choice => "the letter of an answer",
        InputKind::SegOff => "two hexadecimal numbers of at most four digits with a colon between, as in 1234:0010",
        InputKind::Number if format.is_decimal() => "a decimal number, or a hexadecimal one as 0x1f or 1fh",
        InputKind::Number => "a hexadecimal number, as 9a000, 0x9a000 or 9a000h",
    }
}

fn word(text: &str) -> Result<Given, String> {
    let word = usual(text);
    if word.is_empty() {
        return Err("Write a word, as it stands in the window.".to_owned());
    }
    Ok(Given::Word(word))
}

fn seg_off(text: &str) -> Option<Given> {
    let (segment, offset) = text.split_once(':')?;
    let part = |part: &str| hex(&plain(part)).and_then(|value| u16::try_from(value).ok());
    Some(Given::SegOff(part(segment)?, part(offset)?))
}

/// Without what people put between digits; small letters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '_' && *c != '\'').collect::<String>().to_ascii_lowercase()
}

/// Hexadecimal digits, with or without `0x` or `h`.
fn hex(plain: &str) -> Option<u64> {
    let digits = plain.strip_prefix("0x").unwrap_or(plain);
    let digits = digits.strip_suffix('h').unwrap_or(digits);
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| all_digits)
}

fn number(text: &str, format: Format) -> Result<Given, String> {
    let plain = plain(text);
    let marked = plain.starts_with("0x") || plain.ends_with('h');
    let decimal = format.is_decimal() && !marked;
    let value = if decimal {
        let all_digits = plain.bytes().all(|byte| byte.is_ascii_digit());
        plain.parse().ok().filter(|_| all_digits)
    } else {
        hex(&plain)
    };
    match value {
        Some(value) => Ok(Given::Number(value)),
        None if decimal && hex(&plain).is_some() => {
            Err(format!("`{text}` is no decimal number. If it is hexadecimal, write 0x{plain} or {plain}h."))
        }
        None if plain.starts_with('-') => {
            Err(format!("`{text}` is below 0. Write {}.", how(InputKind::Number, format)))
        }
        None if plain.len() > 16 && plain.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(format!("`{text}` does not fit into 64 bits. Write {}.", how(InputKind::Number, format)))
        }
        None => Err(format!("`{text}` is no number. Write {}.", how(InputKind::Number, format))),
    }
}

/// Words that mean the same; the first of each is the machine's. All without spaces, hyphens and the word "mode".
const SYNONYMS: [&[&str]; 17] = [
    &["real", "realaddress", "16bitreal"],
    &["protected16", "protected16bit", "16bitprotected", "p16", "prot16"],
    &["protected32", "protected32bit", "32bitprotected", "p32", "prot32"],
    &["v86", "virtual8086", "vm86", "virtual86"],
    &["compat", "compatibility"],
    &["long", "64bit", "64", "long64bit", "long64"],
    &["running", "run", "runs", "executing"],
    &["halted", "halt", "halts", "hlt"],
    &["waitforsipi", "waitingforsipi", "waitsforsipi", "wfs", "waitforstartup"],
    &["shutdown", "shutsdown"],
    &["held", "hold"],
    &["sipi", "startup", "startupipi"],
    &["lowestpriority", "lowest"],
    &["none", "nothing", "nobody", "notthere"],
    &["yes", "true", "y"],
    &["no", "false", "n"],
    &["nmi", "nonmaskableinterrupt"],
];

/// A word in its usual form: small letters and digits, `:` of paths kept, synonyms replaced.
pub(crate) fn usual(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric() || *c == ':').collect::<String>().to_lowercase();
    let known = |plain: &str| SYNONYMS.iter().find(|words| words.contains(&plain)).map(|words| words[0].to_owned());
    let without_mode = plain.strip_suffix("mode").filter(|rest| !rest.is_empty());
    known(&plain).or_else(|| without_mode.and_then(known)).unwrap_or(plain)
}

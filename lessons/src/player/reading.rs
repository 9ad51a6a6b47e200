//! What a person typed, as values: `9A000`, `0x9a000`, `9a000h`, `0009_a000` are one number; `9a00:0010` is a segmented
//! address; `Wait for SIPI` and `wait-for-sipi` are one word.
//!
//! Digits alone may be meant in either base: both readings count. A text that is none of this is not counted as an
//! answer; [`Unread`] says what is expected instead.

use protocol::SegOff;

/// Longest text that is looked at; no answer is longer.
const MAX_TEXT: usize = 120;

/// The text cannot be read; in words, with what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread(pub String);

fn unread<T>(why: impl Into<String>) -> Result<T, Unread> {
    Err(Unread(why.into()))
}

/// The text without what people put between digits.
fn digits(text: &str) -> Result<String, Unread> {
    let text = text.trim();
    if text.is_empty() {
        return unread("Type an answer first.");
    }
    if text.len() > MAX_TEXT {
        return unread("That is too long to be an answer.");
    }
    Ok(text.chars().filter(|c| !matches!(c, '_' | '\'') && !c.is_whitespace()).collect::<String>().to_lowercase())
}

fn hex(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    all.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Every number that the text may mean: hexadecimal first, then decimal where there are only such digits.
///
/// # Errors
/// [`Unread`].
pub fn numbers(text: &str) -> Result<Vec<u64>, Unread> {
    let clean = digits(text)?;
    let marked = clean.strip_prefix("0x").or_else(|| clean.strip_suffix('h'));
    let mut readings = Vec::new();
    if let Some(value) = hex(marked.unwrap_or(&clean)) {
        readings.push(value);
    }
    if marked.is_none() {
        if let Ok(value) = clean.parse::<u64>()
            && !readings.contains(&value)
        {
            readings.push(value);
        }
        if let Some(value) = clean.strip_prefix("0b").and_then(|bits| u64::from_str_radix(bits, 2).ok())
            && !readings.contains(&value)
        {
            readings.push(value);
        }
    }
    if readings.is_empty() {
        return unread(format!("`{}` is no number. Write digits, for example 9a000, 0x9a000 or 9a000h.", text.trim()));
    }
    Ok(readings)
}

/// A segment and an offset, both hexadecimal.
///
/// # Errors
/// [`Unread`].
pub fn seg_off(text: &str) -> Result<SegOff, Unread> {
    let clean = digits(text)?;
    let part = |text: &str| hex(text.strip_prefix("0x").or_else(|| text.strip_suffix('h')).unwrap_or(text));
    let Some((segment, offset)) = clean.split_once(':') else {
        return unread("Write a segment and an offset with a colon between them, for example 1234:0010.");
    };
    let (Some(segment), Some(offset)) = (part(segment), part(offset)) else {
        return unread(format!("`{}` is no segment:offset. Both are hexadecimal, for example 1234:0010.", text.trim()));
    };
    match (u16::try_from(segment), u16::try_from(offset)) {
        (Ok(selector), Ok(offset)) => Ok(SegOff { selector, offset: offset.into() }),
        _ => unread("Segment and offset have 16 bits each: four hexadecimal digits at most."),
    }
}

/// A word as it is compared: without case, spaces, hyphens, underscores and commas, by one name for each mode.
///
/// # Errors
/// [`Unread`].
pub fn word(text: &str) -> Result<String, Unread> {
    if text.len() > MAX_TEXT {
        return unread("That is too long to be an answer.");
    }
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    if plain.is_empty() {
        return unread("Type an answer first: a word, as the machine's panels show it.");
    }
    let plain = plain.strip_suffix("mode").filter(|rest| !rest.is_empty()).unwrap_or(&plain);
    Ok(match plain {
        "16bitprotected" | "protected16bit" => "protected16",
        "32bitprotected" | "protected32bit" => "protected32",
        "64bit" | "longmode64" | "ia32e64bit" => "long",
        "compatibility" => "compat",
        "realaddress" => "real",
        "virtual8086" | "vm86" => "v86",
        other => other,
    }
    .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: one number in all the ways people write it; method: a table.
    #[test]
    fn numbers_as_people_write_them() {
        for text in ["9A000", "0x9a000", "9a000h", "0X9A000", "9A000H", " 0009_a000 ", "9 a000", "0009'A000"] {
            assert_eq!(numbers(text), Ok(vec![0x9_a000]), "{text}");
        }
        assert_eq!(numbers("10"), Ok(vec![0x10, 10]));
        assert_eq!(numbers("0"), Ok(vec![0]));
        assert_eq!(numbers("0x10"), Ok(vec![0x10]));
        assert_eq!(numbers("0b101"), Ok(vec![0xb101, 5]));
        assert_eq!(numbers("ffff_ffff_8100_0000"), Ok(vec![0xffff_ffff_8100_0000]));
        assert_eq!(numbers("18446744073709551615"), Ok(vec![u64::MAX]));
    }

    /// Goal: what is no number is told so and never counted; method: a table, with what overflows.
    #[test]
    fn no_numbers() {
        for text in
            ["", "  ", "_", "hello", "0x", "h", "-1", "12:34", "1ffff_ffff_ffff_ffffh", "9a000 or so", "٣", "0x\u{0}1"]
        {
            assert!(numbers(text).is_err(), "{text}");
        }
        assert!(numbers(&"1".repeat(1000)).unwrap_err().0.contains("too long"));
        assert!(numbers("hello").unwrap_err().0.contains("`hello` is no number"));
    }

    /// Goal: seg:off is read with 16 bits each; method: good ones and bad ones.
    #[test]
    fn segmented() {
        let address = SegOff { selector: 0x9a00, offset: 0x10 };
        for text in ["9a00:0010", "9A00h:10h", "0x9a00 : 0x10", "9a00:10"] {
            assert_eq!(seg_off(text), Ok(address), "{text}");
        }
        for text in ["9a000", "9a00:", ":10", "19a00:0", "0:10000", "x:y", "1:2:3"] {
            assert!(seg_off(text).is_err(), "{text}");
        }
    }

    /// Goal: one word in all the ways people write it; method: a table.
    #[test]
    fn words() {
        let same = |a: &str, b: &str| assert_eq!(word(a).unwrap(), word(b).unwrap(), "{a} {b}");
        same("wait-for-sipi", "Wait for SIPI");
        same("protected16", "16-bit protected mode");
        same("protected16", "Protected, 16-bit");
        same("long", "64-bit mode");
        same("compat", "compatibility");
        same("startup_32", "STARTUP_32");
        same("real", "real mode");
        assert_ne!(word("startup_32").unwrap(), word("startup_64").unwrap());
        assert!(word(" - ").is_err());
        assert!(word(&"a".repeat(1000)).is_err());
    }
}

//! Hexadecimal numbers as people read them: grouped by four, leading zeros by width, changed digits underlined.

use super::theme::mono;
use super::tokens::Tokens;
use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, Stroke};

/// `value` in `digits` digits, in groups of four where there are more than eight: `ffff_ffff_8100_0000`.
pub fn grouped(value: u64, digits: u8) -> String {
    let mut text = String::with_capacity(19);
    for (char, _) in digits_of(value, digits) {
        text.push(char);
    }
    text
}

/// The digits from the highest to the lowest with their index (0 = lowest), None for a separator.
fn digits_of(value: u64, digits: u8) -> impl Iterator<Item = (char, Option<u8>)> {
    let digits = digits.clamp(1, 16);
    (0..digits).rev().flat_map(move |at| {
        let digit = char::from_digit((value >> (at * 4) & 15) as u32, 16).unwrap_or('?');
        let separator = (digits > 8 && at % 4 == 0 && at != 0).then_some(('_', None));
        [Some((digit, Some(at))), separator].into_iter().flatten()
    })
}

/// Appends a number to a layout job; the digits in `changed` (bit 0 = lowest) are underlined and coloured.
pub fn append(job: &mut LayoutJob, t: &Tokens, value: u64, digits: u8, changed: u16, size: f32, colour: Color32) {
    let plain = TextFormat::simple(mono(size), colour);
    let marked = TextFormat {
        underline: Stroke::new(2.0, t.changed),
        color: t.changed,
        ..TextFormat::simple(mono(size), colour)
    };
    for (char, at) in digits_of(value, digits) {
        let is_changed = at.is_some_and(|at| changed >> at & 1 == 1);
        let mut buffer = [0; 4];
        job.append(char.encode_utf8(&mut buffer), 0.0, if is_changed { marked.clone() } else { plain.clone() });
    }
}

/// A value that is shown beside `full`: the groups in front that are the same there become a
/// sign, zeros in front are left out.
pub fn ending(value: u64, full: u64, digits: u8) -> String {
    let (text, beside) = (grouped(value, digits), grouped(full, digits));
    let groups = text.split('_').count();
    let same = text.split('_').zip(beside.split('_')).take_while(|(a, b)| a == b).count().min(groups - 1);
    let rest = text.split('_').skip(same).collect::<Vec<_>>().join("_");
    if same > 0 {
        return format!("\u{2026}{rest}");
    }
    let mut short = rest.as_str();
    while let Some(shorter) = short.strip_prefix("0000_") {
        short = shorter;
    }
    short.to_owned()
}

/// A count with its digits in groups of three, as `1 204 311`.
pub fn count(value: u64) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 3);
    for (at, char) in plain.chars().enumerate() {
        if at != 0 && (plain.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tokens::DARK;

    /// Goal: widths and groups; method: one value for each width.
    #[test]
    fn grouping() {
        assert_eq!(grouped(0x9a00, 4), "9a00");
        assert_eq!(grouped(0x9a000, 8), "0009a000");
        assert_eq!(grouped(0xffff_ffff_8100_0000, 16), "ffff_ffff_8100_0000");
        assert_eq!(grouped(0, 12), "0000_0000_0000");
        assert_eq!(ending(0xffff_ffff_8000_005f, 0xffff_ffff_8000_0062, 16), "\u{2026}005f");
        assert_eq!(ending(0x9c128, 0xffff_ffff_8000_0062, 16), "0009_c128");
        assert_eq!(ending(0x1038, 0x103b, 4), "1038");
        assert_eq!(count(1_204_311), "1\u{a0}204\u{a0}311");
        assert_eq!(count(117), "117");
    }

    /// Goal: exactly the changed digits are underlined; method: mask of the two lowest of four.
    #[test]
    fn changed_digits_are_underlined() {
        let mut job = LayoutJob::default();
        append(&mut job, &DARK, 0x9a31, 4, 0b11, 13.0, DARK.text);
        let underlined: String = job
            .sections
            .iter()
            .filter(|section| section.format.underline.width > 0.0)
            .map(|section| &job.text[section.byte_range.start.0..section.byte_range.end.0])
            .collect();
        assert_eq!((job.text.as_str(), underlined.as_str()), ("9a31", "31"));
    }
}

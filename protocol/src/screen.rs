//! The picture of a VGA in text mode.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What stands on the screen: text memory at physical B8000h, as the CRT controller shows it. IBM VGA Technical Reference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextScreen {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Row by row; the character is the low byte (code page 437), its colours the high one: bits 0 to 3 of the character, 4 to 6
    /// of what is behind it.
    pub cells: Vec<u16>,
    /// The cell that the cursor is in; None: it is off, or not on the screen.
    pub cursor: Option<u16>,
}

/// The characters that a VGA's font has, by number.
const CODE_PAGE_437: &str = concat!(
    "\0☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼",
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~⌂",
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}"
);

impl TextScreen {
    /// A row's text, without the blanks at its end.
    pub fn line(&self, row: u16) -> String {
        let from = usize::from(row) * usize::from(self.columns);
        let cells = self.cells.iter().skip(from).take(usize::from(self.columns));
        let text: String = cells.map(|cell| character(*cell as u8)).collect();
        String::from(text.trim_end())
    }

    /// Nothing stands on it.
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| character(*cell as u8) == ' ')
    }
}

/// The character with this number in the VGA's font. What shows nothing is a blank.
pub fn character(code: u8) -> char {
    match CODE_PAGE_437.chars().nth(code.into()) {
        None | Some('\0' | '\u{a0}') => ' ',
        Some(character) => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each of the font's 256 places has its character. Method: how many there are, and some that are known.
    #[test]
    fn code_page() {
        assert_eq!(CODE_PAGE_437.chars().count(), 256);
        let known =
            [(0x00, ' '), (0x01, '☺'), (0x41, 'A'), (0x7f, '⌂'), (0x80, 'Ç'), (0xb3, '│'), (0xdb, '█'), (0xfe, '■')];
        assert!(known.iter().all(|(code, expected)| character(*code) == *expected));
    }

    /// Goal: a row reads as text. Method: two rows of four, the second empty.
    #[test]
    fn lines() {
        let cells = [u16::from(b'H') | 0x700, u16::from(b'i') | 0x700, 0x720, 0, 0, 0, 0, 0x720].to_vec();
        let screen = TextScreen { columns: 4, rows: 2, cells, cursor: None };
        assert_eq!((screen.line(0).as_str(), screen.line(1).as_str(), screen.is_blank()), ("Hi", "", false));
    }
}

//! The console of a machine elsewhere: the file that it goes to, as plain text. A firmware moves the cursor about with
//! escape sequences; these are left out.

use crate::platform::FileTail;
use protocol::request::ConsoleText;

/// A console that is read from a file.
#[derive(Debug)]
pub struct Console {
    tail: FileTail,
    plain: Plain,
    /// Bytes given out so far.
    total: u64,
}

impl Console {
    /// Of this file.
    pub fn new(tail: FileTail) -> Self {
        Self { tail, plain: Plain::default(), total: 0 }
    }

    /// What is new.
    pub fn read(&mut self) -> ConsoleText {
        let bytes = self.plain.text(&self.tail.read());
        let offset = self.total;
        self.total += bytes.len() as u64;
        ConsoleText { offset, bytes, total: self.total }
    }
}

/// Where in an escape sequence the text ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Plain {
    #[default]
    Text,
    Escape,
    Sequence,
}

impl Plain {
    /// The text without escape sequences; one may go on in the next text.
    fn text(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            *self = match (*self, byte) {
                (_, 0x1b) => Self::Escape,
                (Self::Escape, b'[') => Self::Sequence,
                (Self::Escape, _) | (Self::Sequence, 0x40..=0x7e) => Self::Text,
                (Self::Sequence, _) => Self::Sequence,
                (Self::Text, _) => {
                    text.push(byte);
                    Self::Text
                }
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a firmware's screen becomes lines; method: its escape sequences, one of them cut in two.
    #[test]
    fn escapes() {
        let mut plain = Plain::default();
        assert_eq!(plain.text(b"\x1b[2J\x1b[01;01HBdsDxe\r\n\x1b[0"), b"BdsDxe\r\n");
        assert_eq!(plain.text(b"mFirstlight"), b"Firstlight");
    }
}

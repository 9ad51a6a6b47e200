//! The guest's serial console: its text at or before now, and what was typed and not yet sent.
//!
//! The text is a function of the position: going back makes it shorter, going forward again makes the same text.

use super::typed::Typed;
use protocol::request::ConsoleText;

/// The console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// What the guest has printed up to now, as lines: carriage returns and backspaces are carried out.
    pub lines: Vec<String>,
    /// Column of the cursor in the last line, in characters.
    pub column: usize,
    /// The bytes as they came.
    pub bytes: Vec<u8>,
    /// Typed, here or at the screen, and not yet handed to the machine.
    pub typed: Typed,
    /// Bytes that came since the panel was looked at.
    pub unread: usize,
}

impl Console {
    /// Takes in the output up to now.
    pub fn take(&mut self, text: &ConsoleText) {
        let total = usize::try_from(text.total).unwrap_or(usize::MAX);
        let offset = usize::try_from(text.offset).unwrap_or(usize::MAX);
        let shrinks = total < self.bytes.len() || offset < self.bytes.len();
        if shrinks {
            self.bytes.truncate(total.min(offset));
            self.lines.clear();
            self.column = 0;
            let kept = std::mem::take(&mut self.bytes);
            self.print(&kept);
            self.bytes = kept;
            self.unread = self.unread.min(self.bytes.len());
        }
        if offset == self.bytes.len() {
            self.print(&text.bytes);
            self.bytes.extend_from_slice(&text.bytes);
            self.unread += text.bytes.len();
        }
    }

    /// Forgets everything: another machine.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The panel was looked at.
    pub fn seen(&mut self) {
        self.unread = 0;
    }

    fn print(&mut self, bytes: &[u8]) {
        if self.lines.is_empty() {
            self.lines.push(String::new());
        }
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.lines.push(String::new());
                    self.column = 0;
                }
                b'\r' => self.column = 0,
                0x08 => self.column = self.column.saturating_sub(1),
                0x20..=0x7e => self.put(char::from(*byte)),
                b'\t' => (0..8 - self.column % 8).for_each(|_| self.put(' ')),
                _ => {}
            }
        }
    }

    fn put(&mut self, c: char) {
        // Lines hold ASCII only, so that a column is a byte offset.
        if let Some(line) = self.lines.last_mut() {
            if self.column < line.len() {
                line.replace_range(self.column..=self.column, c.encode_utf8(&mut [0; 4]));
            } else {
                line.push(c);
            }
            self.column += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(offset: u64, bytes: &[u8]) -> ConsoleText {
        ConsoleText { offset, bytes: bytes.to_vec(), total: offset + bytes.len() as u64 }
    }

    /// Goal: text is lines, with the editing that a shell does; method: backspace, carriage return, two lines.
    #[test]
    fn lines() {
        let mut console = Console::default();
        console.take(&text(0, b"> helx\x08 \x08p\r\nabc\rX"));
        assert_eq!(console.lines, ["> help", "Xbc"]);
        assert_eq!(console.column, 1);
    }

    /// Goal: going back shows less, going forward the same again; method: 10 bytes, back to 4, forward.
    #[test]
    fn shrinks_when_going_back() {
        let mut console = Console::default();
        console.take(&text(0, b"one\ntwo\nxy"));
        console.take(&ConsoleText { offset: 10, bytes: Vec::new(), total: 4 });
        assert_eq!((console.lines.join("|").as_str(), console.bytes.len()), ("one|", 4));
        console.take(&text(4, b"two\nxy"));
        assert_eq!(console.lines, ["one", "two", "xy"]);
    }
}

//! Line editing: cursor keys, Home and End, Backspace and Delete, history, and the control keys of every Unix shell.
//!
//! Pure: a byte comes in, text for the terminal goes out. It sends printable characters, backspaces and blanks only and
//! asks the terminal nothing, so that it also works where nobody answers (a log file, a simple window). The editors that
//! exist as libraries ask the terminal where its cursor is before the first prompt.

/// The longest line in bytes.
pub(super) const MAX_LINE: usize = 120;
/// Lines that are kept.
const HISTORY: usize = 16;

/// A line of printable ASCII.
#[derive(Clone, Copy)]
struct Line {
    bytes: [u8; MAX_LINE],
    len: usize,
}

impl Line {
    const EMPTY: Self = Self { bytes: [0; MAX_LINE], len: 0 };

    fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn from(&self, start: usize) -> &str {
        self.text().get(start..).unwrap_or_default()
    }
}

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edited {
    /// The line is still being typed.
    Going,
    /// Enter: the line is in [`LineEditor::line`].
    Line,
    /// Ctrl-C: the line is empty again.
    GivenUp,
}

/// Where in an escape sequence we are: cursor and function keys send ESC [ or ESC O, maybe digits, and a letter or `~`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    /// After `[` or `O`, with the number so far.
    Number(u8),
}

/// The line that is being typed.
pub(super) struct LineEditor {
    line: Line,
    cursor: usize,
    escape: Escape,
    /// CR was the byte before: a LF right after it is the same key.
    after_cr: bool,
    /// A ring: `next` is where the next line goes.
    history: [Line; HISTORY],
    stored: usize,
    next: usize,
    /// How many lines back the shown line is, 0 for the new one.
    back: usize,
    /// The new line, while an old one is shown.
    draft: Line,
}

impl LineEditor {
    /// With an empty line and no history.
    pub(super) const fn new() -> Self {
        Self {
            line: Line::EMPTY,
            cursor: 0,
            escape: Escape::None,
            after_cr: false,
            history: [Line::EMPTY; HISTORY],
            stored: 0,
            next: 0,
            back: 0,
            draft: Line::EMPTY,
        }
    }

    /// What was typed so far.
    pub(super) fn line(&self) -> &str {
        self.line.text()
    }

    /// Keeps the line in the history and begins an empty one.
    pub(super) fn next(&mut self) {
        let last = self.stored.checked_sub(1).map(|_| &self.history[(self.next + HISTORY - 1) % HISTORY]);
        let repeated = last.is_some_and(|last| last.text() == self.line.text());
        if !self.line.text().trim().is_empty() && !repeated {
            self.history[self.next] = self.line;
            self.next = (self.next + 1) % HISTORY;
            self.stored = (self.stored + 1).min(HISTORY);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.line = Line::EMPTY;
        self.draft = Line::EMPTY;
        self.cursor = 0;
        self.back = 0;
    }

    /// Takes a byte from the terminal; `send` gets what the terminal must show.
    pub(super) fn key(&mut self, byte: u8, mut send: impl FnMut(&str)) -> Edited {
        let send: &mut dyn FnMut(&str) = &mut send;
        let after_cr = core::mem::replace(&mut self.after_cr, byte == b'\r');
        if self.escape != Escape::None {
            self.escape_key(byte, send);
            return Edited::Going;
        }
        match byte {
            b'\n' if after_cr => {}
            b'\r' | b'\n' => return Edited::Line,
            0x1b => self.escape = Escape::Begun,
            b' '..=b'~' => self.insert(byte, send),
            0x08 | 0x7f => self.delete(self.cursor.saturating_sub(1), self.cursor, send),
            control => return self.control_key(control | 0x40, send),
        }
        Edited::Going
    }

    fn control_key(&mut self, letter: u8, send: &mut dyn FnMut(&str)) -> Edited {
        match letter {
            b'A' => self.move_to(0, send),
            b'B' => self.move_to(self.cursor.saturating_sub(1), send),
            b'C' => {
                self.clear();
                return Edited::GivenUp;
            }
            b'D' => self.delete(self.cursor, self.cursor + 1, send),
            b'E' => self.move_to(self.line.len, send),
            b'F' => self.move_to(self.cursor + 1, send),
            b'K' => self.delete(self.cursor, self.line.len, send),
            b'N' => self.recall(self.back.saturating_sub(1), send),
            b'P' => self.recall(self.back + 1, send),
            b'U' => self.delete(0, self.cursor, send),
            b'W' => {
                let before = &self.line.text()[..self.cursor];
                let start = before.trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.delete(start, self.cursor, send);
            }
            _ => {}
        }
        Edited::Going
    }

    fn escape_key(&mut self, byte: u8, send: &mut dyn FnMut(&str)) {
        let number = match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => {
                self.escape = Escape::Number(0);
                return;
            }
            (Escape::Number(number), b'0'..=b'9') => {
                self.escape = Escape::Number(number.saturating_mul(10).saturating_add(byte - b'0'));
                return;
            }
            // Modifiers, as in ESC [ 1 ; 5 C: what comes after them decides.
            (Escape::Number(_), b';') => {
                self.escape = Escape::Number(0);
                return;
            }
            (Escape::Number(number), _) => number,
            _ => {
                self.escape = Escape::None;
                return;
            }
        };
        self.escape = Escape::None;
        match (byte, number) {
            (b'A', _) => self.recall(self.back + 1, send),
            (b'B', _) => self.recall(self.back.saturating_sub(1), send),
            (b'C', _) => self.move_to(self.cursor + 1, send),
            (b'D', _) => self.move_to(self.cursor.saturating_sub(1), send),
            (b'H', _) | (b'~', 1 | 7) => self.move_to(0, send),
            (b'F', _) | (b'~', 4 | 8) => self.move_to(self.line.len, send),
            (b'~', 3) => self.delete(self.cursor, self.cursor + 1, send),
            _ => {}
        }
    }

    /// Moves the cursor: back by backspaces, forward by sending what is there again.
    fn move_to(&mut self, target: usize, send: &mut dyn FnMut(&str)) {
        let target = target.min(self.line.len);
        if target < self.cursor {
            repeat("\u{8}", self.cursor - target, send);
        } else {
            send(&self.line.text()[self.cursor..target]);
        }
        self.cursor = target;
    }

    fn insert(&mut self, byte: u8, send: &mut dyn FnMut(&str)) {
        if self.line.len == MAX_LINE {
            // Bell: there is no room.
            send("\u{7}");
            return;
        }
        self.line.bytes.copy_within(self.cursor..self.line.len, self.cursor + 1);
        self.line.bytes[self.cursor] = byte;
        self.line.len += 1;
        send(self.line.from(self.cursor));
        self.cursor += 1;
        repeat("\u{8}", self.line.len - self.cursor, send);
    }

    /// Takes out what is between two places and shows the rest moved up, with blanks where it ended before.
    fn delete(&mut self, start: usize, end: usize, send: &mut dyn FnMut(&str)) {
        let end = end.min(self.line.len);
        if start >= end {
            return;
        }
        self.move_to(start, send);
        self.line.bytes.copy_within(end..self.line.len, start);
        self.line.len -= end - start;
        send(self.line.from(start));
        repeat(" ", end - start, send);
        repeat("\u{8}", end - start + self.line.len - start, send);
    }

    /// Shows the line that is so many lines back.
    fn recall(&mut self, back: usize, send: &mut dyn FnMut(&str)) {
        if back > self.stored || back == self.back {
            return;
        }
        if self.back == 0 {
            self.draft = self.line;
        }
        self.delete(0, self.line.len, send);
        self.line = if back == 0 { self.draft } else { self.history[(self.next + HISTORY - back) % HISTORY] };
        self.cursor = self.line.len;
        self.back = back;
        send(self.line.text());
    }
}

fn repeat(text: &str, times: usize, send: &mut dyn FnMut(&str)) {
    for _ in 0..times {
        send(text);
    }
}

#[cfg(test)]
mod tests;

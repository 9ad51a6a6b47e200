//! Types keys and looks at the line, and at what a terminal would show.

extern crate std;
use super::{Edited, HISTORY, LineEditor, MAX_LINE};
use std::string::{String, ToString};
use std::vec::Vec;

/// An editor and a terminal that knows what the editor may send.
struct Session {
    editor: LineEditor,
    screen: Vec<char>,
    column: usize,
    entered: Vec<String>,
}

impl Session {
    fn new() -> Self {
        Self { editor: LineEditor::new(), screen: Vec::new(), column: 0, entered: Vec::new() }
    }

    /// Types, and checks after each key that the screen shows the line with the cursor where the editor has it.
    fn keys(mut self, keys: &str) -> Self {
        for byte in keys.bytes() {
            let (screen, column) = (&mut self.screen, &mut self.column);
            let edited = self.editor.key(byte, |text| {
                for c in text.chars() {
                    match c {
                        '\u{8}' => *column -= 1,
                        '\u{7}' => {}
                        c => {
                            screen.resize(screen.len().max(*column + 1), ' ');
                            screen[*column] = c;
                            *column += 1;
                        }
                    }
                }
            });
            if edited != Edited::Going {
                if edited == Edited::Line {
                    self.entered.push(self.editor.line().to_string());
                    self.editor.next();
                }
                (self.screen, self.column) = (Vec::new(), 0);
            }
            let shown: String = self.screen.iter().collect();
            assert_eq!(shown.trim_end(), self.editor.line().trim_end(), "after {keys:?}");
            assert_eq!(self.column, self.editor.cursor, "after {keys:?}");
        }
        self
    }
}

#[track_caller]
fn check(keys: &str, line: &str) {
    assert_eq!(Session::new().keys(keys).editor.line(), line, "{keys:?}");
}

/// Goal: each editing key does what it does in a Unix shell. Method: keys in, line and screen out.
#[test]
fn editing_keys() {
    check("abc", "abc");
    check("abc\x7f\x08", "a");
    check("ac\x1b[Db", "abc");
    check("bc\x1b[Ha\x1b[Fd", "abcd");
    check("bc\x01a\x05d", "abcd");
    check("bc\x1b[1~a\x1b[4~d", "abcd");
    check("abxc\x1b[D\x1b[D\x1b[3~", "abc");
    check("abc\x02\x02\x04", "ac");
    check("abc\x01\x06X", "aXbc");
    check("one two\x17", "one ");
    check("one two  \x17x", "one x");
    check("one two\x1b[D\x15", "o");
    check("one two\x01\x06\x0b", "o");
    check("ab\x1bOD\x1bOCc", "abc");
    check("ab\x1b[1;5Dc", "acb");
}

/// Goal: the ends of the line, of an empty line and odd bytes do no harm. Method: one key too many each.
#[test]
fn ends() {
    check("\x7f\x04\x15\x17\x0b\x1b[D\x1b[C\x1b[3~\x1b[A\x1b[B", "");
    check("a\x1b[C\x1b[C\x04b", "ab");
    check("a\x1bxb\x1b[99~c\x00\x1f", "abc");
    let full: String = core::iter::repeat_n('x', MAX_LINE + 5).collect();
    check(&full, &full[..MAX_LINE]);
    let bytes = [0x80, 0xff, 0xc3, 0xa4];
    let mut editor = LineEditor::new();
    for byte in bytes {
        editor.key(byte, |_| {});
    }
    assert_eq!(editor.line(), "");
}

/// Goal: Enter gives the line once, whatever the terminal sends for it; Ctrl-C gives it up. Method: all three forms.
#[test]
fn enter_and_give_up() {
    let session = Session::new().keys("one\r\ntwo\nthree\rx\x03four\r\n");
    assert_eq!(session.entered, ["one", "two", "three", "four"]);
}

/// Goal: history goes back and forth and keeps what was being typed. Method: cursor up and down.
#[test]
fn history() {
    let session = Session::new().keys("one\rtwo\rtwo\r\rdraft\x1b[A");
    assert_eq!(session.editor.line(), "two");
    let session = session.keys("\x1b[A");
    assert_eq!(session.editor.line(), "one");
    let session = session.keys("\x1b[A\x10");
    assert_eq!(session.editor.line(), "one");
    let session = session.keys("\x0e\x1b[B");
    assert_eq!(session.editor.line(), "draft");
    let session = session.keys("\x1b[A\x7fX\r");
    assert_eq!(session.entered.last().map(String::as_str), Some("twX"));
}

/// Goal: the oldest lines make room for new ones. Method: more lines than are kept.
#[test]
fn history_is_bounded() {
    let mut session = Session::new();
    for number in 0..HISTORY + 3 {
        session = session.keys(&std::format!("line {number}\r"));
    }
    for _ in 0..HISTORY + 3 {
        session = session.keys("\x1b[A");
    }
    assert_eq!(session.editor.line(), "line 3");
}

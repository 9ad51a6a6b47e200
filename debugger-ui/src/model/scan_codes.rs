//! Keys of a US keyboard as a PS/2 keyboard sends them: scan codes of set 2, pressed and released at once. IBM PS/2 Technical
//! Reference, "Keyboard Scan Codes".

/// A key that makes no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Enter.
    Enter,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// Esc.
    Escape,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page Up.
    PageUp,
    /// Page Down.
    PageDown,
    /// Ins.
    Insert,
    /// Del.
    Delete,
}

const RELEASED: u8 = 0xf0;
const EXTENDED: u8 = 0xe0;
const SHIFT: u8 = 0x12;
const CONTROL: u8 = 0x14;

/// Characters of keys, without and with Shift, and the key's code.
const KEYS: [(&str, &str, &[u8]); 5] = [
    ("`1234567890-=", "~!@#$%^&*()_+", &[0x0e, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55]),
    (
        "qwertyuiop[]\\",
        "QWERTYUIOP{}|",
        &[0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5d],
    ),
    ("asdfghjkl;'", "ASDFGHJKL:\"", &[0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52]),
    ("zxcvbnm,./", "ZXCVBNM<>?", &[0x1a, 0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a]),
    (" ", "", &[0x29]),
];

/// A character; empty where a US keyboard has no key for it.
pub fn character(character: char) -> Vec<u8> {
    match key_of(character) {
        Some((code, false)) => press(&[code]),
        Some((code, true)) => held(SHIFT, code),
        None => Vec::new(),
    }
}

/// A character's key with Ctrl; empty where there is none.
pub fn with_control(character: char) -> Vec<u8> {
    key_of(character).map(|(code, _)| held(CONTROL, code)).unwrap_or_default()
}

/// A key that makes no character.
pub fn named(key: Named) -> Vec<u8> {
    let (extended, code) = match key {
        Named::Enter => (false, 0x5a),
        Named::Backspace => (false, 0x66),
        Named::Tab => (false, 0x0d),
        Named::Escape => (false, 0x76),
        Named::Up => (true, 0x75),
        Named::Down => (true, 0x72),
        Named::Left => (true, 0x6b),
        Named::Right => (true, 0x74),
        Named::Home => (true, 0x6c),
        Named::End => (true, 0x69),
        Named::PageUp => (true, 0x7d),
        Named::PageDown => (true, 0x7a),
        Named::Insert => (true, 0x70),
        Named::Delete => (true, 0x71),
    };
    if extended { vec![EXTENDED, code, EXTENDED, RELEASED, code] } else { press(&[code]) }
}

fn key_of(character: char) -> Option<(u8, bool)> {
    KEYS.iter().find_map(|(plain, shifted, codes)| {
        let at = |text: &str| text.chars().position(|known| known == character);
        let key = |shift: bool| move |at: usize| (codes[at], shift);
        at(plain).map(key(false)).or_else(|| at(shifted).map(key(true)))
    })
}

fn press(codes: &[u8]) -> Vec<u8> {
    codes.iter().copied().chain(codes.iter().rev().flat_map(|code| [RELEASED, *code])).collect()
}

/// A key while another is held down.
fn held(holder: u8, code: u8) -> Vec<u8> {
    press(&[holder, code])
}

#[cfg(test)]
mod tests {
    use super::*;
    use pc_keyboard::layouts::Us104Key;
    use pc_keyboard::{DecodedKey, HandleControl, KeyCode, PS2Keyboard, ScancodeSet2};

    fn read(codes: &[u8]) -> Vec<DecodedKey> {
        let mut keyboard = PS2Keyboard::new(ScancodeSet2::new(), Us104Key, HandleControl::MapLettersToUnicode);
        let event = |code: &u8| keyboard.add_byte(*code).expect("a code of set 2");
        let events: Vec<_> = codes.iter().filter_map(event).collect();
        let keys = events.into_iter().filter_map(|event| keyboard.process_keyevent(event));
        let holds = |key: &DecodedKey| matches!(key, DecodedKey::RawKey(KeyCode::LShift | KeyCode::LControl));
        keys.filter(|key| !holds(key)).collect()
    }

    /// Goal: each character that a US keyboard has is typed by its key. Method: a library that reads scan codes as a kernel does.
    #[test]
    fn characters() {
        for code in b' '..=b'~' {
            let typed = read(&character(code.into()));
            assert_eq!(typed, [DecodedKey::Unicode(code.into())], "{}", code as char);
        }
        assert_eq!(read(&with_control('c')), [DecodedKey::Unicode('\u{3}')]);
        assert!(character('é').is_empty());
    }

    /// Goal: keys without a character are the library's of that name, pressed once. Method: each.
    #[test]
    fn named_keys() {
        let raw = [
            (Named::Up, KeyCode::ArrowUp),
            (Named::Down, KeyCode::ArrowDown),
            (Named::Left, KeyCode::ArrowLeft),
            (Named::Right, KeyCode::ArrowRight),
            (Named::Home, KeyCode::Home),
            (Named::End, KeyCode::End),
            (Named::PageUp, KeyCode::PageUp),
            (Named::PageDown, KeyCode::PageDown),
            (Named::Insert, KeyCode::Insert),
        ];
        for (key, code) in raw {
            assert_eq!(read(&named(key)), [DecodedKey::RawKey(code)], "{key:?}");
        }
        for (key, character) in [
            (Named::Enter, '\n'),
            (Named::Backspace, '\u{8}'),
            (Named::Tab, '\t'),
            (Named::Escape, '\u{1b}'),
            (Named::Delete, '\u{7f}'),
        ] {
            assert_eq!(read(&named(key)), [DecodedKey::Unicode(character)], "{key:?}");
        }
    }
}

//! Keys on their way from the keyboard to its controller: scan codes of set 2, and what they are in set 1.

use std::collections::VecDeque;

/// In set 2, before the code of a key that is released.
const RELEASED: u8 = 0xf0;
/// Bytes that wait at most: more than anybody types ahead.
const MOST: usize = 1024;

/// Scan codes of set 2 as set 1 has them, by number; above them nothing changes. IBM PS/2 Technical Reference, "Keyboard
/// Scan Codes".
#[rustfmt::skip]
const SET_1: [u8; 0x85] = [
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54,
];

/// What was pressed and not sent yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    waiting: VecDeque<u8>,
    /// [`RELEASED`] has gone by, and the code that it belongs to has not.
    released: bool,
    /// The keyboard was told to send none.
    pub silent: bool,
}

impl Keys {
    /// Keys are pressed and released: scan codes of set 2. What does not fit is lost.
    pub fn press(&mut self, codes: &[u8]) {
        let room = MOST.saturating_sub(self.waiting.len());
        self.waiting.extend(codes.iter().take(room));
    }

    /// The next byte, of set 1 or of set 2. None: there is none, or none is to be sent.
    pub fn next(&mut self, set_1: bool) -> Option<u8> {
        if self.silent {
            return None;
        }
        loop {
            let code = self.waiting.pop_front()?;
            if !set_1 {
                return Some(code);
            }
            if code == RELEASED {
                self.released = true;
                continue;
            }
            let released = if std::mem::take(&mut self.released) { 0x80 } else { 0 };
            return Some(SET_1.get(usize::from(code)).copied().unwrap_or(code) | released);
        }
    }

    /// As after the keyboard's reset.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// For the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from(self.silent) | u64::from(self.released) << 1 | (self.waiting.len() as u64) << 2);
        self.waiting.iter().for_each(|&byte| put(byte.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the table says of every key what others say. Method: a library that reads both sets, which must find the same key.
    #[test]
    fn translation() {
        use pc_keyboard::{ScancodeSet, ScancodeSet1, ScancodeSet2};
        let mut keys = 0;
        for prefix in [None, Some(0xe0)] {
            for code in 0..0x84 {
                let (mut one, mut two) = (ScancodeSet1::new(), ScancodeSet2::new());
                if let Some(prefix) = prefix {
                    assert!(one.advance_state(prefix).is_ok() && two.advance_state(prefix).is_ok());
                }
                let key =
                    |event: Result<Option<pc_keyboard::KeyEvent>, _>| event.ok().flatten().map(|event| event.code);
                let Some(known) = key(two.advance_state(code)) else { continue };
                if let Some(same) = key(one.advance_state(SET_1[usize::from(code)])) {
                    assert_eq!(same, known, "{prefix:x?} {code:#x}");
                    keys += 1;
                }
            }
        }
        assert!(keys > 100, "{keys}");
    }
}

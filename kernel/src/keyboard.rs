//! The PS/2 keyboard: what its bytes mean for the shell, which knows the bytes of a terminal. US layout.
//!
//! [`crate::arch::i8042`] brings the bytes, [`crate::smp::irq`] the interrupt; what is typed goes where the serial line's
//! bytes go.

use crate::arch::i8042;
use crate::console;
use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{DecodedKey, HandleControl, KeyCode, PS2Keyboard, ScancodeSet1};
use spin::Mutex;

static KEYBOARD: Mutex<Decoder> = Mutex::new(Decoder::new());

/// The keyboard's interrupt: takes what was typed.
pub fn on_interrupt() {
    let mut decoder = KEYBOARD.lock();
    while let Some(byte) = i8042::read() {
        decoder.take(byte, console::type_byte);
    }
}

/// Scan codes of set 1 in, a terminal's bytes out.
struct Decoder(PS2Keyboard<Us104Key, ScancodeSet1>);

impl Decoder {
    const fn new() -> Self {
        Self(PS2Keyboard::new(ScancodeSet1::new(), Us104Key, HandleControl::MapLettersToUnicode))
    }

    fn take(&mut self, byte: u8, send: impl FnMut(u8)) {
        // A byte that no key has: nothing is typed.
        let Ok(Some(event)) = self.0.add_byte(byte) else { return };
        let Some(key) = self.0.process_keyevent(event) else { return };
        let mut letter = [0];
        bytes(key, &mut letter).iter().copied().for_each(send);
    }
}

/// What a terminal sends for a key: a letter as it is, other keys as ESC [ and what follows.
fn bytes(key: DecodedKey, letter: &mut [u8; 1]) -> &[u8] {
    match key {
        DecodedKey::Unicode('\u{7f}') | DecodedKey::RawKey(KeyCode::Delete) => b"\x1b[3~",
        DecodedKey::Unicode(c) if c.is_ascii() => {
            *letter = [c as u8];
            letter
        }
        DecodedKey::RawKey(code) => match code {
            KeyCode::ArrowUp => b"\x1b[A",
            KeyCode::ArrowDown => b"\x1b[B",
            KeyCode::ArrowRight => b"\x1b[C",
            KeyCode::ArrowLeft => b"\x1b[D",
            KeyCode::Home => b"\x1b[H",
            KeyCode::End => b"\x1b[F",
            _ => b"",
        },
        DecodedKey::Unicode(_) => b"",
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn typed(scan_codes: &[u8]) -> Vec<u8> {
        let (mut decoder, mut bytes) = (Decoder::new(), Vec::new());
        scan_codes.iter().for_each(|byte| decoder.take(*byte, |typed| bytes.push(typed)));
        bytes
    }

    /// Goal: keys give a terminal's bytes, and releasing them gives none. Method: scan codes as a PC's keyboard sends them.
    #[test]
    fn keys() {
        assert_eq!(typed(&[0x23, 0xa3, 0x12, 0x92]), b"he");
        assert_eq!(typed(&[0x2a, 0x23, 0xa3, 0x02, 0x82, 0xaa, 0x23]), b"H!h", "Shift, and Shift released");
        assert_eq!(typed(&[0x1c, 0x9c]), b"\n");
        assert_eq!(typed(&[0x0e, 0x8e]), b"\x08");
        assert_eq!(typed(&[0x1d, 0x2e, 0xae, 0x9d]), b"\x03", "Ctrl-C");
        assert_eq!(typed(&[0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x4b, 0xe0, 0x53]), b"\x1b[A\x1b[D\x1b[3~");
        assert_eq!(typed(&[0x3b, 0xbb, 0x38, 0xb8, 0x3a]), b"", "F1, Alt and Caps Lock type nothing");
        assert_eq!(typed(&[0xff, 0x00, 0x54, 0x23]).last(), Some(&b'h'), "nonsense is not the end");
    }
}

//! The keyboard controller of a PC and the keyboard on its first port (IBM PS/2 Hardware Interface Technical Reference,
//! "Keyboard and Auxiliary Device Controller"). What a byte from it means is in [`crate::keyboard`].

use super::port;
use crate::time;

const DATA: u16 = 0x60;
/// Status when read, commands when written.
const STATUS: u16 = 0x64;

/// Status: a byte waits at [`DATA`].
const OUTPUT_FULL: u8 = 1 << 0;
/// Status: the last byte written was not taken yet.
const INPUT_FULL: u8 = 1 << 1;
/// Status: the byte that waits is from the mouse's port.
const FROM_MOUSE: u8 = 1 << 5;
/// What is read where there is no device.
const NOTHING: u8 = 0xff;

const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
const DISABLE_MOUSE: u8 = 0xa7;
const DISABLE_KEYBOARD: u8 = 0xad;
const ENABLE_KEYBOARD: u8 = 0xae;

/// Configuration: a byte from the keyboard interrupts (IRQ 1).
const KEYBOARD_INTERRUPT: u8 = 1 << 0;
/// Configuration: the same for the mouse (IRQ 12).
const MOUSE_INTERRUPT: u8 = 1 << 1;
/// Configuration: the keyboard's clock is held.
const KEYBOARD_OFF: u8 = 1 << 4;
/// Configuration: scan codes come as those of the first PC's keyboard, set 1.
const TRANSLATION: u8 = 1 << 6;

/// To the keyboard: send scan codes. It answers [`ACKNOWLEDGE`].
const ENABLE_SCANNING: u8 = 0xf4;
const ACKNOWLEDGE: u8 = 0xfa;

/// How long controller and keyboard may take for a byte.
const ANSWER_US: u64 = 2_000;
/// More bytes than any controller keeps.
const MAX_WAITING: usize = 32;

/// Sets the controller up for a keyboard that interrupts and speaks scan code set 1. False: there is no controller, or no
/// keyboard answers; then nothing will come.
pub fn init() -> bool {
    if port::read(STATUS) == NOTHING {
        return false;
    }
    // Nothing may come in between.
    command(DISABLE_KEYBOARD);
    command(DISABLE_MOUSE);
    drop_waiting();
    command(READ_CONFIGURATION);
    let Some(configuration) = answer() else { return false };
    command(WRITE_CONFIGURATION);
    write(configuration & !(MOUSE_INTERRUPT | KEYBOARD_OFF) | KEYBOARD_INTERRUPT | TRANSLATION);
    command(ENABLE_KEYBOARD);
    write(ENABLE_SCANNING);
    // A key that is held down may come first.
    (0..MAX_WAITING).map_while(|_| answer()).any(|byte| byte == ACKNOWLEDGE)
}

/// The next byte from the keyboard, if one has come.
pub fn read() -> Option<u8> {
    for _ in 0..MAX_WAITING {
        let status = port::read(STATUS);
        if status == NOTHING || status & OUTPUT_FULL == 0 {
            return None;
        }
        let byte = port::read(DATA);
        if status & FROM_MOUSE == 0 {
            return Some(byte);
        }
    }
    None
}

fn command(command: u8) {
    time::wait_for(ANSWER_US, || port::read(STATUS) & INPUT_FULL == 0);
    port::write(STATUS, command);
}

fn write(byte: u8) {
    time::wait_for(ANSWER_US, || port::read(STATUS) & INPUT_FULL == 0);
    port::write(DATA, byte);
}

fn answer() -> Option<u8> {
    time::wait_for(ANSWER_US, || port::read(STATUS) & OUTPUT_FULL != 0).then(|| port::read(DATA))
}

fn drop_waiting() {
    let waits = || port::read(STATUS) & OUTPUT_FULL != 0;
    // What is read is of no use.
    (0..MAX_WAITING).take_while(|_| waits()).for_each(|_| {
        port::read(DATA);
    });
}

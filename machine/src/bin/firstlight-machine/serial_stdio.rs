//! `--serial stdio`: the terminal in raw mode, so that every key reaches the guest; or pipes, as they are.
//!
//! Raw mode is put back when [`Terminal`] is dropped, by a panic hook, and before a signal ends the program, since a
//! terminal left raw is of no use.

use machine::server::{SerialInput, platform};
use std::io::{IsTerminal, Read, Write};

/// Ctrl-A: the next key is for this program.
const ESCAPE: u8 = 0x01;

/// The terminal, raw while this lives; or no terminal at all.
#[derive(Debug)]
pub struct Terminal {
    raw: bool,
}

impl Terminal {
    /// Takes the terminal, if standard input is one.
    ///
    /// # Errors
    /// In words: the terminal cannot be put in raw mode.
    pub fn take() -> Result<Self, String> {
        let raw = std::io::stdin().is_terminal();
        if raw {
            crossterm::terminal::enable_raw_mode()
                .map_err(|error| format!("the terminal cannot be put in raw mode: {error}: use --serial null"))?;
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // A terminal that cannot be put back cannot be helped, and the panic is what matters.
                let _ = crossterm::terminal::disable_raw_mode();
                usual(panic);
            }));
            restore_on_signals()?;
        }
        Ok(Self { raw })
    }

    /// Whether output needs carriage returns.
    pub fn is_raw(&self) -> bool {
        self.raw
    }
}

/// A signal that ends the program does so after the terminal was put back, and with the status that it always has.
#[cfg(unix)]
fn restore_on_signals() -> Result<(), String> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])
        .map_err(|error| format!("signals cannot be caught: {error}"))?;
    let run = move || {
        if let Some(signal) = signals.forever().next() {
            let _ = crossterm::terminal::disable_raw_mode();
            // It ends the program; were it to fail, there is no caller to tell.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    platform::spawn("signals", run).map(drop)
}

/// Elsewhere the system ends programs without asking them.
#[cfg(not(unix))]
fn restore_on_signals() -> Result<(), String> {
    Ok(())
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.raw {
            // As above: nothing could be done.
            let _ = crossterm::terminal::disable_raw_mode();
        }
    }
}

/// What keys mean.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
}

/// Bytes for the guest, and whether the user quits.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    bytes: Vec<u8>,
    quit: bool,
}

impl Keys {
    fn typed(&mut self, bytes: &[u8]) -> Typed {
        let mut typed = Typed::default();
        for &byte in bytes {
            match (std::mem::take(&mut self.escaped), byte) {
                (true, b'x') => {
                    typed.quit = true;
                    break;
                }
                (false, ESCAPE) => self.escaped = true,
                (_, byte) => typed.bytes.push(byte),
            }
        }
        typed
    }
}

/// Starts the thread that reads standard input. At a terminal Ctrl-A is the escape; from a pipe all bytes are data.
///
/// # Errors
/// In words: no thread.
pub fn read(input: SerialInput, at_terminal: bool) -> Result<(), String> {
    let run = move || {
        let mut keys = Keys::default();
        let mut buffer = [0; 4096];
        let mut stdin = std::io::stdin();
        while let Ok(count @ 1..) = stdin.read(&mut buffer) {
            let typed = if at_terminal {
                keys.typed(&buffer[..count])
            } else {
                Typed { bytes: buffer[..count].to_vec(), quit: false }
            };
            if !typed.bytes.is_empty() && !input.send(&typed.bytes) {
                return;
            }
            if typed.quit {
                return input.quit();
            }
        }
        input.close();
    };
    platform::spawn("serial-input", run).map(drop)
}

/// Standard output for the guest's bytes: in raw mode a line feed alone would only go down.
#[derive(Debug)]
pub struct Output {
    raw: bool,
    last: u8,
}

impl Output {
    /// For a terminal in raw mode, or not.
    pub fn new(raw: bool) -> Self {
        Self { raw, last: 0 }
    }

    /// Writes and flushes.
    ///
    /// # Errors
    /// Nobody takes the bytes.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.raw {
            out.write_all(&self.returned(bytes))?
        } else {
            out.write_all(bytes)?
        }
        out.flush()
    }

    fn returned(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = Vec::with_capacity(bytes.len() + 8);
        for &byte in bytes {
            if byte == b'\n' && self.last != b'\r' {
                all.push(b'\r');
            }
            all.push(byte);
            self.last = byte;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: Ctrl-C goes to the guest, Ctrl-A x quits, Ctrl-A Ctrl-A is Ctrl-A; method: keys in one and in two reads.
    #[test]
    fn keys() {
        let mut keys = Keys::default();
        assert_eq!(keys.typed(b"a\x03\x01\x01"), Typed { bytes: b"a\x03\x01".to_vec(), quit: false });
        assert_eq!(keys.typed(b"b\x01"), Typed { bytes: b"b".to_vec(), quit: false });
        assert_eq!(keys.typed(b"xc"), Typed { bytes: vec![], quit: true });
    }

    /// Goal: lines begin at the left in raw mode, once; method: a lone line feed, and CR LF over two writes.
    #[test]
    fn carriage_returns() {
        let mut output = Output::new(true);
        assert_eq!(output.returned(b"a\nb\r"), b"a\r\nb\r");
        assert_eq!(output.returned(b"\nc"), b"\nc");
    }
}

//! A connection as bytes with time-outs, whatever carries them: a socket, or a pipe inside this process.

use crate::platform;
use std::fmt;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes read at once.
const CHUNK: usize = 1 << 16;
/// Chunks read ahead.
const AHEAD: usize = 64;

/// What waiting for bytes brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes.
    Bytes(Vec<u8>),
    /// None in that time.
    Nothing,
    /// The other end has ended the connection.
    Closed,
}

/// A connection. A thread reads from it, since not every carrier has time-outs.
pub struct Transport {
    bytes: Receiver<Vec<u8>>,
    writer: Box<dyn Write + Send>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    /// A connection over these two directions.
    pub fn new(mut reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Result<Self, String> {
        let (sender, bytes) = sync_channel(AHEAD);
        let reads = move || {
            let mut chunk = vec![0; CHUNK];
            while let Ok(len @ 1..) = reader.read(&mut chunk) {
                let Some(read) = chunk.get(..len) else { return };
                if sender.send(read.to_vec()).is_err() {
                    return;
                }
            }
        };
        platform::spawn("session-reader", reads).map_err(|error| format!("A thread cannot be started: {error}"))?;
        Ok(Self { bytes, writer: Box::new(writer) })
    }

    /// Waits for bytes.
    pub fn receive(&self, patience: Duration) -> Received {
        match self.bytes.recv_timeout(patience) {
            Ok(bytes) => Received::Bytes(bytes),
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::Closed,
        }
    }

    /// Sends bytes. False: the other end has ended the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).and_then(|()| self.writer.flush()).is_ok()
    }
}

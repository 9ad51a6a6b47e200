//! An in-process connection: two one-way byte pipes that carry the very same RSP bytes as a socket would.
//!
//! The client's end is an ordinary `Read` and `Write` ([`connect`]); the server's end is a [`PipeWriter`] for answers,
//! while the client's writes go straight into the driver's mailbox, without a thread in between.

use super::mail::{ClientId, Mail, Post};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A client that does not read while this much waits for it has lost the connection.
const MAX_WAITING_BYTES: usize = 256 << 20;

/// What a client reads from and writes to.
pub type Ends = (Box<dyn Read + Send>, Box<dyn Write + Send>);

#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn close(&self) {
        // A poisoned lock guards plain bytes: they are as good as before.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}

/// The end that puts bytes in. Dropping it ends the stream.
#[derive(Debug)]
pub struct PipeWriter(Arc<Shared>);

/// The end that takes bytes out; it waits while there are none.
#[derive(Debug)]
pub struct PipeReader(Arc<Shared>);

/// A pipe.
pub fn pipe() -> (PipeWriter, PipeReader) {
    let shared = Arc::new(Shared::default());
    (PipeWriter(shared.clone()), PipeReader(shared))
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.closed {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the other end is gone"));
        }
        if queue.bytes.len() + bytes.len() > MAX_WAITING_BYTES {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the client does not read its answers"));
        }
        queue.bytes.extend(bytes);
        self.0.changed.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.bytes.is_empty() && !queue.closed {
            queue = self.0.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.bytes.read(buffer)
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The client's writing end: bytes become mail for the driver.
#[derive(Debug)]
struct MailWriter {
    client: ClientId,
    driver: Post,
}

impl Write for MailWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.driver
            .send(Mail::Bytes(self.client, bytes.to_vec()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the server has ended"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for MailWriter {
    fn drop(&mut self) {
        // The driver may be gone already; then nobody has to be told.
        let _ = self.driver.send(Mail::Gone(self.client));
    }
}

/// Makes a connection to the driver behind this mailbox. If the driver has ended, the reading end ends at once.
pub fn connect(driver: &Post) -> Ends {
    let (answers, reader) = pipe();
    let client = ClientId::next();
    // On failure the writer that comes back is dropped, which ends the stream: just what the client should see.
    let _ = driver.send(Mail::Connected(client, Box::new(answers)));
    (Box::new(reader), Box::new(MailWriter { client, driver: driver.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: bytes arrive in order and the end is seen; method: write from another thread, read all here.
    #[test]
    fn carries_bytes_until_dropped() {
        let (mut writer, mut reader) = pipe();
        let thread = std::thread::spawn(move || {
            writer.write_all(b"$qSupported").unwrap();
            writer.write_all(b"#37").unwrap();
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        thread.join().unwrap();
        assert_eq!(all, b"$qSupported#37");
    }

    /// Goal: a writer learns that nobody reads any more; method: drop the reader, write.
    #[test]
    fn writer_sees_the_reader_go() {
        let (mut writer, reader) = pipe();
        drop(reader);
        assert_eq!(writer.write_all(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

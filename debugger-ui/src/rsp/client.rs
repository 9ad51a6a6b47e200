//! Keeps acknowledgements right: one packet under way at a time, sent again when the other end asks for it.

use super::codec::{Decoder, Frame, encode};
use std::collections::VecDeque;
use std::fmt;

/// How often a packet is sent before the connection counts as broken.
const TRIES: u32 = 4;
/// Bytes outside packets after which the other end is no gdb server.
const GARBAGE: usize = 256;

/// What can be wrong with a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RspError {
    /// Bytes that are no RSP.
    NotRsp(Vec<u8>),
    /// A packet was damaged again and again.
    Damaged,
    /// A packet that does not end.
    TooLong,
}

impl fmt::Display for RspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRsp(bytes) => {
                let start: Vec<u8> = bytes.iter().take(24).copied().collect();
                let shown = start.escape_ascii();
                write!(f, "the other end does not speak gdb's remote protocol: it sent \"{shown}\"")
            }
            Self::Damaged => write!(f, "packets arrive damaged again and again"),
            Self::TooLong => write!(f, "the other end sent a packet that does not end"),
        }
    }
}

impl std::error::Error for RspError {}

/// One end of a connection, without the connection.
#[derive(Debug)]
pub struct Client {
    decoder: Decoder,
    acks: bool,
    /// Sent and not acknowledged, with the number of times it was sent.
    under_way: Option<(Vec<u8>, u32)>,
    output: Vec<u8>,
    replies: VecDeque<Vec<u8>>,
    garbage: Vec<u8>,
    damaged: u32,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            acks: true,
            under_way: None,
            output: Vec::new(),
            replies: VecDeque::new(),
            garbage: Vec::new(),
            damaged: 0,
        }
    }
}

impl Client {
    /// Sends a packet.
    pub fn send(&mut self, payload: &[u8]) {
        let bytes = encode(payload);
        self.output.extend_from_slice(&bytes);
        if self.acks {
            self.under_way = Some((bytes, 1));
        }
    }

    /// Sends an interruption: ^C, outside any packet.
    pub fn interrupt(&mut self) {
        self.output.push(0x03);
    }

    /// Both ends have agreed to send no acknowledgements.
    pub fn stop_acks(&mut self) {
        self.acks = false;
        self.under_way = None;
    }

    /// Takes in bytes that arrived.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), RspError> {
        for byte in bytes {
            if let Some(frame) = self.decoder.push(*byte) {
                self.frame(frame)?;
            }
        }
        Ok(())
    }

    /// The next reply.
    pub fn reply(&mut self) -> Option<Vec<u8>> {
        self.replies.pop_front()
    }

    /// Bytes to send.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Bytes that came outside packets, for the words about a time-out.
    pub fn garbage(&self) -> Option<RspError> {
        (!self.garbage.is_empty()).then(|| RspError::NotRsp(self.garbage.clone()))
    }

    fn frame(&mut self, frame: Frame) -> Result<(), RspError> {
        match frame {
            Frame::Ack => self.under_way = None,
            Frame::Nak => {
                if let Some((bytes, tries)) = &mut self.under_way {
                    if *tries >= TRIES {
                        return Err(RspError::Damaged);
                    }
                    *tries += 1;
                    self.output.extend_from_slice(bytes);
                }
            }
            Frame::Packet(payload) => {
                self.garbage.clear();
                self.damaged = 0;
                if self.acks {
                    self.output.push(b'+');
                }
                self.replies.push_back(payload);
            }
            // Nothing is asked for that answers with notifications.
            Frame::Notification(_) => {}
            Frame::Damaged => {
                self.damaged += 1;
                if self.damaged >= TRIES || !self.acks {
                    return Err(RspError::Damaged);
                }
                self.output.push(b'-');
            }
            Frame::Garbage(byte) => {
                self.garbage.push(byte);
                if self.garbage.len() >= GARBAGE {
                    return Err(RspError::NotRsp(std::mem::take(&mut self.garbage)));
                }
            }
            Frame::TooLong => return Err(RspError::TooLong),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a damaged packet is asked for again, one that the other end lost is sent again; method: both in a row.
    #[test]
    fn again() {
        let mut client = Client::default();
        client.send(b"?");
        assert_eq!(client.take_output(), b"$?#3f");
        client.receive(b"-").unwrap();
        assert_eq!(client.take_output(), b"$?#3f");
        client.receive(b"+$S05#00").unwrap();
        assert_eq!(client.take_output(), b"-");
        client.receive(b"$S05#b8").unwrap();
        assert_eq!((client.take_output(), client.reply()), (b"+".to_vec(), Some(b"S05".to_vec())));
    }

    /// Goal: without acknowledgements none is sent; method: one reply.
    #[test]
    fn no_acks() {
        let mut client = Client::default();
        client.stop_acks();
        client.receive(b"$OK#9a").unwrap();
        assert_eq!((client.take_output(), client.reply()), (Vec::new(), Some(b"OK".to_vec())));
    }

    /// Goal: what is no RSP is said; method: a web server's greeting, endless damage.
    #[test]
    fn no_rsp() {
        let mut client = Client::default();
        let greeting = b"HTTP/1.1 400 Bad Request\r\n".repeat(20);
        assert!(client.receive(&greeting).unwrap_err().to_string().contains("HTTP/1.1 400"));
        let mut client = Client::default();
        assert_eq!(client.receive(&b"$OK#00".repeat(10)), Err(RspError::Damaged));
    }
}

//! A packet and its reply over a connection, and a vendor request and its answer in pages.

use super::transport::{Received, Transport};
use crate::platform::Moment;
use crate::rsp::client::{Client, RspError};
use crate::rsp::packet;
use protocol::request::{Answer, Request};
use protocol::wire;
use std::fmt;
use std::time::Duration;

/// How long a server may take for what is done at once.
pub const SHORT: Duration = Duration::from_secs(5);
/// How long it may take for what needs the machine to run: far jumps in time, a restart.
pub const LONG: Duration = Duration::from_secs(60);

/// Largest answer that is taken, in hex digits.
const MAX_ANSWER: usize = 256 << 20;

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// The other end ended it.
    Closed,
    /// No reply in time.
    TimedOut {
        /// What was asked.
        asked: String,
        /// How long was waited.
        seconds: u64,
        /// What came instead of a packet.
        instead: Option<RspError>,
    },
    /// What came makes no sense as RSP.
    Rsp(RspError),
    /// What came makes no sense as a vendor packet.
    Wire(String),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the server ended the connection"),
            Self::TimedOut { instead: Some(instead), .. } => write!(f, "{instead}"),
            Self::TimedOut { asked, seconds, instead: None } => {
                let ask = if asked == "qSupported" { ": is it a gdb server?" } else { "" };
                write!(f, "the server did not answer {asked} within {seconds} s{ask}")
            }
            Self::Rsp(error) => write!(f, "{error}"),
            Self::Wire(what) => write!(f, "the server's answer makes no sense: {what}"),
        }
    }
}

impl std::error::Error for LinkError {}

/// A connection on which packets are exchanged.
#[derive(Debug)]
pub struct Exchange {
    transport: Transport,
    client: Client,
}

impl Exchange {
    /// Speaks RSP over a connection.
    pub fn new(transport: Transport) -> Self {
        Self { transport, client: Client::default() }
    }

    /// Sends a packet and waits for its reply.
    pub fn call(&mut self, payload: &[u8], patience: Duration) -> Result<Vec<u8>, LinkError> {
        self.send(payload)?;
        match self.wait(patience)? {
            Some(reply) => Ok(reply),
            None => Err(LinkError::TimedOut {
                asked: name_of(payload),
                seconds: patience.as_secs(),
                instead: self.client.garbage(),
            }),
        }
    }

    /// Sends a packet.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), LinkError> {
        self.client.send(payload);
        self.flush()
    }

    /// Sends ^C.
    pub fn interrupt(&mut self) -> Result<(), LinkError> {
        self.client.interrupt();
        self.flush()
    }

    /// Waits for a reply. None: there is none yet.
    pub fn wait(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, LinkError> {
        let begun = Moment::now();
        loop {
            if let Some(reply) = self.client.reply() {
                return Ok(Some(reply));
            }
            let left = patience.saturating_sub(begun.elapsed());
            match self.transport.receive(left) {
                Received::Bytes(bytes) => {
                    self.client.receive(&bytes).map_err(LinkError::Rsp)?;
                    self.flush()?;
                }
                Received::Nothing => return Ok(None),
                Received::Closed => return Err(self.closed()),
            }
        }
    }

    /// What the server's monitor prints for a command (gdb: `monitor COMMAND`). None: it has no monitor, or not that
    /// command.
    pub fn monitor(&mut self, command: &str) -> Result<Option<String>, LinkError> {
        let packet = format!("qRcmd,{}", packet::to_hex(command.as_bytes()));
        let mut reply = self.call(packet.as_bytes(), SHORT)?;
        let mut text = Vec::new();
        // `O` and hex digits: text; `OK`: that was all.
        while reply != b"OK" {
            let Some(more) = reply.strip_prefix(b"O").and_then(packet::from_hex) else { return Ok(None) };
            text.extend(more);
            if text.len() > MAX_ANSWER {
                return Err(LinkError::Wire("its monitor's text is too long".to_owned()));
            }
            let asked = || LinkError::TimedOut { asked: "qRcmd".to_owned(), seconds: SHORT.as_secs(), instead: None };
            reply = self.wait(SHORT)?.ok_or_else(asked)?;
        }
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Agrees with the server to send no acknowledgements: the carrier loses nothing.
    pub fn stop_acks(&mut self) -> Result<(), LinkError> {
        if self.call(b"QStartNoAckMode", SHORT)? == b"OK" {
            self.client.stop_acks();
        }
        Ok(())
    }

    /// Asks a Firstlight server.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, LinkError> {
        let packet = wire::encode_request(request);
        let patience = if takes_long(request) { LONG } else { SHORT };
        let mut digits = Vec::new();
        let mut page = self.call(packet.as_bytes(), patience)?;
        loop {
            match page.split_first() {
                Some((b'l', last)) => {
                    digits.extend_from_slice(last);
                    break;
                }
                Some((b'm', more)) if digits.len() + more.len() <= MAX_ANSWER => digits.extend_from_slice(more),
                Some((b'm', _)) => return Err(LinkError::Wire("it is too long".to_owned())),
                Some((b'E', code)) => {
                    let code = String::from_utf8_lossy(code);
                    return Err(LinkError::Wire(format!("error {code} instead of an answer")));
                }
                _ => return Err(LinkError::Wire("it is no page of an answer".to_owned())),
            }
            page = self.call(wire::MORE.as_bytes(), SHORT)?;
        }
        wire::decode_answer(&digits).map_err(|error| LinkError::Wire(error.to_string()))
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let output = self.client.take_output();
        if output.is_empty() || self.transport.send(&output) { Ok(()) } else { Err(self.closed()) }
    }

    /// The other end has gone. What it sent before may tell that it was no gdb server at all.
    fn closed(&mut self) -> LinkError {
        while let Received::Bytes(bytes) = self.transport.receive(Duration::ZERO) {
            if let Err(error) = self.client.receive(&bytes) {
                return LinkError::Rsp(error);
            }
        }
        self.client.garbage().map_or(LinkError::Closed, LinkError::Rsp)
    }
}

fn takes_long(request: &Request) -> bool {
    matches!(
        request,
        Request::Advance(_)
            | Request::Seek { .. }
            | Request::Edit { .. }
            | Request::Undo { .. }
            | Request::Restart { .. }
            | Request::Reload
    )
}

/// The name of a packet, for words about it.
fn name_of(payload: &[u8]) -> String {
    let text: Vec<u8> = payload.iter().take(20).take_while(|byte| **byte != b':').copied().collect();
    text.escape_ascii().to_string()
}

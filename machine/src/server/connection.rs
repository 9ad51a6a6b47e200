//! One client: its filter, its gdbstub, and what it was sent last.

use super::mail::ClientId;
use super::private::Private;
use super::vendor::SentCache;
use crate::gdb::filter::{Filter, Incoming, MAX_STUB_BYTES, frame};
use crate::gdb::target::Target;
use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{GdbStub, MultiThreadStopReason};
use protocol::request::{Answer, Refusal, Request, VERSION};
use protocol::wire::{self, WireError};
use std::convert::Infallible;
use std::io::{self, Write};

type Stub = GdbStubStateMachine<'static, Target, Replies>;

/// Where gdbstub writes: a buffer, emptied after each packet.
#[derive(Debug, Default)]
struct Replies(Vec<u8>);

impl Connection for Replies {
    type Error = Infallible;

    fn write(&mut self, byte: u8) -> Result<(), Infallible> {
        self.0.push(byte);
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A client.
pub struct Client {
    /// Its number.
    pub id: ClientId,
    /// It speaks as gdb does: it holds the machine while it is attached.
    pub is_gdb: bool,
    /// It speaks in vendor requests.
    pub is_window: bool,
    /// What it was sent last, so that only changes go out.
    pub sent: SentCache,
    /// Its own copy of the machine, if it asked for one.
    pub private: Option<Private>,
    filter: Filter,
    stub: Option<Stub>,
    writer: Box<dyn Write + Send>,
    /// Framed bytes not yet written.
    out: Vec<u8>,
    /// The next packet is answered with this, and the session ends.
    farewell: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("is_gdb", &self.is_gdb).finish()
    }
}

/// How a packet left the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It goes on.
    Open,
    /// gdb detached, or killed what it takes for a process: both leave the machine as it is.
    Left,
}

impl Client {
    /// Over this connection. gdbstub's own acks are off from the start: the filter has them.
    pub fn new(id: ClientId, writer: Box<dyn Write + Send>, target: &mut Target) -> Self {
        let stub = GdbStub::builder(Replies::default())
            .packet_buffer_size(MAX_STUB_BYTES)
            .build()
            .ok()
            .and_then(|stub| stub.run_state_machine(target).ok());
        let mut client = Self {
            id,
            is_gdb: false,
            is_window: false,
            sent: SentCache::default(),
            private: None,
            filter: Filter::default(),
            stub,
            writer,
            out: Vec::new(),
            farewell: None,
        };
        // A fresh gdbstub takes this packet; a failure would show at the client's first one.
        let _ = client.stub_packet(target, b"QStartNoAckMode");
        client
    }

    /// Bytes to packets.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Incoming> {
        let items = self.filter.feed(bytes);
        self.is_gdb |= self.filter.is_gdb() || items.iter().any(drives_as_gdb);
        items
    }

    /// Hands a packet to gdbstub and takes its answers. `silent`: the answers are for nobody.
    ///
    /// # Errors
    /// In words: gdbstub could not go on; the session is over.
    pub fn packet(&mut self, target: &mut Target, body: &[u8], silent: bool) -> Result<Session, String> {
        let replies = self.stub_packet(target, body)?;
        if let Some(registers) = target.take_registers() {
            self.answer(&registers);
        } else if !silent {
            for reply in bodies(&replies) {
                let framed = self.filter.send(reply);
                self.out.extend_from_slice(&framed);
            }
        }
        Ok(if matches!(self.stub, Some(GdbStubStateMachine::Disconnected(_))) { Session::Left } else { Session::Open })
    }

    fn stub_packet(&mut self, target: &mut Target, body: &[u8]) -> Result<Vec<u8>, String> {
        let mut stub = self.stub.take().ok_or("the session is over")?;
        for byte in frame(body) {
            stub = match stub {
                GdbStubStateMachine::Idle(stub) => stub.incoming_data(target, byte),
                GdbStubStateMachine::Running(stub) => stub.incoming_data(target, byte),
                // ^C never gets here: the filter takes it.
                other => Ok(other),
            }
            .map_err(|error| format!("the packet {:?} ended the session: {error}", String::from_utf8_lossy(body)))?;
        }
        let replies = take_replies(&mut stub);
        self.stub = Some(stub);
        Ok(replies)
    }

    /// gdb waits for the machine to stop.
    pub fn is_running(&self) -> bool {
        matches!(self.stub, Some(GdbStubStateMachine::Running(_)))
    }

    /// Tells gdb of a stop, after what is to be said on its console.
    ///
    /// # Errors
    /// In words, as [`Client::packet`].
    pub fn stopped(&mut self, target: &mut Target, reason: MultiThreadStopReason<u64>) -> Result<(), String> {
        for line in std::mem::take(&mut target.said) {
            self.console(&line);
        }
        let Some(GdbStubStateMachine::Running(stub)) = self.stub.take() else { return Ok(()) };
        let mut stub =
            stub.report_stop(target, reason).map_err(|error| format!("the stop could not be told: {error}"))?;
        let replies = take_replies(&mut stub);
        self.stub = Some(stub);
        for reply in bodies(&replies) {
            let framed = self.filter.send(reply);
            self.out.extend_from_slice(&framed);
        }
        Ok(())
    }

    /// A line on gdb's console; gdb takes it only while it waits for a stop.
    fn console(&mut self, line: &str) {
        let hex: String = line.bytes().chain([b'\n']).map(|byte| format!("{byte:02x}")).collect();
        self.answer(format!("O{hex}").as_bytes());
    }

    /// Queues a packet for the client.
    pub fn answer(&mut self, body: &[u8]) {
        let framed = self.filter.send(body);
        self.out.extend_from_slice(&framed);
    }

    /// Queues bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Queues a vendor answer's first page.
    pub fn vendor_answer(&mut self, answer: &Answer) {
        let page = self.filter.first_page(&wire::encode_answer(answer));
        self.answer(&page);
    }

    /// The session shall end. gdb that waits for a stop is told at once that its program is gone, gdb at its prompt reads
    /// nothing until it asks again: the answer to that is the message, and then the end. True: it can end right now.
    pub fn end_with(&mut self, message: &str) -> bool {
        let waits = self.is_running();
        if waits {
            self.console(message);
            // "Terminated by SIGHUP": the line was hung up, nothing else fits better.
            self.answer(b"X01");
        } else {
            self.farewell = Some(message.to_owned());
        }
        waits
    }

    /// What an ended session's last packet is answered with.
    pub fn farewell(&self) -> Option<&str> {
        self.farewell.as_deref()
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// The client is gone or does not read.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        self.writer.write_all(&out)?;
        self.writer.flush()
    }
}

/// Packets that only a debugger of the standard protocol sends after the hand-shake, which our own programs share.
fn drives_as_gdb(item: &Incoming) -> bool {
    let Incoming::Packet(body) = item else { return false };
    !matches!(&body[..], [b'q', b'S', b'u', b'p', b'p', ..] | b"vMustReplyEmpty" | [b'q', b'X', b'f', b'e', b'r', ..])
}

fn take_replies(stub: &mut Stub) -> Vec<u8> {
    let replies = match stub {
        GdbStubStateMachine::Idle(stub) => stub.borrow_conn(),
        GdbStubStateMachine::Running(stub) => stub.borrow_conn(),
        GdbStubStateMachine::CtrlCInterrupt(stub) => stub.borrow_conn(),
        GdbStubStateMachine::Disconnected(stub) => stub.borrow_conn(),
    };
    std::mem::take(&mut replies.0)
}

/// The bodies of a row of packets as gdbstub writes them: no `#` in a body, acks in between at most.
fn bodies(replies: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = replies;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|&byte| byte == b'$')? + 1;
        let len = rest[start..].iter().position(|&byte| byte == b'#')?;
        let body = &rest[start..start + len];
        rest = rest.get(start + len + 3..).unwrap_or_default();
        Some(body)
    })
}

/// The request in a vendor packet, or why there is none.
///
/// # Errors
/// Another version, or nonsense.
pub fn checked(request: Result<Request, WireError>) -> Result<Request, Refusal> {
    request.map_err(|error| match error {
        WireError::Version(_) => Refusal::Version(VERSION),
        other => Refusal::Invalid(other.to_string()),
    })
}

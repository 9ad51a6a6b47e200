//! The packet filter in front of gdbstub: framing, acks, and the packets that gdbstub has no hook for. Sans-IO.
//!
//! Bytes from a client go into [`Filter::feed`], which yields [`Incoming`] in order; packets to the client go through
//! [`Filter::send`], which frames them, so that acks are in one place only (gdbstub itself runs without). A bad checksum
//! is asked for again, other garbage is skipped, and every size has a bound.
//!
//! Also here, because it is about what gdb means rather than what it says: before `bs` (reverse step) gdb sends `Hc0`,
//! "any thread". The filter makes that the thread that the user looks at, as far as packets tell.

use protocol::request::Request;
use protocol::wire::{self, WireError};
use std::collections::VecDeque;

/// Longest packet body, in bytes: an edit of 64 KiB of memory in hex, with room.
pub const MAX_BODY_BYTES: usize = 1 << 18;
/// gdbstub's packet buffer, in bytes; gdb is told so in `PacketSize`.
pub const MAX_STUB_BYTES: usize = 1 << 14;
/// So many bytes of garbage without a packet in between, and the client is no debugger.
const MAX_GARBAGE_BYTES: usize = 1 << 16;
/// Most bytes that one `m` may ask for: what gdb asks for never exceeds PacketSize.
const MAX_READ_BYTES: u64 = 1 << 20;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A packet for gdbstub, its body.
    Packet(Vec<u8>),
    /// A packet for gdbstub whose answer must not reach the client: the client did not send it.
    Silent(Vec<u8>),
    /// A vendor request.
    Request(Result<Request, WireError>),
    /// The filter's own answer to the client, to be sent in turn.
    Answer(Vec<u8>),
    /// `Qqemu.PhyMemMode`: addresses of `m`, `M` and `X` are physical from now on, or linear again.
    SetPhysical(bool),
    /// `qqemu.PhyMemMode`: which are they?
    IsPhysical,
    /// ^C.
    Interrupt,
    /// Bytes to go out as they are: acks, and a packet again that the client did not get.
    Raw(Vec<u8>),
    /// This is no debugger, or one that cannot be understood: end the session. Why, in words.
    Hopeless(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Body,
    Checksum,
    LastDigit(u8),
}

/// One client's filter.
#[derive(Debug, Default)]
pub struct Filter {
    state: State,
    body: Vec<u8>,
    garbage: usize,
    no_acks: bool,
    /// The last packet sent, framed, to be sent again if the client asks.
    last_sent: Vec<u8>,
    /// Pages of a vendor answer still to be fetched.
    pages: VecDeque<Vec<u8>>,
    /// The next packet to go out is gdbstub's answer to qSupported.
    answering_supported: bool,
    /// Text of the thread-id that the user looks at.
    selected: Option<Vec<u8>>,
    /// What was selected before the last `T`.
    selected_before: Option<Vec<u8>>,
    /// gdb goes through threads of its own accord: `Hg` does not tell what the user looks at.
    listing: bool,
    /// The last `Hc` named no thread.
    resume_any: bool,
    /// What this client said in qSupported shows that it is gdb (or lldb), not a program of ours.
    is_gdb: bool,
}

impl Filter {
    /// The client is gdb (or lldb), not a program of ours, as far as its qSupported tells.
    pub fn is_gdb(&self) -> bool {
        self.is_gdb
    }

    /// Takes bytes apart.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Incoming> {
        let mut out = Vec::new();
        for &byte in bytes {
            self.byte(byte, &mut out);
            if let Some(Incoming::Hopeless(_)) = out.last() {
                break;
            }
        }
        out
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Incoming>) {
        match (self.state, byte) {
            // An unescaped `$` in a body can only be the start of the next packet: the rest of this one got lost.
            (State::Between | State::Body, b'$') => {
                self.garbage += self.body.len();
                self.body.clear();
                self.state = State::Body;
            }
            (State::Between, b'+') => {}
            (State::Between, b'-') => {
                if !self.no_acks && !self.last_sent.is_empty() {
                    out.push(Incoming::Raw(self.last_sent.clone()));
                }
            }
            (State::Between, 0x03) => out.push(Incoming::Interrupt),
            (State::Between, _) => {
                self.garbage += 1;
                if self.garbage > MAX_GARBAGE_BYTES {
                    out.push(Incoming::Hopeless("too many bytes that are no packet".into()));
                }
            }
            (State::Body, b'#') => self.state = State::Checksum,
            (State::Body, _) if self.body.len() >= MAX_BODY_BYTES => {
                out.push(Incoming::Hopeless(format!("a packet is longer than {MAX_BODY_BYTES} bytes")));
            }
            (State::Body, _) => self.body.push(byte),
            (State::Checksum, _) => self.state = State::LastDigit(byte),
            (State::LastDigit(first), _) => {
                self.state = State::Between;
                self.whole_packet([first, byte], out);
            }
        }
    }

    fn whole_packet(&mut self, digits: [u8; 2], out: &mut Vec<Incoming>) {
        let sent = std::str::from_utf8(&digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
        let body = std::mem::take(&mut self.body);
        if sent != Some(checksum(&body)) {
            self.garbage += body.len() + 4;
            out.push(if self.garbage > MAX_GARBAGE_BYTES {
                Incoming::Hopeless("too many packets with a wrong checksum".into())
            } else if self.no_acks {
                // There is no "again" without acks; with no answer at all the client would wait for ever.
                Incoming::Answer(b"E.the packet's checksum is wrong".to_vec())
            } else {
                Incoming::Raw(b"-".to_vec())
            });
            return;
        }
        self.garbage = 0;
        if !self.no_acks {
            out.push(Incoming::Raw(b"+".to_vec()));
        }
        self.packet(body, out);
    }

    fn packet(&mut self, body: Vec<u8>, out: &mut Vec<Incoming>) {
        if body == wire::MORE.as_bytes() {
            let page = self.pages.pop_front().unwrap_or_else(|| b"E.there is no further page".to_vec());
            return out.push(Incoming::Answer(page));
        }
        self.pages.clear();
        if let Some(digits) = body.strip_prefix(wire::REQUEST.as_bytes()) {
            return out.push(Incoming::Request(wire::decode_request(digits)));
        }
        match &body[..] {
            b"QStartNoAckMode" => {
                self.no_acks = true;
                return out.push(Incoming::Answer(b"OK".to_vec()));
            }
            b"qqemu.PhyMemMode" => return out.push(Incoming::IsPhysical),
            b"Qqemu.PhyMemMode:1" => return out.push(Incoming::SetPhysical(true)),
            b"Qqemu.PhyMemMode:0" => return out.push(Incoming::SetPhysical(false)),
            // gdbstub does its arithmetic on these unchecked.
            [b'm', rest @ ..] if !is_sane_read(rest) => return out.push(Incoming::Answer(b"E16".to_vec())),
            _ if body.len() > MAX_STUB_BYTES - 4 => {
                return out.push(Incoming::Answer(b"E.the packet is longer than PacketSize".to_vec()));
            }
            _ => {}
        }
        self.watch_what_gdb_means(&body, out);
        out.push(Incoming::Packet(body));
    }

    fn watch_what_gdb_means(&mut self, body: &[u8], out: &mut Vec<Incoming>) {
        match body {
            [b'q', b'S', b'u', b'p', b'p', ..] => {
                self.answering_supported = true;
                self.is_gdb = body.windows(13).any(|word| word == b"xmlRegisters=");
            }
            // `info threads`.
            b"qfThreadInfo" => self.listing = true,
            // `thread N` asks whether that thread is alive. So does `thread apply N`, which then wants its name to print.
            [b'T', id @ ..] => {
                self.listing = false;
                self.selected_before.clone_from(&self.selected);
                self.select(id);
            }
            [b'q', b'T', b'h', b'r', b'e', b'a', b'd', b'E', b'x', ..] if !self.listing => {
                self.listing = true;
                self.selected = self.selected_before.take();
            }
            [b'H', b'g', id @ ..] if !self.listing => self.select(id),
            [b'H', b'c', id @ ..] => self.resume_any = is_any(id),
            // gdb says `Hc` only when it wants another thread than before, so its last one still holds.
            b"bs" if self.resume_any => {
                if let Some(selected) = &self.selected {
                    out.push(Incoming::Silent([b"Hc", &selected[..]].concat()));
                }
            }
            _ => {}
        }
    }

    fn select(&mut self, id: &[u8]) {
        if !is_any(id) {
            self.selected = Some(id.to_vec());
        }
    }

    /// Frames a packet for the client.
    pub fn send(&mut self, body: &[u8]) -> Vec<u8> {
        let mut body = std::borrow::Cow::Borrowed(body);
        if std::mem::take(&mut self.answering_supported) && !body.starts_with(b"E") {
            body.to_mut().push(b';');
            body.to_mut().extend_from_slice(wire::FEATURE.as_bytes());
        }
        // A stop tells gdb which thread to look at.
        if let [b'T', _, _, rest @ ..] = &body[..]
            && let Some(id) = rest.split(|&byte| byte == b';').find_map(|field| field.strip_prefix(b"thread:"))
        {
            self.listing = false;
            self.select(id);
        }
        let framed = frame(&body);
        if !self.no_acks {
            self.last_sent.clone_from(&framed);
        }
        framed
    }

    /// Cuts a vendor answer in pages and returns the first one's body; the others wait for `qFirstlightMore`.
    pub fn first_page(&mut self, digits: &str) -> Vec<u8> {
        let chunks: Vec<&[u8]> = digits.as_bytes().chunks(wire::PAGE_DIGITS).collect();
        let last = chunks.len().saturating_sub(1);
        let page = |(index, chunk): (usize, &&[u8])| [if index == last { b"l" } else { b"m" }, *chunk].concat();
        self.pages = chunks.iter().enumerate().map(page).collect();
        self.pages.pop_front().unwrap_or_else(|| b"l".to_vec())
    }
}

/// `$body#checksum`.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(body.len() + 4);
    framed.push(b'$');
    framed.extend_from_slice(body);
    framed.extend_from_slice(format!("#{:02x}", checksum(body)).as_bytes());
    framed
}

/// A thread-id that names no single thread: 0 is any, -1 all, with or without a process before it.
fn is_any(id: &[u8]) -> bool {
    matches!(id, b"" | b"0" | b"-1") || id.ends_with(b".0") || id.ends_with(b".-1")
}

fn checksum(body: &[u8]) -> u8 {
    body.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// `ADDRESS,LENGTH` that stays below 2^64 and has a bounded answer.
fn is_sane_read(text: &[u8]) -> bool {
    let parse = |text: &str| u64::from_str_radix(text, 16).ok();
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.split_once(','))
        .and_then(|(start, len)| Some((parse(start)?, parse(len)?)))
        .is_some_and(|(start, len)| len <= MAX_READ_BYTES && (len == 0 || start.checked_add(len - 1).is_some()))
}

#[cfg(test)]
mod tests;

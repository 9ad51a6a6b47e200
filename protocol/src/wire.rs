//! Vendor packets on the wire: `qFirstlight:` + version + postcard bytes, hex; the answer the same, in pages.
//!
//! A request is `qFirstlight:` and the hex digits of `version (2 bytes, little endian)` + postcard([`Request`]). The
//! answer is one letter and hex digits: `l` last page, `m` more follow, asked for by `qFirstlightMore`. Hex costs twice
//! the bytes and buys that no filter between the ends has to know about RSP's binary escapes.

use crate::request::{Answer, Request, VERSION};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// Packet name of a request.
pub const REQUEST: &str = "qFirstlight:";
/// Packet name that fetches the next page.
pub const MORE: &str = "qFirstlightMore";
/// The word in qSupported.
pub const FEATURE: &str = "qFirstlight+";
/// Hex digits in one page of an answer.
pub const PAGE_DIGITS: usize = 1 << 16;

/// How postcard begins a [`Request::Private`].
const PRIVATE_TAG: u32 = 24;

/// What can be wrong with the bytes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// An odd number of digits, or something that is no hex digit.
    NotHex,
    /// Shorter than its version field.
    TooShort,
    /// The other end speaks another version.
    Version(u16),
    /// postcard could not make sense of it.
    Malformed,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHex => write!(f, "the packet is not hex digits"),
            Self::TooShort => write!(f, "the packet is too short to hold its version"),
            Self::Version(v) => write!(f, "the other end speaks version {v}, this one {VERSION}"),
            Self::Malformed => write!(f, "the packet's contents make no sense"),
        }
    }
}

impl core::error::Error for WireError {}

/// A request as packet text, without `$` and checksum.
pub fn encode_request(request: &Request) -> String {
    let mut text = String::from(REQUEST);
    push_hex(&mut text, &encode(request));
    text
}

/// The request in what follows `qFirstlight:`.
pub fn decode_request(digits: &[u8]) -> Result<Request, WireError> {
    let bytes = from_hex(digits)?;
    // A private request in a private request means nothing, and a row of thousands would take the decoder's whole stack.
    let tag = |bytes| postcard::take_from_bytes::<u32>(bytes).ok().filter(|(tag, _)| *tag == PRIVATE_TAG);
    if let Some((_, inner)) = bytes.get(2..).and_then(tag)
        && tag(inner).is_some()
    {
        return Err(WireError::Malformed);
    }
    decode_bytes(&bytes)
}

/// An answer as hex digits, to be cut in pages of [`PAGE_DIGITS`].
pub fn encode_answer(answer: &Answer) -> String {
    let mut text = String::new();
    push_hex(&mut text, &encode(answer));
    text
}

/// The answer in the joined digits of all pages.
pub fn decode_answer(digits: &[u8]) -> Result<Answer, WireError> {
    decode(digits)
}

fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let bytes = VERSION.to_le_bytes().to_vec();
    // Serialising to an alloc vector fails only for types postcard cannot express; ours are tested.
    postcard::to_extend(value, bytes).expect("wire types are expressible in postcard")
}

fn decode<T: serde::de::DeserializeOwned>(digits: &[u8]) -> Result<T, WireError> {
    decode_bytes(&from_hex(digits)?)
}

fn decode_bytes<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (version, body) = bytes.split_first_chunk::<2>().ok_or(WireError::TooShort)?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(WireError::Version(version));
    }
    postcard::from_bytes(body).map_err(|_| WireError::Malformed)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
}

fn from_hex(digits: &[u8]) -> Result<Vec<u8>, WireError> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|value| value as u8).ok_or(WireError::NotHex);
    if !digits.len().is_multiple_of(2) {
        return Err(WireError::NotHex);
    }
    digits.chunks_exact(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Refusal, Wanted};
    use alloc::{borrow::ToOwned, format};

    /// Goal: what is encoded comes back; method: a request and an answer with nested parts.
    #[test]
    fn round_trip() {
        let request = Request::State { wanted: Wanted { all_cpus: true, ..Wanted::default() } };
        let text = encode_request(&request);
        assert_eq!(decode_request(text.strip_prefix(REQUEST).unwrap().as_bytes()), Ok(request));
        let answer = Answer::Refused(Refusal::Invalid("no such CPU".into()));
        assert_eq!(decode_answer(encode_answer(&answer).as_bytes()), Ok(answer));
    }

    /// Goal: foreign bytes are errors, never panics; method: each kind of damage.
    #[test]
    fn damage() {
        assert_eq!(decode_request(b"0"), Err(WireError::NotHex));
        assert_eq!(decode_request(b"zz"), Err(WireError::NotHex));
        assert_eq!(decode_request(b"01"), Err(WireError::TooShort));
        assert_eq!(decode_request(b"ffff00"), Err(WireError::Version(0xffff)));
        let version = encode_request(&Request::Hello)[REQUEST.len()..][..4].to_owned();
        assert_eq!(decode_request(format!("{version}ff").as_bytes()), Err(WireError::Malformed));
    }

    /// Goal: docs/PROTOCOL.md tells of this version and of every request's bounds. Method: its lines, against the constants.
    #[test]
    fn manual() {
        let text = include_str!("../../docs/PROTOCOL.md");
        let line =
            format!("- Version now: {VERSION}. A server that gets another answers `Refused(Version({VERSION}))`.");
        assert!(text.contains(&line), "{line}");
        assert!(text.contains("memory 65,536 bytes, trees 4,096 tables, events 16,384, code 1,024 instructions"));
        use crate::request::{MAX_CODE, MAX_EVENTS, MAX_MEMORY, MAX_TABLES};
        assert_eq!((MAX_MEMORY, MAX_TABLES, MAX_EVENTS, MAX_CODE), (65_536, 4_096, 16_384, 1_024));
    }

    /// Goal: a private request passes, private requests in each other do not and cost no stack; method: one, and a packet
    /// full of them, also with the tag written longer than it need be.
    #[test]
    fn nesting() {
        let private = Request::Private(alloc::boxed::Box::new(Request::Copy));
        let text = encode_request(&private);
        assert_eq!(decode_request(text.strip_prefix(REQUEST).unwrap().as_bytes()), Ok(private));
        let version = encode_request(&Request::Hello)[REQUEST.len()..][..4].to_owned();
        for tag in ["18", "9800"] {
            assert_eq!(u32::from_str_radix(&tag[..2], 16).unwrap() & 0x7f, PRIVATE_TAG);
            let many = format!("{version}{}00", tag.repeat(100_000));
            assert_eq!(decode_request(many.as_bytes()), Err(WireError::Malformed));
        }
    }
}

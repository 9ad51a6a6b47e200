//! Framing: `$` payload `#` checksum, escapes and run lengths.

/// Largest packet that is taken, in bytes: a page of a vendor answer has 64 Ki digits.
pub const MAX_PACKET: usize = 1 << 20;

/// What a stream of bytes is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `+`: the last packet arrived.
    Ack,
    /// `-`: send it again.
    Nak,
    /// A packet with its escapes and run lengths undone.
    Packet(Vec<u8>),
    /// A notification (`%`), which nobody acknowledges.
    Notification(Vec<u8>),
    /// A packet whose checksum is wrong: it must be asked for again.
    Damaged,
    /// A byte that has no business outside a packet.
    Garbage(u8),
    /// A packet that does not end.
    TooLong,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    Inside,
    /// After `#`, with the first digit once it is there.
    Checksum(Option<u8>),
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    notification: bool,
    raw: Vec<u8>,
}

impl Decoder {
    /// Takes in a byte; a frame may end with it.
    pub fn push(&mut self, byte: u8) -> Option<Frame> {
        match self.state {
            State::Outside => match byte {
                b'+' => Some(Frame::Ack),
                b'-' => Some(Frame::Nak),
                b'$' | b'%' => {
                    self.state = State::Inside;
                    self.notification = byte == b'%';
                    self.raw.clear();
                    None
                }
                byte => Some(Frame::Garbage(byte)),
            },
            State::Inside if byte == b'#' => {
                self.state = State::Checksum(None);
                None
            }
            // A packet that was cut off: the next one begins here.
            State::Inside if byte == b'$' => {
                self.raw.clear();
                Some(Frame::Damaged)
            }
            State::Inside if self.raw.len() >= MAX_PACKET => {
                self.state = State::Outside;
                Some(Frame::TooLong)
            }
            State::Inside => {
                self.raw.push(byte);
                None
            }
            State::Checksum(None) => {
                self.state = State::Checksum(Some(byte));
                None
            }
            State::Checksum(Some(first)) => {
                self.state = State::Outside;
                Some(self.finish(first, byte))
            }
        }
    }

    fn finish(&mut self, first: u8, second: u8) -> Frame {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let told = digit(first).zip(digit(second)).map(|(high, low)| (high << 4 | low) as u8);
        if told != Some(checksum(&self.raw)) {
            return Frame::Damaged;
        }
        match unescape(&self.raw) {
            Some(payload) if self.notification => Frame::Notification(payload),
            Some(payload) => Frame::Packet(payload),
            None => Frame::Damaged,
        }
    }
}

/// A payload as a packet: escaped, with its checksum.
pub fn encode(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    bytes.push(b'$');
    for &byte in payload {
        if matches!(byte, b'$' | b'#' | b'}' | b'*') {
            bytes.extend([b'}', byte ^ 0x20]);
        } else {
            bytes.push(byte);
        }
    }
    let sum = checksum(&bytes[1..]);
    bytes.extend(format!("#{sum:02x}").into_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// Undoes escapes (`}` and the byte XOR 20h) and run lengths (`*` and a count + 29).
fn unescape(raw: &[u8]) -> Option<Vec<u8>> {
    let mut payload: Vec<u8> = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'}' => payload.push(bytes.next()? ^ 0x20),
            b'*' => {
                let again = usize::from(bytes.next()?.checked_sub(29)?);
                let last = *payload.last()?;
                payload.extend(std::iter::repeat_n(last, again));
                if payload.len() > MAX_PACKET {
                    return None;
                }
            }
            byte => payload.push(byte),
        }
    }
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.push(*byte)).collect()
    }

    /// Goal: every payload survives; method: all byte values there and back.
    #[test]
    fn round_trip() {
        let payload: Vec<u8> = (0..=255).collect();
        assert_eq!(frames(&encode(&payload)), [Frame::Packet(payload)]);
    }

    /// Goal: the stream's forms are told apart; method: one of each, with damage in between.
    #[test]
    fn forms() {
        let bytes = b"+$OK#9a-$OK#00%Stop#a6x$0* #7a$cut$OK#9a";
        assert_eq!(
            frames(bytes),
            [
                Frame::Ack,
                Frame::Packet(b"OK".to_vec()),
                Frame::Nak,
                Frame::Damaged,
                Frame::Notification(b"Stop".to_vec()),
                Frame::Garbage(b'x'),
                Frame::Packet(b"0000".to_vec()),
                Frame::Damaged,
                Frame::Packet(b"OK".to_vec()),
            ]
        );
    }

    /// Goal: foreign bytes end in frames, not in memory or panics; method: an endless packet, broken escapes.
    #[test]
    fn hostile() {
        let mut endless = vec![b'a'; MAX_PACKET + 2];
        endless[0] = b'$';
        assert_eq!(frames(&endless), [Frame::TooLong]);
        for raw in ["}", "*!", "a*", "a*\u{1}"] {
            let sum = checksum(raw.as_bytes());
            assert_eq!(frames(format!("${raw}#{sum:02x}").as_bytes()), [Frame::Damaged], "{raw:?}");
        }
    }
}

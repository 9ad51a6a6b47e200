//! Requests as packet text and replies as values, for servers that know only gdb's own packets.

use std::fmt::Write;

/// A thread of the server: on our server and on QEMU the CPU's index + 1.
pub type ThreadId = u64;

/// Why a server stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReply {
    /// Signal, and the thread if it is named.
    Signal {
        /// 5: SIGTRAP.
        signal: u8,
        /// Who stopped.
        thread: Option<ThreadId>,
        /// An end of the recorded run was reached: "begin" or "end".
        replay_log: Option<String>,
    },
    /// The machine ended with this status.
    Exited(u8),
}

/// Bytes as hex digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Hex digits as bytes; None for anything else, as the `x` digits that stand for "not available".
pub fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// `m`: read memory at a linear address.
pub fn read_memory(linear: u64, len: usize) -> String {
    format!("m{linear:x},{len:x}")
}

/// `X`: write memory at a linear address, binary.
pub fn write_memory_binary(linear: u64, bytes: &[u8]) -> Vec<u8> {
    let mut packet = format!("X{linear:x},{:x}:", bytes.len()).into_bytes();
    packet.extend_from_slice(bytes);
    packet
}

/// `M`: the same in hex digits, for a server that does not know `X`.
pub fn write_memory(linear: u64, bytes: &[u8]) -> String {
    format!("M{linear:x},{:x}:{}", bytes.len(), to_hex(bytes))
}

/// `Hg`: whose registers the next packets mean.
pub fn select_thread(thread: ThreadId) -> String {
    format!("Hg{thread:x}")
}

/// `p`: read one register.
pub fn read_register(number: usize) -> String {
    format!("p{number:x}")
}

/// `P`: write one register, `bytes` in the target's order.
pub fn write_register(number: usize, bytes: &[u8]) -> String {
    format!("P{number:x}={}", to_hex(bytes))
}

/// `vCont`: one step of a thread; the others run meanwhile if they are not held.
pub fn step(thread: ThreadId, hold_others: bool) -> String {
    if hold_others { format!("vCont;s:{thread:x}") } else { format!("vCont;s:{thread:x};c") }
}

/// `vCont;c`, of one thread alone if one is named.
pub fn run(thread: Option<ThreadId>) -> String {
    thread.map_or_else(|| "vCont;c".to_owned(), |thread| format!("vCont;c:{thread:x}"))
}

/// `Z1` or `z1`: a hardware breakpoint at a linear address.
pub fn breakpoint(set: bool, linear: u64) -> String {
    format!("{}1,{linear:x},1", if set { 'Z' } else { 'z' })
}

/// Reads a stop reply: `T`, `S`, `W`, `X`.
pub fn stop_reply(reply: &[u8]) -> Option<StopReply> {
    let text = std::str::from_utf8(reply).ok()?;
    let (kind, rest) = text.split_at_checked(1)?;
    let code = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
    match kind {
        "S" => Some(StopReply::Signal { signal: code, thread: None, replay_log: None }),
        "T" => {
            let (mut thread, mut replay_log) = (None, None);
            for (key, value) in rest.get(2..)?.split(';').filter_map(|field| field.split_once(':')) {
                match key {
                    "thread" => thread = thread_id(value),
                    "replaylog" => replay_log = Some(value.to_owned()),
                    _ => {}
                }
            }
            Some(StopReply::Signal { signal: code, thread, replay_log })
        }
        "W" | "X" => Some(StopReply::Exited(code)),
        _ => None,
    }
}

/// Reads a list of threads: `m1,2` or `mp1.1,p1.2`.
pub fn threads(reply: &[u8]) -> Option<Vec<ThreadId>> {
    let text = std::str::from_utf8(reply).ok()?;
    text.strip_prefix('m')?.split(',').map(thread_id).collect()
}

/// A thread id, of which a multiprocess one names the process first: `p1.2`.
fn thread_id(text: &str) -> Option<ThreadId> {
    let text = text.strip_prefix('p').and_then(|ids| ids.split_once('.')).map_or(text, |(_, thread)| thread);
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: stop replies of both servers are read; method: QEMU's, gdbstub's, an exit, nonsense.
    #[test]
    fn stop_replies() {
        let signal = |thread, replay_log: Option<&str>| {
            Some(StopReply::Signal { signal: 5, thread, replay_log: replay_log.map(str::to_owned) })
        };
        assert_eq!(stop_reply(b"T05thread:p01.02;"), signal(Some(2), None));
        assert_eq!(stop_reply(b"T05thread:3;replaylog:begin;"), signal(Some(3), Some("begin")));
        assert_eq!(stop_reply(b"S05"), signal(None, None));
        assert_eq!(stop_reply(b"W2a"), Some(StopReply::Exited(0x2a)));
        assert_eq!(stop_reply(b"T"), None);
        assert_eq!(stop_reply("é05".as_bytes()), None);
    }

    /// Goal: requests are as the manual has them; method: one of each.
    #[test]
    fn requests() {
        assert_eq!(read_memory(0x9a000, 16), "m9a000,10");
        assert_eq!(write_memory(0x9a000, &[0x0f, 0x0b]), "M9a000,2:0f0b");
        assert_eq!(write_memory_binary(1, b"#"), b"X1,1:#");
        assert_eq!((step(2, false), step(2, true)), ("vCont;s:2;c".to_owned(), "vCont;s:2".to_owned()));
        assert_eq!((run(None), run(Some(1))), ("vCont;c".to_owned(), "vCont;c:1".to_owned()));
        assert_eq!((write_register(3, &[1, 0]), read_register(16)), ("P3=0100".to_owned(), "p10".to_owned()));
        assert_eq!((breakpoint(true, 0x9b000), select_thread(10)), ("Z1,9b000,1".to_owned(), "Hga".to_owned()));
        assert_eq!(threads(b"mp1.1,p1.a"), Some(vec![1, 10]));
        assert_eq!(from_hex(b"0f0B"), Some(vec![0x0f, 0x0b]));
        assert_eq!((from_hex(b"0"), from_hex(b"xx")), (None, None));
    }
}

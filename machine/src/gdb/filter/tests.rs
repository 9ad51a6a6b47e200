//! The filter alone: bytes in, items out.

use super::*;
use protocol::request::{Answer, Wanted};

fn packet(body: &str) -> Vec<u8> {
    frame(body.as_bytes())
}

fn quiet() -> Filter {
    let mut filter = Filter::default();
    filter.feed(&packet("QStartNoAckMode"));
    filter
}

/// Goal: acks are kept right over QStartNoAckMode; method: one packet before, the change, one after, cut at any byte.
#[test]
fn acks_until_told_otherwise() {
    let bytes = [packet("?"), packet("QStartNoAckMode"), b"+".to_vec(), packet("?")].concat();
    for cut in 0..bytes.len() {
        let mut filter = Filter::default();
        let mut all = filter.feed(&bytes[..cut]);
        all.extend(filter.feed(&bytes[cut..]));
        let ack = || Incoming::Raw(b"+".to_vec());
        let question = || Incoming::Packet(b"?".to_vec());
        assert_eq!(all, [ack(), question(), ack(), Incoming::Answer(b"OK".to_vec()), question()], "cut at {cut}");
    }
}

/// Goal: a damaged packet is asked for again and our last one repeated on request; method: wrong checksum, then `-`.
#[test]
fn damage_is_repaired() {
    let mut filter = Filter::default();
    assert_eq!(filter.feed(b"$?#00"), [Incoming::Raw(b"-".to_vec())]);
    let sent = filter.send(b"T05");
    assert_eq!(filter.feed(b"-"), [Incoming::Raw(sent)]);
}

/// Goal: ^C is seen between packets but not inside; method: both.
#[test]
fn interrupt() {
    let mut filter = quiet();
    assert_eq!(filter.feed(b"\x03"), [Incoming::Interrupt]);
    assert_eq!(filter.feed(&frame(b"X0,1:\x03")), [Incoming::Packet(b"X0,1:\x03".to_vec())]);
}

/// Goal: a vendor request is decoded and its answer paged; method: an answer longer than a page, and one page too many.
#[test]
fn vendor_pages() {
    let mut filter = quiet();
    let request = Request::State { wanted: Wanted::default() };
    let text = wire::encode_request(&request);
    assert_eq!(filter.feed(&packet(&text)), [Incoming::Request(Ok(request))]);
    let answer = Answer::Memory { bytes: vec![7; 60_000], unreadable: None };
    let first = filter.first_page(&wire::encode_answer(&answer));
    assert_eq!(first[0], b'm');
    let more = filter.feed(&packet(wire::MORE));
    let [Incoming::Answer(second)] = &more[..] else { panic!("{more:?}") };
    assert_eq!(second[0], b'l');
    assert_eq!(wire::decode_answer(&[&first[1..], &second[1..]].concat()), Ok(answer));
    assert!(matches!(&filter.feed(&packet(wire::MORE))[..], [Incoming::Answer(text)] if text.starts_with(b"E.")));
}

/// Goal: clients learn of the vendor packets, and gdb is told from our own programs; method: both qSupported.
#[test]
fn supported() {
    let mut filter = quiet();
    filter.feed(&packet("qSupported:multiprocess+;xmlRegisters=i386"));
    assert!(filter.is_gdb);
    assert_eq!(filter.send(b"PacketSize=4000"), frame(b"PacketSize=4000;qFirstlight+"));
    assert_eq!(filter.send(b"OK"), frame(b"OK"));
    filter.feed(&packet("qSupported"));
    assert!(!filter.is_gdb);
}

/// Goal: a reverse step goes to the thread the user looks at; method: gdb 13's packets for `thread 3`, `info threads`,
/// `thread apply 1` and a stop, each followed by `bs` (gdb sends `Hc` once, since it wants "any" each time).
#[test]
fn reverse_step_takes_the_selected_thread() {
    fn send(filter: &mut Filter, bodies: &[&str]) {
        bodies.iter().for_each(|body| drop(filter.feed(&packet(body))));
    }
    fn back(filter: &mut Filter) -> String {
        match &filter.feed(&packet("bs"))[..] {
            [Incoming::Silent(choice), Incoming::Packet(_)] => String::from_utf8(choice.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    let mut filter = quiet();
    send(&mut filter, &["Hcp1.0", "Tp1.3", "Hgp1.3", "g"]);
    assert_eq!(back(&mut filter), "Hcp1.3");
    send(&mut filter, &["qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,p1.1", "Hgp1.1", "g", "Hgp1.4", "g"]);
    assert_eq!(back(&mut filter), "Hcp1.3");
    send(&mut filter, &["Tp1.1", "qThreadExtraInfo,p1.1", "Hgp1.1", "g", "Tp1.2", "qThreadExtraInfo,p1.2", "Hgp1.2"]);
    assert_eq!(back(&mut filter), "Hcp1.3");
    filter.send(b"T05thread:p01.02;hwbreak:;");
    assert_eq!(back(&mut filter), "Hcp01.02");
    // A thread that gdb named itself is left alone.
    send(&mut filter, &["Hcp1.4"]);
    assert_eq!(filter.feed(&packet("bs")), [Incoming::Packet(b"bs".to_vec())]);
}

/// Goal: no stream of bytes makes the filter panic or grow without bound; method: pseudo-random bytes made of what
/// packets are made of, and three streams that never end a packet.
#[test]
fn garbage() {
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut filter = Filter::default();
    for _ in 0..200_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        filter.feed(&[b"$#+-\x03mq0bsT}*:,\xff"[seed as usize % 16]]);
        assert!(filter.body.len() <= MAX_BODY_BYTES);
    }
    let ends = |bytes: &[u8]| matches!(Filter::default().feed(bytes).last(), Some(Incoming::Hopeless(_)));
    assert!(ends(&vec![b'x'; MAX_GARBAGE_BYTES + 1]));
    assert!(ends(&[&b"$"[..], &vec![b'x'; MAX_BODY_BYTES + 1]].concat()));
    assert!(ends(&b"$abcdefgh#00".repeat(MAX_GARBAGE_BYTES / 8)));
}

/// Goal: reads that would overflow gdbstub's arithmetic never reach it; method: the last address, a huge length, nonsense.
#[test]
fn reads_are_checked() {
    let mut filter = quiet();
    for bad in ["mffffffffffffffff,2", "m0,ffffffffff", "m,", "mzz,1", "m0"] {
        assert_eq!(filter.feed(&packet(bad)), [Incoming::Answer(b"E16".to_vec())], "{bad}");
    }
    assert_eq!(filter.feed(&packet("mffffffffffffffff,1")), [Incoming::Packet(b"mffffffffffffffff,1".to_vec())]);
}

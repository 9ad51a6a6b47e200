//! Streams that are no conversation: they end their own session at most.

use crate::client::{Client, server};
use std::io::Write;

fn is_alive(server: &machine::server::ServerHandle) {
    let mut client = Client::connect(server);
    assert!(client.ask("qSupported:xmlRegisters=i386").contains("PacketSize="));
    assert!(client.ask("?").starts_with("T05"));
}

/// Goal: no bytes take the server down; method: packets that gdbstub takes for fatal, and pseudo-random streams made of
/// what packets are made of; after each a new client is served.
#[test]
fn server_stays_up() {
    let server = server();
    let fatal: &[&str] = &["vCont;t", "Hg-1", "m", "Z9,0,0", "P", "G00", "qRcmd,zz", "vCont;r5,1:0", "vCont;s", "bs"];
    for body in fatal {
        let (_reader, mut writer) = server.connect();
        let sum = body.bytes().fold(0u8, |sum, byte| sum.wrapping_add(byte));
        writer.write_all(format!("${body}#{sum:02x}").as_bytes()).unwrap();
        drop(writer);
        is_alive(&server);
    }
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..50 {
        let (_reader, mut writer) = server.connect();
        let mut bytes = Vec::new();
        for _ in 0..2000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.push(b"$#+-\x03mMpPgGHcsZz0123456789abcdef;:,vContqR?"[(seed >> 8) as usize % 43]);
        }
        // The server may hang up in the middle.
        let _ = writer.write_all(&bytes);
        drop(writer);
    }
    is_alive(&server);
}

/// Goal: valid frames with random bodies are answered or end the session; method: correct checksums, all packet letters.
#[test]
fn framed_nonsense() {
    let server = server();
    let mut seed = 7u64;
    for letter in b'!'..=b'~' {
        if letter == b'$' || letter == b'#' {
            continue;
        }
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let body = format!("{}{:x},{:x}:{:x};", letter as char, seed >> 8, seed >> 40, seed >> 50);
            let sum = body.bytes().fold(0u8, |sum, byte| sum.wrapping_add(byte));
            let (_reader, mut writer) = server.connect();
            let _ = writer.write_all(format!("${body}#{sum:02x}").as_bytes());
        }
    }
    is_alive(&server);
}

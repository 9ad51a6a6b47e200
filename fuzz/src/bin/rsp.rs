//! What clients send to the gdb server: bytes as they are, then cut at line feeds into packets with a right checksum. The
//! server must serve the next client.
#![no_main]

use libfuzzer_sys::fuzz_target;
use machine::firmware::pc::{PcImage, Start, machine};
use machine::machine::Machine;
use machine::server::guest_image::GuestImage;
use machine::server::{ServerConfig, ServerHandle, spawn};
use protocol::profile::Profile;
use protocol::request::MachineConfig;
use std::io::{Read, Write};

/// A guest that counts, in real mode.
#[derive(Debug)]
struct Counter;

impl GuestImage for Counter {
    fn path(&self) -> String {
        "counter".into()
    }

    fn reload(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn changed(&mut self) -> bool {
        false
    }

    fn sha256(&self) -> &str {
        ""
    }

    fn profile(&self) -> Option<&Profile> {
        None
    }

    fn power_on(&mut self, config: &MachineConfig) -> Result<Machine, String> {
        let start = Start::Flat { paddr: 0x7c00, real: true };
        let image = vec![0x40, 0xeb, 0xfd];
        let image = PcImage { start, image, cmdline: String::new(), modules: Vec::new(), disks: Vec::new() };
        machine(&image, config).map_err(|error| error.to_string())
    }
}

fn server() -> ServerHandle {
    let machine = fuzz::config(2, 2 << 20, String::new());
    let config = ServerConfig { image: Box::new(Counter), machine, history_bytes: 1 << 20, program: None };
    spawn(config).expect("the guest makes a machine")
}

fn frame(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    let mut packet = vec![b'$'];
    packet.extend(body);
    packet.extend(format!("#{sum:02x}").bytes());
    packet
}

fuzz_target!(|data: &[u8]| {
    let server = server();
    let packets: Vec<u8> = data.split(|&byte| byte == b'\n').flat_map(frame).collect();
    for stream in [data, &packets] {
        let (_reader, mut writer) = server.connect();
        // The server may hang up in the middle.
        let _ = writer.write_all(stream);
    }
    let (mut reader, mut writer) = server.connect();
    writer.write_all(&frame(b"?")).expect("the server takes the next client");
    let mut answer = [0; 2];
    reader.read_exact(&mut answer).expect("the server answers the next client");
    assert_eq!(answer, *b"+$", "acknowledged and answered");
});

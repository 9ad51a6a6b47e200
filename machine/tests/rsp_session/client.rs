//! A test's end of the conversation: a tiny guest, a server around it, and a client that speaks RSP over any stream.

use machine::bus::Bus;
use machine::cpu::{Cpu, segment};
use machine::device::nvram::Nvram;
use machine::machine::Machine;
use machine::schedule::Schedule;
use machine::server::guest_image::GuestImage;
use machine::server::{ServerConfig, ServerHandle, spawn};
use protocol::CpuId;
use protocol::profile::Profile;
use protocol::request::{Answer, MachineConfig, Request};
use protocol::wire;
use std::io::{Read, Write};

/// Where the guest's loop is: CS base 1000h, offset 10h.
pub const LOOP: u64 = 0x1010;
/// The word that the loop writes, in DS with base 0.
pub const COUNTER: u64 = 0x2000;

/// CPU 0 runs, in real mode: `1010: inc ax; 1011: mov [2000h], ax; 1014: jmp 1010h`. The others wait for a SIPI.
#[derive(Debug)]
pub struct TestGuest;

impl GuestImage for TestGuest {
    fn power_on(&mut self, config: &MachineConfig) -> Result<Machine, String> {
        assert!(!config.options.contains("panic"), "this guest panics when asked to");
        if config.cpus == 0 {
            return Err("0 CPUs: this machine has 1 to 255".into());
        }
        let mut bus = Bus::new(config.memory_bytes);
        bus.ram.write_slice(LOOP, &[0x40, 0xa3, 0x00, 0x20, 0xeb, 0xfa]);
        bus.devices.nvram = Nvram::new(&config.firmware.variables);
        let mut cpus: Vec<Cpu> = (0..config.cpus).map(|id| Cpu::power_on(CpuId(id), id.into(), id == 0)).collect();
        let cs = &mut cpus[0].segments[segment::CS];
        (cs.selector, cs.base) = (0x100, 0x1000);
        cpus[0].rip = LOOP - 0x1000;
        Ok(Machine::new(cpus, bus, Schedule::new(config.quantum, config.seed)))
    }

    fn reload(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn changed(&mut self) -> bool {
        false
    }

    fn sha256(&self) -> &str {
        "00"
    }

    fn path(&self) -> String {
        String::new()
    }

    fn profile(&self) -> Option<&Profile> {
        None
    }
}

pub fn config() -> MachineConfig {
    MachineConfig {
        cpus: 2,
        apic_ids: Vec::new(),
        memory_bytes: 1 << 20,
        quantum: 64,
        seed: None,
        options: String::new(),
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    }
}

/// A server as the window hosts it: nothing moves by itself.
pub fn server() -> ServerHandle {
    let config = ServerConfig { image: Box::new(TestGuest), machine: config(), history_bytes: 16 << 20, program: None };
    spawn(config).expect("the test guest makes a machine")
}

/// A client.
pub struct Client {
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
}

impl Client {
    /// Over an in-process connection, without acks.
    pub fn connect(server: &ServerHandle) -> Self {
        let (reader, writer) = server.connect();
        Self::over(reader, writer)
    }

    /// Over any stream, without acks.
    pub fn over(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>) -> Self {
        let mut client = Self { reader, writer };
        assert_eq!(client.ask("QStartNoAckMode"), "OK");
        client
    }

    pub fn send(&mut self, body: &str) {
        let sum = body.bytes().fold(0u8, |sum, byte| sum.wrapping_add(byte));
        self.raw(format!("${body}#{sum:02x}").as_bytes());
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("the server takes bytes");
    }

    /// The next packet's body; None: the connection has ended. Acks are skipped.
    pub fn receive(&mut self) -> Option<String> {
        let mut byte = [0];
        let mut body: Option<Vec<u8>> = None;
        loop {
            if self.reader.read(&mut byte).ok()? == 0 {
                return None;
            }
            match (&mut body, byte[0]) {
                (None, b'$') => body = Some(Vec::new()),
                (None, _) => {}
                (Some(_), b'#') => break,
                (Some(body), byte) => body.push(byte),
            }
        }
        self.reader.read_exact(&mut [0; 2]).ok()?;
        body.map(|body| String::from_utf8(body).expect("packets are text here"))
    }

    pub fn ask(&mut self, body: &str) -> String {
        self.send(body);
        self.receive().unwrap_or_else(|| panic!("the connection ended at {body:?}"))
    }

    /// Resumes, and skips what is only said.
    pub fn resume(&mut self, body: &str) -> String {
        let mut answer = self.ask(body);
        while answer.starts_with('O') {
            answer = self.receive().expect("a stop follows");
        }
        answer
    }

    /// A vendor request, all pages.
    pub fn request(&mut self, request: &Request) -> Answer {
        let mut page = self.ask(&wire::encode_request(request));
        let mut digits = page[1..].to_owned();
        while page.starts_with('m') {
            page = self.ask(wire::MORE);
            digits.push_str(&page[1..]);
        }
        assert!(page.starts_with('l'), "{page}");
        wire::decode_answer(digits.as_bytes()).expect("the answer makes sense")
    }
}

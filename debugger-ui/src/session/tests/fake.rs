//! Servers for the tests: one that answers vendor requests as ours does, one that knows gdb's own packets only.

use crate::rsp::codec::{Decoder, Frame, encode};
use crate::session::Target;
use crate::session::standard::Aside;
use crate::session::transport::Transport;
use protocol::cpu::CpuState;
use protocol::request::{
    Answer, CodeLine, ConsoleText, Direction, Hello, MachineConfig, Refusal, Request, StopReason, Stopped, Until,
};
use protocol::{CpuId, LinearAddr, Position, wire};
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

/// How the fake server behaves on its first connection; on later ones it is well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fake {
    /// Sends what is no RSP.
    pub garbage: bool,
    /// Ends the connection.
    pub closes: bool,
    /// Its machine has panicked: every request is refused with that.
    pub panics: bool,
}

impl Fake {
    pub(super) fn target(self) -> Target {
        let mut fault = self;
        let open = Box::new(move |_| {
            let fault = std::mem::take(&mut fault);
            let ((to_server, from_client), (to_client, from_server)) = (pipe(), pipe());
            crate::platform::spawn("fake", move || serve(fault, from_client, to_client)).unwrap();
            Transport::new(from_server, to_server)
        });
        Target { words: "a fake machine".to_owned(), open, aside: Aside::default() }
    }
}

struct In(Receiver<Vec<u8>>, Vec<u8>);
struct Out(Sender<Vec<u8>>);

fn pipe() -> (Out, In) {
    let (sender, receiver) = channel();
    (Out(sender), In(receiver, Vec::new()))
}

impl Read for In {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            let Ok(bytes) = self.0.recv() else { return Ok(0) };
            self.1 = bytes;
        }
        let len = buffer.len().min(self.1.len());
        buffer[..len].copy_from_slice(&self.1[..len]);
        self.1.drain(..len);
        Ok(len)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads packets and answers each.
fn answer_packets(input: In, output: Out, mut reply: impl FnMut(&[u8]) -> Vec<u8>) {
    answer_packets_with_more(input, output, move |payload| vec![reply(payload)]);
}

/// The same where an answer may be several packets.
fn answer_packets_with_more(mut input: In, mut output: Out, mut reply: impl FnMut(&[u8]) -> Vec<Vec<u8>>) {
    let mut decoder = Decoder::default();
    let mut acks = true;
    let mut byte = [0];
    while let Ok(1) = input.read(&mut byte) {
        let Some(Frame::Packet(payload)) = decoder.push(byte[0]) else { continue };
        let mut bytes = if acks { b"+".to_vec() } else { Vec::new() };
        for packet in reply(&payload) {
            bytes.extend(encode(&packet));
        }
        acks &= payload != b"QStartNoAckMode";
        if output.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn serve(fault: Fake, mut input: In, mut output: Out) {
    if fault.closes {
        return;
    }
    if fault.garbage {
        output.write_all(&b"HTTP/1.1 400 Bad Request\r\n".repeat(20)).unwrap();
        // It stays on the line until the client leaves: that it speaks another language is all that is wrong with it.
        while input.read(&mut [0; 64]).is_ok_and(|read| read != 0) {}
        return;
    }
    let mut machine = Machine::default();
    let mut pages = String::new();
    answer_packets(input, output, move |payload| {
        let text = std::str::from_utf8(payload).unwrap();
        if text.starts_with("qSupported") {
            return b"PacketSize=4000;QStartNoAckMode+;qFirstlight+".to_vec();
        }
        if text == "QStartNoAckMode" {
            return b"OK".to_vec();
        }
        if let Some(digits) = text.strip_prefix(wire::REQUEST) {
            let request = wire::decode_request(digits.as_bytes()).unwrap();
            let crashed = Answer::Refused(Refusal::Crashed("guest ate the host".to_owned()));
            let answer = if fault.panics && request != Request::Hello { crashed } else { machine.answer(request) };
            pages = wire::encode_answer(&answer);
        } else {
            assert_eq!(text, wire::MORE);
        }
        let rest = pages.split_off(pages.len().min(wire::PAGE_DIGITS));
        let page = std::mem::replace(&mut pages, rest);
        format!("{}{page}", if pages.is_empty() { 'l' } else { 'm' }).into_bytes()
    });
}

/// A machine of two CPUs in which nothing happens: each step moves CPU 0 by a byte; what is typed is echoed.
struct Machine {
    position: u64,
    end: u64,
    console: Vec<u8>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { position: 100, end: 100, console: Vec::new() }
    }
}

impl Machine {
    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Hello => Answer::Hello(Hello {
                server: "fake".to_owned(),
                config: MachineConfig {
                    cpus: 2,
                    apic_ids: Vec::new(),
                    memory_bytes: 1 << 20,
                    quantum: 64,
                    seed: None,
                    options: String::new(),
                    cpu_quirks: Vec::new(),
                    firmware: Default::default(),
                },
                image_sha256: String::new(),
                image_path: String::new(),
                image_changed: false,
                gdb_attached: false,
            }),
            Request::Profile => Answer::Profile(None),
            Request::Breakpoints => Answer::Breakpoints(Vec::new()),
            Request::State { wanted } => self.stopped(StopReason::None, wanted.console_from),
            Request::Advance(advance) => {
                self.console.extend(&advance.serial_input);
                let (steps, reason) = match advance.until {
                    Until::Steps(steps) => (steps, StopReason::Reached),
                    _ => (advance.budget, StopReason::Budget),
                };
                self.position = match advance.direction {
                    Direction::Forward => self.position + steps,
                    Direction::Backward => self.position.saturating_sub(steps),
                };
                self.end = self.end.max(self.position);
                self.stopped(reason, advance.wanted.console_from)
            }
            Request::Code { linear, count, .. } => Answer::Code(
                (0..u64::from(count))
                    .map(|at| CodeLine {
                        linear: LinearAddr(linear.0 + at),
                        bytes: vec![0x90],
                        intel: "nop".to_owned(),
                        att: "nop".to_owned(),
                        bits: 16,
                        target: None,
                    })
                    .collect(),
            ),
            Request::Memory { len, .. } => Answer::Memory { bytes: vec![0; len as usize], unreadable: None },
            other => panic!("nobody asks {other:?} here"),
        }
    }

    fn stopped(&self, reason: StopReason, console_from: Option<u64>) -> Answer {
        let cpu0 = CpuState { ip: self.position & 0xfff, steps: self.position, ..CpuState::default() };
        let cpu1 = CpuState { cpu: CpuId(1), ..CpuState::default() };
        let console = console_from.map(|offset| ConsoleText {
            offset,
            bytes: self.console.get(offset as usize..).unwrap_or(&[]).to_vec(),
            total: self.console.len() as u64,
        });
        Answer::Stopped(Box::new(Stopped {
            reason,
            position: Position(self.position),
            end: Position(self.end),
            clock_ns: self.position * 10,
            next_cpu: Some(CpuId(0)),
            moved_cpu: Some(CpuId(0)),
            cpus: vec![cpu0, cpu1],
            console,
            events: Vec::new(),
            trees: Vec::new(),
            can_undo: false,
            gdb_attached: false,
            image_changed: false,
            epoch: 1,
        }))
    }
}

/// A server with two threads and a few registers that can step forwards and run, and nothing else; `qemu`: it also has
/// QEMU's monitor and reads physical memory. Memory holds `call +3; nop; nop; nop; ret` at 1000h, and is 0 elsewhere.
pub(super) fn plain_gdb_server(qemu: bool) -> Target {
    let open = Box::new(move |_| {
        let ((to_server, from_client), (to_client, from_server)) = (pipe(), pipe());
        let mut server = Plain { qemu, ip: 0x1000, thread: 1, breakpoint: None, replies: Vec::new() };
        crate::platform::spawn("plain", move || {
            answer_packets_with_more(from_client, to_client, move |payload| server.reply(payload));
        })
        .unwrap();
        Transport::new(from_server, to_server)
    });
    Target { words: "a plain gdb server".to_owned(), open, aside: Aside::default() }
}

struct Plain {
    qemu: bool,
    ip: u64,
    thread: u8,
    breakpoint: Option<u64>,
    replies: Vec<String>,
}

impl Plain {
    fn reply(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        const XML: &str = r#"<target><feature name="t"><reg name="rip" bitsize="64"/><reg name="eflags" bitsize="32"/>
            <reg name="cr0" bitsize="64"/></feature></target>"#;
        const CODE: [u8; 7] = [0xe8, 0x03, 0x00, 0x90, 0x90, 0x90, 0xc3];
        self.replies.clear();
        let text = std::str::from_utf8(payload).unwrap();
        let reply = match text {
            "qfThreadInfo" => "m1,2".to_owned(),
            "qsThreadInfo" => "l".to_owned(),
            "?" => "T05thread:1;".to_owned(),
            "Hg1" | "Hg2" => {
                self.thread = if text == "Hg1" { 1 } else { 2 };
                "OK".to_owned()
            }
            "g" => {
                let cr0 = if self.thread == 1 { 0x10_u64 } else { 0x11 };
                let bytes: Vec<u8> =
                    self.ip.to_le_bytes().into_iter().chain([2, 0, 0, 0]).chain(cr0.to_le_bytes()).collect();
                crate::rsp::packet::to_hex(&bytes)
            }
            "vCont;s:1;c" => {
                self.ip += 1;
                "T05thread:1;".to_owned()
            }
            "vCont;c" => {
                self.ip = self.breakpoint.expect("nothing would ever stop it");
                "T05thread:1;".to_owned()
            }
            "Qqemu.PhyMemMode:0" | "Qqemu.PhyMemMode:1" if self.qemu => "OK".to_owned(),
            _ if text.starts_with("qRcmd,") && self.qemu => {
                let segments =
                    ["ES", "CS", "SS", "DS", "FS", "GS"].map(|name| format!("{name} =0000 0 ffff 00009b00\n"));
                for cpu in 0..2 {
                    let words = format!("CPU#{cpu}\nHLT={cpu}\n{}", segments.concat());
                    self.replies.push(format!("O{}", crate::rsp::packet::to_hex(words.as_bytes())));
                }
                "OK".to_owned()
            }
            _ if text.starts_with("qSupported") => "PacketSize=1000;qXfer:features:read+".to_owned(),
            _ if text.starts_with("qXfer:features:read:target.xml:0,") => format!("l{XML}"),
            _ if text.starts_with('m') => {
                let (from, len) = text[1..].split_once(',').unwrap();
                let number = |digits| usize::from_str_radix(digits, 16).unwrap();
                let byte = |at: usize| at.checked_sub(0x1000).and_then(|at| CODE.get(at)).copied().unwrap_or(0);
                let bytes: Vec<u8> = (number(from)..number(from) + number(len)).map(byte).collect();
                crate::rsp::packet::to_hex(&bytes)
            }
            _ if text.starts_with("Z1,") || text.starts_with("z1,") => {
                let at = u64::from_str_radix(text[3..].split(',').next().unwrap(), 16).unwrap();
                self.breakpoint = text.starts_with('Z').then_some(at);
                "OK".to_owned()
            }
            // What a server does not know it answers with nothing.
            _ => String::new(),
        };
        self.replies.push(reply);
        self.replies.iter().map(|reply| reply.clone().into_bytes()).collect()
    }
}

//! A client of a gdb server, just enough to measure and to watch one: asks and waits for the answer. [`server`] sees a
//! stopped machine through it.

pub mod server;

use anyhow::{Context, Result, bail, ensure};
use protocol::request::{Answer, Request};
use protocol::wire;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long an answer may take that needs no run of the machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, without acknowledgements where the server can do without.
#[derive(Debug)]
pub struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
    acknowledged: bool,
}

impl Client {
    /// Connects, waiting a little for a server that is just starting.
    pub fn connect(address: &str) -> Result<Self> {
        let start = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) if start.elapsed() > Duration::from_secs(10) => {
                    return Err(error).with_context(|| format!("nobody listens on {address}"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::with_capacity(1 << 18, stream.try_clone()?);
        let mut client = Self { writer: stream, reader, acknowledged: true };
        client.ask("qSupported:vContSupported+;swbreak+;hwbreak+")?;
        // QEMU 7.2 keeps them.
        client.acknowledged = client.ask("QStartNoAckMode")? != "OK";
        Ok(client)
    }

    /// Sends a packet; the answer's contents.
    pub fn ask(&mut self, packet: &str) -> Result<String> {
        let checksum = packet.bytes().fold(0u8, u8::wrapping_add);
        self.writer.write_all(format!("${packet}#{checksum:02x}").as_bytes())?;
        self.next().with_context(|| format!("no answer to `{}`", packet.chars().take(40).collect::<String>()))
    }

    /// The same for what lets the machine run.
    pub fn ask_within(&mut self, packet: &str, patience: Duration) -> Result<String> {
        self.writer.set_read_timeout(Some(patience))?;
        let answer = self.ask(packet);
        self.writer.set_read_timeout(Some(PATIENCE))?;
        answer
    }

    fn next(&mut self) -> Result<String> {
        let answer = self.answer()?;
        if self.acknowledged {
            self.writer.write_all(b"+")?;
        }
        Ok(answer)
    }

    /// Sends a vendor request; its answer, all pages joined.
    pub fn request(&mut self, request: &Request) -> Result<Answer> {
        let mut page = self.ask(&wire::encode_request(request))?;
        let mut digits = String::new();
        while let Some(more) = page.strip_prefix('m') {
            digits.push_str(more);
            page = self.ask(wire::MORE)?;
        }
        digits.push_str(page.strip_prefix('l').with_context(|| format!("a vendor request was answered by `{page}`"))?);
        Ok(wire::decode_answer(digits.as_bytes())?)
    }

    /// Runs a `monitor` command; what it prints.
    pub fn monitor(&mut self, command: &str) -> Result<String> {
        let digits: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut answer = self.ask(&format!("qRcmd,{digits}"))?;
        let mut text = Vec::new();
        while answer != "OK" {
            let output = answer.strip_prefix('O').unwrap_or(&answer);
            ensure!(!output.is_empty(), "the server knows no monitor commands");
            for pair in output.as_bytes().chunks(2) {
                let pair = std::str::from_utf8(pair).unwrap_or_default();
                text.push(u8::from_str_radix(pair, 16).context("a monitor command's output is not hex digits")?);
            }
            if !answer.starts_with('O') {
                break;
            }
            answer = self.answer()?;
            if self.acknowledged {
                self.writer.write_all(b"+")?;
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn answer(&mut self) -> Result<String> {
        loop {
            match self.byte()? {
                b'$' => break,
                b'+' => {}
                b'-' => bail!("the server did not understand"),
                other => bail!("a byte between packets: {other:#04x}"),
            }
        }
        let mut coded = Vec::new();
        self.reader.read_until(b'#', &mut coded)?;
        ensure!(coded.pop() == Some(b'#'), "the connection ended in an answer");
        let answer = if coded.contains(&b'*') { repeated(&coded)? } else { coded };
        // The checksum: TCP has one of its own.
        self.byte()?;
        self.byte()?;
        String::from_utf8(answer).context("an answer is no text")
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

/// Run-length coding undone: `*` and a count repeat the byte before.
fn repeated(coded: &[u8]) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut bytes = coded.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'*' {
            let count = bytes.next().context("a count is missing")?.saturating_sub(29);
            let last = *answer.last().context("nothing to repeat")?;
            answer.extend(std::iter::repeat_n(last, usize::from(count)));
        } else {
            answer.push(byte);
        }
    }
    Ok(answer)
}

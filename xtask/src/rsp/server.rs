//! A stopped machine seen through its gdb server, in gdb's own packets: registers by name, memory, breakpoints. Ours and
//! QEMU are seen by the same code; what QEMU's packets leave out comes from its monitor.
//!
//! Used by `test/qemu/` and `run/qemu.rs`, over [`super::Client`].

use super::Client;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much memory one packet may ask for: half of QEMU's packet size.
const CHUNK: usize = 0x800;

/// Registers by name, lower case.
pub type Registers = BTreeMap<String, u64>;

/// A machine that stands still.
#[derive(Debug)]
pub struct Server {
    client: Client,
    /// Name, offset and size in the `g` packet.
    layout: Vec<(String, usize, usize)>,
}

impl Server {
    /// Connects and learns which registers there are.
    pub fn connect(address: &str) -> Result<Self> {
        let mut client = Client::connect(address)?;
        let layout = layout(&mut client)?;
        Ok(Self { client, layout })
    }

    /// All registers of a CPU. Those of segments are completed from QEMU's monitor, where there is one.
    pub fn registers(&mut self, cpu: usize) -> Result<Registers> {
        self.select(cpu)?;
        let bytes = bytes(&self.client.ask("g")?)?;
        let mut registers = Registers::new();
        for (name, offset, size) in &self.layout {
            if let Some(part) = bytes.get(*offset..offset + (*size).min(8)) {
                registers.insert(name.clone(), part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)));
            }
        }
        if !registers.contains_key("cs_attr") {
            let text = self.client.monitor("info registers -a")?;
            hidden(&text, cpu, &mut registers)?;
        }
        Ok(registers)
    }

    /// Bytes at a linear address, through a CPU's tables.
    pub fn linear(&mut self, cpu: usize, address: u64, len: usize) -> Result<Vec<u8>> {
        self.select(cpu)?;
        self.memory(address, len).with_context(|| format!("CPU {cpu}, linear {address:016x}"))
    }

    /// A variable of 8 bytes.
    pub fn variable(&mut self, cpu: usize, address: u64) -> Result<u64> {
        let bytes = self.linear(cpu, address, 8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A page of physical memory, as 512 entries.
    pub fn page(&mut self, address: u64) -> Result<Vec<u64>> {
        ensure!(self.client.ask("Qqemu.PhyMemMode:1")? == "OK", "the server does not read physical memory");
        let read = self.memory(address, 0x1000).with_context(|| format!("physical {address:08x}"));
        ensure!(self.client.ask("Qqemu.PhyMemMode:0")? == "OK", "the server stays with physical memory");
        let read = read?;
        let (words, _) = read.as_chunks::<8>();
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    /// Runs until some CPU is about to execute the instruction at this linear address; which one.
    pub fn run_to(&mut self, address: u64, patience: Duration) -> Result<usize> {
        ensure!(self.client.ask(&format!("Z1,{address:x},1"))? == "OK", "no breakpoint can be set at {address:x}");
        let stop = self.client.ask_within("vCont;c", patience)?;
        ensure!(self.client.ask(&format!("z1,{address:x},1"))? == "OK", "the breakpoint at {address:x} stays");
        ensure!(stop.starts_with("T05"), "the machine did not stop at {address:016x}: it said {stop}");
        thread(&stop).with_context(|| format!("the stop names no CPU: {stop}"))
    }

    /// One instruction of one CPU; the others stand still.
    pub fn step(&mut self, cpu: usize) -> Result<()> {
        let stop = self.client.ask(&format!("vCont;s:{:x}", cpu + 1))?;
        ensure!(stop.starts_with("T05"), "CPU {cpu} made no step: {stop}");
        Ok(())
    }

    /// Lets the machine run on by itself.
    pub fn let_go(&mut self) -> Result<()> {
        ensure!(self.client.ask("D")? == "OK", "the server does not let its machine go");
        Ok(())
    }

    fn select(&mut self, cpu: usize) -> Result<()> {
        ensure!(self.client.ask(&format!("Hg{:x}", cpu + 1))? == "OK", "there is no CPU {cpu}");
        Ok(())
    }

    fn memory(&mut self, address: u64, len: usize) -> Result<Vec<u8>> {
        let mut read = Vec::with_capacity(len);
        while read.len() < len {
            let want = (len - read.len()).min(CHUNK);
            let answer = self.client.ask(&format!("m{:x},{want:x}", address.wrapping_add(read.len() as u64)))?;
            let more = bytes(&answer).with_context(|| format!("memory cannot be read: {answer}"))?;
            ensure!(!more.is_empty(), "memory cannot be read");
            read.extend(more);
        }
        Ok(read)
    }
}

/// CPU of a stop, counted from 0.
fn thread(stop: &str) -> Option<usize> {
    let (_, rest) = stop.split_once("thread:")?;
    let id = rest.split(';').next()?;
    let id = id.rsplit('.').next()?;
    usize::from_str_radix(id, 16).ok()?.checked_sub(1)
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    ensure!(rest.is_empty(), "half a byte");
    let byte = |pair: &[u8; 2]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    pairs.iter().map(byte).collect::<Option<_>>().context("no hex digits")
}

/// Reads the target description. In the `g` packet registers stand in the order of their numbers.
fn layout(client: &mut Client) -> Result<Vec<(String, usize, usize)>> {
    let top = description(client, "target.xml")?;
    let mut files = vec![top.clone()];
    for part in top.split("include href=\"").skip(1) {
        files.push(description(client, part.split('"').next().unwrap_or_default())?);
    }
    let files: Vec<String> = files.iter().map(|file| without_comments(file)).collect();
    let (mut numbered, mut next) = (BTreeMap::new(), 0usize);
    for tag in files.iter().flat_map(|file| file.split("<reg ").skip(1)) {
        let tag = tag.split('>').next().unwrap_or_default();
        let value = |name: &str| tag.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        let name = value("name").context("a register without a name")?;
        let bits: usize = value("bitsize").context("a register without a size")?.parse()?;
        let number = value("regnum").map_or(Ok(next), str::parse)?;
        next = number + 1;
        numbered.insert(number, (name.to_ascii_lowercase(), bits / 8));
    }
    let mut offset = 0;
    let with_offset = numbered.into_values().map(|(name, size)| {
        offset += size;
        (name, offset - size, size)
    });
    Ok(with_offset.collect())
}

/// QEMU's description has registers in comments.
fn without_comments(xml: &str) -> String {
    let mut parts = xml.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("-->").map_or("", |(_, after)| after))
}

fn description(client: &mut Client, name: &str) -> Result<String> {
    let mut text = String::new();
    loop {
        let part = client.ask(&format!("qXfer:features:read:{name}:{:x},7f0", text.len()))?;
        match part.split_at_checked(1) {
            Some(("l", last)) => return Ok(text + last),
            Some(("m", more)) if !more.is_empty() => text.push_str(more),
            _ => bail!("the server does not describe its registers ({name}): {part}"),
        }
    }
}

/// Takes what QEMU's `info registers -a` tells of one CPU's segments and descriptor tables, by the names that our server
/// has for them.
fn hidden(text: &str, cpu: usize, registers: &mut Registers) -> Result<()> {
    let mark = format!("CPU#{cpu}");
    let mut parts = text.split(&mark);
    let mine = parts.nth(1).with_context(|| format!("QEMU's monitor does not tell of CPU {cpu}: {text}"))?;
    let mine = mine.split("CPU#").next().unwrap_or_default();
    let number = |digits: &str| u64::from_str_radix(digits, 16).context("no hex number in QEMU's registers");
    for line in mine.lines() {
        let Some((name, rest)) = line.split_once('=') else { continue };
        let name = name.trim().to_ascii_lowercase();
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (name.as_str(), words.as_slice()) {
            ("es" | "cs" | "ss" | "ds" | "fs" | "gs", [_, base, limit, flags, ..]) => {
                registers.insert(format!("{name}_base"), number(base)?);
                registers.insert(format!("{name}_limit"), number(limit)?);
                // The upper half of the descriptor: bytes 5 and 6 are the rights, bits 19:16 the limit's.
                registers.insert(format!("{name}_attr"), number(flags)? >> 8 & 0xf0ff);
            }
            ("gdt" | "idt", [base, limit, ..]) => {
                registers.insert(format!("{name}r_base"), number(base)?);
                registers.insert(format!("{name}r_limit"), number(limit)?);
            }
            _ => {}
        }
    }
    ensure!(registers.contains_key("cs_attr"), "QEMU's monitor does not tell the segments: {mine}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: QEMU's words for hidden parts become our names; method: a CPU in 64-bit mode after one in real mode.
    #[test]
    fn monitor_text() {
        let text = "\r\nCPU#0\r\nEAX=00000000 EBX=1\r\nCS =9c00 0009c000 0000ffff 00009b00\r\nGDT=     00000000 0000ffff\
            \r\n\r\nCPU#1\r\nRAX=0\r\nCS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\r\n\
            GDT=     000000000009d000 0000001f\r\n";
        let of = |cpu| {
            let mut registers = Registers::new();
            hidden(text, cpu, &mut registers).map(|()| registers)
        };
        let real = of(0).unwrap();
        assert_eq!((real["cs_base"], real["cs_limit"], real["cs_attr"]), (0x9c000, 0xffff, 0x9b));
        let long = of(1).unwrap();
        assert_eq!((long["cs_attr"], long["gdtr_base"], long["gdtr_limit"]), (0xa09b, 0x9d000, 0x1f));
        assert!(of(2).is_err());
        assert_eq!(thread("T05thread:p01.02;"), Some(1));
        assert_eq!(without_comments("<a/><!-- <b/> --><c/>"), "<a/><c/>");
    }
}

//! Images of each kind: right ones, and ones that lie.

use super::*;
use crate::machine::Stop;
use crate::machine::run::{Limits, Nobody, Ran};
use protocol::Mode;

const MEMORY: u64 = 32 << 20;
/// `out f4h, al`
const EXIT: [u8; 2] = [0xe6, 0xf4];

fn config(cpus: u16) -> MachineConfig {
    MachineConfig {
        cpus,
        apic_ids: Vec::new(),
        memory_bytes: MEMORY,
        quantum: 64,
        seed: None,
        options: String::new(),
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    }
}

fn pc(start: Start, image: &[u8]) -> PcImage {
    PcImage { start, image: image.to_vec(), cmdline: "kernel quiet".into(), modules: Vec::new(), disks: Vec::new() }
}

/// The error that an image makes, in words.
fn refused(image: &PcImage) -> String {
    match machine(image, &config(1)) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was accepted"),
    }
}

/// Value that a machine ends with.
fn exit_value(machine: &mut Machine) -> u8 {
    match machine.run(Limits::to(10_000), &mut Nobody) {
        Ran::Stopped(Stop::Exit { value }) => value,
        other => panic!("{other:?} at {:x?}", machine.cpus()[0].rip),
    }
}

/// A segment of [`elf32`]: type, physical address, bytes in the file, bytes in memory.
type Part<'a> = (u32, u32, &'a [u8], u32);

/// An ELF file of 32 bits with these segments.
fn elf32(entry: u32, parts: &[Part<'_>]) -> Vec<u8> {
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend_from_slice(&[2, 0, 3, 0]);
    for word in [1, entry, 52, 0, 0] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for half in [52u16, 32, parts.len() as u16, 40, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    let mut offset = 52 + 32 * parts.len() as u32;
    for (kind, paddr, bytes, memory) in parts {
        for word in [*kind, offset, *paddr, *paddr, bytes.len() as u32, *memory, 7, 4] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        offset += bytes.len() as u32;
    }
    parts.iter().for_each(|(_, _, bytes, _)| file.extend_from_slice(bytes));
    file
}

/// A multiboot header with these flags and further words, then code.
fn with_header(flags: u32, words: &[u32], code: &[u8]) -> Vec<u8> {
    let head = [0x1bad_b002, flags, 0u32.wrapping_sub(0x1bad_b002).wrapping_sub(flags)];
    let mut bytes: Vec<u8> = head.iter().chain(words).flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(code);
    bytes
}

/// Goal: a multiboot kernel begins as the specification says, with information that leads to memory, command line and
/// modules; method: an ELF image with two modules, read from memory.
#[test]
fn multiboot_elf() {
    let code = with_header(3, &[], &EXIT);
    let mut image = pc(Start::Multiboot, &elf32(0x10_000c, &[(1, 0x10_0000, &code, 0x2000)]));
    let module = |text: &str, bytes: &[u8]| Module { text: text.into(), bytes: bytes.to_vec() };
    image.modules = vec![module("one a", &[1; 5000]), module("two", b"2")];
    let mut machine = machine(&image, &config(2)).unwrap();
    let cpu = &machine.cpus()[0];
    assert_eq!((cpu.mode(), cpu.linear_pc(), cpu.gpr[gpr::RAX]), (Mode::Protected32, 0x10_000c, 0x2bad_b002));
    let info = cpu.gpr[gpr::RBX];
    let ram = &machine.bus().ram;
    let word = |paddr: u64| u32::from_le_bytes(ram.read(paddr).unwrap());
    let text = |paddr: u32| {
        let bytes = ram.slice(paddr.into(), 64);
        String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap()).into_owned()
    };
    assert_eq!((word(info) & 0x4f, word(info + 4), word(info + 8)), (0x4f, 640, 31 << 10));
    assert_eq!(text(word(info + 16)), "kernel quiet");
    let list = u64::from(word(info + 24));
    assert_eq!((word(info + 20), text(word(list + 8)), text(word(list + 24))), (2, "one a".into(), "two".into()));
    assert_eq!((word(list), word(list + 4)), (0x10_2000, 0x10_2000 + 5000));
    assert_eq!(ram.slice(word(list + 16).into(), 2), b"2\0");
    let (map, bytes) = (u64::from(word(info + 48)), word(info + 44));
    assert_eq!((bytes, word(map), word(map + 4), word(map + 12), word(map + 20)), (5 * 24, 20, 0, 0x9_fc00, 1));
    assert_eq!(exit_value(&mut machine), 0x02);
}

/// Goal: an image without ELF is loaded by the addresses in its header; method: code before the header, room behind it.
#[test]
fn multiboot_by_addresses() {
    let words = [0x20_0004, 0x20_0000, 0, 0x20_8000, 0x20_0000];
    let image = [&[0xe6, 0xf4, 0xf4, 0xf4][..], &with_header(0x1_0000, &words, &[])].concat();
    assert_eq!(exit_value(&mut machine(&pc(Start::Multiboot, &image), &config(1)).unwrap()), 2);
    for (index, value, why) in [
        (0, 0x10_0000, "header lies before"),
        (1, 0x1f_0000, "before the file"),
        (2, 0x1f_ffff, "load_end_addr is below"),
        (2, 0x30_0000, "beyond the file"),
        (3, 0x20_0001, "bss_end_addr"),
        (3, 0xffff_ffff, "memory"),
        (4, 0x30_0000, "entry"),
    ] {
        let mut words = words;
        words[index] = value;
        let image = [&[0xe6, 0xf4, 0xf4, 0xf4][..], &with_header(0x1_0000, &words, &[])].concat();
        let said = refused(&pc(Start::Multiboot, &image));
        assert!(said.contains(why), "{why}: {said}");
    }
}

/// Goal: images that lie are refused by name, with memory bounded; method: one lie each.
#[test]
fn lies() {
    let code = with_header(3, &[], &EXIT);
    let check = |entry, parts: &[Part<'_>], why: &str| {
        let said = refused(&pc(Start::Multiboot, &elf32(entry, parts)));
        assert!(said.contains(why), "{why}: {said}");
    };
    check(0x10_000c, &[(1, 0x10_0000, &code, 0xffff_ffff)], "32 MiB of memory");
    check(0x10_000c, &[(1, 0x10_0000, &code, 4)], "more bytes in the file");
    check(0x10_000c, &[(1, 0x10_0000, &code, 64), (1, 0x10_0020, &[1], 1)], "taken");
    check(0x20_0000, &[(1, 0x10_0000, &code, 64)], "entry");
    check(0x10, &[(1, 0x0, &code, 64)], "interrupt vectors");
    check(0x9_f000, &[(1, 0x9_f000, &code, 0x2_0000)], "display");
    check(0x10_000c, &[(4, 0x10_0000, &code, 64)], "no segment");
    let mut cut = elf32(0x10_000c, &[(1, 0x10_0000, &code, 64)]);
    cut.truncate(cut.len() - 1);
    assert!(refused(&pc(Start::Multiboot, &cut)).contains("beyond the file"));
    assert!(refused(&pc(Start::Multiboot, b"nothing")).contains("no multiboot header"));
    assert!(refused(&pc(Start::Multiboot, &with_header(0x8, &[], &[]))).contains("features"));
    assert!(refused(&pc(Start::Multiboot, &with_header(0x1_0000, &[1], &[]))).contains("cut off"));
    assert!(refused(&pc(Start::Pvh, b"\x7fELF")).contains("ELF"));
    assert!(refused(&pc(Start::Rom, &[0; 100])).contains("128 KiB"));
    assert!(refused(&pc(Start::Disk, &[])).contains("no disk"));
    let mut disk = pc(Start::Disk, &[]);
    disk.disks = vec![[0u8; 512].as_slice().into()];
    assert!(refused(&disk).contains("55h AAh"));
    assert!(refused(&pc(Start::Flat { paddr: u64::MAX, real: false }, &[1])).contains("memory"));
}

/// Goal: a PVH kernel gets its start information; method: an entry by note, memory map and command line read back.
#[test]
fn pvh() {
    let note = [4u32.to_le_bytes(), 4u32.to_le_bytes(), 18u32.to_le_bytes(), *b"Xen\0", 0x10_0000u32.to_le_bytes()];
    let image = elf32(0, &[(1, 0x10_0000, &EXIT, 16), (4, 0, note.as_flattened(), 20)]);
    let mut machine = machine(&pc(Start::Pvh, &image), &config(1)).unwrap();
    let info = machine.cpus()[0].gpr[gpr::RBX];
    let word = |at: u64| u64::from_le_bytes(machine.bus().ram.read(info + at).unwrap());
    assert_eq!((word(0), word(48) as u32), (0x1_336e_c578, 5));
    assert_eq!(machine.bus().ram.slice(word(24), 7), b"kernel ");
    assert_eq!(machine.bus().ram.slice(word(32), 8), b"RSD PTR ");
    assert_eq!(u64::from_le_bytes(machine.bus().ram.read(word(40) + 8).unwrap()), 0x9_fc00);
    assert_eq!(exit_value(&mut machine), 0);
}

/// Goal: a ROM runs from the reset vector, is seen below 1 MiB too, and cannot be written in either place, also in a copy of
/// the machine; method: it jumps to its low copy, writes itself there, and ends with what it reads.
#[test]
fn rom() {
    let mut image = vec![0xf4; 0x1_0000];
    // jmp f000:e000
    image[0xfff0..0xfff5].copy_from_slice(&[0xea, 0x00, 0xe0, 0x00, 0xf0]);
    // mov byte cs:[e100h], 12h; mov al, cs:[e100h]; out f4h, al
    let code = [0x2e, 0xc6, 0x06, 0x00, 0xe1, 0x12, 0x2e, 0xa0, 0x00, 0xe1, 0xe6, 0xf4];
    image[0xe000..0xe000 + code.len()].copy_from_slice(&code);
    let mut machine = machine(&pc(Start::Rom, &image), &config(1)).unwrap();
    let mut copy = machine.fork(None);
    assert_eq!(exit_value(&mut machine), 0xf4);
    assert_eq!(exit_value(&mut copy), 0xf4);
}

/// Goal: a boot sector finds itself at 0000:7C00 with its drive in DL, and its disk on the first IDE channel; method: it reads
/// the second sector by itself and ends with its first byte.
#[test]
fn disk() {
    let mut image = vec![0u8; 1024];
    image[512] = 0x5a;
    let outb = |port: u16, value: u8| [0xba, port as u8, (port >> 8) as u8, 0xb0, value, 0xee];
    let code = [
        outb(0x1f2, 1),
        outb(0x1f3, 1),
        outb(0x1f4, 0),
        outb(0x1f5, 0),
        outb(0x1f6, 0xe0),
        outb(0x1f7, 0x20),
        // mov dx, 1f0h; in ax, dx; out f4h, al
        [0xba, 0xf0, 0x01, 0xed, 0xe6, 0xf4],
    ];
    image[..42].copy_from_slice(code.as_flattened());
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut pc = pc(Start::Disk, &[]);
    pc.disks = vec![image.into()];
    let mut machine = machine(&pc, &config(1)).unwrap();
    let cpu = &machine.cpus()[0];
    assert_eq!((cpu.mode(), cpu.linear_pc(), cpu.gpr[gpr::RDX]), (Mode::Real, 0x7c00, 0x80));
    assert_eq!(exit_value(&mut machine), 0x5a);
}

/// Goal: ACPI and MP tables name the processors, and their sums are zero; method: follow both as a kernel does.
#[test]
fn tables_name_processors() {
    let machine = machine(&pc(Start::Flat { paddr: 0x10_0000, real: false }, &EXIT), &config(3)).unwrap();
    let ram = &machine.bus().ram;
    let word = |paddr: u64| u32::from_le_bytes(ram.read(paddr).unwrap());
    let sum =
        |paddr: u64, len: u32| ram.slice(paddr, len as usize).iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    assert_eq!((ram.slice(0xe_0000, 8), sum(0xe_0000, 20)), (&b"RSD PTR "[..], 0));
    let rsdt = u64::from(word(0xe_0010));
    let tables = [word(rsdt + 36), word(rsdt + 40)].map(u64::from);
    for table in [rsdt, tables[0], tables[1]] {
        assert_eq!(sum(table, word(table + 4)), 0);
    }
    assert_eq!(ram.slice(tables[0], 4), b"FACP");
    assert_eq!((word(tables[0] + 64), word(tables[0] + 76)), (0x604, 0x608));
    let madt = ram.slice(tables[1] + 44, 24);
    assert_eq!(madt, [0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0, 0, 0, 8, 2, 2, 1, 0, 0, 0]);
    assert_eq!((ram.slice(0xf_0000, 4), sum(0xf_0000, 16)), (&b"_MP_"[..], 0));
    let table = u64::from(word(0xf_0004));
    let len = word(table + 4) & 0xffff;
    assert_eq!((ram.slice(table, 4), sum(table, len)), (&b"PCMP"[..], 0));
    assert_eq!(ram.slice(table + 44 + 20, 4), [0, 1, 0x14, 1]);
}

/// Goal: the 8254 wakes a halted processor through the 8259 pair, again and again, at its rate; method: a real-mode program
/// that halts three times and ends.
#[test]
fn timer_wakes() {
    // sti; hlt; hlt; hlt; out f4h, al
    let code = [0xfb, 0xf4, 0xf4, 0xf4, 0xe6, 0xf4];
    let image = pc(Start::Flat { paddr: 0x7c00, real: true }, &code);
    let mut machine = machine(&image, &config(1)).unwrap();
    assert_eq!(machine.next_stepper(), Some(CpuId(0)));
    exit_value(&mut machine);
    let ms = machine.clock_ns() / 1_000_000;
    assert!((164..=166).contains(&ms), "{ms} ms for three periods of 54.9 ms");
    let mut machine = super::machine(&pc(Start::Flat { paddr: 0x7c00, real: true }, &[0xf4]), &config(1)).unwrap();
    assert_eq!(machine.run(Limits::to(10), &mut Nobody), Ran::Stopped(Stop::AllWaiting), "IF is clear");
}

/// Goal: power-off ends the machine; method: S5 by PM1 control.
#[test]
fn power_off() {
    // mov dx, 604h; mov ax, 2000h; out dx, ax
    let code = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef];
    let mut machine = machine(&pc(Start::Flat { paddr: 0x7c00, real: true }, &code), &config(1)).unwrap();
    assert_eq!(machine.run(Limits::to(10), &mut Nobody), Ran::Stopped(Stop::PowerOff));
}

//! A record: state before and after some code, on the host and on the machine.

use machine::bare::{Bare as Lab, CODE, DATA};
use machine::cpu::flags::STATUS;
use machine::cpu::{X87, cr0, cr4, gpr};
use machine::fault::{Trap, vector};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const SIZE: usize = 1024;
const GPR: usize = 512;
const FLAGS: usize = 640;
const SIGNAL: usize = 648;
const CODE_AT: usize = 704;
const DATA_AT: usize = 768;
/// Bytes of data that RSI points to.
pub const DATA_BYTES: usize = 128;

/// What an instruction is given and what it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub x87: X87,
    pub xmm: [u128; 16],
    pub mxcsr: u32,
    /// RSP and RSI are not compared.
    pub gpr: [u64; 16],
    /// Status flags.
    pub flags: u64,
    pub data: [u8; DATA_BYTES],
    /// The signal that ended it, 0: none.
    pub signal: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            x87: X87::initialized([0; 8]),
            xmm: [0; 16],
            mxcsr: 0x1f80,
            gpr: [0; 16],
            flags: 0,
            data: [0; DATA_BYTES],
            signal: 0,
        }
    }
}

/// Some code and the state before it.
#[derive(Clone, Debug)]
pub struct Case {
    pub code: Vec<u8>,
    pub state: State,
}

fn encode(case: &Case) -> [u8; SIZE] {
    let mut record = [0; SIZE];
    let State { x87, xmm, mxcsr, gpr, flags, data, .. } = &case.state;
    record[0..2].copy_from_slice(&x87.fcw.to_le_bytes());
    record[2..4].copy_from_slice(&x87.fsw.to_le_bytes());
    record[4] = x87.ftw;
    record[24..28].copy_from_slice(&mxcsr.to_le_bytes());
    for i in 0..8 {
        record[32 + 16 * i..][..10].copy_from_slice(&x87.raw(i).to_le_bytes()[..10]);
    }
    for (index, value) in xmm.iter().enumerate() {
        record[160 + 16 * index..][..16].copy_from_slice(&value.to_le_bytes());
    }
    for (index, value) in gpr.iter().enumerate() {
        record[GPR + 8 * index..][..8].copy_from_slice(&value.to_le_bytes());
    }
    record[FLAGS..][..8].copy_from_slice(&(flags | 0x202).to_le_bytes());
    record[CODE_AT..][..64].fill(0x90);
    record[CODE_AT..][..case.code.len()].copy_from_slice(&case.code);
    record[DATA_AT..][..DATA_BYTES].copy_from_slice(data);
    record
}

fn decode(record: &[u8; SIZE]) -> State {
    let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().expect("8 bytes"));
    let wide = |at: usize| u128::from_le_bytes(record[at..at + 16].try_into().expect("16 bytes"));
    let mut x87 = X87::initialized([0; 8]);
    (x87.fcw, x87.fsw, x87.ftw) = (word(0) as u16, (word(0) >> 16) as u16, (word(0) >> 32) as u8);
    for i in 0..8 {
        let number = x87.number_of(i);
        x87.r[number] = wide(32 + 16 * i) & ((1 << 80) - 1);
    }
    State {
        x87,
        xmm: std::array::from_fn(|index| wide(160 + 16 * index)),
        mxcsr: word(24) as u32,
        gpr: std::array::from_fn(|index| word(GPR + 8 * index)),
        flags: word(FLAGS) & STATUS,
        data: record[DATA_AT..][..DATA_BYTES].try_into().expect("so many"),
        signal: word(SIGNAL),
    }
}

/// Builds the helper once. None, with a line that says why: it cannot be.
fn helper() -> Option<&'static PathBuf> {
    static HELPER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/native/helper.S");
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("native-helper");
        let flags = ["-nostdlib", "-static", "-no-pie", "-Wl,-N", "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments"];
        let output = Command::new("cc").args(flags).arg("-o").arg(&program).arg(source).output();
        match output {
            Ok(output) if output.status.success() => Some(program),
            Ok(output) => {
                eprintln!("SKIPPED: cc cannot build the native helper: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                eprintln!("SKIPPED: there is no cc to build the native helper with: {error}");
                None
            }
        }
    };
    HELPER.get_or_init(build).as_ref()
}

/// What the host makes of the cases. None: it cannot be asked.
fn on_host(cases: &[Case]) -> Option<Vec<State>> {
    let mut child =
        Command::new(helper()?).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("helper starts");
    let mut input = child.stdin.take().expect("piped");
    let mut output = child.stdout.take().expect("piped");
    let records: Vec<u8> = cases.iter().flat_map(encode).collect();
    let feeder = std::thread::spawn(move || input.write_all(&records));
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).expect("helper answers");
    feeder.join().expect("no panic").expect("helper reads");
    assert!(child.wait().expect("helper ends").success());
    assert_eq!(bytes.len(), cases.len() * SIZE, "an answer to each case");
    Some(bytes.chunks_exact(SIZE).map(|record| decode(record.try_into().expect("whole"))).collect())
}

/// What the machine makes of a case.
pub fn on_machine(case: &Case) -> State {
    let mut lab = Lab::new(64, &case.code);
    lab.cpu.cr0 |= cr0::NE | cr0::MP;
    lab.cpu.cr4 |= cr4::OSXMMEXCPT;
    let State { x87, xmm, mxcsr, gpr, flags, data, .. } = &case.state;
    (lab.cpu.x87, lab.cpu.xmm, lab.cpu.mxcsr) = (x87.clone(), *xmm, *mxcsr);
    lab.cpu.x87.summarize();
    lab.cpu.gpr = *gpr;
    lab.cpu.gpr[gpr::RSI] = DATA;
    lab.cpu.rflags |= flags;
    lab.bus.ram.write_slice(DATA, data);
    let mut signal = 0;
    while lab.cpu.rip != CODE + case.code.len() as u64 {
        match lab.step() {
            Ok(()) => {}
            Err(Trap::Fault(fault)) => {
                signal = match fault.vector {
                    vector::X87_FLOATING_POINT | vector::SIMD_FLOATING_POINT => 8,
                    vector::INVALID_OPCODE => 4,
                    _ => 11,
                };
                break;
            }
            Err(Trap::Unsupported(what)) => panic!("{:02x?}: {what}", case.code),
        }
    }
    let mut x87 = X87 { fip: 0, fcs: 0, fdp: 0, fds: 0, fop: 0, ..lab.cpu.x87 };
    // FXSAVE stores bits 79:0 of what is there; so does the record.
    x87.r.iter_mut().for_each(|value| *value &= (1 << 80) - 1);
    let data = lab.memory(DATA);
    let (xmm, mxcsr, gpr, flags) = (lab.cpu.xmm, lab.cpu.mxcsr, lab.cpu.gpr, lab.cpu.rflags & STATUS);
    State { x87, xmm, mxcsr, gpr, flags, data, signal }
}

/// Runs all cases on both, and compares after `forgive` has made equal what may differ (host's, then the machine's state).
/// Fails with the first differences of each opcode.
pub fn compare(cases: &[Case], forgive: impl Fn(&Case, &mut State, &mut State)) {
    let Some(answers) = on_host(cases) else { return };
    let mut complaints = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for (case, mut host) in cases.iter().zip(answers) {
        let mut ours = on_machine(case);
        for index in [gpr::RSP, gpr::RSI] {
            (host.gpr[index], ours.gpr[index]) = (0, 0);
        }
        forgive(case, &mut host, &mut ours);
        if host != ours {
            let count = seen.entry(case.code.clone()).or_insert(0);
            *count += 1;
            if *count <= 1 {
                complaints.push(describe(case, &host, &ours));
            }
        }
    }
    let total: usize = seen.values().sum();
    let some = &complaints[..complaints.len().min(30)];
    assert!(complaints.is_empty(), "{total} of {} cases differ:\n{}", cases.len(), some.join("\n"));
}

fn describe(case: &Case, host: &State, ours: &State) -> String {
    use std::fmt::Write;
    let mut decoder = iced_x86::Decoder::new(64, &case.code, iced_x86::DecoderOptions::NONE);
    let mut text = String::new();
    iced_x86::Formatter::format(&mut iced_x86::IntelFormatter::new(), &decoder.decode(), &mut text);
    let before = &case.state;
    let mut out = format!("{text} ({:02x?}), fcw {:04x} mxcsr {:04x}", case.code, before.x87.fcw, before.mxcsr);
    let mut row = |name: String, before: String, host: String, ours: String| {
        if host != ours {
            let _ = write!(out, "\n   {name}: from {before}, host {host}, machine {ours}");
        }
    };
    let hex = |value: u128| format!("{value:x}");
    let pairs = |s: &State| {
        let mut pairs = vec![
            ("fcw".to_owned(), u128::from(s.x87.fcw)),
            ("fsw".to_owned(), s.x87.fsw.into()),
            ("ftw".to_owned(), s.x87.ftw.into()),
            ("mxcsr".to_owned(), s.mxcsr.into()),
            ("flags".to_owned(), s.flags.into()),
            ("signal".to_owned(), s.signal.into()),
        ];
        pairs.extend((0..8).map(|i| (format!("r{i}"), s.x87.r[i])));
        pairs.extend((0..16).map(|i| (format!("xmm{i}"), s.xmm[i])));
        pairs.extend((0..16).map(|i| (format!("gpr{i}"), s.gpr[i].into())));
        pairs.extend(
            (0..8).map(|i| (format!("data{i}"), u128::from_le_bytes(s.data[16 * i..][..16].try_into().expect("16")))),
        );
        pairs
    };
    for (((name, b), (_, h)), (_, o)) in pairs(before).into_iter().zip(pairs(host)).zip(pairs(ours)) {
        row(name, hex(b), hex(h), hex(o));
    }
    let top = before.x87.top();
    let _ =
        write!(out, "\n   st0 {:x} st1 {:x} ftw {:x} top {top}", before.x87.raw(0), before.x87.raw(1), before.x87.ftw);
    let _ =
        write!(out, "\n   xmm0 {:032x} xmm1 {:032x} data {:02x?}", before.xmm[0], before.xmm[1], &before.data[..16]);
    out
}

//! Commands as they are written, the changes that edits make, and each mistake.

use super::*;
use crate::expr::tests::{cpus, moment};
use crate::stop::Stop;

fn parse(text: &str) -> Result<Command, (usize, String)> {
    let names = ["page".to_owned()];
    Command::parse(text, &Scope { drawn: &names, answer: false })
}

/// Goal: each command is read; method: a table.
#[test]
fn commands() {
    for (text, expect) in [
        ("step cpu1", Command::Step(Some(CpuId(1)))),
        ("step", Command::Step(None)),
        ("step-back  cpu1", Command::StepBack(Some(CpuId(1)))),
        ("steps 0x10", Command::Steps(16)),
        ("over cpu1", Command::Over(CpuId(1))),
        ("event", Command::Event(None)),
        ("event-back cpu0", Command::EventBack(Some(CpuId(0)))),
        ("run", Command::Run(None)),
        ("run at tr_set_pe on cpu1", Command::Run(Some(Stop::At { symbol: "tr_set_pe".into(), cpu: Some(CpuId(1)) }))),
        ("seek start", Command::Seek(Stop::Start)),
        ("undo", Command::Undo),
        ("action 2", Command::Action(1)),
        (r#"type "ipi 1 init\n""#, Command::Type("ipi 1 init\n".into())),
        (r#"type "a\"b\\c""#, Command::Type("a\"b\\c".into())),
    ] {
        assert_eq!(parse(text), Ok(expect), "{text}");
    }
}

/// The change that an edit makes in the machine of the expressions' tests.
fn check_edit(text: &str, expect: Result<Edit, &str>) {
    let Ok(Command::Edit(edit)) = parse(text) else { panic!("{text}: {:?}", parse(text)) };
    match (edit.request(&mut moment()), expect) {
        (Ok(edit), Ok(expect)) => assert_eq!(edit, expect, "{text}"),
        (Err(NoValue::Wrong(error)), Err(expect)) => assert!(error.what.starts_with(expect), "{text}: {error}"),
        (found, expect) => panic!("{text}: {found:?}, expected {expect:?}"),
    }
}

/// Goal: edits name registers as a server does and keep the bits that are not meant; method: a table of edits.
#[test]
fn edits() {
    let register = |cpu, name: &str, value| Ok(Edit::Register { cpu: CpuId(cpu), name: name.into(), value });
    let phys = |at, bytes: &[u8]| Ok(Edit::Memory { at: Place::Phys(PhysAddr(at)), bytes: bytes.to_vec() });
    check_edit("edit cpu0.rax = 0x4040", register(0, "rax", 0x4040));
    check_edit("edit cpu0.ax = 0x4040", register(0, "rax", 0x1122_3344_5566_4040));
    check_edit("edit cpu0.ah = 1", register(0, "rax", 0x1122_3344_5566_01c4));
    check_edit("edit cpu0.eax = 1", register(0, "rax", 0x1122_3344_0000_0001));
    check_edit("edit cpu0.cr4.pae = 0", register(0, "cr4", 0x80));
    check_edit("edit cpu0.cr4 = cpu0.cr4 & ~0x20", register(0, "cr4", 0x80));
    check_edit("edit cpu0.efer.lme = cpu0.efer.lme == 1 ? 0 : 1", register(0, "efer", 0xc01));
    check_edit("edit cpu1.rflags.if = 0", register(1, "rflags", 0x2));
    check_edit("edit cpu1.cs.base = 0", register(1, "cs_base", 0));
    check_edit("edit cpu1.cs.p = 0", register(1, "cs_attr", 0x401b));
    check_edit("edit cpu1.cs.sel = 8", register(1, "cs", 8));
    check_edit("edit cpu1.gdtr.limit = 7", register(1, "gdtr_limit", 7));
    check_edit("edit cpu1.rip = cpu1.rip + 2", register(1, "rip", 2));
    check_edit("edit cpu1.ip = 5", register(1, "rip", 5));
    check_edit("edit mem8(page + 5) = 0x1b", phys(0x9a005, &[0x1b]));
    check_edit("edit mem16(0x5000) = 0x0b0f", phys(0x5000, &[0x0f, 0x0b]));
    let linear = Place::Linear { cpu: CpuId(0), linear: LinearAddr(0x9b000) };
    check_edit("edit lin8(cpu0, 0x9b000) = 1", Ok(Edit::Memory { at: linear, bytes: vec![1] }));
    check_edit("edit cpu0.cr4.pae = 2", Err("0x2 does not fit: there are 1 bits"));
    check_edit("edit mem8(0) = 256", Err("0x100 does not fit into 1 bytes"));
    check_edit("edit cpu5.rax = 0", Err("this machine has no CPU 5"));
    check_edit("edit cpu0.rax = real", Err("it is the word `real`"));
    assert_eq!(cpus()[0].cr4, 0xa0, "the table above counts on it");
}

/// Goal: what is no command says what one is; method: a table of mistakes.
#[test]
fn mistakes() {
    let long = format!("type \"{}\"", "x".repeat(201));
    for (text, expect) in [
        ("", "1: there is no command ``; commands are `step cpu1`"),
        ("sh -c ls", "1: there is no command `sh`"),
        ("step cpu", "6: after `step` stands a CPU, as in `step cpu1`, not `cpu`"),
        ("  over", "3: say over which CPU's instruction"),
        ("steps", "1: `steps` is no stop"),
        ("run to tr_set_pe", "5: `to tr_set_pe` is no stop"),
        ("seek after ipi(x=1)", "16: an event `ipi` has no `x`"),
        ("action 0", "8: after `action` stands the number"),
        ("type hello", "6: what is typed stands in quotes"),
        (r#"type "a\x""#, "8: after `\\` stands n, r, t"),
        (r#"type "a"b""#, "8: a quote inside the text"),
        ("type \"\"", "6: 1 to 200 characters are typed at once"),
        (&long, "6: 1 to 200 characters are typed at once"),
        ("edit", "6: an edit is `edit TARGET = EXPR`"),
        ("edit cpu1.rax", "6: an edit is `edit TARGET = EXPR`"),
        ("edit cpu1.rax == 1", "6: an edit is `edit TARGET = EXPR`"),
        ("edit cpu1.rax = ", "16: a value is expected here"),
        ("edit cpu1.rxx = 1", "11: a CPU has no `rxx`"),
        ("edit cpu1.rax + 1 = 1", "6: `cpu1.rax + 1` cannot be edited"),
        ("edit cpu1.steps = 1", "6: `cpu1.steps` cannot be edited"),
        ("edit cpu1.svr = 1", "6: `cpu1.svr` cannot be edited"),
        ("edit image8(0) = 1", "6: `image8(0)` cannot be edited"),
        ("edit cpu1.rax = nothing", "17: there is no `nothing`"),
    ] {
        let (column, what) = parse(text).expect_err(text);
        let message = format!("{column}: {what}");
        assert!(message.starts_with(expect), "{text}\nsays     {message}\nexpected {expect}");
    }
}

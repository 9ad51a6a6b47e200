//! Expressions against a small machine made by hand: what each part is worth, what is asked, and every mistake's message.

use super::*;
use crate::answer::Given;
use crate::seed::Drawn;
use protocol::cpu::{SegmentReg, TableReg};
use protocol::event::{ControlRegister, Delivery, Ignored};
use protocol::page_table::{EntryKind, Rights, TlbEntry, WalkEnd, WalkStep, WalkTrace};
use protocol::profile::{Blob, BlobSymbol, ListingLine, Profile, Root, Symbol};
use protocol::request::{Answer, CodeLine, Place, Request};
use protocol::{Activity, CpuState, Event, EventKind, LinearAddr, Mode, PhysAddr, Position};
use std::sync::Arc;

const BLOB: u64 = 0x9a000;

/// Two kernel symbols and two variables; a blob with two labels; two roots.
pub(crate) fn profile() -> Profile {
    let symbol = |name: &str, linear, size| Symbol { name: name.into(), linear, size, code: true, listing: Vec::new() };
    let cli = ListingLine { offset: 0, source: "cli".into(), comment: String::new(), at: "t.S:1".into() };
    Profile {
        version: protocol::profile::VERSION,
        image_sha256: String::new(),
        symbols: vec![
            symbol("secondary_startup_64", 0xffff_ffff_8000_0000, 0x40),
            symbol("kernel::smp::wake", 0xffff_ffff_8000_0100, 0x80),
            symbol("real_mode_base", 0xffff_ffff_8010_0000, 8),
            symbol("trampoline_pgd_paddr", 0xffff_ffff_8010_0008, 8),
            symbol("init_top_pgt_paddr", 0xffff_ffff_8010_0010, 8),
        ],
        blobs: vec![Blob {
            name: "realmode".into(),
            base_symbol: "real_mode_base".into(),
            size: 0x3000,
            image_linear: 0xffff_ffff_8020_0000,
            symbols: vec![
                BlobSymbol { name: "tr_gdt".into(), offset: 0x20, bits: 0, listing: Vec::new() },
                BlobSymbol { name: "trampoline_start".into(), offset: 0x1000, bits: 16, listing: vec![cli] },
            ],
        }],
        roots: vec![
            Root { name: "trampoline_pgd".into(), symbol: "trampoline_pgd_paddr".into() },
            Root { name: "init_top_pgt".into(), symbol: "init_top_pgt_paddr".into() },
        ],
    }
}

/// CPU 0 in long mode with paging, CPU 1 in real mode at the trampoline's beginning.
pub(crate) fn cpus() -> Vec<CpuState> {
    let mut zero =
        CpuState { mode: Mode::Long, cr0: 0x8001_0033, cr3: 0x1000, cr4: 0xa0, efer: 0xd01, ..CpuState::default() };
    zero.ip = 0xffff_ffff_8000_0104;
    zero.gpr[0] = 0x1122_3344_5566_77c4;
    zero.lapic.icr = 0x0300_0000_0000_469a;
    zero.lapic.svr = 0x1ff;
    let mut one = CpuState { mode: Mode::Real, steps: 1, apic_id: 3, rflags: 0x202, ..CpuState::default() };
    one.cpu = CpuId(1);
    one.ip = 0;
    one.segments[1] = SegmentReg { selector: 0x9b00, base: 0x9b000, limit: 0xffff, attributes: 0x409b };
    one.gdtr = TableReg { base: 0x9a020, limit: 0x1f };
    one.lapic.svr = 0xff;
    vec![zero, one]
}

fn events() -> Vec<Event> {
    let event =
        |position, cpu, kind| Event { position: Position(position), clock_ns: position * 10, cpu: CpuId(cpu), kind };
    let ipi = |vector, ignored| EventKind::Ipi {
        delivery: Delivery::Sipi,
        from: CpuId(0),
        to: Some(CpuId(1)),
        vector,
        ignored,
    };
    vec![
        event(110, 0, ipi(0x9b, None)),
        event(111, 1, EventKind::Activity { from: Activity::WaitForSipi, to: Activity::Running }),
        event(112, 1, EventKind::Cr { register: ControlRegister::Cr3, old: 0, new: 0x9c000 }),
        event(113, 0, ipi(0x9b, Some(Ignored::NotInWaitForSipi))),
        event(
            114,
            1,
            EventKind::Fault {
                vector: 14,
                error: Some(0x10),
                at: LinearAddr(0x9b0aa),
                cr2: Some(LinearAddr(0x77)),
                cause: String::new(),
            },
        ),
    ]
}

/// Answers as a server with this machine would.
pub(crate) fn serve(request: &Request) -> Answer {
    let bytes = |bytes: &[u8]| Answer::Memory { bytes: bytes.to_vec(), unreadable: None };
    match request {
        Request::Memory { from: Place::Linear { linear, .. }, len: 8 } => match linear.0 {
            0xffff_ffff_8010_0000 => bytes(&BLOB.to_le_bytes()),
            0xffff_ffff_8010_0008 => bytes(&0x9c000u64.to_le_bytes()),
            _ => bytes(&0u64.to_le_bytes()),
        },
        Request::Memory { from: Place::Phys(PhysAddr(0x5000)), len } => {
            bytes(&[0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0][..*len as usize])
        }
        Request::Memory { .. } => Answer::Memory { bytes: Vec::new(), unreadable: Some("no RAM there".into()) },
        Request::Image { linear, len } => bytes(&linear.0.to_le_bytes()[..*len as usize]),
        Request::Walk { linear, .. } => Answer::Walk(walk(*linear)),
        Request::Tlb { .. } => {
            let entry = |linear, global| TlbEntry {
                linear: LinearAddr(linear),
                phys: PhysAddr(linear),
                size: 0x1000,
                rights: Rights::default(),
                global,
                dirty: false,
                pcid: 0,
            };
            Answer::Tlb(vec![entry(0x9b000, true), entry(0x9c000, false), entry(0xffff_ffff_8000_0000, true)])
        }
        Request::Events { from, to, .. } => {
            Answer::Events(events().into_iter().filter(|e| e.position > *from && e.position <= *to).collect())
        }
        Request::Listing { bits: 16, .. } => Answer::Code(vec![CodeLine {
            linear: LinearAddr(0x9b000),
            bytes: vec![0xfa],
            intel: "cli".into(),
            att: "cli".into(),
            bits: 16,
            target: None,
        }]),
        other => Answer::Refused(protocol::request::Refusal::Invalid(format!("not in this test: {other:?}"))),
    }
}

/// 9b000 is mapped to itself, anything else fails at the PML4.
fn walk(linear: LinearAddr) -> WalkTrace {
    let rights = Rights { write: false, user: false, execute: true };
    let step = |level, kind| WalkStep {
        level,
        table: PhysAddr(0x1000),
        index: 0,
        raw: 0x9b063 + u64::from(level),
        kind,
        effective: rights,
    };
    let page = EntryKind::Page { phys: PhysAddr(0x9b000), size: 4096 };
    let table = EntryKind::Table { next: PhysAddr(0x2000) };
    let mapped = linear.0 >> 12 == 0x9b;
    WalkTrace {
        linear,
        root: PhysAddr(0x1000),
        mode: Default::default(),
        steps: if mapped {
            vec![step(4, table.clone()), step(3, table.clone()), step(2, table), step(1, page)]
        } else {
            vec![step(4, EntryKind::NotPresent)]
        },
        end: if mapped {
            WalkEnd::Mapped { phys: PhysAddr(linear.0), size: 4096, rights, global: true }
        } else {
            WalkEnd::NotPresent { level: 4 }
        },
        tlb: None,
        stale: false,
    }
}

/// The machine at position 120 of a step that began at 111.
pub(crate) fn moment() -> Moment {
    let drawn = Drawn { numbers: vec![("page".into(), 0x9a000), ("ap".into(), 3)] };
    Moment::new(Some(Arc::new(profile())), Arc::new(drawn), Position(120), Position(111)).with_cpus(&cpus())
}

fn scope() -> [String; 2] {
    ["page".into(), "ap".into()]
}

/// Evaluates, answering what is missing; also says how often had to be asked.
pub(crate) fn eval_in(text: &str, moment: &mut Moment) -> (Result<Value, String>, usize) {
    let expr = match Expr::parse(text, &Scope { drawn: &scope(), answer: true }) {
        Ok(expr) => expr,
        Err(error) => return (Err(format!("{}: {}", error.column, error.what)), 0),
    };
    for asked in 0..10 {
        match expr.eval(moment) {
            Ok(value) => return (Ok(value), asked),
            Err(NoValue::Wrong(error)) => return (Err(format!("{}: {}", error.column, error.what)), asked),
            Err(NoValue::Missing) => {
                let requests = moment.take_missing();
                assert!(!requests.is_empty(), "{text}: something is missing, but nothing is asked");
                for request in requests {
                    let answer = serve(&request);
                    moment.learn(&request, answer);
                }
            }
        }
    }
    panic!("{text} never has a value");
}

fn check(text: &str, expect: Value) {
    assert_eq!(eval_in(text, &mut moment()).0, Ok(expect), "{text}");
}

fn check_int(text: &str, expect: u64) {
    check(text, Value::Int(expect));
}

/// The message must begin with column and words.
fn check_wrong(text: &str, expect: &str) {
    match eval_in(text, &mut moment()).0 {
        Err(message) => assert!(message.starts_with(expect), "{text}\nsays     {message}\nexpected {expect}"),
        Ok(value) => panic!("{text} is {value}, but should say: {expect}"),
    }
}

/// Goal: numbers and operators mean what the language says; method: a table, precedence and masks included.
#[test]
fn arithmetic() {
    for (text, expect) in [
        ("0x9a000", 0x9a000),
        ("9a000h", 0x9a000),
        ("0b101", 5),
        ("0b1h", 0xb1),
        ("1_000", 1000),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("1 << 4 + 1", 32),
        ("0xff & 0xf0 | 1", 0xf1),
        ("6 ^ 3", 5),
        ("17 / 5 * 10 + 17 % 5", 32),
        ("~0", u64::MAX),
        ("~0x20 & 0xff", 0xdf),
        ("(3 - 5) & 0xffff", 0xfffe),
        ("(1 - 2 + 0xffff_ffff_ffff_ffff) & 0xff", 0xfe),
        ("(1 << 63 << 1) & 0xff", 0),
        ("min(3, max(1, 2))", 2),
        ("bits(0xabcd, 15, 8)", 0xab),
        ("bits(~0, 63, 0)", u64::MAX),
        ("true ? 1 : 2", 1),
        ("0 ? 1 : 0 ? 2 : 3", 3),
        ("page >> 12", 0x9a),
    ] {
        check_int(text, expect);
    }
    for (text, expect) in [
        ("5 & 4 == 4", true),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", true),
        ("1 != 1 || !false", true),
        ("real == real", true),
        ("real == none", false),
        ("5 == none", false),
        ("none == none", true),
        ("true == 1", true),
        ("false && 1 / 0 == 0", false),
    ] {
        check(text, Value::Bool(expect));
    }
    check("segoff(0x9a00, 16)", Value::word("9a00:0010"));
    check("'trampoline_pgd'", Value::word("trampoline_pgd"));
}

/// Goal: every part of a CPU has its name; method: a table over the two CPUs.
#[test]
fn cpu_fields() {
    for (text, expect) in [
        ("cpu0.rax", 0x1122_3344_5566_77c4),
        ("cpu0.eax", 0x5566_77c4),
        ("cpu0.ax", 0x77c4),
        ("cpu0.al", 0xc4),
        ("cpu0.ah", 0x77),
        ("cpu0.r8d", 0),
        ("cpu0.rip", 0xffff_ffff_8000_0104),
        ("cpu1.rip", 0x9b000),
        ("cpu1.ip", 0),
        ("cpu1.rflags.if", 1),
        ("cpu1.eflags.cf", 0),
        ("cpu0.cr0.pg", 1),
        ("cpu0.cr4.pae", 1),
        ("cpu0.cr4.pge", 1),
        ("cpu0.efer.lme", 1),
        ("cpu1.cs.sel", 0x9b00),
        ("cpu1.cs.base + cpu1.ip", 0x9b000),
        ("cpu1.cs.limit", 0xffff),
        ("cpu1.cs.p", 1),
        ("cpu1.cs.type", 11),
        ("cpu1.cs.d", 1),
        ("cpu1.cs.l", 0),
        ("cpu1.gdtr.base", 0x9a020),
        ("cpu1.gdtr.limit", 0x1f),
        ("cpu1.idtr.limit", 0),
        ("cpu1.steps", 1),
        ("cpu1.retired", 1),
        ("cpu1.apic_id", 3),
        ("cpu0.root", 0x1000),
        ("icr.vector", 0x9a),
        ("cpu0.icr.dest", 3),
        ("cpu0.svr.enabled", 1),
        ("cpu1.svr.enabled", 0),
    ] {
        check_int(text, expect);
    }
    check("cpu1.mode", Value::word("real"));
    check("cpu1.activity == running && cpu0.mode == long", Value::Bool(true));
    check("cpu1.root", Value::none());
    check("icr.delivery == sipi", Value::Bool(true));
    check("cpu1.label", Value::word("trampoline_start"));
    check("cpu0.label", Value::word("kernel::smp::wake"));
}

/// Goal: names are resolved in the running machine and as linked; method: kernel and blob symbols, roots, image bytes.
#[test]
fn names() {
    check_int("@secondary_startup_64", 0xffff_ffff_8000_0000);
    check_int("@kernel::smp::wake + 4", 0xffff_ffff_8000_0104);
    check_int("@\"kernel::smp::wake\"", 0xffff_ffff_8000_0100);
    check_int("@trampoline_start", BLOB + 0x1000);
    check_int("blob", BLOB);
    check_int("root('trampoline_pgd')", 0x9c000);
    check_int("image64(@trampoline_start + 3)", 0xffff_ffff_8020_1003);
    check_int("image16(@secondary_startup_64)", 0);
    check_int("image8(@trampoline_start + 3) + (@trampoline_start & 0xfff)", 3);
    check_wrong("root('init_top_pgt')", "1: init_top_pgt is not made yet");
    check_wrong(
        "root('no_pgd')",
        "1: the image has no page-table root \"no_pgd\"; it has trampoline_pgd, init_top_pgt",
    );
    check_wrong("1 + @no_such", "5: the image has no symbol `no_such`");
    let mut early = moment();
    early = Moment::new(Some(Arc::new(profile())), Arc::clone(early.drawn_numbers()), Position(0), Position(0));
    let (value, _) = eval_in("@trampoline_start", &mut early.with_cpus(&[CpuState::default()]));
    assert_eq!(value, Err("1: `trampoline_start` has no address yet: the kernel has not placed its blob".into()));
    let mut nameless = Moment::default().with_cpus(&cpus());
    assert!(eval_in("@trampoline_start", &mut nameless).0.unwrap_err().contains("no profile"));
}

/// Goal: memory, walks and TLBs are asked of the server, several at once; method: values, and how often was asked.
#[test]
fn what_the_server_knows() {
    check_int("mem8(0x5000)", 0x11);
    check_int("mem16(0x5000)", 0x2211);
    check_int("mem64(0x5000)", 0x4433_2211);
    check_wrong("mem8(0x6000)", "1: physical memory at 0x6000 cannot be read: no RAM there");
    check("walk(cpu0, 0x9b0aa).ok", Value::Bool(true));
    check_int("walk(root('trampoline_pgd'), 0x9b0aa).phys", 0x9b0aa);
    check_int("walk(cpu0, 0x9b000).level", 1);
    check_int("walk(cpu0, 0x1000).failed_level", 4);
    check("walk(cpu0, 0x1000).phys", Value::none());
    check("walk(cpu0, 0x9b000).failed_level", Value::none());
    check("walk(cpu0, 0x9b000).execute && !walk(cpu0, 0x9b000).write", Value::Bool(true));
    check_int("entry(cpu0, 0x9b000, 2)", 0x9b065);
    check("entry(cpu0, 0x1000, 1)", Value::none());
    check_wrong("walk(cpu1.root, 1).ok", "6: `none` is no table");
    check_int("tlb(cpu1).count", 3);
    check_int("tlb(cpu1).global", 2);
    check_int("tlb_count(cpu1, 0, 1 << 47)", 2);
    check("tlb_has(cpu1, 0x9b123)", Value::Bool(true));
    check("tlb_has(cpu1, 0x9d000)", Value::Bool(false));
    check("hash(0x5000, 8) == hash(0x5000, 8)", Value::Bool(true));
    check("hash(0x5000, 8) == hash(0x5000, 4)", Value::Bool(false));
    let several = "mem8(0x5000) + mem16(0x5000) + walk(cpu0, 0x9b000).size + tlb(cpu1).count";
    assert_eq!(eval_in(several, &mut moment()).1, 1, "all is asked at once");
    assert_eq!(eval_in("false && mem8(0x5000) == 0", &mut moment()).1, 0, "what does not count is not asked");
    let mut unknown = Moment::default();
    let expr = Expr::parse("cpu1.rax + clock", &Scope::default()).unwrap();
    assert_eq!(expr.eval(&mut unknown), Err(NoValue::Missing));
    assert_eq!(unknown.take_missing().len(), 1, "state and clock come in one answer");
}

/// Goal: events are those of the step, or of the whole past; method: counts, fields, fields that are not there.
#[test]
fn events_of_the_step() {
    check_int("events.count(ipi(delivery=sipi, to=1))", 1);
    check_int("events.count_ever(ipi(delivery=sipi, to=1))", 2);
    check("events.any(ipi(ignored=not-in-wait-for-sipi))", Value::Bool(true));
    check("events.any(ipi(ignored=false))", Value::Bool(false));
    check("events.any_ever(activity(cpu=1, from=wait-for-sipi, to=running))", Value::Bool(true));
    check("events.last(ipi()).ignored", Value::word("not-in-wait-for-sipi"));
    check_int("events.first_ever(ipi).vector", 0x9b);
    check("events.first_ever(ipi).ignored == none", Value::Bool(true));
    check_int("events.nth_ever(2, ipi).position", 113);
    check_int("events.last(cr(register=cr3)).new", 0x9c000);
    check_int("events.last(fault(vector=14)).cr2 + events.last(fault).error", 0x87);
    check_int("events.last(fault).at", 0x9b0aa);
    check("events.last(fault(vector=13)).error", Value::none());
    check("events.last(fault(vector=13)).vector == 13", Value::Bool(false));
    check_wrong("events.last(fault(vector=13)).error + 1", "1: there is none of this here");
}

/// Goal: `before` and the whole past also work where a private copy has run on; method: two moments, the first prepared.
#[test]
fn before_the_machine_ran_on() {
    let mut stop =
        Moment::new(Some(Arc::new(profile())), Arc::default(), Position(112), Position(112)).with_cpus(&cpus());
    let text = "cpu1.ip - before(cpu1.ip) + events.count_ever(ipi) + before(mem8(0x5000))";
    let expr = Expr::parse(text, &Scope::default()).unwrap();
    while expr.prepare(&mut stop).is_err() {
        for request in stop.take_missing() {
            let answer = serve(&request);
            stop.learn(&request, answer);
        }
    }
    let mut later = cpus();
    later[1].ip = 0x10;
    let mut reveal =
        Moment::new(None, Arc::default(), Position(120), Position(112)).with_cpus(&later).with_before(stop);
    assert_eq!(eval_in(text, &mut reveal).0, Ok(Value::Int(0x10 + 2 + 0x11)));
    assert_eq!(reveal.before_mut().map(|before| before.take_missing().len()), Some(0));
}

/// Goal: `answer` is what the learner typed; method: a number and a seg:off.
#[test]
fn the_learners_answer() {
    let accept = "answer.seg * 16 + answer.off == cpu1.rip && answer.seg != cpu1.cs.sel";
    let mut at = moment();
    at.set_given(Some(Given::SegOff(0x9aff, 0x10)));
    assert_eq!(eval_in(accept, &mut at).0, Ok(Value::Bool(true)));
    at.set_given(Some(Given::SegOff(0x9b00, 0)));
    assert_eq!(eval_in(accept, &mut at).0, Ok(Value::Bool(false)));
    at.set_given(Some(Given::Number(0x9b000)));
    assert_eq!(eval_in("answer == cpu1.rip", &mut at).0, Ok(Value::Bool(true)));
    assert!(eval_in("answer.seg", &mut at).0.unwrap_err().contains("not written as segment:offset"));
    let without = Expr::parse("answer == 1", &Scope::default()).unwrap_err();
    assert!(without.what.contains("only `accept` knows it"), "{without}");
}

/// Goal: a mistake that can be seen without a machine is found at once; method: column and first words of each message.
#[test]
fn mistakes_in_the_text() {
    let deep = format!("{}1{}", "(".repeat(300 / 2), ")".repeat(300 / 2));
    let nots = format!("{}1", "!".repeat(300));
    let wide = vec!["1"; 200].join("+");
    let long = "1 ".repeat(400);
    for (text, expect) in [
        ("", "1: a value is expected here, not the end"),
        ("1 +", "4: a value is expected here, not the end"),
        ("(1", "3: `)` stands after what `(` opened, not the end"),
        ("1 2", "3: 0x2 stands where the expression should end"),
        ("1 $ 2", "3: `$` means nothing here"),
        ("-1", "1: there are no negative numbers"),
        ("12a4", "1: `12a4` is no number; hexadecimal ones"),
        ("0x", "1: `0x` is no number"),
        ("0x1_0000_0000_0000_0000", "1: `0x1_0000_0000_0000_0000` does not fit into 64 bits"),
        ("ffh", "1: `ffh` is read as a name; a number begins with a digit: 0ffh"),
        ("rax", "1: there is no `rax`; a register belongs to a CPU (cpu1.rax)"),
        (
            "pge",
            "1: there is no `pge`; a register belongs to a CPU (cpu1.pge), a symbol is written @pge, any other word \"pge\"; this lesson draws page, ap",
        ),
        ("cpu1", "1: say what of CPU 1 is meant"),
        ("cpu1.raxx", "6: a CPU has no `raxx`; it has rax"),
        ("cpu1.cr4.pea", "10: `cr4` has no bit `pea`; it has vme"),
        ("cpu1.cs", "6: say which part is meant: `cs` has the parts sel, base"),
        ("cpu1.cs.bas", "9: there is no `cs.bas`"),
        ("cpu1.rip.x", "10: `rip` has no part `x`"),
        ("cpu1.mode == protected", "14: there is no `protected`"),
        ("cpu1.mode == running", "14: no mode is called `running`; there are real"),
        ("halt == cpu1.activity", "1: there is no `halt`"),
        ("held == cpu1.mode", "1: no mode is called `held`"),
        ("1 < 2 < 3", "7: comparisons do not chain"),
        ("while (true) 1", "1: there is no `while`: expressions have no loops"),
        ("for x", "1: there is no `for`: expressions have no loops"),
        ("walk(cpu1, 1)", "14: say which part is meant: walk(root, linear) has .ok"),
        ("walk(cpu1, 1).okay", "15: there is no `.okay`; walk(root, linear) has .ok"),
        ("walk(1).ok", "7: `,` stands after the root of walk(root, linear), not `)`"),
        ("mem8 1", "6: `(` stands after the name of mem8(physical), not 0x1"),
        ("lin8(1, 2)", "6: a CPU is named here, as in lin8(cpu1, linear), not 0x1"),
        ("min(1)", "6: `,` stands between what min(a, b) takes, not `)`"),
        ("root(trampoline_pgd)", "6: a root's name stands here in quotes"),
        ("events.some(ipi)", "8: there is no events.some"),
        ("events.any(ip)", "12: there is no event `ip`; there are any, mode"),
        ("events.any(ipi(too=1))", "16: an event `ipi` has no `too`; `ipi` has `cpu`"),
        ("events.any(ipi(to=999))", "19: `to` is a CPU's number, at most 254, not 0x3e7"),
        ("events.any(mode(to=running))", "20: `to` is one of real, protected16"),
        ("events.any(ipi(to=1)", "21: `)` stands after the event in events.any(EVENT), not the end"),
        ("events.any(ipi(nth=2))", "12: `nth` is for stops"),
        ("events.last(ipi)", "17: say which part is meant"),
        ("before(before(1))", "8: `before(...)` stands inside another"),
        ("'abc", "1: the closing ' is missing"),
        ("@", "1: after `@` stands the name of a symbol"),
        ("true ? 1", "9: `:` stands between the two values of `? :`, not the end"),
        (&deep, "49: more than 48 parts stand one inside the other"),
        (&nots, "49: more than 48 parts"),
        (&wide, "98: more than 48 operators in a row"),
        (&long, "600: it is longer than 600 characters"),
    ] {
        check_wrong(text, expect);
    }
}

/// Goal: what goes wrong with a machine is said with its column; method: each kind of run-time mistake.
#[test]
fn mistakes_with_a_machine() {
    for (text, expect) in [
        ("1 / 0", "3: 0x1 / 0x0 divides by 0"),
        ("1 + 7 % (2 - 2)", "7: 0x7 / 0x0 divides by 0"),
        ("3 - 5", "3: 0x3 - 0x5 is below 0; where wrapping is meant, write (a - b) & mask"),
        ("~0 + 1", "4: 0xffffffffffffffff + 0x1 needs more than 64 bits"),
        ("~0 * 2", "4: 0xffffffffffffffff * 0x2 needs more than 64 bits"),
        ("1 << 64", "3: a shift by 64 is none"),
        ("3 << 63", "3: 0x3 << 0x3f needs more than 64 bits"),
        ("cpu7.rax", "1: this machine has no CPU 7"),
        ("real + 1", "1: this is the word `real`, where a number is needed"),
        ("real && true", "1: this is the word `real`, where true or false is needed"),
        ("cpu1.root + 1", "1: there is none of this here"),
        ("cpu1.rip == real", "10: `0x9b000` and `real` cannot be compared"),
        ("bits(1, 64, 0)", "9: bits(x, high, low): 63 >= high >= low"),
        ("segoff(0x10000, 0)", "8: segoff(segment, offset): each has 16 bits"),
        ("hash(0, 0)", "1: hash(physical, len) takes 1 to 0x10000 bytes, not 0x0"),
    ] {
        check_wrong(text, expect);
    }
}

/// Goal: no text makes the reader or the evaluator panic or hang; method: random tokens and random bytes from a fixed seed.
#[test]
fn random_texts() {
    let words = [
        "cpu1", ".", "cs", "base", "(", ")", "+", "-", "<<", "&", "==", "?", ":", "1", "0x9a000", "real", "@tr",
        "mem8", "walk", "events", "any", "ipi", "=", ",", "before", "'x'", "\"", "!", "~", "tlb", "image16", "root",
        "hash", "answer", "é", "\u{e001}",
    ];
    let mut state = 0x1234_5678_9abc_def0u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    let mut valued = 0;
    for round in 0..20_000 {
        let text: String = if round % 2 == 0 {
            (0..random(12)).map(|_| words[random(words.len())]).collect::<Vec<_>>().join(if round % 4 == 0 {
                ""
            } else {
                " "
            })
        } else {
            (0..random(24)).map(|_| char::from(random(256) as u8)).collect()
        };
        valued += usize::from(eval_in(&text, &mut moment()).0.is_ok());
        _ = crate::stop::Stop::parse(&text);
        _ = crate::command::Command::parse(&text, &Scope::default());
    }
    assert!(valued > 100, "some of them must make sense, or this tries nothing: {valued}");
}

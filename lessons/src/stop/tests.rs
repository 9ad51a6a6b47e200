//! Stops as they are written, what they mean to a server, and each mistake.

use super::*;
use crate::expr::lex::tokens;
use protocol::breakpoint::EventFilter;
use protocol::event::{ControlRegister, Delivery, Ignored};
use protocol::{Activity, Event, EventKind, Mode, Position};

fn check(text: &str, expect: Stop) {
    assert_eq!(Stop::parse(text), Ok(expect), "{text}");
}

fn check_wrong(text: &str, expect: &str) {
    let (column, what) = Stop::parse(text).expect_err(text);
    let message = format!("{column}: {what}");
    assert!(message.starts_with(expect), "{text}\nsays     {message}\nexpected {expect}");
}

fn pattern(text: &str) -> EventPattern {
    let all = tokens(text).unwrap();
    pattern::parse(&mut all.as_slice()).unwrap_or_else(|e| panic!("{text}: {e:?}")).pattern
}

/// Goal: each form is read; method: a table.
#[test]
fn forms() {
    let sipi = EventPattern {
        kind: PatternKind::Ipi { delivery: Some(Delivery::Sipi), to: Some(CpuId(1)), vector: None, ignored: None },
        cpu: None,
    };
    check("here", Stop::Here);
    check(" start ", Stop::Start);
    check("end", Stop::End);
    check("before ipi(delivery=sipi, to=1)", Stop::Before(NthEvent { pattern: sipi.clone(), nth: 1 }));
    check("after ipi( to = 1 , delivery = sipi, nth = 2 )", Stop::After(NthEvent { pattern: sipi, nth: 2 }));
    check("at tr_set_pe on cpu1", Stop::At { symbol: "tr_set_pe".into(), cpu: Some(CpuId(1)) });
    check("at @kernel::smp::wake", Stop::At { symbol: "kernel::smp::wake".into(), cpu: None });
    check("step:sipi-target", Stop::Step("sipi-target".into()));
    check("step cpu12", Stop::StepCpu(CpuId(12)));
    check("steps 1_000", Stop::Steps(1000));
    let online = EventPattern { kind: PatternKind::Online { count: None }, cpu: None };
    check("after online", Stop::After(NthEvent { pattern: online, nth: 1 }));
}

/// Goal: what is no stop says what one is; method: a table of mistakes.
#[test]
fn mistakes() {
    for (text, expect) in [
        ("", "1: `` is no stop; a stop is `here`"),
        ("there", "1: `there` is no stop; a stop is `here`"),
        ("step:", "1: `step:` is no stop"),
        ("at", "1: after `at` stands the name of a symbol"),
        ("at a b", "1: after `at` stands the name of a symbol"),
        ("at tr_set_pe on 1", "17: after `on` stands a CPU"),
        ("step cpuX", "6: after `step` stands a CPU"),
        ("step cpu999", "6: after `step` stands a CPU"),
        ("steps many", "7: `many` is no number"),
        ("steps 0", "7: `steps` is 1 to"),
        ("before", "7: an event is named here, any, mode"),
        ("before ipi(", "12: a field is named here, not the end; `ipi` has `cpu`"),
        ("before ipi(to 1)", "15: `=` and a value stand after `to`"),
        ("before ipi(to=1 nth=2)", "17: `,` or `)` stands after a field of `ipi`"),
        ("before ipi(delivery=start)", "21: `delivery` is one of fixed"),
        ("before ipi() now", "14: `now` stands after the event of `before`"),
        ("before fault(vector=256)", "21: `vector` is a vector, at most 255"),
        ("before $", "8: `$` means nothing here"),
    ] {
        check_wrong(text, expect);
    }
}

/// Goal: a pattern takes the events it names and no others, and the server's filter lets all of them through; method: events
/// of most kinds against patterns.
#[test]
fn patterns_and_filters() {
    let event = |cpu, kind| Event { position: Position(5), clock_ns: 0, cpu: CpuId(cpu), kind };
    let ipi = |ignored| EventKind::Ipi {
        delivery: Delivery::Sipi,
        from: CpuId(0),
        to: Some(CpuId(1)),
        vector: 0x9a,
        ignored,
    };
    let lost = event(
        0,
        EventKind::Ipi {
            delivery: Delivery::Sipi,
            from: CpuId(0),
            to: None,
            vector: 1,
            ignored: Some(Ignored::NoSuchApicId),
        },
    );
    let mode = event(1, EventKind::Mode { from: Some(Mode::Real), to: Mode::Protected16 });
    let cr3 = event(1, EventKind::Cr { register: ControlRegister::Cr3, old: 0, new: 1 });
    let sipi = event(0, ipi(None));
    let ignored = event(0, ipi(Some(Ignored::NotInWaitForSipi)));
    for (text, event, expect) in [
        ("any", &mode, true),
        ("any(cpu=0)", &mode, false),
        ("mode(cpu=1, to=protected16)", &mode, true),
        ("mode(from=real)", &mode, true),
        ("mode(to=protected32)", &mode, false),
        ("mode", &cr3, false),
        ("cr(register=cr3)", &cr3, true),
        ("cr(register=cr0)", &cr3, false),
        ("ipi(delivery=sipi, to=1, vector=0x9a)", &sipi, true),
        ("ipi(from=1)", &sipi, false),
        ("ipi(cpu=0)", &sipi, true),
        ("ipi(to=1)", &lost, false),
        ("ipi(ignored=true)", &lost, true),
        ("ipi(ignored=false)", &sipi, true),
        ("ipi(ignored=false)", &ignored, false),
        ("ipi(ignored=not-in-wait-for-sipi)", &ignored, true),
        ("ipi(ignored=no-such-apic-id)", &ignored, false),
    ] {
        assert_eq!(pattern(text).matches(event), expect, "{text}");
    }
    for (text, expect) in [
        ("mode(cpu=1, to=long)", EventFilter::Mode(Some(Mode::Long))),
        ("activity(to=wait-for-sipi)", EventFilter::Activity(Some(Activity::WaitForSipi))),
        ("ipi(delivery=init, to=1, vector=3)", EventFilter::Ipi { delivery: Some(Delivery::Init), to: Some(CpuId(1)) }),
        ("fault(vector=13)", EventFilter::Fault(Some(13))),
        ("descriptor-table(cpu=1, register=gdtr)", EventFilter::DescriptorTable),
        ("triple-fault(cpu=1)", EventFilter::TripleFault),
        ("online(count=2)", EventFilter::Online(2)),
        ("far-transfer", EventFilter::Any),
    ] {
        assert_eq!(pattern(text).filter(), expect, "{text}");
    }
    let until = |text: &str| Stop::parse(text).unwrap().until().map(|(cpu, _)| cpu);
    assert_eq!(until("after mode(cpu=1)"), Some(Some(CpuId(1))));
    assert_eq!(until("after ipi(from=0, to=1)"), Some(None), "the filter names the receiver");
    assert_eq!(until("at x on cpu1"), None);
    let all = [sipi, mode];
    assert_eq!(pattern("mode").first_after(&all, Position(4)).map(|event| event.cpu), Some(CpuId(1)));
    assert_eq!(pattern("mode").first_after(&all, Position(5)), None);
}

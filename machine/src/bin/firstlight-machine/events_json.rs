//! `--events`: one JSON object a line. `docs/PROTOCOL.md` has the table of kinds and fields.

use protocol::event::{Event, EventKind, FaultCause};
use serde_json::{Value, json};

/// A line, without its end.
pub fn line(event: &Event) -> String {
    let (kind, fields) = fields(&event.kind);
    let mut all = vec![("step", json!(event.position.0)), ("cpu", json!(event.cpu.0)), ("kind", json!(kind))];
    all.extend(fields);
    object(&all)
}

/// In the given order: `step`, `cpu` and `kind` first, for people and for `grep`.
fn object(fields: &[(&str, Value)]) -> String {
    let members: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn hex(value: u64) -> Value {
    json!(format!("{value:#x}"))
}

fn fields(kind: &EventKind) -> (&'static str, Vec<(&'static str, Value)>) {
    match kind {
        EventKind::Mode { from, to } => {
            let from = from.map_or("wait-for-sipi", protocol::Mode::word);
            ("mode", vec![("from", json!(from)), ("to", json!(to.word()))])
        }
        EventKind::Activity { from, to } => ("activity", vec![("from", json!(from.word())), ("to", json!(to.word()))]),
        EventKind::Cr { register, old, new } => {
            ("cr", vec![("register", json!(register.word())), ("old", hex(*old)), ("new", hex(*new))])
        }
        EventKind::DescriptorTable { register, base, limit } => (
            "descriptor-table",
            vec![("register", json!(register.word())), ("base", hex(*base)), ("limit", hex((*limit).into()))],
        ),
        EventKind::Ipi { delivery, from, to, vector, ignored } => (
            "ipi",
            vec![
                ("delivery", json!(delivery.word())),
                ("from", json!(from.0)),
                ("to", json!(to.map(|to| to.0))),
                ("vector", json!(vector)),
                ("ignored", json!(ignored.map(protocol::event::Ignored::words))),
            ],
        ),
        EventKind::Interrupt { vector } => ("interrupt", vec![("vector", json!(vector))]),
        EventKind::Fault { vector, error, at, cr2, cause } => (
            "fault",
            vec![
                ("vector", json!(vector)),
                ("error", error.map_or(Value::Null, |error| hex(error.into()))),
                ("at", hex(at.0)),
                ("cr2", cr2.map_or(Value::Null, |cr2| hex(cr2.0))),
                ("cause", json!(cause)),
            ],
        ),
        EventKind::FarTransfer { from_cs, to_cs, to } => (
            "far-transfer",
            vec![("from_cs", hex((*from_cs).into())), ("to_cs", hex((*to_cs).into())), ("to", hex(to.0))],
        ),
        EventKind::TripleFault { chain } => {
            ("triple-fault", vec![("chain", Value::Array(chain.iter().map(link).collect()))])
        }
        EventKind::Online { count } => ("online", vec![("count", json!(count))]),
        EventKind::Edit { what } => ("edit", vec![("what", json!(what))]),
        EventKind::Reset { by } => ("reset", vec![("by", json!(by))]),
    }
}

fn link(link: &FaultCause) -> Value {
    json!({
        "vector": link.vector,
        "error": link.error.map(|error| hex(error.into())),
        "cr2": link.cr2.map(|cr2| hex(cr2.0)),
        "cause": link.cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::{ControlRegister, Delivery, Ignored};
    use protocol::{CpuId, LinearAddr, Mode, Position};

    fn check(kind: EventKind, expected: &str) {
        let event = Event { position: Position(7), clock_ns: 70, cpu: CpuId(1), kind };
        let line = line(&event);
        assert_eq!(line, format!("{{\"step\":7,\"cpu\":1,{expected}}}"));
        assert!(serde_json::from_str::<Value>(&line).is_ok());
    }

    /// Goal: lines are what docs/PROTOCOL.md promises; method: one event of each shape, against text.
    #[test]
    fn lines() {
        check(EventKind::Mode { from: None, to: Mode::Real }, r#""kind":"mode","from":"wait-for-sipi","to":"real""#);
        check(
            EventKind::Cr { register: ControlRegister::Cr3, old: 0, new: 0x9c000 },
            r#""kind":"cr","register":"cr3","old":"0x0","new":"0x9c000""#,
        );
        check(
            EventKind::Ipi {
                delivery: Delivery::Sipi,
                from: CpuId(0),
                to: Some(CpuId(1)),
                vector: 0x9a,
                ignored: Some(Ignored::NotInWaitForSipi),
            },
            r#""kind":"ipi","delivery":"sipi","from":0,"to":1,"vector":154,"ignored":"not in wait-for-SIPI""#,
        );
        check(
            EventKind::Ipi { delivery: Delivery::Init, from: CpuId(0), to: None, vector: 0, ignored: None },
            r#""kind":"ipi","delivery":"init","from":0,"to":null,"vector":0,"ignored":null"#,
        );
        check(
            EventKind::Fault {
                vector: 14,
                error: Some(2),
                at: LinearAddr(0x1000),
                cr2: Some(LinearAddr(0x10)),
                cause: "not \"present\"".into(),
            },
            r#""kind":"fault","vector":14,"error":"0x2","at":"0x1000","cr2":"0x10","cause":"not \"present\"""#,
        );
        check(EventKind::Online { count: 4 }, r#""kind":"online","count":4"#);
        let chain = vec![FaultCause { vector: 13, error: None, cr2: None, cause: "x".into() }];
        check(
            EventKind::TripleFault { chain },
            r#""kind":"triple-fault","chain":[{"cause":"x","cr2":null,"error":null,"vector":13}]"#,
        );
    }
}

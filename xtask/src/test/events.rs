//! The events that the machine wrote (`--events`, docs/PROTOCOL.md), read by the tests that boot the kernel.

use crate::guest::symbols::Linked;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// All events of a file, in order.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).context("the machine wrote no events")?;
    text.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("a line of events is no JSON")
}

/// Those of one CPU.
pub fn of_cpu(events: &[Value], cpu: u16) -> impl Iterator<Item = &Value> {
    events.iter().filter(move |event| event["cpu"] == cpu)
}

/// Those of one kind.
pub fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["kind"] == kind)
}

/// "0x1f".
pub fn hex(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// Where the SIPI that started a CPU sent it.
pub fn started_at(events: &[Value], cpu: u16) -> Result<u64> {
    let started = |event: &&Value| event["delivery"] == "sipi" && event["to"] == cpu && event["ignored"].is_null();
    let sipi = of_kind(events, "ipi").find(started).context("no SIPI reached it")?;
    Ok(sipi["vector"].as_u64().context("a SIPI without vector")? << 12)
}

/// What lies where in the blob, once CPU 1 was started: address of a symbol.
pub fn blob_address(events: &[Value], blob: &Linked, name: &str) -> Result<u64> {
    Ok(blob_base(events, blob)?.wrapping_add(blob.address_of(name)?))
}

/// The blob's base: CPU 1's SIPI sent it to `trampoline_start`.
pub fn blob_base(events: &[Value], blob: &Linked) -> Result<u64> {
    Ok(started_at(events, 1)?.wrapping_sub(blob.address_of("trampoline_start")?))
}

//! Names and addresses, from the profile and the guest's own variables. The window does the same in its model of symbols.
//!
//! The profile tells link-time addresses. Where the kernel put the real-mode blob and its page tables stands in variables
//! of the kernel, 8 bytes each, read through CPU 0's page tables; 0: not made yet.

use super::facts::Facts;
use protocol::profile::{Blob, BlobSymbol, Profile, Symbol};
use protocol::request::{Answer, Place, Refusal, Request};
use protocol::{CpuId, LinearAddr, PhysAddr};

/// Why a fact cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It has been asked for.
    Missing,
    /// It is not there; why.
    Wrong(String),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Lack> {
    Err(Lack::Wrong(what.into()))
}

/// The linear address of a symbol, for whoever runs to it. None inside: it has none now, and why.
pub fn address_of(facts: &mut dyn Facts, name: &str) -> Option<Result<LinearAddr, String>> {
    match symbol_address(facts, name) {
        Ok(linear) => Some(Ok(LinearAddr(linear))),
        Err(Lack::Missing) => None,
        Err(Lack::Wrong(why)) => Some(Err(why)),
    }
}

/// The symbol at or before an address, and how far behind it; else the page-table root there. `Some(None)`: there is none.
/// None: to be asked first.
pub fn name_at(facts: &mut dyn Facts, address: u64) -> Option<Option<(String, u64)>> {
    let found = match symbol_at(facts, address) {
        Ok(None) => root_name(facts, address).map(|name| name.map(|name| (name, 0))),
        found => found,
    };
    match found {
        Ok(found) => Some(found),
        Err(Lack::Missing) => None,
        Err(Lack::Wrong(_)) => Some(None),
    }
}

/// The instruction at a symbol in Intel and AT&T syntax. None: to be asked first. The inner error says why there is none.
pub fn instruction_at(facts: &mut dyn Facts, name: &str) -> Option<Result<(String, String), String>> {
    match instruction(facts, name) {
        Ok(found) => Some(Ok(found)),
        Err(Lack::Missing) => None,
        Err(Lack::Wrong(why)) => Some(Err(why)),
    }
}

/// Answers that are no answer, as a reason.
pub(crate) fn refused(answer: &Answer) -> Lack {
    match answer {
        Answer::Refused(Refusal::Invalid(why) | Refusal::Crashed(why)) => Lack::Wrong(why.clone()),
        _ => Lack::Wrong("the machine does not tell it".to_owned()),
    }
}

/// A symbol of the image.
enum Found<'a> {
    Kernel(&'a Symbol),
    Blob(&'a Blob, &'a BlobSymbol),
}

/// A symbol by its name; the blob's come first, as everywhere.
fn find<'a>(profile: &'a Profile, name: &str) -> Option<Found<'a>> {
    let in_blob = profile.blobs.iter().find_map(|blob| {
        blob.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| Found::Blob(blob, symbol))
    });
    in_blob.or_else(|| profile.symbols.iter().find(|symbol| symbol.name == name).map(Found::Kernel))
}

fn profile(facts: &dyn Facts) -> Result<&Profile, Lack> {
    facts.profile().ok_or_else(|| Lack::Wrong("the image has no profile, so that nothing has a name".to_owned()))
}

/// The linear address of a symbol in the running machine.
pub(crate) fn symbol_address(facts: &mut dyn Facts, name: &str) -> Result<u64, Lack> {
    let (base_symbol, offset) = match find(profile(facts)?, name) {
        None => return wrong(format!("the image has no symbol `{name}`")),
        Some(Found::Kernel(symbol)) => return Ok(symbol.linear),
        Some(Found::Blob(blob, symbol)) => (blob.base_symbol.clone(), symbol.offset),
    };
    match variable(facts, &base_symbol)? {
        0 => wrong(format!("`{name}` has no address yet: the kernel has not placed its blob")),
        base => Ok(base.wrapping_add(offset)),
    }
}

/// The address of a symbol as it was linked: where its bytes are in the image file.
pub(crate) fn linked_address(facts: &dyn Facts, name: &str) -> Result<u64, Lack> {
    match find(profile(facts)?, name) {
        None => wrong(format!("the image has no symbol `{name}`")),
        Some(Found::Kernel(symbol)) => Ok(symbol.linear),
        Some(Found::Blob(blob, _)) if blob.image_linear == 0 => {
            wrong(format!("the profile does not tell where the image holds `{name}`"))
        }
        Some(Found::Blob(blob, symbol)) => Ok(blob.image_linear.wrapping_add(symbol.offset)),
    }
}

/// The physical base of the first blob; 0: not placed.
pub(crate) fn blob_base(facts: &mut dyn Facts) -> Result<u64, Lack> {
    let Some(blob) = profile(facts)?.blobs.first() else { return wrong("the image has no real-mode blob") };
    let symbol = blob.base_symbol.clone();
    variable(facts, &symbol)
}

/// The physical address of a named root; 0: not made.
pub(crate) fn root_address(facts: &mut dyn Facts, name: &str) -> Result<u64, Lack> {
    let roots = &profile(facts)?.roots;
    let Some(root) = roots.iter().find(|root| root.name == name) else {
        let known: Vec<&str> = roots.iter().map(|root| root.name.as_str()).collect();
        return wrong(format!("the image has no page-table root \"{name}\"; it has {}", known.join(", ")));
    };
    let symbol = root.symbol.clone();
    variable(facts, &symbol)
}

/// The name of the root at a physical address, if it has one.
pub(crate) fn root_name(facts: &mut dyn Facts, phys: u64) -> Result<Option<String>, Lack> {
    let Some(profile) = facts.profile() else { return Ok(None) };
    let names: Vec<String> = profile.roots.iter().map(|root| root.name.clone()).collect();
    let mut missing = false;
    for name in names {
        match root_address(facts, &name) {
            Ok(address) if address == phys && phys != 0 => return Ok(Some(name)),
            Ok(_) | Err(Lack::Wrong(_)) => {}
            Err(Lack::Missing) => missing = true,
        }
    }
    if missing { Err(Lack::Missing) } else { Ok(None) }
}

/// The symbol at or before an address, and how far behind it.
pub(crate) fn symbol_at(facts: &mut dyn Facts, linear: u64) -> Result<Option<(String, u64)>, Lack> {
    let Some(profile) = facts.profile() else { return Ok(None) };
    let blobs: Vec<(String, u64)> = profile.blobs.iter().map(|blob| (blob.base_symbol.clone(), blob.size)).collect();
    for (index, (base_symbol, size)) in blobs.into_iter().enumerate() {
        // A kernel's address is never a blob's.
        if linear >> 32 != 0 {
            break;
        }
        let base = match variable(facts, &base_symbol) {
            Ok(0) | Err(Lack::Wrong(_)) => continue,
            Ok(base) => base,
            Err(Lack::Missing) => return Err(Lack::Missing),
        };
        let Some(offset) = linear.checked_sub(base).filter(|offset| *offset < size) else { continue };
        let symbols = facts.profile().map_or(&[][..], |profile| &profile.blobs[index].symbols);
        let Some(nearest) = symbols.iter().rev().find(|symbol| symbol.offset <= offset) else { continue };
        let mut here = symbols.iter().filter(|symbol| symbol.offset == nearest.offset);
        let first = here.clone().next().unwrap_or(nearest);
        let best = here.find(|symbol| !symbol.listing.is_empty()).unwrap_or(first);
        return Ok(Some((best.name.clone(), offset - best.offset)));
    }
    let Some(profile) = facts.profile() else { return Ok(None) };
    let end = profile.symbols.partition_point(|symbol| symbol.linear <= linear);
    let Some(nearest) = profile.symbols[..end].last() else { return Ok(None) };
    let behind = linear - nearest.linear;
    let here = || profile.symbols[..end].iter().rev().take_while(|symbol| symbol.linear == nearest.linear);
    if here().all(|symbol| symbol.size != 0 && behind >= symbol.size) {
        return Ok(None);
    }
    let best = here().find(|symbol| !symbol.listing.is_empty()).or_else(|| here().last()).unwrap_or(nearest);
    Ok(Some((best.name.clone(), behind)))
}

/// What a variable of the kernel holds; 0 while CPU 0 does not page, when nothing of the kernel can be read.
fn variable(facts: &mut dyn Facts, symbol: &str) -> Result<u64, Lack> {
    let linear = match find(profile(facts)?, symbol) {
        Some(Found::Kernel(symbol)) => LinearAddr(symbol.linear),
        _ => return wrong(format!("the profile names a variable `{symbol}` that the image does not have")),
    };
    match facts.cpu(CpuId(0)) {
        None => return Err(Lack::Missing),
        Some(Some(cpu)) if cpu.page_table_root().is_some() => {}
        Some(_) => return Ok(0),
    }
    let request = Request::Memory { from: Place::Linear { cpu: CpuId(0), linear }, len: 8 };
    match facts.ask(request).ok_or(Lack::Missing)? {
        // Not readable: the kernel is not there yet.
        Answer::Memory { bytes, .. } => Ok(bytes.try_into().map_or(0, u64::from_le_bytes)),
        other => Err(refused(&other)),
    }
}

fn instruction(facts: &mut dyn Facts, name: &str) -> Result<(String, String), Lack> {
    let request = match find(profile(facts)?, name) {
        None => return wrong(format!("the image has no symbol `{name}`")),
        Some(Found::Kernel(symbol)) => {
            Request::Code { cpu: CpuId(0), linear: LinearAddr(symbol.linear), before: 0, count: 1 }
        }
        Some(Found::Blob(blob, symbol)) => {
            let (bits, offset, base_symbol) = (symbol.bits, symbol.offset, blob.base_symbol.clone());
            let written = symbol.listing.first().map(|line| line.source.clone());
            if bits == 0 {
                return wrong(format!("`{name}` is data"));
            }
            let base = variable(facts, &base_symbol)?;
            if base == 0 {
                // Not in memory yet: as it is written in the source.
                let source = written.ok_or_else(|| Lack::Wrong(format!("`{name}` is not in memory yet")))?;
                return Ok((source.clone(), source));
            }
            let origin = if bits == 16 { base } else { 0 };
            Request::Listing { phys: PhysAddr(base.wrapping_add(offset)), base: PhysAddr(origin), bits, count: 1 }
        }
    };
    match facts.ask(request).ok_or(Lack::Missing)? {
        Answer::Code(lines) if !lines.is_empty() => Ok((lines[0].intel.clone(), lines[0].att.clone())),
        other => Err(refused(&other)),
    }
}

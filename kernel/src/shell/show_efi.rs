//! The shell's answers about EFI, printed.

use super::command::Efi;
use super::show::Bytes;
use crate::efi::runtime::{MAX_DATA, Name};
use crate::efi::{self, Runtime, memmap};
use crate::mm::frame::FRAME_SIZE;
use crate::{print, println};
use core::fmt;
use uefi_raw::table::runtime::VariableAttributes;
use uefi_raw::time::Time;
use uefi_raw::{Guid, Status, guid};

/// Variables that the shell makes belong to this kernel.
const VENDOR: Guid = guid!("f1257119-47b0-4a6c-9c3e-5a1b0d2e7c44");

/// More variables than this are not listed: a firmware that goes round in a circle must not keep the shell.
const MAX_VARIABLES: usize = 1000;

/// Answers.
pub(super) fn answer(what: Efi<'_>) {
    if what == Efi::Map {
        match efi::get() {
            Some(efi) => show_map(efi),
            None => println!("there is no EFI here that the loader told of"),
        }
        return;
    }
    let Some(runtime) = efi::runtime() else {
        println!("there are no EFI runtime services");
        return;
    };
    let result = match what {
        Efi::Map => Ok(()),
        Efi::Time => runtime.time().map(show_time),
        Efi::Nmi => runtime.time_with_nmi().map(show_time),
        Efi::Vars => show_variables(runtime),
        Efi::Var(name, None) => show_variable(runtime, name),
        Efi::Var(name, Some(text)) => set_variable(runtime, name, text),
        Efi::Reset => {
            runtime.reset();
            println!("ResetSystem came back");
            Ok(())
        }
    };
    if let Err(status) = result {
        println!("the firmware answers {status}", status = StatusWord(status));
    }
}

fn show_map(efi: &efi::Efi) {
    println!("  physical                           size  type, attributes");
    let mut count = 0;
    for descriptor in efi.memmap.iter() {
        println!(
            "  {:>12x}-{:<12x}  {:>10}  {}, {}",
            descriptor.phys_start,
            memmap::end_of(&descriptor).unwrap_or(u64::MAX).wrapping_sub(1),
            Bytes(descriptor.page_count.saturating_mul(FRAME_SIZE)),
            memmap::type_name(descriptor.ty),
            memmap::Attributes(descriptor.att),
        );
        count += 1;
    }
    println!("{count} descriptors");
    let Some(runtime) = efi::runtime() else { return };
    println!("  linear                               physical        size  type");
    for region in runtime.memmap.iter() {
        let bytes = region.page_count * FRAME_SIZE;
        println!(
            "  {:016x}-{:016x}  {:>12x}  {:>10}  {}",
            region.virt_start,
            region.virt_start.wrapping_add(bytes - 1),
            region.phys_start,
            Bytes(bytes),
            memmap::type_name(region.ty),
        );
    }
}

fn show_time(time: Time) {
    let zone = if time.time_zone == Time::UNSPECIFIED_TIMEZONE { "local time" } else { "with a time zone" };
    println!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}, {zone}",
        time.year, time.month, time.day, time.hour, time.minute, time.second
    );
}

fn show_variables(runtime: &Runtime) -> Result<(), Status> {
    let mut name = Name::FIRST;
    let mut count = 0;
    while count < MAX_VARIABLES && runtime.next_name(&mut name)? {
        print!("  {}  ", name.vendor);
        name.chars().for_each(|c| print!("{c}"));
        println!();
        count += 1;
    }
    if count == MAX_VARIABLES {
        println!("the firmware goes on naming variables; the first {MAX_VARIABLES} are shown");
    } else {
        println!("{count} variables");
    }
    let room = runtime.room()?;
    println!("room for those that persist: {} of {} bytes, {} for one", room.remaining, room.maximum, room.one);
    Ok(())
}

/// The first variable of that name, whoever's it is.
fn find(runtime: &Runtime, wanted: &str) -> Result<Option<Name>, Status> {
    let mut name = Name::FIRST;
    for _ in 0..MAX_VARIABLES {
        if !runtime.next_name(&mut name)? {
            return Ok(None);
        }
        if name.is(wanted) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn show_variable(runtime: &Runtime, wanted: &str) -> Result<(), Status> {
    let Some(name) = find(runtime, wanted)? else {
        println!("there is no variable {wanted}; `efi vars` lists them");
        return Ok(());
    };
    let mut data = [0; MAX_DATA];
    let (attributes, size) = runtime.variable(&name, &mut data)?;
    println!("{wanted} of {}: {size} bytes, {}", name.vendor, AttributeWords(attributes));
    for (line, bytes) in data[..size].chunks(16).enumerate() {
        print!("  {:04x} ", line * 16);
        bytes.iter().for_each(|byte| print!(" {byte:02x}"));
        print!("{:1$}  ", "", (16 - bytes.len()) * 3);
        bytes.iter().for_each(|byte| print!("{}", if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' }));
        println!();
    }
    Ok(())
}

fn set_variable(runtime: &Runtime, wanted: &str, text: &str) -> Result<(), Status> {
    let there = find(runtime, wanted)?;
    let attributes = match &there {
        Some(name) => match runtime.variable(name, &mut [0; MAX_DATA]) {
            Ok((attributes, _)) => attributes,
            Err(status) => return Err(status),
        },
        None => {
            VariableAttributes::NON_VOLATILE
                | VariableAttributes::BOOTSERVICE_ACCESS
                | VariableAttributes::RUNTIME_ACCESS
        }
    };
    let Some(name) = there.or_else(|| Name::new(wanted, VENDOR)) else {
        println!("that name is too long");
        return Ok(());
    };
    let data = if text == "-" { &[] } else { text.as_bytes() };
    runtime.set_variable(&name, attributes, data)?;
    println!("{wanted} of {}: {}", name.vendor, if data.is_empty() { "deleted" } else { "written" });
    Ok(())
}

struct AttributeWords(VariableAttributes);

impl fmt::Display for AttributeWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |attribute| self.0.contains(attribute);
        f.write_str(if has(VariableAttributes::NON_VOLATILE) { "persists" } else { "volatile" })?;
        f.write_str(if has(VariableAttributes::RUNTIME_ACCESS) { ", at run time" } else { ", boot services only" })
    }
}

struct StatusWord(Status);

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Status::INVALID_PARAMETER => f.write_str("EFI_INVALID_PARAMETER"),
            Status::UNSUPPORTED => f.write_str("EFI_UNSUPPORTED"),
            Status::BUFFER_TOO_SMALL => f.write_str("EFI_BUFFER_TOO_SMALL"),
            Status::DEVICE_ERROR => f.write_str("EFI_DEVICE_ERROR"),
            Status::WRITE_PROTECTED => f.write_str("EFI_WRITE_PROTECTED"),
            Status::OUT_OF_RESOURCES => f.write_str("EFI_OUT_OF_RESOURCES"),
            Status::NOT_FOUND => f.write_str("EFI_NOT_FOUND"),
            Status::SECURITY_VIOLATION => f.write_str("EFI_SECURITY_VIOLATION"),
            Status(other) => write!(f, "status {other:#x}"),
        }
    }
}

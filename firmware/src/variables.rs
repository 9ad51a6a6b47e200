//! Variables: those that persist in memory with a battery, the others in the image's own.

use crate::{Shared, platform, virtual_map};
use core::slice;
use firmware::store::{self, Record};
use uefi_raw::table::runtime::VariableAttributes as Attributes;
use uefi_raw::{Char16, Guid, Status, guid};

/// Bytes for variables that do not persist.
const VOLATILE_BYTES: usize = 2048;
static VOLATILE: Shared<[u8; VOLATILE_BYTES]> = Shared::new([0; VOLATILE_BYTES]);

/// The longest name in 16-bit units, with its zero.
const MAX_NAME: usize = 512;

const GLOBAL: Guid = guid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");

/// What a machine without variables begins with: name, persists, value.
const DEFAULTS: [(&[u16], bool, &[u8]); 3] = [
    (&[80, 108, 97, 116, 102, 111, 114, 109, 76, 97, 110, 103, 0], true, b"en\0"), // PlatformLang
    (&[84, 105, 109, 101, 111, 117, 116, 0], true, &[0, 0]),                       // Timeout
    (&[83, 101, 99, 117, 114, 101, 66, 111, 111, 116, 0], false, &[0]),            // SecureBoot
];

/// Both memories, made ready: persistent, volatile.
fn memories() -> (&'static mut [u8], &'static mut [u8]) {
    let platform = platform();
    let (address, bytes) = (virtual_map::variables(), platform.variables_bytes as usize);
    // SAFETY: 1. the machine has so many bytes there, mapped for this firmware, and nobody else uses them; 2. one call at a
    // time, and each asks once.
    let (persistent, volatile) =
        unsafe { (slice::from_raw_parts_mut(address as *mut u8, bytes), &mut *VOLATILE.get()) };
    let fresh = store::records(volatile).next().is_none();
    store::format_if_foreign(persistent);
    store::format_if_foreign(volatile);
    if fresh {
        for (name, persists, value) in DEFAULTS {
            let vendor = GLOBAL.to_bytes();
            let memory = if persists { &mut *persistent } else { &mut *volatile };
            let common = Attributes::BOOTSERVICE_ACCESS | Attributes::RUNTIME_ACCESS;
            let attributes = if persists { common | Attributes::NON_VOLATILE } else { common };
            if store::find(memory, &vendor, bytes_of(name)).is_none() {
                // Where there is no room for them there are none.
                let _ = store::set(memory, (&vendor, bytes_of(name)), attributes.bits(), value);
            }
        }
    }
    (persistent, volatile)
}

fn bytes_of(name: &[u16]) -> &[u8] {
    // SAFETY: the same memory, which any bytes may be read from.
    unsafe { slice::from_raw_parts(name.as_ptr().cast(), size_of_val(name)) }
}

/// A name with its zero as bytes; None: it is empty or too long.
///
/// # Safety
/// `name` is null, or text that ends with zero.
unsafe fn name_bytes<'a>(name: *const u16) -> Option<&'a [u8]> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller's text ends with zero, and is not read beyond that.
    let len = (0..MAX_NAME).find(|&at| unsafe { name.add(at).read() } == 0)?;
    // SAFETY: as above.
    (len > 0).then(|| unsafe { slice::from_raw_parts(name.cast(), (len + 1) * 2) })
}

/// GetVariable.
pub unsafe extern "efiapi" fn get_variable(
    name: *const Char16,
    vendor: *const Guid,
    attributes: *mut Attributes,
    data_size: *mut usize,
    data: *mut u8,
) -> Status {
    // SAFETY: the caller gives a text.
    let name = unsafe { name_bytes(name.cast()) };
    let Some(name) = name.filter(|_| !vendor.is_null() && !data_size.is_null()) else {
        return Status::INVALID_PARAMETER;
    };
    // SAFETY: not null, so the caller's GUID and size.
    let (vendor, room) = unsafe { (vendor.read_unaligned().to_bytes(), data_size.read_unaligned()) };
    let (persistent, volatile) = memories();
    let found = store::find(persistent, &vendor, name).or_else(|| store::find(volatile, &vendor, name));
    let Some(record) = found else { return Status::NOT_FOUND };
    // SAFETY: the caller gives room for these, and `room` bytes at `data`.
    unsafe {
        if !attributes.is_null() {
            attributes.write_unaligned(Attributes::from_bits_retain(record.attributes));
        }
        data_size.write_unaligned(record.data.len());
        if record.data.len() > room {
            return Status::BUFFER_TOO_SMALL;
        }
        if data.is_null() {
            return Status::INVALID_PARAMETER;
        }
        data.copy_from_nonoverlapping(record.data.as_ptr(), record.data.len());
    }
    Status::SUCCESS
}

/// GetNextVariableName: those that persist first.
pub unsafe extern "efiapi" fn get_next_variable_name(
    name_size: *mut usize,
    name: *mut u16,
    vendor: *mut Guid,
) -> Status {
    if name_size.is_null() || name.is_null() || vendor.is_null() {
        return Status::INVALID_PARAMETER;
    }
    let (persistent, volatile) = memories();
    let mut all = store::records(persistent).chain(store::records(volatile));
    // SAFETY: the caller's, and not null.
    let (first, room) = unsafe { (name.read() == 0, name_size.read_unaligned()) };
    let next: Option<Record<'_>> = if first {
        all.next()
    } else {
        // SAFETY: the caller gives a text and a GUID.
        let (before, vendor) = unsafe { (name_bytes(name), vendor.read_unaligned().to_bytes()) };
        let Some(before) = before else { return Status::INVALID_PARAMETER };
        if !all.any(|record| record.vendor == vendor && record.name == before) {
            return Status::INVALID_PARAMETER;
        }
        all.next()
    };
    let Some(next) = next else { return Status::NOT_FOUND };
    // SAFETY: the caller gives room for `room` bytes at `name`, and for size and GUID.
    unsafe {
        name_size.write_unaligned(next.name.len());
        if next.name.len() > room {
            return Status::BUFFER_TOO_SMALL;
        }
        name.cast::<u8>().copy_from_nonoverlapping(next.name.as_ptr(), next.name.len());
        vendor.write_unaligned(Guid::from_bytes(next.vendor));
    }
    Status::SUCCESS
}

/// SetVariable. Neither authenticated variables nor appending.
pub unsafe extern "efiapi" fn set_variable(
    name: *const Char16,
    vendor: *const Guid,
    attributes: Attributes,
    data_size: usize,
    data: *const u8,
) -> Status {
    // SAFETY: the caller gives a text.
    let name = unsafe { name_bytes(name.cast()) };
    let Some(name) = name.filter(|_| !vendor.is_null() && (data_size == 0 || !data.is_null())) else {
        return Status::INVALID_PARAMETER;
    };
    let known = Attributes::NON_VOLATILE | Attributes::BOOTSERVICE_ACCESS | Attributes::RUNTIME_ACCESS;
    if !known.contains(attributes) {
        return Status::UNSUPPORTED;
    }
    // SAFETY: not null.
    let vendor = unsafe { vendor.read_unaligned().to_bytes() };
    let (persistent, volatile) = memories();
    let there = store::find(persistent, &vendor, name).or_else(|| store::find(volatile, &vendor, name));
    let there = there.map(|record| record.attributes);
    let delete = data_size == 0 || !attributes.intersects(Attributes::RUNTIME_ACCESS | Attributes::BOOTSERVICE_ACCESS);
    let persists = match there {
        None if delete => return Status::NOT_FOUND,
        Some(old) if !delete && old != attributes.bits() => return Status::INVALID_PARAMETER,
        Some(old) => Attributes::from_bits_retain(old).contains(Attributes::NON_VOLATILE),
        None => attributes.contains(Attributes::NON_VOLATILE),
    };
    // At run time only what is to be seen at run time, and what persists, can be made (UEFI specification, SetVariable()).
    let can_be_made = attributes.contains(Attributes::RUNTIME_ACCESS) && persists;
    if !delete && !can_be_made {
        return Status::WRITE_PROTECTED;
    }
    let memory = if persists { persistent } else { volatile };
    // SAFETY: the caller gives so many bytes.
    let data = if delete { &[] } else { unsafe { slice::from_raw_parts(data, data_size) } };
    match store::set(memory, (&vendor, name), attributes.bits(), data) {
        Ok(()) => Status::SUCCESS,
        Err(store::Full) => Status::OUT_OF_RESOURCES,
    }
}

/// QueryVariableInfo.
pub unsafe extern "efiapi" fn query_variable_info(
    attributes: Attributes,
    maximum: *mut u64,
    remaining: *mut u64,
    one: *mut u64,
) -> Status {
    if maximum.is_null() || remaining.is_null() || one.is_null() || attributes.is_empty() {
        return Status::INVALID_PARAMETER;
    }
    let (persistent, volatile) = memories();
    let memory = if attributes.contains(Attributes::NON_VOLATILE) { persistent } else { volatile };
    // SAFETY: the caller gives room for three numbers.
    unsafe {
        maximum.write_unaligned(memory.len() as u64);
        remaining.write_unaligned(store::free(memory) as u64);
        one.write_unaligned(store::largest(memory) as u64);
    }
    Status::SUCCESS
}

//! Calls of the runtime services: one at a time, on the firmware's page tables (`asm/efi.S`).
#![allow(unsafe_code)]

use super::Runtime;
use crate::arch::{flush, lapic, percpu};
use crate::memlayout::phys_to_virt;
use crate::mm::direct_map::DirectMap;
use crate::mm::{efi_pgd, roots};
use crate::options::EfiTables;
use crate::println;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};
use spin::Mutex;
use uefi_raw::table::runtime::{ResetType, RuntimeServices, TimeCapabilities, VariableAttributes};
use uefi_raw::time::Time;
use uefi_raw::{Guid, Status};
use x86_64::PhysAddr;
use x86_64::registers::rflags::{self, RFlags};

/// What `efi_call` reads.
#[repr(C)]
struct Call {
    cr3: u64,
    function: u64,
    arguments: [u64; 5],
    /// Bits for CR3 on the way back, besides those that it had.
    keep: u64,
}

const _: () = assert!(offset_of!(Call, function) == 8 && offset_of!(Call, arguments) == 16);
const _: () = assert!(offset_of!(Call, keep) == 56);

unsafe extern "C" {
    /// In `asm/efi.S`.
    fn efi_call(call: &Call) -> u64;
}

/// One call at a time (UEFI specification, "Runtime Services Rules and Restrictions").
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Calls the firmware's function at an address that `root` maps.
///
/// # Safety
/// `root` maps the kernel as `init_top_pgt` does, and the firmware's regions where `function` expects them; the arguments are
/// what it takes.
pub(super) unsafe fn call(root: PhysAddr, tables: EfiTables, function: u64, arguments: [u64; 5]) -> Status {
    let _turn = ONE_AT_A_TIME.lock();
    if tables == EfiTables::Own {
        let init_top_pgt = roots::by_name("init_top_pgt").expect("the kernel runs on it");
        efi_pgd::sync_low_kernel_mappings(&mut DirectMap, init_top_pgt, root);
    }
    let (cr3, keep) = if tables == EfiTables::Own { flush::efi_cr3(root.as_u64()) } else { (root.as_u64(), 0) };
    let before = rflags::read();
    // SAFETY: the caller vouches for it; the stack and this code are in the kernel's half, which both tables have.
    let status = unsafe { efi_call(&Call { cr3, function, arguments, keep }) };
    // First of all: compiled code copies memory upwards only while DF is 0.
    let changed = (before ^ rflags::read()) & (RFlags::INTERRUPT_FLAG | RFlags::DIRECTION_FLAG);
    if !changed.is_empty() {
        // SAFETY: these are the flags as they were before the call.
        unsafe { rflags::write(before) };
    }
    if tables != EfiTables::Own {
        // These tables have global entries at linear = physical, which MOV CR3 leaves in the TLB.
        flush::all();
    }
    if !changed.is_empty() {
        println!("efi: the firmware changed {changed:?} of RFLAGS; put back");
    }
    Status(status as usize)
}

/// Offsets of services in their table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Service {
    GetTime = offset_of!(RuntimeServices, get_time),
    SetVirtualAddressMap = offset_of!(RuntimeServices, set_virtual_address_map),
    GetVariable = offset_of!(RuntimeServices, get_variable),
    GetNextVariableName = offset_of!(RuntimeServices, get_next_variable_name),
    SetVariable = offset_of!(RuntimeServices, set_variable),
    ResetSystem = offset_of!(RuntimeServices, reset_system),
    QueryVariableInfo = offset_of!(RuntimeServices, query_variable_info),
}

/// The address of a service as the firmware's table has it now: physical before SetVirtualAddressMap, virtual after it.
pub(super) fn address_of(runtime_services: u64, service: Service) -> u64 {
    // SAFETY: `system_table::read_tables` found the table whole in memory that the direct map covers; it is 8-byte aligned
    // as all such tables.
    unsafe { phys_to_virt(PhysAddr::new(runtime_services + service as u64)).as_ptr::<u64>().read_unaligned() }
}

/// GetTime's address, for [`nmi_then_get_time`].
static GET_TIME: AtomicU64 = AtomicU64::new(0);

/// Runs on the firmware's tables in the place of its GetTime: sends this CPU an NMI, as a watchdog would, and goes on there.
unsafe extern "efiapi" fn nmi_then_get_time(time: *mut Time, capabilities: *mut TimeCapabilities) -> Status {
    lapic::send(percpu::current().apic_id, lapic::Message::Nmi);
    let address = GET_TIME.load(Ordering::Acquire) as *const ();
    // SAFETY: the firmware's table has this address for GetTime, which has this type.
    let get_time: unsafe extern "efiapi" fn(*mut Time, *mut TimeCapabilities) -> Status =
        unsafe { core::mem::transmute(address) };
    // SAFETY: the arguments are the caller's.
    unsafe { get_time(time, capabilities) }
}

/// The longest name of a variable, in 16-bit units with the zero at its end.
pub const MAX_NAME: usize = 256;
/// The most data of a variable that is read, in bytes.
pub const MAX_DATA: usize = 4096;

/// A variable's name.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// UTF-16, ends with zero.
    pub text: [u16; MAX_NAME],
    /// Whose it is.
    pub vendor: Guid,
}

impl Name {
    /// The name before the first.
    pub const FIRST: Self = Self { text: [0; MAX_NAME], vendor: Guid::ZERO };

    /// A name from text; None: it is too long.
    pub fn new(text: &str, vendor: Guid) -> Option<Self> {
        let mut name = Self { vendor, ..Self::FIRST };
        for (at, unit) in text.encode_utf16().enumerate() {
            *name.text[..MAX_NAME - 1].get_mut(at)? = unit;
        }
        Some(name)
    }

    /// Its characters; what is none becomes a question mark.
    pub fn chars(&self) -> impl Iterator<Item = char> + '_ {
        let end = self.text.iter().position(|unit| *unit == 0).unwrap_or(MAX_NAME);
        char::decode_utf16(self.text[..end].iter().copied()).map(|c| c.unwrap_or('?'))
    }

    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        self.chars().eq(text.chars())
    }
}

/// How much room there is for variables, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// For all of them.
    pub maximum: u64,
    /// Still free.
    pub remaining: u64,
    /// For one.
    pub one: u64,
}

impl Runtime {
    fn call(&self, service: Service, arguments: [u64; 5]) -> Result<(), Status> {
        // SAFETY: the firmware has taken its virtual addresses, and `root` maps its regions there; the arguments are those of
        // the methods below, which point to the kernel's memory.
        let status = unsafe { call(self.root, self.tables, address_of(self.services, service), arguments) };
        if status == Status::SUCCESS { Ok(()) } else { Err(status) }
    }

    /// GetTime.
    ///
    /// # Errors
    /// What the firmware answers.
    pub fn time(&self) -> Result<Time, Status> {
        let mut time = Time::invalid();
        self.call(Service::GetTime, [&raw mut time as u64, 0, 0, 0, 0])?;
        Ok(time)
    }

    /// GetTime, with an NMI while the firmware's tables are in CR3: it comes just before the firmware's first instruction.
    ///
    /// # Errors
    /// What the firmware answers.
    pub fn time_with_nmi(&self) -> Result<Time, Status> {
        let mut time = Time::invalid();
        GET_TIME.store(address_of(self.services, Service::GetTime), Ordering::Release);
        let function = nmi_then_get_time as *const () as u64;
        // SAFETY: as for `call`; the function is the kernel's, which `root` maps as well.
        let status = unsafe { call(self.root, self.tables, function, [&raw mut time as u64, 0, 0, 0, 0]) };
        if status == Status::SUCCESS { Ok(time) } else { Err(status) }
    }

    /// GetVariable: attributes and length of the data, of which the buffer holds what fits.
    ///
    /// # Errors
    /// What the firmware answers; [`Status::BUFFER_TOO_SMALL`] if there is more than the buffer holds.
    pub fn variable(&self, name: &Name, data: &mut [u8]) -> Result<(VariableAttributes, usize), Status> {
        let (mut attributes, mut size) = (0u32, data.len());
        let arguments = [
            name.text.as_ptr() as u64,
            &raw const name.vendor as u64,
            &raw mut attributes as u64,
            &raw mut size as u64,
            data.as_mut_ptr() as u64,
        ];
        self.call(Service::GetVariable, arguments)?;
        Ok((VariableAttributes::from_bits_retain(attributes), size.min(data.len())))
    }

    /// SetVariable; no data deletes it.
    ///
    /// # Errors
    /// What the firmware answers.
    pub fn set_variable(&self, name: &Name, attributes: VariableAttributes, data: &[u8]) -> Result<(), Status> {
        let vendor = &raw const name.vendor as u64;
        let (attributes, size) = (u64::from(attributes.bits()), data.len() as u64);
        self.call(Service::SetVariable, [name.text.as_ptr() as u64, vendor, attributes, size, data.as_ptr() as u64])
    }

    /// GetNextVariableName: replaces a name by the one behind it. False: it was the last.
    ///
    /// # Errors
    /// What the firmware answers.
    pub fn next_name(&self, name: &mut Name) -> Result<bool, Status> {
        let mut size = size_of_val(&name.text);
        let arguments = [&raw mut size as u64, name.text.as_mut_ptr() as u64, &raw mut name.vendor as u64, 0, 0];
        match self.call(Service::GetNextVariableName, arguments) {
            Ok(()) => {
                // Whatever the firmware wrote: a name ends.
                name.text[MAX_NAME - 1] = 0;
                Ok(true)
            }
            Err(Status::NOT_FOUND) => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// QueryVariableInfo for variables that persist.
    ///
    /// # Errors
    /// What the firmware answers.
    pub fn room(&self) -> Result<Room, Status> {
        let mut room = Room::default();
        let attributes = VariableAttributes::NON_VOLATILE
            | VariableAttributes::BOOTSERVICE_ACCESS
            | VariableAttributes::RUNTIME_ACCESS;
        let arguments = [
            attributes.bits().into(),
            &raw mut room.maximum as u64,
            &raw mut room.remaining as u64,
            &raw mut room.one as u64,
            0,
        ];
        self.call(Service::QueryVariableInfo, arguments)?;
        Ok(room)
    }

    /// ResetSystem, cold. Returns only if the firmware did.
    pub fn reset(&self) {
        // What it answers does not matter: it was not to come back.
        let _ = self.call(Service::ResetSystem, [ResetType::COLD.0.into(), 0, 0, 0, 0]);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    /// Goal: names survive the way to UTF-16 and back. Method: usual, empty, with an umlaut, too long.
    #[test]
    fn names() {
        let check = |text: &str| Name::new(text, Guid::ZERO).map(|name| name.chars().collect::<String>());
        for text in ["BootOrder", "", "Gr\u{fc}n"] {
            assert_eq!(check(text).as_deref(), Some(text));
        }
        assert!(Name::new("BootOrder", Guid::ZERO).is_some_and(|name| name.is("BootOrder") && !name.is("BootOrde")));
        assert_eq!(check(&"x".repeat(MAX_NAME - 1)).map(|name| name.len()), Some(MAX_NAME - 1));
        assert_eq!(check(&"x".repeat(MAX_NAME)), None);
    }
}

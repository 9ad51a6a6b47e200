//! Time, reset, and the services that this firmware does not have.

use crate::{halt, port_read, port_write};
use firmware::clock::{self, register};
use uefi_raw::capsule::CapsuleHeader;
use uefi_raw::table::runtime::{ResetType, TimeCapabilities};
use uefi_raw::time::Time;
use uefi_raw::{Boolean, PhysicalAddress, Status};

/// Address and data of the real-time clock's registers.
const CMOS_INDEX: u16 = 0x70;
const CMOS_DATA: u16 = 0x71;
/// Reset control of PC chipsets.
const RESET_CONTROL: u16 = 0xcf9;

fn clock_register(index: u8) -> u8 {
    port_write(CMOS_INDEX, index);
    port_read(CMOS_DATA)
}

/// The clock's registers, once no update is going on.
pub unsafe extern "efiapi" fn get_time(time: *mut Time, capabilities: *mut TimeCapabilities) -> Status {
    const UPDATE_IN_PROGRESS: u8 = 1 << 7;
    const TRIES: u32 = 1 << 20;
    if time.is_null() {
        return Status::INVALID_PARAMETER;
    }
    if !(0..TRIES).any(|_| clock_register(register::STATUS_A) & UPDATE_IN_PROGRESS == 0) {
        return Status::DEVICE_ERROR;
    }
    let Some(now) = clock::time(clock_register) else { return Status::DEVICE_ERROR };
    // SAFETY: the caller gives room for a time and, if it wants them, for the capabilities.
    unsafe {
        time.write(now);
        if !capabilities.is_null() {
            capabilities.write(TimeCapabilities { resolution: 1, accuracy: 0, sets_to_zero: Boolean::from(false) });
        }
    }
    Status::SUCCESS
}

/// This machine's clock cannot be set.
pub unsafe extern "efiapi" fn set_time(_: *const Time) -> Status {
    Status::UNSUPPORTED
}

/// There is no alarm.
pub unsafe extern "efiapi" fn get_wakeup_time(_: *mut Boolean, _: *mut Boolean, _: *mut Time) -> Status {
    Status::UNSUPPORTED
}

/// There is no alarm.
pub unsafe extern "efiapi" fn set_wakeup_time(_: Boolean, _: *const Time) -> Status {
    Status::UNSUPPORTED
}

/// There is no such counter.
pub unsafe extern "efiapi" fn get_next_high_monotonic_count(_: *mut u32) -> Status {
    Status::UNSUPPORTED
}

/// Full reset by the chipset, whatever kind is asked for: the machine cannot be switched off.
pub unsafe extern "efiapi" fn reset_system(_: ResetType, _: Status, _: usize, _: *const u8) -> ! {
    port_write(RESET_CONTROL, 0x02);
    port_write(RESET_CONTROL, 0x06);
    halt()
}

/// No capsules.
pub unsafe extern "efiapi" fn update_capsule(_: *const *const CapsuleHeader, _: usize, _: PhysicalAddress) -> Status {
    Status::UNSUPPORTED
}

/// No capsules.
pub unsafe extern "efiapi" fn query_capsule_capabilities(
    _: *const *const CapsuleHeader,
    _: usize,
    _: *mut u64,
    _: *mut ResetType,
) -> Status {
    Status::UNSUPPORTED
}

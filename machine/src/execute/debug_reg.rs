//! MOV to and from DR0 to DR7. What the breakpoints in them do is in [`super::debug`]. Source: SDM 3B, "Debug Registers".

use super::control_reg::need_ring_0;
use crate::bus::Bus;
use crate::cpu::{Cpu, cr4};
use crate::fault::{Exec, Fault, vector};
use protocol::Mode;

/// DR6 bits that can be written: B0 to B3, BD, BS, BT.
const DR6_WRITABLE: u64 = 0xe00f;
/// DR6 bits that read as 1.
const DR6_ONES: u64 = 0xffff_0ff0;
/// DR7 bits that can be written.
const DR7_WRITABLE: u64 = 0xffff_2bff;
/// DR7 bit 10 reads as 1.
const DR7_ONES: u64 = 0x400;
/// DR7.GD: any MOV to or from a debug register is a #DB.
pub const DR7_GD: u64 = 1 << 13;
/// DR6.BD: that was the reason.
const DR6_BD: u64 = 1 << 13;

/// MOV from DRn.
pub fn read(cpu: &mut Cpu, _bus: &mut Bus, n: u8) -> Exec<u64> {
    let index = index(cpu, n)?;
    Ok(cpu.dr[index])
}

/// MOV to DRn.
pub fn write(cpu: &mut Cpu, _bus: &mut Bus, n: u8, value: u64) -> Exec<()> {
    let index = index(cpu, n)?;
    let value = if cpu.mode() == Mode::Long { value } else { value & 0xffff_ffff };
    if index >= 4 && value >> 32 != 0 {
        return Err(Fault::gp(0, "bits 63:32 of DR6 and DR7 are reserved").into());
    }
    cpu.dr[index] = match index {
        4 => value & DR6_WRITABLE | DR6_ONES,
        5 => value & DR7_WRITABLE | DR7_ONES,
        _ => value,
    };
    Ok(())
}

/// Place in `Cpu::dr`, all checks done. DR4 and DR5 are other names of DR6 and DR7 unless CR4.DE makes them #UD.
fn index(cpu: &mut Cpu, n: u8) -> Exec<usize> {
    let index = match n {
        0..=3 => usize::from(n),
        4 | 5 if cpu.cr4 & cr4::DE != 0 => return Err(Fault::ud("DR4 and DR5 do not exist while CR4.DE = 1").into()),
        4 | 6 => 4,
        5 | 7 => 5,
        _ => return Err(Fault::ud(format!("there is no DR{n}")).into()),
    };
    need_ring_0(cpu, "MOV with a debug register")?;
    if cpu.dr[5] & DR7_GD != 0 {
        cpu.dr[4] |= DR6_BD;
        return Err(Fault::plain(vector::DEBUG, "a MOV with a debug register while DR7.GD is set").into());
    }
    Ok(index)
}

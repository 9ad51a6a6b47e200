//! The machine as gdbstub sees it: CPUs are threads, tid = CPU + 1.
//!
//! One [`Target`] belongs to the driver ([`crate::server::driver`]) and is lent to each client's gdbstub while it
//! handles a packet. Resuming only notes what is wanted (`resume`); the driver runs it in pieces.

use super::arch::{AllRegisters, RegisterNumber, X86, all_registers};
use super::breakpoints::GdbBreakpoint;
use super::registers::{Hidden, Register};
use super::resume::{Plan, Run};
use crate::cpu::Cpu;
use crate::cpu::segment;
use crate::inspect;
use crate::server::guest_image::GuestImage;
use crate::timeline::Timeline;
use gdbstub::common::Tid;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{MultiThreadBase, MultiThreadResumeOps};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::breakpoints::BreakpointsOps;
use gdbstub::target::ext::monitor_cmd::MonitorCmdOps;
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{TargetError, TargetResult};
use protocol::request::{Edit, Place, Refusal};
use protocol::{CpuId, LinearAddr, Mode, PhysAddr};
use std::convert::Infallible;

/// errno EFAULT: there is nothing to read or write there.
const EFAULT: u8 = 14;
/// errno EINVAL: the value makes no sense there.
const EINVAL: u8 = 22;

/// A machine with its history, and what gdb asked of it.
pub struct Target {
    /// The machine and its past.
    pub timeline: Timeline,
    /// Where it came from, with its names.
    pub image: Box<dyn GuestImage>,
    /// Addresses of memory packets are physical (`Qqemu.PhyMemMode`).
    pub physical: bool,
    /// Breakpoints that gdb set, with the timeline's numbers.
    pub(super) breakpoints: Vec<GdbBreakpoint>,
    /// Actions of a vCont while its parts arrive.
    pub(super) plan: Plan,
    /// What gdb wants run. The driver takes it out when it stops.
    pub run: Option<Run>,
    /// Text for gdb's console, to be sent before the next stop: why a last request was refused, and the like.
    pub said: Vec<String>,
    /// The CPU whose registers the packet in hand asks for.
    registers_asked: Option<CpuId>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("position", &self.timeline.position()).field("run", &self.run).finish()
    }
}

/// gdb's thread of a CPU.
pub fn tid(cpu: CpuId) -> Tid {
    Tid::MIN.saturating_add(usize::from(cpu.0))
}

/// The CPU of gdb's thread, whether there is one or not.
pub fn cpu_of(tid: Tid) -> CpuId {
    CpuId(u16::try_from(tid.get() - 1).unwrap_or(u16::MAX))
}

impl Target {
    /// Around a machine.
    pub fn new(timeline: Timeline, image: Box<dyn GuestImage>) -> Self {
        Self {
            timeline,
            image,
            physical: false,
            breakpoints: Vec::new(),
            plan: Plan::default(),
            run: None,
            said: Vec::new(),
            registers_asked: None,
        }
    }

    /// The answer to `g`, if the last packet was one: gdbstub, which knows which thread is meant, left its own empty.
    pub(crate) fn take_registers(&mut self) -> Option<Vec<u8>> {
        let cpu = self.registers_asked.take()?;
        self.timeline.machine().cpu(cpu).map(all_registers)
    }

    fn cpu(&self, tid: Tid) -> TargetResult<&Cpu, Self> {
        self.timeline.machine().cpu(cpu_of(tid)).ok_or(TargetError::Errno(EINVAL))
    }

    fn place(&self, start: u64, tid: Tid) -> Place {
        if self.physical {
            Place::Phys(PhysAddr(start))
        } else {
            Place::Linear { cpu: cpu_of(tid), linear: LinearAddr(start) }
        }
    }

    fn edit(&mut self, edit: &Edit, errno: u8) -> TargetResult<(), Self> {
        self.timeline.edit(edit).map_err(|refusal| {
            if let Refusal::Invalid(why) = refusal {
                self.said.push(why);
            }
            TargetError::Errno(errno)
        })
    }

    /// Writes a register, `rip` as the linear address that gdb takes it for.
    fn write(&mut self, tid: Tid, number: RegisterNumber, bytes: &[u8]) -> TargetResult<(), Self> {
        let row = number.row().filter(|row| row.bytes == bytes.len()).ok_or(TargetError::Errno(EINVAL))?;
        let mut wide = [0; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        let cpu = self.cpu(tid)?;
        if row.register.read(cpu)[..bytes.len()] == *bytes {
            return Ok(());
        }
        let id = cpu.id;
        let low = u128::from_le_bytes(wide) as u64;
        let high = (u128::from_le_bytes(wide) >> 64) as u64;
        let register = |name: &str, value| Edit::Register { cpu: id, name: name.to_owned(), value };
        match row.register {
            Register::Rip => {
                let ip = ip_of_linear(cpu, low);
                self.edit(&register("rip", ip), EINVAL)
            }
            Register::Ip => self.edit(&register("rip", low), EINVAL),
            // RFLAGS' upper half is reserved and stays.
            Register::Eflags => self.edit(&register("rflags", low), EINVAL),
            // An edit carries 64 bits: XMM registers go in two halves.
            Register::Xmm(index) => {
                self.edit(&register(&format!("xmm{index}_low"), low), EINVAL)?;
                self.edit(&register(&format!("xmm{index}_high"), high), EINVAL)
            }
            Register::Selector(_)
            | Register::SystemSelector(_)
            | Register::Hidden(_, Hidden::Base | Hidden::Limit | Hidden::Attributes)
            | Register::Gpr(_)
            | Register::Base(_)
            | Register::KernelGsBase
            | Register::Cr(_)
            | Register::Efer
            | Register::Mxcsr
            | Register::TableBase(_)
            | Register::TableLimit(_)
            | Register::ApicBase
            | Register::Dr(_) => self.edit(&register(&row.name, low), EINVAL),
            // What follows from other registers cannot be written; the x87 is kept for FXSAVE only.
            Register::Mode | Register::Activity | Register::Steps | Register::St(_) | Register::Fpu(_) => {
                Err(TargetError::Errno(EINVAL))
            }
        }
    }
}

/// The IP that makes the next instruction be at this linear address.
fn ip_of_linear(cpu: &Cpu, linear: u64) -> u64 {
    match cpu.mode() {
        Mode::Long => linear,
        _ => linear.wrapping_sub(cpu.segments[segment::CS].base) & 0xffff_ffff,
    }
}

impl gdbstub::target::Target for Target {
    type Arch = X86;
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, X86, Infallible> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    // The connection is loopback: run-length coding costs more than it saves.
    fn use_rle(&self) -> bool {
        false
    }
}

impl MultiThreadBase for Target {
    fn read_registers(&mut self, _registers: &mut AllRegisters, tid: Tid) -> TargetResult<(), Self> {
        self.registers_asked = Some(self.cpu(tid)?.id);
        Ok(())
    }

    fn write_registers(&mut self, registers: &AllRegisters, tid: Tid) -> TargetResult<(), Self> {
        for (number, bytes) in registers.rows().ok_or(TargetError::Errno(EINVAL))? {
            self.write(tid, number, bytes)?;
        }
        Ok(())
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], tid: Tid) -> TargetResult<usize, Self> {
        self.cpu(tid)?;
        let (bytes, _) = inspect::memory(self.timeline.machine(), self.place(start, tid), data.len());
        if bytes.is_empty() && !data.is_empty() {
            return Err(TargetError::Errno(EFAULT));
        }
        let count = bytes.len().min(data.len());
        data[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], tid: Tid) -> TargetResult<(), Self> {
        self.cpu(tid)?;
        let edit = Edit::Memory { at: self.place(start, tid), bytes: data.to_vec() };
        // gdb asks with no bytes whether it may write at all.
        if data.is_empty() { Ok(()) } else { self.edit(&edit, EFAULT) }
    }

    fn list_active_threads(&mut self, thread_is_active: &mut dyn FnMut(Tid)) -> Result<(), Infallible> {
        self.timeline.machine().cpus().iter().for_each(|cpu| thread_is_active(tid(cpu.id)));
        Ok(())
    }

    fn is_thread_alive(&mut self, tid: Tid) -> Result<bool, Infallible> {
        Ok(self.cpu(tid).is_ok())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for Target {
    fn read_register(&mut self, tid: Tid, number: RegisterNumber, data: &mut [u8]) -> TargetResult<usize, Self> {
        let row = number.row().ok_or(TargetError::Errno(EINVAL))?;
        let value = row.register.read(self.cpu(tid)?);
        let count = row.bytes.min(data.len());
        data[..count].copy_from_slice(&value[..count]);
        Ok(count)
    }

    fn write_register(&mut self, tid: Tid, number: RegisterNumber, value: &[u8]) -> TargetResult<(), Self> {
        self.write(tid, number, value)
    }
}

impl ThreadExtraInfo for Target {
    fn thread_extra_info(&self, tid: Tid, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let text = self.timeline.machine().cpu(cpu_of(tid)).map_or_else(String::new, describe);
        let count = text.len().min(buffer.len());
        buffer[..count].copy_from_slice(&text.as_bytes()[..count]);
        Ok(count)
    }
}

/// "CPU 1 (APIC ID 4) [wait-for-sipi]", or the mode of a CPU that runs or can run on.
pub(super) fn describe(cpu: &Cpu) -> String {
    use protocol::Activity;
    let state = match cpu.activity {
        Activity::WaitForSipi | Activity::Shutdown => cpu.activity.word().to_owned(),
        activity => format!("{}, {}", activity.word(), cpu.mode().word()),
    };
    format!("{} (APIC ID {}) [{state}]", cpu.id, cpu.lapic.id())
}

//! Processors that are not as usual, and what firmware left in them: [`CpuQuirk`] by [`CpuQuirk`]. Called by
//! [`super::boot`] for each CPU as power comes on; docs/QUIRKS.md has the sources.

use super::boot::BootError;
use crate::cpu::Cpu;
use crate::device::lapic::BASE_EXTD;
use crate::execute::msr::MISC_XD_DISABLE;
use crate::random::SplitMix64;
use protocol::request::{CpuQuirk, MachineConfig};

/// An INIT takes at least so long with `slow-init`, in nanoseconds: longer than an INIT that is followed by a SIPI at once.
const INIT_LEAST_NS: u64 = 10_000;
/// And at most so much longer: the second SIPI, 20 us behind the first, finds each processor ready.
const INIT_SPREAD_NS: u64 = 8_000;

/// The quirks can be had together.
pub fn check(config: &MachineConfig) -> Result<(), BootError> {
    let has = |quirk| config.cpu_quirks.contains(&quirk);
    if has(CpuQuirk::X2apicOn) && has(CpuQuirk::NoX2apic) {
        return Err(BootError::Quirks(CpuQuirk::X2apicOn, CpuQuirk::NoX2apic));
    }
    Ok(())
}

/// Gives a CPU its quirks, and the seed of its random numbers.
pub fn apply(cpu: &mut Cpu, config: &MachineConfig) {
    cpu.random = SplitMix64::of_cpu(config.seed.unwrap_or_default(), cpu.id.0);
    for quirk in &config.cpu_quirks {
        match quirk {
            CpuQuirk::EferLmaGp => cpu.quirks.efer_lma_gp = true,
            CpuQuirk::XdDisable if cpu.is_bsp => {}
            CpuQuirk::XdDisable => cpu.msr.misc_enable |= MISC_XD_DISABLE,
            CpuQuirk::NoNx => cpu.quirks.no_nx = true,
            CpuQuirk::NoX2apic => cpu.quirks.no_x2apic = true,
            CpuQuirk::X2apicOn if cpu.is_bsp => {
                let switched = cpu.lapic.set_base(cpu.lapic.base | BASE_EXTD);
                debug_assert!(switched.is_ok(), "out of reset a local APIC is in xAPIC mode");
            }
            CpuQuirk::X2apicOn => {}
            CpuQuirk::SlowInit => {
                // The CPU's own number of the sequence, counted from 0.
                let mut random = SplitMix64::new(config.seed.unwrap_or_default());
                let drawn = (0..=cpu.id.0).map(|_| random.draw()).last().unwrap_or_default();
                cpu.quirks.init_ns = (INIT_LEAST_NS + drawn % INIT_SPREAD_NS) as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::CpuId;

    fn config(quirks: &[CpuQuirk], seed: Option<u64>) -> MachineConfig {
        let cpu_quirks = quirks.to_vec();
        MachineConfig {
            cpus: 2,
            apic_ids: Vec::new(),
            memory_bytes: 1 << 26,
            quantum: 64,
            seed,
            options: String::new(),
            cpu_quirks,
            firmware: Default::default(),
        }
    }

    fn cpu(number: u16, quirks: &[CpuQuirk], seed: Option<u64>) -> Cpu {
        let mut cpu = Cpu::power_on(CpuId(number), number.into(), number == 0);
        apply(&mut cpu, &config(quirks, seed));
        cpu
    }

    /// Goal: firmware hid NX on all but the first; method: both, and without the quirk.
    #[test]
    fn xd_is_disabled_on_the_others() {
        let hidden = |number, quirks: &[_]| cpu(number, quirks, None).msr.misc_enable & MISC_XD_DISABLE != 0;
        assert!(!hidden(0, &[CpuQuirk::XdDisable]) && hidden(1, &[CpuQuirk::XdDisable]) && !hidden(1, &[]));
    }

    /// Goal: firmware left the first processor in x2APIC mode, and it alone; method: both.
    #[test]
    fn x2apic_is_on_on_the_first() {
        let is_on = |number| cpu(number, &[CpuQuirk::X2apicOn], None).lapic.is_x2apic();
        assert!(is_on(0) && !is_on(1));
    }

    /// Goal: a processor without x2APIC cannot be left in that mode; method: both quirks, and each alone.
    #[test]
    fn no_x2apic_cannot_be_on() {
        let fails = |quirks: &[_]| check(&config(quirks, None)).is_err();
        assert!(fails(&[CpuQuirk::X2apicOn, CpuQuirk::NoX2apic]) && fails(&[CpuQuirk::NoX2apic, CpuQuirk::X2apicOn]));
        assert!(!fails(&[CpuQuirk::X2apicOn, CpuQuirk::NoNx]) && !fails(&[CpuQuirk::NoX2apic]));
    }

    /// Goal: without x2APIC, CPUID hides it and IA32_APIC_BASE refuses it and nothing else; method: both processors, both modes.
    #[test]
    fn no_x2apic_is_hidden_and_refused() {
        use crate::bus::Bus;
        use crate::cpu::gpr;
        use crate::execute::{cpuid, msr};
        const APIC_BASE: u32 = 0x1b;
        let mut bus = Bus::new(1 << 20);
        for (quirks, has_x2apic) in [(&[CpuQuirk::NoX2apic][..], false), (&[], true)] {
            let mut cpu = cpu(0, quirks, None);
            cpu.gpr[gpr::RAX] = 1;
            cpuid::cpuid(&mut cpu).unwrap();
            assert_eq!(cpu.gpr[gpr::RCX] >> 21 & 1 != 0, has_x2apic);
            let base = cpu.lapic.base;
            let written = msr::write(&mut cpu, &mut bus, APIC_BASE, base | BASE_EXTD);
            assert_eq!((written.is_ok(), cpu.lapic.is_x2apic()), (has_x2apic, has_x2apic));
            if !has_x2apic {
                let fault = crate::testing::fault(written);
                assert_eq!((fault.vector, fault.error, cpu.lapic.base), (13, Some(0), base));
                msr::write(&mut cpu, &mut bus, APIC_BASE, base & !(1 << 11)).unwrap();
            }
        }
    }

    /// Goal: how long an INIT takes depends on seed and CPU, and lies within its bounds; method: many of both.
    #[test]
    fn init_takes_a_while_that_is_drawn() {
        let ns = |number, seed| cpu(number, &[CpuQuirk::SlowInit], seed).quirks.init_ns;
        assert_eq!(ns(1, Some(5)), ns(1, Some(5)));
        assert!(ns(1, Some(5)) != ns(2, Some(5)) && ns(1, Some(5)) != ns(1, Some(6)));
        for number in 0..200 {
            assert!((10_000..18_000).contains(&ns(number, Some(u64::from(number) * 77))));
        }
        assert_eq!(cpu(1, &[], None).quirks.init_ns, 0);
    }
}

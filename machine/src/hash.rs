//! The state hash: all architectural state of a machine in a fixed order, by BLAKE3. Equal hashes mean equal futures.
//!
//! CPUs with TLB and local APIC, RAM (pages that are not all zero, by number), devices, clock, schedule, position, serial
//! input that waits. Left out is what is derived: decoded instructions, lookup hints, cached modes and deadlines, and
//! the debugger's breakpoints. Structs are taken apart by name, so that a new field cannot be forgotten.

use crate::bus::ram::PAGE_BYTES;
use crate::cpu::mtrr::Mtrrs;
use crate::cpu::segment::{Segment, TableRegister};
use crate::cpu::{Cpu, Msrs, Pending, Quirks, X87};
use crate::device::Devices;
use crate::machine::{Machine, State, Stop};
use protocol::Activity;

/// The hash of all of a machine's state.
pub fn of(machine: &Machine) -> [u8; 32] {
    let mut hasher = Hasher::default();
    for cpu in machine.cpus() {
        hash_cpu(&mut hasher, cpu);
    }
    let ram = &machine.bus().ram;
    hasher.put(ram.size());
    for page in 0..ram.size() / PAGE_BYTES as u64 {
        let bytes = ram.slice(page * PAGE_BYTES as u64, PAGE_BYTES);
        if bytes != [0; PAGE_BYTES] {
            hasher.put(page);
            hasher.0.update(bytes);
        }
    }
    hash_devices(&mut hasher, &machine.bus().devices);
    hasher.put(machine.bus().clock_ns);
    hash_state(&mut hasher, &machine.state);
    hasher.0.finalize().into()
}

#[derive(Default)]
struct Hasher(blake3::Hasher);

impl Hasher {
    fn put(&mut self, word: u64) {
        self.0.update(&word.to_le_bytes());
    }

    fn put_all(&mut self, words: &[u64]) {
        words.iter().for_each(|&word| self.put(word));
    }

    fn put_wide(&mut self, words: &[u128]) {
        for word in words {
            self.0.update(&word.to_le_bytes());
        }
    }
}

fn hash_cpu(hasher: &mut Hasher, cpu: &Cpu) {
    let activity = match cpu.activity {
        Activity::Running => 0,
        Activity::Halted => 1,
        Activity::WaitForSipi => 2,
        Activity::Shutdown => 3,
        Activity::Held => 4,
    };
    hasher.put_all(&[u64::from(cpu.id.0), activity, cpu.rip, cpu.rflags]);
    hasher.put_all(&cpu.gpr);
    cpu.segments.iter().chain([&cpu.ldtr, &cpu.tr]).for_each(|segment| hash_segment(hasher, segment));
    for TableRegister { base, limit } in [cpu.gdtr, cpu.idtr] {
        hasher.put_all(&[base, u64::from(limit)]);
    }
    hasher.put_all(&[cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4, cpu.efer]);
    hasher.put_all(&cpu.pdptes);
    hasher.put_all(&cpu.dr);
    hash_msrs(hasher, &cpu.msr);
    hasher.put_wide(&cpu.xmm);
    hasher.put_all(&[u64::from(cpu.mxcsr) | u64::from(cpu.pkru) << 32, cpu.xcr0, cpu.random.state()]);
    let X87 { fcw, fsw, ftw, r, fip, fcs, fdp, fds, fop, ignne } = &cpu.x87;
    let control = u64::from(*fcw) | u64::from(*fsw) << 16 | u64::from(*ftw) << 32 | u64::from(*ignne) << 40;
    hasher.put_all(&[control, *fip, *fdp, u64::from(*fcs) | u64::from(*fds) << 16 | u64::from(*fop) << 32]);
    hasher.put_wide(r);
    cpu.lapic.state(|word| hasher.put(word));
    cpu.tlb.state(|word| hasher.put(word));
    let Pending { init, sipi, nmi, extint } = cpu.pending;
    let flags = [init, nmi, cpu.interrupt_shadow, cpu.nmi_blocked, cpu.is_bsp];
    flags.into_iter().for_each(|flag| hasher.put(flag.into()));
    hasher.put_all(&[sipi, extint].map(|vector| vector.map_or(u64::MAX, u64::from)));
    hasher.put(cpu.debug_held.into());
    let Quirks { efer_lma_gp, no_nx, no_x2apic, init_ns } = cpu.quirks;
    let quirks = u64::from(efer_lma_gp) | u64::from(no_nx) << 1 | u64::from(no_x2apic) << 2;
    hasher.put_all(&[quirks, init_ns.into(), cpu.init_until_ns]);
    hasher.put(cpu.steps);
}

fn hash_segment(hasher: &mut Hasher, segment: &Segment) {
    let Segment { selector, attributes, limit, base } = *segment;
    hasher.put_all(&[u64::from(selector), u64::from(attributes), u64::from(limit), base]);
}

fn hash_msrs(hasher: &mut Hasher, msrs: &Msrs) {
    let Msrs {
        kernel_gs_base,
        star,
        lstar,
        cstar,
        sfmask,
        tsc_aux,
        tsc_offset,
        tsc_adjust,
        mcg_status,
        sysenter_cs,
        sysenter_esp,
        sysenter_eip,
        misc_enable,
        pat,
        pkrs,
        mtrrs: Mtrrs { default_type, fixed, variable },
    } = *msrs;
    hasher.put_all(&[kernel_gs_base, star, lstar, cstar, sfmask, tsc_aux, tsc_offset, tsc_adjust, mcg_status]);
    hasher.put_all(&[sysenter_cs, sysenter_esp, sysenter_eip, misc_enable, pat, pkrs.into(), default_type]);
    hasher.put_all(&fixed);
    hasher.put_all(variable.as_flattened());
}

fn hash_devices(hasher: &mut Hasher, devices: &Devices) {
    let Devices {
        irq,
        pit,
        uart,
        i8042,
        cmos,
        vga,
        acpi_pm,
        fw_cfg,
        ide,
        nvram,
        rom,
        pci_address,
        reset_control,
        post_code,
        test_memory,
        test_bytes,
    } = devices;
    let mut put = |word| hasher.put(word);
    irq.pic.state(&mut put);
    irq.ioapic.state(&mut put);
    pit.state(&mut put);
    uart.state(&mut put);
    i8042.state(&mut put);
    cmos.state(&mut put);
    vga.state(&mut put);
    put(acpi_pm.state());
    fw_cfg.state(&mut put);
    ide.state(&mut put);
    put(rom.bytes().len() as u64);
    let words = [*pci_address, (*reset_control).into(), (*post_code).into(), u32::from_le_bytes(*test_bytes)];
    hasher.put_all(&words.map(u64::from));
    hasher.0.update(rom.bytes());
    hasher.0.update(test_memory.bytes());
    hasher.0.update(nvram.bytes());
}

fn hash_state(hasher: &mut Hasher, state: &State) {
    let State { position, schedule, last_cpu, online, serial, ended } = state;
    hasher.put(*position);
    schedule.state(|word| hasher.put(word));
    hasher.put(last_cpu.map_or(u64::MAX, |cpu| u64::from(cpu.0)));
    online.iter().for_each(|&online| hasher.put(online.into()));
    hasher.put(serial.len() as u64);
    serial.iter().for_each(|&byte| hasher.put(byte.into()));
    hasher.put_all(&match ended {
        None | Some(Stop::AllWaiting | Stop::Unsupported { .. }) => [0, 0],
        Some(Stop::TripleFault { cpu }) => [1, u64::from(cpu.0)],
        Some(Stop::Exit { value }) => [2, u64::from(*value)],
        Some(Stop::PowerOff) => [3, 0],
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;
    use crate::schedule::Schedule;
    use protocol::CpuId;

    /// Goal: every part of the state counts; method: change one thing at a time and see the hash differ.
    #[test]
    fn everything_counts() {
        let machine = || {
            let cpus = vec![Cpu::power_on(CpuId(0), 0, true), Cpu::power_on(CpuId(1), 1, false)];
            Machine::new(cpus, Bus::new(1 << 20), Schedule::new(64, None))
        };
        let base = of(&machine());
        assert_eq!(base, of(&machine()));
        let changes: [fn(&mut Machine); 10] = [
            |machine| std::sync::Arc::make_mut(&mut machine.cpus[1]).gpr[3] = 1,
            |machine| std::sync::Arc::make_mut(&mut machine.cpus[0]).segments[2].limit ^= 1,
            |machine| std::sync::Arc::make_mut(&mut machine.cpus[1]).pending.nmi = true,
            |machine| std::sync::Arc::make_mut(&mut machine.cpus[0]).x87.r[7] = 1,
            |machine| std::sync::Arc::make_mut(&mut machine.cpus[0]).x87.fdp = 1,
            |machine| assert!(machine.bus.ram.write(0x5123, [1u8])),
            |machine| machine.bus.clock_ns += 1,
            |machine| machine.state.position += 1,
            |machine| machine.state.serial.push_back(0),
            |machine| machine.state.ended = Some(Stop::Exit { value: 0 }),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = machine();
            change(&mut changed);
            assert_ne!(base, of(&changed), "change {index}");
        }
    }
}

//! The same state at the same labels on both machines: registers, and the page tables that are in use there.
//!
//! Both are driven through their gdb servers by the same packets ([`crate::rsp::server`]). What a number means is said
//! in words that hold on both ("blob+1fc0", "init_top_pgt"), then the words are compared. What may differ is
//! [`REGISTER_MASKS`] here and `MASKS` in [`super::tables`], with a reason each.

use super::tables;
use crate::cmd::Background;
use crate::guest::{BLOB_BASE, symbols::Linked};
use crate::rsp::server::Server;
use crate::{gdb, project};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// From power-on to the kernel's entry QEMU takes seconds, most of them the firmware's.
const PATIENCE: Duration = Duration::from_secs(120);
/// The processor that is followed.
const AP: usize = 1;
/// Where CPU 1 is stopped, in this order. A label of the blob, or else of the kernel.
const LABELS: [&str; 12] = [
    "trampoline_start",
    "tr_lidt",
    "tr_set_pe",
    "tr_enter_32",
    "startup_32",
    "tr_set_pg",
    "tr_enter_64",
    "startup_64",
    "secondary_startup_64",
    "ss_load_cr3",
    AFTER_LOAD_CR3,
    "start_secondary",
];
/// No label stands there: one step from `ss_load_cr3`.
const AFTER_LOAD_CR3: &str = "after ss_load_cr3";
/// Where CPU 0 is stopped.
const ENTRY: &str = "boot_entry";
const OWN_TABLES: &str = "start_kernel_on_own_tables";
/// Before and after the firmware's SetVirtualAddressMap, the first call.
const CALLS_FIRMWARE: &str = "efi_call_service";
const FIRMWARE_CAME_BACK: &str = "efi_restore_cr3";
/// The write that sends an IPI: the blob is in its place then.
const SENDS_IPI: &str = "icr_write_low";

/// Page tables have five levels.
const CR4_LA57: u64 = 1 << 12;

/// What is compared.
const REGISTERS: [&str; 5] = ["cr0", "cr3", "cr4", "efer", "eflags"];
const SEGMENTS: [&str; 6] = ["cs", "ss", "ds", "es", "fs", "gs"];
const POINTERS: [&str; 5] = ["rsp", "gdtr_base", "gdtr_limit", "idtr_base", "idtr_limit"];

/// What may differ: these bits of a register.
struct Mask {
    /// Only there; None: everywhere.
    label: Option<&'static str>,
    register: &'static str,
    bits: u64,
    why: &'static str,
}

const fn at(label: &'static str, register: &'static str, bits: u64, why: &'static str) -> Mask {
    Mask { label: Some(label), register, bits, why }
}

const fn everywhere(register: &'static str, bits: u64, why: &'static str) -> Mask {
    Mask { label: None, register, bits, why }
}

const ALL: u64 = u64::MAX;
/// CF, PF, AF, ZF, SF, OF.
const STATUS_FLAGS: u64 = 0x8d5;
const AF: u64 = 1 << 4;
/// Our bit for a null selector.
const UNUSABLE: u64 = 1 << 16;
const NULL: &str = "QEMU has no bit that says so: a null segment has rights 0";
const TYPE_AFTER_INIT: &str =
    "type of CS after INIT: data here, as the SDM's table says, code in QEMU (docs/QUIRKS.md)";
const CODE: u64 = 1 << 3;
const REGISTER_MASKS: &[Mask] = &[
    at(ENTRY, "cr3", ALL, "the loader's tables, in whatever frames were free"),
    at(ENTRY, "gdtr_base", ALL, "the loader's GDT, likewise"),
    at(ENTRY, "eflags", STATUS_FLAGS, "left from what the loader computed last"),
    at(CALLS_FIRMWARE, "eflags", AF, "AND leaves it undefined (SDM 2A, \"AND\")"),
    at(FIRMWARE_CAME_BACK, "eflags", STATUS_FLAGS, "left from what the firmware computed last"),
    everywhere("ss_attr", UNUSABLE, NULL),
    everywhere("ds_attr", UNUSABLE, NULL),
    everywhere("es_attr", UNUSABLE, NULL),
    everywhere("fs_attr", UNUSABLE, NULL),
    everywhere("gs_attr", UNUSABLE, NULL),
    at("trampoline_start", "cs_attr", CODE, TYPE_AFTER_INIT),
    at("tr_lidt", "cs_attr", CODE, TYPE_AFTER_INIT),
    at("tr_set_pe", "cs_attr", CODE, TYPE_AFTER_INIT),
    at("tr_enter_32", "cs_attr", CODE, TYPE_AFTER_INIT),
];

/// The embedded machine and, at this address, a QEMU that has not started yet go through the labels with these options of the
/// kernel's, and have to say the same. QEMU goes on by itself afterwards.
pub fn compare(options: &str, cpus: u16, qemu: &str) -> Result<()> {
    let arguments = ["--cpus", &cpus.to_string(), "--options", options].map(String::from);
    let (machine, address) = gdb::start_machine(&arguments, false)?;
    let _machine = Background(machine);
    let kernel = Linked::read(&project::kernel(), 64)?;
    let blob = Linked::read(&project::blob(), 16)?;
    let firmware = Firmware::of(options);
    let ours = Tour::new(&address, &kernel, &blob, firmware)?.walk().context("on the embedded machine")?;
    let theirs = Tour::new(qemu, &kernel, &blob, firmware)?.walk().context("on QEMU")?;
    let different = differences(&ours, &theirs);
    ensure!(different.is_empty(), "{}", {
        let masks = REGISTER_MASKS.iter().map(|mask| {
            let label = mask.label.unwrap_or("everywhere");
            format!("{label} {} {:x} ({})", mask.register, mask.bits, mask.why)
        });
        let masks = masks.chain(tables::MASKS.iter().map(|mask| format!("{} ({})", mask.what, mask.why)));
        let masks = masks.map(|mask| format!("\n  - {mask}")).collect::<String>();
        format!("{} lines differ:\n{}\ncompared but for:{masks}", different.len(), different.join("\n"))
    });
    ensure!(ours.len() > LABELS.len() * REGISTERS.len(), "only {} lines were compared", ours.len());
    Ok(())
}

/// In which tables the firmware is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Firmware {
    /// In `efi_pgd`, which is its own.
    Own,
    /// In the kernel's, `trampoline_pgd` and `init_top_pgt`.
    Kernels,
    /// It is not mapped, and not called.
    Nowhere,
}

impl Firmware {
    fn of(options: &str) -> Self {
        match options.split(' ').find_map(|word| word.strip_prefix("efi=")) {
            None | Some("own") => Self::Own,
            Some("noruntime") => Self::Nowhere,
            Some(_) => Self::Kernels,
        }
    }
}

/// The lines that only one side has, in their order.
fn differences(ours: &[String], theirs: &[String]) -> Vec<String> {
    let only = |lines: &[String], others: &[String], side: &str| -> Vec<String> {
        let missing = lines.iter().filter(|line| !others.contains(line));
        missing.map(|line| format!("  only {side}: {line}")).collect()
    };
    let mut different = only(ours, theirs, "embedded");
    different.extend(only(theirs, ours, "on QEMU"));
    if different.is_empty() && ours != theirs {
        different.push("  the same lines, in another order or number".to_owned());
    }
    different
}

/// One machine on its way through the labels.
struct Tour<'a> {
    server: Server,
    kernel: &'a Linked,
    blob: &'a Linked,
    firmware: Firmware,
    /// Where the kernel has put things, as far as it has.
    places: Places,
    said: Vec<String>,
}

/// What addresses mean in this run.
#[derive(Default)]
struct Places {
    blob: Option<u64>,
    /// By name: the root tables.
    roots: Vec<(&'static str, u64)>,
    /// Each CPU's block and the end of its stack.
    cpus: Vec<(u64, u64)>,
}

impl<'a> Tour<'a> {
    fn new(address: &str, kernel: &'a Linked, blob: &'a Linked, firmware: Firmware) -> Result<Self> {
        let server = Server::connect(address)?;
        Ok(Self { server, kernel, blob, firmware, places: Places::default(), said: Vec::new() })
    }

    fn walk(mut self) -> Result<Vec<String>> {
        let entry = self.kernel_address(ENTRY)?;
        // The embedded machine begins there.
        if self.server.registers(0)?.get("rip") != Some(&entry) {
            self.run_to(0, entry, ENTRY)?;
        }
        self.tell(0, ENTRY)?;
        let own_tables = self.kernel_address(OWN_TABLES)?;
        self.run_to(0, own_tables, OWN_TABLES)?;
        self.look_around()?;
        self.tell(0, OWN_TABLES)?;
        if self.firmware != Firmware::Nowhere {
            for label in [CALLS_FIRMWARE, FIRMWARE_CAME_BACK] {
                let address = self.kernel_address(label)?;
                self.run_to(0, address, label)?;
                self.look_around()?;
                self.tell(0, label)?;
            }
        }
        let sends_ipi = self.kernel_address(SENDS_IPI)?;
        self.run_to(0, sends_ipi, SENDS_IPI)?;
        self.look_around()?;
        ensure!(self.places.blob.is_some(), "the kernel sends an IPI before the blob has its place");
        for label in LABELS {
            if label == AFTER_LOAD_CR3 {
                self.server.step(AP)?;
            } else {
                let address = self.address(label)?;
                self.run_to(AP, address, label)?;
            }
            self.tell(AP, label)?;
        }
        self.tables()?;
        self.server.let_go()?;
        Ok(self.said)
    }

    fn run_to(&mut self, cpu: usize, address: u64, label: &str) -> Result<()> {
        let stopped = self.server.run_to(address, PATIENCE).with_context(|| format!("on the way to {label}"))?;
        ensure!(stopped == cpu, "CPU {stopped} came to {label}, not CPU {cpu}");
        Ok(())
    }

    fn kernel_address(&self, name: &str) -> Result<u64> {
        let is = |found: &str| found == name || found.rsplit("::").next() == Some(name);
        let found = self.kernel.symbols.iter().find(|symbol| is(&symbol.name));
        Ok(found.with_context(|| format!("the kernel has no symbol {name}"))?.address)
    }

    fn address(&self, label: &str) -> Result<u64> {
        match (self.places.blob, self.blob.find(label)) {
            (Some(base), Some(symbol)) => Ok(base + symbol.address),
            _ => self.kernel_address(label),
        }
    }

    /// Reads the kernel's variables that tell where things are.
    fn look_around(&mut self) -> Result<()> {
        let read = |server: &mut Server, name: &str, offset: u64| -> Result<Option<u64>> {
            let address = self.kernel.find(name);
            let address = address.with_context(|| format!("the kernel has no variable {name}"))?.address;
            Ok(Some(server.variable(0, address + offset)?).filter(|value| *value != 0))
        };
        let server = &mut self.server;
        self.places.blob = read(server, BLOB_BASE, 0)?;
        self.places.roots.clear();
        for name in ["trampoline_pgd", "init_top_pgt", "efi_pgd"] {
            self.places.roots.extend(read(server, &format!("{name}_paddr"), 0)?.map(|root| (name, root)));
        }
        self.places.cpus.clear();
        for cpu in 0..=AP as u64 {
            // The block begins with its own address and the end of its stack (kernel/src/arch/percpu.rs).
            if let Some(block) = read(server, "__per_cpu_offset", 8 * cpu)? {
                self.places.cpus.push((block, server.variable(0, block + 8)?));
            }
        }
        Ok(())
    }

    /// A line for each register.
    fn tell(&mut self, cpu: usize, label: &'static str) -> Result<()> {
        let registers = self.server.registers(cpu)?;
        let segments =
            SEGMENTS.iter().flat_map(|segment| ["", "_base", "_limit", "_attr"].map(|part| format!("{segment}{part}")));
        let names = REGISTERS.iter().chain(&POINTERS).map(|name| (*name).to_owned()).chain(segments);
        for name in names {
            let value =
                registers.get(&name).copied().with_context(|| format!("{label}: the server sends no {name}"))?;
            let masks = REGISTER_MASKS.iter().filter(|mask| mask.register == name);
            let bits =
                masks.filter(|mask| mask.label.is_none_or(|at| at == label)).fold(0, |bits, mask| bits | mask.bits);
            let words = if bits == ALL { "#".to_owned() } else { self.places.words(&name, value & !bits) };
            self.said.push(format!("CPU {cpu} at {label}: {name} = {words}"));
        }
        Ok(())
    }

    fn tables(&mut self) -> Result<()> {
        let blob = self.places.blob.context("the blob has no place")?;
        let blob_size = self.blob.end.next_multiple_of(0x1000);
        let cr4 = self.server.registers(0)?.get("cr4").copied().context("the server sends no cr4")?;
        let levels = if cr4 & CR4_LA57 != 0 { 5 } else { 4 };
        let mut trees = Vec::new();
        for (name, root) in self.places.roots.clone() {
            let tree = tables::read(root, levels, |page| self.server.page(page))
                .with_context(|| format!("the tree of {name}"))?;
            let has_firmware = name == "efi_pgd" || self.firmware == Firmware::Kernels;
            let layout = tables::Layout { blob, blob_size, has_firmware };
            self.said.extend(layout.words(&tree).into_iter().map(|line| format!("{name}: {line}")));
            trees.push(tree);
        }
        let expected = if self.firmware == Firmware::Own { 3 } else { 2 };
        ensure!(trees.len() == expected, "the kernel has made {} roots, not {expected}", trees.len());
        self.said.push(format!("slots of trampoline_pgd and init_top_pgt: {}", tables::shared(&trees[0], &trees[1])));
        if let Some(efi) = trees.get(2) {
            self.said.push(format!("slots of efi_pgd and init_top_pgt: {}", tables::shared(efi, &trees[1])));
        }
        Ok(())
    }
}

impl Places {
    /// A value in words that mean the same on both machines.
    fn words(&self, register: &str, value: u64) -> String {
        if register.ends_with("_attr") || register.ends_with("_limit") {
            return format!("{value:x}");
        }
        if register == "cr3" {
            let root = self.roots.iter().find(|(_, root)| *root == value & !0xfff);
            return root.map_or_else(|| format!("{value:x}"), |(name, _)| format!("{name}, flags {:x}", value & 0xfff));
        }
        const BLOB_ROOM: u64 = 0x8000;
        const BLOCK_ROOM: u64 = 0x1000;
        const STACK_ROOM: u64 = 0x4000;
        if let Some(base) = self.blob.filter(|base| (*base..*base + BLOB_ROOM).contains(&value)) {
            return format!("blob+{:x}", value - base);
        }
        // A selector of real mode.
        if let Some(base) =
            self.blob.filter(|base| (*base..*base + BLOB_ROOM).contains(&(value << 4)) && value < 0x1_0000)
        {
            return format!("(blob+{:x})/16", (value << 4) - base);
        }
        for (cpu, (block, stack)) in self.cpus.iter().enumerate() {
            if (*block..*block + BLOCK_ROOM).contains(&value) {
                return format!("block of CPU {cpu}+{:x}", value - block);
            }
            if (*stack - STACK_ROOM..=*stack).contains(&value) {
                return format!("stack of CPU {cpu}-{:x}", stack - value);
            }
        }
        format!("{value:x}")
    }
}

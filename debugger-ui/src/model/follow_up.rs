//! What a stop makes the window ask next: the code around the CPU, names that the guest has made, shown page tables.

use super::outbox::Purpose;
use super::page_tables::RootKey;
use super::{Model, page_tables};
use protocol::page_table::PagingKind;
use protocol::request::{Place, Request, RootSpec};
use protocol::{CpuId, LinearAddr};

/// Most tables asked for in one tree.
const TREE_TABLES: u32 = 1024;

/// Everything that a stop may have changed.
pub(crate) fn after_stop(model: &mut Model) {
    model.page_tables.choose_roots(&model.cpus, &model.symbols);
    names(model);
    code(model);
    if model.page_tables.shown {
        page_tables(model);
    }
    readings(model);
}

/// The panels that read the machine, those that are shown.
pub(crate) fn readings(model: &mut Model) {
    if model.memory.shown && model.memory.follow {
        model.memory.resolve(&model.symbols, &model.cpus);
    } else if model.memory.shown {
        model.memory.aim(model.cpus.selected);
    }
    memory(model);
    descriptors(model);
    tlb(model);
    firmware(model);
    screen(model);
}

/// The bytes of the memory panel.
pub(crate) fn memory(model: &mut Model) {
    if model.memory.shown && model.connection.offers.reads_memory() {
        for (at, request) in model.memory.requests() {
            model.outbox.read(Purpose::Memory(at), request);
        }
    }
}

/// The descriptor table that is shown.
pub(crate) fn descriptors(model: &mut Model) {
    if model.descriptors.shown
        && model.connection.offers.reads_memory()
        && model.connection.offers.tells_hidden()
        && let Some(cpu) = model.cpus.selected()
    {
        let request = model.descriptors.request(cpu);
        model.outbox.read(Purpose::Descriptors, request);
    }
}

/// The selected CPU's TLB.
pub(crate) fn tlb(model: &mut Model) {
    let cpu = model.cpus.selected;
    if model.tlb.shown && model.connection.offers.vendor && model.cpus.get(cpu).is_some() {
        model.tlb.of(cpu);
        model.outbox.read(Purpose::Tlb(cpu), Request::Tlb { cpu });
    }
}

/// The guest's screen.
pub(crate) fn screen(model: &mut Model) {
    if model.screen.shown && model.connection.offers.vendor && !model.screen.asked {
        model.screen.asked = true;
        model.outbox.read(Purpose::Screen, Request::Screen);
    }
}

/// The firmware's variables.
pub(crate) fn firmware(model: &mut Model) {
    if model.settings.shown && model.connection.offers.vendor {
        model.outbox.read(Purpose::Firmware, Request::FirmwareVariables);
    }
}

/// The variables in which the guest keeps the places of blobs and roots, read through CPU 0's tables.
pub(crate) fn names(model: &mut Model) {
    if !model.connection.offers.reads_memory() {
        return;
    }
    let Some(boot_cpu) = model.cpus.get(CpuId(0)) else { return };
    if boot_cpu.page_table_root().is_none() {
        let linear_pc = boot_cpu.linear_pc();
        if model.symbols.place_blob_by_code(linear_pc) {
            model.names_changed();
        }
        return;
    }
    let read = |linear: LinearAddr| Request::Memory { from: Place::Linear { cpu: CpuId(0), linear }, len: 8 };
    for blob in 0..model.symbols.blob_bases.len() {
        if let Some(linear) = model.symbols.blob_variable(blob) {
            model.outbox.read(Purpose::BlobBase(blob), read(linear));
        }
    }
    for root in 0..model.symbols.roots.len() {
        if let Some(linear) = model.symbols.root_variable(root) {
            model.outbox.read(Purpose::Root(root), read(linear));
        }
    }
}

/// What a variable of the guest holds: 8 bytes, little endian, 0 while it is not made.
pub(crate) fn variable(bytes: &[u8]) -> Option<u64> {
    let value = u64::from_le_bytes(bytes.try_into().ok()?);
    (value != 0).then_some(value)
}

/// The instructions around the selected CPU's next one, or from where the user looks.
pub(crate) fn code(model: &mut Model) {
    if !model.connection.offers.reads_memory() {
        return;
    }
    if let Some(cpu) = model.cpus.selected() {
        let request = model.code.request(cpu, &model.symbols);
        model.outbox.read(Purpose::Code, request);
    }
}

/// The trees and walks that are shown.
pub(crate) fn page_tables(model: &mut Model) {
    if !model.connection.offers.reads_tables() {
        for view in 0..model.page_tables.views.len() {
            let why = "Not available: this server does not read physical memory, in which page tables lie.";
            model.page_tables.clear(view, why.to_owned());
        }
        return;
    }
    let Some(cpu) = model.cpus.selected() else { return };
    let linear = model.page_tables.walk_linear.unwrap_or(cpu.linear_pc());
    let mode = page_tables::paging_mode_for_named(&model.cpus);
    for view in 0..model.page_tables.views.len() {
        let spec = match model.page_tables.views[view].key.clone().unwrap_or(RootKey::Selected) {
            RootKey::Selected => cpu_root(model, model.cpus.selected),
            RootKey::Cpu(cpu) => cpu_root(model, cpu),
            RootKey::Named(name) => match model.symbols.root_named(&name) {
                Some(root) => Ok(RootSpec::Phys { root, mode }),
                None => Err(format!("{name} is not made yet: the kernel's variable for it holds 0.")),
            },
            RootKey::Typed(root) => Ok(RootSpec::Phys { root, mode }),
        };
        match spec {
            Ok(root) => {
                model.page_tables.views[view].empty = None;
                model.outbox.read(Purpose::Tree(view), Request::Tree { root, max_tables: TREE_TABLES });
                model.outbox.read(Purpose::Walk(view), Request::Walk { root, linear });
            }
            Err(why) => model.page_tables.clear(view, why),
        }
    }
}

fn cpu_root(model: &Model, cpu: CpuId) -> Result<RootSpec, String> {
    let state = model.cpus.get(cpu).ok_or_else(|| format!("There is no {cpu}."))?;
    if page_tables::paging_mode(state).kind == PagingKind::Off {
        return Err(format!("{cpu} does not page: CR0.PG is 0, a linear address is the physical one."));
    }
    Ok(RootSpec::Cpu(cpu))
}

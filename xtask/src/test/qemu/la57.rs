//! Page tables of five levels on QEMU: its TCG has LA57, if asked for. The firmware leaves four levels, as the embedded machine
//! does. `mistake=cr4-constant` is in the part `mistakes`.

use super::shell::Shell;
use super::{TIME_OUT, compare_lines, efi, same_state};
use crate::guest::symbols::Linked;
use crate::qemu::{self, Hardware, tail};
use crate::rsp::server::Server;
use crate::{project, test::Report};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// One that has 5-level paging.
const CPU: &str = "qemu64,+la57";
/// The kernel's options, one boot each.
const OPTIONS: [&str; 3] = ["la57=on", "la57=on bringup=parallel efi=trampoline", "la57=on efi=old_map"];
const CPUS: u16 = super::VARIANT_CPUS;

const CR0_PE: u64 = 1 << 0;
const CR4_LA57: u64 = 1 << 12;

pub fn run(report: &mut Report, folder: &Path) {
    for options in OPTIONS {
        report.case(
            &format!("five levels on QEMU: the same lines, registers and page tables: {options}"),
            boots(options, folder),
        );
    }
    report.case("five levels on QEMU: the way back to real mode", restarts(folder));
    report.case("five levels on QEMU: a processor without", falls_back(folder));
}

const fn boot<'a>(options: &'a str, kernel: &'a Path, folder: &'a Path) -> qemu::Boot<'a> {
    qemu::Boot { cpus: CPUS, kernel: Some(kernel), options, gdb: None, monitor: None, folder }
}

fn start<'a>(boot: &'a qemu::Boot<'a>) -> Result<Shell<'a>> {
    Shell::start_on(boot, Hardware { cpu: Some(CPU), ..Hardware::default() })
}

fn boots(options: &str, folder: &Path) -> Result<()> {
    let (kernel, address) = (project::kernel(), qemu::free_address()?);
    let boot = qemu::Boot { gdb: Some(&address), ..boot(options, &kernel, folder) };
    let mut shell = start(&boot)?;
    same_state::compare(options, CPUS, &address)?;
    compare_lines(&mut shell, CPUS, options, folder)?;
    let five_levels = |answer: &str| answer.contains("PML5 at ") && answer.contains("entry 511: ");
    shell.ask("translate init_top_pgt ffffffff80000000", five_levels)?;
    shell.ask("stress 50", |answer| answer.contains(" checks, 0 stale"))?;
    efi::services(&mut shell, !options.contains("efi="))
}

/// CPU 0 comes to real mode, with CR4.LA57 off. From there it goes to the reset vector, F000:FFF0, where OVMF begins anew without
/// a reset, wakes the other CPU by INIT, and boots the kernel a second time.
fn restarts(folder: &Path) -> Result<()> {
    let (kernel, address) = (project::kernel(), qemu::free_address()?);
    let boot = qemu::Boot { gdb: Some(&address), ..boot("la57=on", &kernel, folder) };
    let mut shell = start(&boot)?;
    let mut server = Server::connect(&address)?;
    let symbols = Linked::read(&kernel, 64)?;
    // COM1 is the kernel's by then: it keeps what is typed until the shell asks for it.
    let cpu = server.run_to(symbols.address_of("start_secondary")?, TIME_OUT)?;
    let base = server.variable(cpu, symbols.address_of("real_mode_base")?)?;
    let in_real_mode = base + Linked::read(&project::blob(), 16)?.address_of("rr_in_real")?;
    shell.type_line("restart real")?;
    let cpu = server.run_to(in_real_mode, TIME_OUT)?;
    let registers = server.registers(cpu)?;
    let of = |name: &str| registers.get(name).copied().with_context(|| format!("QEMU told of no {name}"));
    let (cr0, cr4) = (of("cr0")?, of("cr4")?);
    ensure!(cpu == 0 && cr0 & CR0_PE == 0 && cr4 & CR4_LA57 == 0, "CPU {cpu}: CR0 {cr0:x}, CR4 {cr4:x}");
    server.let_go()?;
    shell.prompt().context("the first prompt")?;
    let text = shell.prompt().context("after the restart")?;
    let again = text.contains("restart: CR3 = trampoline_pgd") && text.contains("2 of 2 CPUs online");
    ensure!(again, "it did not boot again; the console's last lines:\n{}", tail(&text));
    Ok(())
}

fn falls_back(folder: &Path) -> Result<()> {
    let kernel = project::kernel();
    let boot = boot("la57=on", &kernel, folder);
    let mut shell = Shell::start(&boot)?;
    let text = shell.prompt()?;
    let told = text.contains("la57=on: this processor has no 5-level paging") && text.contains("2 of 2 CPUs online");
    ensure!(told, "the console's last lines:\n{}", tail(&text));
    shell.ask("translate init_top_pgt ffffffff80000000", |answer| {
        !answer.contains("PML5") && answer.contains("PML4 at ")
    })
}

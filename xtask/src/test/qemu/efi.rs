//! EFI on real firmware: the kernel asks OVMF for the time and for variables, on each of its page tables, and restarts by it.

use super::shell::Shell;
use anyhow::Result;

/// What the shell asks of the firmware, and the end of QEMU by its ResetSystem. `own`: the tables are `efi_pgd`.
pub fn services(shell: &mut Shell<'_>, own: bool) -> Result<()> {
    shell.ask("efi time", |answer| {
        // Year, month, day: QEMU gives the host's.
        let digits = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        answer.lines().any(|line| line.split('-').next().is_some_and(digits) && line.contains(':'))
    })?;
    shell.ask("efi vars", |answer| answer.contains("BootOrder") && answer.contains("room for those that persist: "))?;
    shell.ask("efi var Colour", |answer| answer.contains("there is no variable Colour"))?;
    shell.ask("efi var Colour red", |answer| answer.contains(": written"))?;
    shell.ask("efi var Colour", |answer| answer.contains("3 bytes, persists") && answer.contains("72 65 64"))?;
    shell.ask("efi var Colour -", |answer| answer.contains(": deleted"))?;
    if own {
        // The firmware's regions at linear = physical and in the window, the kernel's beside them.
        let both = |answer: &str| answer.contains("  ffffffff80000000-") && answer.contains("  fffffffe");
        shell.ask("pgd efi_pgd", both)?;
        shell.ask("pgd init_top_pgt", |answer| {
            !answer.contains("  fffffffe") && answer.contains("  ffffffff80000000-")
        })?;
    }
    // This QEMU ends where a computer restarts.
    shell.type_line("restart efi")?;
    shell.ends()
}

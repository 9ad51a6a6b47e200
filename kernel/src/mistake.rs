//! Historical mistakes, each of which can be switched on: the code as it was, in the place where it stood. What each did and
//! what mended it is in one table, which docs/MISTAKES.md shows.
//!
//! `mistake=WORD` switches one on; where the mistake is to have too little of something, an option of its own does. The
//! code asks [`Mistakes::has`] where the paths part. `cargo xtask test mistakes` shows the symptom of each, and that the
//! kernel without it is well.

use core::fmt;

/// A mistake that `mistake=` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// `cr4-constant`
    Cr4Constant,
    /// `cr4-pcide`
    Cr4Pcide,
    /// `efer-lma`
    EferLma,
    /// `efi-map-order`
    EfiMapOrder,
    /// `efi-no-memmap`
    EfiNoMemmap,
    /// `efi-no-page0`
    EfiNoPage0,
    /// `efi-nx-poison`
    EfiNxPoison,
    /// `efi-unmap`
    EfiUnmap,
    /// `identity-slot`
    IdentitySlot,
    /// `no-nxe`
    NoNxe,
    /// `pgd-alignment`
    PgdAlignment,
    /// `restart-no-flush`
    RestartNoFlush,
    /// `restart-no-kernel-map`
    RestartNoKernelMap,
    /// `nx-unsupported`
    NxUnsupported,
    /// `restart-pcide`
    RestartPcide,
    /// `trampoline-high`
    TrampolineHigh,
    /// `trampoline-unaligned`
    TrampolineUnaligned,
    /// `x2apic-mismatch`
    X2apicMismatch,
}

impl Mistake {
    const ALL: [(&str, Self); 18] = [
        ("cr4-constant", Self::Cr4Constant),
        ("cr4-pcide", Self::Cr4Pcide),
        ("efer-lma", Self::EferLma),
        ("efi-map-order", Self::EfiMapOrder),
        ("efi-no-memmap", Self::EfiNoMemmap),
        ("efi-no-page0", Self::EfiNoPage0),
        ("efi-nx-poison", Self::EfiNxPoison),
        ("efi-unmap", Self::EfiUnmap),
        ("identity-slot", Self::IdentitySlot),
        ("no-nxe", Self::NoNxe),
        ("pgd-alignment", Self::PgdAlignment),
        ("nx-unsupported", Self::NxUnsupported),
        ("restart-no-flush", Self::RestartNoFlush),
        ("restart-no-kernel-map", Self::RestartNoKernelMap),
        ("restart-pcide", Self::RestartPcide),
        ("trampoline-high", Self::TrampolineHigh),
        ("trampoline-unaligned", Self::TrampolineUnaligned),
        ("x2apic-mismatch", Self::X2apicMismatch),
    ];

    /// The mistake of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, mistake)| mistake)
    }
}

/// The mistakes that are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(u32);

impl Mistakes {
    /// Switches one on.
    pub fn add(&mut self, mistake: Mistake) {
        self.0 |= 1 << mistake as u32;
    }

    /// Whether it is on.
    pub fn has(self, mistake: Mistake) -> bool {
        self.0 >> (mistake as u32) & 1 != 0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, _) in Mistake::ALL.into_iter().filter(|(_, mistake)| self.has(*mistake)) {
            write!(f, " {word}")?;
        }
        Ok(())
    }
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The options that switch it on.
    pub options: &'static str,
    /// The machine that it takes; empty: any.
    pub machine: &'static str,
    /// What has to be typed to the shell; empty: nothing.
    pub typed: &'static str,
    /// Where it is known from: a commit of Linux.
    pub source: &'static str,
    /// What was wrong.
    pub mistake: &'static str,
    /// What comes of it.
    pub symptom: &'static str,
    /// What mended it, as this kernel does it.
    pub mended: &'static str,
    /// Why QEMU with OVMF does not show it; empty: it does.
    pub not_on_qemu: &'static str,
}

/// All of them. Commits are those of linux.git.
pub const TABLE: &[Row] = &[
    Row {
        options: "kaiser=on efi=trampoline mistake=pgd-alignment",
        machine: "one where the blob's place has bit 12 of trampoline_pgd set (QEMU: trampoline=0x9b000)",
        typed: "efi nmi",
        source: "7ec5d87df34a (4.4.y), which aligns trampoline_pgd to 8 KiB in the blob, and the blob; first seen with 4.4.110",
        mistake: "trampoline_pgd, on which the firmware is called, is aligned to 4 KiB. The handler of an NMI clears bit 12 of \
                  CR3 to come from the user's table to the kernel's, which are 8 KiB together",
        symptom: "an NMI during a call of the firmware: with bit 12 cleared CR3 is the page before trampoline_pgd, which is no \
                  page table, and the CPU shuts down: page-table isolation has no global pages that could hide it. Where bit 12 is 0 by luck all is \
                  well",
        mended: "each table that may be in CR3 is aligned to 8 KiB; since 4.6 the firmware has one of its own",
        not_on_qemu: "",
    },
    Row {
        options: "page_offset_gib=16 mistake=identity-slot",
        machine: "",
        typed: "",
        source: "94133e46a0f5 (4.14), for EFI; init_trampoline() in arch/x86/mm/init.c, for the real-mode code",
        mistake: "the identity map is the top level's entry of the direct map, copied to slot 0, although KASLR moved the direct \
                  map by a multiple of 1 GiB and not of 512",
        symptom: "what lies at linear 0 is not physical 0: the AP's first fetch behind tr_set_pg is a #PF, not present",
        mended: "slot 0 gets a table of its own, into which the direct map's entries are copied one by one",
        not_on_qemu: "",
    },
    Row {
        options: "efi=trampoline",
        machine: "",
        typed: "",
        source: "d2f7cbe7b26a (3.14) to 67a9108ed431 (4.6), which gives EFI page tables of its own",
        mistake: "the firmware's regions are mapped in trampoline_pgd, since there is an identity map already; its slots 0 and \
                  511 lead to tables that the kernel's own lead to as well",
        symptom: "the check of init_top_pgt finds them: memory that is writable and executable in the kernel's direct map and \
                  below -4 GiB",
        mended: "efi_pgd: a top level of its own, a table of its own for the slot of the EFI window, and copies of the \
                 kernel's entries around it",
        not_on_qemu: "",
    },
    Row {
        options: "efi=trampoline mistake=efi-unmap",
        machine: "",
        typed: "efi map",
        source: "arch/x86/platform/efi/efi.c of 4.4, which leaves the mapping there and says why",
        mistake: "the new memory map was mapped at linear = physical for SetVirtualAddressMap alone, so it is unmapped again",
        symptom: "slot 0 is the direct map's: the kernel reads the map where it always was, #PF, not present",
        mended: "nothing is unmapped in tables that are shared; in efi_pgd the entry would be nobody else's",
        not_on_qemu: "",
    },
    Row {
        options: "efi=old_map mistake=efi-nx-poison",
        machine: "",
        typed: "",
        source: "de53c3786a3c (4.15): NX is cleared by hand in what page-table isolation wrote",
        mistake: "the identity map for SetVirtualAddressMap is made of the top level's entries for user mode, which page-table \
                  isolation marks NX",
        symptom: "the first fetch of the firmware: #PF with error code 11h. That the page itself may be executed does not \
                  matter: NX of any level forbids it",
        mended: "the prologue clears NX after it has written the entries",
        not_on_qemu: "",
    },
    Row {
        options: "mistake=efi-map-order",
        machine: "",
        typed: "efi vars",
        source: "\"x86/efi: Fix boot crash by mapping EFI memmap entries bottom-up\" (4.3)",
        mistake: "linear addresses are handed out downwards, but to the regions from the first to the last",
        symptom: "code and data of one image change places; the code reaches for its data where there is none: #PF in the EFI \
                  window",
        mended: "the regions are mapped from the last to the first",
        not_on_qemu: "OVMF works all the same: its memory map has each image whole in one region, so nothing \
                      that belongs together changes places",
    },
    Row {
        options: "mistake=efi-no-memmap",
        machine: "",
        typed: "",
        source: "arch/x86/platform/efi/efi_64.c, efi_setup_page_tables(): the new map is mapped 1:1",
        mistake: "SetVirtualAddressMap gets the physical address of the new memory map, at which efi_pgd has nothing",
        symptom: "#PF in the firmware, which reads the map",
        mended: "the new map is mapped at linear = physical before the call",
        not_on_qemu: "",
    },
    Row {
        options: "mistake=efi-no-page0",
        machine: "--firmware-quirk touch-page-zero",
        typed: "",
        source: "bf29bddf0417: page 0 is mapped in efi_pgd",
        mistake: "efi_pgd maps what the memory map calls the firmware's, and no more",
        symptom: "SetVirtualAddressMap of some firmware writes into page 0: #PF, not present",
        mended: "page 0 is mapped as well",
        not_on_qemu: "OVMF leaves page 0 alone",
    },
    Row {
        options: "pcid=on mistake=cr4-pcide",
        machine: "a processor with PCIDs (not QEMU's TCG)",
        typed: "",
        source: "c7ad5ad297e6: CR4.PCIDE is set early on each CPU, and left out of what is saved",
        mistake: "the boot CPU's CR4 goes into the trampoline header as it is, with PCIDE",
        symptom: "tr_load_cr4 in startup_32: #GP, since PCIDE may only be set in long mode; with an empty IDT the AP shuts down",
        mended: "the saved CR4 has no PCIDE; start_secondary sets it on each AP",
        not_on_qemu: "QEMU 7.2's TCG has no PCIDs",
    },
    Row {
        options: "la57=on mistake=cr4-constant",
        machine: "a processor with 5-level paging",
        typed: "",
        source: "arch/x86/kernel/head_64.S: PAE and PGE as a constant until 4.14, when 5-level paging came; since 6.5 the bits \
                 that may not change are kept",
        mistake: "secondary_startup_64 loads CR4 with a constant, and what is not in it goes off on every AP: LA57 too, though \
                  trampoline_pgd has five levels",
        symptom: "ss_flush_global: #GP, since LA57 cannot change in long mode; the IDT is still empty, so the AP shuts down. \
                  Without la57=on nobody notices",
        mended: "the AP loads what the boot CPU runs with (mmu_cr4_features)",
        not_on_qemu: "",
    },
    Row {
        options: "mistake=efer-lma",
        machine: "--cpu-quirk efer-lma-gp (some AMD processors)",
        typed: "",
        source: "arch/x86/realmode/init.c, setup_real_mode(): EFER_LMA is masked out",
        mistake: "the boot CPU's EFER goes into the trampoline header as it is, with LMA",
        symptom: "tr_load_efer in startup_32: #GP, and the AP shuts down; processors that ignore the bit start all the same",
        mended: "the saved EFER has no LMA: the processor sets it itself when paging goes on",
        not_on_qemu: "QEMU's TCG ignores the bit, as most processors do, and the AP starts",
    },
    Row {
        options: "mistake=no-nxe",
        machine: "",
        typed: "",
        source: "04633df0c43d (4.4): verify_cpu is called again after long mode is entered, so that NX is there in time",
        mistake: "the AP uses entries with XD set before its EFER has NXE",
        symptom: "tr_enter_64: the far jump reads tr_gdt, whose page has XD: #PF with error code 9 (present, reserved bit). The \
                  IDT is empty, so the AP shuts down. (QEMU's TCG leaves the present bit out of the error code: 8)",
        mended: "NXE is in the EFER that the trampoline loads, after verify_cpu has switched NX on where firmware hid it \
                 (--cpu-quirk xd-disable)",
        not_on_qemu: "",
    },
    Row {
        options: "sipi_count=1",
        machine: "--cpu-quirk slow-init",
        typed: "",
        source: "7a2ad752746b (the delays of extended Intel families) and SDM 3A, MP Initialization Protocol: two SIPIs",
        mistake: "one SIPI, right behind the INIT",
        symptom: "the AP has not finished its INIT and takes no SIPI: it does not answer",
        mended: "a second SIPI after a pause",
        not_on_qemu: "an AP of QEMU takes a SIPI at any time after its INIT, and starts",
    },
    Row {
        options: "bringup=parallel-nolock sipi=broadcast",
        machine: "three CPUs or more",
        typed: "",
        source: "Linux 6.5, arch/x86/realmode/rm/trampoline_64.S: tr_lock, with the parallel bring-up of 0c7ffa32dbd6",
        mistake: "all APs are sent into the trampoline at once, where they share one stack",
        symptom: "verify_cpu keeps flags on the stack: an AP takes another one's for its own, finds that it has no CPUID, and \
                  stays in no_longmode. Whether it comes to that depends on who runs when",
        mended: "the AP takes tr_lock before it uses the stack, and secondary_startup_64 gives it back",
        not_on_qemu: "its APs start one after the other, as the host lets them; 8 and 16 of them, on threads \
                      of their own or by turns, never met on the stack",
    },
    Row {
        options: "bringup=parallel mistake=x2apic-mismatch",
        machine: "--cpu-quirk x2apic-on (a Dell PowerEdge T340)",
        typed: "",
        source: "69a7386c1ec2 (6.11), which mends the parallel bring-up of 0c7ffa32dbd6 (6.5)",
        mistake: "an AP that comes in xAPIC mode reads its ID from memory, though the boot CPU is in x2APIC mode, where firmware \
                  left it, and the kernel has not mapped that page",
        symptom: "ss_read_apic_id in secondary_startup_64: #PF at the local APIC's page; the IDT is still empty, so the AP shuts \
                  down",
        mended: "where the kernel is in x2APIC mode, the AP switches to it first and reads the ID from its MSR",
        not_on_qemu: "QEMU 7.2's TCG has no x2APIC mode",
    },
    Row {
        options: "mistake=trampoline-high",
        machine: "",
        typed: "",
        source: "arch/x86/realmode/init.c, reserve_real_mode(): the blob is sought below 1 MiB; where firmware left nothing there, \
                 no other CPU starts (Dell XPS 13 9350)",
        mistake: "the real-mode code is placed where memory is free, above 1 MiB",
        symptom: "a SIPI has 8 bits for the page: the upper ones are lost, and the AP starts at another place, below 1 MiB. Memory \
                  ends on a MiB, as usual, so that is the firmware's, F0000h to FFFFFh: here the AP runs from F6000h on into \
                  the reset vector at FFFF0h, and the machine restarts over and over. On QEMU it starts at E9000h, where nothing \
                  is, goes astray in real mode, and does not answer",
        mended: "the place is sought below 1 MiB; where there is none, the kernel says so and runs on one CPU",
        not_on_qemu: "",
    },
    Row {
        options: "mistake=trampoline-unaligned",
        machine: "",
        typed: "",
        source: "arch/x86/realmode/init.c, reserve_real_mode(): the place is aligned to PAGE_SIZE",
        mistake: "the real-mode code is placed on a border of segments (16 bytes), half a page below one of pages",
        symptom: "the AP starts at the beginning of the page, before trampoline_start. By luck there are zeros up to there, which do \
                  nothing (ADD [BX+SI], AL with AL = 0); but CR3 has no bits for the place of trampoline_pgd within its page \
                  either, so the fetch behind tr_set_pg is a #PF, not present",
        mended: "the place is a page",
        not_on_qemu: "",
    },
    Row {
        options: "mistake=nx-unsupported",
        machine: "--cpu-quirk no-nx (early 64-bit Xeons)",
        typed: "",
        source: "\"kaiser: Set _PAGE_NX only if supported\" (4.4.y, January 2018)",
        mistake: "bit 63 is set in entries of a processor that has no NX",
        symptom: "the first push on the kernel's own tables, behind MOV CR3: #PF with error code Bh \
                  (present, write, reserved bit). Neither is there a stack to handle it on, and the boot CPU shuts down",
        mended: "where CPUID tells no NX, it is masked out of every entry that is made (Linux: __supported_pte_mask)",
        not_on_qemu: "without NX (-cpu qemu64,-nx) the UEFI loader refuses the processor by name, and the \
                      kernel never runs",
    },
    Row {
        options: "mistake=restart-no-kernel-map",
        machine: "",
        typed: "restart real",
        source: "51523ed1c267 (5.16): trampoline_pgd gets all of the kernel's slots",
        mistake: "trampoline_pgd has slot 511 of the kernel's tables and no other: the kernel's image, but neither direct map nor \
                  stack",
        symptom: "mrr_far_jump: #PF, since the far pointer lies in the direct map; neither is there a stack to handle it on, so \
                  the CPU shuts down. Linux lived with it as long as the TLB kept the global entries of the tables before; \
                  the flush behind MOV CR3 makes it show every time",
        mended: "every slot from the direct map's on is copied",
        not_on_qemu: "",
    },
    Row {
        options: "mistake=restart-no-kernel-map,restart-no-flush",
        machine: "one whose MOV CR3 keeps global entries (not QEMU's TCG)",
        typed: "restart real",
        source: "71d5049b0538 (5.17): a flush of the global entries behind the switch to trampoline_pgd, so that the use of memory \
                 that is not mapped there is caught every time",
        mistake: "trampoline_pgd has neither direct map nor stack, and nothing is flushed behind MOV CR3",
        symptom: "none: it restarts. The far pointer and the GDT's descriptor are read by global TLB entries that the tables before \
                  left. Where there are none (kaiser=on, which has no global pages), or with the flush, it is the #PF at \
                  mrr_far_jump",
        mended: "CR4.PGE is cleared behind MOV CR3: what is not mapped shows at once",
        not_on_qemu: "MOV CR3 of QEMU's TCG drops global entries too: it is the #PF at mrr_far_jump, as with \
                      the flush",
    },
    Row {
        options: "pcid=on mistake=restart-pcide",
        machine: "a processor with PCIDs (not QEMU's TCG)",
        typed: "restart real",
        source: "\"x86/mm/64: Fix reboot interaction with CR4.PCIDE\"",
        mistake: "CR4.PCIDE stays set on the way back to real mode",
        symptom: "rr_clear_pg: #GP, since paging cannot be switched off with PCIDE; the machine does not restart",
        mended: "CR4.PCIDE is cleared before CR3 is loaded",
        not_on_qemu: "QEMU 7.2's TCG has no PCIDs",
    },
];

/// docs/MISTAKES.md.
///
/// # Errors
/// Those of `out`.
pub fn document(out: &mut impl fmt::Write) -> fmt::Result {
    out.write_str(
        "# Mistakes: what went wrong once, to be switched on\n\nEach is code as it was, in the place where it stood. The \
         options go to the kernel (`--options`), quirks to the machine; `cargo xtask test mistakes` shows each symptom, and \
         that the same machine is well without the mistake. This file is written from `kernel/src/mistake.rs`.\n",
    )?;
    for row in TABLE {
        let machine = if row.machine.is_empty() { "any" } else { row.machine };
        write!(out, "\n## `{}`\n- Machine: {machine}\n", row.options)?;
        if !row.typed.is_empty() {
            writeln!(out, "- Then type: `{}`", row.typed)?;
        }
        write!(
            out,
            "- Mistake: {}\n- Symptom: {}\n- Mended: {}\n- Source: {}\n",
            row.mistake, row.symptom, row.mended, row.source
        )?;
        match row.not_on_qemu {
            "" => writeln!(out, "- On QEMU: as above")?,
            why => writeln!(out, "- On QEMU: not shown: {why}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    /// Goal: the document is the table. Method: compare; `UPDATE_DOCS=1` writes it anew.
    #[test]
    fn the_document_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/MISTAKES.md");
        let mut document = String::new();
        super::document(&mut document).expect("a String takes all");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &document).expect("docs can be written");
        }
        let there = std::fs::read_to_string(path).expect("docs/MISTAKES.md is there");
        assert!(there == document, "docs/MISTAKES.md is not the table: UPDATE_DOCS=1 cargo test -p kernel mistake");
    }

    /// Goal: every line can be switched on as it says. Method: the options parser understands each.
    #[test]
    fn the_options_are_known() {
        for row in TABLE {
            let options = crate::options::parse(row.options, |word, why| panic!("{word}: {why}"));
            assert!(options != crate::options::Options::default(), "{}", row.options);
        }
        assert_eq!(Mistake::parse("no-such"), None);
    }
}

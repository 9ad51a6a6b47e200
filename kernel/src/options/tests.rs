//! Options, good and bad.

extern crate std;
use super::*;
use std::vec::Vec;

fn check(text: &str, expected: Options, expected_complaints: &[&str]) {
    let mut complaints = Vec::new();
    let options = parse(text, |word, _| complaints.push(word));
    assert_eq!(options, expected, "{text:?}");
    assert_eq!(complaints, expected_complaints, "{text:?}");
}

/// Goal: every option is understood, in any order and spacing. Method: one text with all of them.
#[test]
fn reads_every_option() {
    let mut mistakes = Mistakes::default();
    mistakes.add(Mistake::NoNxe);
    mistakes.add(Mistake::EferLma);
    check(
        "  bringup=parallel\ttrampoline=0x9a000\n cpu_init_udelay=10000 cpu_timeout_ms=50 sipi_count=1 sipi_udelay=0 sipi=broadcast pcid=on x2apic=on efi=old_map kaiser=on page_offset_gib=16 la57=on \
         mistake=no-nxe,efer-lma ",
        Options {
            bringup: Bringup::Parallel,
            trampoline: Some(0x9_a000),
            cpu_init_udelay: Some(10_000),
            cpu_timeout_ms: 50,
            sipi_count: 1,
            sipi_udelay: Some(0),
            sipi_broadcast: true,
            pcid: true,
            x2apic: Some(true),
            efi: EfiTables::OldMap,
            kaiser: true,
            page_offset_gib: 16,
            la57: true,
            mistakes,
        },
        &[],
    );
    check("", Options::default(), &[]);
}

/// Goal: what is not understood is named and changes nothing. Method: bad words between good ones.
#[test]
fn names_what_it_does_not_understand() {
    check(
        "quiet bringup=both trampoline=0x9a800 trampoline=0x100000 cpu_timeout_ms=-1 colour=red cpu_init_udelay=7 \
         sipi_count=3 pcid=maybe efi=new kaiser=maybe page_offset_gib=257 la57=maybe mistake=no-nxe,nonsense",
        Options { cpu_init_udelay: Some(7), ..Options::default() },
        &[
            "quiet",
            "bringup=both",
            "trampoline=0x9a800",
            "trampoline=0x100000",
            "cpu_timeout_ms=-1",
            "colour=red",
            "sipi_count=3",
            "pcid=maybe",
            "efi=new",
            "kaiser=maybe",
            "page_offset_gib=257",
            "la57=maybe",
            "mistake=no-nxe,nonsense",
        ],
    );
}

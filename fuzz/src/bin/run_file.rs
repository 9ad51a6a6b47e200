//! Runs as files: JSON that makes a run or an error, and a journal or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use machine::firmware::pc::{self, PcImage, Start};
use machine::timeline::Timeline;
use machine::timeline::journal::Journal;
use protocol::run::Run;

fuzz_target!(|data: &[u8]| {
    let Ok(run) = serde_json::from_slice::<Run>(data) else { return };
    let Ok(journal) = Journal::of_run(&run) else { return };
    // More memory or steps than this are only slow.
    if run.config.memory_bytes > 1 << 20 || run.end.0 > 10_000 {
        return;
    }
    let start = Start::Flat { paddr: 0x7c00, real: true };
    let image = vec![0x40, 0xeb, 0xfd];
    let image = PcImage { start, image, cmdline: String::new(), modules: Vec::new(), disks: Vec::new() };
    if let Ok(machine) = pc::machine(&image, &run.config) {
        // An edit that cannot be put in is an error in words.
        let _ = Timeline::new(machine, 1 << 20).play(&journal, run.end.0);
    }
});

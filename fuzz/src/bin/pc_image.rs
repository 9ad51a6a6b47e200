//! Images for a PC: multiboot, PVH, ROM, disk, flat. The first byte says which; then a command line, a zero, and the image,
//! which is also the module.
#![no_main]

use libfuzzer_sys::fuzz_target;
use machine::firmware::pc::{self, Module, PcImage, Start};
use machine::machine::Limits;
use machine::machine::run::Nobody;

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let (cmdline, bytes) = fuzz::text_and_rest(data);
    let start = match kind % 6 {
        0 => Start::Multiboot,
        1 => Start::Pvh,
        2 => Start::Rom,
        3 => Start::Disk,
        real => Start::Flat { paddr: u64::from(kind) << 12, real: real == 4 },
    };
    // A ROM has one of two sizes.
    let mut image = bytes.to_vec();
    if start == Start::Rom {
        image.resize(64 << 10, 0xf4);
    }
    let (modules, disks) = match start {
        Start::Disk => (Vec::new(), vec![std::mem::take(&mut image).into()]),
        _ => (vec![Module { text: cmdline.clone(), bytes: bytes.to_vec() }], Vec::new()),
    };
    let image = PcImage { start, image, cmdline, modules, disks };
    if let Ok(mut machine) = pc::machine(&image, &fuzz::config(2, 16 << 20, String::new())) {
        machine.run(Limits::to(2000), &mut Nobody);
    }
});

//! Kernels for bootloader_api: an options text, a zero, an ELF file. Whatever they say, there is a machine or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use machine::firmware::boot;
use machine::machine::Limits;
use machine::machine::run::Nobody;

fuzz_target!(|data: &[u8]| {
    let (options, image) = fuzz::text_and_rest(data);
    if let Ok(mut machine) = boot::machine(image, &fuzz::config(2, 16 << 20, options)) {
        machine.run(Limits::to(2000), &mut Nobody);
    }
});

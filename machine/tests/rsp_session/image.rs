//! The image as it was linked, beside what became of it in memory. Needs the real kernel: only where FIRSTLIGHT_KERNEL
//! names its image, as xtask's tests do.

use crate::client::{Client, config};
use crate::vendor::stopped;
use machine::server::guest_image::ImageFile;
use machine::server::{ServerConfig, spawn};
use protocol::breakpoint::EventFilter;
use protocol::event::Delivery;
use protocol::request::{Advance, Answer, Direction, MachineConfig, Place, Request, StopReason, Until, Wanted};
use protocol::{CpuId, LinearAddr, PhysAddr};
use std::path::Path;

fn bytes(client: &mut Client, request: &Request) -> Vec<u8> {
    match client.request(request) {
        Answer::Memory { bytes, unreadable: None } => bytes,
        other => panic!("{request:?}: {other:?}"),
    }
}

/// Goal: a word that the kernel relocates is unrelocated in the image; method: the segment in the first far jump of the
/// real-mode blob, 0 as linked and the blob's base / 16 in RAM when the start-up IPI is sent; the code around it is the
/// same in both.
#[test]
fn before_relocation() {
    let Ok(path) = std::env::var("FIRSTLIGHT_KERNEL") else {
        return eprintln!("FIRSTLIGHT_KERNEL is not set: the kernel's part is not run");
    };
    let image = Box::new(ImageFile::open(Path::new(&path), None).unwrap());
    let machine = MachineConfig { memory_bytes: 64 << 20, ..config() };
    let server = spawn(ServerConfig { image, machine, history_bytes: 64 << 20, program: None }).unwrap();
    let mut client = Client::connect(&server);
    let Answer::Profile(Some(profile)) = client.request(&Request::Profile) else { panic!("the image has a profile") };
    let until = Until::Event(EventFilter::Ipi { delivery: Some(Delivery::Sipi), to: None });
    let run = Advance {
        cpu: None,
        hold_others: false,
        direction: Direction::Forward,
        until,
        budget: 1 << 30,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Wanted::default(),
    };
    while stopped(client.request(&Request::Advance(run.clone()))).reason == StopReason::Budget {}
    let [blob] = &profile.blobs[..] else { panic!("the kernel has one blob") };
    let variable = profile.symbols.iter().find(|symbol| symbol.name == blob.base_symbol).unwrap();
    let place = Place::Linear { cpu: CpuId(0), linear: LinearAddr(variable.linear) };
    let base = bytes(&mut client, &Request::Memory { from: place, len: 8 });
    let base = u64::from_le_bytes(base.try_into().unwrap());
    let jump = blob.symbols.iter().find(|symbol| symbol.name == "tr_far_jump").unwrap().offset;
    // EA, offset, segment.
    let linear = LinearAddr(blob.image_linear + jump);
    let linked = bytes(&mut client, &Request::Image { linear, len: 5 });
    let in_ram = bytes(&mut client, &Request::Memory { from: Place::Phys(PhysAddr(base + jump)), len: 5 });
    assert_eq!((linked[0], &linked[..3], &linked[3..]), (0xea, &in_ram[..3], &[0, 0][..]));
    assert_ne!(base, 0);
    assert_eq!(in_ram[3..], ((base >> 4) as u16).to_le_bytes());
    // The whole blob is there; beyond the image there is nothing, and that is said.
    let linear = LinearAddr(blob.image_linear);
    assert_eq!(bytes(&mut client, &Request::Image { linear, len: blob.size as u32 }).len() as u64, blob.size);
    let answer = client.request(&Request::Image { linear: LinearAddr(u64::MAX - 3), len: 16 });
    assert!(
        matches!(&answer, Answer::Memory { bytes, unreadable: Some(why) } if bytes.is_empty() && why.contains("linked"))
    );
}

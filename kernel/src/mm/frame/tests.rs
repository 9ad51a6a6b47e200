//! The allocator on a small memory map.

use super::*;

const MAP: [Region; 4] = [
    Region { start: 0, end: 0x9_f000, kind: RegionKind::Usable },
    Region { start: 0x10_0000, end: 0x10_3000, kind: RegionKind::Usable },
    Region { start: 0x10_3000, end: 0x20_0000, kind: RegionKind::Loader },
    Region { start: 0x20_1000, end: 0x20_9000, kind: RegionKind::Usable },
];

/// Goal: frames come from usable regions above the limit only, each once, until none is left. Method: take all.
#[test]
fn hands_out_every_usable_frame_once() {
    let mut frames = FrameAllocator::new(&MAP, 0x10_0000);
    assert_eq!(frames.free(), 11);
    for expected in (0x10_0000..0x10_3000).chain(0x20_1000..0x20_9000).step_by(4096) {
        // The chain's second part starts at a multiple of the step as well.
        assert_eq!(frames.allocate(1, 4096), Some(PhysAddr::new(expected)));
    }
    assert_eq!(frames.allocate(1, 4096), None);
    assert_eq!((frames.allocated(), frames.free()), (11, 0));
}

/// Goal: runs are contiguous and aligned. Method: requests that do not fit the first region, or not its start.
#[test]
fn runs_are_contiguous_and_aligned() {
    let mut frames = FrameAllocator::new(&MAP, 0x10_0000);
    assert_eq!(frames.allocate(4, 0x4000), Some(PhysAddr::new(0x20_4000)));
    assert_eq!(frames.allocate(2, 4096), None);
    assert_eq!(frames.allocate(1, 4096), Some(PhysAddr::new(0x20_8000)));
    assert_eq!(frames.allocate(u64::MAX, 4096), None);
}

/// Goal: the blob's place is the highest below 1 MiB, never page 0. Method: sizes up to more than there is.
#[test]
fn finds_the_highest_low_place() {
    assert_eq!(find_below(&MAP, 0x4000, 1 << 20), Some(0x9_b000));
    assert_eq!(find_below(&MAP, 0x9_e000, 1 << 20), Some(0x1000));
    assert_eq!(find_below(&MAP, 0x9_f000, 1 << 20), None);
    assert!(is_usable(&MAP, 0x9_a000, 0x4000));
    assert!(!is_usable(&MAP, 0x9_c000, 0x4000));
    assert!(!is_usable(&MAP, u64::MAX - 4095, 0x4000));
}

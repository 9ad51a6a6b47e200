//! Relocation on small made-up blobs.

use super::*;

/// Goal: both kinds of words change as Linux does it, others stay. Method: a blob of known bytes, compared whole.
#[test]
fn changes_segments_and_linear_words_only() {
    let mut blob = [0xee_u8; 16];
    blob[2..4].copy_from_slice(&0_u16.to_le_bytes());
    blob[8..12].copy_from_slice(&0x1034_u32.to_le_bytes());
    assert_eq!(relocate(&mut blob, 0x9_a000, &[2], &[8]), Ok(()));
    let mut expected = [0xee_u8; 16];
    expected[2..4].copy_from_slice(&0x9a00_u16.to_le_bytes());
    expected[8..12].copy_from_slice(&0x9_b034_u32.to_le_bytes());
    assert_eq!(blob, expected);
}

/// Goal: a base that real mode cannot use is refused and nothing changes. Method: unaligned, and reaching 1 MiB.
#[test]
fn refuses_a_base_that_real_mode_cannot_use() {
    let mut blob = [0_u8; 0x2000];
    for base in [0x9_a800, 0xf_f000, 0x10_0000, 0xffff_f000] {
        assert_eq!(relocate(&mut blob, base, &[0], &[4]), Err(RelocError::Base { base, size: 0x2000 }));
    }
    assert!(blob.iter().all(|&b| b == 0));
    assert_eq!(relocate(&mut blob, 0xf_e000, &[0], &[4]), Ok(()));
}

/// Goal: an offset outside the blob is an error and nothing changes. Method: words that straddle the end.
#[test]
fn refuses_offsets_outside_the_blob() {
    let mut blob = [0_u8; 16];
    assert_eq!(relocate(&mut blob, 0x1000, &[0, 15], &[4]), Err(RelocError::Offset { offset: 15, size: 16 }));
    assert_eq!(relocate(&mut blob, 0x1000, &[0], &[4, 13]), Err(RelocError::Offset { offset: 13, size: 16 }));
    assert_eq!(relocate(&mut blob, 0x1000, &[u32::MAX], &[]), Err(RelocError::Offset { offset: u32::MAX, size: 16 }));
    assert_eq!(blob, [0; 16]);
}

/// Goal: where real mode cannot go, what has more bits than its word is cut. Method: a base above 1 MiB, one within a page.
#[test]
fn anywhere_keeps_the_bits_that_fit() {
    for (base, segment, linear) in [(0x3ef_b000, 0xfb00_u16, 0x3ef_c034_u32), (0x9_b800, 0x9b80, 0x9_c834)] {
        let mut blob = [0_u8; 16];
        blob[8..12].copy_from_slice(&0x1034_u32.to_le_bytes());
        assert_eq!(relocate_anywhere(&mut blob, base, &[2], &[8]), Ok(()));
        assert_eq!((&blob[2..4], &blob[8..12]), (&segment.to_le_bytes()[..], &linear.to_le_bytes()[..]));
    }
    let error = RelocError::Offset { offset: 15, size: 16 };
    assert_eq!(relocate_anywhere(&mut [0_u8; 16], 0x3ef_b000, &[15], &[]), Err(error));
}

//! Relocation of the blob: it is linked at 0 and runs wherever the kernel found a page below 1 MiB.
//!
//! Two kinds of words change (Linux: `setup_real_mode()`): 16-bit segments become `base >> 4`, 32-bit linear addresses
//! grow by `base`. Offsets within the blob stay, since CS, DS and SS have the blob as their base in real mode.

/// Why a blob was not relocated. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocError {
    /// The base is not a multiple of 4096, or the blob would not end below 1 MiB (its size is in bytes).
    Base {
        /// The base asked for, physical.
        base: u32,
        /// The blob's size.
        size: usize,
    },
    /// A relocation names an offset outside the blob.
    Offset {
        /// The offset.
        offset: u32,
        /// The blob's size.
        size: usize,
    },
}

impl core::fmt::Display for RelocError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Base { base, size } => {
                write!(f, "a blob of {size:#x} bytes cannot lie at {base:#x}: it needs whole pages below 1 MiB")
            }
            Self::Offset { offset, size } => {
                write!(f, "a relocation at offset {offset:#x} lies outside the blob of {size:#x} bytes")
            }
        }
    }
}

impl core::error::Error for RelocError {}

/// Where real-mode code must end: the last segment starts 16 bytes below 1 MiB, and SIPI vectors name pages below it.
const ONE_MIB: u64 = 1 << 20;

/// Adapts `blob`, linked at 0, to run at physical `base`. `segments` and `linears` are offsets of 16- and 32-bit words.
///
/// # Errors
/// [`RelocError`] if the base or an offset is out of range; the blob is then unchanged.
pub fn relocate(blob: &mut [u8], base: u32, segments: &[u32], linears: &[u32]) -> Result<(), RelocError> {
    let size = blob.len();
    if !base.is_multiple_of(4096) || u64::from(base) + size as u64 > ONE_MIB {
        return Err(RelocError::Base { base, size });
    }
    relocate_anywhere(blob, base, segments, linears)
}

/// The same for a base at which no processor can start: of a segment that has more than 16 bits the lower ones are kept.
///
/// # Errors
/// [`RelocError::Offset`] if an offset is out of range; the blob is then unchanged.
pub fn relocate_anywhere(blob: &mut [u8], base: u32, segments: &[u32], linears: &[u32]) -> Result<(), RelocError> {
    let size = blob.len();
    let fits = |offset: u32, width: usize| (offset as usize).checked_add(width).is_some_and(|end| end <= size);
    let bad = segments.iter().find(|&&o| !fits(o, 2)).or_else(|| linears.iter().find(|&&o| !fits(o, 4)));
    if let Some(&offset) = bad {
        return Err(RelocError::Offset { offset, size });
    }
    for &offset in segments {
        let at = offset as usize;
        // The cast keeps all bits of a base below 1 MiB: base >> 4 is at most FFFFh then.
        blob[at..at + 2].copy_from_slice(&((base >> 4) as u16).to_le_bytes());
    }
    for &offset in linears {
        let at = offset as usize;
        let linked = u32::from_le_bytes([blob[at], blob[at + 1], blob[at + 2], blob[at + 3]]);
        blob[at..at + 4].copy_from_slice(&linked.wrapping_add(base).to_le_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests;

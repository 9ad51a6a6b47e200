//! A segment register: selector and the hidden part that the CPU really uses (SDM 3A 3.4.3). Loaded by
//! [`crate::execute`]'s `segment_load` and `far_xfer`, read by [`crate::mmu`] on each access.

/// Indices into `Cpu::segments`, the architecture's encoding order.
pub const ES: usize = 0;
/// Index of CS.
pub const CS: usize = 1;
/// Index of SS.
pub const SS: usize = 2;
/// Index of DS.
pub const DS: usize = 3;
/// Index of FS.
pub const FS: usize = 4;
/// Index of GS.
pub const GS: usize = 5;

/// Descriptor bytes 5 and 6 in one number: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15.
pub mod attr {
    /// Accessed (code and data).
    pub const ACCESSED: u32 = 1 << 0;
    /// Writable (data) or readable (code).
    pub const WRITABLE: u32 = 1 << 1;
    /// Expand-down (data) or conforming (code).
    pub const EXPAND_DOWN: u32 = 1 << 2;
    /// Code as against data.
    pub const CODE: u32 = 1 << 3;
    /// Code or data as against system.
    pub const S: u32 = 1 << 4;
    /// Shift of DPL.
    pub const DPL_SHIFT: u32 = 5;
    /// Present.
    pub const P: u32 = 1 << 7;
    /// 64-bit code.
    pub const L: u32 = 1 << 13;
    /// 32-bit default size.
    pub const DB: u32 = 1 << 14;
    /// The limit counts 4 KiB pages.
    pub const G: u32 = 1 << 15;
    /// Null selector: any use faults.
    pub const UNUSABLE: u32 = 1 << 16;
}

/// Visible and hidden part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Visible.
    pub selector: u16,
    /// Hidden: attributes, see [`attr`].
    pub attributes: u32,
    /// Hidden: limit in bytes.
    pub limit: u32,
    /// Hidden: base, linear.
    pub base: u64,
}

impl Segment {
    /// CS.L.
    #[inline]
    pub fn is_long(&self) -> bool {
        self.attributes & attr::L != 0
    }

    /// CS.D or SS.B.
    #[inline]
    pub fn is_big(&self) -> bool {
        self.attributes & attr::DB != 0
    }

    /// Descriptor privilege level.
    #[inline]
    pub fn dpl(&self) -> u8 {
        (self.attributes >> attr::DPL_SHIFT) as u8 & 3
    }

    /// A null selector was loaded.
    #[inline]
    pub fn is_unusable(&self) -> bool {
        self.attributes & attr::UNUSABLE != 0
    }
}

/// GDTR or IDTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableRegister {
    /// Linear address.
    pub base: u64,
    /// Offset of the last byte.
    pub limit: u16,
}

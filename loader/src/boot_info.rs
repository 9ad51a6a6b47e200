//! `BootInfo` and the memory map as bytes, with the kernel's addresses in them.
//!
//! The structures are `repr(C)` and are written field by field at the offsets that the compiler gives: they hold
//! pointers that mean something in the kernel's address space only, which no Rust reference here could hold.

use crate::{error::LoadError, memory::PhysMemory};
use alloc::{vec, vec::Vec};
use bootloader_api::{
    BootInfo,
    config::ApiVersion,
    info::{
        FrameBuffer, FrameBufferInfo, MemoryRegion, MemoryRegionKind, MemoryRegions, Optional, PixelFormat, TlsTemplate,
    },
};
use core::mem::{offset_of, size_of};

// repr(C) enums: a 4-byte tag in the order of the variants, then the payload at its own alignment.
const _: () = assert!(size_of::<Optional<u64>>() == 16 && size_of::<Optional<u16>>() == 8);
const _: () = assert!(size_of::<MemoryRegion>() == 24 && size_of::<MemoryRegionKind>() == 8);
const _: () = assert!(size_of::<MemoryRegions>() == 16 && size_of::<ApiVersion>() == 8);
const _: () = assert!(size_of::<Optional<TlsTemplate>>() == 32);
// FrameBuffer: the linear address, then its info; PixelFormat: a 4-byte tag, then three bytes that only one variant has.
const _: () = assert!(size_of::<FrameBuffer>() == 8 + size_of::<FrameBufferInfo>() && size_of::<PixelFormat>() == 8);
const _: () = assert!(size_of::<Optional<FrameBuffer>>() == 8 + size_of::<FrameBuffer>());

const SOME: u32 = 0;
const NONE: u32 = 1;

/// Room for `regions` memory regions behind the BootInfo, in bytes.
pub(crate) fn bytes(regions: usize) -> u64 {
    (size_of::<BootInfo>() + regions * size_of::<MemoryRegion>()) as u64
}

/// The version of bootloader_api that this loader speaks.
pub(crate) fn api_version() -> ApiVersion {
    empty().api_version
}

fn empty() -> BootInfo {
    let none: &'static mut [MemoryRegion] = &mut [];
    BootInfo::new(none.into())
}

/// What the fields of BootInfo say; linear addresses are the kernel's.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// Where this BootInfo will be.
    pub linear: u64,
    pub physical_memory_offset: Option<u64>,
    pub recursive_index: Option<u16>,
    /// Linear address and description.
    pub framebuffer: Option<(u64, FrameBufferInfo)>,
    pub rsdp_paddr: Option<u64>,
    pub tls: Option<TlsTemplate>,
    /// Linear address and length.
    pub ramdisk: Option<(u64, u64)>,
    /// Physical address and length of the ELF file.
    pub kernel: (u64, u64),
    /// What its linear addresses differ by from those in the file.
    pub kernel_offset: u64,
    /// Linear address and length.
    pub stack: (u64, u64),
}

impl Contents {
    /// BootInfo and the memory map right behind it.
    pub(crate) fn encode(&self, regions: &[MemoryRegion]) -> Vec<u8> {
        let mut out = vec![0; size_of::<BootInfo>()];
        let version = api_version();
        let at = offset_of!(BootInfo, api_version);
        put(&mut out, at, &version.version_major().to_le_bytes());
        put(&mut out, at + 2, &version.version_minor().to_le_bytes());
        put(&mut out, at + 4, &version.version_patch().to_le_bytes());
        put(&mut out, at + 6, &[version.pre_release().into()]);

        let at = offset_of!(BootInfo, memory_regions);
        put_u64(&mut out, at, self.linear + size_of::<BootInfo>() as u64);
        put_u64(&mut out, at + 8, regions.len() as u64);

        put_framebuffer(&mut out, offset_of!(BootInfo, framebuffer), self.framebuffer);
        put_option(&mut out, offset_of!(BootInfo, physical_memory_offset), self.physical_memory_offset);
        let at = offset_of!(BootInfo, recursive_index);
        put(&mut out, at, &if self.recursive_index.is_some() { SOME } else { NONE }.to_le_bytes());
        put(&mut out, at + 4, &self.recursive_index.unwrap_or(0).to_le_bytes());
        put_option(&mut out, offset_of!(BootInfo, rsdp_addr), self.rsdp_paddr);

        let at = offset_of!(BootInfo, tls_template);
        put_option(&mut out, at, self.tls.map(|tls| tls.start_addr));
        put_u64(&mut out, at + 16, self.tls.map_or(0, |tls| tls.file_size));
        put_u64(&mut out, at + 24, self.tls.map_or(0, |tls| tls.mem_size));

        put_option(&mut out, offset_of!(BootInfo, ramdisk_addr), self.ramdisk.map(|(linear, _)| linear));
        put_u64(&mut out, offset_of!(BootInfo, ramdisk_len), self.ramdisk.map_or(0, |(_, len)| len));
        put_u64(&mut out, offset_of!(BootInfo, kernel_addr), self.kernel.0);
        put_u64(&mut out, offset_of!(BootInfo, kernel_len), self.kernel.1);
        put_u64(&mut out, offset_of!(BootInfo, kernel_image_offset), self.kernel_offset);
        put_u64(&mut out, offset_of!(BootInfo, kernel_stack_bottom), self.stack.0);
        put_u64(&mut out, offset_of!(BootInfo, kernel_stack_len), self.stack.1);
        for region in regions {
            out.extend_from_slice(&encode_region(region));
        }
        out
    }
}

fn encode_region(region: &MemoryRegion) -> [u8; size_of::<MemoryRegion>()] {
    let (tag, payload) = match region.kind {
        MemoryRegionKind::Usable => (0, 0),
        MemoryRegionKind::Bootloader => (1, 0),
        MemoryRegionKind::UnknownUefi(kind) => (2, kind),
        MemoryRegionKind::UnknownBios(kind) => (3, kind),
        // A kind that a later bootloader_api 0.11 adds and we cannot name: the kernel must not use the memory.
        _ => (1u32, 0),
    };
    let mut out = [0; size_of::<MemoryRegion>()];
    put_u64(&mut out, offset_of!(MemoryRegion, start), region.start);
    put_u64(&mut out, offset_of!(MemoryRegion, end), region.end);
    put(&mut out, offset_of!(MemoryRegion, kind), &tag.to_le_bytes());
    put(&mut out, offset_of!(MemoryRegion, kind) + 4, &payload.to_le_bytes());
    out
}

fn put_framebuffer(out: &mut [u8], at: usize, framebuffer: Option<(u64, FrameBufferInfo)>) {
    let Some((linear, info)) = framebuffer else {
        return put(out, at, &NONE.to_le_bytes());
    };
    put(out, at, &SOME.to_le_bytes());
    put_u64(out, at + 8, linear);
    let at = at + 16;
    put_u64(out, at + offset_of!(FrameBufferInfo, byte_len), info.byte_len as u64);
    put_u64(out, at + offset_of!(FrameBufferInfo, width), info.width as u64);
    put_u64(out, at + offset_of!(FrameBufferInfo, height), info.height as u64);
    put_u64(out, at + offset_of!(FrameBufferInfo, bytes_per_pixel), info.bytes_per_pixel as u64);
    put_u64(out, at + offset_of!(FrameBufferInfo, stride), info.stride as u64);
    let (tag, positions) = match info.pixel_format {
        PixelFormat::Rgb => (0u32, [0; 3]),
        PixelFormat::Bgr => (1, [0; 3]),
        PixelFormat::U8 => (2, [0; 3]),
        PixelFormat::Unknown { red_position, green_position, blue_position } => {
            (3, [red_position, green_position, blue_position])
        }
        // A format that a later bootloader_api 0.11 adds: as grey at least something is seen.
        _ => (2, [0; 3]),
    };
    let at = at + offset_of!(FrameBufferInfo, pixel_format);
    put(out, at, &tag.to_le_bytes());
    put(out, at + 4, &positions);
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn put_u64(out: &mut [u8], at: usize, value: u64) {
    put(out, at, &value.to_le_bytes());
}

fn put_option(out: &mut [u8], at: usize, value: Option<u64>) {
    put(out, at, &if value.is_some() { SOME } else { NONE }.to_le_bytes());
    put_u64(out, at + 8, value.unwrap_or(0));
}

/// The platform's regions with the `taken` runs (start, end) cut out of the usable ones as the boot loader's; ascending,
/// neighbours of one kind joined.
pub(crate) fn memory_map(
    regions: &[MemoryRegion],
    taken: &[(u64, u64)],
    room: usize,
) -> Result<Vec<MemoryRegion>, LoadError> {
    let mut taken = taken.to_vec();
    taken.sort_unstable();
    let mut sorted = regions.to_vec();
    sorted.sort_unstable_by_key(|region| region.start);
    let mut map: Vec<MemoryRegion> = Vec::new();
    let mut push = |start: u64, end: u64, kind| match map.last_mut() {
        _ if start >= end => {}
        Some(last) if last.end == start && last.kind == kind => last.end = end,
        _ => map.push(MemoryRegion { start, end, kind }),
    };
    for region in sorted {
        let mut start = region.start;
        if region.kind == MemoryRegionKind::Usable {
            for &(from, to) in taken.iter().filter(|(from, to)| *from < region.end && *to > region.start) {
                push(start, from, MemoryRegionKind::Usable);
                push(from.max(start), to.min(region.end), MemoryRegionKind::Bootloader);
                start = to;
            }
        }
        push(start, region.end, region.kind);
    }
    if map.len() <= room { Ok(map) } else { Err(LoadError::TooManyRegions { room }) }
}

/// Writes BootInfo and memory map to frames that hold [`bytes`].
pub(crate) fn write<M: PhysMemory>(memory: &mut M, paddr: u64, contents: &Contents, regions: &[MemoryRegion]) {
    memory.write(paddr, &contents.encode(regions));
}

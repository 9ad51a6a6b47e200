//! Takes frames, copies the kernel, builds its tables and its boot information.

use crate::{
    boot_info::{self, Contents},
    efi::{self, Efi, EfiMap, PlacedEfi},
    error::LoadError,
    image::{Image, PAGE, Segment},
    memory::PhysMemory,
    paging::{PageSize, Rights, map, map_recursively},
    plan::Plan,
};
use alloc::vec::Vec;
use bootloader_api::info::{FrameBufferInfo, MemoryRegion};
use core::{mem, ops::Range};

/// What the loader cannot know by itself.
#[derive(Clone, Debug)]
pub struct Platform<'a> {
    /// All of physical memory that the firmware tells of, before anything was taken; no two overlap.
    pub regions: &'a [MemoryRegion],
    /// Physical address of the ACPI Root System Description Pointer.
    pub rsdp_paddr: Option<u64>,
    /// Bytes for the kernel: its options. Empty, and no EFI: no ramdisk.
    pub ramdisk: &'a [u8],
    /// The firmware that the kernel is told of, in front of the options; None: nothing is said of any.
    pub efi: Option<Efi<'a>>,
    /// The screen's memory, if there is a screen.
    pub framebuffer: Option<Framebuffer>,
    /// Physical memory that must be mapped at linear = physical, read-only and executable: the code that loads CR3 and
    /// jumps to the kernel. None where the kernel is entered directly.
    pub identity_map: Option<Range<u64>>,
    /// The processor has 1 GiB pages (CPUID.80000001H:EDX bit 26): the physical map uses them.
    pub huge_pages: bool,
    /// The processor has NX and EFER.NXE will be set: pages that hold no code cannot be executed. False: bit 63 stays clear.
    pub no_execute: bool,
}

/// The memory that a screen shows.
#[derive(Clone, Copy, Debug)]
pub struct Framebuffer {
    /// Physical address of the first pixel.
    pub paddr: u64,
    /// Size and format, as the kernel gets it. There is at least a byte.
    pub info: FrameBufferInfo,
}

impl Framebuffer {
    /// Physical address of its first page, and the bytes of all pages.
    pub(crate) fn pages(&self) -> (u64, u64) {
        let first = self.paddr & !(PAGE - 1);
        let end = self.paddr.saturating_add(self.info.byte_len as u64);
        (first, (end - first).checked_next_multiple_of(PAGE).unwrap_or(!(PAGE - 1)))
    }
}

impl Platform<'_> {
    /// Length of the ramdisk in bytes.
    pub(crate) fn ramdisk_len(&self) -> u64 {
        let lines = if self.efi.is_some() { efi::lines_len() } else { 0 };
        lines + self.ramdisk.len() as u64
    }
}

/// The machine's state at the kernel's first instruction: long mode, CPL 0, interrupts off, CR0.WP and EFER.NXE set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Physical address of the PML4.
    pub cr3: u64,
    /// The kernel's entry point.
    pub rip: u64,
    /// Top of the stack as after a call: 8 below a multiple of 16, the return address is 0.
    pub rsp: u64,
    /// Linear address of the `BootInfo`.
    pub rdi: u64,
    /// A GDT at linear = physical, 3 entries: null, 64-bit code (selector 8), data (selector 10h).
    pub gdt_paddr: u64,
    /// Where the kernel's segments are, by linear address, ascending.
    pub kernel_pages: Vec<KernelPages>,
}

/// Pages of the kernel that follow one another both in linear and in physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelPages {
    /// Linear address of the first.
    pub linear: u64,
    /// Its physical address.
    pub paddr: u64,
    /// Size of all of them, a multiple of 4096.
    pub bytes: u64,
    /// The kernel may write them.
    pub writable: bool,
    /// The kernel may execute them.
    pub executable: bool,
}

/// Memory with a list of what was taken.
pub(crate) struct Frames<'a, M> {
    pub memory: &'a mut M,
    /// Start and end of each run.
    taken: Vec<(u64, u64)>,
    needed_bytes: u64,
    available_bytes: u64,
    /// See [`Platform::no_execute`].
    pub no_execute: bool,
}

impl<M: PhysMemory> Frames<'_, M> {
    /// Adjacent frames, zeroed.
    pub(crate) fn take(&mut self, frames: u64) -> Result<u64, LoadError> {
        let none = LoadError::NotEnoughMemory { needed: self.needed_bytes, available: self.available_bytes };
        let paddr = self.memory.allocate(frames).ok_or(none)?;
        let end = paddr + frames * PAGE;
        match self.taken.last_mut() {
            Some(last) if last.1 == paddr => last.1 = end,
            _ => self.taken.push((paddr, end)),
        }
        Ok(paddr)
    }
}

/// A kernel in memory that lacks only the memory map: a UEFI firmware's last word on that comes with ExitBootServices,
/// after which nothing can be allocated and no error be shown.
#[derive(Clone, Debug)]
pub struct Placed {
    entry: Entry,
    /// Physical address of the boot information.
    info_paddr: u64,
    contents: Contents,
    regions_room: usize,
    efi: Option<PlacedEfi>,
    /// Start and end of each run of frames that the kernel has now.
    taken: Vec<(u64, u64)>,
}

impl Placed {
    /// Writes the boot information; `regions` are the platform's as they are when the kernel starts, and so is the
    /// firmware's own map, if the kernel is told of one ([`Platform::efi`]).
    ///
    /// # Errors
    /// There are far more regions than [`Platform::regions`] had.
    pub fn finish<M: PhysMemory>(
        self,
        regions: &[MemoryRegion],
        efi_map: Option<EfiMap<'_>>,
        memory: &mut M,
    ) -> Result<Entry, LoadError> {
        let map = boot_info::memory_map(regions, &self.taken, self.regions_room)?;
        if let (Some(efi), Some(efi_map)) = (&self.efi, efi_map) {
            efi.write(&efi_map, memory)?;
        }
        boot_info::write(memory, self.info_paddr, &self.contents, &map);
        Ok(self.entry)
    }
}

/// Puts the kernel into memory.
///
/// # Errors
/// The kernel's configuration cannot be honoured here, or there is too little memory; see [`LoadError`].
pub fn load<M: PhysMemory>(image: &Image<'_>, platform: &Platform<'_>, memory: &mut M) -> Result<Entry, LoadError> {
    place(image, platform, memory)?.finish(platform.regions, platform.efi.map(|efi| efi.map), memory)
}

/// Takes all frames and fills them, but for the memory map.
///
/// # Errors
/// As [`load()`].
pub fn place<M: PhysMemory>(image: &Image<'_>, platform: &Platform<'_>, memory: &mut M) -> Result<Placed, LoadError> {
    let plan = Plan::new(image, platform)?;
    let image = &image.clone().moved(plan.kernel_offset);
    let needed_bytes = plan.frames(image, platform).saturating_mul(PAGE);
    let available_bytes = memory.available_frames().saturating_mul(PAGE);
    if needed_bytes > available_bytes {
        return Err(LoadError::NotEnoughMemory { needed: needed_bytes, available: available_bytes });
    }
    let mut frames =
        Frames { memory, taken: Vec::new(), needed_bytes, available_bytes, no_execute: platform.no_execute };
    let frames = &mut frames;
    let root = frames.take(1)?;

    let mut kernel_pages = Vec::new();
    for segment in &image.segments {
        kernel_pages.extend(load_segment(frames, root, image, segment)?);
    }
    relocate(frames, image, &kernel_pages);
    let elf_paddr = frames.take((image.bytes.len() as u64).div_ceil(PAGE))?;
    frames.memory.write(elf_paddr, image.bytes);

    let stack_bottom = plan.guard_page + PAGE;
    map_new(frames, root, "kernel stack", stack_bottom, plan.stack_bytes)?;
    let gdt_paddr = load_gdt(frames, root)?;
    if let Some(range) = &platform.identity_map {
        map_identity(frames, root, range)?;
    }
    let ramdisk_len = platform.ramdisk_len();
    let mut placed_efi = None;
    if let Some(linear) = plan.ramdisk {
        let paddr = map_new(frames, root, "ramdisk", linear, ramdisk_len)?;
        frames.memory.write(paddr, &efi::ramdisk(platform.efi.is_some(), platform.ramdisk));
        if let Some(efi) = &platform.efi {
            let map_frames = efi.map_frames();
            placed_efi = Some(PlacedEfi {
                system_table_paddr: efi.system_table_paddr,
                map_paddr: frames.take(map_frames)?,
                map_frames,
                ramdisk_paddr: paddr,
            });
        }
    }
    if let Some(physical) = plan.physical_map {
        let what = "physical memory map";
        for paddr in (0..physical.bytes).step_by(physical.page.bytes() as usize) {
            map(frames, root, what, physical.offset + paddr, paddr, physical.page, Rights::DATA)?;
        }
    }
    let framebuffer = platform.framebuffer.zip(plan.framebuffer);
    if let Some((screen, linear)) = framebuffer {
        let (paddr, bytes) = screen.pages();
        for offset in (0..bytes).step_by(PAGE as usize) {
            map(frames, root, "framebuffer", linear + offset, paddr + offset, PageSize::Small, Rights::DATA)?;
        }
    }
    let info_bytes = boot_info::bytes(plan.regions_room);
    let info_paddr = map_new(frames, root, "boot information", plan.boot_info, info_bytes)?;
    if let Some(index) = plan.recursive_index {
        map_recursively(frames, root, index)?;
    }

    let contents = Contents {
        linear: plan.boot_info,
        physical_memory_offset: plan.physical_map.map(|physical| physical.offset),
        recursive_index: plan.recursive_index.map(|index| index as u16),
        framebuffer: framebuffer.map(|(screen, linear)| (linear + screen.paddr % PAGE, screen.info)),
        rsdp_paddr: platform.rsdp_paddr,
        tls: image.tls,
        ramdisk: plan.ramdisk.map(|linear| (linear, ramdisk_len)),
        kernel: (elf_paddr, image.bytes.len() as u64),
        kernel_offset: image.offset,
        stack: (stack_bottom, plan.stack_bytes),
    };
    // As after a call: the System V ABI wants RSP + 8 to be a multiple of 16 at a function's first instruction.
    let rsp = ((stack_bottom + plan.stack_bytes) & !15) - 8;
    let entry = Entry { cr3: root, rip: image.entry, rsp, rdi: plan.boot_info, gdt_paddr, kernel_pages };
    let taken = mem::take(&mut frames.taken);
    Ok(Placed { entry, info_paddr, contents, regions_room: plan.regions_room, efi: placed_efi, taken })
}

fn load_segment<M: PhysMemory>(
    frames: &mut Frames<'_, M>,
    root: u64,
    image: &Image<'_>,
    segment: &Segment,
) -> Result<Vec<KernelPages>, LoadError> {
    let linear = segment.first_page();
    let paddr = frames.take(segment.pages())?;
    let bytes = image.bytes.get(segment.file.clone()).unwrap_or_default();
    frames.memory.write(paddr + (segment.linear - linear), bytes);
    let executable = segment.executable;
    let mut runs: Vec<KernelPages> = Vec::new();
    for page in 0..segment.pages() {
        let (linear, paddr) = (linear + page * PAGE, paddr + page * PAGE);
        let writable = segment.writable && !image.read_only.iter().any(|pages| pages.contains(&linear));
        map(frames, root, "kernel", linear, paddr, PageSize::Small, Rights { writable, executable })?;
        match runs.last_mut() {
            Some(run) if run.writable == writable => run.bytes += PAGE,
            _ => runs.push(KernelPages { linear, paddr, bytes: PAGE, writable, executable }),
        }
    }
    Ok(runs)
}

/// Writes the words that depend on where the kernel is. The frames of a segment follow one another, so that a word that
/// reaches into another page of it is whole.
fn relocate<M: PhysMemory>(frames: &mut Frames<'_, M>, image: &Image<'_>, pages: &[KernelPages]) {
    for word in image.relocations() {
        let run = pages.iter().find(|run| word.place >= run.linear && word.place - run.linear < run.bytes);
        if let Some(run) = run {
            frames.memory.write(run.paddr + (word.place - run.linear), &word.addend.to_le_bytes());
        }
    }
}

/// New data pages for `bytes` at `linear`; the physical address of the first.
fn map_new<M: PhysMemory>(
    frames: &mut Frames<'_, M>,
    root: u64,
    what: &'static str,
    linear: u64,
    bytes: u64,
) -> Result<u64, LoadError> {
    let pages = bytes.div_ceil(PAGE);
    let paddr = frames.take(pages)?;
    for page in 0..pages {
        let offset = page * PAGE;
        map(frames, root, what, linear + offset, paddr + offset, PageSize::Small, Rights::DATA)?;
    }
    Ok(paddr)
}

/// The GDT that the kernel starts with, at linear = physical as the `bootloader` crate leaves it.
///
/// It is written with the accessed and present bits set, so that no processor has to write to it.
fn load_gdt<M: PhysMemory>(frames: &mut Frames<'_, M>, root: u64) -> Result<u64, LoadError> {
    // Flat 4 GiB segments of privilege 0 (SDM 3A "Segment Descriptors"): code is 64-bit (L), data 32-bit (D/B).
    const CODE: u64 = 0x00af_9b00_0000_ffff;
    const DATA: u64 = 0x00cf_9300_0000_ffff;
    let paddr = frames.take(1)?;
    frames.memory.write(paddr + 8, &CODE.to_le_bytes());
    frames.memory.write(paddr + 16, &DATA.to_le_bytes());
    let read_only = Rights { writable: false, executable: false };
    map(frames, root, "GDT", paddr, paddr, PageSize::Small, read_only)?;
    Ok(paddr)
}

fn map_identity<M: PhysMemory>(frames: &mut Frames<'_, M>, root: u64, range: &Range<u64>) -> Result<(), LoadError> {
    let code = Rights { writable: false, executable: true };
    for paddr in (range.start & !(PAGE - 1)..range.end).step_by(PAGE as usize) {
        map(frames, root, "identity mapping", paddr, paddr, PageSize::Small, code)?;
    }
    Ok(())
}

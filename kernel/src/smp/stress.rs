//! A stress test of the TLB shootdown: every CPU has a page of its own that it unmaps and maps to another frame, over and over,
//! while all the others read it and compare what they find with what must be there. The shell's `stress`.
//!
//! A page's owner counts: odd while the page is not mapped, even while it is; half of the even number says which of two frames
//! it shows. Who reads holds the page meanwhile, so that it cannot be unmapped under his hands: what is checked is that nobody
//! sees the frame of the time before.

use super::cpus::{self, CpuMask, ONLINE};
use super::{hung, tlb};
use crate::arch::lapic::{self, Message};
use crate::arch::percpu::{self, CpuNumber};
use crate::memlayout::{MAX_CPUS, STRESS_BASE, phys_to_virt};
use crate::mm::direct_map::{self, DirectMap};
use crate::mm::page_table::{PageSize, TableMemory, index_of, map_page, supported, walk};
use crate::mm::{frame::FRAME_SIZE, roots};
use crate::time;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use spin::Once;
use x86_64::PhysAddr;
use x86_64::structures::paging::PageTableFlags as Flags;

/// What a run found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// CPUs that took part to the end.
    pub cpus: usize,
    /// Reads that were compared.
    pub checks: u64,
    /// Those that showed the frame of the time before.
    pub stale: u64,
    /// Shootdowns that were made.
    pub shootdowns: u64,
    /// How long it took.
    pub micros: u64,
}

/// A CPU's page: the table that holds its entry, and its two frames.
#[derive(Clone, Copy)]
struct Page {
    table: PhysAddr,
    frames: [u64; 2],
}

static PAGES: [Once<Page>; MAX_CPUS] = [const { Once::new() }; MAX_CPUS];
/// See above.
static SEQUENCE: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
/// How many are reading a page.
static READERS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(0) }; MAX_CPUS];
/// Who has still to do its rounds, and who takes part.
static ASKED: CpuMask = CpuMask::new();
static TAKES_PART: CpuMask = CpuMask::new();
static ROUNDS: AtomicU64 = AtomicU64::new(0);
static ALONE: AtomicBool = AtomicBool::new(false);
static CHECKS: AtomicU64 = AtomicU64::new(0);
static STALE: AtomicU64 = AtomicU64::new(0);

const DATA: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::NO_EXECUTE).union(Flags::GLOBAL);

fn linear_of(cpu: CpuNumber) -> u64 {
    STRESS_BASE + u64::from(cpu) * FRAME_SIZE
}

/// What the frame that shows at an even sequence number begins with.
fn tag(cpu: CpuNumber, sequence: u64) -> u64 {
    u64::from(cpu) * 256 + sequence / 2 % 2
}

/// Makes a CPU's page, mapped to its first frame.
fn make(cpu: CpuNumber) -> Page {
    let root = roots::by_name("init_top_pgt").expect("the kernel's tables are made first");
    let frames = [0, 1].map(|which| {
        let frame = direct_map::allocate(1, FRAME_SIZE);
        word(phys_to_virt(frame).as_u64()).store(tag(cpu, 2 * which), Ordering::Release);
        frame.as_u64()
    });
    let linear = linear_of(cpu);
    map_page(&mut DirectMap, root, linear, frames[0], PageSize::Size4K, DATA)
        .unwrap_or_else(|error| panic!("stress: {error}"));
    let walk = walk(&DirectMap, root, linear);
    let table = walk.steps().last().expect("it was just mapped").table;
    Page { table, frames }
}

/// All CPUs that are online do so many rounds. `alone`: each drops its page from its own TLB only, which is what the
/// shootdown is there to mend.
pub fn run(rounds: u64, alone: bool) -> Found {
    let (start, before) = (time::tsc(), tlb::count());
    let me = percpu::current().number;
    let online = || cpus::list().filter(|cpu| ONLINE.contains(cpu.number));
    for cpu in online() {
        PAGES[cpu.number as usize].call_once(|| make(cpu.number));
        // A CPU may have been reset while it read.
        READERS[cpu.number as usize].store(0, Ordering::Release);
        TAKES_PART.set(cpu.number);
    }
    ROUNDS.store(rounds, Ordering::Release);
    ALONE.store(alone, Ordering::Release);
    CHECKS.store(0, Ordering::Release);
    STALE.store(0, Ordering::Release);
    online().for_each(|cpu| ASKED.set(cpu.number));
    online().filter(|cpu| cpu.number != me).for_each(|cpu| lapic::send(cpu.apic_id, Message::Fixed(tlb::VECTOR)));
    work();
    // One that hangs was told of by a shootdown.
    while online().any(|cpu| ASKED.contains(cpu.number) && !hung::is_deaf(cpu.number)) {
        tlb::answer();
        spin_loop();
    }
    let hung = cpus::list().filter(|cpu| ASKED.contains(cpu.number)).inspect(|cpu| ASKED.clear(cpu.number)).count();
    let found = Found {
        cpus: TAKES_PART.count() - hung,
        checks: CHECKS.load(Ordering::Acquire),
        stale: STALE.load(Ordering::Acquire),
        shootdowns: tlb::count() - before,
        micros: time::micros_since(start),
    };
    cpus::list().for_each(|cpu| TAKES_PART.clear(cpu.number));
    found
}

/// This CPU's rounds, if it has some to do. Called when it has nothing else to do.
pub(crate) fn work() {
    let me = percpu::current().number;
    if !ASKED.contains(me) {
        return;
    }
    for _ in 0..ROUNDS.load(Ordering::Acquire) {
        remap(me);
        cpus::list().filter(|cpu| TAKES_PART.contains(cpu.number)).for_each(|cpu| check(cpu.number));
    }
    ASKED.clear(me);
}

/// Whether a CPU has rounds to do.
pub(crate) fn has_work(cpu: CpuNumber) -> bool {
    ASKED.contains(cpu)
}

/// Unmaps this CPU's page, and maps it to the other frame.
fn remap(me: CpuNumber) {
    let Some(&page) = PAGES[me as usize].get() else { return };
    let sequence = &SEQUENCE[me as usize];
    // It is odd already where this CPU was reset while its page was not mapped.
    let before = sequence.fetch_or(1, Ordering::SeqCst);
    let nobody_reads = || {
        tlb::answer();
        READERS[me as usize].load(Ordering::SeqCst) == 0
    };
    if !time::wait_for(hung::patience_us(), nobody_reads) {
        // Somebody hangs in the midst of it: the page stays as it is.
        sequence.store(before, Ordering::SeqCst);
        return;
    }
    let linear = linear_of(me);
    let index = index_of(linear, 1);
    DirectMap.write_entry(page.table, index, 0);
    if ALONE.load(Ordering::Acquire) {
        tlb::drop_range(linear, 1);
    } else {
        tlb::shoot_down(linear, 1);
    }
    let next = sequence.load(Ordering::Acquire) + 1;
    let entry = page.frames[(next / 2 % 2) as usize] | supported(DATA).bits();
    // Nothing is to be dropped for this: the TLB keeps no entry that is not present.
    DirectMap.write_entry(page.table, index, entry);
    sequence.store(next, Ordering::SeqCst);
}

/// Reads a CPU's page, unless it is not mapped just now.
fn check(cpu: CpuNumber) {
    let readers = &READERS[cpu as usize];
    readers.fetch_add(1, Ordering::SeqCst);
    let sequence = SEQUENCE[cpu as usize].load(Ordering::SeqCst);
    if sequence.is_multiple_of(2) {
        let found = word(linear_of(cpu)).load(Ordering::SeqCst);
        CHECKS.fetch_add(1, Ordering::Relaxed);
        if found != tag(cpu, sequence) {
            STALE.fetch_add(1, Ordering::Relaxed);
        }
    }
    // Whoever waited too long for this CPU may have counted anew.
    let _ = readers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
}

/// A word of memory that is mapped for good, or held by who reads it.
fn word(linear: u64) -> &'static AtomicU64 {
    #[allow(unsafe_code)]
    // SAFETY: 1. the address is that of a page of the kernel's direct map, or of a stress page that its owner does not unmap
    // while READERS says that it is in use; 2. it is page-aligned; 3. all who use it use it as an atomic word.
    unsafe {
        &*(linear as *const AtomicU64)
    }
}

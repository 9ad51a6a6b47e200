//! TLB shootdown: a page-table entry that others may have in their TLBs is void only when all of them have dropped it (Linux:
//! arch/x86/mm/tlb.c, `flush_tlb_kernel_range()`).
//!
//! One shootdown at a time: the CPU that changed the entry writes the range down, interrupts the others, and waits until each
//! has answered. Who waits answers as well, so that two CPUs with interrupts off cannot wait for each other. One that does not
//! answer for seconds is `hung`'s affair.

use super::cpus::{self, CpuMask, ONLINE};
use super::hung;
use crate::arch::{flush, percpu};
use crate::time;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};
use spin::Mutex;

/// The vector that asks for it. Nobody prints anything about it.
pub const VECTOR: u8 = 0xfc;

/// Whose shootdown it is: taken by one CPU at a time.
static TURN: Mutex<()> = Mutex::new(());
/// The range: first linear address and pages of 4 KiB.
static LINEAR: AtomicU64 = AtomicU64::new(0);
static PAGES: AtomicU64 = AtomicU64::new(0);
/// Who has not dropped it yet.
static ASKED: CpuMask = CpuMask::new();
/// Shootdowns so far.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Drops a range from the TLB of every CPU that is online. When it returns, nobody uses what the tables said before.
pub fn shoot_down(linear: u64, pages: u64) {
    drop_range(linear, pages);
    let turn = loop {
        match TURN.try_lock() {
            Some(turn) => break turn,
            None => answer(),
        }
        spin_loop();
    };
    LINEAR.store(linear, Ordering::Release);
    PAGES.store(pages, Ordering::Release);
    let me = percpu::current().number;
    let others = || cpus::list().filter(move |cpu| cpu.number != me && ONLINE.contains(cpu.number));
    others().for_each(|cpu| ASKED.set(cpu.number));
    others().filter(|cpu| ASKED.contains(cpu.number)).for_each(|cpu| hung::ask(&cpu, VECTOR));
    // A CPU that goes offline meanwhile uses no memory that could be stale: it begins with an empty TLB when it comes back.
    if !time::wait_for(hung::patience_us(), || !others().any(|cpu| ASKED.contains(cpu.number))) {
        hung::insist(&ASKED, others, linear, pages);
    }
    COUNT.fetch_add(1, Ordering::Relaxed);
    drop(turn);
}

/// Drops a range from this CPU's TLB alone.
pub fn drop_range(linear: u64, pages: u64) {
    (0..pages).for_each(|page| flush::page(linear + page * 4096));
}

/// Does what this CPU is asked for, if it is. Called by the interrupt, and by who waits.
pub(crate) fn answer() {
    let me = percpu::current().number;
    if ASKED.contains(me) {
        drop_range(LINEAR.load(Ordering::Acquire), PAGES.load(Ordering::Acquire));
        ASKED.clear(me);
    }
}

/// The interrupt came.
pub(crate) fn on_interrupt() {
    hung::hears();
    answer();
}

/// An NMI came: whether it was for a shootdown.
pub(crate) fn on_nmi(rip: u64, rsp: u64, rflags: u64, cr3: u64) -> bool {
    hung::on_nmi(&ASKED, rip, rsp, rflags, cr3)
}

/// Shootdowns since the start.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

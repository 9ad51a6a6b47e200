//! The console: COM1, a 16550 with its receive interrupt, and [`crate::screen`] where there is one. Printing
//! works from the first instruction on and from every CPU; a line is printed as a whole.

use crate::arch::percpu::{self, CpuNumber};
use crate::screen;
use crate::smp::{cpus, cpus::CpuMask, irq};
use core::fmt::Write;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};
use spin::Mutex;
use uart_16550::{Config, Uart16550, backend::PioBackend, spec::registers::IER};
use x86_64::instructions::interrupts;

/// COM1's first port.
const COM1: u16 = 0x3f8;
/// Transmit FIFO of a 16550.
const FIFO_BYTES: usize = 16;

static UART: Mutex<Option<Uart16550<PioBackend>>> = Mutex::new(None);

/// The CPUs that are about to print or do so, so that an exception or NMI in the midst of that can still print.
static PRINTING: CpuMask = CpuMask::new();

/// Who prints, as CPU number + 1; 0: nobody.
static PRINTER: AtomicU32 = AtomicU32::new(0);
/// The kernel is ending: who alone still prints, as CPU number + 1.
static ALONE: AtomicU32 = AtomicU32::new(0);
/// A CPU that was reset while it printed gets so many more looks before its turn is taken from it: the INIT may be under way.
const PATIENCE: u32 = 1000;

/// Keys that were received and not read yet.
static INPUT: Mutex<Input> = Mutex::new(Input { bytes: [0; Input::SIZE], first: 0, count: 0 });

struct Input {
    bytes: [u8; Self::SIZE],
    first: usize,
    count: usize,
}

impl Input {
    const SIZE: usize = 256;

    /// Keeps a byte; what does not fit is lost, as on a real terminal line without flow control.
    fn push(&mut self, byte: u8) {
        if self.count < Self::SIZE {
            self.bytes[(self.first + self.count) % Self::SIZE] = byte;
            self.count += 1;
        }
    }

    fn pop(&mut self) -> Option<u8> {
        (self.count > 0).then(|| {
            let byte = self.bytes[self.first];
            self.first = (self.first + 1) % Self::SIZE;
            self.count -= 1;
            byte
        })
    }
}

/// Starts the UART: 115200 baud, 8N1, FIFOs on. Without a UART the kernel runs silently.
pub fn init() {
    #[allow(unsafe_code)]
    // SAFETY: COM1's eight ports belong to the console alone.
    let port = unsafe { Uart16550::new_port(COM1) };
    if let Ok(mut uart) = port {
        let config = Config { baud_rate: uart_16550::BaudRate::Baud115200, ..Config::DEFAULT };
        if uart.init(config).is_ok() {
            *UART.lock() = Some(uart);
        }
    }
}

/// Lets received bytes interrupt; the caller has routed the interrupt.
pub fn enable_receive_interrupt() {
    interrupts::without_interrupts(|| {
        if let Some(uart) = UART.lock().as_mut() {
            uart.enable_interrupts(IER::DATA_READY);
        }
    });
}

/// The UART's interrupt: takes what has arrived.
pub fn on_interrupt() {
    let me = percpu::current().number;
    PRINTING.set(me);
    take_turn(me + 1);
    if let Some(uart) = UART.lock().as_mut() {
        let mut input = INPUT.lock();
        while let Ok(byte) = uart.try_receive_byte() {
            input.push(byte);
        }
    }
    end_turn(me + 1);
    PRINTING.clear(me);
}

/// Keeps a byte that was typed elsewhere, for whoever reads; interrupts are off.
pub fn type_byte(byte: u8) {
    INPUT.lock().push(byte);
}

/// The next byte typed, if there is one.
pub fn try_read_byte() -> Option<u8> {
    interrupts::without_interrupts(|| INPUT.lock().pop())
}

/// Waits for a byte, halted. For the boot CPU, which takes the UART's interrupt.
pub fn read_byte() -> u8 {
    loop {
        interrupts::disable();
        let byte = INPUT.lock().pop();
        if let Some(byte) = byte {
            interrupts::enable();
            return byte;
        }
        irq::wait();
    }
}

/// Sends bytes as they are.
struct Sender<'a>(&'a mut Uart16550<PioBackend>);

impl Sender<'_> {
    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let chunk = &bytes[..bytes.len().min(FIFO_BYTES)];
            let sent = self.0.send_bytes(chunk);
            if sent == 0 {
                core::hint::spin_loop();
            }
            bytes = &bytes[sent..];
        }
    }
}

impl Write for Sender<'_> {
    /// A terminal wants CR LF.
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.send(b"\r\n");
            }
            self.send(line.as_bytes());
        }
        Ok(())
    }
}

/// Prints; see the macros `print!` and `println!`.
pub fn print(text: core::fmt::Arguments<'_>) {
    interrupts::without_interrupts(|| {
        let me = percpu::try_current().map_or(0, |cpu| cpu.number);
        match ALONE.load(Ordering::Acquire) {
            0 => {}
            // The others are stopped, maybe while they printed.
            alone if alone == me + 1 => return print_past_the_lock(text),
            _ => return,
        }
        if PRINTING.contains(me) {
            // This very CPU was interrupted here: it cannot wait for itself.
            print_past_the_lock(text);
            return;
        }
        PRINTING.set(me);
        take_turn(me + 1);
        if let Some(uart) = UART.lock().as_mut() {
            // Writing to the UART cannot fail.
            let _ = Sender(uart).write_fmt(text);
        }
        screen::print(text);
        end_turn(me + 1);
        PRINTING.clear(me);
    });
}

/// Has the screen show what changed beside the text.
pub fn refresh_screen() {
    interrupts::without_interrupts(|| {
        let me = percpu::try_current().map_or(0, |cpu| cpu.number);
        if !PRINTING.contains(me) {
            PRINTING.set(me);
            screen::refresh();
            PRINTING.clear(me);
        }
    });
}

/// Whose turn it is, if it is anybody's.
pub fn printer() -> Option<percpu::CpuNumber> {
    PRINTER.load(Ordering::Acquire).checked_sub(1)
}

/// Waits until nobody else prints. A CPU that an INIT took in the midst of it will never end: its turn is taken away.
fn take_turn(me: u32) {
    let mut looks = 0;
    while let Err(printer) = PRINTER.compare_exchange_weak(0, me, Ordering::AcqRel, Ordering::Acquire) {
        let gone = printer != 0 && cpus::RESET.contains(printer - 1);
        looks = if gone { looks + 1 } else { 0 };
        if looks > PATIENCE {
            forget(printer - 1);
        }
        spin_loop();
    }
}

fn end_turn(me: u32) {
    let _ = PRINTER.compare_exchange(me, 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// A CPU was reset: if it was printing, it is not any more.
pub fn forget(cpu: CpuNumber) {
    PRINTING.clear(cpu);
    if PRINTER.load(Ordering::Acquire) == cpu + 1 {
        #[allow(unsafe_code)]
        // SAFETY: only who has the turn takes this lock, and that CPU does not execute what it was at any more. The turn is
        // given away below, after the lock.
        unsafe {
            UART.force_unlock();
        }
        end_turn(cpu + 1);
    }
}

/// From now on only this CPU prints, whoever was at it: the kernel is ending.
pub fn print_alone() {
    let me = percpu::try_current().map_or(0, |cpu: &percpu::PerCpu| -> CpuNumber { cpu.number });
    ALONE.store(me + 1, Ordering::Release);
}

/// Prints with a second handle on the same UART.
fn print_past_the_lock(text: core::fmt::Arguments<'_>) {
    #[allow(unsafe_code)]
    // SAFETY: this CPU stands still where it used the first handle, and the UART keeps no state between two bytes that
    // matters here. At worst two CPUs' lines are mixed.
    if let Ok(mut uart) = unsafe { Uart16550::new_port(COM1) } {
        let _ = Sender(&mut uart).write_fmt(text);
    }
    screen::print(text);
}

/// Prints to the console, without a line end.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::console::print(format_args!($($text)*)) };
}

/// Prints a line to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::console::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::console::print(format_args!("{}\n", format_args!($($text)*))) };
}

#[cfg(test)]
mod tests {
    use super::Input;

    /// Goal: bytes come out in their order, also around the end, and too many are dropped. Method: fill, read, refill.
    #[test]
    fn input_keeps_order_and_bounds() {
        let mut input = Input { bytes: [0; Input::SIZE], first: 0, count: 0 };
        (0..200_u8).for_each(|byte| input.push(byte));
        (0..150_u8).for_each(|byte| assert_eq!(input.pop(), Some(byte)));
        (0..=255_u8).for_each(|byte| input.push(byte));
        (150..200_u8).for_each(|byte| assert_eq!(input.pop(), Some(byte)));
        (0..206_u8).for_each(|byte| assert_eq!(input.pop(), Some(byte)));
        assert_eq!(input.pop(), None);
    }
}

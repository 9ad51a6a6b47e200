//! The first serial port: a 16550A with FIFOs (National Semiconductor PC16550D data sheet), ISA interrupt 4.
//!
//! What it sends goes to the outbox at once: the line is infinitely fast, so the transmitter is always empty. What it
//! receives is put in by the journal ([`Uart::receive`]).

use super::irq::Irq;
use crate::bus::Outbox;
use std::collections::VecDeque;

/// The ISA line it is wired to.
const IRQ_LINE: u8 = 4;
/// Bytes of the receive FIFO.
const FIFO_BYTES: usize = 16;

/// IER: received data available.
const IER_RX: u8 = 1 << 0;
/// IER: transmitter empty.
const IER_TX: u8 = 1 << 1;
/// LCR: divisor latch access.
const LCR_DLAB: u8 = 1 << 7;
/// LSR: data ready.
const LSR_DATA_READY: u8 = 1 << 0;
/// LSR: overrun.
const LSR_OVERRUN: u8 = 1 << 1;
/// LSR: transmit holding register and shift register empty.
const LSR_TX_EMPTY: u8 = 1 << 5 | 1 << 6;
/// MCR: request to send, which with a modem means that this side is ready to receive.
const MCR_RTS: u8 = 1 << 1;
/// MCR: loopback.
const MCR_LOOP: u8 = 1 << 4;
/// FCR: FIFO enable.
const FCR_ENABLE: u8 = 1 << 0;
/// FCR: clear receive FIFO.
const FCR_CLEAR_RX: u8 = 1 << 1;
/// IIR: no interrupt pending.
const IIR_NONE: u8 = 1;
/// IIR: transmitter empty.
const IIR_TX: u8 = 2;
/// IIR: received data available.
const IIR_RX: u8 = 4;
/// IIR: bytes below the trigger level have waited for a while.
const IIR_TIMEOUT: u8 = 12;
/// IIR: receiver line status: a byte was lost.
const IIR_LINE: u8 = 6;
/// IER: receiver line status.
const IER_LINE: u8 = 1 << 2;
/// IIR: FIFOs are enabled.
const IIR_FIFO: u8 = 0xc0;

/// Registers and FIFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uart {
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    scratch: u8,
    divisor: u16,
    overrun: bool,
    tx_interrupt: bool,
    line_high: bool,
    fifo: VecDeque<u8>,
}

impl Uart {
    /// IN from register 0 to 7.
    pub fn read(&mut self, register: u16, irq: &mut Irq, out: &mut Outbox) -> u8 {
        let dlab = self.lcr & LCR_DLAB != 0;
        let value = match register {
            0 if dlab => self.divisor as u8,
            1 if dlab => (self.divisor >> 8) as u8,
            0 => self.fifo.pop_front().unwrap_or(0),
            1 => self.ier,
            2 => {
                let cause = self.cause();
                if cause == IIR_TX {
                    self.tx_interrupt = false;
                }
                cause | if self.fcr & FCR_ENABLE != 0 { IIR_FIFO } else { 0 }
            }
            3 => self.lcr,
            4 => self.mcr,
            5 => {
                let overrun = if std::mem::take(&mut self.overrun) { LSR_OVERRUN } else { 0 };
                LSR_TX_EMPTY | overrun | if self.fifo.is_empty() { 0 } else { LSR_DATA_READY }
            }
            // Modem status: in loopback the four outputs come back as inputs, else CTS, DSR and DCD are on.
            6 if self.mcr & MCR_LOOP != 0 => {
                (self.mcr & 1) << 5 | (self.mcr & 2) << 3 | (self.mcr & 4) << 4 | (self.mcr & 8) << 4
            }
            6 => 0xb0,
            _ => self.scratch,
        };
        self.update_line(irq, out);
        value
    }

    /// OUT to register 0 to 7.
    pub fn write(&mut self, register: u16, value: u8, irq: &mut Irq, out: &mut Outbox) {
        let dlab = self.lcr & LCR_DLAB != 0;
        match register {
            0 if dlab => self.divisor = self.divisor & 0xff00 | u16::from(value),
            1 if dlab => self.divisor = self.divisor & 0x00ff | u16::from(value) << 8,
            0 if self.mcr & MCR_LOOP != 0 => self.push(value),
            0 => {
                out.console.push(value);
                self.tx_interrupt = true;
            }
            1 => {
                self.tx_interrupt |= value & !self.ier & IER_TX != 0;
                self.ier = value & 0x0f;
            }
            2 => {
                if value & FCR_CLEAR_RX != 0 {
                    self.fifo.clear();
                }
                self.fcr = value & 0xc9;
            }
            3 => self.lcr = value,
            4 => self.mcr = value & 0x1f,
            7 => self.scratch = value,
            _ => {}
        }
        self.update_line(irq, out);
    }

    /// A byte arrives on the line.
    pub fn receive(&mut self, byte: u8, irq: &mut Irq, out: &mut Outbox) {
        self.push(byte);
        self.update_line(irq, out);
    }

    /// The guest has set the line up: it signals so, or waits for the interrupt of what is received.
    pub fn requests_to_send(&self) -> bool {
        (self.mcr & MCR_RTS != 0 || self.ier & IER_RX != 0) && self.mcr & MCR_LOOP == 0
    }

    /// The receiver can take another byte without losing one.
    pub fn has_room(&self) -> bool {
        self.fifo.len() < self.capacity()
    }

    fn capacity(&self) -> usize {
        if self.fcr & FCR_ENABLE != 0 { FIFO_BYTES } else { 1 }
    }

    /// Bytes from which on the receiver asks for its interrupt: FCR bits 7:6.
    fn trigger_bytes(&self) -> usize {
        if self.fcr & FCR_ENABLE != 0 { [1, 4, 8, 14][usize::from(self.fcr >> 6)] } else { 1 }
    }

    fn push(&mut self, byte: u8) {
        if self.has_room() {
            self.fifo.push_back(byte);
        } else {
            self.overrun = true;
        }
    }

    fn cause(&self) -> u8 {
        if self.ier & IER_LINE != 0 && self.overrun {
            IIR_LINE
        } else if self.ier & IER_RX != 0 && !self.fifo.is_empty() {
            // Nothing is on its way on this line: what is below the trigger level has waited long enough.
            if self.fifo.len() < self.trigger_bytes() { IIR_TIMEOUT } else { IIR_RX }
        } else if self.ier & IER_TX != 0 && self.tx_interrupt {
            IIR_TX
        } else {
            IIR_NONE
        }
    }

    fn update_line(&mut self, irq: &mut Irq, out: &mut Outbox) {
        let high = self.cause() != IIR_NONE;
        if high != self.line_high {
            self.line_high = high;
            irq.set_line(IRQ_LINE, high, out);
        }
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from_le_bytes([
            self.ier,
            self.fcr,
            self.lcr,
            self.mcr,
            self.scratch,
            u8::from(self.overrun),
            u8::from(self.tx_interrupt),
            u8::from(self.line_high),
        ]));
        put(u64::from(self.divisor) | (self.fifo.len() as u64) << 16);
        self.fifo.iter().for_each(|&byte| put(u64::from(byte)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: interrupts both ways reach line 4 of both controllers, and go as their cause does; method: enable, send, receive.
    #[test]
    fn interrupts_both_ways() {
        let (mut uart, mut irq, mut out) = (Uart::default(), Irq::default(), Outbox::default());
        irq.pic.initialize(0, 0);
        uart.write(2, 0x81, &mut irq, &mut out);
        uart.write(1, IER_RX | IER_TX, &mut irq, &mut out);
        assert_eq!((uart.read(2, &mut irq, &mut out), irq.pic.request()), (IIR_FIFO | IIR_TX, None));
        uart.receive(b'a', &mut irq, &mut out);
        assert_eq!(irq.pic.request(), Some(0x0c));
        assert_eq!(uart.read(2, &mut irq, &mut out), IIR_FIFO | IIR_TIMEOUT);
        (0..7).for_each(|_| uart.receive(b'b', &mut irq, &mut out));
        assert_eq!(uart.read(2, &mut irq, &mut out), IIR_FIFO | IIR_RX);
        let read: Vec<u8> = (0..8).map(|_| uart.read(0, &mut irq, &mut out)).collect();
        assert_eq!((read.as_slice(), irq.pic.request()), (&b"abbbbbbb"[..], None));
        assert_eq!(out.interrupts, [], "the I/O APIC's pin is masked");
    }
}

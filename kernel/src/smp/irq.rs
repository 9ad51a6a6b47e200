//! The device interrupts: COM1 and the keyboard, through the I/O APIC to the boot CPU.
use super::madt::Madt;
use crate::arch::{i8042, ioapic, port};
use crate::{console, keyboard, println, screen};

/// COM1's vector: ISA IRQs start at 30h, as in Linux.
pub const COM1_VECTOR: u8 = 0x34;
/// The keyboard's.
pub const KEYBOARD_VECTOR: u8 = 0x31;

/// Masks the 8259s if there are any, and every pin of the I/O APIC, and routes COM1 to the boot CPU.
pub fn init(madt: &Madt, boot_apic_id: u32) {
    if madt.has_8259 {
        // OCW1 of both: mask all lines.
        port::write(0x21, 0xff);
        port::write(0xa1, 0xff);
    }
    let Some(io_apic) = madt.io_apic else {
        println!("irq: no I/O APIC: the console cannot be typed into");
        return;
    };
    let pins = ioapic::mask_all();
    match madt.com1_gsi.checked_sub(io_apic.gsi_base).filter(|pin| *pin < pins) {
        Some(pin) => {
            ioapic::route_isa(pin, COM1_VECTOR, boot_apic_id);
            console::enable_receive_interrupt();
            println!("irq: COM1 on I/O APIC pin {pin}, vector {COM1_VECTOR:02x}h, to CPU 0");
        }
        None => println!("irq: the I/O APIC's {pins} pins do not include COM1's interrupt {}", madt.com1_gsi),
    }
    // Not in the log, which is the same on machines without a keyboard: the screen tells.
    let keyboard_pin = madt.keyboard_gsi.checked_sub(io_apic.gsi_base).filter(|pin| *pin < pins);
    if let Some(pin) = keyboard_pin
        && i8042::init()
    {
        ioapic::route_isa(pin, KEYBOARD_VECTOR, boot_apic_id);
        // What came before has made its edge.
        keyboard::on_interrupt();
        screen::keyboard_is_there();
    }
}

/// Enables interrupts and halts until one has come. Interrupts are off when it is called, and on afterwards: nothing can
/// come in between, since STI takes effect after the next instruction.
pub fn wait() {
    x86_64::instructions::interrupts::enable_and_hlt();
}

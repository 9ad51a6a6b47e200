//! The firmware's screen: its memory for the kernel, and sentences on its console while it is the firmware's.
//!
//! UEFI specification, "Graphics Output Protocol" and "Simple Text Output Protocol".

use alloc::string::{String, ToString};
use core::fmt::Display;
use loader::{FrameBufferInfo, Framebuffer, PixelFormat};
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams};
use uefi::proto::console::gop::{GraphicsOutput, Mode, PixelFormat as GopFormat};
use uefi::{println, system};

/// Each format that a framebuffer can have takes 32 bits a pixel.
const BYTES_PER_PIXEL: usize = 4;

/// What the screen shows from, in a mode at least as large as asked for where there is one (`least`: width and height). None:
/// no screen, or one that the firmware alone can draw on.
pub fn framebuffer(least: (Option<u64>, Option<u64>)) -> Option<Framebuffer> {
    let handle = boot::get_handle_for_protocol::<GraphicsOutput>().ok()?;
    let params = OpenProtocolParams { handle, agent: boot::image_handle(), controller: None };
    // Not exclusively: that would take the screen from the firmware's console, which may have to show an error yet.
    // SAFETY: 1. the protocol's handle stays as long as boot services do, and `output` is dropped before; 2. nobody else
    // runs meanwhile who could change the mode.
    let output = unsafe { boot::open_protocol::<GraphicsOutput>(params, OpenProtocolAttributes::GetProtocol) };
    let mut output = output.ok()?;
    let width_and_height = |least: Option<u64>| least.and_then(|least| usize::try_from(least).ok()).unwrap_or(0);
    let least = (width_and_height(least.0), width_and_height(least.1));
    let is_enough = |(width, height): (usize, usize)| width >= least.0 && height >= least.1;
    if !is_enough(output.current_mode_info().resolution()) {
        let pixels = |mode: &Mode| mode.info().resolution().0 * mode.info().resolution().1;
        let usable = |mode: &Mode| mode.info().pixel_format() != GopFormat::BltOnly;
        let larger =
            output.modes().filter(|mode| is_enough(mode.info().resolution()) && usable(mode)).min_by_key(pixels);
        // Where that fails the screen stays as it is, which the contract allows.
        let _ = larger.map(|mode| output.set_mode(&mode));
    }
    let mode = output.current_mode_info();
    let pixel_format = match mode.pixel_format() {
        GopFormat::Rgb => PixelFormat::Rgb,
        GopFormat::Bgr => PixelFormat::Bgr,
        GopFormat::Bitmask => {
            let mask = mode.pixel_bitmask()?;
            let position = |mask: u32| mask.trailing_zeros() as u8;
            let (red_position, green_position) = (position(mask.red), position(mask.green));
            PixelFormat::Unknown { red_position, green_position, blue_position: position(mask.blue) }
        }
        GopFormat::BltOnly => return None,
    };
    let ((width, height), stride) = (mode.resolution(), mode.stride());
    let byte_len = stride.checked_mul(height)?.checked_mul(BYTES_PER_PIXEL)?;
    let mut memory = output.frame_buffer();
    if byte_len == 0 || stride < width || memory.size() < byte_len {
        return None;
    }
    let info = FrameBufferInfo { byte_len, width, height, pixel_format, bytes_per_pixel: BYTES_PER_PIXEL, stride };
    Some(Framebuffer { paddr: memory.as_mut_ptr() as u64, info })
}

/// Prints a paragraph, with line ends between words: the console itself breaks lines anywhere.
pub fn say(text: &dyn Display) {
    const USUAL_COLUMNS: usize = 80;
    let mode = system::with_stdout(|output| output.current_mode());
    let columns = mode.ok().flatten().map_or(USUAL_COLUMNS, |mode| mode.columns());
    let text = text.to_string();
    let mut line = String::new();
    for word in text.split(' ') {
        // A full last column would start a new line by itself.
        if !line.is_empty() && line.len() + 1 + word.len() >= columns {
            println!("{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    println!("{line}");
}

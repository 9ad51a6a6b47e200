//! The VGA's registers, read back as they were written (IBM VGA Technical Reference). Text memory at B8000h is RAM; what a
//! program writes there can be looked at, and the cursor registers say where it was.

/// Input status 1: display off, vertical retrace. Both alternate, so that whoever waits for either goes on.
const RETRACE: u8 = 1 << 0 | 1 << 3;

/// CRTC register 0Ah, Cursor Start: the cursor is not shown.
const CURSOR_OFF: u8 = 1 << 5;

/// One group of registers behind an index.
type Group = [u8; 32];

/// Its registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vga {
    crtc: Group,
    crtc_index: u8,
    sequencer: Group,
    sequencer_index: u8,
    graphics: Group,
    graphics_index: u8,
    attribute: Group,
    attribute_index: u8,
    /// The next write of port 3C0h is data.
    attribute_data: bool,
    misc: u8,
    in_retrace: bool,
}

impl Vga {
    /// As firmware leaves it: mode 3, 80 by 25 characters, a cursor of two lines.
    pub fn set_text_mode(&mut self) {
        self.misc = 0x67;
        self.crtc[0x0a] = 0x0e;
        self.crtc[0x0b] = 0x0f;
    }

    /// Offset of the cursor in characters, CRTC registers 0Eh and 0Fh. None: register 0Ah switches it off.
    pub fn cursor(&self) -> Option<u16> {
        (self.crtc[0x0a] & CURSOR_OFF == 0).then(|| u16::from_be_bytes([self.crtc[0x0e], self.crtc[0x0f]]))
    }

    /// Offset of the first character on the screen, CRTC registers 0Ch and 0Dh.
    pub fn first_character(&self) -> u16 {
        u16::from_be_bytes([self.crtc[0x0c], self.crtc[0x0d]])
    }

    /// IN from 3C0h to 3DAh.
    pub fn read(&mut self, port: u16) -> u8 {
        let at = |group: &Group, index: u8| group[usize::from(index & 31)];
        match port {
            0x3c0 => self.attribute_index,
            0x3c1 => at(&self.attribute, self.attribute_index),
            0x3c4 => self.sequencer_index,
            0x3c5 => at(&self.sequencer, self.sequencer_index),
            0x3cc => self.misc,
            0x3ce => self.graphics_index,
            0x3cf => at(&self.graphics, self.graphics_index),
            0x3d4 => self.crtc_index,
            0x3d5 => at(&self.crtc, self.crtc_index),
            0x3da => {
                self.attribute_data = false;
                self.in_retrace = !self.in_retrace;
                if self.in_retrace { RETRACE } else { 0 }
            }
            _ => 0xff,
        }
    }

    /// OUT to the same.
    pub fn write(&mut self, port: u16, value: u8) {
        let put = |group: &mut Group, index: u8| group[usize::from(index & 31)] = value;
        match port {
            0x3c0 => {
                let is_data = self.attribute_data;
                self.attribute_data = !is_data;
                if is_data {
                    put(&mut self.attribute, self.attribute_index);
                } else {
                    self.attribute_index = value;
                }
            }
            0x3c2 => self.misc = value,
            0x3c4 => self.sequencer_index = value,
            0x3c5 => put(&mut self.sequencer, self.sequencer_index),
            0x3ce => self.graphics_index = value,
            0x3cf => put(&mut self.graphics, self.graphics_index),
            0x3d4 => self.crtc_index = value,
            0x3d5 => put(&mut self.crtc, self.crtc_index),
            _ => {}
        }
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        for group in [&self.crtc, &self.sequencer, &self.graphics, &self.attribute] {
            group.iter().for_each(|&byte| put(byte.into()));
        }
        put(u64::from_le_bytes([
            self.crtc_index,
            self.sequencer_index,
            self.graphics_index,
            self.attribute_index,
            u8::from(self.attribute_data),
            self.misc,
            u8::from(self.in_retrace),
            0,
        ]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the cursor reads back, and whoever waits for a retrace goes on; method: a kernel's own sequence.
    #[test]
    fn cursor_and_retrace() {
        let mut vga = Vga::default();
        for (index, value) in [(0x0e, 0x03), (0x0f, 0x21)] {
            vga.write(0x3d4, index);
            vga.write(0x3d5, value);
        }
        vga.write(0x3d4, 0x0e);
        assert_eq!((vga.read(0x3d5), vga.cursor()), (3, Some(0x321)));
        assert_ne!(vga.read(0x3da) & 8, vga.read(0x3da) & 8);
    }
}

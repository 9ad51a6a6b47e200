//! The colours, by what they mean. Hues after Okabe and Ito, which colour-blind people can tell apart; nothing is told
//! by colour alone all the same. The tests compute contrast: text at least 4.5:1, shapes at least 3:1 (WCAG 2.2, 1.4.3
//! and 1.4.11), in the Lecture theme at least 7:1. [`super::theme`] hands them to egui; `tests/legible.rs` looks at what
//! is really painted.

use egui::{Color32, Stroke};
use protocol::Mode;

/// One theme's colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// Dark background.
    pub dark: bool,
    /// All sizes times this, before the user's own text size: a projector needs more.
    pub scale: f32,
    /// No line is thinner, in points.
    pub thinnest: f32,
    /// Behind panels.
    pub panel: Color32,
    /// Behind lists, code and lanes.
    pub sunken: Color32,
    /// Buttons, cards, headers.
    pub raised: Color32,
    /// A hovered button.
    pub hover: Color32,
    /// A row that is chosen or current.
    pub chosen: Color32,
    /// Hairlines between things that spacing already separates.
    pub hairline: Color32,
    /// Frames of buttons and fields.
    pub frame: Color32,
    /// Text.
    pub text: Color32,
    /// Headings and the value that matters.
    pub strong: Color32,
    /// Labels, units, comments.
    pub weak: Color32,
    /// The focus ring and the current instruction's mark.
    pub focus: Color32,
    /// What changed since the previous stop.
    pub changed: Color32,
    /// A fault, a refusal, a breakpoint.
    pub fault: Color32,
    /// It worked, it is mapped, it is shared.
    pub good: Color32,
    /// Symbols and links.
    pub link: Color32,
    /// The NOW line.
    pub now: Color32,
    /// Real mode.
    pub real: Color32,
    /// Virtual-8086 mode.
    pub v86: Color32,
    /// 16-bit protected mode.
    pub protected16: Color32,
    /// 32-bit protected mode.
    pub protected32: Color32,
    /// Compatibility mode.
    pub compat: Color32,
    /// 64-bit mode.
    pub long: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The default.
pub const DARK: Tokens = Tokens {
    dark: true,
    scale: 1.0,
    thinnest: 0.0,
    panel: rgb(0x161a20),
    sunken: rgb(0x0e1116),
    raised: rgb(0x222831),
    hover: rgb(0x2d3541),
    chosen: rgb(0x1f3347),
    hairline: rgb(0x2b323c),
    frame: rgb(0x748092),
    text: rgb(0xd8dee6),
    strong: rgb(0xffffff),
    weak: rgb(0xa3aebb),
    focus: rgb(0xf0e442),
    changed: rgb(0xf2b134),
    fault: rgb(0xff864d),
    good: rgb(0x3fc99d),
    link: rgb(0x7cc6f2),
    now: rgb(0xffffff),
    real: rgb(0xe69f00),
    v86: rgb(0xf07a3c),
    protected16: rgb(0xf0e442),
    protected32: rgb(0x2bbe8d),
    compat: rgb(0xde92ba),
    long: rgb(0x56b4e9),
};

/// For bright rooms.
pub const LIGHT: Tokens = Tokens {
    dark: false,
    scale: 1.0,
    thinnest: 0.0,
    panel: rgb(0xf6f7f9),
    sunken: rgb(0xffffff),
    raised: rgb(0xe7eaee),
    hover: rgb(0xd9dfe6),
    chosen: rgb(0xd7e9f7),
    hairline: rgb(0xcfd5dc),
    frame: rgb(0x717c8a),
    text: rgb(0x1d232b),
    strong: rgb(0x000000),
    weak: rgb(0x4b5561),
    focus: rgb(0x005a91),
    changed: rgb(0x8a5200),
    fault: rgb(0xb03a00),
    good: rgb(0x00664a),
    link: rgb(0x005a91),
    now: rgb(0x000000),
    real: rgb(0x9a5f00),
    v86: rgb(0xb03a00),
    protected16: rgb(0x6f6700),
    protected32: rgb(0x007052),
    compat: rgb(0x9c3f74),
    long: rgb(0x00629c),
};

/// For projectors: they eat greys and thin lines, so everything is larger, darker and at least 2 px wide.
pub const LECTURE: Tokens = Tokens {
    dark: false,
    scale: 1.5,
    thinnest: 2.0 / 1.5,
    panel: rgb(0xffffff),
    sunken: rgb(0xfbfbfc),
    raised: rgb(0xf0f2f5),
    hover: rgb(0xe3e8ee),
    chosen: rgb(0xdcecf9),
    hairline: rgb(0xb4bcc6),
    frame: rgb(0x474f58),
    text: rgb(0x14181d),
    strong: rgb(0x000000),
    weak: rgb(0x39414b),
    focus: rgb(0x004a7a),
    changed: rgb(0x6a3c00),
    fault: rgb(0x8a2a00),
    good: rgb(0x004d38),
    link: rgb(0x004a7a),
    now: rgb(0x000000),
    real: rgb(0x6a4200),
    v86: rgb(0x8a2a00),
    protected16: rgb(0x504a00),
    protected32: rgb(0x00513b),
    compat: rgb(0x78285a),
    long: rgb(0x004a7a),
};

impl Tokens {
    /// A line as wide as asked, or as wide as this theme's lines are at least.
    pub fn stroke(&self, width: f32, colour: Color32) -> Stroke {
        Stroke::new(width.max(self.thinnest), colour)
    }

    /// The hue of a mode. Its word, pattern and height tell the same.
    pub const fn mode(&self, mode: Mode) -> Color32 {
        match mode {
            Mode::Real => self.real,
            Mode::V86 => self.v86,
            Mode::Protected16 => self.protected16,
            Mode::Protected32 => self.protected32,
            Mode::Compat => self.compat,
            Mode::Long => self.long,
        }
    }

    /// A hue laid thinly over a background, so that text on it stays readable.
    pub fn tint(&self, hue: Color32) -> Color32 {
        mix(self.sunken, hue, 0.22)
    }
}

/// `share` of `over` in `under`, channel by channel.
pub fn mix(under: Color32, over: Color32, share: f32) -> Color32 {
    let channel = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8;
    Color32::from_rgb(channel(under.r(), over.r()), channel(under.g(), over.g()), channel(under.b(), over.b()))
}

/// Relative luminance of an sRGB colour (WCAG 2.2).
fn luminance(colour: Color32) -> f64 {
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
}

/// Contrast of two colours as WCAG 2.2 measures it: 1 (equal) to 21 (black on white).
pub fn contrast(a: Color32, b: Color32) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The themes with the contrast that text and shapes need there.
    const THEMES: [(&str, Tokens, f64, f64); 3] =
        [("dark", DARK, 4.5, 3.0), ("light", LIGHT, 4.5, 3.0), ("lecture", LECTURE, 7.0, 4.5)];

    /// Goal: the measure itself is right; method: WCAG's known pairs.
    #[test]
    fn contrast_of_known_pairs() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 0.01);
        assert!((contrast(rgb(0x767676), Color32::WHITE) - 4.54).abs() < 0.01);
    }

    /// Goal: every text can be read; method: each text colour on each background it is drawn on.
    #[test]
    fn text_has_contrast() {
        for (name, t, least, _) in THEMES {
            let texts = [t.text, t.strong, t.weak, t.changed, t.fault, t.good, t.link, t.focus];
            for text in texts {
                for back in [t.panel, t.sunken, t.raised, t.chosen] {
                    assert!(contrast(text, back) >= least, "{name}: {text:?} on {back:?}");
                }
            }
            for text in [t.text, t.strong] {
                assert!(contrast(text, t.hover) >= least, "{name}: {text:?} on hover");
                for hue in [t.real, t.v86, t.protected16, t.protected32, t.compat, t.long] {
                    assert!(contrast(text, t.tint(hue)) >= least, "{name}: {text:?} on a tint of {hue:?}");
                }
            }
        }
    }

    /// Goal: shapes can be told from what is behind them; method: each hue and frame on each background.
    #[test]
    fn shapes_have_contrast() {
        for (name, t, _, least) in THEMES {
            let shapes = [t.frame, t.focus, t.now, t.real, t.v86, t.protected16, t.protected32, t.compat, t.long];
            for shape in shapes {
                for back in [t.panel, t.sunken, t.raised] {
                    assert!(contrast(shape, back) >= least, "{name}: {shape:?} on {back:?}");
                }
            }
            for mode in [Mode::Real, Mode::V86, Mode::Protected16, Mode::Protected32, Mode::Compat, Mode::Long] {
                assert!(contrast(t.mode(mode), t.tint(t.mode(mode))) >= least, "{name}: edge of {mode}");
            }
        }
    }

    /// Goal: no two modes have the same hue; method: compare all pairs.
    #[test]
    fn modes_have_hues_of_their_own() {
        for (name, t, ..) in THEMES {
            let hues = [t.real, t.protected16, t.protected32, t.compat, t.long];
            for (at, one) in hues.iter().enumerate() {
                for other in &hues[at + 1..] {
                    assert_ne!(one, other, "{name}");
                }
            }
        }
    }
}

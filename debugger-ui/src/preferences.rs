//! What the window remembers from one start to the next: theme, text size, keys and the like, as plain data. [`store`]
//! keeps it in a file; the view reads it; [`crate::ui::keys`] makes the key map of it.

pub mod store;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file's version. A file with a higher one was written by a newer Firstlight and is left alone.
const VERSION: u64 = 1;
/// The member that says whose file it is.
const MARK: &str = "firstlight_settings";

/// Everything that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Colours.
    pub theme: Theme,
    /// Text size in percent, 80 to 250.
    pub text_size: u16,
    /// Nothing moves by itself: no film, no animation.
    pub reduced_motion: bool,
    /// Disassembly in Intel syntax; AT&T otherwise.
    pub intel_syntax: bool,
    /// Single letters, digits and signs are keys. Without them the F-keys and those with Ctrl or Alt remain.
    pub letters: bool,
    /// The commands whose keys were changed, by id, with their keys as text: `"step-cpu": ["Ctrl+J", "F11"]`.
    pub keys: BTreeMap<String, Vec<String>>,
    /// The layout that was last open, by name; empty: the one for what is open.
    pub layout: String,
    /// The opening film was shown.
    pub opening_seen: bool,
}

/// Whose colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Light text on dark.
    #[default]
    Dark,
    /// Dark text on light.
    Light,
    /// For projectors: light, large, strong contrast.
    Lecture,
    /// As the desktop is.
    System,
}

impl Theme {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::Lecture, Self::System];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "Dark",
            Self::Light => "Light",
            Self::Lecture => "Lecture",
            Self::System => "Follow the system",
        }
    }

    /// What it is for.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Dark => "Light text on dark.",
            Self::Light => "Dark text on light, for bright rooms.",
            Self::Lecture => "For a projector: larger, light, strong contrast, no thin lines.",
            Self::System => "Dark or light as the desktop is; dark where it does not say.",
        }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: Theme::Dark,
            text_size: 100,
            reduced_motion: false,
            intel_syntax: true,
            letters: true,
            keys: BTreeMap::new(),
            layout: String::new(),
            opening_seen: false,
        }
    }
}

impl Preferences {
    /// Smallest and largest text size in percent.
    pub const TEXT_SIZES: std::ops::RangeInclusive<u16> = 80..=250;

    /// The text size as a factor.
    pub fn zoom(&self) -> f32 {
        f32::from(self.text_size.clamp(*Self::TEXT_SIZES.start(), *Self::TEXT_SIZES.end())) / 100.0
    }

    /// One step of text size up or down.
    pub fn step_text_size(&mut self, larger: bool) {
        let next = if larger { self.text_size + 10 } else { self.text_size.saturating_sub(10) };
        self.text_size = (next / 10 * 10).clamp(*Self::TEXT_SIZES.start(), *Self::TEXT_SIZES.end());
    }

    /// As the file holds it.
    pub fn to_text(&self) -> String {
        let mut map = serde_json::Map::new();
        map.insert(MARK.to_owned(), VERSION.into());
        if let Ok(serde_json::Value::Object(own)) = serde_json::to_value(self) {
            map.extend(own);
        }
        format!("{:#}\n", serde_json::Value::Object(map))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// In words that finish the sentence "The settings in FILE ...": what is wrong with it.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("are not JSON or are cut off ({error})"))?;
        match value.get(MARK).map(serde_json::Value::as_u64) {
            None => return Err(format!("are not Firstlight's: there is no \"{MARK}\" in it")),
            Some(Some(version)) if version <= VERSION => {}
            Some(Some(version)) => {
                return Err(format!(
                    "were written by a newer Firstlight (version {version}, this one reads {VERSION})"
                ));
            }
            Some(None) => return Err(format!("have a \"{MARK}\" that is no number")),
        }
        let mut read: Self = serde_json::from_value(value).map_err(|error| format!("cannot be read ({error})"))?;
        read.text_size = read.text_size.clamp(*Self::TEXT_SIZES.start(), *Self::TEXT_SIZES.end());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is written is read again; method: nothing at its default.
    #[test]
    fn round_trip() {
        let preferences = Preferences {
            theme: Theme::Lecture,
            text_size: 170,
            reduced_motion: true,
            intel_syntax: false,
            letters: false,
            keys: [("step-cpu".to_owned(), vec!["Ctrl+J".to_owned()])].into(),
            layout: "lecture".into(),
            opening_seen: true,
        };
        assert_eq!(Preferences::from_text(&preferences.to_text()), Ok(preferences));
    }

    /// Goal: a shorter file of the same version is filled up, a wild text size is brought in; method: two small files.
    #[test]
    fn missing_members_are_defaults() {
        let read = Preferences::from_text(r#"{"firstlight_settings": 1, "theme": "light"}"#).unwrap();
        assert_eq!(read, Preferences { theme: Theme::Light, ..Preferences::default() });
        let read = Preferences::from_text(r#"{"firstlight_settings": 1, "text_size": 9000}"#).unwrap();
        assert_eq!(read.text_size, 250);
    }

    /// Goal: what is not ours is refused in words; method: one of each kind.
    #[test]
    fn foreign_files() {
        let whole = Preferences::default().to_text();
        let cases = [
            ("", "cut off"),
            (&whole[..whole.len() / 2], "cut off"),
            ("[]", "not Firstlight's"),
            (r#"{"editor.fontSize": 14}"#, "not Firstlight's"),
            (r#"{"firstlight_settings": "x"}"#, "no number"),
            (r#"{"firstlight_settings": 2}"#, "newer"),
            (r#"{"firstlight_settings": 1, "theme": "plaid"}"#, "cannot be read"),
        ];
        for (text, why) in cases {
            let said = Preferences::from_text(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    /// Goal: text size steps stay on tens and within bounds; method: from an odd size to both ends.
    #[test]
    fn text_sizes() {
        let mut preferences = Preferences { text_size: 85, ..Preferences::default() };
        preferences.step_text_size(true);
        assert_eq!(preferences.text_size, 90);
        for _ in 0..40 {
            preferences.step_text_size(true);
        }
        assert_eq!((preferences.text_size, preferences.zoom()), (250, 2.5));
        for _ in 0..40 {
            preferences.step_text_size(false);
        }
        assert_eq!(preferences.text_size, 80);
    }
}

//! The settings file: read once at the start, replaced at once or not at all after each change. A file that is not ours,
//! is broken, or comes from a newer Firstlight is told about and kept as it is; then nothing is stored in this run,
//! unless the user starts over, which moves it aside.

use super::Preferences;
use crate::platform;
use std::path::PathBuf;

/// Where settings are kept, and what was kept last.
#[derive(Debug)]
pub struct Store {
    path: Option<PathBuf>,
    saved: Preferences,
    /// Why nothing is stored, in words.
    trouble: Option<String>,
    /// The file at `path` is not to be replaced.
    keep: bool,
}

impl Store {
    /// Opens the file and reads it. No file: defaults. No path: nothing is stored.
    pub fn open(path: Option<PathBuf>) -> (Self, Preferences) {
        let mut store = Self { path, saved: Preferences::default(), trouble: None, keep: false };
        let Some(path) = &store.path else {
            store.trouble = Some("This system names no folder for settings. Give a file with --settings FILE.".into());
            return (store, Preferences::default());
        };
        match platform::read_text(path) {
            Ok(None) => {}
            Ok(Some(text)) => match Preferences::from_text(&text) {
                Ok(read) => store.saved = read,
                Err(why) => {
                    store.keep = true;
                    store.trouble = Some(format!(
                        "The settings in {} {why}. The file is kept as it is, the defaults are used, and changes are \
                         not stored. \"Start over\" in the settings moves it aside.",
                        path.display()
                    ));
                }
            },
            Err(error) => {
                store.keep = true;
                store.trouble = Some(format!(
                    "The settings in {} cannot be read: {error}. The defaults are used, and changes are not stored.",
                    path.display()
                ));
            }
        }
        let read = store.saved.clone();
        (store, read)
    }

    /// Why nothing is stored, if so.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// There is a file in the way, which [`Store::start_over`] moves aside.
    pub fn can_start_over(&self) -> bool {
        self.keep
    }

    /// Where the settings are.
    pub fn path(&self) -> Option<&std::path::Path> {
        self.path.as_deref()
    }

    /// Stores what changed. Returns what is to be said, once, when that does not work.
    pub fn keep_up(&mut self, now: &Preferences) -> Option<String> {
        if *now == self.saved {
            return None;
        }
        self.saved = now.clone();
        let path = self.path.as_ref().filter(|_| !self.keep)?;
        match platform::replace_file(path, now.to_text().as_bytes()) {
            Ok(()) => {
                self.trouble = None;
                None
            }
            Err(error) => {
                let said = format!(
                    "The settings could not be stored in {}: {error}. They hold until the window is closed. Make room \
                     there, or give another file with --settings FILE.",
                    path.display()
                );
                let new = self.trouble.is_none();
                self.trouble = Some(said.clone());
                new.then_some(said)
            }
        }
    }

    /// Moves a file that could not be read aside and stores these settings in its place. Returns what is to be said.
    pub fn start_over(&mut self, now: &Preferences) -> String {
        let Some(path) = self.path.clone().filter(|_| self.keep) else { return String::new() };
        match platform::move_aside(&path) {
            Ok(aside) => {
                self.keep = false;
                self.trouble = None;
                match platform::replace_file(&path, now.to_text().as_bytes()) {
                    Ok(()) => format!("The old file is kept as {}.", aside.display()),
                    Err(error) => format!("{} could not be written: {error}.", path.display()),
                }
            }
            Err(error) => format!("{} could not be moved aside: {error}.", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preferences::Theme;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder for temporary files")
    }

    /// Goal: settings are there again at the next start, also in a folder that is not there yet; method: change, reopen.
    #[test]
    fn stored_and_read_again() {
        let folder = folder();
        let path = folder.path().join("new/settings.json");
        let (mut store, mut preferences) = Store::open(Some(path.clone()));
        assert_eq!((store.trouble(), &preferences), (None, &Preferences::default()));
        assert_eq!(store.keep_up(&preferences), None);
        assert!(!path.exists(), "nothing changed, nothing stored");
        preferences.theme = Theme::Light;
        assert_eq!(store.keep_up(&preferences), None);
        assert_eq!(Store::open(Some(path)).1, preferences);
    }

    /// Goal: a broken or foreign file is told about and kept, and moved aside only when asked; method: both.
    #[test]
    fn broken_files_are_kept() {
        let folder = folder();
        let path = folder.path().join("settings.json");
        for text in ["{\"firstlight_settings\": 1, \"the", "{\"a\": 1}", "{\"firstlight_settings\": 99}"] {
            std::fs::write(&path, text).unwrap();
            let (mut store, mut preferences) = Store::open(Some(path.clone()));
            assert!(store.trouble().unwrap().contains("settings.json"), "it names the file");
            assert_eq!(preferences, Preferences::default());
            preferences.letters = false;
            assert_eq!(store.keep_up(&preferences), None);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "kept");
            let said = store.start_over(&preferences);
            let aside = folder.path().join("settings.json.old");
            assert!(said.contains("settings.json.old"), "{said}");
            assert_eq!(std::fs::read_to_string(&aside).unwrap(), text, "moved aside");
            assert_eq!(Store::open(Some(path.clone())).1, preferences);
            std::fs::remove_file(&aside).unwrap();
        }
    }

    /// Goal: where nothing can be written the user is told once and goes on; method: a file in the place of the folder.
    #[test]
    fn no_room() {
        let folder = folder();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let (mut store, mut preferences) = Store::open(Some(file.join("settings.json")));
        preferences.text_size = 120;
        let said = store.keep_up(&preferences).or_else(|| store.trouble().map(str::to_owned)).unwrap();
        assert!(said.contains("settings.json"), "{said}");
        preferences.text_size = 130;
        assert_eq!(store.keep_up(&preferences), None, "told once");
    }
}

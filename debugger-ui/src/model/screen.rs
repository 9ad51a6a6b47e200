//! The guest's screen: what its VGA shows in text mode.

use protocol::screen::TextScreen;

/// The screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// The panel is open, so that the screen is read after each stop and while the machine runs.
    pub shown: bool,
    /// What stands on it, once it is read.
    pub text: Option<TextScreen>,
    /// The answer is on its way: one at a time is enough.
    pub asked: bool,
}

impl Screen {
    /// Takes in what stands on it.
    pub fn take(&mut self, text: TextScreen) {
        (self.text, self.asked) = (Some(text), false);
    }

    /// Another machine, or another connection.
    pub fn forget(&mut self) {
        (self.text, self.asked) = (None, false);
    }
}

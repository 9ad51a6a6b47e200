//! The window on a handwritten recording instead of a machine: for work on the views. `cargo run -p debugger-ui
//! --example recorded [CPUS]`.

#[path = "../tests/support/recording.rs"]
#[expect(dead_code, reason = "shared with tests that use other parts of it")]
mod recording;

use debugger_ui::app::{App, options};
use debugger_ui::model::Model;

fn main() -> eframe::Result {
    let cpus = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2);
    let app = App::new(recording::Recording::new(cpus), Model::default());
    eframe::run_native("Firstlight", options(), Box::new(|_| Ok(Box::new(app))))
}

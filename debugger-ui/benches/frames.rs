//! How long the window takes for a frame, with few CPUs and with many: layout and what the GPU would be given, without
//! the GPU, on the recording of the tests. `cargo xtask bench` runs it.

#[path = "../tests/support/recording.rs"]
#[expect(dead_code, reason = "shared with tests that use other parts of it")]
mod recording;

use debugger_ui::app::App;
use debugger_ui::model::Model;
use egui_kittest::Harness;
use recording::Recording;
use std::time::{Duration, Instant};

/// Frames of which the fastest and the middle one are told.
const FRAMES: usize = 100;

fn main() {
    println!("\nmilliseconds for a frame of the window, 1280 x 800 (wanted: below 16)\n  CPUs   fastest   middle");
    for cpus in [2, 64] {
        let [fastest, middle] = frame_times(cpus).map(|time| time.as_secs_f64() * 1e3);
        println!("  {cpus:>4}   {fastest:>7.2}   {middle:>6.2}");
    }
}

fn frame_times(cpus: u16) -> [Duration; 2] {
    let app = App::new(Recording::new(cpus), Model::default());
    let build = Harness::builder().with_size([1280.0, 800.0]);
    let mut harness = build.build_ui_state(|ui, app: &mut App<Recording>| app.frame(ui), app);
    harness.run();
    let mut times: Vec<Duration> = (0..FRAMES)
        .map(|_| {
            let start = Instant::now();
            harness.step();
            start.elapsed()
        })
        .collect();
    times.sort();
    [times[0], times[FRAMES / 2]]
}

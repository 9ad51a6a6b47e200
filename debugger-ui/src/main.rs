//! `firstlight`: the window. Reads the arguments, powers the machine on or connects to one, opens the window.

use clap::Parser;
use debugger_ui::app::{self, App};
use debugger_ui::cli::Args;
use debugger_ui::model::Model;
use debugger_ui::no_window;
use debugger_ui::platform;
use debugger_ui::session::{Session, Target};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bad arguments, image or profile.
const BAD_ARGUMENTS: u8 = 2;
/// No window can be opened.
const NO_WINDOW: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    if !platform::has_display() {
        eprintln!("{}", no_window::message("no display is named", false));
        return ExitCode::from(NO_WINDOW);
    }
    match args.target() {
        Ok(target) => open(target),
        Err(why) => {
            eprintln!("firstlight: {why}");
            ExitCode::from(BAD_ARGUMENTS)
        }
    }
}

fn open(target: Target) -> ExitCode {
    let opened = Arc::new(AtomicBool::new(false));
    let is_open = opened.clone();
    let create: eframe::AppCreator<'_> = Box::new(move |creation| {
        is_open.store(true, Ordering::Relaxed);
        let context = creation.egui_ctx.clone();
        let session = Session::start(target, move || context.request_repaint())?;
        Ok(Box::new(App::new(session, Model::default())))
    });
    let ended = platform::open_window(opened, || eframe::run_native("Firstlight", app::options(), create));
    let why = match ended {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    eprintln!("{}", no_window::message(&why, true));
    ExitCode::from(NO_WINDOW)
}

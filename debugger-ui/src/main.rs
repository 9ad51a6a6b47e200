//! `firstlight`: the window. Reads the arguments, powers the machine on or connects to one, opens the window; or, asked
//! for a picture, plays a lesson without one.

use clap::Parser;
use debugger_ui::app::{self, App};
use debugger_ui::cli::{Args, FIRST_LESSON};
use debugger_ui::headless;
use debugger_ui::keeper::{self, Keeper};
use debugger_ui::model::Model;
use debugger_ui::no_window;
use debugger_ui::platform;
use debugger_ui::preferences::store::Store;
use debugger_ui::session::{Session, Target};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bad arguments, image or profile.
const BAD_ARGUMENTS: u8 = 2;
/// No window can be opened.
const NO_WINDOW: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(file) = &args.picture {
        return picture(&args, file);
    }
    if !platform::has_display() {
        eprintln!("{}", no_window::message("no display is named", false));
        return ExitCode::from(NO_WINDOW);
    }
    match args.target() {
        Ok(target) => open(args, target),
        Err(why) => {
            eprintln!("firstlight: {why}");
            ExitCode::from(BAD_ARGUMENTS)
        }
    }
}

/// A machine for the opening film, beside the one in the window.
fn film_machine(args: &Args) -> Result<Target, String> {
    match &args.connect {
        Some(_) => Err("The opening shows the machine in this program; this window is connected elsewhere.".to_owned()),
        // The socket for gdb is that of the machine in the window.
        None => Args { gdb: None, ..args.clone() }.target(),
    }
}

/// Plays a lesson without a window and writes its picture.
fn picture(args: &Args, file: &Path) -> ExitCode {
    let lesson = args.lesson.as_deref().unwrap_or(FIRST_LESSON);
    let drawn = args.target().and_then(|target| headless::picture(target, lesson));
    match drawn.and_then(|svg| keeper::save_picture(&svg, file)) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("firstlight: {why}");
            ExitCode::from(BAD_ARGUMENTS)
        }
    }
}

fn open(args: Args, target: Target) -> ExitCode {
    let settings = args.settings.clone().or_else(platform::settings_file);
    let opened = Arc::new(AtomicBool::new(false));
    let is_open = opened.clone();
    let create: eframe::AppCreator<'_> = Box::new(move |creation| {
        is_open.store(true, Ordering::Relaxed);
        let context = creation.egui_ctx.clone();
        let wake = context.clone();
        let session = Session::start(target, move || context.request_repaint())?;
        let (begin, folder) = (args.begin(), args.progress_folder());
        let keeper = Keeper::start(folder, Box::new(move || film_machine(&args)), move || wake.request_repaint())?;
        let mut model = Model::default();
        let picture = platform::pictures_folder().unwrap_or_default().join("firstlight.png");
        model.lessons.picture_path = picture.display().to_string();
        let settings = Store::open(settings);
        Ok(Box::new(App::new(session, model).begin(begin, keeper).remembering(settings)))
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

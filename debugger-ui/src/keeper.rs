//! Does what the window wants of files, on a thread of its own, so that no frame waits for a disk: the learner's
//! progress, and the picture at a lesson's end. It also starts the machine that the opening film shows.
//!
//! The model leaves [`Errand`]s; the app hands them to a [`Keeper`] and brings what it tells back as [`Kept`]. What a
//! progress file is and how it is replaced is [`lessons::platform`]'s.

use crate::headless;
use crate::model::Model;
use crate::model::lesson::{Errand, Kept};
use crate::platform;
use crate::session::Target;
use lessons::platform::{Store, draw_seed};
use resvg::{tiny_skia, usvg};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The keeper, as the window holds it.
#[derive(Debug)]
pub struct Keeper {
    errands: Sender<Errand>,
    told: Receiver<Kept>,
}

impl Keeper {
    /// Starts the thread. No folder: nothing is kept, and nothing said. `machine` makes one for the film; `wake` is called
    /// when there is something to tell.
    ///
    /// # Errors
    /// In words, where there can be no thread.
    pub fn start(
        folder: Option<PathBuf>,
        machine: MakeMachine,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Self, String> {
        let (errands, taken) = channel();
        let (teller, told) = channel();
        let work = move || {
            let mut shelf = Shelf { folder, open: None, machine };
            while let Ok(errand) = taken.recv() {
                let kept = shelf.carry_out(errand, &taken);
                if kept.into_iter().any(|kept| teller.send(kept).is_err()) {
                    return;
                }
                wake();
            }
        };
        platform::spawn("keeper", work)
            .map_err(|error| format!("The thread that keeps progress cannot start: {error}"))?;
        Ok(Self { errands, told })
    }

    /// Once a frame: hands errands over and lets the model take in what came back. Never waits.
    pub fn pump(&mut self, model: &mut Model) {
        for errand in model.lessons.errands.drain(..) {
            // The thread ends with the window only.
            let _ = self.errands.send(errand);
        }
        while let Ok(kept) = self.told.try_recv() {
            model.absorb_kept(kept);
        }
    }

    /// At the end of the program: waits until everything is written that was handed over.
    pub fn finish(self) {
        let Self { errands, told } = self;
        drop(errands);
        while told.recv().is_ok() {}
    }
}

/// Makes a machine of its own for the film.
pub type MakeMachine = Box<dyn Fn() -> Result<Target, String> + Send>;

/// The thread's own.
struct Shelf {
    machine: MakeMachine,
    folder: Option<PathBuf>,
    /// The progress of the lesson that is open: held, so that no second program writes it.
    open: Option<(String, Store)>,
}

impl Shelf {
    fn carry_out(&mut self, errand: Errand, more: &Receiver<Errand>) -> Vec<Kept> {
        match errand {
            Errand::Load(id) => vec![self.load(id)],
            Errand::Save(mut progress) => {
                // Only the newest counts where several wait.
                let mut after = None;
                while let Ok(next) = more.try_recv() {
                    match next {
                        Errand::Save(newer) if newer.lesson == progress.lesson => progress = newer,
                        other => {
                            after = Some(other);
                            break;
                        }
                    }
                }
                let mut kept = vec![Kept::Saved(self.save(&progress))];
                kept.extend(after.into_iter().flat_map(|errand| self.carry_out(errand, more)));
                kept
            }
            Errand::Reel => vec![Kept::Reel((self.machine)().and_then(headless::record).map(Box::new))],
            Errand::Picture { svg, path } => vec![Kept::Picture(save_picture(&svg, Path::new(&path)))],
        }
    }

    fn load(&mut self, id: String) -> Kept {
        let fresh = |trouble| Kept::Loaded { id: id.clone(), seed: draw_seed(), saved: None, trouble };
        let Some(folder) = &self.folder else { return fresh(None) };
        if self.open.as_ref().is_none_or(|(open, _)| *open != id) {
            self.open = None;
            match Store::open(folder, &id) {
                Ok(store) => self.open = Some((id.clone(), store)),
                Err(why) => return fresh(Some(why.to_string())),
            }
        }
        let Some((_, store)) = &self.open else { return fresh(None) };
        match store.load() {
            Ok(Some(saved)) => {
                Kept::Loaded { id: id.clone(), seed: saved.seed, saved: Some(Box::new(saved)), trouble: None }
            }
            Ok(None) => fresh(None),
            Err(why) => fresh(Some(why.to_string())),
        }
    }

    fn save(&mut self, progress: &lessons::progress::LessonProgress) -> Result<(), String> {
        match &self.open {
            Some((open, store)) if *open == progress.lesson => {
                store.save(progress).map(|_| ()).map_err(|why| why.to_string())
            }
            // The folder cannot be used, or another program has the lesson: that was told when the lesson was opened.
            _ => Ok(()),
        }
    }
}

/// Writes a picture and says where it is.
///
/// # Errors
/// In words.
pub fn save_picture(svg: &str, path: &Path) -> Result<String, String> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    let bytes = match extension.as_deref() {
        Some("svg") => svg.as_bytes().to_vec(),
        Some("png") => png(svg)?,
        _ => return Err(format!("{} ends neither in .png nor in .svg. Nothing was written.", path.display())),
    };
    platform::write_file(path, &bytes).map_err(|error| {
        format!("The picture could not be written to {}: {error}. Choose another place.", path.display())
    })?;
    Ok(format!("The picture is in {}.", path.display()))
}

/// Draws an SVG as PNG, with the fonts that are built into the window.
///
/// # Errors
/// In words, where it is no SVG.
pub fn png(svg: &str) -> Result<Vec<u8>, String> {
    let mut options = usvg::Options::default();
    let fonts = Arc::make_mut(&mut options.fontdb);
    for font in egui::FontDefinitions::default().font_data.values() {
        fonts.load_font_data(font.font.as_ref().as_ref().to_vec());
    }
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| format!("The picture cannot be drawn: {error}"))?;
    let size = tree.size().to_int_size();
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or("The picture has no size.")?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| format!("The picture cannot be made a PNG file: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: text in a picture is drawn with our own fonts, wherever it is drawn; method: one word in each face, and count
    /// the pixels that are not background.
    #[test]
    fn words_are_drawn() {
        for face in ["font-family=\"Ubuntu\" font-weight=\"300\"", "font-family=\"Hack\""] {
            let svg = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"40\"><rect width=\"100\" height=\"40\" \
                 fill=\"#000000\"/><text x=\"5\" y=\"30\" font-size=\"24\" fill=\"#ffffff\" {face}>SIPI</text></svg>"
            );
            let png = png(&svg).expect("a picture");
            let pixels = tiny_skia::Pixmap::decode_png(&png).expect("a PNG file");
            let lit = pixels.pixels().iter().filter(|pixel| pixel.red() > 128).count();
            assert!(lit > 100, "{face}: {lit} pixels");
        }
    }

    /// Goal: a wrong path is told and nothing is lost; method: no extension, a folder that is not there.
    #[test]
    fn paths_that_cannot_be() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>";
        assert!(save_picture(svg, Path::new("picture")).unwrap_err().contains(".png"));
        assert!(save_picture(svg, Path::new("/no/such/folder/a.svg")).unwrap_err().contains("another place"));
    }
}

//! What lessons need of the system: the folder with the progress files, and a seed. The only file of the crate that
//! touches files or the environment.
//!
//! A file is replaced at once or not at all (`tempfile`): a full disk or a crash leaves the old one. A file that cannot be
//! read is never overwritten: it is renamed when the learner begins anew. Two programs at one lesson: the second is told and
//! stores nothing. What is in a file is [`crate::progress`]'s.

use crate::progress::{LessonProgress, Unusable};
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer files are not ours: the largest run that fits a lesson is a hundredth of this.
const MAX_FILE: u64 = 16 << 20;
/// How often a file is replaced before that is given up: on Windows a virus scanner may hold it for a moment.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(40);

/// A number that nobody knows before, for a learner who begins a lesson.
pub fn draw_seed() -> u64 {
    // The hasher's keys are drawn from the system's random numbers; no other dependency is needed for 64 bits.
    RandomState::new().hash_one("a learner begins a lesson")
}

/// Where progress is kept unless somebody says otherwise; None where the system has no place for a user's data.
pub fn default_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "firstlight").map(|folders| folders.data_dir().join("progress"))
}

/// What went wrong with a progress file. Its text is for people.
#[derive(Debug)]
pub enum StoreError {
    /// The folder cannot be made.
    Folder(PathBuf, io::Error),
    /// The file is there and cannot be read.
    Read(PathBuf, io::Error),
    /// It can be read, and is not what it should be.
    Unusable(PathBuf, Unusable),
    /// Another program plays this lesson.
    Busy(PathBuf),
    /// It cannot be written.
    Write(PathBuf, io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path, error) => write!(
                f,
                "The folder {} for your progress cannot be made: {error}. You can play, but nothing is stored. Choose another \
                 folder with --progress.",
                path.display()
            ),
            Self::Read(path, error) => write!(
                f,
                "Your progress in {} cannot be read: {error}. The file is left as it is, and the lesson begins at its start.",
                path.display()
            ),
            Self::Unusable(path, why) => write!(
                f,
                "The progress file {} cannot be used: {why}. The lesson begins at its start. The file is not lost: once there is \
                 something new to store, it gets another name in the same folder.",
                path.display()
            ),
            Self::Busy(path) => write!(
                f,
                "Another Firstlight plays this lesson (it holds {}). You can look around here, but nothing is stored. Close \
                 the other one and open the lesson again.",
                path.display()
            ),
            Self::Write(path, error) if is_full(error) => write!(
                f,
                "The disk is full: your progress could not be stored in {}. What was stored before is unharmed, and this \
                 lesson goes on. Make room; the next answer tries again.",
                path.display()
            ),
            Self::Write(path, error) => write!(
                f,
                "Your progress could not be stored in {}: {error}. What was stored before is unharmed, and the next answer \
                 tries again. Choose another folder with --progress if this one stays closed.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StoreError {}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The progress file of one lesson, held as long as the lesson is played.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    lesson: String,
    /// Held until this is dropped; the system lets go of it too when the program dies. None: this system has no locks.
    _lock: Option<File>,
}

impl Store {
    /// Takes the lesson for this program: makes the folder and locks the lesson in it. `lesson` is a lesson's id.
    ///
    /// # Errors
    /// [`StoreError::Folder`], [`StoreError::Busy`]. The lesson can be played without a store.
    pub fn open(folder: &Path, lesson: &str) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::Folder(folder.to_owned(), error))?;
        let path = folder.join(format!("{lesson}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| StoreError::Folder(folder.to_owned(), error))?;
        let lock = match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy(path)),
            // Some network file systems have none. Two programs at one lesson are rarer there than a learner at work.
            Err(TryLockError::Error(_)) => None,
        };
        Ok(Self { folder: folder.to_owned(), lesson: lesson.to_owned(), _lock: lock })
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        path_of(&self.folder, &self.lesson)
    }

    /// What is stored; None: nothing yet.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Unusable`]. The file stays.
    pub fn load(&self) -> Result<Option<LessonProgress>, StoreError> {
        read(&self.folder, &self.lesson)
    }

    /// Stores. A file that is there and cannot be used is renamed first; its new name comes back.
    ///
    /// # Errors
    /// [`StoreError::Write`]; what was stored before is still there.
    pub fn save(&self, progress: &LessonProgress) -> Result<Option<PathBuf>, StoreError> {
        let path = self.path();
        let kept = match self.load() {
            Ok(_) => None,
            Err(_) => Some(self.set_aside().map_err(|error| StoreError::Write(path.clone(), error))?),
        };
        let text = progress.to_json();
        replace(&path, |file| file.write_all(text.as_bytes())).map_err(|error| StoreError::Write(path, error))?;
        Ok(kept)
    }

    /// Renames the file, so that nothing is there.
    fn set_aside(&self) -> io::Result<PathBuf> {
        let free = (1..1000).map(|number| self.folder.join(format!("{}.kept-{number}.json", self.lesson)));
        let to = free.into_iter().find(|path| !path.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(self.path(), &to)?;
        Ok(to)
    }
}

/// What is stored of a lesson that somebody else may be playing: for a list of lessons. None: nothing.
///
/// # Errors
/// As [`Store::load`].
pub fn read(folder: &Path, lesson: &str) -> Result<Option<LessonProgress>, StoreError> {
    let path = path_of(folder, lesson);
    let mut text = Vec::new();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::Read(path, error)),
    };
    if let Err(error) = file.take(MAX_FILE + 1).read_to_end(&mut text) {
        return Err(StoreError::Read(path, error));
    }
    let unusable = |why| StoreError::Unusable(path.clone(), why);
    if text.len() as u64 > MAX_FILE {
        return Err(unusable(Unusable::Foreign));
    }
    let text = String::from_utf8(text).map_err(|_| unusable(Unusable::Foreign))?;
    LessonProgress::from_json(&text, lesson).map(Some).map_err(unusable)
}

fn path_of(folder: &Path, lesson: &str) -> PathBuf {
    folder.join(format!("{lesson}.json"))
}

/// Writes a file beside the old one, makes sure that it is on the disk, and puts it in its place.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new().prefix(".firstlight-").suffix(".tmp").tempfile_in(folder)?;
    write(&mut file)?;
    file.flush()?;
    file.as_file().sync_all()?;
    let mut tries = 0;
    loop {
        match file.persist(path) {
            Ok(_) => return Ok(()),
            Err(refused) => {
                tries += 1;
                if tries == TRIES || refused.error.kind() != io::ErrorKind::PermissionDenied {
                    return Err(refused.error);
                }
                file = refused.file;
                std::thread::sleep(PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(step: &str) -> LessonProgress {
        LessonProgress { lesson: "wake".into(), seed: 7, step: step.into(), ..LessonProgress::default() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Goal: what is stored comes back, in a folder that did not exist; method: store twice, load.
    #[test]
    fn stores_and_loads() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        let store = Store::open(&deep, "wake").unwrap();
        assert_eq!(store.load().unwrap(), None);
        assert_eq!(store.save(&progress("one")).unwrap(), None);
        assert_eq!(store.save(&progress("two")).unwrap(), None);
        assert_eq!(store.load().unwrap(), Some(progress("two")));
        assert_eq!(names(&deep), ["wake.json", "wake.lock"]);
    }

    /// Goal: the second program at a lesson is told and cannot store; another lesson is free. Method: open twice.
    #[test]
    fn two_at_one_lesson() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open(folder.path(), "wake").unwrap();
        let refused = Store::open(folder.path(), "wake").unwrap_err();
        assert!(refused.to_string().contains("Another Firstlight plays this lesson"), "{refused}");
        Store::open(folder.path(), "two-maps").unwrap();
        drop(first);
        Store::open(folder.path(), "wake").unwrap();
    }

    /// Goal: an unusable file is neither read nor lost. Method: each kind; after the next save its bytes are in another
    /// file and the message says what happened.
    #[test]
    fn unusable_files_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "wake").unwrap();
        let whole = progress("one").to_json();
        let newer = whole.replace("\"firstlight_progress\": 1", "\"firstlight_progress\": 9");
        let cases: [(&[u8], &str); 5] = [
            (&whole.as_bytes()[..40], "damaged or cut off"),
            (b"{\"theme\": \"dark\"}", "not written by Firstlight"),
            (b"\xff\xfe\x00", "not written by Firstlight"),
            (newer.as_bytes(), "newer Firstlight (format 9"),
            (b"", "damaged or cut off"),
        ];
        for (number, (bytes, words)) in cases.into_iter().enumerate() {
            fs::write(store.path(), bytes).unwrap();
            let error = store.load().unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("not lost"), "{error}");
            assert_eq!(fs::read(store.path()).unwrap(), bytes, "loading changed it");
            let kept = store.save(&progress("two")).unwrap().unwrap();
            assert_eq!(kept.file_name().unwrap().to_str().unwrap(), format!("wake.kept-{}.json", number + 1));
            assert_eq!(fs::read(kept).unwrap(), bytes);
            assert_eq!(store.load().unwrap(), Some(progress("two")));
        }
    }

    /// Goal: a save that fails half-way loses nothing and leaves nothing behind. Method: a writer that is full after some bytes.
    #[test]
    fn a_full_disk_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "wake").unwrap();
        store.save(&progress("one")).unwrap();
        let half = |file: &mut dyn Write| {
            file.write_all(b"{\"firstlight_pro")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let error = replace(&store.path(), half).unwrap_err();
        let words = StoreError::Write(store.path(), error).to_string();
        assert!(words.contains("The disk is full") && words.contains("Make room"), "{words}");
        assert_eq!(store.load().unwrap(), Some(progress("one")));
        assert_eq!(names(folder.path()), ["wake.json", "wake.lock"]);
    }

    /// Goal: the kernel's own error for a full disk is recognized. Method: /dev/full, where there is one.
    #[cfg(target_os = "linux")]
    #[test]
    fn dev_full_is_a_full_disk() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let error = full.write_all(progress("one").to_json().as_bytes()).unwrap_err();
        assert!(is_full(&error), "{error:?}");
    }

    /// Goal: a folder that cannot be made is told in words. Method: a file stands where it should be.
    #[test]
    fn no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let words = Store::open(&file.join("progress"), "wake").unwrap_err().to_string();
        assert!(words.contains("nothing is stored") && words.contains("--progress"), "{words}");
    }

    /// Goal: seeds differ. Method: two.
    #[test]
    fn seeds() {
        assert_ne!(draw_seed(), draw_seed());
    }
}

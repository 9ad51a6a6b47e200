//! The only file with sockets, threads, files, the environment and a clock, so that the rest can compile where there are none.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A point in time, to measure how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Instant);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// Time since then.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs something on a thread of its own.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(|_| ())
}

/// Runs what opens the window and then goes on as long as it is open. Libraries that are missing make window crates
/// panic: as long as `opened` is not set such a panic is a message, afterwards it is a bug like any other.
pub fn open_window<T>(opened: Arc<AtomicBool>, work: impl FnOnce() -> T) -> Result<T, String> {
    let (for_hook, usual) = (opened.clone(), panic::take_hook());
    let main = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        if for_hook.load(Ordering::Relaxed) || thread::current().id() != main {
            usual(info);
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        if opened.load(Ordering::Relaxed) {
            panic::resume_unwind(payload);
        }
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
    })
}

/// The first of these files that is there, named from the folder that the program is in.
pub fn beside_program(names: &[&str]) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// All bytes of a file.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Writes a file, in the place of one that has this name.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(path, bytes)
}

/// Where a picture goes unless the user says otherwise: the folder for pictures, for downloads, or home.
pub fn pictures_folder() -> Option<PathBuf> {
    let user = directories::UserDirs::new()?;
    let folders = [user.picture_dir(), user.download_dir(), Some(user.home_dir())];
    folders.into_iter().flatten().find(|folder| folder.is_dir()).map(Path::to_owned)
}

/// Where this user's settings are kept, on systems that have a place for them.
pub fn settings_file() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "firstlight").map(|folders| folders.config_dir().join("settings.json"))
}

/// A text file of at most a mebibyte; None where there is none.
pub fn read_text(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(1 << 20).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Replaces a file at once or not at all: whoever reads it sees the old one or the new one.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// Renames a file to `NAME.old`, or `NAME.old2` and so on where that is taken; returns its new name.
pub fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { ".old".to_owned() } else { format!(".old{number}") });
        let aside = PathBuf::from(name);
        if !aside.exists() {
            std::fs::rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

/// A file that another program writes, read on from where it was read last.
#[derive(Debug)]
pub struct FileTail {
    path: PathBuf,
    offset: u64,
}

/// Most bytes read at once.
const TAIL: u64 = 1 << 20;

impl FileTail {
    /// Of this file; it need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, offset: 0 }
    }

    /// The bytes that are new; none where the file cannot be read.
    pub fn read(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.take(TAIL).read_to_end(&mut bytes)
        });
        if read.is_err() {
            bytes.clear();
        }
        self.offset += bytes.len() as u64;
        bytes
    }
}

/// A display is named, on systems where one has to be.
pub fn has_display() -> bool {
    let named = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || named("DISPLAY") || named("WAYLAND_DISPLAY") || named("WAYLAND_SOCKET")
}

/// Connects to `HOST:PORT`: both directions of the stream.
pub fn connect(target: &str) -> io::Result<(Box<dyn Read + Send>, Box<dyn Write + Send>)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in target.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                // A request is one small write: waiting to fill a segment would cost 40 ms.
                stream.set_nodelay(true)?;
                return Ok((Box::new(stream.try_clone()?), Box::new(Hangup(stream))));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Ends the connection when it is dropped, so that the thread that reads from it ends as well.
struct Hangup(TcpStream);

impl Write for Hangup {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Hangup {
    fn drop(&mut self) {
        // A connection that has already ended cannot be ended: nothing to do about it.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

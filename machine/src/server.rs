//! The server: one thread, the driver, owns the [`Timeline`](crate::timeline::Timeline); clients reach it by RSP over
//! sockets or in-process pipes.
//!
//! Data flow: bytes from a client ([`platform::sockets`], [`in_process`]) arrive as [`mail`] at the [`driver`]; the client's
//! [`connection`] takes packets out of them ([`crate::gdb::filter`]), which go to [`vendor`] or to gdbstub
//! ([`crate::gdb`]); answers are written by the driver. The machine knows nothing of threads and clocks; a panic in it
//! is caught at the driver and told to clients.

pub mod connection;
pub mod driver;
mod elf_symbols;
pub mod flags;
pub mod guest_image;
pub mod in_process;
pub mod mail;
pub mod names;
pub mod narrate;
mod pace;
pub mod pc_image;
pub mod platform;
pub mod private;
pub mod program;
mod run_file;
mod sessions;
pub mod vendor;

use crate::gdb::resume::refusal_in_words;
use driver::Driver;
use guest_image::GuestImage;
use mail::{Mail, Post, mailbox};
use program::Program;
use protocol::Position;
use protocol::request::MachineConfig;
use protocol::run::Run;
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

/// What the server calls itself.
pub const NAME: &str = concat!("firstlight-machine ", env!("CARGO_PKG_VERSION"));

/// Memory for checkpoints, in bytes, where nothing else is said.
pub const DEFAULT_HISTORY_BYTES: usize = 512 << 20;

/// A server to be.
pub struct ServerConfig {
    /// What to run, for example [`guest_image::ImageFile`].
    pub image: Box<dyn GuestImage>,
    /// The machine to run it on.
    pub machine: MachineConfig,
    /// What history may cost, in bytes: [`DEFAULT_HISTORY_BYTES`], or 0 where nobody goes back.
    pub history_bytes: usize,
    /// None: the machine moves only when a client says so (the window). Some: it runs by itself while no client drives.
    pub program: Option<Box<dyn Program>>,
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig").field("image", &self.image.path()).field("machine", &self.machine).finish()
    }
}

/// A running server. Dropping it ends the server and all its connections.
#[derive(Debug)]
pub struct ServerHandle {
    driver: Post,
    thread: Option<JoinHandle<u8>>,
}

/// A server whose machine is powered on and does not move yet.
#[derive(Debug)]
pub struct Prepared {
    driver: Driver,
    post: Post,
}

/// Powers the machine on.
///
/// # Errors
/// In words: the image or the configuration makes no machine.
pub fn prepare(config: ServerConfig) -> Result<Prepared, String> {
    let (post, mailbox) = mailbox()?;
    Ok(Prepared { driver: Driver::new(config, mailbox)?, post })
}

impl Prepared {
    /// Opens the gdb socket on `HOST:PORT` (port 0: any free one) and tells where it listens.
    ///
    /// # Errors
    /// In words.
    pub fn listen(&mut self, address: &str) -> Result<SocketAddr, String> {
        self.driver.listen(address)
    }

    /// Plays a run, see [`protocol::run`]. The machine stands at its beginning then, with all of it recorded.
    ///
    /// # Errors
    /// In words: it is not this image's or this program's, or it cannot be played.
    pub fn load(&mut self, run: &Run) -> Result<(), String> {
        self.driver.load_run(run, Position(0)).map_err(|refusal| refusal_in_words(&refusal))
    }

    /// Starts the driver's thread.
    ///
    /// # Errors
    /// In words: the system has no more threads.
    pub fn start(self) -> Result<ServerHandle, String> {
        let Self { driver, post } = self;
        let thread = platform::spawn("machine", move || driver.run())?;
        Ok(ServerHandle { driver: post, thread: Some(thread) })
    }
}

/// Powers the machine on and starts the server.
///
/// # Errors
/// In words: the image or the configuration makes no machine.
pub fn spawn(config: ServerConfig) -> Result<ServerHandle, String> {
    prepare(config)?.start()
}

impl ServerHandle {
    /// A new connection: what the client reads from, and what it writes to. The bytes are RSP, as on a socket.
    pub fn connect(&self) -> in_process::Ends {
        in_process::connect(&self.driver)
    }

    /// Opens the gdb socket on `HOST:PORT` (port 0: any free one) and tells where it listens.
    ///
    /// # Errors
    /// In words.
    pub fn listen(&self, address: &str) -> Result<SocketAddr, String> {
        let (reply, answer) = channel();
        let mail = Mail::Listen { address: address.to_owned(), reply };
        let gone = || "the server has ended".to_owned();
        self.driver.send(mail).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Where keys typed at a terminal go: bytes for the serial port.
    pub fn serial(&self) -> SerialInput {
        SerialInput(self.driver.clone())
    }

    /// Waits until the [`Program`] ends the run, and tells its exit status.
    pub fn wait(mut self) -> u8 {
        // The driver catches panics of the machine; one of its own is a bug, and 101 is what Rust programs end with.
        self.thread.take().map_or(0, |thread| thread.join().unwrap_or(101))
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        let _ = self.driver.send(Mail::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The writing end of the serial line.
#[derive(Clone, Debug)]
pub struct SerialInput(Post);

impl SerialInput {
    /// Bytes were typed. False: the server has ended.
    pub fn send(&self, bytes: &[u8]) -> bool {
        self.0.send(Mail::Serial(bytes.to_vec())).is_ok()
    }

    /// No more will come.
    pub fn close(&self) {
        let _ = self.0.send(Mail::SerialClosed);
    }

    /// The user wants to end the program.
    pub fn quit(&self) {
        let _ = self.0.send(Mail::Quit);
    }
}

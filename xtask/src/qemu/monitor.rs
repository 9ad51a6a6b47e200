//! QEMU's monitor for people, over a socket: what somebody in front of the computer does, and what they see.

use super::picture::Picture;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connection to it.
pub struct Monitor(TcpStream);

impl Monitor {
    /// Connects to where [`super::Boot::monitor`] had it listen.
    pub fn connect(address: &str) -> Result<Self> {
        /// QEMU opens its sockets right after its start.
        const PATIENCE: Duration = Duration::from_secs(20);
        let start = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
                other => break other.with_context(|| format!("QEMU's monitor does not listen on {address}"))?,
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut monitor = Self(stream);
        monitor.answer()?;
        Ok(monitor)
    }

    /// A command's answer.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        self.0.write_all(format!("{command}\n").as_bytes())?;
        self.answer()
    }

    /// Presses keys one after the other, by QEMU's names.
    pub fn press(&mut self, keys: &[&str]) -> Result<()> {
        for key in keys {
            self.ask(&format!("sendkey {key} 20"))?;
            // The next key's press must not come before this one's release.
            std::thread::sleep(Duration::from_millis(60));
        }
        Ok(())
    }

    /// What is on the screen; `file` is written on the way.
    pub fn screen(&mut self, file: &Path) -> Result<Picture> {
        self.ask(&format!("screendump {}", file.display()))?;
        let bytes = std::fs::read(file).with_context(|| format!("QEMU wrote no picture to {}", file.display()))?;
        Picture::read(&bytes)
    }

    /// Everything up to the prompt.
    fn answer(&mut self) -> Result<String> {
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        while !text.ends_with(b"(qemu) ") {
            let read = self.0.read(&mut chunk).context("QEMU's monitor does not answer")?;
            ensure!(read != 0, "QEMU has ended");
            text.extend_from_slice(&chunk[..read]);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

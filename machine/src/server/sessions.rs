//! The driver's side of its clients: what they send, who holds the machine, how sessions end.
//!
//! gdb takes the machine with its first packet and keeps it until it leaves, or until a window takes over; RSP cannot tell
//! a stopped gdb that something changed. What our own programs ask is in [`super::vendor`].

use super::connection::{Session, checked};
use super::driver::Driver;
use super::mail::ClientId;
use crate::gdb::filter::Incoming;
use protocol::request::{Answer, Refusal, Request};

impl Driver {
    pub(super) fn tell_gdb(&mut self, reason: gdbstub::stub::MultiThreadStopReason<u64>) {
        self.idle = false;
        self.target.run = None;
        let Some(index) = self.gdb.and_then(|id| self.clients.iter().position(|client| client.id == id)) else {
            return;
        };
        let told = self.clients[index].stopped(&mut self.target, reason);
        if told.is_err() || self.clients[index].flush().is_err() {
            self.remove_client(index);
        }
    }

    pub(super) fn bytes(&mut self, id: ClientId, bytes: &[u8]) {
        let Some(index) = self.index(id) else { return };
        let items = self.clients[index].feed(bytes);
        for item in items {
            // An item can end this session or another one: look it up each time.
            let Some(index) = self.index(id) else { return };
            if let Err(why) = self.item(index, item) {
                if let Some(program) = &mut self.program {
                    program.session_ended(&why);
                }
                if let Some(index) = self.index(id) {
                    self.remove_client(index);
                }
                return;
            }
        }
        if let Some(index) = self.index(id)
            && self.clients[index].flush().is_err()
        {
            self.remove_client(index);
        }
    }

    /// One thing that a client sent. Err: the session is over, why in words.
    fn item(&mut self, index: usize, item: Incoming) -> Result<(), String> {
        let asks = matches!(item, Incoming::Packet(_) | Incoming::Request(_));
        if asks && let Some(message) = self.clients[index].farewell() {
            let message = format!("E.{message}");
            self.clients[index].answer(message.as_bytes());
            return self.hang_up(index);
        }
        if self.clients[index].is_gdb && matches!(item, Incoming::Packet(_)) && !self.attach(index) {
            self.clients[index].answer(b"E.another gdb is attached to this machine; detach it first");
            return self.hang_up(index);
        }
        match item {
            Incoming::Packet(body) => return self.packet(index, &body, false),
            Incoming::Silent(body) => return self.packet(index, &body, true),
            Incoming::Request(request) => {
                let id = self.clients[index].id;
                self.clients[index].is_window = true;
                let answer = match checked(request) {
                    Ok(request) => self.request(id, request),
                    Err(refusal) => Answer::Refused(refusal),
                };
                // A request can end another client's session, so look this one up again.
                if let Some(index) = self.index(id) {
                    self.clients[index].vendor_answer(&answer);
                }
            }
            Incoming::Answer(body) => self.clients[index].answer(&body),
            Incoming::Raw(bytes) => self.clients[index].raw(&bytes),
            Incoming::SetPhysical(physical) => {
                self.target.physical = physical;
                self.clients[index].answer(b"OK");
            }
            Incoming::IsPhysical => {
                let digit = if self.target.physical { b"1" } else { b"0" };
                self.clients[index].answer(digit);
            }
            // ^C that crosses a stop on its way has done its work already.
            Incoming::Interrupt => {
                if self.clients[index].is_running() {
                    let reason = self.target.interrupted();
                    self.tell_gdb(reason);
                }
            }
            Incoming::Hopeless(why) => return Err(why),
        }
        Ok(())
    }

    /// A vendor request. Power off and on is also the way back from a crash.
    fn request(&mut self, id: ClientId, request: Request) -> Answer {
        let power_cycle = matches!(request, Request::Restart { .. } | Request::Reload);
        let crashed = if power_cycle { self.crashed.take() } else { None };
        let answer = self
            .guarded("answering a request", |driver| driver.vendor(id, request))
            .unwrap_or_else(|message| Answer::Refused(Refusal::Crashed(message)));
        if matches!(answer, Answer::Refused(_)) && self.crashed.is_none() {
            self.crashed = crashed;
        }
        answer
    }

    /// Sends the last answer and ends the session.
    fn hang_up(&mut self, index: usize) -> Result<(), String> {
        // It ends in any case.
        let _ = self.clients[index].flush();
        Err("told to leave".into())
    }

    fn packet(&mut self, index: usize, body: &[u8], silent: bool) -> Result<(), String> {
        let session =
            self.guarded("answering gdb", |driver| driver.clients[index].packet(&mut driver.target, body, silent))??;
        match session {
            Session::Open => Ok(()),
            Session::Left => {
                // gdbstub leaves this one unanswered, and gdb would take that for a lost connection.
                if body.starts_with(b"vKill") {
                    self.clients[index].answer(b"OK");
                }
                // The answer has to get out before the end.
                let _ = self.clients[index].flush();
                Err(if body.starts_with(b"D") { "gdb detached" } else { "gdb left by `kill`; the machine stays" }
                    .into())
            }
        }
    }

    /// gdb takes the machine. False: another one has it.
    fn attach(&mut self, index: usize) -> bool {
        let id = self.clients[index].id;
        if self.gdb.is_none() {
            self.gdb = Some(id);
            self.waiting = false;
        }
        self.gdb == Some(id)
    }

    /// Ends gdb's session, so that others may drive.
    pub(super) fn end_gdb(&mut self, message: &str) {
        let Some(index) = self.gdb.and_then(|id| self.index(id)) else { return };
        if self.clients[index].end_with(message) {
            // The client goes in any case.
            let _ = self.clients[index].flush();
            self.remove_client(index);
        } else {
            self.release_gdb();
        }
    }

    /// The machine is nobody's.
    fn release_gdb(&mut self) {
        self.gdb = None;
        self.target.run = None;
        self.target.physical = false;
        self.target.clear_gdb_breakpoints();
    }

    pub(super) fn remove_client(&mut self, index: usize) {
        let client = self.clients.remove(index);
        if self.gdb == Some(client.id) {
            self.release_gdb();
        }
        if self.driving == Some(client.id) {
            self.driving = None;
        }
    }
}

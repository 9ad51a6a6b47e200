//! The session: a worker thread owns the connection; orders go in, reports come out, the window never waits.
//!
//! [`transport`] is the connection as bytes with time-outs, [`exchange`] a packet and its reply, `worker` the thread,
//! [`standard`] what is done with a server that is not ours, [`hosted`] the machine inside this process.

pub mod exchange;
pub mod hosted;
pub mod standard;
pub mod transport;
mod worker;

use crate::model::Model;
use crate::model::inbox::Incoming;
use crate::model::outbox::Order;
use crate::platform;
use protocol::request::MachineConfig;
use standard::Aside;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use transport::Transport;

/// Opens a connection. A configuration is given where the user asked for another machine than the last one.
pub type Open = Box<dyn FnMut(Option<MachineConfig>) -> Result<Transport, String> + Send>;

/// Whom to connect to.
pub struct Target {
    /// In words: "the machine in this window", "localhost:1234".
    pub words: String,
    /// How.
    pub open: Open,
    /// What the user says about a machine elsewhere.
    pub aside: Aside,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("words", &self.words).finish_non_exhaustive()
    }
}

impl Target {
    /// A server elsewhere, as `HOST:PORT`, and what is known about it that it cannot tell itself.
    pub fn remote(address: &str, aside: Aside) -> Self {
        let address = address.to_owned();
        let words = address.clone();
        let open: Open = Box::new(move |_| match platform::connect(&address) {
            Ok((reader, writer)) => Transport::new(reader, writer),
            Err(error) => Err(format!(
                "No connection to {address}: {error}. Is a server listening there (firstlight-machine --gdb {address})?"
            )),
        });
        Self { words, open, aside }
    }
}

/// The session as the window holds it.
#[derive(Debug)]
pub struct Session {
    orders: Sender<Order>,
    reports: Receiver<Incoming>,
}

impl Session {
    /// Starts the worker thread. `wake` is called when there is something to report; it must not wait.
    pub fn start(target: Target, wake: impl Fn() + Send + 'static) -> Result<Self, String> {
        let (orders, taken) = channel();
        let (reporter, reports) = channel();
        let worker = worker::Worker::new(target, taken, reporter, Box::new(wake));
        let started = platform::spawn("session", move || worker.work());
        started.map_err(|error| format!("The session's thread cannot be started: {error}"))?;
        Ok(Self { orders, reports })
    }

    /// Once a frame: hands over what the model asks, and lets it take in what has come. True if something came.
    pub fn pump(&mut self, model: &mut Model) -> bool {
        self.hand_over(model);
        let mut came = false;
        while let Ok(report) = self.reports.try_recv() {
            came = true;
            model.absorb(report);
            self.hand_over(model);
        }
        came
    }

    /// Waits for a report and lets the model take it in: for programs without frames. False: none came in that time.
    pub fn wait(&mut self, model: &mut Model, patience: Duration) -> bool {
        self.hand_over(model);
        let Ok(report) = self.reports.recv_timeout(patience) else { return false };
        model.absorb(report);
        self.hand_over(model);
        true
    }

    fn hand_over(&mut self, model: &mut Model) {
        for order in model.outbox.take() {
            if self.orders.send(order).is_err() {
                let why = "The session's thread has ended. Start the window anew.".to_owned();
                model.absorb(Incoming::Lost { why });
            }
        }
    }
}

#[cfg(test)]
mod tests;

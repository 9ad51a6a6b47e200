//! Runs as `protocol::run` has them: written from the machine's timeline, checked before they are played.

use super::NAME;
use super::driver::Driver;
use super::guest_image::GuestImage;
use super::vendor::invalid;
use crate::timeline::Timeline;
use crate::timeline::journal::Journal;
use protocol::Position;
use protocol::request::{MachineConfig, Refusal};
use protocol::run::{Run, VERSION};

/// Longest run that is played, in steps: some minutes of host time. A number beyond that is a mistake in the file.
const MAX_STEPS: u64 = 1 << 33;

/// The run that is recorded.
pub(super) fn of(timeline: &Timeline, config: &MachineConfig, image: &dyn GuestImage) -> Run {
    let (inputs, holds) = timeline.journal().to_run();
    Run {
        version: VERSION,
        image_sha256: image.sha256().to_owned(),
        firmware_sha256: image.firmware_sha256().map(str::to_owned),
        machine: NAME.to_owned(),
        config: config.clone(),
        inputs,
        holds,
        end: timeline.end(),
    }
}

/// The journal of a run that this server can play.
pub(super) fn check(run: &Run, image: &dyn GuestImage) -> Result<Journal, String> {
    let image_sha256 = image.sha256();
    if run.version != VERSION {
        return Err(format!(
            "this run has format version {}, this program reads {VERSION}: open it with the release that wrote it",
            run.version
        ));
    }
    if run.machine != NAME {
        return Err(format!(
            "this run was made by {:?}; this is {NAME}, which may behave differently: open it with that release",
            run.machine
        ));
    }
    if run.image_sha256 != image_sha256 {
        return Err(format!(
            "this run belongs to another kernel image (its SHA-256 begins {:.16}, this one's {:.16}): open it with that \
             image, which is part of the release that made the run",
            run.image_sha256, image_sha256
        ));
    }
    // A run that does not name its firmware may have had this one.
    if let Some(firmware) = &run.firmware_sha256
        && image.firmware_sha256() != Some(firmware)
    {
        let ours = image.firmware_sha256().map_or("there is none".to_owned(), |ours| format!("this one's {ours:.16}"));
        return Err(format!(
            "this run was made with another firmware (its SHA-256 begins {firmware:.16}, {ours}), which is part of the \
             machine's program: open it with the release that made the run"
        ));
    }
    if run.end.0 > MAX_STEPS {
        return Err(format!("this run has {} steps; more than {MAX_STEPS} are not played", run.end));
    }
    Journal::of_run(run).map_err(|why| format!("this run makes no sense: {why}"))
}

impl Driver {
    /// The run that is recorded.
    pub(super) fn run_file(&self) -> Run {
        of(&self.target.timeline, &self.config, &*self.target.image)
    }

    /// Plays a run to its end and goes to a position of it. On an error the machine is the old one.
    pub(super) fn load_run(&mut self, run: &Run, position: Position) -> Result<(), Refusal> {
        let journal = check(run, &*self.target.image).map_err(invalid)?;
        if position > run.end {
            return Err(invalid(format!("position {position} lies beyond the run's end, {}", run.end)));
        }
        // The same machine: what both runs have in common need not be played again.
        let goes_on = run.config == self.config && self.target.timeline.load(&journal, run.end.0).map_err(invalid)?;
        if !goes_on {
            let machine = self.target.image.power_on(&run.config).map_err(invalid)?;
            let mut timeline = Timeline::new(machine, self.history_bytes);
            timeline.play(&journal, run.end.0).map_err(invalid)?;
            self.install(timeline, run.config.clone());
        }
        self.serial.clear();
        self.target.timeline.seek(position)
    }
}

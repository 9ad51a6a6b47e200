//! Does what a lesson's `do`, `ahead` and `[script]` say, command by command, on either machine. Neighbours:
//! [`crate::command`] reads the commands, [`super::travel`] moves the machine.

use super::travel::{MAX_SEARCH, Traveller};
use super::trouble::Trouble;
use super::world::World;
use crate::command::Command;
use crate::lesson::Step;
use protocol::Position;
use protocol::breakpoint::EventFilter;
use protocol::request::{Direction, Until};

impl World {
    /// One command of a step that stands at `place`.
    pub async fn perform(
        &self,
        machine: &mut Traveller,
        step: &Step,
        command: &Command,
        place: Position,
    ) -> Result<(), Trouble> {
        let here = machine.seat.position;
        let limit = Position(here.0.saturating_add(MAX_SEARCH));
        let event = Until::Event(EventFilter::Any);
        match command {
            Command::Step(Some(cpu)) => machine.step_cpu(*cpu).await,
            Command::Step(None) => machine.go_to(Position(here.0.saturating_add(1))).await,
            Command::StepBack(None) => machine.seek(Position(here.0.saturating_sub(1))).await,
            Command::StepBack(cpu) => {
                machine.advance(*cpu, Direction::Backward, Until::Steps(1), Vec::new(), limit).await
            }
            Command::Steps(count) => machine.go_to(Position(here.0.saturating_add(*count))).await,
            Command::Over(cpu) => machine.run(Some(*cpu), Until::Over, limit).await,
            Command::Event(cpu) => machine.run(*cpu, event, limit).await,
            Command::EventBack(cpu) => machine.advance(*cpu, Direction::Backward, event, Vec::new(), limit).await,
            Command::Run(None) => machine.run_to_end().await,
            Command::Run(Some(stop)) => self.find(machine, stop, here).await,
            Command::Seek(stop) => {
                machine.seek(place).await?;
                self.find(machine, stop, place).await
            }
            Command::Edit(edit) => {
                let mut moment = self.moment(&machine.seat, place);
                let edit = self.know(machine, &mut moment, |moment| edit.request(moment)).await?;
                machine.edit(edit).await
            }
            Command::Undo => machine.undo().await,
            Command::Type(text) => {
                // One step takes the bytes along; the commands that follow run the machine on.
                let bytes = text.clone().into_bytes();
                machine.advance(None, Direction::Forward, Until::Steps(1), bytes, limit).await
            }
            Command::Action(number) => {
                let commands = step.actions.get(*number).map(|action| action.commands.as_slice());
                for command in commands.unwrap_or_default() {
                    // An action that presses a button again would never end.
                    if !matches!(command, Command::Action(_)) {
                        Box::pin(self.perform(machine, step, command, place)).await?;
                    }
                }
                Ok(())
            }
        }
    }
}

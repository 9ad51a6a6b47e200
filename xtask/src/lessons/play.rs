//! `cargo xtask lessons play`: a lesson in a terminal, line by line: for whom a window is of no use, and for machines
//! without one. The same player, the same progress files.

use super::driver::Driver;
use super::words;
use anyhow::Result;
use lessons::lesson::Lesson;
use lessons::platform::{self, Store};
use lessons::player::page::{AnswerState, Input, Page, Task};
use lessons::player::{Act, Player};
use protocol::breakpoint::EventFilter;
use protocol::request::{Advance, Direction, Edit, Place, Request, StopReason, Until, Wanted};
use protocol::{Activity, CpuId, PhysAddr, Position};
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Plays a lesson in this terminal.
///
/// The text, the questions and what the machine does come as lines, so that a screen reader or a braille display reads
/// them; `help` lists the commands. Progress is kept in the same files as the window's.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The lesson
    id: String,
    /// Where progress is kept [default: the window's folder]
    #[arg(long, value_name = "DIR")]
    progress: Option<PathBuf>,
    /// Begin anew, with these numbers, and store nothing
    #[arg(long)]
    seed: Option<u64>,
}

const HELP: &str = "\
answer     = ANSWER   (or only the answer, where it is no command)     choose   = A
lesson     h hint, show, next, skip, back, return (to the step's place), again, text, do N (a button)
machine    s S  step the selected CPU, step it back      m M  one step of the machine, and back
           n N  over a call or a loop, and back          e E  next event of the selected CPU, and back
           c C  run, run back                            wake  run until the selected CPU wakes
           u    undo the last change                     cpu N  select a CPU
           set REGISTER VALUE    poke PHYSICAL BYTES    type TEXT    (changes; the text goes to the serial line)
look       state, code, why (the last events), mon COMMAND (`mon help`: walk, tlb, pgd, events, mode, ...)
end        quit (what you did is kept)";

/// Steps after which a run is stopped.
const LONG: u64 = 400_000_000;

pub fn main(args: &Args) -> Result<ExitCode> {
    let lesson = match super::read(&args.id)? {
        Ok(lesson) => Arc::new(lesson),
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut saved = None;
    let mut store = None;
    if args.seed.is_none() {
        match args.progress.clone().or_else(platform::default_folder) {
            None => println!("This system has no folder for your data; nothing is stored. Name one with --progress."),
            Some(folder) => match Store::open(&folder, &args.id) {
                Ok(opened) => {
                    match opened.load() {
                        Ok(progress) => saved = progress,
                        Err(error) => println!("{error}"),
                    }
                    store = Some(opened);
                }
                Err(error) => println!("{error}"),
            },
        }
    }
    let seed = args.seed.unwrap_or_else(platform::draw_seed);
    let player = Player::new(Arc::clone(&lesson), seed, saved);
    let driver = Driver::start()?;
    let mut game = Game { driver, player, lesson, store, cpu: CpuId(0), shown: String::new(), console: 0 };
    game.play()
}

/// A lesson under way.
struct Game {
    driver: Driver,
    player: Player,
    lesson: Arc<Lesson>,
    store: Option<Store>,
    cpu: CpuId,
    /// The step whose text was shown.
    shown: String,
    /// So many bytes of the kernel's console were shown.
    console: u64,
}

/// What a line did.
enum Did {
    /// Something with the lesson: the page may be another.
    Lesson,
    /// Something with the machine.
    Machine,
    /// Nothing but words.
    Words,
    Quit,
}

impl Game {
    fn play(&mut self) -> Result<ExitCode> {
        self.driver.serve(&mut self.player)?;
        println!("{} ({} minutes). `help` lists the commands.", self.lesson.title, self.lesson.minutes);
        self.console = self.driver.console(u64::MAX)?.1;
        self.show_page(true);
        self.save();
        let interactive = std::io::stdin().is_terminal();
        loop {
            if interactive {
                print!("> ");
                std::io::stdout().flush()?;
            }
            let mut line = String::new();
            if std::io::stdin().lock().read_line(&mut line)? == 0 {
                break;
            }
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if !interactive {
                println!("> {line}");
            }
            let before = self.player.page().clone();
            let from = self.position();
            match self.command(line)? {
                Did::Quit => break,
                Did::Words => {}
                did => {
                    self.driver.serve(&mut self.player)?;
                    let moved = matches!(did, Did::Machine);
                    // What a button or the player does to the machine is told as well, but not the way to another step.
                    if moved || self.position() != from && self.player.page().step_id == self.shown {
                        self.narrate(from)?;
                    }
                    self.show_news(&before, !moved);
                    self.save();
                }
            }
        }
        self.save();
        Ok(ExitCode::SUCCESS)
    }

    fn save(&mut self) {
        if !self.player.changed() {
            return;
        }
        let Some(store) = &self.store else { return };
        match store.save(&self.player.progress()) {
            Ok(None) => {}
            Ok(Some(kept)) => println!("The file that could not be used is now {}.", kept.display()),
            Err(error) => println!("{error}"),
        }
    }

    fn command(&mut self, line: &str) -> Result<Did> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let number = || rest.parse::<u64>().ok();
        let act = match word {
            "=" => return Ok(self.give(rest)),
            "h" | "hint" => Act::Hint,
            "show" => Act::ShowMe,
            "next" => Act::Next,
            "skip" => Act::Skip,
            "back" => Act::Back,
            "return" => Act::Return,
            "again" => Act::Again,
            "do" => Act::Do(number().unwrap_or(1).saturating_sub(1) as usize),
            "quit" | "q" => return Ok(Did::Quit),
            "help" => {
                println!("{HELP}");
                return Ok(Did::Words);
            }
            "text" => {
                self.show_page(true);
                return Ok(Did::Words);
            }
            "state" | "code" | "why" | "mon" => return self.look(word, rest),
            _ => return self.machine(word, rest, line),
        };
        if act == Act::Next && !self.player.page().done {
            println!("Something is still to be done here. `skip` goes on without it.");
        }
        self.player.act(act);
        Ok(Did::Lesson)
    }

    /// An answer to the question that is open.
    fn give(&mut self, text: &str) -> Did {
        let open = self.player.page().tasks.iter().find_map(|task| match task {
            Task::Question(question) if matches!(question.state, AnswerState::Open | AnswerState::Wrong) => {
                Some(question.number)
            }
            _ => None,
        });
        match open {
            Some(question) => {
                self.player.act(Act::Check { question, text: text.to_owned() });
                Did::Lesson
            }
            None => {
                println!("No question is open. `help` lists the commands.");
                Did::Words
            }
        }
    }

    fn look(&mut self, word: &str, rest: &str) -> Result<Did> {
        let lines = match word {
            "code" => self.driver.code(self.cpu, 6)?,
            "why" => self.driver.narration(8)?,
            "mon" => self.driver.monitor(rest)?,
            _ => self.driver.monitor("cpus")?,
        };
        lines.iter().for_each(|line| println!("  {line}"));
        Ok(Did::Words)
    }

    fn machine(&mut self, word: &str, rest: &str, line: &str) -> Result<Did> {
        use Direction::{Backward, Forward};
        let cpu = Some(self.cpu);
        let event = || Until::Event(EventFilter::Any);
        let (cpu, direction, until) = match word {
            "s" => (cpu, Forward, Until::Steps(1)),
            "S" => (cpu, Backward, Until::Steps(1)),
            "m" => (None, Forward, Until::Steps(rest.parse().unwrap_or(1))),
            "M" => (None, Backward, Until::Steps(rest.parse().unwrap_or(1))),
            "n" => (cpu, Forward, Until::Over),
            "N" => (cpu, Backward, Until::Over),
            "e" => (cpu, Forward, event()),
            "E" => (cpu, Backward, event()),
            "c" => (None, Forward, Until::Breakpoint),
            "C" => (None, Backward, Until::Breakpoint),
            "wake" => (cpu, Forward, Until::Event(EventFilter::Activity(Some(Activity::Running)))),
            "u" => {
                self.driver.make_move(&mut self.player, Request::Undo { wanted: Wanted::default() })?;
                return Ok(self.told());
            }
            "cpu" | "set" | "poke" | "type" | "seek" => return self.change(word, rest),
            _ => return Ok(self.give(line)),
        };
        self.run(cpu, direction, until, Vec::new())
    }

    fn change(&mut self, word: &str, rest: &str) -> Result<Did> {
        let (first, second) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let number = |text: &str| {
            let plain: String = text.chars().filter(|c| *c != '_').collect::<String>().to_lowercase();
            let digits = plain.strip_prefix("0x").unwrap_or(&plain);
            u64::from_str_radix(digits.strip_suffix('h').unwrap_or(digits), 16).ok()
        };
        let edit = match word {
            "cpu" => {
                let cpus = self.driver.last().map_or(0, |stopped| stopped.cpus.len());
                match rest.parse::<u16>() {
                    Ok(cpu) if usize::from(cpu) < cpus => self.cpu = CpuId(cpu),
                    _ => println!("There are CPUs 0 to {}.", cpus.saturating_sub(1)),
                }
                println!("  {}", self.driver.place(self.cpu)?);
                return self.look("code", "");
            }
            "type" => {
                let bytes = format!("{rest}\n").into_bytes();
                return self.run(None, Direction::Forward, Until::Breakpoint, bytes);
            }
            "seek" => {
                let position = Position(rest.parse().unwrap_or_default());
                self.driver.make_move(&mut self.player, Request::Seek { position, wanted: Wanted::default() })?;
                return Ok(self.told());
            }
            "set" => {
                number(second.trim()).map(|value| Edit::Register { cpu: self.cpu, name: first.to_lowercase(), value })
            }
            _ => {
                let bytes: Option<Vec<u8>> =
                    second.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
                let at = number(first).map(|phys| Place::Phys(PhysAddr(phys)));
                at.zip(bytes.filter(|bytes| !bytes.is_empty())).map(|(at, bytes)| Edit::Memory { at, bytes })
            }
        };
        let Some(edit) = edit else {
            println!("Numbers are hexadecimal: `set rax 4040`, `poke 9a010 0f 0b`.");
            return Ok(Did::Words);
        };
        self.driver.make_move(&mut self.player, Request::Edit { edit, wanted: Wanted::default() })?;
        Ok(self.told())
    }

    fn run(&mut self, cpu: Option<CpuId>, direction: Direction, until: Until, serial_input: Vec<u8>) -> Result<Did> {
        let hold_others = false;
        let wanted = Wanted::default();
        let advance =
            Advance { cpu, hold_others, direction, until, budget: LONG, serial_input, keys: Vec::new(), wanted };
        self.driver.run(&mut self.player, advance)?;
        Ok(self.told())
    }

    /// A refusal in words, where the machine did not move.
    fn told(&mut self) -> Did {
        match self.driver.take_refusal() {
            Some(refusal) => {
                println!("The machine refuses: {refusal}");
                Did::Words
            }
            None => Did::Machine,
        }
    }

    fn position(&self) -> Position {
        self.driver.last().map_or(Position(0), |stopped| stopped.position)
    }

    /// What just happened, where the selected CPU stands now, and what comes next.
    fn narrate(&mut self, from: Position) -> Result<()> {
        const MOST: usize = 6;
        let here = self.position();
        if here < from {
            println!("  Back to step {here}.");
        } else {
            let events = self.driver.events_since(from)?;
            if events > MOST {
                println!("  ({} events before these)", events - MOST);
            }
            if events > 0 {
                self.driver.narration(events.min(MOST))?.iter().for_each(|line| println!("  {line}"));
            }
            println!("  Step {here}.");
        }
        let (text, total) = self.driver.console(self.console)?;
        self.console = total;
        text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| println!("  | {line}"));
        if let Some(why) = self.driver.last().and_then(|stopped| in_words(&stopped.reason)) {
            println!("  {why}");
        }
        println!("  {}", self.driver.place(self.cpu)?);
        for line in self.driver.code(self.cpu, 1)? {
            println!("  next: {line}");
        }
        Ok(())
    }

    /// What is new on the page.
    fn show_news(&mut self, before: &Page, ask_again: bool) {
        let page = self.player.page().clone();
        if page.step_id != self.shown || before.ending != page.ending {
            self.show_page(true);
            return;
        }
        for hint in page.hints.iter().skip(before.hints.len()) {
            println!("Hint: {}", words::line(hint));
        }
        if page.hints.len() > before.hints.len() && page.can_show_me {
            println!("That was the last hint. `show` lets the machine do it.");
        }
        for (task, old) in page.tasks.iter().zip(&before.tasks) {
            if task == old {
                continue;
            }
            match task {
                Task::Question(question) => {
                    let feedback = words::line(&question.feedback);
                    match question.state {
                        AnswerState::Right => println!("Right. {feedback}"),
                        AnswerState::RightAfterLooking => println!("Right, after looking. {feedback}"),
                        AnswerState::Shown => {
                            println!("The answer is {}. {feedback}", question.right.as_deref().unwrap_or("not known"));
                        }
                        AnswerState::Wrong => println!("No. {feedback}"),
                        _ if !feedback.is_empty() => println!("{feedback}"),
                        _ => {}
                    }
                }
                Task::Goal { says, met: true, .. } => println!("Done: {}", words::line(says)),
                _ => {}
            }
        }
        if let Some(trouble) = &page.trouble {
            println!("{trouble}");
        }
        if page.done && !before.done {
            words::blocks(&page.then).iter().for_each(|line| println!("{line}"));
            println!("(`next`)");
        } else if ask_again {
            self.show_open();
        }
    }

    fn show_page(&mut self, all: bool) {
        let page = self.player.page().clone();
        if all {
            println!();
            println!("== {} of {}: {}", page.step, page.steps, page.title);
            words::blocks(&page.text).iter().for_each(|line| println!("{line}"));
            if let Some(cpu) = page.cpu.filter(|_| page.step_id != self.shown) {
                self.cpu = CpuId(cpu);
                println!("(CPU {cpu} is selected.)");
            }
        }
        self.shown = page.step_id.clone();
        if let Some(trouble) = &page.trouble {
            println!("{trouble}");
        }
        if let Some(ending) = &page.ending {
            for blocks in [&ending.text, &ending.why] {
                words::blocks(blocks).iter().for_each(|line| println!("{line}"));
                println!();
            }
            for (label, value) in &ending.numbers {
                println!("  {label}: {value}");
            }
            let score = &ending.score;
            println!(
                "Right at once {}, later {}, after looking {}, shown {}, skipped {}.",
                score.first, score.later, score.after_looking, score.shown, score.skipped
            );
            if let Some((id, title)) = &ending.next {
                println!("Next: {title} (`cargo xtask lessons play {id}`).");
            }
            return;
        }
        for task in &page.tasks {
            match task {
                Task::Action { number, label, .. } => println!("Button {}: {label} (`do {}`)", number + 1, number + 1),
                Task::Goal { says, met, .. } => println!("[{}] {}", if *met { "x" } else { " " }, words::line(says)),
                Task::Question(_) => {}
            }
        }
        self.show_open();
    }

    /// The question that is open.
    fn show_open(&self) {
        let open = self.player.page().tasks.iter().find_map(|task| match task {
            Task::Question(question) if matches!(question.state, AnswerState::Open | AnswerState::Wrong) => {
                Some(question)
            }
            _ => None,
        });
        let Some(question) = open else { return };
        println!("? {}", words::line(&question.ask));
        match &question.input {
            Input::Number { example, .. } | Input::SegOff { example } | Input::Word { example } => {
                println!("  ({example})")
            }
            Input::Choice(choices) => {
                for choice in choices {
                    println!("  {}  {}", choice.letter, words::line(&choice.says));
                }
                println!("  (`= A`, or another letter)");
            }
        }
    }
}

/// Why the machine stopped, where that needs words.
fn in_words(reason: &StopReason) -> Option<String> {
    Some(match reason {
        StopReason::CannotStep { why } => format!("No step: {why}"),
        StopReason::StartOfTime => "This is the first step.".into(),
        StopReason::AllWaiting => "All CPUs wait, and nothing is on its way. `type` sends something.".into(),
        StopReason::TripleFault { cpu } => {
            format!("{cpu} shut down after a triple fault. `why` tells the causes, `S` goes back.")
        }
        StopReason::Unsupported { cpu, what } => format!("{cpu}: this machine does not have {what}."),
        StopReason::PowerOff => "The kernel switched the machine off.".into(),
        StopReason::Exit { value } => format!("The kernel ended the run with {value:#x}."),
        _ => return None,
    })
}

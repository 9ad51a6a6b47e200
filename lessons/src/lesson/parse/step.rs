//! Reads the TOML of a step, and of the lesson's end.

use super::sections::Section;
use crate::command::Command;
use crate::content::{ContentError, Source};
use crate::expr::{Expr, Scope};
use crate::lesson::{Action, Again, Choice, Goal, InputKind, Number, Question, Show, ShowItem, Step, StepKind, Wrong};
use crate::stop::{Stop, cpu_id};
use crate::template::{Format, Line, Template, markdown};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    kind: Spanned<String>,
    stop: Option<Spanned<OneOrMany>>,
    #[serde(default)]
    show: Vec<Spanned<String>>,
    highlight: Option<Spanned<String>>,
    cpu: Option<u16>,
    #[serde(default)]
    hints: Vec<Spanned<String>>,
    then: Option<Spanned<String>>,
    #[serde(default, rename = "question")]
    questions: Vec<QuestionTable>,
    #[serde(default, rename = "goal")]
    goals: Vec<GoalTable>,
    #[serde(default, rename = "action")]
    actions: Vec<ActionTable>,
    script: Option<ScriptTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionTable {
    ask: Spanned<String>,
    predict: Option<Spanned<bool>>,
    input: Option<Spanned<String>>,
    format: Option<Spanned<String>>,
    example: Option<String>,
    reveal: Option<Spanned<OneOrMany>>,
    #[serde(default)]
    ahead: Vec<Spanned<String>>,
    answer: Option<Spanned<Literal>>,
    accept: Option<Spanned<String>>,
    right: Option<Spanned<String>>,
    #[serde(default)]
    wrong: Vec<WrongTable>,
    #[serde(default)]
    choices: Vec<ChoiceTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrongTable {
    value: Spanned<Literal>,
    id: Spanned<String>,
    says: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceTable {
    says: Spanned<String>,
    value: Option<Spanned<Literal>>,
    #[serde(default)]
    right: bool,
    id: Option<Spanned<String>>,
    feedback: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoalTable {
    says: Spanned<String>,
    when: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionTable {
    label: Spanned<String>,
    r#do: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptTable {
    r#do: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndTable {
    #[serde(default)]
    numbers: Vec<NumberTable>,
    again: Option<AgainTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgainTable {
    label: String,
    cpus: Spanned<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberTable {
    label: Spanned<String>,
    value: Spanned<Literal>,
    format: Option<Spanned<String>>,
}

/// A text, or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// An expression as text, or a plain number or truth.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an expression in quotes, a number, true or false")]
enum Literal {
    Bool(bool),
    Int(u64),
    Text(String),
}

/// Most of anything in one step: what is more does not fit on a screen.
const MAX_ITEMS: usize = 20;
/// Most answers to choose from.
const MAX_CHOICES: usize = 6;

/// What a step's parts are read with.
struct Reader<'a> {
    source: &'a Source<'a>,
    names: &'a [String],
}

/// Reads a step's block.
pub(super) fn read(
    section: &Section<'_>,
    source: &Source<'_>,
    block_line: usize,
    text: Template,
    names: &[String],
) -> Result<Step, ContentError> {
    let table: StepTable = source.read()?;
    let reader = Reader { source, names };
    let scope = reader.scope(false);
    let kind = reader.kind(&table.kind)?;
    let counts = [table.questions.len(), table.goals.len(), table.actions.len(), table.show.len(), table.hints.len()];
    if counts.iter().any(|count| *count > MAX_ITEMS) {
        return Err(
            source.error(0..0, format!("the step has more than {MAX_ITEMS} of something; make two steps of it"))
        );
    }
    let questions = table.questions.iter().map(|question| reader.question(question)).collect::<Result<Vec<_>, _>>()?;
    let goals = table.goals.iter().map(|goal| reader.goal(goal)).collect::<Result<Vec<_>, _>>()?;
    let actions = table.actions.iter().map(|action| reader.action(action)).collect::<Result<Vec<_>, _>>()?;
    let script = match &table.script {
        Some(script) => reader.commands(&script.r#do, Some(actions.len()))?,
        None => Vec::new(),
    };
    if kind != StepKind::Explore && questions.is_empty() && goals.is_empty() {
        let what =
            format!("a step of kind `{}` has a [[question]] or a [[goal]]; without any it is `explore`", kind.word());
        return Err(source.error(table.kind.span(), what));
    }
    let hints = table.hints.iter().map(|hint| reader.line(hint)).collect::<Result<Vec<_>, _>>()?;
    let then = match &table.then {
        Some(then) => markdown::text(&source.string(then), &scope)?,
        None => Template::default(),
    };
    Ok(Step {
        id: section.id.to_owned(),
        title: section.title.to_owned(),
        line: section.line,
        block_line,
        text,
        kind,
        stop: reader.stops(table.stop.as_ref())?,
        show: table.show.iter().map(|show| reader.show(show)).collect::<Result<Vec<_>, _>>()?,
        highlight: table.highlight.map(Spanned::into_inner),
        cpu: table.cpu,
        questions,
        goals,
        actions,
        script,
        hints,
        then,
    })
}

/// Reads the block of the lesson's end: its numbers, and the machine to go on with.
pub(super) fn end(source: &Source<'_>, scope: &Scope<'_>) -> Result<(Vec<Number>, Option<Again>), ContentError> {
    let table: EndTable = source.read()?;
    let reader = Reader { source, names: scope.drawn };
    if table.numbers.len() > MAX_ITEMS {
        return Err(source.error(0..0, format!("more than {MAX_ITEMS} numbers do not fit into the picture")));
    }
    let number = |number: &NumberTable| {
        let line = source.line(number.label.span().start);
        let format = reader.format(number.format.as_ref())?;
        let value = reader.literal(&number.value)?;
        Ok(Number { label: number.label.get_ref().clone(), value, format, line })
    };
    let numbers = table.numbers.iter().map(number).collect::<Result<_, _>>()?;
    if let Some(cpus) = table.again.as_ref().map(|again| &again.cpus).filter(|cpus| !(1..=255).contains(cpus.get_ref()))
    {
        return Err(source.error(cpus.span(), "a machine has 1 to 255 CPUs"));
    }
    let again = table.again.map(|again| Again { label: again.label, cpus: again.cpus.into_inner() });
    Ok((numbers, again))
}

impl Reader<'_> {
    fn scope(&self, answer: bool) -> Scope<'_> {
        Scope { drawn: self.names, answer }
    }

    fn wrong<T, S>(&self, at: &Spanned<S>, what: impl Into<String>) -> Result<T, ContentError> {
        Err(self.source.error(at.span(), what))
    }

    fn line(&self, text: &Spanned<String>) -> Result<Line, ContentError> {
        let line = markdown::line(&self.source.string(text), &self.scope(false))?;
        if line.is_empty() { self.wrong(text, "this text is empty; write it, or leave the key out") } else { Ok(line) }
    }

    fn optional_line(&self, text: Option<&Spanned<String>>) -> Result<Line, ContentError> {
        text.map_or_else(|| Ok(Line::new()), |text| self.line(text))
    }

    fn expr(&self, text: &Spanned<String>, answer: bool) -> Result<Expr, ContentError> {
        Expr::parse(text.get_ref(), &self.scope(answer)).or_else(|error| self.wrong(text, error.to_string()))
    }

    fn literal(&self, literal: &Spanned<Literal>) -> Result<Expr, ContentError> {
        let text = match literal.get_ref() {
            Literal::Bool(value) => value.to_string(),
            Literal::Int(value) => value.to_string(),
            Literal::Text(text) => text.clone(),
        };
        Expr::parse(&text, &self.scope(false)).or_else(|error| self.wrong(literal, error.to_string()))
    }

    fn kind(&self, word: &Spanned<String>) -> Result<StepKind, ContentError> {
        const KINDS: [StepKind; 6] = [
            StepKind::Observe,
            StepKind::Predict,
            StepKind::Break,
            StepKind::Mend,
            StepKind::Explain,
            StepKind::Explore,
        ];
        KINDS.into_iter().find(|kind| kind.word() == word.get_ref()).map_or_else(
            || {
                let words: Vec<&str> = KINDS.iter().map(|kind| kind.word()).collect();
                self.wrong(word, format!("there is no kind `{}`; there are {}", word.get_ref(), words.join(", ")))
            },
            Ok,
        )
    }

    fn format(&self, name: Option<&Spanned<String>>) -> Result<Format, ContentError> {
        let Some(name) = name else { return Ok(Format::default()) };
        Format::named(name.get_ref()).map_or_else(
            || self.wrong(name, format!("there is no format `{}`; there are {}", name.get_ref(), Format::names())),
            Ok,
        )
    }

    fn stops(&self, stops: Option<&Spanned<OneOrMany>>) -> Result<Vec<Stop>, ContentError> {
        let Some(stops) = stops else { return Ok(Vec::new()) };
        let texts = match stops.get_ref() {
            OneOrMany::One(text) => std::slice::from_ref(text),
            OneOrMany::Many(texts) => texts,
        };
        let read = |text: &String| {
            Stop::parse(text)
                .or_else(|(column, what)| self.wrong(stops, format!("in `{text}`, column {column}: {what}")))
        };
        texts.iter().map(read).collect()
    }

    /// `ahead`: None for the number of actions, which a private copy has none of.
    fn commands(&self, texts: &[Spanned<String>], actions: Option<usize>) -> Result<Vec<Command>, ContentError> {
        let mut commands = Vec::with_capacity(texts.len());
        for text in texts {
            let command = Command::parse(text.get_ref(), &self.scope(false)).or_else(|(column, what)| {
                self.wrong(text, format!("in `{}`, column {column}: {what}", text.get_ref()))
            })?;
            if let Command::Action(number) = command {
                match actions {
                    Some(actions) if number < actions => {}
                    Some(actions) => {
                        return self.wrong(text, format!("there is no action {}: the step has {actions}", number + 1));
                    }
                    None => return self.wrong(text, "`action` can stand in a step's [script] only"),
                }
            }
            commands.push(command);
        }
        Ok(commands)
    }

    fn show(&self, text: &Spanned<String>) -> Result<ShowItem, ContentError> {
        const PANELS: [(&str, Show); 15] = [
            ("lanes", Show::Lanes),
            ("code", Show::Code),
            ("cpu", Show::Cpu),
            ("registers", Show::Registers),
            ("segments", Show::Segments),
            ("system-registers", Show::SystemRegisters),
            ("page-tables", Show::PageTables),
            ("two-roots", Show::TwoRoots),
            ("tlb", Show::Tlb),
            ("gdt", Show::Gdt),
            ("idt", Show::Idt),
            ("memory", Show::Memory),
            ("console", Show::Console),
            ("events", Show::Events),
            ("apic", Show::Apic),
        ];
        let (name, rest) = match text.get_ref().split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text.get_ref().as_str(), None),
        };
        let Some((_, panel)) = PANELS.iter().find(|(known, _)| *known == name) else {
            let names = PANELS.map(|(name, _)| name).join(", ");
            return self
                .wrong(text, format!("there is no panel `{name}`; there are {names}, with cpu:1 and memory:EXPR"));
        };
        let mut item = ShowItem { panel: *panel, cpu: None, at: None };
        match (panel, rest) {
            (_, None) => {}
            (Show::Cpu, Some(number)) => match cpu_id(&format!("cpu{number}")) {
                Some(cpu) => item.cpu = Some(cpu.0),
                None => return self.wrong(text, format!("after `cpu:` stands a CPU's number, not `{number}`")),
            },
            (Show::Memory, Some(place)) => {
                let expr = Expr::parse(place, &self.scope(false));
                item.at = Some(expr.or_else(|error| self.wrong(text, error.to_string()))?);
            }
            (_, Some(_)) => return self.wrong(text, format!("`{name}` takes nothing after a colon")),
        }
        Ok(item)
    }

    fn question(&self, table: &QuestionTable) -> Result<Question, ContentError> {
        let line = self.source.line(table.ask.span().start);
        let reveal = self.stops(table.reveal.as_ref())?;
        let predict = table.predict.as_ref().map_or(!reveal.is_empty(), |predict| *predict.get_ref());
        if predict && reveal.is_empty() {
            return self.wrong(&table.ask, "a prediction needs `reveal`: where the machine shows what is right");
        }
        if !table.ahead.is_empty() && reveal.is_empty() {
            return self.wrong(&table.ask, "`ahead` needs `reveal`: how far the private copy runs after the change");
        }
        let answer = table.answer.as_ref().map(|answer| self.literal(answer)).transpose()?;
        let accept = table.accept.as_ref().map(|accept| self.expr(accept, true)).transpose()?;
        let choices = table.choices.iter().map(|choice| self.choice(choice)).collect::<Result<Vec<_>, _>>()?;
        let input = self.input(table, !choices.is_empty())?;
        self.check_answers(table, input, &choices)?;
        let wrong = table.wrong.iter().map(|wrong| self.wrong_answer(wrong)).collect::<Result<Vec<_>, _>>()?;
        if let Some(twice) = (1..wrong.len()).find(|at| wrong[..*at].iter().any(|other| other.id == wrong[*at].id)) {
            return self.wrong(&table.wrong[twice].id, format!("`{}` stands twice in this question", wrong[twice].id));
        }
        Ok(Question {
            line,
            ask: self.line(&table.ask)?,
            predict,
            input,
            format: self.format(table.format.as_ref())?,
            example: table.example.clone().unwrap_or_default(),
            reveal,
            ahead: self.commands(&table.ahead, None)?,
            answer,
            accept,
            right: self.optional_line(table.right.as_ref())?,
            wrong,
            choices,
        })
    }

    fn input(&self, table: &QuestionTable, choices: bool) -> Result<InputKind, ContentError> {
        let kind = match table.input.as_ref().map(|input| input.get_ref().as_str()) {
            None if choices => InputKind::Choice,
            None | Some("number") => InputKind::Number,
            Some("seg-off") => InputKind::SegOff,
            Some("word") => InputKind::Word,
            Some("choice") => InputKind::Choice,
            Some(other) => {
                let what = format!("there is no input `{other}`; there are number, seg-off, word, choice");
                return table
                    .input
                    .as_ref()
                    .map_or_else(|| self.wrong(&table.ask, &*what), |at| self.wrong(at, &*what));
            }
        };
        match (kind, choices) {
            (InputKind::Choice, false) => self.wrong(&table.ask, "`input = \"choice\"` needs `choices`"),
            (InputKind::Choice, true) | (_, false) => Ok(kind),
            (_, true) => self.wrong(&table.ask, "a question with `choices` has the input `choice`"),
        }
    }

    /// There is one right answer, and the machine can tell it.
    fn check_answers(&self, table: &QuestionTable, input: InputKind, choices: &[Choice]) -> Result<(), ContentError> {
        let at = &table.ask;
        if input != InputKind::Choice {
            return match (&table.answer, &table.example) {
                (None, _) => {
                    self.wrong(at, "`answer` is missing: the expression that is right (beside `accept`: one that is)")
                }
                (_, None) => {
                    self.wrong(at, "`example` is missing: how an answer looks, with other digits: \"like 0009a000\"")
                }
                _ => Ok(()),
            };
        }
        if table.accept.is_some() || !table.wrong.is_empty() {
            return self
                .wrong(at, "a question with `choices` has no `accept` and no `wrong`; each choice has its `feedback`");
        }
        if !(2..=MAX_CHOICES).contains(&choices.len()) {
            return self.wrong(at, format!("a question has 2 to {MAX_CHOICES} choices, not {}", choices.len()));
        }
        let right = choices.iter().filter(|choice| choice.right).count();
        match (&table.answer, right) {
            (None, 1) => {}
            (None, 0) => {
                return self.wrong(at, "`answer` is missing; or one choice has `right = true`");
            }
            (None, _) => return self.wrong(at, format!("{right} choices have `right = true`; one can be right")),
            (Some(_), 1..) => {
                return self.wrong(at, "`answer` and `right = true` both say what is right; leave one out");
            }
            (Some(_), 0) => {
                if let Some(choice) = table.choices.iter().find(|choice| choice.value.is_none()) {
                    return self.wrong(
                        &choice.says,
                        "`value` is missing: what the choice stands for, to compare with `answer`",
                    );
                }
            }
        }
        let bare = table.choices.iter().filter(|choice| choice.id.is_none() || choice.feedback.is_none());
        let bare_wrong: Vec<_> = bare.filter(|choice| !choice.right).collect();
        let allowed = usize::from(right == 0);
        match bare_wrong.get(allowed) {
            Some(choice) => self.wrong(
                &choice.says,
                "a wrong choice has `id` (M-...) and `feedback`; only the right one may lack them",
            ),
            None => Ok(()),
        }
    }

    fn misconception(&self, id: &Spanned<String>) -> Result<String, ContentError> {
        match id.get_ref().strip_prefix("M-") {
            Some(rest) if super::check_id(&rest.to_ascii_lowercase()).is_ok() => Ok(id.get_ref().clone()),
            _ => self.wrong(
                id,
                format!("`{}` is no misconception's id, which is `M-` and words: M-vector-is-segment", id.get_ref()),
            ),
        }
    }

    fn choice(&self, table: &ChoiceTable) -> Result<Choice, ContentError> {
        Ok(Choice {
            says: self.line(&table.says)?,
            value: table.value.as_ref().map(|value| self.literal(value)).transpose()?,
            right: table.right,
            id: table.id.as_ref().map(|id| self.misconception(id)).transpose()?,
            feedback: self.optional_line(table.feedback.as_ref())?,
            line: self.source.line(table.says.span().start),
        })
    }

    fn wrong_answer(&self, table: &WrongTable) -> Result<Wrong, ContentError> {
        Ok(Wrong {
            value: self.literal(&table.value)?,
            id: self.misconception(&table.id)?,
            says: self.line(&table.says)?,
            line: self.source.line(table.value.span().start),
        })
    }

    fn goal(&self, table: &GoalTable) -> Result<Goal, ContentError> {
        let when = self.expr(&table.when, false)?;
        if when.is_constant() {
            return self
                .wrong(&table.when, "`when` does not ask the machine anything: nothing could make it come true");
        }
        Ok(Goal { says: self.line(&table.says)?, when, line: self.source.line(table.when.span().start) })
    }

    fn action(&self, table: &ActionTable) -> Result<Action, ContentError> {
        let commands = self.commands(&table.r#do, None)?;
        if commands.is_empty() || table.label.get_ref().trim().is_empty() {
            return self.wrong(&table.label, "an action has a `label` and at least one command in `do`");
        }
        let line = self.source.line(table.label.span().start);
        Ok(Action { label: table.label.get_ref().clone(), commands, line })
    }
}

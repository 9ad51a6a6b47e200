//! Reads an expression: names are resolved here, so that a misspelt one is found before anybody plays the lesson.

use super::cpu_field::CpuField;
use super::events;
use super::lex::{Tok, Token, tokens};
use super::tree::{
    AnswerPart, EventField, EventsWhat, Function, Kind, Node, Op, Root, Space, TlbPart, WalkPart, Which,
};
use super::value::Value;
use crate::stop::pattern::{self, ACTIVITIES, MODES, NthEvent};
use crate::stop::{EventPattern, cpu_id};
use protocol::CpuId;

/// What names an expression may use beside those of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// The numbers that the lesson draws.
    pub drawn: &'a [String],
    /// `answer` is there: the learner's, to be judged.
    pub answer: bool,
}

type Result<T> = std::result::Result<T, (usize, String)>;

/// Most parts that may stand one inside the other.
const MAX_DEPTH: usize = 48;
/// Most parts of an expression.
const MAX_NODES: usize = 200;

/// Reads a text to its end. An error is a column and what is wrong there.
pub(super) fn parse(text: &str, scope: &Scope<'_>) -> Result<Node> {
    let tokens = tokens(text)?;
    let mut parser = Parser { rest: &tokens, scope, depth: 0, before: false };
    let node = parser.expression()?;
    let token = parser.next();
    if token.kind != Tok::End {
        return Err((token.column, format!("{} stands where the expression should end", token.kind.words())));
    }
    let mut nodes = 0;
    node.visit(&mut |_| nodes += 1);
    if nodes > MAX_NODES {
        return Err((1, format!("it has {nodes} parts, at most {MAX_NODES} are allowed; ask for something simpler")));
    }
    Ok(node)
}

struct Parser<'a> {
    rest: &'a [Token],
    scope: &'a Scope<'a>,
    /// How deep this part stands.
    depth: usize,
    /// Inside `before(...)`.
    before: bool,
}

/// Binary operators with how tightly they bind.
const BINARY: [(&str, Op, u8); 18] = [
    ("||", Op::Or, 1),
    ("&&", Op::And, 2),
    ("==", Op::Equal, 3),
    ("!=", Op::NotEqual, 3),
    ("<", Op::Less, 3),
    ("<=", Op::LessEqual, 3),
    (">", Op::Greater, 3),
    (">=", Op::GreaterEqual, 3),
    ("|", Op::BitOr, 4),
    ("^", Op::BitXor, 5),
    ("&", Op::BitAnd, 6),
    ("<<", Op::ShiftLeft, 7),
    (">>", Op::ShiftRight, 7),
    ("+", Op::Add, 8),
    ("-", Op::Subtract, 8),
    ("*", Op::Multiply, 9),
    ("/", Op::Divide, 9),
    ("%", Op::Remainder, 9),
];
/// The comparisons' place in [`BINARY`]: they do not chain.
const COMPARISON: u8 = 3;

impl Parser<'_> {
    fn peek(&self) -> &Tok {
        self.rest.first().map_or(&Tok::End, |token| &token.kind)
    }

    fn next(&mut self) -> Token {
        match self.rest {
            [] => Token { column: 1, kind: Tok::End },
            [last] => last.clone(),
            [first, rest @ ..] => {
                self.rest = rest;
                first.clone()
            }
        }
    }

    fn takes(&mut self, op: &'static str) -> bool {
        let is = *self.peek() == Tok::Op(op);
        if is {
            self.next();
        }
        is
    }

    fn expect(&mut self, op: &'static str, after: &str) -> Result<()> {
        let token = self.next();
        if token.kind == Tok::Op(op) {
            return Ok(());
        }
        Err((token.column, format!("`{op}` stands {after}, not {}", token.kind.words())))
    }

    /// One level deeper, as far as that is allowed.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            let column = self.rest.first().map_or(1, |token| token.column);
            return Err((
                column,
                format!("more than {MAX_DEPTH} parts stand one inside the other; ask for something simpler"),
            ));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Node> {
        self.deeper(|parser| {
            let condition = parser.binary(1)?;
            if *parser.peek() != Tok::Op("?") {
                return Ok(condition);
            }
            let column = parser.next().column;
            let yes = parser.expression()?;
            parser.expect(":", "between the two values of `? :`")?;
            let no = parser.expression()?;
            Ok(Node { column, kind: Kind::Choose(Box::new(condition), Box::new(yes), Box::new(no)) })
        })
    }

    /// Operators that bind at least so tightly.
    fn binary(&mut self, least: u8) -> Result<Node> {
        let mut left = self.unary()?;
        // Each round puts what was read so far one level deeper.
        let mut rounds = 0;
        while let Tok::Op(sign) = *self.peek()
            && let Some((_, op, power)) = BINARY.iter().find(|(known, ..)| *known == sign)
            && *power >= least
        {
            rounds += 1;
            let column = self.next().column;
            if rounds > MAX_DEPTH {
                return Err((column, format!("more than {MAX_DEPTH} operators in a row; ask for something simpler")));
            }
            let right = self.deeper(|parser| parser.binary(power + 1))?;
            check_words(*op, &left, &right)?;
            left = Node { column, kind: Kind::Binary(*op, Box::new(left), Box::new(right)) };
            if *power == COMPARISON
                && let Tok::Op(sign) = *self.peek()
                && BINARY.iter().any(|(known, _, power)| *known == sign && *power == COMPARISON)
            {
                let column = self.next().column;
                return Err((
                    column,
                    format!("comparisons do not chain; join two of them with `&&` instead of `{sign}`"),
                ));
            }
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node> {
        let column = self.rest.first().map_or(1, |token| token.column);
        if self.takes("!") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Node { column, kind: Kind::Not(Box::new(inner)) });
        }
        if self.takes("~") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Node { column, kind: Kind::Complement(Box::new(inner)) });
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Node> {
        let token = self.next();
        let column = token.column;
        let kind = match token.kind {
            Tok::Int(value) => Kind::Value(Value::Int(value)),
            Tok::Quoted(text) => Kind::Value(Value::Word(text)),
            Tok::Symbol(name) => Kind::Symbol(name),
            Tok::Op("(") => {
                let inner = self.expression()?;
                self.expect(")", "after what `(` opened")?;
                return Ok(inner);
            }
            Tok::Op("-") => return Err((column, "there are no negative numbers; for all ones, write ~0".to_owned())),
            Tok::Name(name) => return self.name(column, &name).map(|kind| Node { column, kind }),
            other => return Err((column, format!("a value is expected here, not {}", other.words()))),
        };
        Ok(Node { column, kind })
    }

    /// What begins with a name.
    fn name(&mut self, column: usize, name: &str) -> Result<Kind> {
        if let Some(cpu) = cpu_id(name) {
            return self.cpu_field(column, cpu, None);
        }
        match name {
            "true" => Ok(Kind::Value(Value::Bool(true))),
            "false" => Ok(Kind::Value(Value::Bool(false))),
            "none" => Ok(Kind::Value(Value::none())),
            "position" => Ok(Kind::Position),
            "clock" => Ok(Kind::Clock),
            "blob" => Ok(Kind::Blob),
            "icr" => self.cpu_field(column, CpuId(0), Some("icr")),
            "answer" => self.answer(column),
            "events" => self.events(column),
            "mem8" | "lin8" | "image8" => self.memory(name, 1),
            "mem16" | "lin16" | "image16" => self.memory(name, 2),
            "mem32" | "lin32" | "image32" => self.memory(name, 4),
            "mem64" | "lin64" | "image64" => self.memory(name, 8),
            "root" => self.root_by_name(),
            "walk" => self.walk(),
            "entry" => {
                self.expect("(", "after `entry`: entry(root, linear, level)")?;
                let (root, linear) = self.root_and_linear("entry(root, linear, level)")?;
                self.expect(",", "before the level of entry(root, linear, level)")?;
                let level = Box::new(self.expression()?);
                self.expect(")", "after the level of entry(root, linear, level)")?;
                Ok(Kind::Entry { root, linear, level })
            }
            "tlb" | "tlb_count" | "tlb_has" => self.tlb(name),
            "hash" => {
                let [at, len] = self.arguments("hash(physical, len)")?;
                Ok(Kind::Hash { at: Box::new(at), len: Box::new(len) })
            }
            "before" => self.in_before(column),
            "min" => Ok(Kind::Call(Function::Min, self.arguments::<2>("min(a, b)")?.into())),
            "max" => Ok(Kind::Call(Function::Max, self.arguments::<2>("max(a, b)")?.into())),
            "bits" => Ok(Kind::Call(Function::Bits, self.arguments::<3>("bits(x, high, low)")?.into())),
            "segoff" => Ok(Kind::Call(Function::SegOff, self.arguments::<2>("segoff(segment, offset)")?.into())),
            _ if self.scope.drawn.iter().any(|drawn| drawn == name) => Ok(Kind::Drawn(name.to_owned())),
            _ if pattern::is_machine_word(name) => Ok(Kind::Value(Value::word(name))),
            "while" | "for" | "loop" | "let" | "if" => {
                Err((column, format!("there is no `{name}`: expressions have no loops and no names of their own")))
            }
            _ => Err((column, self.unknown(name))),
        }
    }

    fn unknown(&self, name: &str) -> String {
        if name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'h') && name.ends_with('h') {
            return format!("`{name}` is read as a name; a number begins with a digit: 0{name}");
        }
        let drawn = match self.scope.drawn {
            [] => "this lesson draws no numbers".to_owned(),
            names => format!("this lesson draws {}", names.join(", ")),
        };
        format!(
            "there is no `{name}`; a register belongs to a CPU (cpu1.{name}), a symbol is written @{name}, any other word \
             \"{name}\"; {drawn}"
        )
    }

    /// `.a.b` with the columns of the parts.
    fn path(&mut self) -> Result<Vec<(usize, String)>> {
        let mut parts = Vec::new();
        while self.takes(".") {
            let token = self.next();
            match token.kind {
                Tok::Name(name) => parts.push((token.column, name)),
                other => return Err((token.column, format!("a name stands after `.`, not {}", other.words()))),
            }
        }
        Ok(parts)
    }

    fn cpu_field(&mut self, column: usize, cpu: CpuId, first: Option<&str>) -> Result<Kind> {
        let mut parts = self.path()?;
        if let Some(first) = first {
            parts.insert(0, (column, first.to_owned()));
        }
        if parts.is_empty() {
            return Err((
                column,
                format!("say what of {cpu} is meant, as in cpu{}.rip or cpu{}.cr4.pae", cpu.0, cpu.0),
            ));
        }
        let names: Vec<&str> = parts.iter().map(|(_, name)| name.as_str()).collect();
        let field = CpuField::parse(&names)
            .map_err(|(part, what)| (parts.get(part).or(parts.last()).map_or(column, |(column, _)| *column), what))?;
        Ok(Kind::Cpu(cpu, field))
    }

    fn answer(&mut self, column: usize) -> Result<Kind> {
        if !self.scope.answer {
            return Err((column, "`answer` is what the learner typed; only `accept` knows it".to_owned()));
        }
        let parts = self.path()?;
        let names: Vec<&str> = parts.iter().map(|(_, name)| name.as_str()).collect();
        let part = match names.as_slice() {
            [] => AnswerPart::Whole,
            ["seg"] => AnswerPart::Selector,
            ["off"] => AnswerPart::Offset,
            _ => return Err((parts[0].0, "`answer` has `.seg` and `.off`".to_owned())),
        };
        Ok(Kind::Answer(part))
    }

    /// `(a, b)`, exactly so many.
    fn arguments<const N: usize>(&mut self, form: &str) -> Result<[Node; N]> {
        self.expect("(", &format!("after the name of {form}"))?;
        let mut arguments = Vec::with_capacity(N);
        for index in 0..N {
            if index > 0 {
                self.expect(",", &format!("between what {form} takes"))?;
            }
            arguments.push(self.expression()?);
        }
        let column = self.rest.first().map_or(1, |token| token.column);
        self.expect(")", &format!("at the end of {form}"))?;
        arguments.try_into().map_err(|_| (column, format!("{form} takes {N} values")))
    }

    /// `cpu1` as an argument.
    fn cpu(&mut self, form: &str) -> Result<CpuId> {
        let token = self.next();
        match &token.kind {
            Tok::Name(name) => cpu_id(name),
            _ => None,
        }
        .ok_or_else(|| (token.column, format!("a CPU is named here, as in {form}, not {}", token.kind.words())))
    }

    fn memory(&mut self, name: &str, bytes: u8) -> Result<Kind> {
        let (space, at) = if name.starts_with("lin") {
            let form = format!("{name}(cpu1, linear)");
            self.expect("(", &format!("after `{name}`: {form}"))?;
            let cpu = self.cpu(&form)?;
            self.expect(",", &format!("after the CPU of {form}"))?;
            let at = self.expression()?;
            self.expect(")", &format!("at the end of {form}"))?;
            (Space::Linear(cpu), at)
        } else {
            let image = name.starts_with("image");
            let form = format!("{name}({})", if image { "linear" } else { "physical" });
            let [at] = self.arguments(&form)?;
            (if image { Space::Image } else { Space::Physical }, at)
        };
        Ok(Kind::Memory { bytes, space, at: Box::new(at) })
    }

    fn root_by_name(&mut self) -> Result<Kind> {
        self.expect("(", "after `root`: root(\"trampoline_pgd\")")?;
        let token = self.next();
        let Tok::Quoted(name) = token.kind else {
            return Err((
                token.column,
                "a root's name stands here in quotes, as in root(\"trampoline_pgd\")".to_owned(),
            ));
        };
        self.expect(")", "after the name in root(\"...\")")?;
        Ok(Kind::Root(name))
    }

    /// A root (an address, or a CPU: the one it uses) and a linear address.
    fn root_and_linear(&mut self, form: &str) -> Result<(Root, Box<Node>)> {
        let cpu = match self.rest {
            [Token { kind: Tok::Name(name), .. }, Token { kind: Tok::Op(","), .. }, ..] => cpu_id(name),
            _ => None,
        };
        let root = match cpu {
            Some(cpu) => {
                self.next();
                Root::Cpu(cpu)
            }
            None => Root::At(Box::new(self.expression()?)),
        };
        self.expect(",", &format!("after the root of {form}"))?;
        Ok((root, Box::new(self.expression()?)))
    }

    fn walk(&mut self) -> Result<Kind> {
        const PARTS: [(&str, WalkPart); 9] = [
            ("ok", WalkPart::Ok),
            ("phys", WalkPart::Phys),
            ("level", WalkPart::Level),
            ("failed_level", WalkPart::FailedLevel),
            ("size", WalkPart::Size),
            ("write", WalkPart::Write),
            ("user", WalkPart::User),
            ("execute", WalkPart::Execute),
            ("global", WalkPart::Global),
        ];
        self.expect("(", "after `walk`: walk(root, linear)")?;
        let (root, linear) = self.root_and_linear("walk(root, linear)")?;
        self.expect(")", "at the end of walk(root, linear)")?;
        let part = self.part("walk(root, linear)", &PARTS)?;
        Ok(Kind::Walk { root, linear, part })
    }

    /// `.name`, one of the known ones.
    fn part<T: Copy>(&mut self, form: &str, known: &[(&str, T)]) -> Result<T> {
        let column = self.rest.first().map_or(1, |token| token.column);
        let parts = self.path()?;
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let all = || format!("{form} has .{}", names.join(", ."));
        let [(column, name)] = parts.as_slice() else {
            return Err((column, format!("say which part is meant: {}", all())));
        };
        let found = known.iter().find(|(known, _)| known == name);
        found.map(|(_, part)| *part).ok_or_else(|| (*column, format!("there is no `.{name}`; {}", all())))
    }

    fn tlb(&mut self, name: &str) -> Result<Kind> {
        let form = match name {
            "tlb" => "tlb(cpu1).count",
            "tlb_has" => "tlb_has(cpu1, linear)",
            _ => "tlb_count(cpu1, from, to)",
        };
        self.expect("(", &format!("after the name of {form}"))?;
        let cpu = self.cpu(form)?;
        let mut more = || {
            self.expect(",", &format!("between what {form} takes"))?;
            self.expression().map(Box::new)
        };
        let part = match name {
            "tlb" => None,
            "tlb_has" => Some(TlbPart::Has(more()?)),
            _ => Some(TlbPart::CountIn(more()?, more()?)),
        };
        self.expect(")", &format!("at the end of {form}"))?;
        let part = match part {
            Some(part) => part,
            None => match self.part("tlb(cpu1)", &[("count", false), ("global", true)])? {
                true => TlbPart::Global,
                false => TlbPart::Count,
            },
        };
        Ok(Kind::Tlb(cpu, part))
    }

    fn events(&mut self, column: usize) -> Result<Kind> {
        const FORMS: &str = "events.any(EVENT), events.count(EVENT), events.first(EVENT).FIELD, events.last(EVENT).FIELD, \
                             events.nth(2, EVENT).FIELD, each with `_ever` for the whole past";
        let parts = self.path()?;
        let [(name_column, name)] = parts.as_slice() else {
            return Err((column, format!("`events` is asked by {FORMS}")));
        };
        let (plain, ever) = name.strip_suffix("_ever").map_or((name.as_str(), false), |plain| (plain, true));
        if !["any", "count", "first", "last", "nth"].contains(&plain) {
            return Err((*name_column, format!("there is no events.{name}; `events` is asked by {FORMS}")));
        }
        self.expect("(", &format!("after `events.{name}`"))?;
        let mut which = Which::Nth(1);
        if plain == "nth" {
            let token = self.next();
            match token.kind {
                Tok::Int(nth @ 1..=1_000_000) => which = Which::Nth(nth as u32),
                other => {
                    return Err((
                        token.column,
                        format!("which one is meant stands here, from 1, not {}", other.words()),
                    ));
                }
            }
            self.expect(",", "after the number in events.nth(2, EVENT)")?;
        }
        let pattern = self.pattern()?;
        self.expect(")", &format!("after the event in events.{name}(EVENT)"))?;
        let what = match plain {
            "any" => EventsWhat::Any,
            "count" => EventsWhat::Count,
            "last" => EventsWhat::Field(Which::Last, self.event_field(name)?),
            _ => EventsWhat::Field(which, self.event_field(name)?),
        };
        Ok(Kind::Events { what, ever, pattern })
    }

    fn event_field(&mut self, name: &str) -> Result<EventField> {
        self.part(&format!("events.{name}(EVENT)"), &events::FIELDS)
    }

    fn pattern(&mut self) -> Result<EventPattern> {
        let column = self.rest.first().map_or(1, |token| token.column);
        let NthEvent { pattern, nth } = pattern::parse(&mut self.rest)?;
        if nth != 1 {
            return Err((column, "`nth` is for stops; here it is events.nth(2, EVENT)".to_owned()));
        }
        Ok(pattern)
    }

    fn in_before(&mut self, column: usize) -> Result<Kind> {
        if self.before {
            return Err((column, "`before(...)` stands inside another; there is one stop only".to_owned()));
        }
        self.before = true;
        let argument = self.arguments::<1>("before(EXPR)");
        self.before = false;
        let [inner] = argument?;
        Ok(Kind::Before(Box::new(inner)))
    }
}

/// A mode compared with what is no mode is a misspelt word, not a comparison that fails.
fn check_words(op: Op, left: &Node, right: &Node) -> Result<()> {
    if !matches!(op, Op::Equal | Op::NotEqual) {
        return Ok(());
    }
    for (field, word) in [(left, right), (right, left)] {
        let (Kind::Cpu(_, field), Kind::Value(Value::Word(text))) = (&field.kind, &word.kind) else { continue };
        let (what, known): (_, Vec<&str>) = match field {
            CpuField::Mode => ("mode", MODES.iter().map(|mode| mode.word()).collect()),
            CpuField::Activity => ("activity", ACTIVITIES.iter().map(|activity| activity.word()).collect()),
            _ => continue,
        };
        if !known.contains(&text.as_str()) {
            return Err((word.column, format!("no {what} is called `{text}`; there are {}", known.join(", "))));
        }
    }
    Ok(())
}

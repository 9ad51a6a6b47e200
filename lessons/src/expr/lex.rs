//! Cuts an expression, or a stop, into words, numbers and signs. Neighbours: [`super::parse`], [`crate::stop`].

/// A token with the column of its first character, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub column: usize,
    pub kind: Tok,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tok {
    /// `0x9a000`, `9a000h`, `0b101`, `1_000`.
    Int(u64),
    /// `cpu1`, `real`, `wait-for-sipi`.
    Name(String),
    /// `"trampoline_pgd"` or `'trampoline_pgd'`.
    Quoted(String),
    /// `@tr_set_pe`, `@"a symbol with spaces"`.
    Symbol(String),
    /// A sign.
    Op(&'static str),
    /// Nothing follows.
    End,
}

impl Tok {
    /// As it stands in a message.
    pub fn words(&self) -> String {
        match self {
            Self::Int(value) => format!("{value:#x}"),
            Self::Name(name) => format!("`{name}`"),
            Self::Quoted(text) => format!("\"{text}\""),
            Self::Symbol(name) => format!("`@{name}`"),
            Self::Op(op) => format!("`{op}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Words that are written with hyphens, which are else minus signs. Longer ones stand before their beginnings.
const HYPHENATED: [&str; 11] = [
    "wait-for-sipi",
    "init-deassert",
    "lowest-priority",
    "triple-fault",
    "descriptor-table",
    "far-transfer",
    "not-in-wait-for-sipi",
    "in-wait-for-sipi",
    "apic-software-disabled",
    "no-such-apic-id",
    "illegal-vector",
];

/// Signs, longer ones first.
const OPS: [&str; 30] = [
    "<<", ">>", "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "&", "|", "^", "~", "!", "<", ">", "(",
    ")", ",", ".", "?", ":", "=", "[", "]", ";",
];

/// Most characters of an expression: what is longer is no sentence that a person can check.
pub(crate) const MAX_TEXT: usize = 600;

/// Cuts a text; an error is a column and what is wrong there.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, (usize, String)> {
    let chars: Vec<char> = text.chars().take(MAX_TEXT + 1).collect();
    if chars.len() > MAX_TEXT {
        let what = format!("it is longer than {MAX_TEXT} characters; cut it in parts, or ask for something simpler");
        return Err((MAX_TEXT, what));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let column = at + 1;
        let kind = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            c if c.is_ascii_digit() => {
                let word = take(&chars, &mut at, |c| c.is_ascii_alphanumeric() || c == '_');
                Tok::Int(number(&word).map_err(|what| (column, what))?)
            }
            c if is_name(c) => Tok::Name(name(&chars, &mut at)),
            '"' | '\'' => Tok::Quoted(quoted(&chars, &mut at).map_err(|what| (column, what))?),
            '@' => {
                at += 1;
                let name = match chars.get(at) {
                    Some('"' | '\'') => quoted(&chars, &mut at).map_err(|what| (column, what))?,
                    _ => symbol(&chars, &mut at),
                };
                if name.is_empty() {
                    return Err((column, "after `@` stands the name of a symbol, as in `@tr_set_pe`".to_owned()));
                }
                Tok::Symbol(name)
            }
            c => {
                let rest: String = chars[at..].iter().take(2).collect();
                let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) else {
                    return Err((column, format!("`{c}` means nothing here")));
                };
                at += op.len();
                Tok::Op(op)
            }
        };
        tokens.push(Token { column, kind });
    }
    tokens.push(Token { column: chars.len() + 1, kind: Tok::End });
    Ok(tokens)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn take(chars: &[char], at: &mut usize, more: impl Fn(char) -> bool) -> String {
    let word: String = chars[*at..].iter().take_while(|c| more(**c)).collect();
    *at += word.len();
    word
}

/// A name; one of [`HYPHENATED`] where it stands in full.
fn name(chars: &[char], at: &mut usize) -> String {
    let whole: String = chars[*at..].iter().take_while(|c| is_name(**c) || **c == '-').collect();
    let starts = |word: &&&str| {
        whole.strip_prefix(**word).is_some_and(|rest| !rest.starts_with(|c: char| is_name(c) || c == '-'))
    };
    match HYPHENATED.iter().find(starts) {
        Some(word) => {
            *at += word.len();
            (*word).to_owned()
        }
        None => take(chars, at, is_name),
    }
}

/// A symbol's name: a Rust path is one too.
fn symbol(chars: &[char], at: &mut usize) -> String {
    let mut name = take(chars, at, is_name);
    while chars.get(*at..*at + 2) == Some(&[':', ':']) {
        *at += 2;
        name.push_str("::");
        name.push_str(&take(chars, at, is_name));
    }
    name
}

fn quoted(chars: &[char], at: &mut usize) -> Result<String, String> {
    let quote = chars[*at];
    let text: String = chars[*at + 1..].iter().take_while(|c| **c != quote).collect();
    *at += text.chars().count() + 2;
    if *at > chars.len() {
        return Err(format!("the closing {quote} is missing"));
    }
    Ok(text)
}

/// A number as people write it: `0x` or `h` make it hexadecimal, `0b` binary, `_` separates.
pub(crate) fn number(word: &str) -> Result<u64, String> {
    let plain: String = word.chars().filter(|c| *c != '_').collect::<String>().to_ascii_lowercase();
    let (digits, radix) = match plain.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => match plain.strip_suffix('h') {
            Some(digits) => (digits, 16),
            None => match plain.strip_prefix("0b") {
                Some(digits) if !digits.is_empty() => (digits, 2),
                _ => (plain.as_str(), 10),
            },
        },
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(format!("`{word}` is no number; hexadecimal ones are written 0x9a000 or 9a000h"));
    }
    u64::from_str_radix(digits, radix).map_err(|_| format!("`{word}` does not fit into 64 bits"))
}

//! What every view is made of: colours, theme, keys and widgets. Knows the glossary, but no model of the machine.

pub mod bitfield;
pub mod edit_line;
pub mod hex;
pub mod key_map;
pub mod keys;
pub mod line;
pub mod theme;
pub mod tokens;
pub mod tree;
pub mod words;

pub use tokens::Tokens;

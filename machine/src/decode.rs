//! Instructions decoded once into our compact form, cached by physical page. (Being built.)

/// Derived: decoded instructions by physical page.
#[derive(Clone, Debug, Default)]
pub struct CodeCache {}

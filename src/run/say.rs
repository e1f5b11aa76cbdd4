//! What a run says on standard error.

use crate::scenario::scrub;

/// Says something on standard error, without values of the environment; a reader that went away is no error.
pub fn tell(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{}", scrub(&text.to_string()));
}

/// Columns of a line on standard error.
const COLUMNS: usize = 78;

/// A text cut into lines that no terminal cuts, the later ones set in.
pub(super) fn wrapped(text: &str) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS {
            out.push_str("\n  ");
            column = 2;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

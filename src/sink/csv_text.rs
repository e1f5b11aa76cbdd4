//! What all CSV files share: how text and numbers stand in a cell.

use std::borrow::Cow;
use std::io::{self, Write};

/// A text cell. One that a spreadsheet would take for a formula gets a quote before it (OWASP, "CSV Injection").
pub(super) fn text(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell.into() }
}

/// A number, or a blank where there is none.
pub(super) fn number(x: Option<f64>) -> String {
    x.map(|x| x.to_string()).unwrap_or_default()
}

/// A count, or a blank where there is none.
pub(super) fn count(n: Option<u64>) -> String {
    n.map(|n| n.to_string()).unwrap_or_default()
}

/// Writes a header and rows.
pub(super) fn rows<const N: usize>(
    out: &mut dyn Write,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(header)?;
    for row in rows {
        csv.write_record(row)?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, want) in [
            ("=1+1", "'=1+1"),
            ("+a", "'+a"),
            ("-a", "'-a"),
            ("@a", "'@a"),
            ("\ta", "'\ta"),
            ("\ra", "'\ra"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(text(cell), want);
        }
        assert_eq!((number(Some(-0.5)), number(None), count(Some(0))), ("-0.5".into(), String::new(), "0".into()));
    }
}

//! Texts as Markdown takes them.

/// The cells of a table's row between their bars, each as [`plain`] text.
pub(super) fn cells(row: &[String]) -> String {
    row.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | ")
}

/// Text as text: nothing in it formats, links, mentions anyone or ends a cell.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '@' => plain.push_str("&#64;"),
            '#' => plain.push_str("&#35;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '!' => plain.extend(['\\', c]),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

//! What templates do to a text: it is escaped, and what stands between backticks becomes code.

use askama::Values;
use askama::filters::{Escaper, Html, Safe};
use std::fmt::{Display, Write};

/// A sentence for a page: escaped, with `code` between backticks as an element. A backtick without another stays out.
#[askama::filter_fn]
pub(super) fn code<T: Display>(text: T, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(marked(&text.to_string())?))
}

/// The `title` of a column's head, where it is a term or a metric; nothing for any other.
#[askama::filter_fn]
pub(super) fn hover<T: Display>(head: T, _: &dyn Values) -> askama::Result<Safe<String>> {
    let about = super::terms::about(&head.to_string());
    Ok(Safe(if about.is_empty() { String::new() } else { format!(" title=\"{}\"", escaped(&about.replace('`', ""))?) }))
}

/// A text for an attribute, which has no elements: escaped, without backticks.
#[askama::filter_fn]
pub(super) fn bare<T: Display>(text: T, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(escaped(&text.to_string().replace('`', ""))?))
}

fn marked(text: &str) -> askama::Result<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut parts = text.split('`').enumerate().peekable();
    while let Some((at, part)) = parts.next() {
        // The last part of an odd number of backticks has none to close it.
        let is_code = at % 2 == 1 && parts.peek().is_some();
        if is_code {
            write!(out, "<code>{}</code>", escaped(part)?)?;
        } else {
            out.push_str(&escaped(part)?);
        }
    }
    Ok(out)
}

/// A path as the address of a link: what means something in an address is no part of one.
pub(super) fn link(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '%' | '#' | '?' | ' ' | '"' | '<' | '>' | '\\' | ':' => {
                // All of them are ASCII.
                out.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// As templates escape what they are given.
fn escaped(text: &str) -> Result<String, std::fmt::Error> {
    let mut out = String::with_capacity(text.len());
    Html.write_escaped_str(&mut out, text)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn what_stands_between_backticks_is_code_and_everything_is_escaped() {
        for (text, page) in [
            ("plain", "plain"),
            ("run `a <b>` & `c`.", "run <code>a &#60;b&#62;</code> &#38; <code>c</code>."),
            ("`", ""),
            ("a `b` c ` d", "a <code>b</code> c  d"),
            ("``", "<code></code>"),
            ("\"'", "&#34;&#39;"),
        ] {
            assert_eq!(marked(text).unwrap(), page, "{text}");
        }
    }
}

//! The patterns the schema uses. They are matched by hand: there are few, and each has words that say more than it does.

use crate::scenario::audit::PATTERNS as AUDIT;
use crate::scenario::rate::PATTERN as RATE;
use crate::scenario::share::PATTERN as SHARE;
use crate::scenario::span::PATTERN as SPAN;
use crate::scenario::think::PATTERN as THINK;
use crate::scenario::until::PATTERN as LENGTH;
use crate::scenario::{Length, Share, Span, Think};
use serde_json::Value as Json;

/// A pattern, what matches it, and what it asks for.
pub(super) type Pattern = (&'static str, fn(&str) -> bool, &'static str);
pub(super) const PATTERNS: [Pattern; 13] = [
    (r"^[A-Za-z0-9_-]+$", plain, "made of letters, digits, - and _"),
    (
        r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        |text| text.split('.').all(plain),
        "made of letters, digits, - and _, with dots between them",
    ),
    ("^/", |text| text.starts_with('/'), "a path that begins with `/`"),
    ("^(/|$)", |text| text.is_empty() || text.starts_with('/'), "a JSON pointer, which begins with `/`"),
    (SPAN, |text| Span::parse(text).is_some(), LENGTH_OF_TIME),
    (LENGTH, |text| Length::parse(text).is_some(), "a duration such as 500ms, 30s, 5m, or `auto`"),
    (RATE, |text| text == "auto", "a number, or `auto`"),
    (SHARE, |text| Share::parse(text).is_some(), "a share such as 2% or 0.5%"),
    (THINK, |text| Think::parse(text).is_some(), THINK_WORDS),
    AUDIT[0],
    AUDIT[1],
    AUDIT[2],
    AUDIT[3],
];

fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// What reasoning is asked for by.
pub(super) const THINK_WORDS: &str = "one of off, on, low, medium, high";

/// What a span looks like, in words.
pub(super) const LENGTH_OF_TIME: &str = "a duration such as 500ms, 30s, 5m";

/// Whether a text must be a duration.
pub(super) fn is_span(schema: &Json) -> bool {
    [SPAN, LENGTH].iter().any(|known| schema["pattern"] == *known)
}

/// Whether what matches the schema's pattern has a form of its own: no path, no pointer, no name.
pub(super) fn is_closed(schema: &Json) -> bool {
    of_audit(schema).is_some() || [SPAN, LENGTH, RATE, SHARE, THINK].iter().any(|known| schema["pattern"] == *known)
}

/// What may be written for a rule of the audit, if the schema is of one.
pub(super) fn of_audit(schema: &Json) -> Option<&'static str> {
    AUDIT.iter().find(|(known, _, _)| schema["pattern"] == *known).map(|(_, _, words)| *words)
}

/// What the schema's pattern asks for, if a text isn't that.
pub(super) fn unmatched(text: &str, schema: &Json) -> Option<&'static str> {
    let pattern = schema["pattern"].as_str()?;
    PATTERNS.iter().find(|(known, matches, _)| *known == pattern && !matches(text)).map(|(_, _, words)| *words)
}

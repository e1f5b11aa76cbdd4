//! Characters of a data file that can't be read: each becomes U+FFFD, as an engine would make of it, and its line is told.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

/// Lines that are named; of more, the number.
const NAMED: usize = 3;

/// What is said of a file of another encoding: half of its bytes would be replaced.
pub(super) const UTF16: &str = "the file is UTF-16: save it as UTF-8";

/// Whether a file's first bytes are the mark of UTF-16.
pub(super) fn is_utf16(first: &[u8]) -> bool {
    first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff])
}

/// Lines in which something could not be read.
#[derive(Default)]
pub(super) struct Odd {
    lines: RefCell<Vec<u64>>,
}

impl Odd {
    /// Keeps a line in mind.
    pub(super) fn note(&self, line: u64) {
        let mut lines = self.lines.borrow_mut();
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }

    /// The text of bytes that stand in a line.
    pub(super) fn text<'a>(&self, line: u64, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.note(line);
        }
        text
    }

    /// What is said of them.
    pub(super) fn told(&self, file: &Path) -> Option<String> {
        let lines = self.lines.borrow();
        let named: Vec<String> = lines.iter().take(NAMED).map(u64::to_string).collect();
        let more = match lines.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let word = if lines.len() == 1 { "line" } else { "lines" };
        (!named.is_empty()).then(|| {
            let file = file.display().to_string();
            let place = format!("{}: {word} {}{more}", file.escape_debug(), named.join(", "));
            format!("{place}: not valid UTF-8, or half a character: replaced by U+FFFD")
        })
    }
}

/// JSON in which half of a character, a lone surrogate like `\ud83d`, is U+FFFD: no text can hold it.
pub(super) fn whole_text(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let (mut whole, mut from, mut at) = (String::new(), 0, 0);
    while let Some(next) = json[at..].find('\\').map(|offset| at + offset) {
        at = match (unit(next), unit(next + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => next + 12,
            (Some(0xd800..0xe000), _) => {
                whole.push_str(&json[from..next]);
                whole.push_str("\\ufffd");
                from = next + 6;
                from
            }
            (Some(_), _) => next + 6,
            // An escape of another kind: its second character begins none.
            (None, _) => next + 1 + json[next + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    if from == 0 {
        return Cow::Borrowed(json);
    }
    whole.push_str(&json[from..]);
    Cow::Owned(whole)
}

//! `${NAME}`, `${NAME:-default}` and `$$` in the texts of a scenario. Which values came from the environment is kept,
//! so that secrets can be required to, and are never printed.

use super::mistake::{Mistake, quoted};
use super::tree::{Filled, Node, Value};
use std::env::VarError;

/// Largest file that a variable may name, in bytes.
const LARGEST_SECRET: u64 = 64 << 10;

/// Where variables are looked up: `std::env::var`, or a test's own.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Result<String, VarError> + 'a;

/// Fills in every text of a tree; what can't be filled in is a mistake each.
pub(super) fn fill(root: &mut Node, lookup: &Lookup<'_>, mistakes: &mut Vec<Mistake>) {
    root.visit(&mut |node| {
        let Value::Text(text) = &node.value else { return };
        if !text.contains('$') {
            return;
        }
        let mut filled = Filled::default();
        match fill_text(text, lookup, &mut filled) {
            Ok((_, new)) if filled.names.is_empty() => node.value = Value::Text(new),
            Ok((whole, new)) => {
                node.value = Value::Text(new);
                node.loose |= whole;
                node.filled = Some(filled);
            }
            Err((message, help)) => {
                mistakes.push(Mistake::new(message, node.place.clone()).help(help));
                node.filled = Some(Filled { failed: true, ..filled });
            }
        }
    });
}

/// What a text asks of the environment; `None` if nothing.
pub(super) fn references(text: &str) -> Option<Filled> {
    let mut filled = Filled::default();
    // A reference that can't be read is told when it is filled in.
    let unread = fill_text(text, &|_| Ok(String::new()), &mut filled).is_err();
    (unread || !filled.names.is_empty()).then_some(filled)
}

/// What is wrong with a reference, and what to do about it.
type Wrong = (String, String);

/// The text with its references filled in, and whether one reference is all of it.
fn fill_text(text: &str, lookup: &Lookup<'_>, filled: &mut Filled) -> Result<(bool, String), Wrong> {
    let (mut out, mut rest, mut pieces) = (String::new(), text, 0);
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        out.push_str(before);
        pieces += usize::from(!before.is_empty());
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            pieces += 1;
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let unclosed = || (format!("`${{` without its `}}` in {}", quoted(text)), dollar());
            let (inside, after) = after.split_once('}').ok_or_else(unclosed)?;
            out.push_str(&variable(inside, lookup, filled)?);
            pieces += 1;
            after
        } else {
            // A price such as $5 is a text like any other.
            out.push('$');
            pieces += 1;
            after
        };
    }
    out.push_str(rest);
    Ok((pieces == 1 && rest.is_empty() && !filled.names.is_empty(), out))
}

/// The value of what stands within `${` and `}`.
fn variable(inside: &str, lookup: &Lookup<'_>, filled: &mut Filled) -> Result<String, Wrong> {
    let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || !letters || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err((format!("{} is no name of an environment variable", quoted(name)), dollar()));
    }
    if default.is_some_and(|default| default.contains("${")) {
        let message = format!("the default of `${{{name}}}` holds another `${{`");
        return Err((message, "a default is a plain text".to_owned()));
    }
    filled.names.push(name.to_owned());
    filled.defaulted |= default.is_some_and(|default| !default.is_empty());
    let told = match lookup(name) {
        Err(VarError::NotPresent) => in_file(name, lookup)?.ok_or(VarError::NotPresent),
        told => told,
    };
    match (told, default) {
        (Ok(value), None) => Ok(value),
        // As in a shell: `:-` takes an empty variable for an unset one.
        (Ok(value), Some(_)) if !value.is_empty() => Ok(value),
        (Err(VarError::NotUnicode(_)), _) => {
            Err((format!("the environment variable `{name}` is not valid UTF-8"), "set it to a plain text".to_owned()))
        }
        (_, Some(default)) => Ok(default.to_owned()),
        (Err(VarError::NotPresent), None) => Err((
            format!("the environment variable `{name}` is not set"),
            format!("set it (or `{name}_FILE` to a file that holds it), or write `${{{name}:-default}}`"),
        )),
    }
}

/// What the file holds that `NAME_FILE` names, as containers pass secrets; `None` if that isn't set. The last line's end is no
/// part of it. Where it lies is the user's to say, so it may lie anywhere.
fn in_file(name: &str, lookup: &Lookup<'_>) -> Result<Option<String>, Wrong> {
    let Some(path) = lookup(&format!("{name}_FILE")).ok().filter(|path| !path.is_empty()) else { return Ok(None) };
    let wrong =
        |why: String| (format!("the file that `{name}_FILE` names can't be used: {why}"), format!("it is {path}"));
    match std::fs::metadata(&path) {
        Ok(facts) if !facts.is_file() => return Err(wrong("it is not a regular file".to_owned())),
        Ok(facts) if facts.len() > LARGEST_SECRET => return Err(wrong("it is larger than 64 KiB".to_owned())),
        _ => {}
    }
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn dollar() -> String {
    "for a dollar sign itself, write `$$`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::mistake::Place;

    fn filled(text: &str) -> Result<(String, bool), String> {
        let lookup = |name: &str| match name {
            "HOST" => Ok("box".to_owned()),
            "EMPTY" => Ok(String::new()),
            _ => Err(VarError::NotPresent),
        };
        let mut node = Node::new(Value::Text(text.to_owned()), Place::Whole);
        let mut mistakes = Vec::new();
        fill(&mut node, &lookup, &mut mistakes);
        match mistakes.first() {
            Some(mistake) => Err(mistake.message().to_owned()),
            None => Ok((node.text().unwrap().to_owned(), node.loose)),
        }
    }

    #[test]
    fn references_are_filled_in() {
        let cases = [
            ("plain", "plain", false),
            ("$5 and 5$", "$5 and 5$", false),
            ("$$", "$", false),
            ("$${HOST}", "${HOST}", false),
            ("${HOST}", "box", true),
            ("http://${HOST}:1", "http://box:1", false),
            ("${HOST}${HOST}", "boxbox", false),
            ("${NONE:-auto}", "auto", true),
            ("${NONE:-}", "", true),
            ("${EMPTY}", "", true),
            ("${EMPTY:-x}", "x", true),
            ("${NONE:-http://h:1/a?b=$c}", "http://h:1/a?b=$c", true),
        ];
        for (text, value, whole) in cases {
            assert_eq!(filled(text), Ok((value.to_owned(), whole)), "{text}");
        }
    }

    #[test]
    fn a_value_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cr3t\r\n").unwrap();
        let at = |path: String| {
            move |name: &str| match name {
                "KEY_FILE" => Ok(path.clone()),
                "SET" => Ok("x".to_owned()),
                "SET_FILE" => Ok("/nowhere".to_owned()),
                _ => Err(VarError::NotPresent),
            }
        };
        let fill = |text: &str, path: &str| fill_text(text, &at(path.to_owned()), &mut Filled::default());
        let path = file.path().display().to_string();
        assert_eq!(fill("Bearer ${KEY}", &path), Ok((false, "Bearer s3cr3t".to_owned())));
        assert_eq!(fill("${KEY:-}", &path), Ok((true, "s3cr3t".to_owned())));
        assert_eq!(fill("${SET}", &path), Ok((true, "x".to_owned())), "what is set itself comes first");
        assert!(fill("${KEY:-x}", "/nowhere").unwrap_err().0.contains("`KEY_FILE`"), "no default in its place");
        assert!(fill("${KEY}", "/").unwrap_err().0.contains("regular file"));
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        for (text, part) in [
            ("${NONE}", "`NONE` is not set"),
            ("${HOST", "without its `}`"),
            ("${}", "no name"),
            ("${1A}", "no name"),
            ("${A B}", "no name"),
            ("${A:-${B}}", "another"),
        ] {
            assert!(filled(text).unwrap_err().contains(part), "{text}: {:?}", filled(text));
        }
    }
}

//! `${NAME}`, `${NAME:-default}`, `${file:PATH}` and `$$` in the texts of a scenario. Which values came from the environment
//! or a file is kept with each text, so that secrets can be required to, and none is ever told: what may be told of such a
//! text is what was written, and where others repeat the value it is scrubbed (`secret::scrub`).

use super::data_path;
use super::mistake::{Mistake, Place, quoted};
use super::secret::{by_shell, remember};
use super::tree::{Filled, Node, Value};
use std::env::VarError;
use std::path::Path;

/// Where variables are looked up: `std::env::var`, or a test's own.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Result<String, VarError> + 'a;

/// Bytes of a file whose text is filled in, at most.
const MAX_FILE: u64 = 64 << 10;
/// Where containers keep their secrets: such a file may be named, though it lies outside the scenario's directory.
const SECRETS: &str = "/run/secrets";

/// Where values come from.
struct Source<'a> {
    lookup: &'a Lookup<'a>,
    /// The directory that the paths of files start from; none where no file is read.
    base: Option<&'a Path>,
}

/// Fills in every text of a tree; what can't be filled in is a mistake each. Paths of files start from `base`.
pub(super) fn fill(root: &mut Node, base: &Path, lookup: &Lookup<'_>, mistakes: &mut Vec<Mistake>) {
    fill_below(root, "", &Source { lookup, base: Some(base) }, mistakes);
}

/// `field` is the one that the node stands in.
fn fill_below(node: &mut Node, field: &str, source: &Source<'_>, mistakes: &mut Vec<Mistake>) {
    match &mut node.value {
        Value::List(list) => list.iter_mut().for_each(|node| fill_below(node, field, source, mistakes)),
        Value::Map(map) => {
            for (key, entry) in map {
                // `targets.a.openai.url`, as sweeps and suites write it, ends with its field.
                fill_below(&mut entry.node, key.rsplit('.').next().unwrap_or(key), source, mistakes);
            }
        }
        Value::Text(text) if text.contains('$') => {
            let mut filled = Filled { written: text.clone(), ..Filled::default() };
            match fill_text(text, source, &mut filled) {
                Ok((_, new)) if filled.names.is_empty() => node.value = Value::Text(new),
                Ok((whole, new)) => {
                    let address = matches!(field, "url" | "socket" | "metrics");
                    for (reference, value) in &filled.given {
                        if address {
                            remember_address(field, &new, value, reference)
                        } else {
                            remember(value, reference)
                        }
                    }
                    node.value = Value::Text(new);
                    node.loose |= whole;
                    node.filled = Some(filled);
                }
                Err((message, help)) => {
                    mistakes.push(Mistake::new(message, node.place.clone()).help(help));
                    node.filled = Some(Filled { failed: true, ..filled });
                }
            }
        }
        // A shell may have put the value of a variable there.
        Value::Text(text) if matches!(node.place, Place::Argument(_)) => {
            if let Some(written) = by_shell(text) {
                let given = vec![(written.clone(), text.clone())];
                node.filled = Some(Filled { names: vec![written.clone()], given, written, ..Filled::default() });
            }
        }
        _ => {}
    }
}

/// Of an address, host and port are what a report tells; what else of a value stands in it is not.
fn remember_address(field: &str, address: &str, value: &str, shown: &str) {
    if field == "socket" {
        return;
    }
    match super::Address::parse(address) {
        Ok(address) => {
            let of_value = |part: &&str| value.contains(part) || part.contains(value);
            address.prefix.split('/').filter(of_value).for_each(|part| remember(part, shown));
        }
        // It may be a password, or a port that is none.
        Err(_) => {
            remember(value, shown);
            value.split(['/', '@', ':', '?', '&', '=', '#']).for_each(|part| remember(part, shown));
        }
    }
}

/// What a text asks of the environment; `None` if nothing.
pub(super) fn references(text: &str) -> Option<Filled> {
    let mut filled = Filled::default();
    // A reference that can't be read is told when it is filled in.
    let unread = fill_text(text, &Source { lookup: &|_| Ok(String::new()), base: None }, &mut filled).is_err();
    (unread || !filled.names.is_empty()).then_some(filled)
}

/// What is wrong with a reference, and what to do about it.
type Wrong = (String, String);

/// The text with its references filled in, and whether one reference is all of it.
fn fill_text(text: &str, source: &Source<'_>, filled: &mut Filled) -> Result<(bool, String), Wrong> {
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
            out.push_str(&variable(inside, source, filled)?);
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
fn variable(inside: &str, source: &Source<'_>, filled: &mut Filled) -> Result<String, Wrong> {
    if let Some(path) = inside.strip_prefix("file:") {
        filled.names.push(inside.to_owned());
        let text = source.base.map_or(Ok(String::new()), |base| file(path, base))?;
        filled.given.push((format!("${{{inside}}}"), text.clone()));
        return Ok(text);
    }
    let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || !letters || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err((format!("{} is not a valid name of an environment variable", quoted(name)), dollar()));
    }
    if default.is_some_and(|default| default.contains("${")) {
        let message = format!("the default of `${{{name}}}` holds another `${{`");
        return Err((message, "a default is a plain text".to_owned()));
    }
    filled.names.push(name.to_owned());
    filled.defaulted |= default.is_some_and(|default| !default.is_empty());
    match ((source.lookup)(name), default) {
        // As in a shell: `:-` takes an empty variable for an unset one.
        (Ok(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Ok(value), _) => {
            filled.given.push((format!("${{{name}}}"), value.clone()));
            Ok(value)
        }
        (Err(VarError::NotUnicode(_)), _) => {
            Err((format!("the environment variable `{name}` is not valid UTF-8"), "set it to a plain text".to_owned()))
        }
        (Err(VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
        (Err(VarError::NotPresent), None) => Err((
            format!("the environment variable `{name}` is not set"),
            format!("set it, or write `${{{name}:-default}}`"),
        )),
    }
}

/// The text of a file, without the line's end that editors leave behind it. A scenario may come from someone else: it reads
/// what other data of it may be, and the secrets of a container.
fn file(path: &str, base: &Path) -> Result<String, Wrong> {
    let help = || "write the path of a text file, from the scenario's directory: ${file:token.txt}".to_owned();
    let file = match Path::new(path).canonicalize() {
        Ok(real) if real.starts_with(SECRETS) => real,
        _ => data_path(base, Path::new(path)).map_err(|why| (format!("`${{file:{path}}}`: {why}"), help()))?,
    };
    let wrong = |why: String| (format!("`${{file:{path}}}`: {why}"), help());
    let length = std::fs::metadata(&file).map_err(|error| wrong(error.to_string()))?.len();
    if length > MAX_FILE {
        return Err(wrong(format!("it has {length} bytes; the maximum is {MAX_FILE}")));
    }
    let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
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
        fill(&mut node, Path::new("."), &lookup, &mut mistakes);
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
    fn a_file_is_filled_in_and_only_one_that_the_scenario_may_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token.txt"), "tok-from-file\n").unwrap();
        let read = |text: &str| {
            let mut node = Node::new(Value::Text(text.to_owned()), Place::Whole);
            let mut mistakes = Vec::new();
            fill(&mut node, dir.path(), &|_| Err(VarError::NotPresent), &mut mistakes);
            match mistakes.first() {
                Some(mistake) => Err(mistake.message().to_owned()),
                None => Ok((node.text().unwrap().to_owned(), node.shown().text().unwrap().to_owned())),
            }
        };
        let written = "Bearer ${file:token.txt}";
        assert_eq!(read(written), Ok(("Bearer tok-from-file".to_owned(), written.to_owned())));
        assert!(read("${file:/etc/passwd}").unwrap_err().contains("outside"));
        assert!(read("${file:none.txt}").unwrap_err().contains("no file"));
    }

    #[test]
    fn what_came_from_the_environment_is_shown_as_it_was_written() {
        for (text, shown) in [
            ("${HOST}:1", "${HOST}:1"),
            ("${NONE:-auto}", "auto"),
            ("${EMPTY:-x}", "x"),
            ("${HOST:-auto}", "${HOST:-auto}"),
            ("$$5", "$5"),
        ] {
            let lookup = |name: &str| match name {
                "HOST" => Ok("box".to_owned()),
                "EMPTY" => Ok(String::new()),
                _ => Err(VarError::NotPresent),
            };
            let mut node = Node::new(Value::Text(text.to_owned()), Place::Whole);
            fill(&mut node, Path::new("."), &lookup, &mut Vec::new());
            assert_eq!(node.shown().text(), Some(shown), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        for (text, part) in [
            ("${NONE}", "`NONE` is not set"),
            ("${HOST", "without its `}`"),
            ("${}", "not a valid name"),
            ("${1A}", "not a valid name"),
            ("${A B}", "not a valid name"),
            ("${A:-${B}}", "another"),
        ] {
            assert!(filled(text).unwrap_err().contains(part), "{text}: {:?}", filled(text));
        }
    }
}
